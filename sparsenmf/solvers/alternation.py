"""What all solvers share: alternate between the factors, with momentum and roll-back.

One iteration improves all rows of W given Ht, then all rows of Ht given W, by the
same kernel. Between iterations Ht is extrapolated,

    Ht <- max(0, Ht_k + beta_k (Ht_k - Ht_{k-1}))

in the manner of Ang & Gillis 2019 ("Accelerating nonnegative matrix factorization
algorithms using extrapolation", Neural Computation 31(2)): beta grows while the
objective falls; when it does not, the iterate is rejected, the last one is taken up
again and beta is lowered. Four things differ from their algorithm, all for the better
in our measurements: only Ht is extrapolated (given Ht, W is all but determined by it,
so a momentum of its own made iterations be rejected), the objective is that of the
pair (W, Ht) which is kept, and a rejected iterate is rolled back, not kept. So
the objective never rises, and it costs no second copy of W for the momentum. Last, for the
Frobenius loss the first iteration is a plain one, with one sweep and no momentum after it:
it answers to a start that knows little of X, and to answer that in full leads to worse
optima (8 of 35 random starts on TDT2, at 20 components, missed a mark that all reach so).
Where W knows more at the start than random numbers do, no iteration is plain, and Ht is
fitted to that W before the first one: what W knows would else be lost on an Ht at random.
"""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np

from ..kernels.threads import threads_for
from ..rows import empty_factor, sum_squares
from .scale import balance

FIRST_BETA, GROWTH, SHRINKAGE, CAP_GROWTH = 0.5, 1.1, 0.75, 1.05

BALANCE_EVERY = 50  # iterations


class Iterate(NamedTuple):
    """A pair of factors and its own objective, never that of another pair."""

    W: Any  # an array, but for solvers that have it elsewhere
    Ht: np.ndarray
    objective: float


class Momentum:
    """The schedule of beta (Ang & Gillis 2019, section 3.2)."""

    def __init__(self, cap):
        self.beta, self.cap = min(FIRST_BETA, cap), cap

    def grow(self):
        self.beta = min(self.cap, GROWTH * self.beta)
        self.cap = min(1.0, CAP_GROWTH * self.cap)

    def shrink(self):
        self.cap, self.beta = self.beta, SHRINKAGE * self.beta


