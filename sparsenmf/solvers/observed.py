"""Solvers for X whose entries have weights of their own, or are unknown where not stored."""

import numpy as np

from ..kernels.gram import add_grams, multiply_factor
from ..kernels.multiplicative import OBJECTIVE, RESIDUAL, UPDATE
from ..kernels.observed import update_rows_observed
from ..kernels.observed_scaling import scale_rows_observed
from .coordinate_descent import SWEEP_TOLERANCE, CoordinateDescent, exact_gram
from .kullback_leibler import ColumnSums
from .multiplicative import exponent


class ObservedDescent(CoordinateDescent):
    """Coordinate descent for the Frobenius loss, along the entries of each row."""

    measures_ahead = False

    def _worthwhile_sweeps(self):
        return 2  # they take the entries of X again, whose number they follow

    def _extend(self, Ht, spare, beta):
        gram = super()._extend(Ht, spare, beta)
        return gram if self.rows.absent else gram[:0, :0]

    def _run(
        self, rows, other, gram, penalty, factor, out, max_sweeps,
        *, measure=False, sums=None, want_gram,
    ):  # fmt: skip
        statistics = self._statistics[: rows.n_blocks]
        update_rows_observed(
            self.n_threads,
            rows,
            other,
            gram.astype(factor.dtype),
            penalty,
            self.n_components,
            factor,
            out,
            max_sweeps,
            SWEEP_TOLERANCE,
            not want_gram,
            statistics,
        )
        fit, residual = statistics.sum(axis=0).tolist()
        if not want_gram or not rows.absent:
            return fit, residual, gram
        partials = self._partials[: rows.n_blocks]
        multiply_factor(self.n_threads, factor if max_sweeps == 0 else out, rows.blocks, partials)
        return fit, residual, add_grams(partials)

    def _squared_error(self, W, Ht):
        everywhere = 0.0
        if self.rows.absent:
            everywhere = float(np.einsum("rs,rs->", exact_gram(W), exact_gram(Ht)))
        return self._sum_residuals(W, Ht) + everywhere


class ObservedMultiplicative(ColumnSums):
    """Multiplicative updates for any beta. A summary: the column sums and the gram matrix."""

    def _extend(self, Ht, spare, beta):
        sums = super()._extend(Ht, spare, beta)
        return sums, self._multiply(spare, self.columns)

    def _multiply(self, factor, rows):
        """Return the gram matrix of a factor, if it is wanted."""
        if self.loss.beta != 2 or not rows.absent:
            return np.empty((0, 0), factor.dtype)
        return exact_gram(factor).astype(factor.dtype)

    def _update(self, rows, other, summary, penalty, factor, out, *, last):
        self._run(rows, other, summary, penalty, factor, out, UPDATE)
        if not last:
            return None, (self._sum_columns(out, rows), self._multiply(out, rows))
        fit, _ = self._run(rows, other, summary, penalty, out, out, OBJECTIVE)
        return fit, None

    def _measure(self, rows, other, summary, penalty, factor, spare, *, last):
        _, residual = self._run(rows, other, summary, penalty, factor, spare, RESIDUAL)
        if last:
            return residual, None
        return residual, (self._sum_columns(factor, rows), self._multiply(factor, rows))

    def _run(self, rows, other, summary, penalty, factor, out, mode):
        statistics = self._statistics[: rows.n_blocks]
        sums, gram = summary
        scale_rows_observed(
            self.n_threads,
            rows,
            other,
            gram,
            sums,
            self.loss.beta,
            exponent(self.loss.beta),
            self.loss.floor,
            penalty,
            factor,
            out,
            mode,
            statistics,
        )
        return statistics.sum(axis=0).tolist()
