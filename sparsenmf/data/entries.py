"""Entries of X that have weights of their own, or that are unknown."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from .arguments import check_choice
from .validation import check_matrix

MISSING = ("zero", "unknown")

STORED = (
    "{} is a store, whose absent entries are zeros, each entry counting once: "
    'weights and missing="unknown" are for matrices in memory'
)


class Entries(NamedTuple):
    """How much the entries of X count.

    Attributes
    ----------
    weights : ndarray of shape (nnz,), dtype of X, or None
        Of the stored entries; None where each counts once.
    absent : float
        Of the others: 1, for they are zeros, or 0, for they are unknown.
    """

    weights: np.ndarray | None
    absent: float

    @property
    def plain(self):
        """Whether all count alike."""
        return self.weights is None and self.absent == 1


def check_missing(missing):
    """Return whether entries that are not stored are unknown."""
    return check_choice(missing, "missing", MISSING) == "unknown"


def check_entries(X, weights, missing, dtype=None):
    """Return X as `check_matrix` does, and its `Entries`.

    Where entries are unknown, those that are NaN are as well; then, and with weights, a
    stored zero is a value like others.

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
        If X or the weights are not what they should be, or do not match.
    """
    unknown = check_missing(missing)
    if weights is None and not unknown:
        return check_matrix(X, dtype=dtype), Entries(None, 1.0)
    X = check_matrix(X, dtype=dtype, keep_zeros=True, allow_nan=unknown)
    absent = 0.0 if unknown else 1.0
    if weights is not None:
        weights = check_matrix(weights, "weights", dtype=X.dtype, keep_zeros=True)
        _check_pattern(X, weights)
        weights = weights.data
    keep = np.ones(X.nnz, bool) if weights is None else (weights > 0) | (not unknown)
    keep &= ~np.isnan(X.data)
    if not keep.all():
        X, weights = _drop(X, keep), None if weights is None else weights[keep]
    return X, Entries(weights, absent)


def _check_pattern(X, weights):
    if weights.shape != X.shape:
        raise ValueError(f"weights has shape {weights.shape}, but X has shape {X.shape}")
    same = np.array_equal(weights.indptr, X.indptr) and np.array_equal(weights.indices, X.indices)
    if not same:
        raise ValueError(
            f"weights must have the same stored entries as X: they have {weights.nnz} and "
            f"{X.nnz}, and not all at the same places (weights may be zero, but stored)"
        )


def _drop(X, keep):
    """Return X without some of its entries."""
    indptr = np.concatenate([[0], np.cumsum(keep)])[X.indptr].astype(X.indptr.dtype)
    return sp.csr_array((X.data[keep], X.indices[keep], indptr), shape=X.shape)
