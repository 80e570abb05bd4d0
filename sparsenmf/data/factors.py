"""Factors: arrays with padded, aligned rows, and sums over them."""

import contextlib
import mmap
from math import prod

import numpy as np

from .outputs import map_scratch
from .worker_threads import run_slices

CHUNK = 1024  # rows of a factor that NumPy works on at once, so that they stay in cache
VECTOR_BYTES = 32  # checked against `kernels.vector_code` by the tests; importing that loads numba
CACHE_LINE, PAGE, LARGE_PAGE = 64, 2**12, 2**21  # bytes
WORTH = 2**24  # bytes of an array, for which it is worth while to start a thread
PART, ADDED = 2048, 256  # sums side by side, and how many entries of each precede float64
SUMMABLE = 1e-20, 1e30  # sums, of squares too, with which single precision is trusted


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
        run_slices(provide, len(buffer), n_threads, WORTH)
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

    run_slices(look, len(array), n_threads, 1 + WORTH * len(array) // array.nbytes)
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

    run_slices(copy, len(given), n_threads, 1 + WORTH // factor.strides[0])


def column_totals(W):
    """Return the sums of the columns of W, in float64, a chunk of rows at a time."""
    return total_chunks(W[start : start + CHUNK] for start in range(0, len(W), CHUNK))


def total_chunks(chunks):
    """Return the sums of the columns of chunks of rows, one chunk after the other."""
    total = 0.0
    for chunk in chunks:
        total = total + chunk.sum(axis=0, dtype=np.float64)
    return total


def row_totals(rows):
    """Return the sum of each row of H, in float64, with the same bits from any array."""
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
