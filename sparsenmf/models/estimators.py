"""The estimator for scikit-learn (extra `sklearn`): the same parameters, our solver."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..data.matching import order_factors
from ..data.named import names_of
from ..data.typing import (
    AlphaH,
    FloatArray,
    Frozen,
    Init,
    Loss,
    Matrix,
    Missing,
    RandomState,
    SeedWords,
    Self,
    Vector,
)
from ..data.typing import Solver as SolverName
from ..solvers.constraints import Seeds
from ..solvers.sampled import NNDSVD
from ..solvers.weights import Weights, check_weight_names
from .algorithms import Solver

# scikit-learn's names come from there, where their absence is explained.
from .base import BaseNMF
from .components import Components
from .estimator_input import (
    check_loss_of_zeros,
    check_sample_weight,
    check_start,
    count_components,
    global_seed,
    join_weights,
    warn_unfinished,
)
from .factorization import Factorization
from .factorize import factorize
from .restarts import RandomStarts


class NMF(BaseNMF):
    """Non-negative matrix factorization, a drop-in for `sklearn.decomposition.NMF`.

    Parameters
    ----------
    n_components : int, "auto" or None, default "auto"
        "auto" takes the number from a given W or H, else, as None does,
        min(n_samples, n_features). There may be more, but not for a start by NNDSVD.
    beta_loss : {"frobenius", "kullback-leibler", "itakura-saito"} or float, \
default "frobenius"
        The `loss` of `factorize`.
    max_iter : int, default 200
        The most iterations.
    random_state : int, RandomState, numpy.random.Generator or None
        An int makes the result repeatable, and so does `numpy.random.seed` with None.

    Attributes
    ----------
    factorization_ : Factorization
        All there is to know of the fit: W, H, history, top_terms, save.
    components_ : ndarray of shape (n_components, n_features)
        H. Components from elsewhere may be set, also without a fit: `transform` uses them. So may
        `n_components_`, `n_iter_` and `reconstruction_err_`.
    n_components_ : int
    reconstruction_err_ : float
        Frobenius norm of X - WH, or sqrt(2 loss) for other losses, as scikit-learn's.
    n_iter_ : int
    objective_history_ : ndarray of shape (n_iter,)
    stop_reason_ : str
    optimality_ : float
    n_features_in_ : int
    feature_names_in_ : ndarray of str, if X was a DataFrame

    Other Parameters
    ----------------
    What is minimised:
    alpha_W : float, default 0
    alpha_H : float or "same", default "same"
    l1_ratio : float, default 0
        Penalties as in `factorize`, which has scikit-learn's objective.
    missing : {"zero", "unknown"}, default "zero"
        What an entry means that is not stored, or that is NaN.

    Where it starts:
    init : {"auto", "random", "nndsvd", "nndsvda", "nndsvdar", "custom"}, NNDSVD \
