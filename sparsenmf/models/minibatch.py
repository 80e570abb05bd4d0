"""The estimator for streams (extra `sklearn`)."""

from __future__ import annotations

from typing import Any, Literal

from ..data.matching import order_H
from ..data.named import names_of
from ..data.typing import AlphaH, FloatArray, Init, Loss, Matrix, RandomState, Self

# scikit-learn's names come from there, where their absence is explained.
from .base import check_is_fitted
from .estimator_input import given_H
from .learner import BatchLearner


class MiniBatchNMF(BatchLearner):
    """Non-negative matrix factorization of a stream: `sklearn.decomposition.MiniBatchNMF`'s place.

    H is learned from one batch of samples after the other. Only two sums over the batches are kept,
    so the data may be larger than memory, and one pass over them is often enough.

    Parameters
    ----------
    n_components : int, "auto" or None, default "auto"
        "auto" and None: min(n_samples, n_features) of the (first batch of the) data.
    beta_loss : {"frobenius", "kullback-leibler", "itakura-saito"} or float, default "frobenius"
        The `loss` of `factorize`.
    max_iter : int, default 200
        The most passes of `fit` over the data.
    random_state : int, RandomState, numpy.random.Generator or None
        An int makes the result repeatable, and so does `numpy.random.seed` with None.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        H, read-only. Assign another one to continue from it, as if the batches before had led to
        it, or to transform with it.
    n_components_ : int
    reconstruction_err_ : float
        The error on the data of `fit` or `fit_transform`; not for streams and `partial_fit`.
    n_iter_ : int
        Passes over the data that were begun.
    n_steps_ : int
        Batches.
    n_samples_seen_ : int
    n_features_in_ : int
    feature_names_in_ : ndarray of str, if X was a DataFrame, or had names that may grow

    Other Parameters
    ----------------
    What is minimised:
    alpha_W : float, default 0
    alpha_H : float or "same", default "same"
    l1_ratio : float, default 0
        As in `NMF`; each batch is penalised as if the data were many like it.

    Where it starts:
    init : {"auto", "random", "nndsvd", "nndsvda", "nndsvdar", "custom"}, optional
        Default: "custom" if H is passed, else "auto": "nndsvda" for Kullback-Leibler, if the first
        batch has ten samples for each component; else "random". Drawn from the first batch with
        entries.

    How it learns from batches:
    batch_size : int, default 1024
        Samples of a batch of `fit`. Larger batches take less time, smaller ones learn more.
    forget_factor : float in [0, 1], default 0.1
        How much of a batch's weight is left after one pass over the data. During the first pass,
        whose length may not be known, the weight falls to ``forget_factor ** ln(10)`` while the
        number of samples seen grows tenfold.
    shuffle : bool, default True
        Whether `fit` visits the samples of a matrix in random order, anew in every pass.
    new_features : {"error", "grow"}, default "error"
        With "grow" the batches are frames, or other matrices with names of features such as
        `NamedMatrix` and AnnData. Their columns are matched by name; names that are new add columns
        to H; missing ones count as zero. The prior of a new feature: all samples before it count
        as having zeros there, with the weight that they still have; its entries of H begin as
        zero, and, for losses other than the Frobenius norm, in the first batch that has it as
        random numbers of the mean size of their components' others.
    fresh_restarts : bool, default False
        For the losses "frobenius" and "kullback-leibler" ignored: rows of W are always found anew,
        each until it has converged. For the others `fit` of a matrix keeps W between its passes
        and updates it once in each, unless this is True; where a batch is the whole matrix, that
        is the W which `fit_transform` returns.
    fresh_restarts_max_iter, transform_max_iter : optional
        Accepted and ignored.

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
    steps             multiplicative                 the same, but for Frobenius (coordinate
                                                     descent) and Kullback-Leibler (W: until
                                                     each row has converged)
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
        beta_loss: Loss = "frobenius",
        max_iter: int = 200,
        random_state: RandomState = None,
        alpha_W: float = 0.0,
        alpha_H: AlphaH = "same",
        l1_ratio: float = 0.0,
        init: Init | None = None,
        batch_size: int = 1024,
        forget_factor: float = 0.1,
        shuffle: bool = True,
        new_features: Literal["error", "grow"] = "error",
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
        self.new_features = new_features
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
            to the batch size; those without rows are passed over.
        y : ignored
        W : ndarray of shape (n_samples, n_components), optional
            The start, where `fit` keeps W: see `fresh_restarts`.
        H : ndarray of shape (n_components, n_features), optional
            The start.

        Returns
        -------
        self
        """
        self._fit(X, W, H)
        return self

    def fit_transform(
        self, X: Matrix, y: Any = None, W: Any = None, H: Matrix | None = None
    ) -> FloatArray:
        """Learn the components of a matrix and return its W, as `fit` and `transform` do."""
        W = self._fit(X, W, H)
        return self.transform(X) if W is None else W

    def partial_fit(self, X: Matrix, y: Any = None, W: Any = None, H: Matrix | None = None) -> Self:
        """Learn from one batch, on top of what has been learned so far.

        Parameters
        ----------
        X : matrix of shape (any, n_features)
            One row at least, as for scikit-learn: ValueError without any. With
            ``new_features="grow"`` it may have other columns than those before.
        y, W : ignored
        H : ndarray of shape (n_components, n_features), optional
            The start, for the first batch.

        Returns
        -------
        self
        """
        self._fit_batch(X, H)
        return self

    @property
    def components_(self) -> FloatArray:
        """H, of shape (n_components, n_features), read-only; another one may be assigned."""
        return self._components.H

    @components_.setter
    def components_(self, H: Matrix) -> None:
        with self._learning():
            if hasattr(self, "_stream"):
                self._stream.replace(order_H(H, self._known, "components_"))
            else:
                self._components_set, self._known = given_H(H).copy(), names_of(H)[0]
                self._components_set.flags.writeable = False

    @property
    def n_samples_seen_(self) -> int:
        """Samples learned from, each as often as it came."""
        check_is_fitted(self)
        return self._stream.n_seen if hasattr(self, "_stream") else 0
