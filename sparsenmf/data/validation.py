"""Checks of all matrices: every cast, and every error about a matrix that a user passed.

Kernels check nothing, so every matrix passes through here first. Each error names the argument,
says what was found and where, and what to do.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from .arguments import check_choice
from .containers import holds_numbers, is_frame, read_frame, unwrap
from .formats import as_csr, check_dense, check_values, index_type, keep_entries, real_values
from .named import names_of

MISSING = ("zero", "unknown")

NO_WEIGHTS = (
    "{} is a store, whose absent entries are zeros, each entry counting once: "
    'weights and missing="unknown" are for matrices in memory'
)

FLOAT32_EXACT = 2**24  # integers up to here are exact in float32

SCALES = {np.dtype(np.float32): (1e-15, 1e15), np.dtype(np.float64): (1e-100, 1e100)}
"""Range of the largest value of X. Factors are about as large as its square root: outside of the
range, long sums of their cubes would come near the limits of the dtype."""


def check_matrix(X, name="X", dtype=None, *, keep_zeros=False, allow_nan=False):
    """Return X as a canonical CSR array of float32 or float64.

    Parameters
    ----------
    X : scipy.sparse matrix or array, ndarray, DataFrame, or what `containers.unwrap` takes
        Non-negative and finite, in any format and index order. It is never written to: a copy
        has its duplicates summed and its explicit zeros dropped.
    name : str
        The argument's name, for the errors.
    dtype : dtype, optional
        Precision to convert to, instead of X's own.
    keep_zeros : bool
        Whether to keep stored zeros, and to store the zeros of a dense array.
    allow_nan : bool
        Whether a missing value may be stored. Those of a dense array are left out.

    Returns
    -------
    scipy.sparse.csr_array
        Sorted, without duplicates and zeros. Its data are float32 (also for float16, and for
        integers and booleans below 2**24) or float64. It shares X's arrays where it can.

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
    least = check_values(X, name, allow_nan)
    drop_zeros = not keep_zeros and X.nnz and least == 0
    if not X.has_canonical_format or drop_zeros:
        # Duplicates of integers are summed in float64, because small types would overflow.
        data = X.data.astype(np.float64 if counts else X.dtype)
        arrays = (data, X.indices.copy(), X.indptr.copy())
        X = sp.csr_array(arrays, shape=X.shape, copy=False)
        X.sum_duplicates()
        if drop_zeros:
            X.eliminate_zeros()
        check_values(X, name, allow_nan)  # two large values may have added up to infinity
    if dtype is None:
        exact = not counts or X.nnz == 0 or X.data.max() < FLOAT32_EXACT
        dtype = (np.float32 if exact else np.float64) if counts else X.dtype
    data = _cast(X.data, np.dtype(dtype), name)
    if data is not X.data and not keep_zeros and data.size and data.min() == 0:
        X = sp.csr_array((data, X.indices.copy(), X.indptr.copy()), shape=X.shape, copy=False)
        X.eliminate_zeros()  # the cast has made them
        data = X.data
    kind = index_type(max(X.nnz, *X.shape))
    indices, indptr = (index.astype(kind, copy=False) for index in (X.indices, X.indptr))
    X = sp.csr_array((data, indices, indptr), shape=X.shape, copy=False)
    X.indices, X.indptr = indices, indptr  # scipy may have widened them
    return X


def check_scale(X, dtype=None):
    """Raise if products of factors of X would overflow or vanish in its precision."""
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
    """Return finite values in another dtype, or raise if they are too large for it."""
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
    check_dense(X, name, allow_nan)
    return _store_all(X, allow_nan) if keep_zeros else sp.csr_array(X)


def fill_masked(X, name, allow_nan):
    """Return a masked array, or a list of such rows, with NaN for masked values.

    Anything else is returned unchanged.

    Raises
    ------
    TypeError
        If X is a masked array and no missing values are allowed.
    """
    rows = X if isinstance(X, list | tuple) else ()
    if any(isinstance(row, np.ma.MaskedArray) for row in rows):
        X = np.ma.stack(X)
    if not isinstance(X, np.ma.MaskedArray):
        return X
    if not allow_nan:
        raise TypeError(
            f"{name} is a masked array: fill it ({name}.filled(0)) if what is masked means "
            f'zero, or pass missing="unknown" where there is such an argument'
        )
    return np.ma.filled(X.astype(np.result_type(X.dtype, np.float32)), np.nan)


