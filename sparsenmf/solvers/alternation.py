"""The alternation between the factors, with momentum and roll-back, which all solvers share.

One iteration improves all rows of W given Ht, then all rows of Ht given W, by the same kernel.
Between iterations Ht is extrapolated,

    Ht <- max(0, Ht_k + beta_k (Ht_k - Ht_{k-1}))

as in Ang & Gillis 2019 ("Accelerating nonnegative matrix factorization algorithms using
extrapolation", Neural Computation 31(2)): beta grows while the objective falls. When the
objective does not fall, the iterate is rejected, the previous one is restored, and beta is
lowered. Four things differ from their algorithm, and each was better in our measurements:

- Only Ht is extrapolated. Ht nearly determines W, so a momentum for W caused rejections.
- The objective is that of the pair (W, Ht) that is kept.
- A rejected iterate is rolled back. So the objective never rises, and the momentum needs no
  second copy of W.
- For the Frobenius loss, the first iteration is plain: it has one sweep, and no momentum follows
  it. A random start knows little about X, and fitting it closely leads to worse optima: 8 of 35
  random starts on TDT2, with 20 components, missed an objective that all reach this way.

If a factor is informative rather than random, no iteration is plain. If it is W, Ht is fitted to
W before the first one: otherwise the first update would fit W to a random Ht and lose what W knows.
"""

import numpy as np

from ..data.factors import empty_factor, sum_squares
from .layout import MEASURE, Iterate
from .momentum import Momentum
from .numerics import check_overflow
from .row_update import Pass
from .scale import balance

BALANCE_EVERY = 50  # iterations

RESOLUTION = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-12}
"""An objective below this share of ||X||^2 / 2 shows the rounding of the factors' products. It is
then computed again, from the residuals in float64."""

SUBTRACTED = 1000
"""Where entries of small weight are subtracted from the sum over all, as many times their sum of
squares counts as ||X||^2. Nothing keeps W H small there: of a float32 fit with weights of zero, W H
grew to 3,600 where X was below 40, the objective was 2% too low, and the run ended after 27
iterations, 60% above what it can reach."""


