"""Factors, which are arrays with padded and aligned rows, and sums over their rows."""

import contextlib
import mmap
from math import prod

import numpy as np

from .outputs import map_scratch
from .worker_threads import run_slices

CHUNK = 1024  # rows of a factor that NumPy works on at once, so that they stay in the cache
VECTOR_BYTES = 32  # a test compares it with `kernels.vector`, whose import would load numba
CACHE_LINE, PAGE, LARGE_PAGE = 64, 2**12, 2**21  # bytes
THREAD_BYTES = 2**24  # of an array; starting a thread for fewer takes longer than it saves
PART, ADDED = 2048, 256  # sums side by side, and entries of each that are added before float64
SUMMABLE = 1e-20, 1e30  # range of sums, also of squares, that single precision holds well


def padded_width(n_components, dtype):
    """Return the row length of a factor: n_components, rounded up to whole vectors."""
    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    return -(-n_components // lanes) * lanes


def empty_factor(shape, dtype, folder=None, n_threads=1, *, touch=True):
    """Return a factor of zeros, (n_rows, padded width of n_components), aligned to cache lines.

    With a folder it is mapped from a file there that nobody else sees. `touch` and n_threads are
    those of `zeros`.
    """
    n_rows, n_components = shape
    shape = n_rows, padded_width(n_components, dtype)
    if folder is not None:
        nbytes = prod(shape) * np.dtype(dtype).itemsize
        return map_scratch(folder, nbytes).view(dtype).reshape(shape)
    return zeros(shape, dtype, n_threads, touch=touch)


def zeros(shape, dtype, n_threads=1, *, touch=True):
    """Return an array of zeros, aligned to cache lines, all of whose pages are in memory.

    The system provides a page when it is first touched. One thread gets a small page in about 1
    microsecond, each of two that touch the same array in 4. Therefore the pages are touched here,
    before kernels use them: by several threads if there are many large pages, which take longer.
    With touch=False they are not, for arrays that the caller fills at once in the same way: a
    page that has just been provided is still in the cache.
    """
    dtype = np.dtype(dtype)
    nbytes = prod(shape) * dtype.itemsize
    buffer = _zero_bytes(nbytes + CACHE_LINE)

    def provide(part):
        buffer[part][::PAGE] = 0

    if touch:
        run_slices(provide, len(buffer), n_threads, THREAD_BYTES)
    start = -buffer.ctypes.data % CACHE_LINE
    return buffer[start : start + nbytes].view(dtype).reshape(shape)


def _zero_bytes(nbytes):
    """Return zero bytes, on large pages if there are many and the system has such pages.

    A large page takes a twentieth of the time of the 512 small ones that it replaces (measured).
    NumPy asks for large pages, too. That has no effect if the C library takes the memory from its
    heap, as it does after the first large array has been freed.
    """
    # The last large page may be partly used: small pages for the rest would take longer.
    whole = -(-nbytes // LARGE_PAGE) * LARGE_PAGE if nbytes >= LARGE_PAGE // 2 else 0
    if whole and hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # without enough memory NumPy raises an error below
            size, private = max(nbytes, whole), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
            pages = mmap.mmap(-1, size + LARGE_PAGE, flags=private)
            buffer = np.frombuffer(pages, np.uint8)
            start = -buffer.ctypes.data % LARGE_PAGE
            pages.madvise(mmap.MADV_HUGEPAGE, start, whole)
            return buffer[start : start + nbytes]
    return np.zeros(nbytes, np.uint8)


def largest(array, n_threads=1):
    """Return the largest entry of an array, which several threads look for if it is large."""
    found = []

    def look(part):
        found.append(array[part].max())

    run_slices(look, len(array), n_threads, 1 + THREAD_BYTES * len(array) // array.nbytes)
    return max(found)


def sum_columns(array):
    """Return the column sums of an array, in float64, with a relative error of about 1e-7."""
    return _add_parts(array, lambda part, dtype: part.sum(axis=0, dtype=dtype))


def sum_squares(array):
    """Return the column sums of the squares of an array, as accurate as `sum_columns`."""
    return _add_parts(array, lambda part, dtype: np.einsum("ab,ab->b", part, part, dtype=dtype))


def _add_parts(array, add):
    """Return sums over the rows of an array; add(part, dtype) sums a few hundred of them.

    These are added in the array's precision, which takes a fifth of the time of converting each
    entry to float64. If the sums could leave the range of the dtype, all is added in float64.
    """
    width = array.shape[1]
    side = max(1, PART // width)  # rows taken as one, because long rows are summed faster
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
    """Return a padded factor that holds a copy of a (n_rows, n_components) array."""
    padded = empty_factor(factor.shape, dtype, folder, n_threads, touch=False)
    copy_columns(factor, padded, n_threads)
    return padded


def copy_columns(given, factor, n_threads=1):
    """Copy an array into the first columns of a factor."""
    columns = factor[:, : given.shape[1]]

    def copy(part):
        columns[part] = given[part]

    run_slices(copy, len(given), n_threads, 1 + THREAD_BYTES // factor.strides[0])


def column_totals(W):
    """Return the column sums of W, added in float64, one chunk of rows after the other."""
    return total_chunks(W[start : start + CHUNK] for start in range(0, len(W), CHUNK))


def total_chunks(chunks):
    """Return the column sums of chunks of rows, as `column_totals` adds them."""
    total = 0.0
    for chunk in chunks:
        total = total + chunk.sum(axis=0, dtype=np.float64)
    return total


def row_totals(rows):
    """Return the sum of each row of H in float64; the memory layout does not change its bits."""
    return np.array([np.ascontiguousarray(row).sum(dtype=np.float64) for row in rows])


def row_norms(X):
    """Return the sum and the Euclidean length of each row of a CSR matrix, in float64."""
    norms = np.zeros((X.shape[0], 2))
    for start in range(0, X.shape[0], CHUNK):
        bounds = X.indptr[start : start + CHUNK + 1].astype(np.int64)
        values = X.data[bounds[0] : bounds[-1]].astype(np.float64)
        some, out = np.flatnonzero(np.diff(bounds)), norms[start : start + CHUNK]
        if len(some):
            first = bounds[some] - bounds[0]
            out[some, 0] = np.add.reduceat(values, first)
            out[some, 1] = np.sqrt(np.add.reduceat(values * values, first))
    return norms


def product_entries(W, H, rows, columns):
    """Return entries of W @ H, at rows and columns of shapes that broadcast, in bounded memory."""
    rows, columns = np.broadcast_arrays(rows, columns)
    result = np.empty(rows.shape, H.dtype)
    pairs, flat = (rows.ravel(), columns.ravel()), result.reshape(-1)
    for start in range(0, len(flat), CHUNK):
        i, j = (places[start : start + CHUNK] for places in pairs)
        np.einsum("pr,rp->p", W[i], H[:, j], out=flat[start : start + CHUNK])
    return result[()]
