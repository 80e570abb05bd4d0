"""Handles of what stays on the workers of a cluster: X, W and the penalty of W."""

import numpy as np

from . import tasks


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

    def take(self, rows):
        """Return rows, given in order, as a list of CSR matrices, one for each block.

        Parameters
        ----------
        rows : ndarray of int
        """
        cuts = np.cumsum([0, *self.heights])
        places = np.searchsorted(rows, cuts)
        wanted = [
            rows[first:last] - cut
            for first, last, cut in zip(places[:-1], places[1:], cuts[:-1], strict=True)
        ]
        parts = self.crew.map(tasks.take_rows, self.blocks, wanted, n_features=self.shape[1])
        return self.crew.gather(parts)


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
    summary : ndarray, float64
        W' W, or the sums of the columns of W: what an update of H needs.
    penalty : float
    """

    def __init__(self, heights, width, dtype, blocks=()):
        self.shape, self.dtype, self.blocks = (sum(heights), width), np.dtype(dtype), list(blocks)
        self.heights, self.summary, self.penalty = heights, np.zeros((width, width)), 0.0

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, key):
        return self.as_array(np.arange(self.shape[1]), np.ones(self.shape[1], self.dtype))[key]

    def empty(self):
        """Return a factor of this shape without blocks."""
        return RemoteFactor(self.heights, self.shape[1], self.dtype)

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
