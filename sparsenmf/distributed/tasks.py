"""The tasks that run on the workers: the same row updates, on one block of rows in one thread.

A worker runs its tasks in a pool of threads, one for each core, so each task runs the serial
twin of a kernel. Otherwise several threads would enter a parallel region at once, and some of
numba's threading layers then end the process.

Kernels are compiled for read-only rows and writeable factors. An array that comes from another
worker may be either, so the tasks set the flag.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from ..data import clock
from ..data.factors import column_totals, empty_factor, sum_squares
from ..data.outputs import open_whole
from ..data.rows import Rows, make_rows
from ..data.validation import check_matrix
from ..kernels.transpose import transpose_rows
from ..solvers.initialization import draw_start
from ..solvers.layout import sum_residuals
from ..solvers.losses import Loss, make_loss
from ..solvers.numerics import exact_gram
from ..solvers.penalties import Penalty
from ..solvers.row_update import Pass

ONE_THREAD = 1


class Facts(NamedTuple):
    """What the client needs to know about a block of X."""

    shape: tuple[int, int]
    dtype: np.dtype
    nnz: int
    loss: Loss | None
    total: float
    top: float


class Sent(NamedTuple):
    """All that is sent to the workers for a pass over X.

    Attributes
    ----------
    Ht : ndarray of shape (n_features, width)
    summary : ndarray, float64
        Of Ht: its gram matrix, or the sums of its columns.
    penalty : Penalty
        Of W.
    max_sweeps : int
    method : (type, tuple, int)
        Of the `RowUpdate`: its class, its loss, and the number of components.
    """

    Ht: np.ndarray
    summary: np.ndarray
    penalty: Penalty
    max_sweeps: int
    method: tuple[Any, tuple[float, ...], int]

    @property
    def update(self):
        """The row update, for one thread."""
        kind, loss, n_components = self.method
        return kind(Loss(*loss), n_components, ONE_THREAD)


class Block(NamedTuple):
    """Some rows of W, which stay on their worker, and their terms of the sums."""

    W: np.ndarray
    summary: np.ndarray
    penalty: float = 0.0
    residual: float = 0.0
    objective: float = 0.0
    compiling: float = 0.0  # seconds that the update compiled


class Sums(NamedTuple):
    """Sums over blocks: what H needs of X and of W, and terms of W.

    Attributes
    ----------
    sums : ndarray of shape (1 or 2, n_features, width)
        X' W; the numerators of the updates of H; or these and the denominators.
    summary : ndarray, float64
        W' W, or the sums of the columns of W.
    penalty, residual, objective : float
        The penalty of W, its KKT residual, and the objective of its rows.
    compiling : float
        The maximum over blocks, in seconds, because workers compile at the same time.
    """

    sums: np.ndarray
    summary: np.ndarray
    penalty: float
    residual: float
    objective: float
    compiling: float


def read_rows(store, start, stop):
    """Return rows of a store, which the worker opens."""
    return store.rows(start, stop)


def check_block(part, name):
    """Return a block of X as a canonical CSR matrix; a list of blocks is stacked.

    Blocks may be without rows, as a filter leaves them.
    """
    if isinstance(part, list):
        pieces = [check_block(piece, name) for piece in part]
        part = sp.vstack([piece for piece in pieces if piece.shape[0]] or pieces, format="csr")
    shape = np.shape(part)
    if len(shape) == 2 and shape[0] == 0 < shape[1]:
        return sp.csr_array(shape, dtype=np.float32)
    return check_matrix(part, name)


def describe_block(X, beta):
    """Return the `Facts` of a block, for a loss."""
    if not X.shape[0]:
        return Facts(X.shape, X.dtype, 0, None, 0.0, 0.0)
    loss = make_loss(beta, X.data, X.shape)
    top = float(X.data.max()) if X.nnz else 0.0
    return Facts(X.shape, X.dtype, X.nnz, loss, float(X.data.sum(dtype=np.float64)), top)


def cut_block(X, dtype, n_components):
    """Return a block as `Rows` of this dtype, which all blocks share."""
    return make_rows(X.astype(dtype, copy=False), n_components)


def transpose_block(rows, n_features, n_components):
    """Return the transpose of a block as `Rows`."""
    return transpose_rows(_read_only(rows), n_features, n_components, ONE_THREAD)


def take_rows(rows, wanted, n_features):
    """Return some rows of a block as a CSR matrix."""
    arrays = rows.data, rows.indices, rows.indptr
    return sp.csr_array(arrays, shape=(rows.n_rows, n_features), copy=False)[wanted]


def draw_block(seed, n_rows, n_components, mean, dtype):
    """Return the random start of a block of W."""
    shape = (n_rows, 1)  # one column, because H is not drawn here
    W, _ = draw_start(shape, n_components, mean, dtype, np.random.default_rng(seed))
    return Block(W, np.empty(0))


def empty_block(n_rows, n_components, dtype):
    """Return a block of W that is zero."""
    return Block(empty_factor((n_rows, n_components), dtype), np.empty(0))


def hold(Ht, summary, penalty, max_sweeps, method):
    """Return the arguments as `Sent`: as the result of a task, it can be computed again."""
    return Sent(Ht, summary, Penalty(*penalty), max_sweeps, tuple(method))


def update_block(rows, block, given):
    """Return the updated block of W."""

    def update(rows, Ht, summary, W):
        out, how = empty_factor(W.shape, W.dtype), Pass(sweeps=given.max_sweeps, summary=True)
        return out, given.update.update(rows, Ht, summary, given.penalty, W, out, how)

    return _visit(update, rows, block, given)


def look_block(rows, block, given):
    """Return the updated block of W; the objective is that of the block before."""

    def look(rows, Ht, summary, W):
        out = empty_factor(W.shape, W.dtype)
        return out, given.update.update_and_look(rows, Ht, summary, given.penalty, W, out)

    return _visit(look, rows, block, given)


def measure_block(rows, block, given):
    """Return the same block of W, with its residual."""

    def measure(rows, Ht, summary, W):
        how = Pass(sweeps=0, summary=True)
        return W, given.update.measure(rows, Ht, summary, given.penalty, W, how)

    return _visit(measure, rows, block, given)


def _visit(visit, rows, block, given):
    """Return what `visit` makes of a block of W."""
    before = clock.left_out()
    arrays = _writeable(given.Ht), _writeable(given.summary), _writeable(block.W)
    out, step = visit(_read_only(rows), *arrays)
    compiling, penalty = clock.left_out() - before, given.penalty.value(out)
    return Block(out, step.summary, penalty, step.residual, step.objective or 0.0, compiling)


def sum_block(rows, block, given, n_features):
    """Return the sums of one block: its share of X' W, or of the numerators."""
    before = clock.left_out()
    rows, W = _read_only(rows), _writeable(block.W)
    sums = np.zeros((1, n_features, W.shape[1]), W.dtype)
    given.update.scatter(rows, np.array([[0, rows.n_rows]]), W, _writeable(given.Ht), sums)
    return _sums_of(block, sums, before)


