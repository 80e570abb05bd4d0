"""What the estimators share, and what they say where scikit-learn is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

try:
    from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.utils.validation import check_array, check_is_fitted

    from .estimator_input import DTYPES, given_H, like_frame, validate_input
except ImportError as error:
    raise ImportError(
        "sparsenmf's estimators need scikit-learn 1.6 or newer: "
        'pip install "sparsenmf[sklearn]" '
        f"({error}); sparsenmf.factorize works without it"
    ) from error

from ..data.arguments import check_integer
from ..data.containers import is_frame, read_frame
from ..data.formats import as_csr
from ..data.matching import align, order_H
from ..data.named import names_of
from ..data.typing import AlphaH, FloatArray, Loss, Matrix
from ..data.validation import fill_masked
from ..solvers.losses import check_beta, loss_name
from .components import Components

__all__ = ["BaseNMF", "ConvergenceWarning", "check_array", "check_is_fitted"]


class BaseNMF(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """What the estimators share: everything that needs no more than H."""

    beta_loss: Loss
    alpha_W: float
    alpha_H: AlphaH
    l1_ratio: float
    n_threads: int | None
    n_features_in_: int
    feature_names_in_: NDArray[Any]

    def _validate(self, X, *, reset):
        return validate_input(self, X, reset=reset, allow_nan=self._allows_nan)

    @property
    def _allows_nan(self):
        return False

    def transform(self, X: Matrix) -> FloatArray:
        """Return the weights of the components in X, of shape (any, n_components).

        A frame has the columns of the fit, in their order. Any other matrix with names, such as an
        AnnData, is taken as by `Factorization.transform`.
        """
        check_is_fitted(self)
        return self._components.transform(self._take(X), n_threads=self.n_threads)

    def _take(self, X):
        """Return new samples, checked; scikit-learn compares frames with a frame of the fit."""
        if is_frame(X) and hasattr(self, "feature_names_in_") and not self._matches_frames:
            return self._validate(X, reset=False)
        components = self._components
        aligned = align(X, components, stacklevel=4)  # beyond scikit-learn
        if aligned is not X:
            return aligned
        if is_frame(X) and components.feature_names is not None:  # the same names
            X = read_frame(X, keep_zeros=self._allows_nan, allow_nan=self._allows_nan)
        return self._validate(X, reset=False)

    @property
    def _matches_frames(self):
        return False

    def reconstruction_error(self, X: Matrix) -> float:
        """Return ||X - W H||_F, or the root of twice `Factorization.loss`, of new samples."""
        check_is_fitted(self)
        return float(np.sqrt(2 * self._components.loss(self._take(X), n_threads=self.n_threads)))

    def inverse_transform(self, X: Matrix) -> FloatArray:
        """Return X @ `components_`, of shape (any, n_features): dense, and a frame if X is one."""
        check_is_fitted(self)
        frame = X if is_frame(X) else None
        X = fill_masked(X, "X", allow_nan=False)
        X = as_csr(X, "X") if sp.issparse(X) and X.ndim == 2 else X
        X = X if frame is None else read_frame(frame)
        X = check_array(X, accept_sparse=("csr", "csc"), dtype=DTYPES)
        H = self._components.H
        if X.shape[1] != len(H):
            raise ValueError(
                f"X has {X.shape[1]} columns, but this {type(self).__name__} has {len(H)} "
                "components: pass what transform returns"
            )
        product = X @ H
        if frame is None:
            return product
        return like_frame(frame, product, getattr(self, "feature_names_in_", None))

    @property
    def n_components_(self) -> int:
        """Rows of `components_`; both may be set."""
        check_is_fitted(self)
        known = vars(self).get("_n_components_set")
        return len(self._components.H) if known is None else known

    @n_components_.setter
    def n_components_(self, n_components: int) -> None:
        self._n_components_set: int | None = check_integer(n_components, "n_components_", least=1)

    def _check_n_components_set(self, H):
        """Raise ValueError if n_components_ was set, and to something else than H has."""
        known = vars(self).get("_n_components_set")
        if known not in (None, len(H)):
            raise ValueError(
                f"n_components_ was set to {known}, but components_ has {len(H)} rows: set both"
            )

    def _own_components(self, H, names=None):
        """Return components that were set, not learned, for the objective of the estimator."""
        options: dict[str, Any] = {
            "loss": loss_name(check_beta(self.beta_loss)),
            "alpha_W": self.alpha_W,
            "alpha_H": self.alpha_H,
            "l1_ratio": self.l1_ratio,
            "missing": "unknown" if self._allows_nan else "zero",
        }
        return Components(H=H, options=options, feature_names=names)

    def _other_components(self, model, H):
        """Return components that were set in place of those of a fit; its weights remain.

        Parameters
        ----------
        model : Factorization or None
            The fit, if there was one.
        H : matrix of shape (n_components, n_features)
        """
        names = names_of(H)[0]
        if model is not None and model.feature_names is not None and H.shape == model.H.shape:
            names = model.feature_names
        H = given_H(order_H(H, names, "components_"))
        self._check_n_components_set(H)
        components = self._own_components(H, names)
        if model is not None:
            components.options, weights = model.options, model.feature_weight
            if weights is not None and len(weights) != H.shape[1]:
                raise ValueError(
                    f"components_ has {H.shape[1]} features, but the weights of the fit are those "
                    f"of {len(weights)}"
                )
            components.feature_weight = weights
        return components

    @property
    def _n_components(self):
        return self.n_components_

    @property
    def _components(self) -> Components:
        """The components that transform new samples; each estimator defines where they come from.

        Not an abstract method: scikit-learn's estimators have no metaclass, and both have it.
        """
        raise NotImplementedError(f"{type(self).__name__} must define _components")

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
