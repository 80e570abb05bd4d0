"""Small matrices with weights and unknown entries, and their loss by its definition."""

import functools

import numpy as np
import scipy.sparse as sp

from sparsenmf.selection.fits import fit_candidate
from sparsenmf.selection.weighted import WeightedMatrix

from ..problems import planted_counts

SHAPE = 60, 50
QUICK = {"random_state": 0, "n_threads": 1, "n_repeats": 2, "max_iter": 15}


def planted_ratings(n_components, shape=(150, 120), share=0.4, noise=0.1, seed=0):
    """Known entries of W H with noise, most of them far from zero."""
    rng = np.random.default_rng(seed)
    W = rng.gamma(2.0, size=(shape[0], n_components)) * (rng.random((shape[0], n_components)) < 0.5)
    H = rng.gamma(2.0, size=(n_components, shape[1]))
    Y = (W + 0.05) @ H
    known = rng.random(shape) < share
    i, j = np.nonzero(known)
    values = Y[i, j] * np.exp(noise * rng.standard_normal(len(i)))
    return sp.csr_array((values, (i, j)), shape=shape)


def weighted(kind, seed=0):
    """Return a small matrix with weights of a kind, and the dense weights of all its entries."""
    rng = np.random.default_rng(seed)
    X = sp.csr_array(planted_counts(3, *SHAPE, mean=1.0)[0].astype(float))
    entries, samples, features = (
        sp.csr_array((rng.random(X.nnz) + 0.5, X.indices, X.indptr), shape=X.shape),
        rng.random(SHAPE[0]) + 0.5,
        rng.random(SHAPE[1]) + 0.5,
    )
    stored = np.zeros(SHAPE)
    stored[rows_of(X), X.indices] = 1
    if kind == "samples and features":
        return WeightedMatrix(X, None, samples, features), np.outer(samples, features)
    if kind == "entries":
        return WeightedMatrix(X, entries), np.where(stored, entries.toarray(), 1.0)
    if kind == "unknown":
        return WeightedMatrix(X, missing="unknown"), stored
    return WeightedMatrix(X, entries, missing="unknown"), entries.toarray()


def rows_of(X):
    return np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))


KINDS = ["samples and features", "entries", "unknown", "entries and unknown"]


def dense_loss(x, y, weights, beta, floor):
    """The weighted loss by its definition; `floor` is for what is positive."""
    if beta == 2:
        return float((weights * 0.5 * (x - y) ** 2).sum())
    y = np.where(x > 0, np.maximum(y, floor), y)
    logs = np.zeros_like(y)
    logs[x > 0] = np.log(x[x > 0] / y[x > 0])
    return float((weights * (x * logs - x + y)).sum())


def fitter(n_components, loss="frobenius", **options):
    fixed = {"start": None, "rng": 0, "n_threads": 1, "tol": 1e-4}
    return functools.partial(
        fit_candidate, n_components=n_components, loss=loss, **{**fixed, **options}
    )
