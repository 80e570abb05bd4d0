"""Coordinate descent in double precision whose first iterations are made in single.

While an iteration still changes the objective in its fifth digit, what is lost in the
eighth is of no consequence, and single precision takes little more than half of the time. So
the iterations up to there are a start for those that follow, in double precision, to any
accuracy. A run that is over before that has its objective computed anew in double precision.
"""

import numpy as np

from ..rows import Rows, begins_in_single, empty_factor, padded_width, zeros
from .alternation import Iterate
from .coordinate_descent import CoordinateDescent

ENOUGH = 1e-5
"""Decrease of the objective in an iteration, relative to it, from which on double precision
takes over. Rounding shows in single precision at 1e-7."""

RANGE = 1e-10, 1e10
"""Norms of X and of the start between which single precision cannot overflow or vanish."""


class MixedDescent(CoordinateDescent):
    """`CoordinateDescent` that lets a run in single precision go before its own iterations.

    Until it has come to its end, the current iterate is in single precision.
    """

    def __init__(
        self, rows, columns, W, Ht, penalty_W, penalty_H, loss, n_components,
        *, extrapolate=True, **options,
    ):  # fmt: skip
        self._single: CoordinateDescent | None = None
        self._reached: tuple | None = None  # by single precision, and not yet taken up
        self._fit, self._inexact = 0.0, False
        worth = extrapolate and begins_in_single(W.dtype, rows.nnz, n_components)
        if worth and _fits_single(loss, W, Ht):
            self._single = CoordinateDescent(
                _in_single(rows), _in_single(columns), _in_single(W), _in_single(Ht),
                _in_single(penalty_W), _in_single(penalty_H), loss, n_components,
                extrapolate=True, **options,
            )  # fmt: skip
        super().__init__(
            rows, columns, W, Ht, penalty_W, penalty_H, loss, n_components,
            extrapolate=extrapolate, **options,
        )  # fmt: skip
        self._start = W, Ht

    def iterate(self):
        """Run one iteration, in the precision whose turn it is."""
        if self._single is None:
            super().iterate()
            return
        before = self.current.objective
        try:
            self._single.iterate()
        except OverflowError:  # double precision may hold it
            self._widen()
            super().iterate()
            return
        self.current = self._single.current
        now = self.current.objective
        if self._single.stalled or 0 < before - now <= ENOUGH * now:  # not if it was rejected
            self._widen(correct=True)

    def settle(self):
        """Let the next iteration begin at the current iterate, in double precision."""
        self._widen()
        super().settle()

    def optimality(self):
        """Return how far the current iterate is from a stationary point; correct its objective."""
        residual = super().optimality()
        if self._inexact:
            self._correct()
        return residual

    def state(self):
        """Return the state of the run in the precision whose turn it is."""
        return super().state() if self._single is None else self._single.state()

    def restore(self, numbers, arrays):
        """Take up a state; the precision of its arrays tells whose it is."""
        if self._single is not None and arrays["W"].dtype == np.float32:
            self._single.restore(numbers, arrays)
            self.current = self._single.current
        else:
            self._widen()
            super().restore(numbers, arrays)

    def _measure(self, rows, other, summary, penalty, factor, spare, *, last):
        fit, *measured = self._run(
            rows, other, summary, penalty, factor, factor, 0, want_gram=not last
        )
        self._fit = fit - penalty.value(factor)
        return measured

    def _correct(self):
        """Put the objective that was measured last, in double precision, in place."""
        W, Ht, _ = self.current
        fit = self.loss.constant + self._fit + self.penalty_H.value(Ht)
        self.current = Iterate(W, Ht, self._resolve(fit, W, Ht) + self.penalty_W.value(W))
        self._inexact = False

    def _widen(self, *, correct=False):
        """Go on in double precision from where single precision has come to.

        If Ctrl-C comes in between, the next call begins again and ends it.
        """
        if self._single is not None:
            self._reached, self._single = self._single.state(), None
        if self._reached is None:
            return
        self._take_over(*self._reached, correct=correct)
        self._reached = None

    def _take_over(self, numbers, arrays, *, correct):
        """Take up the state of single precision, which stays as it is."""
        W, Ht = self._start
        self._spare = self._empty_like(W), self._empty_like(Ht)
        if not np.isfinite(numbers["objective"]):  # there has not been an iteration
            self.current = Iterate(W, Ht, np.inf)
            self._extrapolate()
            return
        k = self.n_components
        for wide, name, penalty in ((W, "W", self.penalty_W), (Ht, "Ht", self.penalty_H)):
            free = slice(k) if penalty.free.all() else np.flatnonzero(penalty.free[:k])
            wide[:, free] = arrays[name][:, free]
        self.current, self._inexact = Iterate(W, Ht, numbers["objective"]), True
        if correct:
            self._extrapolate()  # without momentum, which is for the summary of this Ht
            self._measure(
                self.rows, Ht, self._summary_Ht, self.penalty_W, W, self._spare[0], last=True
            )
            self._correct()
        spare = self._spare[1]
        spare[:, :k] = arrays["next_Ht"][:, :k]
        frozen = np.flatnonzero(~self.penalty_H.free)
        spare[:, frozen] = Ht[:, frozen]  # what is frozen stays to the bit
        self._take_up(numbers | {"objective": self.current.objective, "stalled": False})

    def _empty_like(self, factor, folder=None):
        return None if self._single is not None else super()._empty_like(factor, folder)

    def _extrapolate(self):
        if self._single is None:
            super()._extrapolate()


def _fits_single(loss, W, Ht):
    low, high = RANGE
    return all(low < norm < high for norm in (np.sqrt(2 * loss.scale), W.max(), Ht.max()))


def _in_single(part):
    """Return rows, a factor or a penalty as a run in single precision takes it."""
    single = np.float32
    if isinstance(part, Rows):
        data = zeros(part.data.shape, single)
        data[:] = part.data
        data.flags.writeable = False
        return part._replace(data=data, weights=data[:0])
    if isinstance(part, np.ndarray):
        factor = empty_factor(part.shape, single)
        factor[:, : part.shape[1]] = part
        return factor
    width = padded_width(part.free.shape[0], single)
    free = np.ones(width, bool)
    free[: part.free.shape[0]] = part.free
    support = np.ones((len(part.support), width), bool)
    support[:, : part.free.shape[0]] = part.support
    return part._replace(free=free, support=support)
