"""Consensus NMF: one factorization from many random starts.

Kotliar et al. 2019, "Identifying gene expression programs of cell-type identity and cellular
activity with single-cell RNA-Seq", eLife 8:e43803, section "Consensus NMF".
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..data.arguments import check_flag, check_integer, check_n_components, check_number
from ..data.named import with_names
from ..data.typing import (
    ConsensusOptions,
    FloatArray,
    IntArray,
    Matrix,
    Missing,
    RandomState,
    Unpack,
    Vector,
)
from ..models.algorithms import check_solver
from ..models.announcing import announced
from ..models.components import Components
from ..models.factorization import Factorization
from ..models.normalisation import component_masses
from ..models.restarts import Generators, Runs, check_options, check_random_init
from ..solvers.problem import Problem
from ..solvers.weights import Weights
from ..topics.similarity import unit_rows
from .clusters import find_clusters, import_sklearn
from .fits import FitCallback, complete_fit, fit_restarts
from .sampling import Sample, check_in_memory, take_sample
from .weighted import WeightedMatrix

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
    sample : Sample or None
        The rows of the restarts, if these were not all: `rows` are their numbers, and `n_rows` is
        how many X has. The model is of all rows.
    """

    model: Factorization
    stability: NDArray[np.float64]
    sizes: IntArray
    n_outliers: int
    objectives: NDArray[np.float64]
    stop_reason: str
    sample: Sample | None = None

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
        of_rows = "" if self.sample is None else f" on {self.sample}"
        return (
            f"Consensus of {len(self.objectives)} restarts{of_rows} ({self.stop_reason}), "
            f"{self.n_outliers} components dropped as outliers"
        )

    def __repr__(self):
        pairs = zip(self.stability, self.sizes, strict=True)
        stability = ", ".join(f"{mean:.2f} ({size})" for mean, size in pairs)
        low, high = self.objectives.min(), self.objectives.max()
        whose = "of the restarts" if self.sample is None else "of the restarts on their rows"
        return (
            f"{self._title}\n"
            f"  stability (components) {stability}\n"
            f"  objective {self.model.objective:.6g}; {whose} {low:.6g} to {high:.6g}"
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
    weights: Weights | Vector | Matrix | None = None,
    missing: Missing = "zero",
    sample: float | None = None,
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
        As in `factorize`, or a store that `open_csr` opened.
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
    weights : Weights, array-like of shape (n_samples,) or scipy.sparse matrix, optional
    missing : {"zero", "unknown"}, default "zero"
        As in `factorize`.
    sample : float between 0 and 1, optional
        Share of the rows that the restarts are fitted to; W, and H once more, are fitted to all
        rows. Default: all rows of a matrix in memory, and a part of a store, as in
        `select_n_components`.
    random_state : int, numpy.random.Generator or RandomState, optional
        Seed of the sample, of the restarts and of the clustering.
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
    check_in_memory(X)
    import_sklearn()  # a missing package is reported before the restarts
    density_threshold = check_number(density_threshold, "density_threshold", open_below=True)
    neighborhood = check_number(neighborhood, "neighborhood", most=1.0)
    n_restarts = check_integer(n_restarts, "n_restarts", least=2)
    refit_H = check_flag(refit_H, "refit_H")
    seeds = Generators(random_state)
    problem = Problem(
        X, n_components, loss=factorize_options.get("loss", "frobenius"),
        weights=weights, missing=missing, n_threads=factorize_options.get("n_threads"),
    )  # fmt: skip
    n_components = check_n_components(n_components, problem.shape)
    check_solver(factorize_options.get("solver"), problem)  # of all rows, after the restarts
    part, sampled = take_sample(problem, sample, n_components, seeds)
    limits = {"time_limit": time_limit, "callback": callback, "progress": progress}
    runs = Runs("consensus", n_restarts, **limits)
    restarts, objectives, settings = [], [], {}
    given, fit_options = _given(part, factorize_options)
    for model in fit_restarts(given, n_components, n_restarts, seeds, runs, fit_options):
        restarts.append(unit_rows(model.H))
        objectives.append(model.objective)
        settings = model.options
    if not any(H.any() for H in restarts):
        raise ValueError(
            f"the components of all restarts are zero: {sampled or 'X'} is zero, or alpha_W or "
            f"alpha_H is too large"
        )
    labels, medians, stability = find_clusters(
        restarts, n_components, density_threshold, neighborhood, seeds.generator(0, 1)
    )
    model = _fit_to(medians.astype(problem.dtype), problem, settings, refit_H, factorize_options)
    order = np.argsort(-component_masses(model), kind="stable")
    model = replace(model, W=np.take(model.W, order, axis=1), H=model.H[order])
    if sampled is not None:
        model.options["restart_rows"] = len(sampled.rows)
    return Consensus(
        model=model,
        stability=stability[order],
        sizes=np.bincount(labels, minlength=n_components)[order],
        n_outliers=n_components * len(restarts) - len(labels),
        objectives=np.array(objectives),
        stop_reason=runs.stop_reason or "done",
        sample=sampled,
    )


def _given(problem, options):
    """Return X with its names, and the options of a fit with the weights of the problem."""
    X, weighted = problem.X, WeightedMatrix.of(problem)
    if not problem.is_stored:
        X = with_names(X, problem.feature_names, problem.sample_names)
    return X, {**options, **weighted.options}


def _fit_to(H, problem, settings, refit_H, options):
    """Return the model of all rows whose W is fitted to H, and then, if it is wanted, H to W."""
    X, options = _given(problem, options)
    weights = options["weights"]
    components = Components(H=H, options=settings, feature_weight=weights.features)
    n_threads = options.get("n_threads")
    W = components.transform(problem.X, weights=weights.entries, n_threads=n_threads)
    everything = np.arange(len(H))
    frozen = {"frozen_W": everything} if refit_H else {"frozen_H": everything}
    options = {**options, "init": "custom", "max_iter": FINAL_ITERATIONS, **frozen}
    return complete_fit(X, len(H), W=W, H=H, random_state=0, **options)