or RandomStarts, optional
        Default: "custom" if W or H is passed to `fit_transform`, else "auto", as in `factorize`.
        Any other leaves them out, with a warning; "custom" wants them in the precision of X.

    What is known beforehand:
    frozen_W, frozen_H : sequence of int or mask, optional
        Components that stay as the W and H which `fit` gets.
    seeds : dict of topic -> features, or Seeds, optional
        Words to begin topics with, as in `factorize`. Without a vocabulary, the terms in seeds
        are the columns of the DataFrame.

    How it is minimised:
    solver : {"cd", "mu"}, CoordinateDescent or MultiplicativeUpdate, optional
        Default: "cd" where there is one for the loss.
    shuffle : bool, default False
        Accepted and ignored: coordinates are visited in order, side by side.

    When it stops:
    tol : float, default 1e-5
        Stop when the objective fell by less than ``tol`` times itself over five iterations.
    time_limit : float, optional
        Seconds, without those of compiling.

    What it takes, and what it shows:
    n_threads : int, optional
        As in `factorize`: all cores in the main process, one in workers.
    verbose : int, default 0
        Anything but 0 shows a progress bar.

    Notes
    -----
    What differs from scikit-learn 1.9:

    ====================  =========================  ====================================
    .                     scikit-learn               here
    ====================  =========================  ====================================
    default start         "nndsvda"                  "auto": random, or an NNDSVD
    default n_components  n_features                 min(n_samples, n_features)
    tol                   on the projected gradient  on the objective; default 1e-5
    order of components   as started                 heaviest first
    scale of W and H      as it comes                entries of about equal size
    coordinate descent    Frobenius loss             Kullback-Leibler too
    shuffle               shuffles coordinates       ignored
    transform             limited by max_iter        each row until it has converged
    threads               BLAS only                  n_threads
    name of an output     "nmf0" is components_[0]   the same: topic 1 of tables and files
    ====================  =========================  ====================================

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from sparsenmf import NMF
    >>> X = sp.random_array((100, 80), density=0.1, rng=0)
    >>> NMF(5, random_state=0).fit_transform(X).shape
    (100, 5)
    """

    def __init__(
        self,
        n_components: int | Literal["auto"] | None = "auto",
        *,
        beta_loss: Loss = "frobenius",
        max_iter: int = 200,
        random_state: RandomState = None,
        alpha_W: float = 0.0,
        alpha_H: AlphaH = "same",
        l1_ratio: float = 0.0,
        missing: Missing = "zero",
        init: Init | NNDSVD | RandomStarts | None = None,
        frozen_W: Frozen | None = None,
        frozen_H: Frozen | None = None,
        seeds: Seeds | SeedWords | None = None,
        solver: SolverName | Solver | None = None,
        shuffle: bool = False,
        tol: float = 1e-5,
        time_limit: float | None = None,
        n_threads: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.beta_loss = beta_loss
        self.max_iter = max_iter
        self.random_state = random_state
        self.alpha_W = alpha_W
        self.alpha_H = alpha_H
        self.l1_ratio = l1_ratio
        self.missing = missing
        self.init = init
        self.frozen_W = frozen_W
        self.frozen_H = frozen_H
        self.seeds = seeds
        self.solver = solver
        self.shuffle = shuffle
        self.tol = tol
        self.time_limit = time_limit
        self.n_threads = n_threads
        self.verbose = verbose

    def fit(
        self,
        X: Matrix,
        y: Any = None,
        W: Matrix | None = None,
        H: Matrix | None = None,
        sample_weight: Vector | None = None,
        weights: Weights | Matrix | None = None,
    ) -> Self:
        """Learn the components of X; see `fit_transform`."""
        self._fit(X, W, H, sample_weight, weights)
        return self

    def fit_transform(
        self,
        X: Matrix,
        y: Any = None,
        W: Matrix | None = None,
        H: Matrix | None = None,
        sample_weight: Vector | None = None,
        weights: Weights | Matrix | None = None,
    ) -> FloatArray:
        """Learn the components of X and return W.

        Parameters
        ----------
        X : sparse matrix or array, ndarray or DataFrame, of shape (n_samples, n_features)
        y : ignored
        W : ndarray of shape (n_samples, n_components), optional
            Start for ``init="custom"``.
        H : ndarray of shape (n_components, n_features), optional
        sample_weight : array-like of shape (n_samples,), optional
            A sample of weight c counts as c copies of it.
        weights : sparse matrix, array or Weights, optional
            Of the stored entries of X, or of its features, as in `factorize`.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            The weights of the fit, those that `reconstruction_err_` is of: `transform` gives
            the same up to the tolerance.
        """
        self._fit(X, W, H, sample_weight, weights)
        return self.factorization_.W

    def _fit(self, X, W, H, sample_weight=None, weights=None, *, stacklevel=3):
        names = names_of(X)
        W, H = order_factors(W, H, names)
        check_weight_names(names, Weights.of(weights), sample_weight)
        X = self._validate(X, reset=True)
        sample_weight = check_sample_weight(sample_weight)
        check_loss_of_zeros(self.beta_loss, X, unknown=self._allows_nan)
        n_components = count_components(self.n_components, X, W, H)
        W, H = check_start(self, W, H, X, n_components, stacklevel=stacklevel)
        model = factorize(
            X,
            n_components,
            loss=self.beta_loss,
            max_iter=self.max_iter,
            random_state=global_seed(self.random_state),
            alpha_W=self.alpha_W,
            alpha_H=self.alpha_H,
            l1_ratio=self.l1_ratio,
            weights=join_weights(sample_weight, weights),
            missing=self.missing,
            init=self.init,
            W=W,
            H=H,
            frozen_W=self.frozen_W,
            frozen_H=self.frozen_H,
            seeds=Seeds.of(self.seeds, names[0]),
            solver=self.solver,
            tol=self.tol,
            time_limit=self.time_limit,
            n_threads=self.n_threads,
            progress=bool(self.verbose),
        )
        if self.tol > 0:
            warn_unfinished(model.stop_reason, self, stacklevel)
        if names[0] is not None:  # else the vocabulary of the seeds may have named them
            model.feature_names = names[0]
        model.sample_names = names[1]
        self._keep(model)

    def _keep(self, model):
        self.factorization_: Factorization = model
        self.components_: FloatArray = model.H
        self._n_components_set = None
        self.reconstruction_err_: float = model.error
        self.n_iter_: int = model.n_iter
        self.objective_history_: NDArray[np.float64] = model.objective_history
        self.stop_reason_: str = model.stop_reason
        self.optimality_: float = model.optimality

    @property
    def _allows_nan(self):
        return self.missing == "unknown"

    def __sklearn_is_fitted__(self):
        return "components_" in vars(self)

    @property
    def _components(self) -> Components:
        """The fit, or components that were set, with the penalties of the fit if there was one."""
        model, H = vars(self).get("factorization_"), self.components_
        if model is not None and H is model.H:
            self._check_n_components_set(H)
            return model
        return self._other_components(model, H)
