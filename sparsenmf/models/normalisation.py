"""Factors whose rows or columns sum to one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..data.arguments import check_choice
from ..data.factors import column_totals, row_totals
from ..data.typing import FloatArray

CHUNK_ENTRIES = 2**16  # of a factor, in float64 together


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


def component_masses(model):
    """Return the sum of W[:, r] * H[r] for each component: what the components are ordered by."""
    return column_totals(model.W) * row_totals(model.H)


def _sum_to_one(factor):
    """Return the rows of a factor divided by their sums, and the sums (of zero rows, zero)."""
    totals = factor.sum(axis=1, dtype=np.float64)
    inverse = np.divide(1.0, totals, out=np.zeros_like(totals), where=totals > 0)
    # In float64, so that a tiny total does not overflow; a few rows at a time, for memory.
    rows, step = np.empty_like(factor, order="C"), max(1, CHUNK_ENTRIES // factor.shape[1])
    for start in range(0, len(factor), step):
        part = slice(start, start + step)
        rows[part] = factor[part] * inverse[part, None]
    return rows, totals.astype(factor.dtype)
