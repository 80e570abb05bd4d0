"""Similarity of components: cosines, a hierarchy, and a layout in the plane."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data.arguments import check_choice
from ..data.typing import IntArray

LINKAGES = ("average", "complete", "single")


def topic_similarity(H: ArrayLike) -> NDArray[np.float64]:
    """Return the cosine similarity of all pairs of components.

    Parameters
    ----------
    H : ndarray of shape (n_components, n_features)
        For example ``model.H``.

    Returns
    -------
    ndarray of shape (n_components, n_components), float64
        Symmetric, between 0 and 1, with ones on the diagonal. A component that is zero has
        similarity 0 to all others.

    Raises
    ------
    TypeError, ValueError
        If H is not a matrix of finite, nonnegative numbers.

    Examples
    --------
    >>> from sparsenmf import topic_similarity
    >>> topic_similarity([[1.0, 1, 0], [1, 0, 0], [0, 0, 2]]).round(2)
    array([[1.  , 0.71, 0.  ],
           [0.71, 1.  , 0.  ],
           [0.  , 0.  , 1.  ]])
    """
    units = unit_rows(check_components(H))
    cosines = np.clip(units @ units.T, 0.0, 1.0)
    cosines = (cosines + cosines.T) / 2
    np.fill_diagonal(cosines, 1.0)
    return cosines


def topic_hierarchy(
    H: ArrayLike, method: Literal["average", "complete", "single"] = "average"
) -> NDArray[np.float64]:
    """Return the hierarchical clustering of components.

    Parameters
    ----------
    H : ndarray of shape (n_components, n_features)
    method : {"average", "complete", "single"}, default "average"
        The distance between two groups of components: the mean, the largest or the smallest
        1 - cosine between their members.

    Returns
    -------
    ndarray of shape (n_components - 1, 4), float64
        A linkage matrix for `scipy.cluster.hierarchy` (``dendrogram``, ``fcluster``,
        ``leaves_list``): each row has the two groups that are merged, their distance and the
        number of components in the new group. Leaves are ordered so that neighbours are similar.

    Raises
    ------
    TypeError, ValueError
        If H is not a matrix of finite, nonnegative numbers, or if the method is unknown.

    Examples
    --------
    >>> from sparsenmf import topic_hierarchy
    >>> topic_hierarchy([[1.0, 1, 0], [1, 0, 0], [0, 0, 2]]).round(2)
    array([[1.  , 0.  , 0.29, 2.  ],
           [2.  , 3.  , 1.  , 3.  ]])
    """
    check_choice(method, "method", LINKAGES)
    distances = 1.0 - topic_similarity(H)
    if len(distances) == 1:
        return np.empty((0, 4))
    from scipy.cluster.hierarchy import linkage  # imported here, because it takes long
    from scipy.spatial.distance import squareform

    return linkage(squareform(distances, checks=False), method, optimal_ordering=True)


def topic_order(H: ArrayLike) -> IntArray:
    """Return the order of the leaves of `topic_hierarchy`: neighbours are similar.

    Parameters
    ----------
    H : ndarray of shape (n_components, n_features)

    Returns
    -------
    ndarray of shape (n_components,), int

    Raises
    ------
    TypeError, ValueError
        As `topic_similarity`.
    """
    tree = topic_hierarchy(H)
    if not len(tree):
        return np.zeros(1, dtype=int)
    from scipy.cluster.hierarchy import leaves_list

    return leaves_list(tree).astype(int)


def topic_layout(H: ArrayLike) -> NDArray[np.float64]:
    """Return positions of the components in the plane: similar ones lie close together.

    This is classical scaling (Torgerson 1952) of the distances 1 - cosine.

    Parameters
    ----------
    H : ndarray of shape (n_components, n_features)

    Returns
    -------
    ndarray of shape (n_components, 2), float64
        The positions are centred, and the first axis has the largest variance. On each axis the
        entry of the largest magnitude is positive, which makes the signs unique.

    Raises
    ------
    TypeError, ValueError
        As `topic_similarity`.

    Examples
    --------
    >>> from sparsenmf import topic_layout
    >>> topic_layout([[1.0, 1, 0], [1, 0, 0], [0, 0, 2]]).shape
    (3, 2)
    """
    squares = (1.0 - topic_similarity(H)) ** 2
    # These would be the inner products of the positions if the distances were Euclidean.
    products = squares - squares.mean(axis=0) - squares.mean(axis=1)[:, None] + squares.mean()
    values, vectors = np.linalg.eigh(-products / 2)
    places = np.zeros((len(squares), 2))
    for axis, which in enumerate(np.argsort(-values)[:2]):
        vector = vectors[:, which] * np.sqrt(max(values[which], 0.0))
        places[:, axis] = vector * (np.sign(vector[np.abs(vector).argmax()]) or 1.0)
    return places


def check_components(H: ArrayLike) -> NDArray[Any]:
    """Return H as an array of floats.

    Raises
    ------
    TypeError, ValueError
        If it is not a matrix of finite numbers that are not negative.
    """
    H = np.asarray(H)
    if H.dtype.kind not in "fiu":
        raise TypeError(f"H must be an array of numbers, such as model.H, not {H.dtype}")
    if H.ndim != 2 or 0 in H.shape:
        raise ValueError(f"H must be components x features, but its shape is {H.shape}")
    if not (np.isfinite(H).all() and H.min() >= 0):
        raise ValueError("H must be finite and not negative")
    return H


def unit_rows(H):
    """Return the rows of H in float64, scaled to length 1; rows that are zero stay zero."""
    H = H.astype(np.float64)
    lengths = np.sqrt(np.einsum("rj,rj->r", H, H))
    return H / np.where(lengths > 0, lengths, 1)[:, None]


def match_components(H, other):
    """Pair the components of two models so that the sum of their cosines is largest.

    This is the assignment problem. Order and scale of the components do not matter.

    Returns
    -------
    order : ndarray of int
        ``other[order[r]]`` is the partner of ``H[r]``.
    cosines : ndarray of float
        The cosine of each pair.
    """
    from scipy.optimize import linear_sum_assignment  # imported here, because it takes long

    cosines = unit_rows(H) @ unit_rows(other).T
    rows, order = linear_sum_assignment(cosines, maximize=True)
    return order, cosines[rows, order]
