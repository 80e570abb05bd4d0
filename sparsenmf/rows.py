"""The two things every kernel works on: sparse rows cut into blocks, and padded factors."""

import contextlib
import mmap
from math import gcd, prod
from typing import NamedTuple

import numpy as np

from .background import side_by_side
from .storage import map_scratch

VECTOR_BYTES = 32  # checked against `kernels.vector_code` by the tests; importing that loads numba


MAX_BLOCKS = 64
MIN_BLOCKS = 32
MANY_ROWS = 2**16  # whose blocks are cut with a look at one in TILE_ROWS
FEW_BLOCKS = 8  # even of short matrices, for the threads
BLOCK_ROWS = 128  # of taller ones, at least: a block has costs of its own, its gram matrix first
TILE_ROWS = 32  # rows taken at once; blocks begin at multiples of it
TALL = 8  # samples for each feature from which no transpose is made (measured)
TALL_NNZ = 2**20  # smaller matrices fit in the cache either way
SINGLE_WORK = 2**22  # nonzeros times components; below, there is no time to be saved
MIN_PARTS, MAX_PARTS, ENTRIES_PER_PART = 2, 8, 32
CACHE_LINE, PAGE, LARGE_PAGE = 64, 2**12, 2**21  # bytes
WORTH = 2**24  # bytes of an array, for which it is worth while to start a thread
PART, ADDED = 2048, 256  # sums side by side, and how many entries of each precede float64
SUMMABLE = 1e-20, 1e30  # sums, of squares too, with which single precision is trusted
GRAM_BUDGET = 2**20  # float64 entries of all gram partials together, where MIN_BLOCKS allows


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
        Of the stored entries; with none at all, each counts once.
    absent : float
        Weight of the entries that are not stored: 1, or 0 where they are unknown.
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
        """Whether all entries count alike, zeros included."""
        return self.absent == 1 and not len(self.weights)

    def mean(self, n_columns):
        """Return the weighted mean of the entries."""
        x, v = self.data, self.weights
        inside = float(v.sum(dtype=np.float64)) if len(v) else self.nnz
        total = np.einsum("p,p->", x, v, dtype=np.float64) if len(v) else x.sum(dtype=np.float64)
        entries = inside + self.absent * (self.n_rows * n_columns - self.nnz)
        return float(total) / entries if entries else 0.0


def make_rows(X, n_components, weights=None, absent=1.0):
    """View a checked CSR matrix as `Rows`.

    The arrays are marked read-only (in views: the caller's arrays keep their flags),
    so that writeable, read-only and memory-mapped input share one compiled kernel.
    """
    indptr = X.indptr.astype(np.int64, copy=False)
    return freeze_rows(X.data, X.indices, indptr, n_components, weights, absent)


def freeze_rows(data, indices, indptr, n_components, weights=None, absent=1.0):
    """Return `Rows` of CSR arrays, cut into blocks."""
    weights = data[:0] if weights is None else weights
    data, indices, indptr, blocks, weights = map(
        _read_only, (data, indices, indptr, make_blocks(indptr, n_components), weights)
    )
    return Rows(data, indices, indptr, blocks, weights, float(absent))


def _read_only(array):
    # np.asarray: a memmap is an ndarray subclass with a slower dispatch.
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


