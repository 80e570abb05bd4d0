"""Matrices in any of scipy's formats as CSR; index arrays and values are checked.

The conversions of some formats write outside of their arrays if these do not fit, so index arrays
are checked before scipy reads them.
"""

import numbers

import numpy as np
import scipy.sparse as sp

from .factors import largest

INT32_MAX = 2**31 - 1

SHORT = 32  # mean entries of rows, below which all indices are looked at (measured)


def as_csr(X, name):
    """Return a matrix as a new CSR array, or raise if its index arrays are corrupt.

    scipy's compiled code does not check index arrays, so this is done first. scipy also notes
    facts on its objects, so only the arrays of X are used, never X itself.
    """
    if X.format == "bsr":
        X = _blocks_to_csr(X, name)
    elif X.format == "dia":
        X = _diagonals_to_coo(X, name)
    elif X.format == "lil":
        if any(len(row) != len(values) for row, values in zip(X.rows, X.data, strict=True)):
            raise ValueError(
                f"{name} is corrupt (lil format): a row has other numbers of indices and values"
            )
    elif X.format == "dok":
        try:
            X = X.tocoo()
        except ValueError as error:
            raise ValueError(f"{name} is corrupt (dok format): {error}") from None
    if X.format == "coo":
        data = real_values(X.data, name)
        # Duplicates are summed, exactly in float64.
        data = data.astype(np.float64) if data.dtype.kind in "biu" else data
        places = np.asarray(X.row), np.asarray(X.col)  # min of a masked array skips what is masked
        _check_coordinates(places, X.shape, data, name)
        return sp.coo_array((data, places), shape=X.shape, copy=False).tocsr()
    if X.format not in ("csr", "csc"):
        X = X.tocsr()
    major, minor = X.shape if X.format == "csr" else X.shape[::-1]
    indptr, indices, canonical = _check_compressed(X, major, minor, name)
    kind = sp.csr_array if X.format == "csr" else sp.csc_array
    arrays = (real_values(X.data[: len(indices)], name), indices, indptr)
    X = kind(arrays, shape=X.shape, copy=False).tocsr()
    if canonical:
        X.has_canonical_format = True  # scipy would take three times as long to see it
    return X


def _blocks_to_csr(X, name):
    data = real_values(X.data, name)
    height, width = data.shape[1:] if data.ndim == 3 else (0, 0)
    if 0 in (height, width) or X.shape[0] % height or X.shape[1] % width:
        raise ValueError(f"{name} is corrupt (bsr format): data of shape {data.shape}")
    sizes = X.shape[0] // height, X.shape[1] // width
    indptr, indices, _ = _check_compressed(X, *sizes, name, dimensions=3)
    arrays = data[: len(indices)], indices, indptr
    return sp.bsr_array(arrays, shape=X.shape, copy=False).tocsr()


def _diagonals_to_coo(X, name):
    # scipy's own conversion writes outside of its arrays if these do not fit.
    data, offsets = real_values(X.data, name), np.asarray(X.offsets)
    if data.ndim != 2 or offsets.dtype.kind != "i" or offsets.shape != data.shape[:1]:
        raise ValueError(
            f"{name} is corrupt (dia format): data of shape {data.shape}, and offsets of shape "
            f"{offsets.shape} and type {offsets.dtype}"
        )
    data = data[:, : X.shape[1]]
    rows = np.arange(data.shape[1]) - offsets.astype(np.int64)[:, None]
    there = (rows >= 0) & (rows < X.shape[0]) & (data != 0)
    return sp.coo_array((data[there], (rows[there], np.nonzero(there)[1])), shape=X.shape)


