"""Estimators for scikit-learn (extra `sklearn`): the same parameters, our solver."""

import warnings

import numpy as np
import scipy.sparse as sp

try:
    from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.utils.validation import check_array, check_is_fitted

    from .estimator_input import DTYPES, validate_input
except ImportError as error:
    raise ImportError(
        "sparsenmf's estimators need scikit-learn 1.6 or newer: "
        'pip install "sparsenmf[sklearn]" '
        f"({error}); sparsenmf.factorize works without it"
    ) from error

from ._factorize import factorize
from .formats import as_csr
from .validation import fill_masked


class BaseNMF(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """What the estimators share: everything that needs no more than H."""

    def _validate(self, X, *, reset):
        return validate_input(self, X, reset=reset, allow_nan=self._allows_nan)

    @property
    def _allows_nan(self):
        return False

    def transform(self, X):
        """Return the weights of the components in X, of shape (any, n_components)."""
        check_is_fitted(self)
        return self._components.transform(self._validate(X, reset=False), n_threads=self.n_threads)

    def reconstruction_error(self, X):
        """Return ||X - W H||_F, or the root of twice `Factorization.loss`, of new samples."""
        check_is_fitted(self)
        X = self._validate(X, reset=False)
        return float(np.sqrt(2 * self._components.loss(X, n_threads=self.n_threads)))

    def inverse_transform(self, X):
        """Return X @ components_, of shape (any, n_features): dense."""
        check_is_fitted(self)
        X = fill_masked(X, "X", allow_nan=False)
        X = as_csr(X, "X") if sp.issparse(X) and X.ndim == 2 else X
        X = check_array(X, accept_sparse=("csr", "csc"), dtype=DTYPES)
        return X @ self.components_

    @property
    def components_(self):
        """H, of shape (n_components, n_features)."""
        return self._components.H

    @property
    def n_components_(self):
        """Rows of H."""
        return self._components.n_components

    @property
    def _n_features_out(self):
        return self._components.n_components

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = True
        tags.input_tags.allow_nan = self._allows_nan
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class NMF(BaseNMF):
    """Non-negative matrix factorization, a drop-in for `sklearn.decomposition.NMF`.

    Parameters
    ----------
    n_components : int, "auto" or None, default "auto"
        "auto" takes the number from a given W or H, else, as None does,
        min(n_samples, n_features).
    init : {"random", "nndsvd", "nndsvda", "nndsvdar", "custom"}, optional
        Default: "custom" if W or H is passed to `fit_transform`, else "random".
    solver : {"cd", "mu"}, optional
        Default: "cd" where there is one for the loss.
    beta_loss : {"frobenius", "kullback-leibler", "itakura-saito"} or float, \
default "frobenius"
        The `loss` of `factorize`.
    tol : float, default 1e-5
        Stop when the objective fell by less than ``tol`` times itself over five iterations.
    max_iter : int, default 200
    random_state : int, RandomState, numpy.random.Generator or None
    alpha_W : float, default 0
    alpha_H : float or "same", default "same"
    l1_ratio : float, default 0
    verbose : int, default 0
        Anything but 0 shows a progress bar.
    shuffle : bool, default False
        Accepted and ignored: coordinates are visited in order, side by side.
    max_sweeps : int, default None
        Inner sweeps over a row in each iteration; None: two, or one where X has few entries for
        its size, as in `factorize`.
    extrapolate : bool, default True
        Momentum between iterations.
    time_limit : float, optional
        Seconds, without those of compiling.
    n_threads : int, optional
        As in `factorize`: all cores in the main process, one in workers.
    callback : callable, optional
        Called after each iteration with an `IterationState`; a true value stops.
    feature_weight, frozen_W, frozen_H, seeds, seeding, vocabulary
        As in `factorize`: weights of the features, components that stay as the W and H which
        `fit` gets, and words to begin topics with. Without a vocabulary, the terms in seeds
        are the columns of the DataFrame.
    low_memory : bool, default False
        Without a transpose of X; the Kullback-Leibler loss then by "mu".
    missing : {"zero", "unknown"}, default "zero"
        What an entry means that is not stored, or that is NaN.
    n_restarts : int, default 1
        Random starts, of which the best is kept.

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
        n_components="auto",
        *,
        init=None,
        solver=None,
        beta_loss="frobenius",
        tol=1e-5,
        max_iter=200,
        random_state=None,
        alpha_W=0.0,
        alpha_H="same",
        l1_ratio=0.0,
        verbose=0,
        shuffle=False,
        max_sweeps=None,
        extrapolate=True,
        time_limit=None,
        n_threads=None,
        callback=None,
        feature_weight=None,
        frozen_W=None,
        frozen_H=None,
        seeds=None,
        seeding="start",
        vocabulary=None,
        low_memory=False,
        missing="zero",
        n_restarts=1,
    ):
        self.n_components = n_components
        self.init = init
        self.solver = solver
        self.beta_loss = beta_loss
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state
        self.alpha_W = alpha_W
        self.alpha_H = alpha_H
        self.l1_ratio = l1_ratio
        self.verbose = verbose
        self.shuffle = shuffle
        self.max_sweeps = max_sweeps
        self.extrapolate = extrapolate
        self.time_limit = time_limit
        self.n_threads = n_threads
        self.callback = callback
        self.feature_weight = feature_weight
        self.frozen_W = frozen_W
        self.frozen_H = frozen_H
        self.seeds = seeds
        self.seeding = seeding
        self.vocabulary = vocabulary
        self.low_memory = low_memory
        self.missing = missing
        self.n_restarts = n_restarts

    def fit(self, X, y=None, W=None, H=None, sample_weight=None, weights=None):
        """Learn the components of X; see `fit_transform`."""
        self._fit(X, W, H, sample_weight, weights)
        return self

    def fit_transform(self, X, y=None, W=None, H=None, sample_weight=None, weights=None):
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
        weights : sparse matrix or array, optional
            Of the stored entries of X.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            The weights of the fit, those that `reconstruction_err_` is of: `transform` gives
            the same up to the tolerance.
        """
        self._fit(X, W, H, sample_weight, weights)
        return self.factorization_.W

    def _fit(self, X, W, H, sample_weight, weights):
        X = self._validate(X, reset=True)
        if sample_weight is not None:
            sample_weight = fill_masked(sample_weight, "sample_weight", allow_nan=False)
            sample_weight = check_array(sample_weight, ensure_2d=False, input_name="sample_weight")
        vocabulary = self.vocabulary
        if vocabulary is None:
            vocabulary = getattr(self, "feature_names_in_", None)
        model = factorize(
            X,
            self._count_components(X, W, H),
            init=self.init,
            W=W,
            H=H,
            solver=self.solver,
            loss=self.beta_loss,
            alpha_W=self.alpha_W,
            alpha_H=self.alpha_H,
            l1_ratio=self.l1_ratio,
            tol=self.tol,
            max_iter=self.max_iter,
            max_sweeps=self.max_sweeps,
            extrapolate=self.extrapolate,
            time_limit=self.time_limit,
            n_threads=self.n_threads,
            random_state=self.random_state,
            sample_weight=sample_weight,
            feature_weight=self.feature_weight,
            frozen_W=self.frozen_W,
            frozen_H=self.frozen_H,
            seeds=self.seeds,
            seeding=self.seeding,
            vocabulary=vocabulary,
            low_memory=self.low_memory,
            missing=self.missing,
            weights=weights,
            n_restarts=self.n_restarts,
            callback=self.callback,
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
        self.factorization_ = model

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
    def _components(self):
        return self.factorization_

    @property
    def reconstruction_err_(self):
        """Frobenius norm of X - W H, or the root of twice another loss."""
        return self.factorization_.error

    @property
    def n_iter_(self):
        """Iterations done."""
        return self.factorization_.n_iter

    @property
    def objective_history_(self):
        """Objective after each iteration."""
        return self.factorization_.objective_history

    @property
    def stop_reason_(self):
        """Why the fit stopped."""
        return self.factorization_.stop_reason

    @property
    def optimality_(self):
        """How far the result is from a stationary point."""
        return self.factorization_.optimality
