"""Multiplicative updates, for every beta divergence. No momentum, no inner sweeps."""

from ..kernels.multiplicative import OBJECTIVE, RESIDUAL, UPDATE, scale_rows, scale_rows_beta
from .coordinate_descent import CoordinateDescent
from .kullback_leibler import ColumnSums


class MultiplicativeFrobenius(CoordinateDescent):
    """beta = 2: denominators from the gram matrix. Residuals are coordinate descent's."""

    def _update(self, rows, other, summary, penalty, factor, out, *, last):
        partials = self._partials[: 0 if last else rows.n_blocks]
        statistics = self._statistics[: rows.n_blocks]
        gram = summary.astype(factor.dtype)
        scale_rows(
            self.n_threads,
            rows,
            other,
            gram,
            penalty,
            factor,
            out,
            partials,
            statistics,
        )
        return float(statistics[:, 0].sum()), None if last else self._sum(partials)


class MultiplicativeBeta(ColumnSums):
    """Any other beta."""

    def _update(self, rows, other, summary, penalty, factor, out, *, last):
        self._run(rows, other, summary, penalty, factor, out, UPDATE)
        if not last:
            return None, self._sum_columns(out, rows)
        fit, _ = self._run(rows, other, summary, penalty, out, out, OBJECTIVE)
        return fit, None

    def _measure(self, rows, other, summary, penalty, factor, spare):
        _, residual = self._run(rows, other, summary, penalty, factor, spare, RESIDUAL)
        return residual, self._sum_columns(factor, rows)

    def _run(self, rows, other, sums, penalty, factor, out, mode):
        statistics = self._statistics[: rows.n_blocks]
        beta = self.loss.beta
        scale_rows_beta(
            self.n_threads,
            rows,
            other,
            sums,
            beta,
            exponent(beta),
            self.loss.floor,
            penalty,
            factor,
            out,
            mode,
            statistics,
        )
        return statistics.sum(axis=0).tolist()


def exponent(beta):
    """Return gamma, with which no step raises the objective (Févotte & Idier 2011, table 2)."""
    return float(1 / (2 - beta) if beta < 1 else 1 / (beta - 1) if beta > 2 else 1.0)