def make_blocks(indptr, n_components):
    """Cut rows into blocks of about equal work.

    Work of a row: its nonzeros, and a share for the sweep. The blocks depend on the
    data alone, never on the number of threads: sums over blocks are added in block
    order, which makes results independent of it. Threads take runs of neighbours in
    the list, so it is spread over the rows by a stride near the golden section:
    frequent and rare terms, which no model of work treats quite fairly, then fall to
    every thread.
    """
    n_rows = len(indptr) - 1
    wanted = max(-(-n_rows // BLOCK_ROWS), FEW_BLOCKS)
    n_blocks = min(n_rows, wanted, count_blocks(n_components))
    each = row_work(n_components)
    step = 1 if n_rows < MANY_ROWS else TILE_ROWS
    work = np.arange(0, (n_rows + 1) * each, step * each)
    work += indptr[::step]
    shares = (each * n_rows + indptr[-1]) * np.arange(n_blocks + 1) // max(n_blocks, 1)
    bounds = np.searchsorted(work, shares) * step
    bounds[0], bounds[-1] = 0, n_rows
    # Whole tiles, but for blocks of few heavy rows, and at the end.
    small = np.diff(bounds) < BLOCK_ROWS
    fixed = np.append(True, small) | np.append(small, True)
    tiles = (bounds + TILE_ROWS // 2) // TILE_ROWS * TILE_ROWS
    bounds = np.where(fixed, bounds, tiles)
    stride = next(s for s in range(round(0.618 * n_blocks) or 1, 0, -1) if gcd(s, n_blocks) == 1)
    order = np.arange(n_blocks) * stride % n_blocks
    return np.column_stack([bounds[:-1], bounds[1:]])[order]


def even_blocks(n_rows):
    """Cut rows into blocks of about equal numbers."""
    bounds = np.linspace(0, n_rows, MAX_BLOCKS + 1).astype(np.int64)
    return np.column_stack([bounds[:-1], bounds[1:]])


def row_work(n_components):
    """Return the work of a row beyond its nonzeros (sweeps, gram matrix), in nonzeros.

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
    """Return whether it pays to have X in single precision too, for the first iterations."""
    return dtype == np.float64 and nnz * n_components >= SINGLE_WORK


def count_parts(nnz, n_features):
    """Return the number of sums of X' W that are kept side by side, for the threads.

    Each costs a pass over the columns, which should be little beside the entries. A power of
    two, that two and four threads may share them alike.
    """
    most = np.clip(nnz // (ENTRIES_PER_PART * n_features), MIN_PARTS, MAX_PARTS)
    return 1 << (int(most).bit_length() - 1)


def padded_width(n_components, dtype):
    """Return the row length of a factor: n_components, rounded up to whole vectors."""
    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    return -(-n_components // lanes) * lanes


def empty_factor(shape, dtype, folder=None, n_threads=1, *, touch=True):
    """Return a zero factor of (n_rows, n_components) with padded rows, aligned to cache lines.

    With a folder it is a file there, mapped into memory, that nobody else sees. `touch` and
    n_threads are as for `zeros`.
    """
    n_rows, n_components = shape
    shape = n_rows, padded_width(n_components, dtype)
    if folder is not None:
        nbytes = prod(shape) * np.dtype(dtype).itemsize
        return map_scratch(folder, nbytes).view(dtype).reshape(shape)
    return zeros(shape, dtype, n_threads, touch=touch)


def zeros(shape, dtype, n_threads=1, *, touch=True):
    """Return a working array of zeros, aligned to cache lines, of which every page is there.

    The system provides a page when it is first touched: a small one on one thread in about 1
    microsecond, on two that touch the pages of one array 4. So this is done here; on several
    threads for many large pages, which each take longer. But not with touch=False, for what is
    filled at once, in the same way: a page is still in the cache then.
    """
    dtype = np.dtype(dtype)
    nbytes = prod(shape) * dtype.itemsize
    buffer = _zero_bytes(nbytes + CACHE_LINE)

    def provide(part):
        buffer[part][::PAGE] = 0

    if touch:
        side_by_side(provide, len(buffer), n_threads, WORTH)
    start = -buffer.ctypes.data % CACHE_LINE
    return buffer[start : start + nbytes].view(dtype).reshape(shape)


def _zero_bytes(nbytes):
    """Return bytes that are zero: many of them on large pages, if the system has such.

    A large page takes a twentieth of the time of the 512 small ones that it stands for
    (measured). NumPy asks for them too, but without effect where the C library takes the memory
    from its heap, as it does after the first large array has been freed.
    """
    # Up to the last byte: a rest of small pages takes longer than another large one.
    whole = -(-nbytes // LARGE_PAGE) * LARGE_PAGE if nbytes >= LARGE_PAGE // 2 else 0
    if whole and hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # if there is no memory, NumPy says so below
            size, private = max(nbytes, whole), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
            pages = mmap.mmap(-1, size + LARGE_PAGE, flags=private)
            buffer = np.frombuffer(pages, np.uint8)
            start = -buffer.ctypes.data % LARGE_PAGE
            pages.madvise(mmap.MADV_HUGEPAGE, start, whole)
            return buffer[start : start + nbytes]
    return np.zeros(nbytes, np.uint8)


def largest(array, n_threads=1):
    """Return the largest entry of an array: of a large one, found on several threads."""
    found = []

    def look(part):
        found.append(array[part].max())

    side_by_side(look, len(array), n_threads, 1 + WORTH * len(array) // array.nbytes)
    return max(found)


def sum_columns(array):
    """Return the sums of the columns of an (any, width) array, in float64, to some 1e-7."""
    return _add_parts(array, lambda part, dtype: part.sum(axis=0, dtype=dtype))


def sum_squares(array):
    """Return the squared lengths of the columns of an (any, width) array, as `sum_columns`."""
    return _add_parts(array, lambda part, dtype: np.einsum("ab,ab->b", part, part, dtype=dtype))


def _add_parts(array, add):
    """Return sums over the rows of an array; add(part, dtype) sums a few hundred, in that type.

    In the array's precision, which takes a fifth of the time that converting each entry does,
    but not where they could leave its range.
    """
    width = array.shape[1]
    side = max(1, PART // width)  # rows side by side: long ones are summed faster
    whole = len(array) // side * side
    parts, rest = array[:whole].reshape(-1, side * width), array[whole:]
    total = np.zeros(side * width)
    for start in range(0, len(parts), ADDED):
        total += add(parts[start : start + ADDED], None)
    total = total.reshape(side, width).sum(axis=0)
    total += add(rest, np.float64)
    low, high = SUMMABLE
    return total if low < total.max(initial=0) < high else add(array, np.float64)


def pad_factor(factor, dtype, folder=None, n_threads=1):
    """Copy a (n_rows, n_components) array into a padded factor."""
    padded = empty_factor(factor.shape, dtype, folder, n_threads, touch=False)
    copy_columns(factor, padded, n_threads)
    return padded


def copy_columns(given, factor, n_threads=1):
    """Copy a (n_rows, any) array into the first columns of a factor."""
    columns = factor[:, : given.shape[1]]

    def copy(part):
        columns[part] = given[part]

    side_by_side(copy, len(given), n_threads, 1 + WORTH // factor.strides[0])
