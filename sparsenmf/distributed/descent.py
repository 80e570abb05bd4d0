"""Coordinate descent with the rows of X, and W, on the workers of a cluster."""

import numpy as np

from ..data import clock
from ..solvers.layout import Layout
from ..solvers.numerics import exact_gram
from ..solvers.row_update import Pass, Step
from ..solvers.scale import order_components
from . import tasks

CUT_EVERY = 10
"""Iterations after which W is written to its folder. A lost block is computed again from there."""


class RemoteRows:
    """The rows of X on the workers.

    Attributes
    ----------
    crew : Crew
    blocks : list of Future
        Futures of `Rows`.
    heights : list of int
    shape : tuple of int
    nnz : int
    scratch : str or None
        A folder for W.
    """

    n_blocks = 1  # of the kernels that run here

    def __init__(self, crew, blocks, heights, n_features, nnz):
        self.crew, self.blocks, self.heights, self.nnz = crew, blocks, heights, nnz
        self.scratch = None
        self.n_rows = sum(heights)
        self.shape = (self.n_rows, n_features)


class RemoteFactor:
    """W on the workers, as an array in blocks; an update replaces all blocks.

    Earlier blocks live as long as they are needed: for a roll-back, or to compute a later block
    again whose worker was lost.

    Attributes
    ----------
    shape, dtype
        Those of the padded array.
    blocks : list of Future
        Futures of `tasks.Block`.
    gram : ndarray of shape (width, width), float64
        W' W.
    penalty : float
    """

    def __init__(self, heights, width, dtype, blocks=()):
        self.shape, self.dtype, self.blocks = (sum(heights), width), np.dtype(dtype), list(blocks)
        self.heights, self.gram, self.penalty = heights, np.zeros((width, width)), 0.0

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, key):
        return self.as_array(np.arange(self.shape[1]), np.ones(self.shape[1], self.dtype))[key]

    def as_array(self, order, scale, crew=None):
        """Return columns of W, divided by their scale, as a dask array."""
        import dask.array as da
        from dask import delayed

        if crew is None:
            parts = [delayed(tasks.finish_block)(block, order, scale) for block in self.blocks]
        else:
            futures = crew.map(tasks.finish_block, self.blocks, order=order, scale=scale)
            parts = [delayed(future) for future in futures]
        return da.concatenate(
            [
                da.from_delayed(part, (height, len(order)), self.dtype)
                for part, height in zip(parts, self.heights, strict=True)
            ]
        )


class RemotePenalty:
    """The penalty of a `RemoteFactor`, which arrives with the other sums."""

    def __init__(self, penalty):
        self.penalty, self.binds = penalty, penalty.binds

    def value(self, factor):
        """Return the penalty of a factor."""
        return factor.penalty


class OnWorkers(Layout):
    """The layout of a cluster: `RemoteRows`, a `RemoteFactor` as W, and columns without entries."""

    def __init__(self, update, rows, columns, penalty_W, penalty_H):
        super().__init__(update, rows, columns, penalty_W, penalty_H)
        self._n_iterations, self._written = 0, []
        self._cross = None

    def update_W(self, Ht, summary, W, out, how):
        """Update the blocks of W on their workers, and sum X' W for the rows of H."""
        crew, penalty = self.rows.crew, self.penalty_W.penalty
        n_components = self.update.n_components
        # A copy, because a lost block may be computed again after Ht has been overwritten.
        given = crew.submit(
            tasks.hold, Ht.copy(), summary, tuple(penalty), how.sweeps, n_components
        )
        blocks = crew.map(tasks.update_block, self.rows.blocks, W.blocks, given=given)
        sums = crew.map(tasks.sum_block, self.rows.blocks, blocks, n_features=self.rows.shape[1])
        total = crew.add_up(sums)
        clock.leave_out(total.compiling)
        self._cross = total.cross[None].copy()
        out.blocks, out.gram, out.penalty = blocks, total.gram, total.penalty
        return Step(0.0, total.residual, total.gram)

    def measure_W(self, Ht, summary, W, how):
        """Measure the blocks of W on their workers."""
        return self.update_W(Ht, summary, W, W, how)

    def update_H(self, W, summary, Ht, out, how):
        """Update the rows of Ht from the sums, without W."""
        nothing, how = np.zeros((1, Ht.shape[1]), Ht.dtype), how._replace(sums=self._cross)
        return super().update_H(nothing, summary, Ht, out, how)

    def measure_H(self, W, summary, Ht):
        """Measure the rows of Ht from the sums, without W."""
        nothing, how = np.zeros((1, Ht.shape[1]), Ht.dtype), Pass(sweeps=0, sums=self._cross)
        return self.update.measure(self.columns, nothing, summary, self.penalty_H, Ht, how)

    def squared_error(self, W, Ht):
        """Return ||X - W H||^2, computed in float64."""
        crew, gram, penalty = self.rows.crew, exact_gram(Ht), self.penalty_W.penalty
        given = crew.submit(tasks.hold, Ht.copy(), gram, tuple(penalty), 0, len(gram))
        errors = crew.map(tasks.measure_block, self.rows.blocks, W.blocks, given=given)
        return sum(crew.gather(errors))

    def squares(self, W):
        """Return the squared lengths of the columns of W."""
        return np.diag(W.gram)

    def divide(self, W, scale, out):
        """Return W with its columns divided by `scale`, on the workers."""
        divided = self.empty_W(W, None)
        divided.blocks = self.rows.crew.map(tasks.divide_block, W.blocks, scale=scale)
        divided.gram, divided.penalty = W.gram / np.multiply.outer(scale, scale), W.penalty
        return divided

    def empty_W(self, W, folder):
        """Return a W without blocks."""
        return RemoteFactor(W.heights, W.shape[1], W.dtype)

    def finish_iteration(self, current, spare):
        """Write W every `CUT_EVERY` iterations if there is a folder, and forget earlier blocks."""
        self._n_iterations += 1
        if self.rows.scratch is None or self._n_iterations % CUT_EVERY:
            return
        W, crew = current.W, self.rows.crew
        stem = f"{self.rows.scratch}/W-{crew.token}-{self._n_iterations}"
        paths = [f"{stem}-{b}.npy" for b in range(len(W.blocks))]
        crew.gather(crew.map(tasks.save_block, W.blocks, paths))
        # From now on, no earlier block and no earlier H is needed.
        W.blocks = crew.map(tasks.load_block, paths)
        spare[0].blocks = []
        crew.gather(crew.map(tasks.remove_file, self._written))
        self._written = paths


def conclude(run, crew):
    """Return W as a dask array, and H, with ordered and balanced components."""
    (W, Ht, _), squares = run.current, run.squares_W()[: run.n_components]
    sums, penalties = None, (run.penalty_W.penalty, run.penalty_H)
    if run.penalty_H.free.all():
        sums = sum(crew.gather(crew.map(tasks.sum_columns_of_block, W.blocks)))[: len(squares)]
    order, scale, H = order_components(sums, squares, len(W), Ht, penalties, balanced=run.balanced)
    return W.as_array(order, scale, crew), H
