"""The tasks that run on the workers: the same row updates, on one block of rows in one thread.

A worker runs its tasks in a pool of threads, one for each core, so each task runs the serial
twin of a kernel. Otherwise several threads would enter a parallel region at once, and some of
numba's threading layers then end the process.

Kernels are compiled for read-only rows and writeable factors. An array that comes from another
worker may be either, so the tasks set the flag.
"""

import os
import uuid
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from ..data import clock
from ..data.factors import column_totals, empty_factor
from ..data.rows import Rows, make_rows
from ..data.validation import check_matrix
from ..solvers.initialization import draw_start
from ..solvers.layout import sum_residuals
from ..solvers.losses import Loss, make_loss
from ..solvers.numerics import exact_gram
from ..solvers.penalties import Penalty
from ..solvers.row_update import Pass, row_update

ONE_THREAD = 1


class Facts(NamedTuple):
    """What the client needs to know about a block of X."""

    shape: tuple[int, int]
    dtype: np.dtype
    nnz: int
    half_squares: float
    total: float
    top: float


class Given(NamedTuple):
    """All that is sent to the workers for an update of W."""

    Ht: np.ndarray
    gram: np.ndarray
    penalty: Penalty
    max_sweeps: int
    n_components: int


class Block(NamedTuple):
    """Some rows of W, which stay on their worker, and their terms of the sums."""

    W: np.ndarray
    gram: np.ndarray
    penalty: float
    residual: float
    compiling: float = 0.0  # seconds that the update compiled


class Sums(NamedTuple):
    """Sums over blocks: X' W, W' W, the penalty and the KKT residual of W.

    `compiling` is the maximum over blocks, in seconds, because workers compile at the same time.
    """

    cross: np.ndarray
    gram: np.ndarray
    penalty: float
    residual: float
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


def describe_block(X):
    """Return the `Facts` of a block."""
    if not X.shape[0]:
        return Facts(X.shape, X.dtype, 0, 0.0, 0.0, 0.0)
    half = make_loss(2, X.data, X.shape).constant
    top = float(X.data.max()) if X.nnz else 0.0
    return Facts(X.shape, X.dtype, X.nnz, half, float(X.data.sum(dtype=np.float64)), top)


def cut_block(X, dtype, n_components):
    """Return a block as `Rows` of this dtype, which all blocks share."""
    return make_rows(X.astype(dtype, copy=False), n_components)


def draw_block(seed, n_rows, n_components, mean, dtype):
    """Return the random start of a block of W."""
    shape = (n_rows, 1)  # one column, because H is not drawn here
    W, _ = draw_start(shape, n_components, mean, dtype, np.random.default_rng(seed))
    return Block(W, np.empty((0, 0)), 0.0, 0.0)


def hold(Ht, gram, penalty, max_sweeps, n_components):
    """Return the arguments as `Given`: as the result of a task, it can be computed again."""
    return Given(Ht, gram, Penalty(*penalty), max_sweeps, n_components)


def update_block(rows, block, given):
    """Return the updated block of W; without sweeps, the same block with its residual."""
    before = clock.left_out()
    rows, Ht, W = _read_only(rows), _writeable(given.Ht), _writeable(block.W)
    out = empty_factor(W.shape, W.dtype) if given.max_sweeps else W
    update, how = _update(given.n_components), Pass(sweeps=given.max_sweeps, summary=True)
    step = update.update(rows, Ht, given.gram, given.penalty, W, out, how)
    return Block(
        out, step.summary, given.penalty.value(out), step.residual, clock.left_out() - before
    )


def _update(n_components):
    """Return the row update; the client adds the constant of the loss."""
    return row_update(Loss(2.0, 0.0, 0.0, 0.0), "cd", True, n_components, ONE_THREAD)


def sum_block(rows, block, n_features):
    """Return the sums of one block."""
    before = clock.left_out()
    rows, W = _read_only(rows), _writeable(block.W)
    cross = np.zeros((1, n_features, W.shape[1]), W.dtype)
    parts = np.array([0, rows.n_rows])
    _update(W.shape[1]).scatter(rows, parts, W, None, cross)
    compiling = block.compiling + clock.left_out() - before
    return Sums(cross[0], block.gram, block.penalty, block.residual, compiling)


def add_sums(left, right):
    """Return the sums of two blocks, or of two halves of all blocks."""
    sums = Sums(*(a + b for a, b in zip(left, right, strict=True)))
    return sums._replace(compiling=max(left.compiling, right.compiling))


def measure_block(rows, block, given):
    """Return a block's ||X - W H||^2, computed in float64, as is the given gram matrix."""
    rows, W = _read_only(rows), _writeable(block.W)
    everywhere = float(np.einsum("rs,rs->", exact_gram(W), given.gram))
    return sum_residuals(rows, W, _writeable(given.Ht), ONE_THREAD) + everywhere


def divide_block(block, scale):
    """Return a block of W with its columns divided by powers of two."""
    return block._replace(W=block.W / scale)


def sum_columns_of_block(block):
    """Return the sums of the columns of a block of W."""
    return column_totals(block.W)


def save_block(block, path):
    """Write a block of W to a path by an atomic rename, and return the path."""
    temporary = f"{path}.{uuid.uuid4().hex}"
    with open(temporary, "xb") as file:
        np.save(file, block.W)
    os.replace(temporary, path)
    return path


def load_block(path):
    """Return a block of W from a file; it depends on no other task."""
    return Block(np.load(path), np.empty((0, 0)), 0.0, 0.0)


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
