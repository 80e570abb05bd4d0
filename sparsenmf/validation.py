"""The one gate for matrices: every cast and every error about what a user passed in.

Kernels check nothing, so nothing reaches them but through here. Each error names
the argument, says what was found and where, and what to do.
"""

import numpy as np
import scipy.sparse as sp

from .interchange import unwrap

FLOAT32_EXACT = 2**24  # integers up to here are exact in float32

INT32_MAX = 2**31 - 1

SCALES = {np.dtype(np.float32): (1e-15, 1e15), np.dtype(np.float64): (1e-100, 1e100)}
"""Range of the largest value of X: beyond it, cubes of its square root, times long sums,
come near the limits of the type."""


def check_matrix(X, name="X", dtype=None, *, keep_zeros=False, allow_nan=False):
    """Return X as a canonical CSR array of float32 or float64, never densified.

    Parameters
    ----------
    X : scipy.sparse matrix or array, ndarray, or pandas DataFrame
        Or what `interchange.unwrap` knows. Non-negative and finite. Any format and index
        order; duplicates are summed and explicit zeros dropped, in a copy. Never written to.
    name : str
        The argument's name, for the errors.
    dtype : dtype, optional
        Precision to convert to, instead of X's own.
    keep_zeros : bool
        Whether a stored zero, or a zero in a dense array, is an entry like others.
    allow_nan : bool
        Whether a missing value may be stored; in a dense array it is one that is not stored.

    Returns
    -------
    scipy.sparse.csr_array
        Sorted, without duplicates and zeros; data float32 (also for float16, and for integers
        and booleans below 2**24) or float64. Shares X's arrays where it can.

    Raises
    ------
    TypeError
        If X is not a real numeric matrix.
    ValueError
        If X is not two-dimensional, is empty, has corrupt index arrays, or holds a
        negative, infinite or missing value.
    """
    X = _as_sparse(X, name, keep_zeros, allow_nan)
    if X.ndim != 2:
        raise ValueError(f"{name} must have two dimensions, not {X.ndim}")
    if 0 in X.shape:
        raise ValueError(f"{name} is empty: its shape is {X.shape[0]} x {X.shape[1]}")
    counts = X.dtype.kind in "biu"
    X = as_csr(X, name)
    least = _check_values(X, name, allow_nan)
    drop_zeros = not keep_zeros and X.nnz and least == 0
    if not X.has_canonical_format or drop_zeros:
        # Integers are summed in float64: small types would overflow.
        data = X.data.astype(np.float64 if counts else X.dtype)
        arrays = (data, X.indices.copy(), X.indptr.copy())
        X = sp.csr_array(arrays, shape=X.shape, copy=False)
        X.sum_duplicates()
        if drop_zeros:
            X.eliminate_zeros()
        _check_values(X, name, allow_nan)  # two large values may add up to infinity
    if dtype is None:
        exact = not counts or X.nnz == 0 or X.data.max() < FLOAT32_EXACT
        dtype = (np.float32 if exact else np.float64) if counts else X.dtype
    data = _cast(X.data, np.dtype(dtype), name)
    if data is not X.data and not keep_zeros and data.size and data.min() == 0:
        X = sp.csr_array((data, X.indices.copy(), X.indptr.copy()), shape=X.shape, copy=False)
        X.eliminate_zeros()  # what has become zero
        data = X.data
    kind = _index_type(max(X.nnz, *X.shape))
    indices, indptr = (index.astype(kind, copy=False) for index in (X.indices, X.indptr))
    X = sp.csr_array((data, indices, indptr), shape=X.shape, copy=False)
    X.indices, X.indptr = indices, indptr  # scipy widens them where it need not
    return X


def check_scale(X, dtype=None):
    """Raise if sums of products of X's values would overflow or vanish in its precision."""
    top = X.max_value if hasattr(X, "max_value") else X.data.max() if X.nnz else 0
    dtype = np.dtype(dtype or X.dtype)
    low, high = SCALES[dtype]
    if top and not low <= top <= high:
        raise ValueError(
            f"X has values up to {top:.3g}, and products of factors of that size do not fit "
            f"into {dtype}: multiply X by a constant so that its largest value lies between "
            f"{low:g} and {high:g}"
        )


