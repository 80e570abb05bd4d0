"""Coordinate descent in double precision whose first iterations run in single precision.

While an iteration still changes the objective in the fifth digit, an error in the eighth does
not matter, and single precision takes little more than half of the time. So the first iterations
run in single precision, and their result is the start of a run in double precision, to any
accuracy.

A run that stops before that ends in single precision, because a pass over X in double precision
would take a fifth of the time of a short run. Its objective comes from the last pass over the
rows: each row sums a few products in single precision, and the rows are summed in double. That is
right to seven digits or more if at least `REST` of X is unexplained. Otherwise, or if components
are fixed, the end is measured in double precision.
"""

import numpy as np

from ..data.factors import copy_columns, empty_factor, largest, padded_width, zeros
from ..data.rows import Rows, begins_in_single
from .alternation import Alternation
from .blocks import BlockRows
from .layout import Iterate
from .row_update import Pass

ENOUGH = 1e-5
"""Double precision takes over when an iteration lowers the objective by less than this share of it.
The rounding of single precision shows at 1e-7."""

REST = 0.1
"""If at least this share of ||X||^2 is unexplained, rounding does not show in the objective."""

RANGE = 1e-10, 1e10
"""Norms of X and of the start between which single precision cannot overflow or vanish."""


class MixedPrecision(Alternation):
    """A run in double precision whose first iterations are those of a run in single precision.

    Until double precision takes over, the current iterate is in single precision. The start and, if
    no component is fixed, the result may be in single precision, too.
    """

    def __init__(self, layout, W, Ht, *, extrapolate=True, **options):
        self._single: Alternation | None = None
        self._reached: tuple | None = None  # the state of single precision, until it is taken over
        self._inexact = False
        update, rows = layout.update, layout.rows
        self._starts_in_single = W.dtype != rows.dtype
        if self._starts_in_single or (
            extrapolate
            and begins_in_single(W.dtype, rows.nnz, update.n_components)
            and fits_single(update.loss, W, Ht, n_threads=update.n_threads)
        ):
            another = type(update)(update.loss, update.n_components, update.n_threads)
            single = layout.convert(_in_single, another)
            self._single = Alternation(
                single, _in_single(W), _in_single(Ht), extrapolate=True, **options
            )
        if self._starts_in_single:  # untouched memory takes no room
            W, Ht = (
                empty_factor((len(factor), update.n_components), rows.dtype, touch=False)
                for factor in (W, Ht)
            )
        super().__init__(layout, W, Ht, extrapolate=extrapolate, **options)
        self._start = W, Ht

    def iterate(self):
        """Run one iteration, in the precision whose turn it is."""
        if self._single is None:
            super().iterate()
            return
        before = self.current.objective
        self._single.may_be_last = self.may_be_last
        try:
            self._single.iterate()
        except OverflowError:  # double precision may be able to hold it
            self._widen()
            super().iterate()
            return
        self.current = self._single.current
        now = self.current.objective
        if self._single.stalled or 0 < before - now <= ENOUGH * now:  # not if it was rejected
            self._widen(correct=True)

    def drop_momentum(self):
        """Let the next iteration begin at the current iterate, in double precision."""
        self._widen()
        super().drop_momentum()

    def optimality(self):
        """Return the distance from a stationary point, and correct the objective."""
        single = self._single
        if single is not None and self._may_end_in_single():
            residual = single.optimality()
            self.current = single.current._replace(objective=single.objective_by_rows())
            return residual
        residual = super().optimality()
        if self._inexact:
            self._correct()
        return residual

    def squares_W(self):
        """Return the squared lengths of the columns of the current W."""
        return super().squares_W() if self._single is None else self._single.squares_W()

    def release(self):
        """Release all memory but that of the current iterate, at the end of a run."""
        self._single = None
        del self._start  # which is the spare pair after some iterations
        return super().release()

    def state(self):
        """Return the state of the run in the precision whose turn it is."""
        return super().state() if self._single is None else self._single.state()

    def restore(self, numbers, arrays):
        """Restore a state; the dtype of its arrays says which precision it belongs to."""
        if self._single is not None and arrays["W"].dtype == np.float32:
            self._single.restore(numbers, arrays)
            self.current = self._single.current
        else:
            self._widen()
            super().restore(numbers, arrays)

    def _may_end_in_single(self):
        (W, Ht, objective), penalties = self.current, (self.penalty_W, self.penalty_H)
        fit = objective - self.penalty_W.value(W) - self.penalty_H.value(Ht)
        free = all(penalty.free.all() for penalty in penalties)
        return free and fit >= REST * self.loss.scale

    def _correct(self):
        """Replace the objective by the one that was measured last, in double precision."""
        self.current = self.current._replace(objective=self.objective_by_rows())
        self._inexact = False

    def _widen(self, *, correct=False):
        """Continue in double precision from the state of single precision.

        After a Ctrl-C within this method, the next call does it again.
        """
        if self._single is not None:
            self._reached, self._single = self._single.state(), None
        if self._reached is None:
            return
        self._take_over(*self._reached, correct=correct)
        self._reached = None

    def _take_over(self, numbers, arrays, *, correct):
        """Take over the state of single precision, which is not changed."""
        W, Ht = self._start
        self._begin(W, Ht)
        k, begun = self.n_components, np.isfinite(numbers["objective"])  # after an iteration
        taken = ((W, "W", self.penalty_W), (Ht, "Ht", self.penalty_H))
        for wide, name, penalty in taken if begun or self._starts_in_single else ():
            if penalty.free.all():
                copy_columns(arrays[name][:, :k], wide, self.n_threads)
            else:
                free = np.flatnonzero(penalty.free[:k])
                wide[:, free] = arrays[name][:, free]
        if not begun:
            self.current = Iterate(W, Ht, np.inf)
            self._extrapolate()
            return
        self.current, self._inexact = Iterate(W, Ht, numbers["objective"]), True
        if correct:
            self._extrapolate()  # without momentum: this sums up Ht
            step = self.layout.measure_W(Ht, self._summary_Ht, W, Pass(sweeps=0))
            self._fit = step.objective
            self._correct()
        spare = self._spare[1]
        spare[:, :k] = arrays["next_Ht"][:, :k]
        frozen = np.flatnonzero(~self.penalty_H.free)
        spare[:, frozen] = Ht[:, frozen]  # fixed components keep their bits
        self._take_up(numbers | {"objective": self.current.objective, "stalled": False})

    def _begin(self, W, Ht):
        self._spare = None, None
        if self._single is None:
            super()._begin(W, Ht)

    def _extrapolate(self):
        if self._single is None:
            super()._extrapolate()


def fits_single(loss, *factors, n_threads=1):
    """Return whether the sizes of X (from its loss) and of the factors fit single precision."""
    low, high = RANGE
    sizes = [largest(factor, n_threads) for factor in factors if factor is not None]
    # A start from an informative H has a W of zeros.
    return low < np.sqrt(2 * loss.scale) < high and all(not x or low < x < high for x in sizes)


def _in_single(part):
    """Return rows, a factor or a penalty as a run in single precision takes it."""
    single = np.float32
    if isinstance(part, BlockRows):
        return part.convert(_in_single)
    if isinstance(part, Rows):
        data = zeros(part.data.shape, single, touch=False)
        data[:] = part.data
        data.flags.writeable = False
        return part._replace(data=data, weights=data[:0])
    if isinstance(part, np.ndarray) and part.dtype == single:
        return part
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