class Alternation(ABC):
    """The state of one run. A solver says how a factor is updated.

    What an update needs to know of the other factor as a whole is its *summary*: the
    gram matrix for the Frobenius loss, the sums of its columns for the others.

    Parameters
    ----------
    rows, columns : Rows
        X and its transpose.
    W, Ht : ndarray
        Padded start; overwritten.
    penalty_W, penalty_H : Penalty
    loss : Loss
    n_components : int
        Columns of the factors that are not padding.
    max_sweeps : int or None
        Inner sweeps over a row in each iteration, where the solver has any. None: as many as
        are worth their time.
    extrapolate : bool
        Whether there is momentum.
    n_threads : int
    W_folder : path-like or None
        Where there is room for a second W, if not in memory.
    W_leads : bool
        Whether a solver with momentum and plain iterations begins with Ht, fitted to W.

    Attributes
    ----------
    current : Iterate
        The last accepted iterate. Replaced as a whole, so that it is consistent
        whenever the run is interrupted.
    dtype : dtype
        Of the result.
    balanced : bool
        Whether the scale between W and H is free, and kept in balance.
    most_sweeps : int
        Inner sweeps in an iteration that is not plain.
    ends : bool
        Whether the next iteration is likely to be the last one. A solver may then measure on its
        way what `optimality` would look at X for.
    plain_first : bool
        Whether the first iteration has one sweep, and no momentum after it.
    stalled : bool
        A step without momentum no longer lowered the objective: rounding is all
        that is left.
    """

    plain_first = ends = False

    def __init__(
        self,
        rows,
        columns,
        W,
        Ht,
        penalty_W,
        penalty_H,
        loss,
        n_components,
        *,
        max_sweeps=None,
        extrapolate=True,
        n_threads=1,
        W_folder=None,
        W_leads=False,
    ):
        self.rows, self.columns = rows, columns
        self.penalty_W, self.penalty_H = penalty_W, penalty_H
        self.loss, self.n_components, self.dtype = loss, n_components, W.dtype
        self.n_threads = threads_for(n_threads, rows.nnz * W.shape[1])
        self.momentum = Momentum(cap=1.0 if extrapolate else 0.0)
        self.stalled = False
        self.n_blocks = max(rows.n_blocks, columns.n_blocks)
        self._statistics = np.zeros((self.n_blocks, 2))
        self.current = Iterate(W, Ht, np.inf)
        self.most_sweeps = max_sweeps or self._worthwhile_sweeps()
        self._W_folder = W_folder
        self._spare = (self._empty_like(W, W_folder), self._empty_like(Ht))
        self._beta, self._n_accepted = 0.0, 0
        # Momentum makes H grow and W shrink, which nothing but a penalty would stop.
        self.balanced = extrapolate and not (penalty_W.binds() or penalty_H.binds())
        self._W_leads = W_leads and extrapolate and self.plain_first
        self.plain_first = self.plain_first and not self._W_leads
        self._is_ahead = False  # whether the spare Ht is where the next iteration begins
        self._allocate(W.shape[1])

    @property
    def max_sweeps(self):
        """Inner sweeps over a row in the next iteration."""
        return 1 if self._is_first() else self.most_sweeps

    def _worthwhile_sweeps(self):
        return 2

    def _is_first(self):
        return self.plain_first and not self._n_accepted

    def iterate(self):
        """Run one iteration."""
        W, Ht, objective = self.current
        self._look_ahead()
        self._is_ahead = False
        new = self._propose()
        check_overflow(new.objective, W.dtype)
        if new.objective < objective:
            self._spare = (W, Ht)
            self.current = new
            if not self._is_first():
                self._accelerate()
            self._n_accepted += 1
            if self.balanced and self._n_accepted % BALANCE_EVERY == 0:
                self._balance()
        elif self._beta == 0:
            self.stalled = True
        else:
            self.momentum.shrink()
            self._beta = 0.0

    def _propose(self):
        """Return the next iterate, in the spare factors: both updated, W first."""
        W = self.current.W
        W_new, Ht_new = self._spare
        _, summary_W = self._update(
            self.rows, Ht_new, self._summary_Ht, self.penalty_W, W, W_new, last=False
        )
        fit, _ = self._update(
            self.columns, W_new, summary_W, self.penalty_H, Ht_new, Ht_new, last=True
        )
        fit = self._resolve(self.loss.constant + fit, W_new, Ht_new)
        return Iterate(W_new, Ht_new, fit + self.penalty_W.value(W_new))

    def settle(self):
        """Let the next iteration begin at the current iterate, wherever the last one has ended."""
        self._beta = 0.0
        self._extrapolate()

    def state(self):
        """Return numbers and arrays from which `restore` goes on to the bit."""
        self._look_ahead()
        W, Ht, objective = self.current
        numbers = {
            "objective": objective,
            "beta": float(self._beta),
            "momentum": [self.momentum.beta, self.momentum.cap],
            "n_accepted": self._n_accepted,
            "stalled": self.stalled,
        }
        return numbers, {"W": W, "Ht": Ht, "next_Ht": self._spare[1]}

    def restore(self, numbers, arrays):
        """Take up a state; its arrays must be of the shape and type of these factors."""
        W, Ht, _ = self.current
        for name, array in (("W", W), ("Ht", Ht), ("next_Ht", Ht)):
            if (arrays[name].shape, arrays[name].dtype) != (array.shape, array.dtype):
                raise ValueError(f"its {name} is not of this problem's shape and type")
        W[:], Ht[:], self._spare[1][:] = (arrays[name] for name in ("W", "Ht", "next_Ht"))
        self._take_up(numbers)

    def _take_up(self, numbers):
        """Go on with these factors; the next iteration begins at the spare Ht."""
        W, Ht, _ = self.current
        self.current = Iterate(W, Ht, float(numbers["objective"]))
        self.momentum.beta, self.momentum.cap = map(float, numbers["momentum"])
        self._n_accepted, self.stalled = int(numbers["n_accepted"]), bool(numbers["stalled"])
        spare = self._spare[1]
        self._summary_Ht = self._extend(spare, spare, Ht.dtype.type(0))  # unchanged
        self._beta, self._is_ahead = float(numbers["beta"]), True

    def optimality(self):
        """Return how far the current iterate is from a stationary point, without a unit.

        Costs as much as an iteration without sweeps.
        """
        self.settle()
        W, Ht, _ = self.current
        residual_W, summary_W = self._measure(
            self.rows, Ht, self._summary_Ht, self.penalty_W, W, self._spare[0], last=False
        )
        residual_Ht, _ = self._measure(
            self.columns, W, summary_W, self.penalty_H, Ht, self._spare[1], last=True
        )
        return self.loss.relative_residual(residual_W + residual_Ht)

    def squares_W(self):
        """Return the squared lengths of the columns of the current W."""
        return sum_squares(self.current.W)

    def release(self):
        """Give back the memory of all but the current iterate; nothing follows.

        Returns the spare W, for what can use its memory.
        """
        spare, _ = self._spare
        del self.rows, self.columns, self._spare
        return spare

    def _accelerate(self):
        if self._beta > 0:
            self.momentum.grow()
        self._beta = self.momentum.beta

    def _look_ahead(self):
        if not self._is_ahead:
            self._extrapolate()

    def _extrapolate(self):
        """Make the spare Ht the extrapolated current one, with its summary."""
        Ht, spare = self.current.Ht, self._spare[1]
        self._summary_Ht = self._extend(Ht, spare, Ht.dtype.type(self._beta))
        self._is_ahead = True

    def _balance(self):
        """Undo the drift of scale between the factors, which is no change of W H at all."""
        (W, Ht, objective), spare = self.current, self._spare
        scale = balance(sum_squares(W), sum_squares(Ht), len(W), len(Ht)).astype(W.dtype)
        np.divide(W, scale, out=spare[0])
        np.multiply(Ht, scale, out=spare[1])
        self._spare, self.current = (W, Ht), Iterate(*spare, objective)
        self._beta = 0.0  # the iterate before has another scale

    def _empty_like(self, factor, folder=None):
        """Return what an update of a factor is written to."""
        return empty_factor(factor.shape, factor.dtype, folder, self.n_threads)

    @abstractmethod
    def _allocate(self, width):
        """Allocate what the solver needs beside the factors."""

    def _resolve(self, fit, W, Ht):
        """Return the loss of (W, Ht) and the penalty of H, better than rounding left it."""
        return max(fit, self.penalty_H.value(Ht))

    @abstractmethod
    def _extend(self, Ht, spare, beta):
        """Extrapolate Ht into `spare`, which holds the one before, and return its summary."""

    @abstractmethod
    def _update(self, rows, other, summary, penalty, factor, out, *, last):
        """Update one factor into `out`.

        Return its objective, but for the loss's constant, if it is the last of the
        iteration, and else its summary, which the other one needs.
        """

    @abstractmethod
    def _measure(self, rows, other, summary, penalty, factor, spare, *, last):
        """Return the optimality residual of one factor, and its summary but for the last one."""


def check_overflow(value, dtype):
    """Raise if the objective or a gram matrix has left the range of the factors' type."""
    if not np.isfinite(value):
        raise OverflowError(
            f"the factors overflow {dtype}: start from smaller W and H, or use float64"
        )