def sum_parts_of_block(rows, block, given, n_features):
    """Return the sums of one transposed block: its shares of numerators and denominators."""
    before = clock.left_out()
    W, Ht = _writeable(block.W), _writeable(given.Ht)
    return _sums_of(block, given.update.parts(_read_only(rows), W, Ht), before)


def _sums_of(block, sums, before):
    compiling = block.compiling + clock.left_out() - before
    return Sums(sums, block.summary, block.penalty, block.residual, block.objective, compiling)


def add_sums(left, right):
    """Return the sums of two blocks, or of two halves of all blocks."""
    sums = Sums(*(a + b for a, b in zip(left, right, strict=True)))
    return sums._replace(compiling=max(left.compiling, right.compiling))


def compare_block(rows, block, given):
    """Return a block's ||X - W H||^2, computed in float64, as is the given gram matrix."""
    rows, W = _read_only(rows), _writeable(block.W)
    everywhere = float(np.einsum("rs,rs->", exact_gram(W), given.summary))
    return sum_residuals(rows, W, _writeable(given.Ht), ONE_THREAD) + everywhere


def divide_block(block, scale):
    """Return a block of W with its columns divided."""
    return block._replace(W=block.W / scale)


def sum_columns_of_block(block):
    """Return the sums of the columns of a block of W."""
    return column_totals(block.W)


def sum_squares_of_block(block):
    """Return the squared lengths of the columns of a block of W."""
    return sum_squares(block.W)


def save_block(block, path):
    """Write a block of W to a path, whole or not at all, and return the path."""
    with open_whole(path) as file:
        np.save(file, block.W)
    return path


def load_block(path):
    """Return a block of W from a file; it depends on no other task."""
    return Block(np.load(path), np.empty(0))


def remove_file(path):
    """Remove a file if it exists."""
    Path(path).unlink(missing_ok=True)


def finish_block(block, order, scale):
    """Return a block of the result's W: without padding, ordered and balanced."""
    return np.take(block.W, order, axis=1) / scale


def _read_only(rows):
    *arrays, absent = rows
    data, indices, indptr, blocks, weights = (np.asarray(array).view() for array in arrays)
    for view in (data, indices, indptr, blocks, weights):
        view.flags.writeable = False
    return Rows(data, indices, indptr, blocks, weights, absent)


def _writeable(array):
    return np.require(array, requirements=["C", "W"])
