"""Coordinate descent whose rows, and whose W, are on the workers of a cluster."""

import numpy as np

from .. import clock
from ..rows import sum_squares
from ..solvers.coordinate_descent import CoordinateDescent, exact_gram
from ..solvers.scale import balance, order_components
from . import tasks

CUT_EVERY = 10
"""Iterations that a lost block is made again from, where there is a folder for W."""


class RemoteRows:
    """The rows of X on the workers.

    Attributes
    ----------
    crew : Crew
    blocks : list of Future
        Of `Rows`.
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
    """W on the workers: an array in blocks, into which an update writes as a whole.

    The blocks before are kept for as long as something needs them: a roll-back, or a block
    that was made from them and has been lost with its worker.

    Attributes
    ----------
    shape, dtype
        Padded.
    blocks : list of Future
        Of `tasks.Block`.
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
    """The penalty of a `RemoteFactor`, whose sums have come with the others."""

    def __init__(self, penalty):
        self.penalty, self.binds = penalty, penalty.binds

    def value(self, factor):
        """Return the penalty of a factor."""
        return factor.penalty


class DistributedDescent(CoordinateDescent):
    """`CoordinateDescent` with `RemoteRows`, a `RemoteFactor` as W, and empty columns."""

    def _allocate(self, width):
        super()._allocate(width)
        self._n_iterations, self._written = 0, []
        dtype = self.current.W.dtype
        self._cross = np.zeros((1, self.columns.n_rows, width), dtype)
        self._elsewhere = np.zeros((1, width), dtype)  # in place of W, which columns
        # without entries do not look at

    def iterate(self):
        """Run one iteration; cut the chain of those before from time to time."""
        super().iterate()
        self._n_iterations += 1
        if self.rows.scratch is not None and self._n_iterations % CUT_EVERY == 0:
            self._cut()

    def _cut(self):
        """Write W, so that no block, nor any H, is needed that came before it."""
        W, crew = self.current.W, self.rows.crew
        stem = f"{self.rows.scratch}/W-{crew.token}-{self._n_iterations}"
        paths = [f"{stem}-{b}.npy" for b in range(len(W.blocks))]
        crew.gather(crew.map(tasks.save_block, W.blocks, paths))
        W.blocks = crew.map(tasks.load_block, paths)
        self._spare[0].blocks = []
        crew.gather(crew.map(tasks.remove_file, self._written))
        self._written = paths

    def _empty_like(self, factor, folder=None):
        if isinstance(factor, RemoteFactor):
            return RemoteFactor(factor.heights, factor.shape[1], factor.dtype)
        return super()._empty_like(factor, folder)

    def _run(self, rows, other, gram, penalty, factor, out, max_sweeps, **options):
        if rows is self.columns:
            return super()._run(
                rows, self._elsewhere, gram, penalty, factor, out, max_sweeps,
                sums=self._cross, **options,
            )  # fmt: skip
        crew, penalty = rows.crew, penalty.penalty
        folded = self._fold(gram, penalty, factor.dtype)
        # A copy: the array is written to again, while a lost block may still be made from this.
        given = crew.submit(tasks.hold, other.copy(), folded, tuple(penalty), max_sweeps)
        blocks = crew.map(tasks.update_block, rows.blocks, factor.blocks, given=given)
        sums = crew.map(tasks.sum_block, rows.blocks, blocks, n_features=rows.shape[1])
        total = crew.add_up(sums)
        clock.leave_out(total.compiling)
        self._cross[0] = total.cross
        out.blocks, out.gram, out.penalty = blocks, total.gram, total.penalty
        return 0.0, total.residual, total.gram

    def _squared_error(self, W, Ht):
        crew, gram = self.rows.crew, exact_gram(Ht)
        given = crew.submit(tasks.hold, Ht.copy(), gram, tuple(self.penalty_W.penalty), 0)
        errors = crew.map(tasks.measure_block, self.rows.blocks, W.blocks, given=given)
        return sum(crew.gather(errors))

    def squares_W(self):
        """Return the squared lengths of the columns of the current W."""
        return np.diag(self.current.W.gram)

    def _balance(self):
        (W, Ht, _), (_, spare_Ht) = self.current, self._spare
        scale = balance(np.diag(W.gram), sum_squares(Ht), len(W), len(Ht)).astype(W.dtype)
        divided = self._empty_like(W)
        divided.blocks = self.rows.crew.map(tasks.divide_block, W.blocks, scale=scale)
        divided.gram, divided.penalty = W.gram / np.multiply.outer(scale, scale), W.penalty
        np.multiply(Ht, scale, out=spare_Ht)
        self._spare, self.current = (W, Ht), self.current._replace(W=divided, Ht=spare_Ht)
        self._beta = 0.0


def conclude(run, crew):
    """Return W as a dask array and H, in order and balanced."""
    (W, Ht, _), squares = run.current, run.squares_W()[: run.n_components]
    sums, penalties = None, (run.penalty_W.penalty, run.penalty_H)
    if run.penalty_H.free.all():
        sums = sum(crew.gather(crew.map(tasks.sum_columns_of_block, W.blocks)))[: len(squares)]
    order, scale, H = order_components(sums, squares, len(W), Ht, penalties, balanced=run.balanced)
    return W.as_array(order, scale, crew), H
