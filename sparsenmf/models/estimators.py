"""The estimator for scikit-learn (extra `sklearn`): the same parameters, our solver."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

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
from ..data.validation import fill_masked
from ..solvers.constraints import Seeds
from ..solvers.weights import Weights
from .algorithms import Solver

# scikit-learn's names come from there, where their absence is explained.
from .base import BaseNMF, ConvergenceWarning, check_array
from .factorization import Factorization
from .factorize import factorize
from .restarts import RandomStarts


class NMF(BaseNMF):
    """Non-negative matrix factorization, a drop-in for `sklearn.decomposition.NMF`.

    Parameters
    ----------
    n_components : int, "auto" or None, default "auto"
        "auto" takes the number from a given W or H, else, as None does,
        min(n_samples, n_features).
    beta_loss : {"frobenius", "kullback-leibler", "itakura-saito"} or float, \
default "frobenius"
        The `loss` of `factorize`.
    max_iter : int, default 200
        The most iterations.
    random_state : int, RandomState, numpy.random.Generator or None
        An int makes the result repeatable.

    Attributes
    ----------
    factorization_ : Factorization
        All there is to know: W, H, history, top_terms, save.
    components_ : ndarray of shape (n_components, n_features)
        H.
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
    init : {"random", "nndsvd", "nndsvda", "nndsvdar", "custom"} or RandomStarts, optional
        Default: "custom" if W or H is passed to `fit_transform`, else "random".

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
    default start         "nndsvda"                  "random" (faster, about as good)
    default n_components  n_features                 min(n_samples, n_features), the most
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
        init: Init | RandomStarts | None = None,
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

    def _fit(self, X, W, H, sample_weight, weights):
        names = names_of(X)
        X = self._validate(X, reset=True)
        if sample_weight is not None:
            sample_weight = fill_masked(sample_weight, "sample_weight", allow_nan=False)
            sample_weight = check_array(sample_weight, ensure_2d=False, input_name="sample_weight")
        model = factorize(
            X,
            self._count_components(X, W, H),
            loss=self.beta_loss,
            max_iter=self.max_iter,
            random_state=self.random_state,
            alpha_W=self.alpha_W,
            alpha_H=self.alpha_H,
            l1_ratio=self.l1_ratio,
            weights=self._weights(sample_weight, weights),
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
        limits = {
            "max_iter": f"Maximum number of iterations {self.max_iter}",
            "time_limit": f"Time limit of {self.time_limit} s",
        }
        if model.stop_reason in limits and self.tol > 0:
            warnings.warn(
                f"{limits[model.stop_reason]} reached. Increase it to improve convergence.",
                ConvergenceWarning,
                stacklevel=3,
            )
        if names[0] is not None:  # else the vocabulary of the seeds may have named them
            model.feature_names = names[0]
        model.sample_names = names[1]
        self.factorization_: Factorization = model

    @staticmethod
    def _weights(sample_weight, weights):
        weights = Weights.of(weights)
        if sample_weight is None:
            return weights
        if weights.samples is not None:
            raise ValueError("pass the weights of samples once: as sample_weight or in weights")
        return replace(weights, samples=sample_weight)

    def _count_components(self, X, W, H):
        if self.n_components not in ("auto", None):
            return self.n_components
        if self.n_components == "auto" and H is not None:
            return np.shape(H)[0]
        if self.n_components == "auto" and W is not None:
            return np.shape(W)[-1]
        return min(X.shape)

    @property
    def _allows_nan(self):
        return self.missing == "unknown"

    @property
    def _components(self) -> Factorization:
        return self.factorization_

    @property
    def reconstruction_err_(self) -> float:
        """Frobenius norm of X - W H, or the root of twice another loss."""
        return self.factorization_.error

    @property
    def n_iter_(self) -> int:
        """Iterations done."""
        return self.factorization_.n_iter

    @property
    def objective_history_(self) -> NDArray[np.float64]:
        """Objective after each iteration."""
        return self.factorization_.objective_history

    @property
    def stop_reason_(self) -> str:
        """Why the fit stopped."""
        return self.factorization_.stop_reason

    @property
    def optimality_(self) -> float:
        """How far the result is from a stationary point."""
        return self.factorization_.optimality
