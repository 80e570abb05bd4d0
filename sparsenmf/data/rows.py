"""What a kernel reads of X: sparse rows, cut into blocks of about equal work."""

from math import gcd
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

MAX_BLOCKS = 64
MIN_BLOCKS = 32
MANY_ROWS = 2**16  # with more rows, cutting into blocks looks at one row in ROW_GROUP only
FEW_BLOCKS = 8  # also of short matrices, so that several threads have work
BLOCK_ROWS = 128  # at least, in taller ones: each block has costs, such as its gram matrix
ROW_GROUP = 32  # rows that are scattered together; blocks begin at multiples of it
TALL = 8  # a matrix with so many samples for each feature needs no transpose (measured)
TALL_NNZ = 2**20  # smaller matrices fit in the cache with and without a transpose
SINGLE_WORK = 2**22  # nonzeros times components, below which single precision saves no time
MIN_PARTS, MAX_PARTS, ENTRIES_PER_PART = 2, 8, 32
GRAM_BUDGET = 2**20  # float64 entries of the gram matrices of all blocks, if MIN_BLOCKS allows


class Rows(NamedTuple):
    """CSR arrays of one side of X, cut into blocks of about equal work.

    Attributes
    ----------
    data : ndarray of shape (nnz,), float32 or float64, read-only
    indices : ndarray of shape (nnz,), int32 or int64, read-only
    indptr : ndarray of shape (n_rows + 1,), int64, read-only
    blocks : ndarray of shape (n_blocks, 2), int64, read-only
        First row of each block and the row after its last one.
    weights : ndarray of shape (nnz or 0,), dtype of data, read-only
        Weights of the stored entries; empty if each counts once.
    absent : float
        Weight of the entries that are not stored: 1, or 0 if they are unknown.
    """

    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray
    blocks: np.ndarray
    weights: np.ndarray
    absent: float

    @property
    def dtype(self):
        return self.data.dtype

    @property
    def nnz(self):
        return len(self.data)

    @property
    def n_rows(self):
        return len(self.indptr) - 1

    @property
    def n_blocks(self):
        return len(self.blocks)

    @property
    def plain(self):
        """Whether all entries, zeros included, count alike."""
        return self.absent == 1 and not len(self.weights)

    def sums(self):
        """Return the sum of each row, in float64."""
        shape = self.n_rows, int(self.indices.max(initial=0)) + 1
        X = sp.csr_array((self.data, self.indices, self.indptr), shape, copy=False)
        return X.sum(axis=1, dtype=np.float64)

    def mean(self, n_columns):
        """Return the weighted mean of the entries."""
        x, v = self.data, self.weights
        inside = float(v.sum(dtype=np.float64)) if len(v) else self.nnz
        total = np.einsum("p,p->", x, v, dtype=np.float64) if len(v) else x.sum(dtype=np.float64)
        entries = inside + self.absent * (self.n_rows * n_columns - self.nnz)
        return float(total) / entries if entries else 0.0


def make_rows(X, n_components, weights=None, absent=1.0):
    """Return `Rows` of a checked CSR matrix, which share its arrays.

    The arrays are read-only views, so that writeable, read-only and memory-mapped input share one
    compiled kernel. The caller's arrays keep their flags.
    """
    indptr = X.indptr.astype(np.int64, copy=False)
    return rows_from_arrays(X.data, X.indices, indptr, n_components, weights, absent)


def rows_from_arrays(data, indices, indptr, n_components, weights=None, absent=1.0):
    """Return `Rows` of CSR arrays, cut into blocks."""
    weights = data[:0] if weights is None else weights
    data, indices, indptr, blocks, weights = map(
        _read_only, (data, indices, indptr, make_blocks(indptr, n_components), weights)
    )
    return Rows(data, indices, indptr, blocks, weights, float(absent))


def _read_only(array):
    # np.asarray, because numba takes longer to dispatch on a memmap, a subclass of ndarray.
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


def make_blocks(indptr, n_components):
    """Return blocks of rows of about equal work, as an array of (first, after last).

    The work of a row is its nonzeros and a constant share for the sweep. The blocks depend on
    the data alone, never on the number of threads. Sums over blocks are added in block order, so
    results do not depend on the number of threads either.

    Threads take neighbours in the list. Its order therefore strides over the rows by about the
    golden section: each thread gets both frequent and rare terms, which no model of the work
    treats quite fairly.
    """
    n_rows = len(indptr) - 1
    wanted = max(-(-n_rows // BLOCK_ROWS), FEW_BLOCKS)
    n_blocks = min(n_rows, wanted, count_blocks(n_components))
    each = row_work(n_components)
    step = 1 if n_rows < MANY_ROWS else ROW_GROUP
    work = np.arange(0, (n_rows + 1) * each, step * each)
    work += indptr[::step]
    shares = (each * n_rows + indptr[-1]) * np.arange(n_blocks + 1) // max(n_blocks, 1)
    bounds = np.searchsorted(work, shares) * step
    bounds[0], bounds[-1] = 0, n_rows
    # Blocks end at whole groups of rows, except for the last block and those of a few heavy rows.
    small = np.diff(bounds) < BLOCK_ROWS
    fixed = np.append(True, small) | np.append(small, True)
    groups = (bounds + ROW_GROUP // 2) // ROW_GROUP * ROW_GROUP
    bounds = np.where(fixed, bounds, groups)
    stride = next(s for s in range(round(0.618 * n_blocks) or 1, 0, -1) if gcd(s, n_blocks) == 1)
    order = np.arange(n_blocks) * stride % n_blocks
    return np.column_stack([bounds[:-1], bounds[1:]])[order]


def even_blocks(n_rows):
    """Return blocks of about equal numbers of rows, as `make_blocks` does."""
    bounds = np.linspace(0, n_rows, MAX_BLOCKS + 1).astype(np.int64)
    return np.column_stack([bounds[:-1], bounds[1:]])


def row_work(n_components):
    """Return the work of a row beyond its nonzeros (sweeps, gram matrix), in units of nonzeros.

    Measured: 30 at 20 components, 55 at 50, 70 at 100, 115 at 200.
    """
    return 20 + n_components // 2


def count_blocks(n_components):
    """Return the number of blocks of a side with many rows."""
    return min(max(GRAM_BUDGET // n_components**2, MIN_BLOCKS), MAX_BLOCKS)


def is_tall(shape, nnz):
    """Return whether X' W is found faster by scattering the rows of X than from a transpose."""
    return shape[0] >= TALL * shape[1] and nnz >= TALL_NNZ


def begins_in_single(dtype, nnz, n_components):
    """Return whether the first iterations should run on a single precision copy of X."""
    return dtype == np.float64 and nnz * n_components >= SINGLE_WORK


def count_parts(nnz, n_features):
    """Return the number of partial products X' W that threads compute side by side.

    Each one costs a pass over the columns, which should take little time beside the entries. It
    is a power of two, so that two or four threads get equal shares.
    """
    most = np.clip(nnz // (ENTRIES_PER_PART * n_features), MIN_PARTS, MAX_PARTS)
    return 1 << (int(most).bit_length() - 1)
