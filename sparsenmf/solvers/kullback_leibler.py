"""Coordinate descent for the Kullback-Leibler loss: rows from the other's column sums."""

import numpy as np

from ..kernels.coordinate_descent import extrapolate_rows
from ..kernels.gram import sum_columns
from ..kernels.kullback_leibler import update_rows_kl
from .alternation import Alternation, check_overflow

SWEEP_TOLERANCE = 0.1
"""Inner sweeps on a row end when one moves it less than this share of the first."""


class ColumnSums(Alternation):
    """A solver whose updates know the other factor by the sums of its columns."""

    def _allocate(self, width):
        self._no_grams = np.empty((0, width, width))

    def _extend(self, Ht, spare, beta):
        extrapolate_rows(self.n_threads, Ht, spare, beta, self.columns.blocks, self._no_grams)
        return self._sum_columns(spare, self.columns)

    def _sum_columns(self, factor, rows):
        partials = np.empty((rows.n_blocks, factor.shape[1]))
        # On one thread: it is as fast as memory, and compiles in a fifth of the time.
        sum_columns(1, factor, rows.blocks, partials)
        sums = partials.sum(axis=0)
        check_overflow(np.float64(sums.max()), factor.dtype)
        return sums


class KullbackLeibler(ColumnSums):
    """Scalar Newton steps on each row, with inner sweeps."""

    def _update(self, rows, other, summary, penalty, factor, out, *, last):
        fit, _ = self._run(
            rows, other, summary, penalty, factor, out, self.max_sweeps, want_objective=last
        )
        return fit, None if last else self._sum_columns(out, rows)

    def _measure(self, rows, other, summary, penalty, factor, spare, *, last):
        _, residual = self._run(
            rows, other, summary, penalty, factor, spare, 0, want_objective=False
        )
        return residual, None if last else self._sum_columns(factor, rows)

    def _run(self, rows, other, sums, penalty, factor, out, max_sweeps, *, want_objective):
        statistics = self._statistics[: rows.n_blocks]
        update_rows_kl(
            self.n_threads,
            rows,
            other,
            sums,
            penalty,
            factor,
            out,
            max_sweeps,
            SWEEP_TOLERANCE,
            want_objective,
            None if rows.plain else True,
            statistics,
        )
        return statistics.sum(axis=0).tolist()
