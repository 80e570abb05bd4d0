"""One factorization from many random starts: consensus NMF.

Kotliar et al. 2019, "Identifying gene expression programs of cell-type identity and cellular
activity with single-cell RNA-Seq", eLife 8:e43803, section "Consensus NMF".
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..data.arguments import check_flag, check_integer, check_n_components, check_number
from ..data.typing import ConsensusOptions, FloatArray, IntArray, Matrix, RandomState, Unpack
from ..data.validation import check_matrix
from ..models.announcing import announced
from ..models.components import Components
from ..models.factorization import Factorization
from ..models.normalisation import component_masses
from ..models.restarts import Generators, Runs, check_options, check_random_init
from ..topics.similarity import unit_rows
from .restarts import FitCallback, fit_restarts, fit_whole

CHUNK = 1024  # components whose distances to all others are held at once

STARTS = 10  # of the clustering

FINAL_ITERATIONS = 50


@dataclass(repr=False, eq=False)
class Consensus:
    """What many random starts agree on.

    Attributes
    ----------
    model : Factorization
        Of the consensus components, heaviest first.
    stability : ndarray of shape (n_components,)
        The cosine of a cluster's median with the most similar of its components from a restart,
        mean over all restarts; 0 for a restart that has none in it. So what one of five found,
        however well, has 0.2 at most.
    sizes : ndarray of shape (n_components,), int
        Components in each cluster: about as many as restarts.
    n_outliers : int
        Components that were dropped.
    objectives : ndarray of float
        Of the restarts that were finished, in their order.
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
        """Of the model."""
        return self.model.W

    @property
    def H(self) -> FloatArray:
        """Of the model."""
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
    """Factorize from many random starts, and keep the components that come again and again.

    The components of all runs, at length 1, are freed from outliers and clustered (by the
    k-means of scikit-learn, the extra `sklearn`); the medians of the clusters are the consensus,
    to which W, and then H once more, are fitted.

    Parameters
    ----------
    X : scipy.sparse matrix or array, ndarray, or DataFrame, of shape (n_samples, n_features)
    n_components : int
    n_restarts : int, default 20
        At least 2.
    density_threshold : float, default 0.5
        A component is an outlier if its mean distance to its nearest neighbours among those
        of all runs is larger; distances between components lie in [0, sqrt(2)]. 2 keeps all.
    neighborhood : float, default 0.3
        How many neighbours these are, as a share of the restarts.
    refit_H : bool, default True
        Whether H is fitted once more, given W. Otherwise it is the medians.
    random_state : int, numpy.random.Generator or RandomState, optional
    time_limit : float, optional
        Seconds for the restarts, looked at between them.
    callback : callable, optional
        Called after each restart with its model; a true return value ends them.
    progress : bool, default False
        Show a progress bar.
    **factorize_options : Any
        Passed on to `factorize`.

    Returns
    -------
    Consensus
        Of the restarts that were finished, if Ctrl-C, the time limit or the callback came.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be, or too few components are left.
    ImportError
        If scikit-learn is not installed.

    Notes
    -----
    Memory beyond that of `factorize`: the H of all restarts, in double precision.

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
    _import_kmeans()  # before the restarts
    X = check_matrix(X)
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
    rows = np.concatenate(restarts)
    n_neighbors = max(1, int(neighborhood * len(restarts)))
    is_kept = _neighbor_distances(rows, n_neighbors) <= density_threshold
    kept, restart_of = rows[is_kept], np.flatnonzero(is_kept) // n_components
    if len(kept) < n_components:
        raise ValueError(
            f"density_threshold={density_threshold:g} leaves {len(kept)} of {len(rows)} "
            f"components, fewer than n_components={n_components}: raise it, or n_restarts"
        )
    labels = _cluster(kept, n_components, seeds.generator(0, 1))
    medians = unit_rows(
        np.stack([np.median(kept[labels == r], axis=0) for r in range(n_components)])
    )
    nearest = np.zeros((len(restarts), n_components))
    np.maximum.at(nearest, (restart_of, labels), np.einsum("pj,pj->p", kept, medians[labels]))
    n_threads = factorize_options.get("n_threads")
    H = medians.astype(X.dtype)
    W = Components(H=H, options=settings).transform(X, n_threads=n_threads)
    model = _refit(X, W, H, refit_H, factorize_options)
    order = np.argsort(-component_masses(model), kind="stable")
    model = replace(model, W=np.take(model.W, order, axis=1), H=model.H[order])
    return Consensus(
        model=model,
        stability=nearest.mean(axis=0)[order],
        sizes=np.bincount(labels, minlength=n_components)[order],
        n_outliers=len(rows) - len(kept),
        objectives=np.array(objectives),
        stop_reason=runs.stop_reason or "done",
    )


def _refit(X, W, H, refit_H, options):
    """Return the model with one factor held fixed: W while H is refitted, else H."""
    everything = np.arange(len(H))
    frozen = {"frozen_W": everything} if refit_H else {"frozen_H": everything}
    options = {**options, "init": "custom", "max_iter": FINAL_ITERATIONS, **frozen}
    return fit_whole(X, len(H), W=W, H=H, random_state=0, **options)


def _neighbor_distances(rows, n_neighbors):
    """Return the mean distance of each row, of length 1, to its nearest others."""
    n_neighbors = min(n_neighbors, len(rows) - 1)
    means = np.zeros(len(rows))
    for start in range(0, len(rows) if n_neighbors else 0, CHUNK):
        part = rows[start : start + CHUNK]
        squares = np.maximum(2 - 2 * (part @ rows.T), 0)
        squares[np.arange(len(part)), np.arange(start, start + len(part))] = np.inf
        nearest = np.partition(squares, n_neighbors - 1, axis=1)[:, :n_neighbors]
        means[start : start + len(part)] = np.sqrt(nearest).mean(axis=1)
    return means


def _cluster(rows, n_clusters, rng):
    """Return the cluster of each row."""
    seed = int(rng.integers(2**31))
    kmeans = _import_kmeans()(n_clusters, n_init=STARTS, random_state=seed)
    labels = kmeans.fit(rows).labels_
    if len(np.unique(labels)) < n_clusters:
        raise ValueError(
            f"the components of all restarts do not form {n_clusters} clusters: choose fewer "
            f"n_components"
        )
    return labels


def _import_kmeans():
    try:
        from sklearn.cluster import KMeans
    except ImportError as error:
        raise ImportError(
            'consensus needs scikit-learn: pip install "sparsenmf[sklearn]"'
        ) from error
    return KMeans
