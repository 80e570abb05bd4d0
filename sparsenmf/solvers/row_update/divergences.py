"""Updates of rows for Kullback-Leibler and the other beta divergences."""

import numpy as np
import scipy.sparse as sp

from ...data.factors import CHUNK
from ...kernels.coordinate_descent import extrapolate_rows
from ...kernels.gram import sum_columns
from ...kernels.kullback_leibler import update_rows_kl
from ...kernels.multiplicative import (
    OBJECTIVE,
    RESIDUAL,
    UPDATE,
    UPDATE_AND_OBJECTIVE,
    scatter_ratios,
    smallest,
    update_rows_mu_beta,
)
from ...kernels.operands import Divergence, Side, Sweeps
from ...kernels.update_parts import sum_update_parts
from ...kernels.weighted_multiplicative import update_rows_mu_weighted
from ..numerics import check_overflow, exact_gram
from .base import Pass, RowUpdate, Step, no_gram, parts_of

LEAST_SHARE = 0.1
"""For Kullback-Leibler, momentum leaves at least this share of each entry of H. If one were zero,
W H could be zero where X is not, and no step could repair that once W and H had followed."""


CHECK_EVERY = 10  # multiplicative updates between checks of what they still promise


class SumsUpdate(RowUpdate):
    """Updates that know the other factor by the sums of its columns."""

    def summarize(self, factor, rows):
        """Return the sums of the columns."""
        partials = np.empty((rows.n_blocks, factor.shape[1]))
        # One thread is as fast as memory, and compiles in a fifth of the time.
        sum_columns(1, factor, rows.blocks, partials)
        sums = partials.sum(axis=0)
        check_overflow(np.float64(sums.max()), factor.dtype)
        return sums

    def summary_from(self, gram, sums, absent):
        """Return the sums of the columns."""
        return sums

    def approach(self, rows, other, summary, penalty, out, how):
        """Set the rows of `out` near their best fit, from equal amounts of all components."""
        fill_evenly(out, rows, other, summary)
        return self.update(rows, other, summary, penalty, out, out, how)

    def extrapolate(self, factor, spare, momentum, rows):
        """Extrapolate a factor into `spare`; return its summary."""
        momentum, least = map(factor.dtype.type, (momentum, LEAST_SHARE))
        none = self._grams(0, factor.shape[1])
        extrapolate_rows(self.n_threads, factor, spare, momentum, least, rows.blocks, none)
        return self.summarize(spare, rows)


class NewtonDescent(SumsUpdate):
    """Kullback-Leibler loss: scalar Newton steps on each row, with or without weights."""

    def prepare(self, columns, Ht, penalty_W, penalty_H):
        """Give columns of X that have no component at the start a share of all that may move.

        Where W H is zero and X is not, because both factors are zero, no step of either factor
        could change that, and the loss would stay infinite.
        """
        free, support = penalty_H.free & penalty_W.free, penalty_H.support
        mean = None
        for start in range(0, len(Ht), CHUNK):  # a chunk at a time, for memory
            part, there = Ht[start : start + CHUNK], columns.indptr[start : start + CHUNK + 1]
            missing = np.flatnonzero(~(part[:, free].any(axis=1)) & (np.diff(there) > 0))
            if missing.size:
                mean = Ht.mean(axis=0) if mean is None else mean
                allowed = free & support[start + missing] if len(support) else free
                part[missing] += np.where(allowed, mean, 0)

    def update(self, rows, other, summary, penalty, factor, out, how):
        """Improve the rows by sweeps over their coordinates."""
        statistics = np.empty((rows.n_blocks, 2))
        side, unequal = Side(other, summary), None if rows.plain else True
        sweeps = Sweeps(how.sweeps, how.tolerance, how.objective)
        update_rows_kl(
            self.n_threads, rows, side, penalty, factor, out, sweeps, unequal, statistics
        )
        fit, residual = statistics.sum(axis=0).tolist()
        return Step(fit, residual, self.summarize(out, rows) if how.summary else None)