def _cast(data, dtype, name):
    """Convert finite values, or raise if the type cannot hold them."""
    with np.errstate(over="ignore"):
        cast = data.astype(dtype, copy=False)
    if cast is not data and cast.size and np.isinf(np.fmax.reduce(cast, axis=None)):
        raise ValueError(f"{name} has values up to {data.max():.3g}, too large for {dtype}")
    return cast


def _as_sparse(X, name, keep_zeros, allow_nan):
    X = unwrap(X, name)
    if sp.issparse(X):
        return X
    if hasattr(X, "dtypes") and hasattr(X, "to_numpy"):  # a pandas DataFrame
        if hasattr(X, "sparse"):
            try:
                return X.sparse.to_coo()
            except AttributeError:  # the accessor exists, but not all columns are sparse
                pass
            except ValueError as error:
                raise ValueError(f"{name} cannot be read as a sparse matrix: {error}") from None
        X = X.to_numpy()
    if isinstance(X, np.ma.MaskedArray):
        if not allow_nan:
            raise TypeError(
                f"{name} is a masked array: fill what is masked ({name}.filled(0)) if it means "
                f'zero, or pass missing="unknown" where there is such an argument'
            )
        X = np.ma.filled(X.astype(np.result_type(X.dtype, np.float32)), np.nan)
    try:
        X = np.asarray(X)
    except ValueError as error:
        raise TypeError(f"{name} cannot be read as a matrix: {error}") from None
    X = real_values(X, name)
    if X.ndim != 2:
        raise ValueError(
            f"{name} must have two dimensions (n_samples, n_features), but its shape is {X.shape}"
        )
    _check_dense(X, name, allow_nan)
    return _store_all(X, allow_nan) if keep_zeros else sp.csr_array(X)


def _store_all(X, allow_nan):
    """Return a sparse matrix with all entries of a dense one, but for missing ones."""
    there = ~np.isnan(X) if allow_nan and X.dtype.kind == "f" else np.ones(X.shape, bool)
    row, column = np.nonzero(there)
    return sp.coo_array((X[there], (row, column)), shape=X.shape)


def _check_dense(X, name, allow_nan=False):
    # min and max need no temporary, and a NaN passes through both.
    if X.dtype.kind == "b" or X.size == 0 or (X.min() >= 0 and X.max() < np.inf):
        return
    for i in range(len(X)):
        bad = ~(np.isfinite(X[i]) & (X[i] >= 0))
        if allow_nan:
            bad &= ~np.isnan(X[i])
        if bad.any():
            _raise_bad_value(name, i, int(bad.argmax()), X[i][bad.argmax()])


def as_csr(X, name):
    """Return a CSR array of our own, after making sure that scipy may read X.

    scipy's compiled code does not check index arrays, and notes facts on its objects:
    so they are checked first, and X itself is not used but for its arrays.
    """
    if X.format == "bsr":
        X = _blocks_to_csr(X, name)
    elif X.format == "dia":
        X = _diagonals_to_coo(X, name)
    elif X.format == "lil":
        if any(len(row) != len(values) for row, values in zip(X.rows, X.data, strict=True)):
            raise ValueError(f"{name} is corrupt (lil format): a row has not one index a value")
    elif X.format == "dok":
        try:
            X = X.tocoo()
        except ValueError as error:
            raise ValueError(f"{name} is corrupt (dok format): {error}") from None
    if X.format == "coo":
        data = real_values(X.data, name)
        data = data.astype(np.float64) if data.dtype.kind in "biu" else data  # sums are exact
        places = np.asarray(X.row), np.asarray(X.col)  # the smallest of a masked array is not
        _check_coordinates(places, X.shape, data, name)
        return sp.coo_array((data, places), shape=X.shape, copy=False).tocsr()
    if X.format not in ("csr", "csc"):
        X = X.tocsr()
    major, minor = X.shape if X.format == "csr" else X.shape[::-1]
    indptr, indices = _check_compressed(X, major, minor, name)
    stored = int(indptr[-1])
    kind = sp.csr_array if X.format == "csr" else sp.csc_array
    arrays = (real_values(X.data[:stored], name), indices[:stored], indptr)
    return kind(arrays, shape=X.shape, copy=False).tocsr()


