"""Updates with the rows of X, and W, on the workers of a cluster."""

import numpy as np

from ..data import clock
from ..solvers.layout import Layout, LooksAhead
from ..solvers.numerics import exact_gram
from ..solvers.row_update import Pass, Step
from . import tasks

WRITE_EVERY = 10
"""Iterations after which W is written to its folder. A lost block is computed again from there."""


class OnWorkers(Layout):
    """The Frobenius loss on a cluster: H is found from X' W and W' W.

    Its parts are `RemoteRows`, a `RemoteFactor` as W, and columns without entries.
    """

    sum_block = staticmethod(tasks.sum_block)

    def __init__(self, update, rows, columns, penalty_W, penalty_H):
        super().__init__(update, rows, columns, penalty_W, penalty_H)
        self._n_iterations, self._written = 0, []
        self._method = type(update), tuple(update.loss), update.n_components
        self._sides = self.sides()
        self._sums = None

    def sides(self):
        """Return the blocks of X as the sums for H take them."""
        return self.rows.blocks

    def update_W(self, Ht, summary, W, out, how):
        """Update the blocks of W on their workers, and sum what the rows of H need."""
        blocks, total = self._pass(tasks.update_block, Ht, summary, W, how.sweeps)
        out.blocks, out.summary, out.penalty = blocks, total.summary, total.penalty
        return Step(total.objective, total.residual, total.summary)

    def measure_W(self, Ht, summary, W, how):
        """Measure the blocks of W on their workers, and sum what the rows of H need."""
        _, total = self._pass(tasks.measure_block, Ht, summary, W)
        return Step(total.objective, total.residual, total.summary)

    def update_H(self, W, summary, Ht, out, how):
        """Update the rows of Ht from the sums, without W."""
        nothing, how = np.zeros((1, Ht.shape[1]), Ht.dtype), how._replace(earlier=self._sums)
        return super().update_H(nothing, summary, Ht, out, how)

    def measure_H(self, W, summary, Ht):
        """Measure the rows of Ht from the sums, without W."""
        nothing, how = np.zeros((1, Ht.shape[1]), Ht.dtype), Pass(sweeps=0, earlier=self._sums)
        return self.update.measure(self.columns, nothing, summary, self.penalty_H, Ht, how)

    def squared_error(self, W, Ht):
        """Return ||X - W H||^2, computed in float64."""
        given = self._give(Ht, exact_gram(Ht), 0)
        errors = self.rows.crew.map(tasks.compare_block, self.rows.blocks, W.blocks, given=given)
        return sum(self.rows.crew.gather(errors))

    def squares(self, W):
        """Return the squared lengths of the columns of W."""
        known, crew = self.update.squares(W.summary), self.rows.crew
        if known is not None:
            return known
        return sum(crew.gather(crew.map(tasks.sum_squares_of_block, W.blocks)))

    def divide(self, W, scale, out):
        """Return W with its columns divided by `scale`, on the workers."""
        divided = W.empty()
        divided.blocks = self.rows.crew.map(tasks.divide_block, W.blocks, scale=scale)
        divided.summary, divided.penalty = W.summary / np.multiply.outer(scale, scale), W.penalty
        return divided

    def empty_W(self, W, folder):
        """Return a W without blocks."""
        return W.empty()

    def finish_iteration(self, current, spare):
        """Write W every `WRITE_EVERY` iterations if there is a folder; forget earlier blocks."""
        self._n_iterations += 1
        if self.rows.scratch is None or self._n_iterations % WRITE_EVERY:
            return
        crew, paths = self.rows.crew, []
        for number, W in enumerate(self.held(current)):
            stem = f"{self.rows.scratch}/W{number}-{crew.token}-{self._n_iterations}"
            names = [f"{stem}-{b}.npy" for b in range(len(W.blocks))]
            crew.gather(crew.map(tasks.save_block, W.blocks, names))
            # From now on, no earlier block and no earlier H is needed.
            W.blocks = crew.map(tasks.load_block, names)
            paths.append(names)
        spare[0].blocks = []
        for names in self._written:
            crew.gather(crew.map(tasks.remove_file, names))
        self._written = paths

    def held(self, current):
        """Return the factors that the next iterations need."""
        return [current.W]

    def _pass(self, visit, Ht, summary, W, sweeps=0):
        """Visit each block; return the futures of the blocks, and the `Sums` over all."""
        crew, given = self.rows.crew, self._give(Ht, summary, sweeps)
        blocks = crew.map(visit, self.rows.blocks, W.blocks, given=given)
        total = crew.add_up(
            crew.map(self.sum_block, self._sides, blocks, given=given, n_features=len(Ht))
        )
        clock.leave_out(total.compiling)
        self._sums = total.sums.copy()
        return blocks, total

    def _give(self, Ht, summary, sweeps):
        # A copy, because a lost block may be computed again after Ht has been overwritten.
        penalty = tuple(self.penalty_W.penalty)
        return self.rows.crew.submit(tasks.hold, Ht.copy(), summary, penalty, sweeps, self._method)


class RatiosOnWorkers(LooksAhead, OnWorkers):
    """Multiplicative updates for Kullback-Leibler on a cluster, a pass over X in each iteration."""

    def look(self, W, Ht, summary_Ht, next_W):
        """Set the next W and sum for the next H; return the objective of W and the summary."""
        blocks, total = self._pass(tasks.look_block, Ht, summary_Ht, W)
        next_W.blocks, next_W.summary, next_W.penalty = blocks, total.summary, total.penalty
        return total.objective, total.summary

    def held(self, current):
        """Return the factors that the next iterations need."""
        if self.is_ahead_of(current.W, current.Ht):
            return [current.W, self.ahead]
        return [current.W]


class PartsOnWorkers(RatiosOnWorkers):
    """Multiplicative updates for other losses: both parts of the ratios are sums over workers.

    The workers also hold the transpose of their blocks.
    """

    sum_block = staticmethod(tasks.sum_parts_of_block)

    def sides(self):
        """Return the transposed blocks of X."""
        sizes = {"n_features": self.rows.shape[1], "n_components": self.update.n_components}
        return self.rows.crew.map(tasks.transpose_block, self.rows.blocks, **sizes)

    def update_H(self, W, summary, Ht, out, how):
        """Update the rows of Ht from the sums."""
        return self.update.multiply(self._sums, self.penalty_H, Ht, out)

    def measure_H(self, W, summary, Ht):
        """Measure the rows of Ht from the sums."""
        return self.update.multiply(self._sums, self.penalty_H, Ht, np.empty_like(Ht))


def choose_layout(beta):
    """Return the layout of a loss."""
    if beta == 2:
        return OnWorkers
    return RatiosOnWorkers if beta == 1 else PartsOnWorkers
