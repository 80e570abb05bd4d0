"""Coordinate descent for the Frobenius loss: rows from a gram matrix and a product."""

import numpy as np

from ..kernels.coordinate_descent import extrapolate_rows, update_rows
from ..kernels.gram import add_grams
from ..kernels.products import measure_rows
from ..kernels.tiles import sweep_depth
from ..rows import zeros
from .alternation import Alternation, check_overflow

SWEEP_TOLERANCE = 0.1
"""Inner sweeps on a row end when one moves it less than this share of the first."""

SECOND_SWEEP = 12
"""Multiply-adds of a sweep over both factors, for each of a product with X, above which a second
sweep is not worth its time. On corpora of 5 to 18 words a row, with 100 and 200 components, one
sweep took 0.73 to 1.05 of the time of two to the same objective; on longer documents 1 to 1.4."""

RESOLUTION = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-12}
"""Objective, relative to ||X||^2 / 2, below which rounding of the factors' products
shows in it, so that it is computed anew from the residuals in float64."""


class CoordinateDescent(Alternation):
    """HALS with inner sweeps. Without momentum and with one sweep, it is the plain one.

    The last update of Ht, where it is known to be the last, measures the optimality of Ht on
    its way, which is what a pass over the columns of X would do.
    """

    plain_first = True
    measures_ahead = True  # whether `_run` can measure what it has updated
    _measured: tuple | None = None  # an Ht as it was updated, and its optimality residual
    _summed: tuple | None = None  # a W as it was updated, and its gram matrix
    _fit = 0.0  # of the rows with their penalty, but for the loss's constant, as measured last

    def iterate(self):
        """Run one iteration."""
        self._measured = None
        if self._W_leads:
            self._follow_W()
        super().iterate()

    def _follow_W(self):
        """Fit Ht to the W of the start."""
        W, Ht, _ = self.current
        self._update(self.columns, W, self._look_at(W), self.penalty_H, Ht, Ht, last=True)
        self._W_leads = False

    def _look_at(self, W):
        """Return the gram matrix of W."""
        return self._sum_gram(W, W, 0.0, self.rows.blocks)

    def _take_up(self, numbers):
        super()._take_up(numbers)
        self._W_leads = False

    def optimality(self):
        """Return how far the current iterate is from a stationary point, without a unit."""
        W, Ht, _ = self.current
        if self._measured is None or self._measured[0] is not Ht:
            return super().optimality()
        self.settle()
        residual_W, _ = self._measure(
            self.rows, Ht, self._summary_Ht, self.penalty_W, W, self._spare[0], last=True
        )
        return self.loss.relative_residual(residual_W + self._measured[1])

    def squares_W(self):
        """Return the squared lengths of the columns of the current W."""
        W, gram = self._summed or (None, ())
        known = W is self.current.W and len(gram) == W.shape[1]  # not where W is not summed
        return np.diag(gram) if known else super().squares_W()

    def _worthwhile_sweeps(self):
        W, Ht, _ = self.current
        many = (len(W) + len(Ht)) * self.n_components > SECOND_SWEEP * self.rows.nnz
        return 1 if many else 2

    def _allocate(self, width):
        self._depth = sweep_depth(self.n_components)
        self._partials = zeros((self.n_blocks, width, width), np.float64)
        self._no_sums = np.empty((0, 0, width), self.dtype)

    def _extend(self, Ht, spare, beta):
        return self._sum_gram(Ht, spare, beta, self.columns.blocks)

    def _sum_gram(self, factor, spare, beta, blocks):
        """Extrapolate a factor into `spare`, which may be itself, and return its gram matrix."""
        partials = self._partials[: len(blocks)]
        beta, least = factor.dtype.type(beta), factor.dtype.type(0)
        extrapolate_rows(self.n_threads, factor, spare, beta, least, blocks, partials)
        return add_grams(partials)

    def _update(self, rows, other, summary, penalty, factor, out, *, last):
        measure = last and self.ends and self.measures_ahead
        fit, residual, gram = self._run(
            rows, other, summary, penalty, factor, out, self.max_sweeps,
            measure=measure, want_gram=not last,
        )  # fmt: skip
        if measure:
            self._measured = out, residual
        if not last:
            self._summed = out, gram
        return fit, gram

    def _measure(self, rows, other, summary, penalty, factor, spare, *, last):
        fit, *measured = self._run(
            rows, other, summary, penalty, factor, factor, 0, want_gram=not last
        )
        if rows is self.rows:
            self._fit = fit
        return measured

    def objective_by_rows(self):
        """Return the objective of the current iterate as `optimality` has met it on its way."""
        W, Ht, _ = self.current
        penalty = self.penalty_W.value(W)
        fit = self.loss.constant + self._fit - penalty + self.penalty_H.value(Ht)
        return self._resolve(fit, W, Ht) + penalty

    def _run(
        self, rows, other, gram, penalty, factor, out, max_sweeps,
        *, measure=False, sums=None, want_gram,
    ):  # fmt: skip
        """Update one factor; return its objective, its residual, and its gram matrix."""
        dtype = factor.dtype
        gram = self._fold(gram, penalty, dtype)
        partials = self._partials[: rows.n_blocks if want_gram else 0]
        statistics = self._statistics[: rows.n_blocks]
        update_rows(
            self.n_threads,
            rows,
            other,
            gram,
            penalty,
            self._no_sums if sums is None else sums,
            dtype.type(1),
            factor,
            out,
            max_sweeps,
            dtype.type(SWEEP_TOLERANCE),
            measure,
            partials,
            statistics,
        )
        fit, residual = statistics.sum(axis=0).tolist()
        return fit, residual, add_grams(partials) if want_gram else None

    def _fold(self, gram, penalty, dtype):
        """Return the gram matrix that an update takes, with the L2 weight on its diagonal."""
        gram = penalty.fold_into(gram[: self._depth, : self._depth])
        with np.errstate(over="ignore"):
            gram = gram.astype(dtype, order="C")
        check_overflow(gram.max(), dtype)
        return gram

    def _resolve(self, fit, W, Ht):
        resolution = RESOLUTION[W.dtype] * self.loss.scale
        penalty = self.penalty_H.value(Ht)
        if fit - penalty > resolution:
            return fit
        return max(0.5 * self._squared_error(W, Ht), 0.0) + penalty

    def _squared_error(self, W, Ht):
        """Return ||X - W H||^2, all in float64."""
        everywhere = np.einsum("rs,rs->", exact_gram(W), exact_gram(Ht))
        return float(self._sum_residuals(W, Ht) + everywhere)

    def _sum_residuals(self, W, Ht):
        """Return the sum over the stored entries of (x - y)^2 - y^2."""
        sums = np.zeros(self.rows.n_blocks)
        measure_rows(self.n_threads, self.rows, W, Ht, sums)
        return float(sums.sum())


def exact_gram(factor, chunk=4096):
    """Return factor' factor in float64, without BLAS and without a float64 copy."""
    gram = np.zeros((factor.shape[1], factor.shape[1]))
    for start in range(0, len(factor), chunk):
        part = factor[start : start + chunk].astype(np.float64)
        gram += np.einsum("ir,is->rs", part, part)
    return gram
