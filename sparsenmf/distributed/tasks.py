"""What runs on the workers: the same kernels on one block of rows, in one thread.

A worker runs its tasks in a pool of threads, which is where the parallelism is. So each
kernel runs its serial twin: no core has two threads, and no parallel region is entered from
two threads at once, which some of numba's threading layers answer by ending the process.

Arrays that have come from another worker may be read-only or writeable, whatever they were;
the kernels are compiled for read-only rows and writeable factors, so both are made sure of.
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
    """What the client needs to know of a block of X."""

    shape: tuple[int, int]
    dtype: np.dtype
    nnz: int
    half_squares: float
    total: float
    top: float


class Given(NamedTuple):
    """What an update of W needs to know of H: all that is sent to the workers."""

    Ht: np.ndarray
    gram: np.ndarray
    penalty: Penalty
    max_sweeps: int
    n_components: int


class Block(NamedTuple):
    """Some rows of W, which stay where they are, and what of them is added up."""

    W: np.ndarray
    gram: np.ndarray
    penalty: float
    residual: float
    compiling: float = 0.0  # seconds, of the update


class Sums(NamedTuple):
    """What blocks come to: X' W, W' W, the penalty and the KKT residual of W.

    And the seconds that compiling took where it took longest: workers do so side by side.
    """

    cross: np.ndarray
    gram: np.ndarray
    penalty: float
    residual: float
    compiling: float


def read_rows(store, start, stop):
    """Return rows of a store, on the worker, which opens it."""
    return store.rows(start, stop)


def check_block(part, name):
    """Return a block of X as a canonical CSR matrix; several, in a list, are one."""
    if isinstance(part, list):
        part = sp.vstack([check_matrix(piece, name) for piece in part], format="csr")
    return check_matrix(part, name)


def survey_block(X):
    """Return the `Facts` of a block."""
    half = make_loss(2, X.data, X.shape).constant
    top = float(X.data.max()) if X.nnz else 0.0
    return Facts(X.shape, X.dtype, X.nnz, half, float(X.data.sum(dtype=np.float64)), top)


def cut_block(X, dtype, n_components):
    """Return a block as `Rows` of the type that all blocks have."""
    return make_rows(X.astype(dtype, copy=False), n_components)


def draw_block(seed, n_rows, n_components, mean, dtype):
    """Return a random start of a block of W."""
    shape = (n_rows, 1)  # of H nothing is drawn here
    W, _ = draw_start(shape, n_components, mean, dtype, np.random.default_rng(seed))
    return Block(W, np.empty((0, 0)), 0.0, 0.0)


def hold(Ht, gram, penalty, max_sweeps, n_components):
    """Return what it is given: a task, and not data, so that it can be run again."""
    return Given(Ht, gram, Penalty(*penalty), max_sweeps, n_components)


def update_block(rows, block, given):
    """Return the improved block of W; with no sweeps, the same one with its residual."""
    before = clock.left_out()
    rows, Ht, W = _frozen(rows), _writeable(given.Ht), _writeable(block.W)
    out = empty_factor(W.shape, W.dtype) if given.max_sweeps else W
    update, how = _update(given.n_components), Pass(sweeps=given.max_sweeps, summary=True)
    step = update.update(rows, Ht, given.gram, given.penalty, W, out, how)
    return Block(
        out, step.summary, given.penalty.value(out), step.residual, clock.left_out() - before
    )


def _update(n_components):
    """Return how rows are improved; the loss's constant is the client's."""
    return row_update(Loss(2.0, 0.0, 0.0, 0.0), "cd", True, n_components, ONE_THREAD)


def sum_block(rows, block, n_features):
    """Return the sums of one block."""
    before = clock.left_out()
    rows, W = _frozen(rows), _writeable(block.W)
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
    """Return a block's ||X - W H||^2, all in float64, of which its gram matrix is too."""
    rows, W = _frozen(rows), _writeable(block.W)
    everywhere = float(np.einsum("rs,rs->", exact_gram(W), given.gram))
    return sum_residuals(rows, W, _writeable(given.Ht), ONE_THREAD) + everywhere


def divide_block(block, scale):
    """Return a block of W with its columns divided by powers of two."""
    return block._replace(W=block.W / scale)


def sum_columns_of_block(block):
    """Return the sums of the columns of a block of W."""
    return column_totals(block.W)


def save_block(block, path):
    """Write a block of W, as a whole or not at all, and return where."""
    temporary = f"{path}.{uuid.uuid4().hex}"
    with open(temporary, "xb") as file:
        np.save(file, block.W)
    os.replace(temporary, path)
    return path


def load_block(path):
    """Return a block of W from a file: it depends on nothing else."""
    return Block(np.load(path), np.empty((0, 0)), 0.0, 0.0)


def remove_file(path):
    """Remove a file that is not needed any more."""
    Path(path).unlink(missing_ok=True)


def finish_block(block, order, scale):
    """Return a block of the W that is the result: no padding, in order, balanced."""
    return np.take(block.W, order, axis=1) / scale


def _frozen(rows):
    *arrays, absent = rows
    data, indices, indptr, blocks, weights = (np.asarray(array).view() for array in arrays)
    for view in (data, indices, indptr, blocks, weights):
        view.flags.writeable = False
    return Rows(data, indices, indptr, blocks, weights, absent)


def _writeable(array):
    return np.require(array, requirements=["C", "W"])