def _blocks_to_csr(X, name):
    data = real_values(X.data, name)
    height, width = data.shape[1:] if data.ndim == 3 else (0, 0)
    if 0 in (height, width) or X.shape[0] % height or X.shape[1] % width:
        raise ValueError(f"{name} is corrupt (bsr format): data of shape {data.shape}")
    sizes = X.shape[0] // height, X.shape[1] // width
    indptr, indices = _check_compressed(X, *sizes, name, dimensions=3)
    stored = int(indptr[-1])
    arrays = data[:stored], indices[:stored], indptr
    return sp.bsr_array(arrays, shape=X.shape, copy=False).tocsr()


def _diagonals_to_coo(X, name):
    # scipy's conversion writes outside of its arrays where these do not fit.
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
    indptr, indices = np.asarray(X.indptr), np.asarray(X.indices)
    problem = None
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
    # What is negative is large as an unsigned number.
    elif (stored := indices[: indptr[-1]]).size and (
        _native(stored).view(f"u{stored.itemsize}").max() >= n_minor
    ):
        low, high = stored.min(), stored.max()
        problem = f"indices must lie in [0, {n_minor}), but span [{low}, {high}]"
    if problem:
        raise ValueError(f"{name} is corrupt ({X.format} format): {problem}")
    return _native(indptr), _native(indices).astype(_index_type(n_minor), copy=False)


def _index_type(size):
    return np.int32 if size <= INT32_MAX else np.int64


def _native(array):
    """Return the array in this machine's byte order and aligned.

    And contiguous, as scipy's compiled code wants it, but for a matrix, which stays in its order.
    """
    kind = array.dtype.newbyteorder("=")
    if array.ndim == 2:
        return np.require(array, kind, "A")
    return np.require(array, kind, ["C", "A"])


def real_values(data, name):
    """Return data that scipy and the kernels can work with, or raise if it is not real.

    Half precision becomes single, extended becomes double; integers stay.
    """
    if isinstance(data, np.ma.MaskedArray):
        raise TypeError(f"{name} has masked values: fill them first")
    kind, size = data.dtype.kind, data.dtype.itemsize
    if kind not in "fbiu":
        raise TypeError(
            f"{name} must hold real numbers (floats, integers or booleans), not {data.dtype}: "
            f"convert it with {name}.astype(float)"
        )
    data = _native(data)
    if kind == "f" and size not in (4, 8):
        with np.errstate(over="ignore"):  # what is too large is reported as infinite
            data = data.astype(np.float32 if size < 4 else np.float64)
    return data


def _check_values(X, name, allow_nan=False):
    """Return the smallest value, or raise if there is one that is not allowed."""
    # min and max need no temporary, and a NaN passes through both, but not through fmin.
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


def check_factor(factor, name, shape, shape_words, dtype):
    """Return a start for W or H as an array of X's precision, in any order (a copy if need be).

    It may have fewer components than the factor.

    Raises
    ------
    TypeError, ValueError
        If it is not a finite non-negative matrix of the shape.
    """
    if sp.issparse(factor):
        raise TypeError(f"{name} must be a dense array: pass {name}.toarray()")
    if isinstance(factor, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array: fill its missing entries")
    factor = real_values(np.asarray(factor), name)
    most = tuple(min(pair) for pair in zip(factor.shape, shape, strict=False))
    fewer = factor.ndim == 2 and factor.size and most == factor.shape
    axis = shape_words.split(" x ").index("n_components")
    if not fewer or factor.shape[1 - axis] != shape[1 - axis]:
        raise ValueError(
            f"{name} has shape {factor.shape}, but {shape_words} is {shape[0]} x {shape[1]}"
        )
    _check_dense(factor, name)
    return _cast(factor, dtype, name)