class Alternation:
    """The state of one run.

    Parameters
    ----------
    layout : Layout
        Provides the rows of both factors, and updates them.
    W, Ht : ndarray
        The padded start. It is overwritten.
    max_sweeps : int or None
        Inner sweeps over a row in each iteration, for updates that sweep. None: as many as are
        worth their time.
    extrapolate : bool
        Whether there is momentum.
    W_folder : path-like or None
        Folder for the file of a second W. None keeps it in memory.
    informative : {"W", "H"} or None
        A factor that is informative rather than random. No iteration is plain then. If it is W,
        Ht is fitted to it before the first iteration; if it is H, the first iteration fits W to it.

    Attributes
    ----------
    current : Iterate
        The last accepted iterate. It is replaced as a whole, so an interrupt always finds a
        consistent pair.
    dtype : dtype
        Precision of the result.
    balanced : bool
        Whether the scale between W and H is free. It is then kept in balance.
    most_sweeps : int
        Inner sweeps in an iteration that is not plain.
    may_be_last : bool
        Whether the next iteration is likely to be the last. It may then measure what `optimality`
        needs, which saves a pass over X.
    stalled : bool
        Whether a step without momentum did not lower the objective: only rounding is left.
    """

    may_be_last = False

    def __init__(
        self, layout, W, Ht, *, max_sweeps=None, extrapolate=True, W_folder=None, informative=None
    ):
        self.layout, self.update, self.dtype = layout, layout.update, W.dtype
        self.loss, self.n_components = self.update.loss, self.update.n_components
        self.penalty_W, self.penalty_H = layout.penalty_W, layout.penalty_H
        self.momentum = Momentum(cap=1.0 if extrapolate else 0.0)
        self.stalled = False
        self.current = Iterate(W, Ht, np.inf)
        self.most_sweeps = max_sweeps or self.update.worthwhile_sweeps(
            len(W) + len(Ht), layout.rows.nnz
        )
        self._W_folder = W_folder
        self._beta, self._n_accepted = 0.0, 0
        # Momentum makes H grow and W shrink, and only a penalty would stop that.
        self.balanced = extrapolate and not (self.penalty_W.binds() or self.penalty_H.binds())
        plain_first = self.update.plain_first
        self._fits_H_first = informative == "W" and extrapolate and plain_first
        self._plain_first = plain_first and not (self._fits_H_first or informative == "H")
        self._next_is_ready = False  # whether the spare Ht is where the next iteration begins
        self._summary_W: tuple | None = None  # the last proposed W and its summary
        self._residual_H: tuple | None = None  # the last proposed Ht and its residual, if measured
        self._fit = 0.0  # measured for the rows: loss and penalty of W, without the loss's constant
        self._begin(W, Ht)

    def _begin(self, W, Ht):
        """Make room for another pair."""
        spare_Ht = empty_factor(Ht.shape, Ht.dtype, None, self.n_threads)
        self._spare = self.layout.empty_W(W, self._W_folder), spare_Ht
        self.update.prepare(self.layout.columns, Ht, self.penalty_W, self.penalty_H)

    @property
    def n_threads(self):
        """Threads of the updates."""
        return self.update.n_threads

    @property
    def rows(self):
        """The rows of X."""
        return self.layout.rows

    @property
    def max_sweeps(self):
        """Inner sweeps over a row in the next iteration."""
        return 1 if self._is_first() else self.most_sweeps

    def _is_first(self):
        return self._plain_first and not self._n_accepted

    def iterate(self):
        """Run one iteration."""
        self._residual_H = None
        if self._fits_H_first:
            self._fit_H()
        self._prepare_next()
        self._next_is_ready = False
        new = self._propose()
        check_overflow(new.objective, self.current.W.dtype)
        self._decide(new)
        self.layout.finish_iteration(self.current, self._spare)

    def _fit_H(self):
        """Fit Ht to the W of the start."""
        W, Ht, _ = self.current
        self.layout.update_H(W, self.layout.summarize_W(W), Ht, Ht, Pass(sweeps=self.max_sweeps))
        self._fits_H_first = False

    def _propose(self):
        measure = self.may_be_last and self.update.measures_updated
        found = self.layout.propose(
            self.current, self._spare, self._summary_Ht, self.max_sweeps, measure
        )
        if found.summary_W is not None:
            self._summary_W = found.W, found.summary_W
        if measure:
            self._residual_H = found.Ht, found.residual_H
        self._spare = found.W, found.Ht
        fit = self._resolve(self.loss.constant + found.fit, found.W, found.Ht)
        return Iterate(found.W, found.Ht, fit + self.penalty_W.value(found.W))

    def _decide(self, new):
        """Accept the new iterate, or keep the current one."""
        W, Ht, objective = self.current
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

    def drop_momentum(self):
        """Let the next iteration begin at the current iterate, without momentum."""
        self._beta = 0.0
        self._extrapolate()

    def state(self):
        """Return numbers and arrays from which `restore` goes on to the bit."""
        self._prepare_next()
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
        """Restore a state, whose arrays must have the shape and dtype of these factors."""
        W, Ht, _ = self.current
        for name, array in (("W", W), ("Ht", Ht), ("next_Ht", Ht)):
            if (arrays[name].shape, arrays[name].dtype) != (array.shape, array.dtype):
                raise ValueError(f"its {name} is not of this problem's shape and type")
        W[:], Ht[:], self._spare[1][:] = (arrays[name] for name in ("W", "Ht", "next_Ht"))
        self._take_up(numbers)

    def _take_up(self, numbers):
        """Continue with these factors; the next iteration begins at the spare Ht."""
        W, Ht, _ = self.current
        self.current = Iterate(W, Ht, float(numbers["objective"]))
        self.momentum.beta, self.momentum.cap = map(float, numbers["momentum"])
        self._n_accepted, self.stalled = int(numbers["n_accepted"]), bool(numbers["stalled"])
        spare = self._spare[1]
        self._summary_Ht = self.update.extrapolate(spare, spare, 0, self.layout.columns)
        self._beta, self._next_is_ready, self._fits_H_first = float(numbers["beta"]), True, False

    def optimality(self):
        """Return how far the current iterate is from a stationary point, a dimensionless number.

        It costs as much as an iteration without sweeps, or half of that if the last iteration
        measured H.
        """
        self.drop_momentum()
        W, Ht, _ = self.current
        Ht_measured, residual_H = self._residual_H or (None, 0.0)
        known = Ht_measured is Ht
        how = MEASURE._replace(summary=not known)
        step = self.layout.measure_W(Ht, self._summary_Ht, W, how)
        self._fit = step.objective
        if not known:
            residual_H = self.layout.measure_H(W, step.summary, Ht).residual
        return self.loss.relative_residual(step.residual + residual_H)

    def objective_by_rows(self):
        """Return the objective of the current iterate, from what `optimality` has measured."""
        W, Ht, _ = self.current
        penalty = self.penalty_W.value(W)
        fit = self.loss.constant + self._fit - penalty + self.penalty_H.value(Ht)
        return self._resolve(fit, W, Ht) + penalty

    def squares_W(self):
        """Return the squared lengths of the columns of the current W."""
        W, summary = self._summary_W or (None, None)
        known = self.update.squares(summary) if W is self.current.W else None
        return self.layout.squares(self.current.W) if known is None else known

    def release(self):
        """Release all memory but that of the current iterate, at the end of a run.

        The spare W is returned, so that its memory can be used again.
        """
        spare, _ = self._spare
        del self.layout, self._spare, self._residual_H, self._summary_W  # they may be the spare's
        return spare

    def _accelerate(self):
        if self._beta > 0:
            self.momentum.grow()
        self._beta = self.momentum.beta

    def _prepare_next(self):
        if not self._next_is_ready:
            self._extrapolate()

    def _extrapolate(self):
        """Make the spare Ht the extrapolated current one, with its summary."""
        Ht, spare = self.current.Ht, self._spare[1]
        self._summary_Ht = self.update.extrapolate(Ht, spare, self._beta, self.layout.columns)
        self._next_is_ready = True

    def _balance(self):
        """Undo the drift of scale between the factors. W H does not change by a bit."""
        (W, Ht, objective), spare = self.current, self._spare
        squares = self.layout.squares(W)
        scale = balance(squares, sum_squares(Ht), len(W), len(Ht)).astype(Ht.dtype)
        W_new = self.layout.divide(W, scale, spare[0])
        np.multiply(Ht, scale, out=spare[1])
        self._spare, self.current = (W, Ht), Iterate(W_new, spare[1], objective)
        self._beta = 0.0  # the previous iterate has another scale

    def _size_of_terms(self, W, Ht):
        """Return the size, like that of ||X||^2 / 2, of the terms that make the loss of (W, Ht)."""
        if not self.update.subtracts:
            return self.loss.scale
        summaries = self.layout.summarize_W(W), self.layout.summarize_H(Ht)
        return max(self.loss.scale, SUBTRACTED / 2 * float(np.vdot(*summaries)))

    def _resolve(self, fit, W, Ht):
        """Return the loss of (W, Ht) and the penalty of H, recomputed where rounding shows."""
        penalty = self.penalty_H.value(Ht)
        if not self.update.exact_errors:
            return max(fit, penalty)
        if fit - penalty > RESOLUTION[Ht.dtype] * self._size_of_terms(W, Ht):
            return fit
        return max(0.5 * self.layout.squared_error(W, Ht), 0.0) + penalty
