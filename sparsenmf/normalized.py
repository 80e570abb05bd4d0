"""Factors whose rows or columns sum to one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .arguments import check_choice
from .typing import FloatArray

CHUNK = 1024  # rows of a factor that NumPy works on at once, so that they stay in cache


class Normalized(NamedTuple):
    """Factors whose rows or columns sum to one: X is about scale[:, None] * (W @ H).

    Attributes
    ----------
    W : ndarray of shape (n_samples, n_components)
    H : ndarray of shape (n_components, n_features)
    scale : ndarray of shape (n_samples,)
        Ones, unless the rows of W sum to one.
    """

    W: FloatArray
    H: FloatArray
    scale: FloatArray


def normalize(model, by):
    """Return the factors of a model as `Normalized`; see `Factorization.normalize`."""
    check_choice(by, "by", ("H", "W", "both"))
    scale = np.ones(model.n_samples, model.W.dtype)
    if by == "W":
        W, totals = _sum_to_one(model.W.T)
        return Normalized(np.ascontiguousarray(W.T), model.H * totals[:, None], scale)
    H, totals = _sum_to_one(model.H)
    W = model.W * totals
    if by == "both":
        W, scale = _sum_to_one(W)
    return Normalized(W, H, scale)


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


def component_masses(model):
    """Return the sum of W[:, r] * H[r] for each component: what the components are ordered by."""
    return column_totals(model.W) * row_totals(model.H)


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


def _sum_to_one(factor):
    """Return the rows of a factor divided by their sums, and the sums (of zero rows, zero)."""
    totals = factor.sum(axis=1, dtype=np.float64)
    inverse = np.divide(1.0, totals, out=np.zeros_like(totals), where=totals > 0)
    # In float64, so that a tiny total does not overflow; a chunk at a time, for memory.
    rows = np.empty_like(factor, order="C")
    for start in range(0, len(factor), CHUNK):
        part = slice(start, start + CHUNK)
        rows[part] = factor[part] * inverse[part, None]
    return rows, totals.astype(factor.dtype)
