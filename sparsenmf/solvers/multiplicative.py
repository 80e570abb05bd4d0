"""Multiplicative updates, for every beta divergence. No momentum, no inner sweeps."""

import numpy as np

from ..kernels.gram import add_grams
from ..kernels.multiplicative import OBJECTIVE, RESIDUAL, UPDATE, scale_rows, scale_rows_beta
from .coordinate_descent import CoordinateDescent
from .kullback_leibler import ColumnSums


class MultiplicativeFrobenius(CoordinateDescent):
    """beta = 2: denominators from the gram matrix. Residuals are coordinate descent's."""

    measures_ahead = False

    def _run(
        self, rows, other, gram, penalty, factor, out, max_sweeps,
        *, measure=False, sums=None, want_gram,
    ):  # fmt: skip
        if max_sweeps == 0:
            return super()._run(
                rows, other, gram, penalty, factor, out, 0, sums=sums, want_gram=want_gram
            )
        partials = self._partials[: rows.n_blocks if want_gram else 0]
        statistics = self._statistics[: rows.n_blocks]
        scale_rows(
            self.n_threads,
            rows,
            other,
            gram.astype(factor.dtype),
            penalty,
            self._no_sums if sums is None else sums,
            factor,
            out,
            partials,
            statistics,
        )
        return float(statistics[:, 0].sum()), 0.0, add_grams(partials) if want_gram else None


class MultiplicativeBeta(ColumnSums):
    """Any other beta."""

    def _update(self, rows, other, summary, penalty, factor, out, *, last):
        self._run(rows, other, summary, penalty, factor, out, UPDATE)
        if not last:
            return None, self._sum_columns(out, rows)
        fit, _ = self._run(rows, other, summary, penalty, out, out, OBJECTIVE)
        return fit, None

    def _measure(self, rows, other, summary, penalty, factor, spare, *, last):
        _, residual = self._run(rows, other, summary, penalty, factor, spare, RESIDUAL)
        return residual, None if last else self._sum_columns(factor, rows)

    def _run(self, rows, other, sums, penalty, factor, out, mode, *, earlier=None):
        statistics = self._statistics[: rows.n_blocks]
        beta = self.loss.beta
        if earlier is None:
            earlier = np.empty((0, 0, factor.shape[1]), factor.dtype)
        scale_rows_beta(
            self.n_threads,
            rows,
            other,
            sums,
            beta,
            exponent(beta),
            self.loss.floor,
            penalty,
            earlier,
            factor,
            out,
            mode,
            statistics,
        )
        return statistics.sum(axis=0).tolist()


def exponent(beta):
    """Return gamma, with which no step raises the objective (Févotte & Idier 2011, table 2)."""
    return float(1 / (2 - beta) if beta < 1 else 1 / (beta - 1) if beta > 2 else 1.0)
