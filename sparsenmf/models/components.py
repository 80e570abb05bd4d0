"""Components without the samples they were learned from: H, and what one does with it."""

from __future__ import annotations

import math
import warnings
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.archive import is_sound
from ..data.arguments import check_alphas, check_flag, check_integer, check_number, check_threads
from ..data.factors import padded_width
from ..data.matching import match_columns
from ..data.store import is_store
from ..data.tfidf import weigh_alike
from ..data.typing import FloatArray, Matrix, Missing
from ..data.validation import (
    NO_WEIGHTS,
    EntryWeights,
    check_missing,
    check_scale,
    check_weighted,
)
from ..solvers.losses import check_loss, named_beta
from ..solvers.penalties import make_penalties
from ..solvers.weights import Scaling
from .ranking import TopTerms

MAX_SWEEPS = 1000


@dataclass(repr=False, eq=False, kw_only=True)
class Components(TopTerms):
    """The rows of H, and the problem that they were learned for.

    Attributes
    ----------
    H : ndarray of shape (n_components, n_features), float32 or float64
        How much of each feature is in a component.
    options : dict
        Loss, penalties and settings of the run.
    feature_weight : ndarray of shape (n_features,), float64, or None
        Weights of the features, if there were any.
    idf : ndarray of shape (n_features,), float64, or None
        Inverse document frequencies of a model of tf-idf weights, by which `transform` weighs
        counts; it takes rows of length 1 as weighed already, and refuses others.
    feature_names : ndarray of shape (n_features,), str, or None
        Names of the columns, if there are any.
    """

    H: FloatArray
    options: dict[str, Any] = field(default_factory=dict)
    feature_weight: NDArray[np.float64] | None = None
    idf: NDArray[np.float64] | None = None
    feature_names: NDArray[Any] | None = None

    def __post_init__(self):
        self._given = None

    def __getstate__(self):
        return {**self.__dict__, "_given": None}  # it is made again where it is needed

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
        """The beta of the loss."""
        return named_beta(self.options.get("loss", "frobenius"))

    def transform(
        self,
        X: Matrix,
        *,
        weights: Matrix | None = None,
        tol: float = 1e-5,
        max_sweeps: int = 1000,
        n_threads: int | None = None,
        strict_names: bool = False,
    ) -> FloatArray:
        """Return the W of new samples: the same objective, H held fixed.

        Parameters
        ----------
        X : scipy.sparse matrix or array, ndarray, or DataFrame, of shape (any, n_features)
            Or a store that `open_csr` opened. Entries that are not stored are zeros, or
            unknown, as they were in the fit. Where both X (a DataFrame, an AnnData, a
            `NamedMatrix`, a store) and the model have names of features, columns are matched by
            them: others are put in order, missing ones count as zero, unknown ones are left out,
            and a UserWarning says so. The columns of other matrices are taken as they are.
        weights : scipy.sparse matrix or array, optional
            Weights of the stored entries of X, as in `factorize`.
        tol : float, default 1e-5
            A row is done when a step promises to lower its loss by less than ``tol**2`` of it. For
            the Frobenius loss each row is solved to rounding, in double precision.
        max_sweeps : int, default 1000
            Limit for each row: of sweeps, and of the steps of Newton's method that follow the first
            20 of them. There is a warning if rows have not converged by then.
        n_threads : int, optional
            As in `factorize`. Small inputs run on one.
        strict_names : bool, default False
            Whether names that differ from the model's, or their order, are an error.

        Returns
        -------
        ndarray of shape (any, n_components), dtype of H
            Each row's best fit, on its own: the result for a row does not depend on
            the others (but, to the tolerance, for losses that only have multiplicative updates,
            which begin together). Beta divergences with beta outside of [1, 2] are not convex:
            there it is a stationary point.

        Raises
        ------
        TypeError, ValueError
            If X is not as in `factorize`, has not n_features columns or no name in common with
            the model, or is of a scale that does not fit into the type of H.
        """
        X, entries, match = self._check_matrix(X, weights, strict_names)
        result = np.empty((X.shape[0], self.n_components), self.H.dtype)
        options = check_number(tol, "tol"), check_integer(max_sweeps, "max_sweeps", least=1)
        for start, stop, W, _ in self._solve(X, entries, match, *options, check_threads(n_threads)):
            result[start:stop] = W[:, : self.n_components]
        return result

    def loss(
        self,
        X: Matrix,
        *,
        weights: Matrix | None = None,
        tol: float = 1e-5,
        n_threads: int | None = None,
        strict_names: bool = False,
    ) -> float:
        """Return the loss of new samples at the W that `transform` finds, penalties excluded.

        Parameters
        ----------
        X : scipy.sparse matrix or array, ndarray, or DataFrame, of shape (any, n_features)
        weights : scipy.sparse matrix or array, optional
        tol : float, default 1e-5
        n_threads : int, optional
        strict_names : bool, default False
            As in `transform`.

        Returns
        -------
        float
            1/2 ||X - W H||_F^2, or the sum of another divergence, measured in double precision.
            Where X is positive and W H zero (a word that no component has), a divergence with
            beta <= 1 would be infinite: there W H counts as float32's epsilon, 1.2e-7, as it does
            in scikit-learn, or as that fraction of an entry below 1. Memory: for some thousand
            samples at a time.

        Raises
        ------
        TypeError, ValueError
            If X is not as in `transform`.
        """
        X, entries, match = self._check_matrix(X, weights, strict_names)
        options = check_number(tol, "tol"), MAX_SWEEPS, check_threads(n_threads)
        parts = self._solve(X, entries, match, *options, want_loss=True)
        return max(sum(value for *_, value in parts), 0.0)

    @property
    def missing(self) -> Missing:
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

    def _check_matrix(self, X, values, strict_names):
        """Return X, or a store, its entries, and how the columns of a store are matched."""
        match = match_columns(
            X, self, strict=check_flag(strict_names, "strict_names"), stacklevel=3
        )
        stored, entries = is_store(X), EntryWeights(None, 1.0)
        if stored and (values is not None or self.missing == "unknown"):
            raise TypeError(NO_WEIGHTS.format("X"))
        if not stored:
            X, entries = check_weighted(X, values, self.missing, self.H.dtype)
            if match is not None:
                X, values = match.apply(X, entries.weights)
                entries, match = entries._replace(weights=values), None
        if X.shape[1] != self.n_features and match is None:
            raise ValueError(
                f"X has {X.shape[1]} features, but this factorization has {self.n_features}: "
                f"use the same vocabulary (vectorizer) as for the fit"
            )
        if self.idf is not None:
            X = weigh_alike(X, self.idf)
        check_scale(X, self.H.dtype)
        check_loss(self.beta, X, unknown=not entries.absent)
        return X, entries, match

    def _solve(self, X, entries, match, tol, max_sweeps, n_threads, *, want_loss=False):
        """Yield the first row, the one after the last, W and loss of some rows at a time."""
        from .projection import cut_parts, solve_part  # here: they load numba

        given, unfinished = self._give(), 0
        for start, stop, part in cut_parts(X, match, self):
            values = entries.weights
            if values is not None:
                values = values[X.indptr[start] : X.indptr[stop]]
            W, value, n_rows = solve_part(
                part, entries._replace(weights=values), given, self.beta,
                tol, max_sweeps, n_threads, want_loss=want_loss,
            )  # fmt: skip
            unfinished += n_rows
            yield start, stop, W, value
        if unfinished:
            warnings.warn(
                f"{unfinished:,} of {X.shape[0]:,} rows of X have not converged in max_sweeps = "
                f"{max_sweeps} sweeps: their weights are not yet the best ones",
                stacklevel=3,
            )

    def _give(self):
        """Return what the rows of W are found from: the last one, unless anything has changed."""
        from ..solvers.row_update import give

        alphas = (
            self.options.get("alpha_W", 0.0),
            self.options.get("alpha_H", "same"),
            self.options.get("l1_ratio", 0.0),
        )
        # H may be edited in place, so what it was is kept, and compared entry by entry.
        parts, settings = (self.H, self.feature_weight), (self.beta, *alphas)
        if self._given is not None:
            before, settings_before, given = self._given
            if settings == settings_before and all(map(_same, parts, before)):
                return given
        if not is_sound(self.H):
            raise ValueError("H has been changed to something that is not finite and non-negative")
        weights = Scaling(None, self.feature_weight, self.beta)
        penalty, _ = make_penalties(
            weights.sizes((1, self.n_features)),
            *alphas,
            padded_width(self.n_components, self.H.dtype),
        )
        given = give(weights.scale_H(self.H), penalty)
        self._given = tuple(map(copy, parts)), settings, given
        return given


def _same(now, before):
    """Return whether an array, or None, is what it was."""
    if now is None or before is None:
        return now is before
    return now.dtype == before.dtype and np.array_equal(now, before)