def _store_all(X, allow_nan):
    """Return a dense matrix as a sparse one that stores all entries, zeros too, but for NaN."""
    there = ~np.isnan(X) if allow_nan and X.dtype.kind == "f" else np.ones(X.shape, bool)
    row, column = np.nonzero(there)
    return sp.coo_array((X[there], (row, column)), shape=X.shape)


def check_factor(factor, name, shape, shape_words, dtype, n_threads=1):
    """Return a user's W or H as an array of this dtype, in its memory order, copied if need be.

    It may have fewer components than the shape says.

    Raises
    ------
    TypeError, ValueError
        If it is not a dense, finite, non-negative matrix of this shape.
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
    check_dense(factor, name, n_threads=n_threads)
    return _cast(factor, dtype, name)


class EntryWeights(NamedTuple):
    """How much each entry of X counts.

    Attributes
    ----------
    weights : ndarray of shape (nnz,), dtype of X, or None
        Weights of the stored entries; None if each counts once.
    absent : float
        Weight of the other entries: 1 if they are zeros, 0 if they are unknown.
    """

    weights: np.ndarray | None
    absent: float

    @property
    def plain(self):
        """Whether all entries count alike."""
        return self.weights is None and self.absent == 1


def check_missing(missing):
    """Return whether entries that are not stored are unknown."""
    return check_choice(missing, "missing", MISSING) == "unknown"


def check_weighted(X, weights, missing, dtype=None):
    """Return X as `check_matrix` does, and its `EntryWeights`.

    With missing="unknown", stored NaN are unknown entries, too. Stored zeros are kept if there
    are weights or unknown entries.

    Parameters
    ----------
    X : matrix
    weights : matrix or None
        With exactly the stored entries of X.
    missing : "zero" or "unknown"
    dtype : dtype, optional

    Raises
    ------
    TypeError, ValueError
        If X or the weights are not such matrices, or their stored entries differ.
    """
    unknown = check_missing(missing)
    if weights is None and not unknown:
        return check_matrix(X, dtype=dtype), EntryWeights(None, 1.0)
    names = None if weights is None else names_of(X)
    X = check_matrix(X, dtype=dtype, keep_zeros=True, allow_nan=unknown)
    keep = ~np.isnan(X.data)
    if names is not None:
        check_same_names(names, names_of(weights))
        weights = check_matrix(weights, "weights", dtype=X.dtype, keep_zeros=True)
        _check_pattern(X, weights)
        weights = weights.data
        keep &= (weights > 0) | (not unknown)
    if not keep.all():
        X = keep_entries(X, keep)
        weights = None if weights is None else weights[keep]
    return X, EntryWeights(weights, 0.0 if unknown else 1.0)


def check_same_names(names, theirs):
    """Raise ValueError if the samples or features of X and of weights have different names."""
    for side, ours, others in zip(("features", "samples"), names, theirs, strict=True):
        if ours is None or others is None or len(ours) != len(others):
            continue  # its shape will be told
        if not np.array_equal(ours.astype(str), others.astype(str)):
            raise ValueError(
                f"weights has other {side} than X, or another order: put them in the order "
                f"of X's, or pass a plain matrix, which is taken as it is"
            )


def _check_pattern(X, weights):
    if weights.shape != X.shape:
        raise ValueError(f"weights has shape {weights.shape}, but X has shape {X.shape}")
    same = np.array_equal(weights.indptr, X.indptr) and np.array_equal(weights.indices, X.indices)
    if not same:
        raise ValueError(
            f"weights must have the same stored entries as X: they have {weights.nnz} and "
            f"{X.nnz}, and not all at the same places (weights may be zero, but stored)"
        )