def _check_coordinates(places, shape, data, name):
    n_values = data.size
    for axis, index, size in zip(("row", "column"), places, shape, strict=True):
        if data.ndim != 1 or index.ndim != 1 or len(index) != n_values:
            raise ValueError(
                f"{name} is corrupt (coo format): {axis} indices of shape {index.shape}, values "
                f"of shape {data.shape}"
            )
        if index.dtype.kind not in "iu":
            raise ValueError(
                f"{name} is corrupt (coo format): its {axis} indices must be integers, not "
                f"{index.dtype}"
            )
        if n_values and (index.min() < 0 or index.max() >= size):
            raise ValueError(
                f"{name} is corrupt (coo format): its {axis} indices must lie in "
                f"[0, {size}), but span [{index.min()}, {index.max()}]"
            )


def _check_compressed(X, n_major, n_minor, name, dimensions=1):
    """Return indptr, the stored indices, and whether they ascend, without repeats, in each row."""
    indptr, indices = np.asarray(X.indptr), np.asarray(X.indices)
    problem, ascend = None, True
    if indptr.dtype.kind != "i" or indices.dtype.kind != "i":
        problem = f"indptr and indices must be integers, not {indptr.dtype} and {indices.dtype}"
    elif indptr.shape != (n_major + 1,):
        problem = f"indptr has shape {indptr.shape} instead of ({n_major + 1},)"
    elif (indices.ndim, np.ndim(X.data)) != (1, dimensions):
        problem = f"indices and data have {indices.ndim} and {np.ndim(X.data)} dimensions"
    elif indptr[0] != 0:
        problem = f"indptr[0] is {indptr[0]} instead of 0"
    elif (falls := np.flatnonzero(indptr[1:] < indptr[:-1])).size:
        problem = f"indptr falls from {indptr[falls[0]]} to {indptr[falls[0] + 1]} at {falls[0]}"
    elif (least := min(len(X.data), len(indices))) < indptr[-1]:
        problem = f"indptr ends at {indptr[-1]}, but only {least} entries are stored"
    else:
        indptr, indices = _native(indptr), _native(indices[: indptr[-1]])
        ascend, outermost = _outermost(indices, indptr)
        # A negative number is a large one without its sign.
        if outermost.size and outermost.view(f"u{outermost.itemsize}").max() >= n_minor:
            low, high = indices.min(), indices.max()
            problem = f"indices must lie in [0, {n_minor}), but span [{low}, {high}]"
    if problem:
        raise ValueError(f"{name} is corrupt ({X.format} format): {problem}")
    return indptr, indices.astype(index_type(n_minor), copy=False), ascend


def _outermost(indices, indptr):
    """Return whether indices ascend, without repeats, in each row, and the outermost indices.

    All indices are in range if the outermost are: the first and the last of each row, where
    rows ascend. If rows are short, all are returned: picking the ends would take longer.
    """
    inside = np.array((1, len(indices)), indptr.dtype)  # another dtype would convert indptr
    starts = indptr[slice(*np.searchsorted(indptr, inside))].astype(np.intp)
    rises = np.ones(len(indices), bool)
    np.greater(indices[1:], indices[:-1], out=rises[1:])
    rises[starts] = True  # from one row to the next
    ascend = bool(rises.all())
    if not ascend or SHORT * len(starts) > len(indices):
        return ascend, indices
    return True, np.concatenate([indices[:1], indices[starts - 1], indices[starts], indices[-1:]])


def keep_entries(X, keep):
    """Return a CSR matrix with those of its stored entries that a mask keeps."""
    indptr = np.concatenate([[0], np.cumsum(keep)])[X.indptr].astype(X.indptr.dtype)
    return sp.csr_array((X.data[keep], X.indices[keep], indptr), shape=X.shape)


def index_type(size):
    """Return the dtype of indices below `size`: int32, or int64 if they need it."""
    return np.dtype(np.int32 if size <= INT32_MAX else np.int64)


def _native(array):
    """Return an array in this machine's byte order and aligned.

    A vector is also contiguous, as scipy's compiled code needs it; a matrix keeps its order.
    """
    kind = array.dtype.newbyteorder("=")
    if array.ndim == 2:
        return np.require(array, kind, "A")
    return np.require(array, kind, ["C", "A"])


