"""Consensus NMF: one factorization from many random starts.

Kotliar et al. 2019, "Identifying gene expression programs of cell-type identity and cellular
activity with single-cell RNA-Seq", eLife 8:e43803, section "Consensus NMF".
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..data.arguments import check_flag, check_integer, check_n_components, check_number
from ..data.named import names_of, with_names
from ..data.typing import ConsensusOptions, FloatArray, IntArray, Matrix, RandomState, Unpack
from ..data.validation import check_matrix
from ..models.announcing import announced
from ..models.components import Components
from ..models.factorization import Factorization
from ..models.normalisation import component_masses
from ..models.restarts import Generators, Runs, check_options, check_random_init
from ..topics.similarity import unit_rows
from .fits import FitCallback, complete_fit, fit_restarts

KMEANS_STARTS = 10

FINAL_ITERATIONS = 50


@dataclass(repr=False, eq=False)
class Consensus:
    """The components that many random starts agree on.

    Attributes
    ----------
    model : Factorization
        The factorization into the consensus components, heaviest first.
    stability : ndarray of shape (n_components,)
        For each cluster, the mean over all restarts of the cosine between its median and the most
        similar component of the restart in the cluster, or 0 if there is none. A component that
        only one of five restarts found has at most 0.2.
    sizes : ndarray of shape (n_components,), int
        The number of components in each cluster, close to the number of restarts.
    n_outliers : int
        The number of components that were dropped.
    objectives : ndarray of float
        The objectives of the finished restarts, in their order.
    stop_reason : str
        "done", "time_limit", "callback" or "interrupted".
    """

    model: Factorization
    stability: NDArray[np.float64]
    sizes: IntArray
    n_outliers: int
    objectives: NDArray[np.float64]
    stop_reason: str

    @property
    def W(self) -> FloatArray:
        """W of the model."""
        return self.model.W

    @property
    def H(self) -> FloatArray:
        """H of the model."""
        return self.model.H

    def _repr_html_(self):
        from ..topics.report.notebook import show_model

        columns = {"stability": [f"{mean:.2f}" for mean in self.stability]}
        columns["in its cluster"] = self.sizes.tolist()
        return show_model(self.model, columns=columns, title=self._title)

    @property
    def _title(self):
        return (
            f"Consensus of {len(self.objectives)} restarts ({self.stop_reason}), "
            f"{self.n_outliers} components dropped as outliers"
        )

    def __repr__(self):
        pairs = zip(self.stability, self.sizes, strict=True)
        stability = ", ".join(f"{mean:.2f} ({size})" for mean, size in pairs)
        low, high = self.objectives.min(), self.objectives.max()
        return (
            f"{self._title}\n"
            f"  stability (components) {stability}\n"
            f"  objective {self.model.objective:.6g}; of the restarts {low:.6g} to {high:.6g}"
        )


@announced
def consensus(
    X: Matrix,
    n_components: int,
    n_restarts: int = 20,
    *,
    density_threshold: float = 0.5,
    neighborhood: float = 0.3,
    refit_H: bool = True,
    random_state: RandomState = None,
    time_limit: float | None = None,
    callback: FitCallback | None = None,
    progress: bool = False,
    **factorize_options: Unpack[ConsensusOptions],
) -> Consensus:
    """Factorize from many random starts, and keep the components that most of them find.

    The components of all restarts are scaled to length 1. Outliers are dropped, and the others
    are clustered by the k-means of scikit-learn (extra `sklearn`). The medians of the clusters
    are the consensus components. W is fitted to them, and then H to W.

    Parameters
    ----------
    X : scipy.sparse matrix or array, ndarray, or DataFrame, of shape (n_samples, n_features)
        As in `factorize`.
    n_components : int
        Number of components of each restart, and of the consensus.
    n_restarts : int, default 20
        Number of random starts, at least 2.
    density_threshold : float, default 0.5
        A component is an outlier if the mean distance to its nearest neighbours is larger.
        Distances lie between 0 and sqrt(2), so a threshold of 2 keeps all components.
    neighborhood : float, default 0.3
        Number of nearest neighbours, as a fraction of the number of restarts.
    refit_H : bool, default True
        Whether H is fitted once more, given W. Otherwise H is the medians.
    random_state : int, numpy.random.Generator or RandomState, optional
        Seed of the restarts and of the clustering.
    time_limit : float, optional
        Seconds for all restarts, checked after each of them.
    callback : callable, optional
        Called with the model after each restart; a true return value ends them.
    progress : bool, default False
        Whether to show a progress bar.
    **factorize_options : Any
        Passed on to `factorize`.

    Returns
    -------
    Consensus
        If Ctrl-C, the time limit or the callback ended the restarts, the consensus of those that
        were finished.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value, or if too few components are left.
    ImportError
        If scikit-learn is not installed.

    Notes
    -----
    In addition to the memory of `factorize`, the H of all restarts is kept in float64.

    References
    ----------
    Kotliar et al. 2019, "Identifying gene expression programs of cell-type identity and
    cellular activity with single-cell RNA-Seq", eLife 8:e43803.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from sparsenmf import consensus
    >>> X = sp.block_diag([[[1.0, 2.0], [2.0, 4.0]]] * 3, format="csr")
    >>> result = consensus(X, 3, n_restarts=10, random_state=0)
    >>> result.H.shape, bool(result.stability.max() > 0.9)
    ((3, 6), True)
    """
    check_options(factorize_options)
    check_random_init(factorize_options)
    _import_sklearn()  # a missing package is reported before the restarts
    X = with_names(check_matrix(X), *names_of(X))
    n_components = check_n_components(n_components, X.shape)
    n_restarts = check_integer(n_restarts, "n_restarts", least=2)
    density_threshold = check_number(density_threshold, "density_threshold", open_below=True)
    neighborhood = check_number(neighborhood, "neighborhood", most=1.0)
    refit_H = check_flag(refit_H, "refit_H")
    options = {"time_limit": time_limit, "callback": callback, "progress": progress}
    runs, seeds = Runs("consensus", n_restarts, **options), Generators(random_state)
    restarts, objectives, settings = [], [], {}
    for model in fit_restarts(X, n_components, n_restarts, seeds, runs, factorize_options):
        restarts.append(unit_rows(model.H))
        objectives.append(model.objective)
        settings = model.options
    labels, medians, stability = _find_clusters(
        restarts, n_components, density_threshold, neighborhood, seeds.generator(0, 1)
    )
    n_threads = factorize_options.get("n_threads")
    H = medians.astype(X.dtype)
    W = Components(H=H, options=settings).transform(X, n_threads=n_threads)
    model = _refit(X, W, H, refit_H, factorize_options)
    order = np.argsort(-component_masses(model), kind="stable")
    model = replace(model, W=np.take(model.W, order, axis=1), H=model.H[order])
    return Consensus(
        model=model,
        stability=stability[order],
        sizes=np.bincount(labels, minlength=n_components)[order],
        n_outliers=n_components * len(restarts) - len(labels),
        objectives=np.array(objectives),
        stop_reason=runs.stop_reason or "done",
    )


def _find_clusters(restarts, n_components, density_threshold, neighborhood, rng):
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
    is_kept = _neighbor_distances(rows, n_neighbors) <= density_threshold
    kept, restart_of = rows[is_kept], np.flatnonzero(is_kept) // n_components
    if len(kept) < n_components:
        raise ValueError(
            f"density_threshold={density_threshold:g} leaves {len(kept)} of {len(rows)} "
            f"components, fewer than n_components={n_components}: raise it, or n_restarts"
        )
    labels = _cluster(kept, n_components, rng)
    medians = unit_rows(
        np.stack([np.median(kept[labels == r], axis=0) for r in range(n_components)])
    )
    nearest = np.zeros((len(restarts), n_components))
    np.maximum.at(nearest, (restart_of, labels), np.einsum("pj,pj->p", kept, medians[labels]))
    return labels, medians, nearest.mean(axis=0)


def _refit(X, W, H, refit_H, options):
    """Return the model fitted with one factor fixed: W if H is refitted, else H."""
    everything = np.arange(len(H))
    frozen = {"frozen_W": everything} if refit_H else {"frozen_H": everything}
    options = {**options, "init": "custom", "max_iter": FINAL_ITERATIONS, **frozen}
    return complete_fit(X, len(H), W=W, H=H, random_state=0, **options)


def _neighbor_distances(rows, n_neighbors):
    """Return the mean distance of each row, scaled to length 1, to its nearest neighbours."""
    n_neighbors = min(n_neighbors, len(rows) - 1)
    if not n_neighbors:
        return np.zeros(len(rows))
    _, NearestNeighbors = _import_sklearn()
    # By cosines, a row that is zero is at distance sqrt(2) from all others, other zeros included.
    neighbors = NearestNeighbors(n_neighbors=n_neighbors, metric="cosine").fit(rows)
    cosine_distances, _ = neighbors.kneighbors()
    return np.sqrt(2 * cosine_distances).mean(axis=1)


def _cluster(rows, n_clusters, rng):
    """Return the cluster of each row, by k-means."""
    seed = int(rng.integers(2**31))
    KMeans, _ = _import_sklearn()
    kmeans = KMeans(n_clusters, n_init=KMEANS_STARTS, random_state=seed)
    labels = kmeans.fit(rows).labels_
    if len(np.unique(labels)) < n_clusters:
        raise ValueError(
            f"the components of all restarts do not form {n_clusters} clusters: choose fewer "
            f"n_components"
        )
    return labels


def _import_sklearn():
    """Return the classes KMeans and NearestNeighbors."""
    try:
        from sklearn.cluster import KMeans
        from sklearn.neighbors import NearestNeighbors
    except ImportError as error:
        raise ImportError(
            'consensus needs scikit-learn: pip install "sparsenmf[sklearn]"'
        ) from error
    return KMeans, NearestNeighbors
