"""The one gate for matrices: every cast and every error about what a user passed in.

Kernels check nothing, so nothing reaches them but through here. Each error names
the argument, says what was found and where, and what to do.
"""

import numpy as np
import scipy.sparse as sp

from .containers import unwrap
from .factors import largest
from .formats import as_csr, index_type, real_values
from .frames import holds_numbers, is_frame, read_frame

FLOAT32_EXACT = 2**24  # integers up to here are exact in float32

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
    kind = index_type(max(X.nnz, *X.shape))
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
    if is_frame(X):
        X = read_frame(X, name, keep_zeros=keep_zeros, allow_nan=allow_nan)
        if sp.issparse(X):
            return X
    X = fill_masked(X, name, allow_nan)
    try:
        X = np.asarray(X)
    except ValueError as error:
        raise TypeError(f"{name} cannot be read as a matrix: {error}") from None
    if X.dtype == object and X.ndim == 0:
        raise TypeError(
            f"{name} must hold real numbers (floats, integers or booleans), but is of the type "
            f"{type(X.item()).__name__}: pass a matrix, an array or a DataFrame"
        )
    if X.dtype == object and X.ndim == 2 and holds_numbers(X.flat):
        X = X.astype(np.float64)
    X = real_values(X, name)
    if X.ndim != 2:
        raise ValueError(
            f"{name} must have two dimensions (n_samples, n_features), but its shape is {X.shape}"
        )
    _check_dense(X, name, allow_nan)
    return _store_all(X, allow_nan) if keep_zeros else sp.csr_array(X)


def fill_masked(X, name, allow_nan):
    """Return a masked array, or a list of such, with NaN for what is masked.

    Anything else is returned as it is.

    Raises
    ------
    TypeError
        If X is a masked array, and no missing values are allowed.
    """
    rows = X if isinstance(X, list | tuple) else ()
    if any(isinstance(row, np.ma.MaskedArray) for row in rows):
        X = np.ma.stack(X)
    if not isinstance(X, np.ma.MaskedArray):
        return X
    if not allow_nan:
        raise TypeError(
            f"{name} is a masked array: fill what is masked ({name}.filled(0)) if it means "
            f'zero, or pass missing="unknown" where there is such an argument'
        )
    return np.ma.filled(X.astype(np.result_type(X.dtype, np.float32)), np.nan)


def _store_all(X, allow_nan):
    """Return a sparse matrix with all entries of a dense one, but for missing ones."""
    there = ~np.isnan(X) if allow_nan and X.dtype.kind == "f" else np.ones(X.shape, bool)
    row, column = np.nonzero(there)
    return sp.coo_array((X[there], (row, column)), shape=X.shape)


def _check_dense(X, name, allow_nan=False, n_threads=1):
    if X.dtype.kind == "b" or X.size == 0 or _is_good(X, n_threads):
        return
    for i in range(len(X)):
        bad = ~(np.isfinite(X[i]) & (X[i] >= 0))
        if allow_nan:
            bad &= ~np.isnan(X[i])
        if bad.any():
            _raise_bad_value(name, i, int(bad.argmax()), X[i][bad.argmax()])


def _is_good(X, n_threads):
    """Return whether all values are finite and not negative; no temporary is needed."""
    if X.dtype.kind == "f":
        # Bits of good values, as numbers without a sign, are below those of infinity: one pass.
        kind = np.dtype(f"u{X.itemsize}")
        if largest(X.view(kind), n_threads) < np.array(np.inf, X.dtype).view(kind):
            return True  # else there may be a -0
    return X.min() >= 0 and X.max() < np.inf  # a NaN passes through both


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


def check_factor(factor, name, shape, shape_words, dtype, n_threads=1):
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
    _check_dense(factor, name, n_threads=n_threads)
    return _cast(factor, dtype, name)
