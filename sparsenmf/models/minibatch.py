"""The estimator for streams (extra `sklearn`)."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np

from ..data.arguments import check_flag, check_integer, check_random_state
from ..data.progress import open_progress
from ..data.typing import AlphaH, FloatArray, Init, Matrix, RandomState, Self
from ..data.validation import check_matrix, check_scale
from ..data.worker_threads import OneLearnerAtATime
from .announcing import compiling_is_told

# scikit-learn's names come from there, where their absence is explained.
from .base import BaseNMF, ConvergenceWarning, check_is_fitted
from .components import Components
from .first_batch import is_stream, open_stream
from .stream import Plateau


class MiniBatchNMF(OneLearnerAtATime, BaseNMF):
    """Non-negative matrix factorization of a stream: `sklearn.decomposition.MiniBatchNMF`'s place.

    H is learned from one batch of samples after the other; of a batch nothing is kept but what
    it adds to two sums. So the data may be larger than memory, and the first pass over them
    is often enough.

    Parameters
    ----------
    n_components : int, "auto" or None, default "auto"
        "auto" and None: min(n_samples, n_features) of the (first batch of the) data.
    beta_loss : {"frobenius", "kullback-leibler"}, 2 or 1, default "frobenius"
        The `loss` of `factorize`.
    max_iter : int, default 200
        The most passes of `fit` over the data.
    random_state : int, RandomState, numpy.random.Generator or None
        An int makes the result repeatable.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        H. Assign another one to go on from it, as if what has been seen had led to it; the
        array itself is read-only.
    n_components_ : int
    reconstruction_err_ : float
        Of the data of `fit` or `fit_transform`; not for streams and `partial_fit`.
    n_iter_ : int
        Passes over the data that were begun.
    n_steps_ : int
        Batches.
    n_samples_seen_ : int
    n_features_in_ : int
    feature_names_in_ : ndarray of str, if X was a DataFrame

    Other Parameters
    ----------------
    What is minimised:
    alpha_W : float, default 0
    alpha_H : float or "same", default "same"
    l1_ratio : float, default 0
        As in `NMF`; each batch is penalised as if the data were many like it.

    Where it starts:
    init : {"random", "nndsvd", "nndsvda", "nndsvdar", "custom"}, optional
        Default: "custom" if H is passed; "nndsvda" for Kullback-Leibler, if the first batch has
        ten samples for each component; else "random". Drawn from the first batch with entries.

    How it learns from batches:
    batch_size : int, default 1024
        Samples of a batch of `fit`. Larger batches take less time, smaller ones learn more.
    forget_factor : float in [0, 1], default 0.1
        What a batch counts one pass later, or, before the first pass has ended, when ten times
        as much has been seen, to the power of ln 10.
    shuffle : bool, default True
        Whether `fit` visits the samples of a matrix in random order, anew in every pass.
    fresh_restarts, fresh_restarts_max_iter, transform_max_iter : optional
        Accepted and ignored: the rows of W are always found anew, each until it has converged.

    When it stops:
    tol : float, default 1e-4
        `fit` stops when the mean loss of a pass is lower than that of the pass before by less
        than this fraction. 0: never.
    max_no_improvement : int or None, default 10
        `fit` also stops, at the end of a pass, when so many batches have gone by since the pass
        with the lowest mean loss.

    What it takes, and what it shows:
    n_threads : int, optional
        As in `factorize`.
    verbose : int, default 0
        Anything but 0 shows a progress bar.

    Notes
    -----
    What differs from scikit-learn 1.9:

    ================  =============================  ========================================
    .                 scikit-learn                   here
    ================  =============================  ========================================
    data of `fit`     a matrix                       or an iterable of batches
    order of samples  as they are                    random, unless shuffle=False
    losses            all beta divergences           Frobenius and Kullback-Leibler
    steps             multiplicative                 W: until each row has converged; H:
                                                     coordinate descent for Frobenius
    forget_factor     0.7; in `partial_fit` for      0.1; always for a pass, or for as much
                      each batch                     as has been seen
    tol               on the change of H             on the mean loss of a pass
    default start     "nndsvda" of all data          of the first batch: "random", or "nndsvda"
                                                     for Kullback-Leibler
    ================  =============================  ========================================

    Threads may share an estimator: one learns at a time, and `transform` takes H as it is. A
    batch that raises an error changes nothing; if it is the first of a `fit`, the model is as it
    was before.

    References
    ----------
    Mairal, Bach, Ponce & Sapiro 2010, "Online learning for matrix factorization and sparse
    coding", JMLR 11.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from sparsenmf import MiniBatchNMF
    >>> batches = (sp.random_array((200, 80), density=0.1, rng=i) for i in range(5))
    >>> MiniBatchNMF(5, random_state=0).fit(batches).components_.shape
    (5, 80)
    """

    def __init__(
        self,
        n_components: int | Literal["auto"] | None = "auto",
        *,
        beta_loss: Literal["frobenius", "kullback-leibler"] | float = "frobenius",
        max_iter: int = 200,
        random_state: RandomState = None,
        alpha_W: float = 0.0,
        alpha_H: AlphaH = "same",
        l1_ratio: float = 0.0,
        init: Init | None = None,
        batch_size: int = 1024,
        forget_factor: float = 0.1,
        shuffle: bool = True,
        fresh_restarts: bool = False,
        fresh_restarts_max_iter: int = 30,
        transform_max_iter: int | None = None,
        tol: float = 1e-4,
        max_no_improvement: int | None = 10,
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
        self.init = init
        self.batch_size = batch_size
        self.forget_factor = forget_factor
        self.shuffle = shuffle
        self.fresh_restarts = fresh_restarts
        self.fresh_restarts_max_iter = fresh_restarts_max_iter
        self.transform_max_iter = transform_max_iter
        self.tol = tol
        self.max_no_improvement = max_no_improvement
        self.n_threads = n_threads
        self.verbose = verbose

    def fit(self, X: Matrix, y: Any = None, W: Any = None, H: Matrix | None = None) -> Self:
        """Learn the components of a matrix, or of an iterable of batches.

        Parameters
        ----------
        X : matrix of shape (n_samples, n_features), or iterable of such
            Such as what `open_csr` opened. A generator is read once, another iterable that is
            not a list or an array once in every pass. Batches are taken as they come, or cut
            to the batch size.
        y, W : ignored
        H : ndarray of shape (n_components, n_features), optional
            The start.

        Returns
        -------
        self
        """
        self._fit(X, H)
        return self

    def fit_transform(
        self, X: Matrix, y: Any = None, W: Any = None, H: Matrix | None = None
    ) -> FloatArray:
        """Learn the components of a matrix and return its W, as `fit` and `transform` do."""
        self._fit(X, H)
        return self.transform(X)

    def partial_fit(self, X: Matrix, y: Any = None, W: Any = None, H: Matrix | None = None) -> Self:
        """Learn from one batch, on top of what has been learned so far.

        Parameters
        ----------
        X : matrix of shape (any, n_features)
        y, W : ignored
        H : ndarray of shape (n_components, n_features), optional
            The start, for the first batch.

        Returns
        -------
        self
        """
        with self._learning():
            first = not hasattr(self, "_stream")
            if first:
                self._forget()
            X = self._check(X)
            self._learn(X, H, check_random_state(self.random_state) if first else None)
        return self

    def _check(self, X):
        """Return a batch as CSR, in the precision of those before it."""
        first = not hasattr(self, "_stream")
        X = check_matrix(self._validate(X, reset=first), dtype=None if first else self._dtype)
        check_scale(X)
        return X

    def _learn(self, X, H, rng, window=None):
        """Learn from a batch, checked, and return its loss."""
        stream = self.__dict__.get("_stream") or self._open(X, H, rng, window)
        loss = stream.add(X)
        self._stream = stream
        self.n_steps_ += 1
        return loss

    def _fit(self, X, H):
        with self._learning(), compiling_is_told(bool(self.verbose)):
            self._forget()
            (self._fit_stream if is_stream(X) else self._fit_matrix)(X, H)

    def _fit_matrix(self, X, H):
        X = self._check(X)
        n_samples = X.shape[0]
        size = min(check_integer(self.batch_size, "batch_size", least=1), n_samples)
        rng, shuffle = check_random_state(self.random_state), check_flag(self.shuffle, "shuffle")

        def batches():
            order = rng.permutation(n_samples) if shuffle else np.arange(n_samples)
            for start in range(0, n_samples, size):
                yield X[np.sort(order[start : start + size])]

        n_passes = check_integer(self.max_iter, "max_iter", least=1)
        self._run((batches() for _ in range(n_passes)), H, rng, n_samples, -(-n_samples // size))
        loss = self._components.loss(X, n_threads=self.n_threads)
        self.reconstruction_err_: float = float(np.sqrt(2 * loss))

    def _fit_stream(self, X, H):
        size = check_integer(self.batch_size, "batch_size", least=1)
        n_passes = check_integer(self.max_iter, "max_iter", least=1)

        def batches():
            for block in X:
                block = self._check(block)
                for start in range(0, block.shape[0], size):
                    yield block[start : start + size]

        n_passes = 1 if hasattr(X, "__next__") else n_passes
        rng = check_random_state(self.random_state)
        self._run((batches() for _ in range(n_passes)), H, rng, None, None)
        if not hasattr(self, "_stream"):
            raise ValueError("X is an iterable without a batch: it must have one at least")

    def _run(self, passes, H, rng, n_samples, n_batches):
        """Learn from all batches of all passes, until the loss falls no more."""
        plateau = Plateau(self.tol, self.max_no_improvement)
        total = None if n_batches is None else n_batches * self.max_iter
        display = open_progress(bool(self.verbose), total)
        try:
            for batches in passes:
                self.n_iter_ += 1
                first, losses, samples = self.n_steps_, 0.0, 0
                for X in batches:
                    loss = self._learn(X, H, rng, n_samples)
                    display.update(self.n_steps_, self._stream.relative_error)
                    losses, samples = losses + loss * X.shape[0], samples + X.shape[0]
                # An iterable that can be read once has no second pass.
                if not samples or plateau.reached(losses / samples, self.n_steps_ - first):
                    return
            if self.tol and self.n_iter_ > 1:
                warnings.warn(
                    f"Maximum number of iterations {self.max_iter} reached. Increase it to "
                    "improve convergence.",
                    ConvergenceWarning,
                    stacklevel=5,
                )
        finally:
            display.close()

    def _forget(self):
        for name in ("_stream", "_cached", "reconstruction_err_"):
            self.__dict__.pop(name, None)
        self.n_iter_: int = 0  # passes
        self.n_steps_: int = 0

    def _open(self, X, H, rng, window):
        """Return a stream that begins with a first batch, checked."""
        n_components = self.n_components
        if n_components in ("auto", None):
            n_components = len(H) if H is not None else min(window or X.shape[0], X.shape[1])
        names = "init", "beta_loss", "alpha_W", "alpha_H", "l1_ratio", "forget_factor", "n_threads"
        options = {name: getattr(self, name) for name in names}
        return open_stream(X, n_components, H=H, window=window, rng=rng, **options)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_stream")

    @property
    def components_(self) -> FloatArray:
        """H, of shape (n_components, n_features), read-only; another one may be assigned."""
        return self._components.H

    @components_.setter
    def components_(self, H: Matrix) -> None:
        check_is_fitted(
            self,
            msg="components_ of this %(name)s cannot be set before it has learned from a batch: "
            "pass H to fit or partial_fit, to start from it",
        )
        with self._learning():
            self._stream.replace(H)

    @property
    def _dtype(self):
        return self._stream.Ht.dtype

    @property
    def n_samples_seen_(self) -> int:
        """Samples learned from, each as often as it came."""
        return self._stream.n_seen

    @property
    def _components(self) -> Components:
        """H as it is now, with its transform."""
        stream, cached = self._stream, self.__dict__.get("_cached")
        Ht = stream.Ht  # read once: another thread may replace it
        if cached is None or cached[0] is not Ht:
            self._cached = cached = Ht, stream.components(Ht)
        return cached[1]