def real_values(data, name):
    """Return real numbers in a dtype that scipy and the kernels can use, or raise.

    Half precision becomes single and extended becomes double; integers stay integers.
    """
    if isinstance(data, np.ma.MaskedArray):
        raise TypeError(f"{name} has masked values: fill them first")
    kind, size = data.dtype.kind, data.dtype.itemsize
    if kind not in "fbiu":
        _raise_not_real(data, name)
    data = _native(data)
    if kind == "f" and size not in (4, 8):
        with np.errstate(over="ignore"):  # an infinite value is reported later
            data = data.astype(np.float32 if size < 4 else np.float64)
    return data


def _raise_not_real(data, name):
    """Raise a TypeError that says what the data are instead of real numbers."""
    advice = {
        "c": "take its absolute values, or .real",
        "m": "turn times into numbers first",
        "M": "turn dates into numbers first",
        "O": "if all are numbers, convert it with .astype(float)",
    }.get(data.dtype.kind, "texts must be counted first; numbers as text: .astype(float)")
    example = ""
    if data.dtype.kind in "OSUTV" and data.size:
        odd = (
            place
            for place, value in np.ndenumerate(data)
            if not isinstance(value, numbers.Real | np.bool_)
        )
        place = next(odd, (0,) * data.ndim)
        value = data[place]
        is_text = isinstance(value, str | bytes | None)
        shown = repr(data.item(place)) if is_text else type(value).__name__
        shown = shown if len(shown) <= 40 else f"{shown[:40]}..."
        example = f", such as {shown} at {list(place)}"
    raise TypeError(
        f"{name} must hold real numbers (floats, integers or booleans), not {data.dtype}"
        f"{example}: {advice}"
    )


def check_dense(X, name, allow_nan=False, n_threads=1):
    """Raise if a value of a dense matrix is negative, infinite or missing."""
    if X.dtype.kind == "b" or X.size == 0 or _is_good(X, n_threads):
        return
    for i in range(len(X)):
        bad = ~(np.isfinite(X[i]) & (X[i] >= 0))
        if allow_nan:
            bad &= ~np.isnan(X[i])
        if bad.any():
            _raise_bad_value(name, i, int(bad.argmax()), X[i][bad.argmax()])


def _is_good(X, n_threads):
    """Return whether all values are finite and not negative, without a temporary array."""
    if X.dtype.kind == "f":
        # Read as unsigned integers, good values are below infinity: one pass tells.
        kind = np.dtype(f"u{X.itemsize}")
        if largest(X.view(kind), n_threads) < np.array(np.inf, X.dtype).view(kind):
            return True
    return X.min() >= 0 and X.max() < np.inf  # -0 is good, too; both return NaN if there is one


def check_values(X, name, allow_nan=False):
    """Return the smallest value; raise if a value is negative, infinite or missing."""
    # Neither pair allocates a temporary array; minimum and maximum return NaN if there is one.
    least, most = (np.fmin, np.fmax) if allow_nan else (np.minimum, np.maximum)
    low = least.reduce(X.data) if X.nnz else 0
    if X.data.dtype.kind == "b" or X.nnz == 0:
        return low
    if (low >= 0 and most.reduce(X.data) < np.inf) or (allow_nan and np.isnan(low)):
        return low
    good = np.isfinite(X.data) & (X.data >= 0)
    p = int(np.argmin(good | np.isnan(X.data) if allow_nan else good))
    row = int(np.searchsorted(X.indptr, p, side="right")) - 1
    _raise_bad_value(name, row, int(X.indices[p]), X.data[p])


def _raise_bad_value(name, row, column, value):
    if np.isnan(value):
        found, advice = "a missing value (NaN)", "drop or fill missing values first"
    elif np.isinf(value):
        found, advice = "an infinite value", "replace infinite values first"
    else:
        found = f"a negative value ({value:.6g})"
        advice = "a non-negative factorization needs data >= 0; shift, clip or split it first"
    raise ValueError(f"{name} has {found} at row {row}, column {column}: {advice}")
