"""Tf-idf weights of counts, as scikit-learn's with ``sublinear_tf=True``."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from .factors import row_norms
from .store import is_store

UNIT = 1e-3  # how far the length of a weighed row may be from 1: others may have rounded it


def inverse_frequencies(X):
    """Return ``1 + log((1 + n_samples) / (1 + n))`` for the n samples that have each feature."""
    n = np.bincount(X.indices[X.data != 0], minlength=X.shape[1])
    return np.log((1 + X.shape[0]) / (1 + n)) + 1


def weigh(X, idf):
    """Return counts weighed by ``(1 + log(count)) * idf``, and rows scaled to length 1.

    Parameters
    ----------
    X : csr_array of shape (n_samples, n_features)
    idf : ndarray of shape (n_features,)

    Returns
    -------
    csr_array of the same shape and type
    """
    data = np.log(X.data, out=np.zeros_like(X.data), where=X.data > 0)
    data += 1
    data[X.data == 0] = 0
    data *= idf[X.indices].astype(X.dtype, copy=False)
    result = sp.csr_array((data, X.indices.copy(), X.indptr.copy()), shape=X.shape)
    lengths = row_norms(result)[:, 1]
    lengths[lengths == 0] = 1
    data /= np.repeat(lengths, np.diff(X.indptr)).astype(X.dtype, copy=False)
    return result


def weigh_alike(X, idf):
    """Return a matrix weighed as the one of the fit was, if it can be.

    Counts, all of whose entries are whole numbers, are weighed. Rows of length 1 have been.

    Raises
    ------
    ValueError
        If X is neither.
    TypeError
        If X is a store.
    """
    if is_store(X):
        raise TypeError("the model is one of tf-idf weights, and X is a store: pass a matrix")
    if _are_counts(X):
        return weigh(X, idf)
    lengths = row_norms(X)[:, 1]
    if (np.abs(lengths[lengths > 0] - 1) > UNIT).any():
        raise ValueError(
            "the model was fitted to tf-idf weights, and X is neither counts, to which they are "
            "applied, nor so weighed: it has fractions, and rows that are not of length 1; pass "
            "the counts"
        )
    return X


def check_counts(X):
    """Raise ValueError unless all entries are whole numbers."""
    if not _are_counts(X):
        value = X.data[X.data != np.rint(X.data)][0]
        raise ValueError(
            f"tf-idf weighs counts, and X has fractions ({value:.6g}): leave it out if X is "
            f"weighed already"
        )


def _are_counts(X):
    return np.array_equal(X.data, np.rint(X.data))