class BetaMultiplicative(SumsUpdate):
    """Multiplicative updates for any beta but 2."""

    def update(self, rows, other, summary, penalty, factor, out, how):
        """Multiply the rows by the ratios of the two parts of the gradient."""
        self._run(rows, other, summary, penalty, factor, out, UPDATE, how)
        fit = None
        if how.objective:
            fit, _ = self._run(rows, other, summary, penalty, out, out, OBJECTIVE, how)
        return Step(fit, 0.0, self.summarize(out, rows) if how.summary else None)

    def measure(self, rows, other, summary, penalty, factor, how):
        """Return the decreases that the updates promise."""
        _, residual = self._run(rows, other, summary, penalty, factor, factor, RESIDUAL, how)
        return Step(None, residual, self.summarize(factor, rows) if how.summary else None)

    def approach(self, rows, other, summary, penalty, out, how):
        """Set the rows of `out` near their best fit, by updates until they promise little."""
        fill_evenly(out, rows, other, self._columns(summary))
        plain = how._replace(objective=False)
        for sweep in range(1, how.sweeps + 1):
            self.update(rows, other, summary, penalty, out, out, plain)
            if sweep % CHECK_EVERY == 0:
                fit, _ = self._run(rows, other, summary, penalty, out, out, OBJECTIVE, how)
                residual = self.measure(rows, other, summary, penalty, out, plain).residual
                if residual <= how.tolerance * (self.loss.constant + fit):
                    break
        fit = None
        if how.objective:
            fit, _ = self._run(rows, other, summary, penalty, out, out, OBJECTIVE, how)
        return Step(fit)

    def update_and_look(self, rows, other, summary, penalty, factor, out):
        """Improve the rows; the objective is that of the rows before."""
        fit, residual = self._run(
            rows, other, summary, penalty, factor, out, UPDATE_AND_OBJECTIVE, Pass()
        )
        return Step(fit, residual, self.summarize(out, rows))

    def parts(self, rows, other, factor):
        """Return the numerators and denominators of the updates, without penalties, in float64.

        For any beta but 1, whose denominators are the column sums of `other`.
        """
        sums, statistics = np.empty((2, *factor.shape)), np.empty(rows.n_blocks)
        side, divergence = Side(other, np.empty(0)), make_divergence(self.loss)
        sum_update_parts(self.n_threads, rows, side, divergence, factor, *sums, statistics)
        check_overflow(statistics.max(), np.dtype(np.float64))
        return sums

    def multiply(self, sums, penalty, factor, out):
        """Multiply rows by the ratios that `parts` of all columns of X come to.

        Returns
        -------
        Step
            With the decrease that this promises.
        """
        rows, least = factor.astype(np.float64), smallest(factor)
        numerators, denominators = sums
        denominators = denominators + penalty.l1[:, None] + penalty.l2[:, None] * rows
        ratio = np.zeros_like(rows)
        np.divide(numerators, denominators, out=ratio, where=(denominators > 0) & (rows > 0))
        with np.errstate(under="ignore"):
            new = rows * ratio ** exponent(self.loss.beta)
        new[new <= least] = 0
        movable = penalty.free & penalty.support if len(penalty.support) else penalty.free
        new = np.where(movable, new, rows)
        residual = float(np.einsum("ir,ir->", denominators - numerators, rows - new))
        out[:] = new
        return Step(None, residual)

    def scatter(self, rows, parts, factor, other, sums):
        """Add the numerators of the other factor's updates to `sums`, in parts."""
        scatter_ratios(self.n_threads, rows, parts, factor, other, sums)

    def _columns(self, summary):
        """Return the sums of the columns."""
        return summary

    def _run(self, rows, other, summary, penalty, factor, out, mode, how):
        statistics, earlier = np.empty((rows.n_blocks, 2)), parts_of(how, factor)
        side, divergence = Side(other, summary), make_divergence(self.loss)
        update_rows_mu_beta(
            self.n_threads, rows, side, penalty, divergence, earlier, factor, out, mode, statistics
        )
        return statistics.sum(axis=0).tolist()


class WeightedMultiplicative(BetaMultiplicative):
    """Multiplicative updates for any beta, where entries have weights or are unknown."""

    def summarize(self, factor, rows):
        """Return the sums of the columns, and the gram matrix if it is needed."""
        gram = np.empty((0, 0), factor.dtype)
        if self.loss.beta == 2 and rows.absent:
            gram = exact_gram(factor).astype(factor.dtype)
        return super().summarize(factor, rows), gram

    def summary_from(self, gram, sums, absent):
        """Return the sums of the columns, and the gram matrix if it is needed."""
        return sums, gram if self.loss.beta == 2 and absent else no_gram()

    def _columns(self, summary):
        return summary[0]

    def _run(self, rows, other, summary, penalty, factor, out, mode, how):
        statistics, (sums, gram) = np.empty((rows.n_blocks, 2)), summary
        side = Side(other, (sums, gram.astype(factor.dtype, copy=False)))
        divergence = make_divergence(self.loss)
        update_rows_mu_weighted(
            self.n_threads, rows, side, penalty, divergence, factor, out, mode, statistics
        )
        return statistics.sum(axis=0).tolist()


def exponent(beta):
    """Return the gamma with which no step raises the objective (Févotte & Idier 2011, table 2)."""
    return float(1 / (2 - beta) if beta < 1 else 1 / (beta - 1) if beta > 2 else 1.0)


def make_divergence(loss):
    """Return a loss as the kernels take it."""
    return Divergence(loss.beta, exponent(loss.beta), loss.floor)


def fill_evenly(W, rows, Ht, sums):
    """Start rows from equal amounts of all components, whose total fits the row."""
    shape = (rows.n_rows, len(Ht))
    X = sp.csr_array((rows.data, rows.indices, rows.indptr), shape=shape, copy=False)
    totals = np.full(rows.n_rows, rows.absent * sums.sum())
    if not rows.plain:
        v = rows.weights if len(rows.weights) else np.ones_like(rows.data)
        excess = sp.csr_array((v - rows.absent, rows.indices, rows.indptr), shape=shape)
        totals += excess @ Ht.sum(axis=1, dtype=np.float64)
        X = sp.csr_array((rows.data * v, rows.indices, rows.indptr), shape=shape)
    amount = X.sum(axis=1, dtype=np.float64)
    W[:] = np.divide(amount, totals, out=np.zeros_like(amount), where=totals > 0)[:, None]
    W[:, sums == 0] = 0
