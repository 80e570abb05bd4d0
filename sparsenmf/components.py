"""Components without the samples they were learned from: H, and what one does with it."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .arguments import check_alphas, check_integer, check_number, check_threads
from .entries import STORED, Entries, check_entries, check_missing
from .losses import check_loss, make_loss, named_beta
from .names import check_vocabulary
from .penalties import make_penalties
from .rows import empty_factor, make_rows, padded_width
from .sources import is_store
from .validation import check_matrix, check_scale
from .weights import Weights

LOSS_ROWS = 2**14  # samples whose W is held at once to measure the loss


@dataclass(repr=False, eq=False, kw_only=True)
class Components:
    """The rows of H, and the problem that they were learned for.

    Attributes
    ----------
    H : ndarray of shape (n_components, n_features), float32 or float64
        How much of each feature is in a component.
    options : dict
        Loss, penalties and settings of the run.
    feature_weight : ndarray of shape (n_features,), float64, or None
        Weights of the features, if there were any.
    """

    H: np.ndarray
    options: dict[str, Any] = field(default_factory=dict)
    feature_weight: np.ndarray | None = None

    def __post_init__(self):
        self._frozen = None

    def __getstate__(self):
        return {**self.__dict__, "_frozen": None}  # made anew where it is needed

    @property
    def n_features(self) -> int:
        """Columns of X."""
        return self.H.shape[1]

    @property
    def n_components(self) -> int:
        """Rows of H."""
        return self.H.shape[0]

    @property
    def beta(self) -> float:
        """Of the loss."""
        return named_beta(self.options.get("loss", "frobenius"))

    def transform(
        self,
        X: Any,
        *,
        weights: Any = None,
        tol: float = 1e-5,
        max_sweeps: int = 1000,
        n_threads: int | None = None,
    ) -> np.ndarray:
        """Return the W of new samples: the same objective, H held fixed.

        Parameters
        ----------
        X : scipy.sparse matrix or array, ndarray, or DataFrame, of shape (any, n_features)
            Or a store that `open_csr` opened. Entries that are not stored are zeros, or
            unknown, as they were in the fit.
        weights : scipy.sparse matrix or array, optional
            Of the stored entries of X, as in `factorize`.
        tol : float, default 1e-5
            A row is done when a sweep moved it less than this fraction of its first
            sweep, measured in the fit. Losses that only have multiplicative updates: all
            rows are done when an update promises to lower the loss by less than this
            fraction of it.
        max_sweeps : int, default 1000
            Limit for each row.
        n_threads : int, optional
            As in `factorize`. Small inputs run on one.

        Returns
        -------
        ndarray of shape (any, n_components), dtype of H
            Each row's best fit, on its own: the result for a row does not depend on
            the others (but for losses that only have multiplicative updates, which stop
            together).

        Raises
        ------
        TypeError, ValueError
            If X is not as in `factorize`, has not n_features columns, or is of a scale that does
            not fit into the type of H.
        """
        options = self._check(tol, max_sweeps, n_threads)
        if is_store(X):
            result = np.empty((X.shape[0], self.n_components), self.H.dtype)
            for start, stop, *part in self._parts(X, weights, None):
                result[start:stop] = self._project(*part, *options)[0][:, : self.n_components]
            return result
        ((_, _, *part),) = self._parts(X, weights, None)
        W, _ = self._project(*part, *options)
        return np.ascontiguousarray(W[:, : self.n_components])

    def loss(
        self, X: Any, *, weights: Any = None, tol: float = 1e-5, n_threads: int | None = None
    ) -> float:
        """Return the loss of new samples at the W that `transform` finds, penalties excluded.

        Parameters
        ----------
        X : scipy.sparse matrix or array, ndarray, or DataFrame, of shape (any, n_features)
        weights : scipy.sparse matrix or array, optional
        tol : float, default 1e-5
        n_threads : int, optional
            As in `transform`.

        Returns
        -------
        float
            1/2 ||X - W H||_F^2, or the sum of another divergence. Memory: for some thousand
            samples at a time.

        Raises
        ------
        TypeError, ValueError
            If X is not as in `transform`.
        """
        options = self._check(tol, 1000, n_threads)
        penalty, total = self._freeze().penalty, 0.0
        for _, _, *part in self._parts(X, weights, LOSS_ROWS):
            W, value = self._project(*part, *options, want_loss=True)
            total += value - penalty.value(W)
        return max(total, 0.0)

    def _check(self, tol, max_sweeps, n_threads):
        tol = check_number(tol, "tol")
        return tol, check_integer(max_sweeps, "max_sweeps", least=1), check_threads(n_threads)

    @property
    def missing(self) -> str:
        """What an entry that is not stored means: "zero" or "unknown"."""
        return self.options.get("missing", "zero")

    def _check_options(self):
        """Raise unless options are such as `transform` can use: they may come from a file."""
        options = self.options
        if not isinstance(options, dict):
            raise TypeError("its options are not named")
        check_alphas(
            options.get("alpha_W", 0.0),
            options.get("alpha_H", "same"),
            options.get("l1_ratio", 0.0),
        )
        check_missing(self.missing)
        check_number(self.beta, "loss", least=-math.inf)

    def _parts(self, X, values, n_rows):
        """Yield X and its entries in parts: blocks of a store, or so many rows of a matrix."""
        stored, entries = is_store(X), Entries(None, 1.0)
        if stored and (values is not None or self.missing == "unknown"):
            raise TypeError(STORED.format("X"))
        if not stored:
            X, entries = check_entries(X, values, self.missing, self.H.dtype)
        if X.shape[1] != self.n_features:
            raise ValueError(
                f"X has {X.shape[1]} features, but this factorization has {self.n_features}: "
                f"use the same vocabulary (vectorizer) as for the fit"
            )
        check_scale(X, self.H.dtype)
        check_loss(self.beta, "mu", X, unknown=not entries.absent)
        weights = Weights(None, self.feature_weight, self.beta)
        if stored:
            for start, stop in X.blocks():
                part = X.rows(start, stop)
                if part.dtype != self.H.dtype:
                    part = check_matrix(part, dtype=self.H.dtype)
                yield start, stop, weights.scale_matrix(part), entries
            return
        n_rows, values = n_rows or X.shape[0], entries.weights
        for start in range(0, X.shape[0], n_rows):
            part = X if n_rows >= X.shape[0] else X[start : start + n_rows]
            if values is not None:
                within = slice(X.indptr[start], X.indptr[start + part.shape[0]])
                entries = entries._replace(weights=values[within])
            yield start, start + part.shape[0], weights.scale_matrix(part), entries

    def _project(self, X, entries, tol, max_sweeps, n_threads, *, want_loss=False):
        """Return W, padded, and the objective if it is wanted, of a checked and scaled X."""
        from .kernels.threads import resolve_threads, threads_for
        from .solvers.projection import project

        n_threads = threads_for(resolve_threads(n_threads), X.nnz * self.n_components)
        rows, frozen = make_rows(X, self.n_components, *entries), self._freeze()
        W = empty_factor((X.shape[0], self.n_components), self.H.dtype)
        with np.errstate(over="ignore", invalid="ignore"):  # an overflow is reported below
            loss = make_loss(self.beta, X.data, X.shape, *entries)
            value = project(rows, frozen, W, loss, tol, max_sweeps, n_threads, want_loss=want_loss)
        if not np.isfinite(W.max()) or (want_loss and not np.isfinite(value)):
            raise ValueError(
                f"X has values up to {X.data.max():.3g}, which with this H are out of the range "
                f"of {W.dtype}: multiply X by a constant, or fit in float64"
            )
        return W, value

    def _freeze(self):
        """Return what the rows of W are found from, made once."""
        from .solvers.projection import freeze

        if self._frozen is None or self._frozen[0] is not self.H:
            weights = Weights(None, self.feature_weight, self.beta)
            penalty, _ = make_penalties(
                weights.sizes((1, self.n_features)),
                self.options.get("alpha_W", 0.0),
                self.options.get("alpha_H", "same"),
                self.options.get("l1_ratio", 0.0),
                padded_width(self.n_components, self.H.dtype),
            )
            self._frozen = self.H, freeze(weights.scale_H(self.H), penalty)
        return self._frozen[1]

    def top_terms(self, vocabulary: Any, n: int = 10) -> list[list[str]]:
        """Return the n heaviest terms of each component, heaviest first.

        Parameters
        ----------
        vocabulary : sequence of n_features str, or dict of term -> column
            Such as ``vectorizer.get_feature_names_out()`` or ``vectorizer.vocabulary_``.
        n : int, default 10
            Terms with weight zero are left out, so a component may have fewer.

        Returns
        -------
        list of n_components lists of str

        Raises
        ------
        TypeError, ValueError
            If the vocabulary is not one of n_features terms.
        """
        n = check_integer(n, "n", least=1)
        vocabulary = check_vocabulary(vocabulary, self.n_features)
        topics = []
        for weights in self.H:
            order = np.argsort(-weights, kind="stable")[:n]
            topics.append([vocabulary[j] for j in order if weights[j] > 0])
        return topics
