"""How much samples, features and entries of X count.

A sample of weight c counts as c copies of it, penalty included, and so does a feature. A beta
divergence grows with the beta-th power of a common factor of its arguments. The weighted problem
of X is therefore the plain problem of X with its rows and columns multiplied by
weight**(1 / beta), and its factors are multiplied likewise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from ..data.arguments import check_vector
from ..data.named import labels_of, names_of
from ..data.typing import Matrix, Vector
from ..data.validation import check_same_names

CHUNK = 2**18  # entries of X looked at together

LARGEST = 15  # orders of magnitude by which a row or a column is scaled


@dataclass(frozen=True, kw_only=True, eq=False)
class Weights:
    """How much samples, features and entries of X count, for ``factorize(X, k, weights=...)``.

    Parameters
    ----------
    samples : array-like of shape (n_samples,), optional
        A sample of weight c counts as c copies of it, in the loss and in the penalties. A sample
        of weight zero has no influence, and gets the W that `transform` returns for it.
    features : array-like of shape (n_features,), optional
        The same for features. A Series whose index has other names than X, or another order, is
        refused, as for samples. The result keeps them, and `transform` uses them. A feature of
        weight zero is left out: its column of H is zero. Weights of samples and features need a
        loss with beta > 0.
    entries : scipy.sparse matrix or array of shape (n_samples, n_features), optional
        How much each stored entry of X counts in the loss. It must store the same entries as X,
        stored zeros included. Other entries count once, or not at all with ``missing="unknown"``.

    Examples
    --------
    >>> from sparsenmf import Weights, factorize
    >>> X = [[4.0, 2, 0], [2.0, 1, 0], [0.0, 0, 3]]
    >>> model = factorize(X, 2, weights=Weights(samples=[1, 1, 5]), random_state=0)
    """

    samples: Vector | None = None
    features: Vector | None = None
    entries: Matrix | None = None

    @classmethod
    def of(cls, weights: Any) -> Weights:
        """Return what a user passed as `Weights`: a vector is of samples, a matrix of entries."""
        if weights is None or isinstance(weights, cls):
            return weights or cls()
        if getattr(weights, "ndim", None) == 1 or np.ndim(weights) == 1:
            return cls(samples=weights)
        return cls(entries=weights)


class Scaling(NamedTuple):
    """The weights of the rows and columns of X, by which X is scaled; None if all are one.

    Attributes
    ----------
    samples, features : ndarray of shape (n_samples,), (n_features,), float64, or None
    beta : float
        The beta of the loss.
    """

    samples: np.ndarray | None
    features: np.ndarray | None
    beta: float

    def sizes(self, shape):
        """Return the sums of the weights of samples and features."""
        pairs = zip((self.samples, self.features), shape, strict=True)
        return tuple(size if weights is None else float(weights.sum()) for weights, size in pairs)

    def scale_matrix(self, X):
        """Return a scaled copy of X, in which rows and columns of weight zero have no entries."""
        if self.samples is None and self.features is None:
            return X
        data, rows = X.data.copy(), scales(self.samples, self.beta)
        columns = scales(self.features, self.beta)
        for start in range(0, X.nnz, CHUNK):
            part = slice(start, min(start + CHUNK, X.nnz))
            if rows is not None:
                places = np.arange(part.start, part.stop)
                data[part] *= rows[np.searchsorted(X.indptr, places, side="right") - 1]
            if columns is not None:
                data[part] *= columns[X.indices[part]]
        # Copies, because zeros are dropped in place.
        scaled = sp.csr_array((data, X.indices.copy(), X.indptr.copy()), shape=X.shape)
        scaled.eliminate_zeros()
        return scaled

    def scale_W(self, W):
        """Return the W of the scaled matrix."""
        return _times(W, scales(self.samples, self.beta), 0)

    def scale_H(self, H):
        """Return the H of the scaled matrix."""
        return _times(H, scales(self.features, self.beta), 1)

    def unscale_W(self, W, start=0):
        """Return the W of X itself, from row `start` on; zero where the weight is zero."""
        samples = None if self.samples is None else self.samples[start : start + len(W)]
        return _times(W, inverses(samples, self.beta), 0)

    def unscale_H(self, H, out=None):
        """Return the H of X itself, perhaps in `out`; zero where the weight is zero."""
        return _times(H, inverses(self.features, self.beta), 1, out)


def _times(factor, scale, axis, out=None):
    if factor is None or scale is None:
        return factor
    scale = scale.astype(factor.dtype)
    return np.multiply(factor, scale[:, None] if axis == 0 else scale, out=out)


def scales(weights, beta):
    """Return the factors by which rows (or columns) of these weights are multiplied."""
    if weights is None:
        return None
    return np.power(weights, 1 / beta, out=np.zeros_like(weights), where=weights > 0)


def inverses(weights, beta):
    """Return the inverses of the scales, zero for zero."""
    scale = scales(weights, beta)
    return None if scale is None else np.divide(1, scale, out=scale, where=scale > 0)


def check_weight_names(names, weights, sample_weight=None):
    """Raise ValueError if weights have other names than X, or the same in another order."""
    samples = weights.samples if sample_weight is None else sample_weight
    check_same_names(names, names_of(weights.entries))
    check_same_names(names, (labels_of(weights.features), labels_of(samples)))


def check_scaling(weights, shape, beta, *, plain=True):
    """Return the `Scaling` by checked weights of samples and features.

    Raises
    ------
    TypeError, ValueError
        If they are not finite non-negative numbers, one for each sample and feature; if all are
        zero; if the loss has beta <= 0; or if entries are weighted or unknown (not `plain`).
    """
    if not (plain or (weights.samples is None and weights.features is None)):
        raise ValueError(
            "weights of samples and features are for entries that count alike: multiply them into "
            'weights.entries, which may go with missing="unknown"'
        )
    samples = check_vector(weights.samples, "weights.samples", shape[0])
    features = check_vector(weights.features, "weights.features", shape[1])
    if beta <= 0 and not (samples is None and features is None):
        raise ValueError(
            f"weights of samples and features need a loss with beta > 0: a divergence with "
            f"beta = {beta:g} does not grow with its arguments"
        )
    for name, vector in (("weights.samples", samples), ("weights.features", features)):
        _check_range(vector, name, beta)
    return Scaling(_unless_ones(samples), _unless_ones(features), beta)


def _check_range(weights, name, beta):
    """Raise if X or the factors would vanish or overflow when they are scaled."""
    if weights is None:
        return
    used = weights[weights > 0]
    low, high = (10.0 ** (beta * exponent) for exponent in (-LARGEST, LARGEST))
    if used.min() < low or used.max() > high:
        raise ValueError(
            f"{name} has values from {used.min():.3g} to {used.max():.3g}: those that are not "
            f"zero must lie between {low:.3g} and {high:.3g}"
        )


def _unless_ones(weights):
    """Return None for weights that are all one, so that the bits are those of a plain problem."""
    return None if weights is None or (weights == 1).all() else weights
