"""Updates of rows for the Frobenius loss."""

import numpy as np

from ...kernels.coordinate_descent import extrapolate_rows, update_rows
from ...kernels.gram import add_grams, multiply_factor
from ...kernels.multiplicative import update_rows_mu
from ...kernels.operands import Earlier, Side, Sweeps
from ...kernels.vector.tiles import sweep_depth
from ...kernels.weighted import update_rows_weighted
from ..numerics import check_overflow
from .base import RowUpdate, Step, no_gram, parts_of

SECOND_SWEEP = 12
"""A second sweep does not pay if a sweep over both factors takes more than this many times the
multiply-adds of a product with X. On corpora of 5 to 18 words a row, with 100 and 200 components,
one sweep reached the same objective in 0.73 to 1.05 of the time of two; on longer documents it
took 1 to 1.4 times as long."""


class GramUpdate(RowUpdate):
    """Updates for the Frobenius loss, which know the other factor by its gram matrix."""

    exact_errors = True

    def squares(self, summary):
        """Return the diagonal of the gram matrix."""
        return np.diag(summary) if len(summary) else None

    def summarize(self, factor, rows):
        """Return the gram matrix."""
        return self.extrapolate(factor, factor, 0.0, rows)

    def summary_from(self, gram, sums, absent):
        """Return the gram matrix."""
        return gram

    def extrapolate(self, factor, spare, momentum, rows):
        """Extrapolate a factor into `spare`; return its gram matrix."""
        partials = self._grams(len(rows.blocks), factor.shape[1])
        momentum, least = factor.dtype.type(momentum), factor.dtype.type(0)
        extrapolate_rows(self.n_threads, factor, spare, momentum, least, rows.blocks, partials)
        return add_grams(partials)

    def measure(self, rows, other, summary, penalty, factor, how):
        """Return the squared KKT residual: the steps that single coordinates would take."""
        how = how._replace(sweeps=0)
        return self._sweep(rows, other, summary, penalty, factor, factor, how)

    def _sweep(self, rows, other, summary, penalty, factor, out, how):
        dtype, width = factor.dtype, factor.shape[1]
        partials = self._grams(rows.n_blocks if how.summary else 0, width)
        statistics = np.empty((rows.n_blocks, 2))
        side = Side(other, self._fold(summary, penalty, dtype))
        sweeps = Sweeps(how.sweeps, dtype.type(how.tolerance), residual=how.residual)
        earlier = Earlier(parts_of(how, factor), dtype.type(how.fade))
        update_rows(
            self.n_threads, rows, side, penalty, earlier, factor, out, sweeps, partials, statistics
        )
        fit, residual = statistics.sum(axis=0).tolist()
        return Step(fit, residual, add_grams(partials) if how.summary else None)

    def _fold(self, gram, penalty, dtype):
        """Return the gram matrix for the kernel, with the L2 weight on its diagonal."""
        depth = sweep_depth(self.n_components)
        gram = penalty.fold_into(gram[:depth, :depth])
        with np.errstate(over="ignore"):
            gram = gram.astype(dtype, order="C")
        check_overflow(gram.max(), dtype)
        return gram


class GramDescent(GramUpdate):
    """Frobenius loss, coordinate descent."""

    plain_first = measures_updated = True

    def worthwhile_sweeps(self, n_rows, nnz):
        """Return 1 where sweeps take most of the time, else 2."""
        return 1 if n_rows * self.n_components > SECOND_SWEEP * nnz else 2

    def update(self, rows, other, summary, penalty, factor, out, how):
        """Improve the rows by sweeps over their coordinates (HALS)."""
        return self._sweep(rows, other, summary, penalty, factor, out, how)


class GramMultiplicative(GramUpdate):
    """Frobenius loss, multiplicative updates: denominators from the gram matrix."""

    def update(self, rows, other, summary, penalty, factor, out, how):
        """Multiply the rows by the ratios of the two parts of the gradient."""
        partials = self._grams(rows.n_blocks if how.summary else 0, factor.shape[1])
        statistics = np.empty((rows.n_blocks, 2))
        side, earlier = Side(other, summary.astype(factor.dtype)), parts_of(how, factor)
        update_rows_mu(
            self.n_threads, rows, side, penalty, earlier, factor, out, partials, statistics
        )
        fit = float(statistics[:, 0].sum())
        return Step(fit, 0.0, add_grams(partials) if how.summary else None)


class WeightedDescent(GramUpdate):
    """Frobenius loss, coordinate descent, where entries have weights or are unknown.

    The time of a sweep grows with the number of entries, so a second sweep always pays.
    """

    plain_first = subtracts = True

    def summarize(self, factor, rows):
        """Return the gram matrix, if absent entries count."""
        return super().summarize(factor, rows) if rows.absent else no_gram()

    def summary_from(self, gram, sums, absent):
        """Return the gram matrix, if absent entries count."""
        return gram if absent else no_gram()

    def extrapolate(self, factor, spare, momentum, rows):
        """Extrapolate a factor into `spare`; return its gram matrix, if it is needed."""
        gram = super().extrapolate(factor, spare, momentum, rows)
        return gram if rows.absent else no_gram()

    def update(self, rows, other, summary, penalty, factor, out, how):
        """Improve the rows by sweeps over their coordinates, along the entries of each row."""
        statistics = np.empty((rows.n_blocks, 2))
        side = Side(other, summary.astype(factor.dtype))
        sweeps = Sweeps(how.sweeps, how.tolerance, how.objective)
        update_rows_weighted(
            self.n_threads, rows, side, penalty, self.n_components, factor, out, sweeps, statistics
        )
        fit, residual = statistics.sum(axis=0).tolist()
        return Step(fit, residual, self._sum_up(out, rows) if how.summary else None)

    def measure(self, rows, other, summary, penalty, factor, how):
        """Return the squared KKT residual: the steps that single coordinates would take."""
        return RowUpdate.measure(self, rows, other, summary, penalty, factor, how)

    def _sum_up(self, factor, rows):
        if not rows.absent:
            return no_gram()
        partials = self._grams(rows.n_blocks, factor.shape[1])
        multiply_factor(self.n_threads, factor, rows.blocks, partials)
        return add_grams(partials)
