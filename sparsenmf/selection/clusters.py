"""Clusters of the components of many restarts: outliers, k-means and medians."""

from __future__ import annotations

import numpy as np

from ..topics.similarity import unit_rows

KMEANS_STARTS = 10


def find_clusters(restarts, n_components, density_threshold, neighborhood, rng):
    """Return the clusters of the components of all restarts.

    Returns
    -------
    labels : ndarray of int
        The cluster of each component that is not an outlier.
    medians : ndarray of shape (n_components, n_features)
        The median of each cluster, scaled to length 1.
    stability : ndarray of shape (n_components,)
        See `Consensus`.
    """
    rows = np.concatenate(restarts)
    n_neighbors = max(1, int(neighborhood * len(restarts)))
    is_kept = neighbor_distances(rows, n_neighbors) <= density_threshold
    kept, restart_of = rows[is_kept], np.flatnonzero(is_kept) // n_components
    if len(kept) < n_components:
        raise ValueError(
            f"density_threshold={density_threshold:g} leaves {len(kept)} of {len(rows)} "
            f"components, fewer than n_components={n_components}: raise it, or n_restarts"
        )
    labels = cluster(kept, n_components, rng)
    medians = unit_rows(
        np.stack([np.median(kept[labels == r], axis=0) for r in range(n_components)])
    )
    nearest = np.zeros((len(restarts), n_components))
    np.maximum.at(nearest, (restart_of, labels), np.einsum("pj,pj->p", kept, medians[labels]))
    return labels, medians, nearest.mean(axis=0)


def neighbor_distances(rows, n_neighbors):
    """Return the mean distance of each row, scaled to length 1, to its nearest neighbours."""
    n_neighbors = min(n_neighbors, len(rows) - 1)
    if not n_neighbors:
        return np.zeros(len(rows))
    _, NearestNeighbors = import_sklearn()
    # By cosines, a row that is zero is at distance sqrt(2) from all others, other zeros included.
    neighbors = NearestNeighbors(n_neighbors=n_neighbors, metric="cosine").fit(rows)
    cosine_distances, _ = neighbors.kneighbors()
    return np.sqrt(2 * cosine_distances).mean(axis=1)


def cluster(rows, n_clusters, rng):
    """Return the cluster of each row, by k-means."""
    seed = int(rng.integers(2**31))
    KMeans, _ = import_sklearn()
    kmeans = KMeans(n_clusters, n_init=KMEANS_STARTS, random_state=seed)
    labels = kmeans.fit(rows).labels_
    if len(np.unique(labels)) < n_clusters:
        raise ValueError(
            f"the components of all restarts do not form {n_clusters} clusters: choose fewer "
            f"n_components"
        )
    return labels


def import_sklearn():
    """Return the classes KMeans and NearestNeighbors."""
    try:
        from sklearn.cluster import KMeans
        from sklearn.neighbors import NearestNeighbors
    except ImportError as error:
        raise ImportError(
            'consensus needs scikit-learn: pip install "sparsenmf[sklearn]"'
        ) from error
    return KMeans, NearestNeighbors
