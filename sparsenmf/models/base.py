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

    from .estimator_input import DTYPES, validate_input
except ImportError as error:
    raise ImportError(
        "sparsenmf's estimators need scikit-learn 1.6 or newer: "
        'pip install "sparsenmf[sklearn]" '
        f"({error}); sparsenmf.factorize works without it"
    ) from error

from ..data.containers import is_frame
from ..data.formats import as_csr
from ..data.matching import align
from ..data.typing import FloatArray, Matrix
from ..data.validation import fill_masked
from .components import Components

__all__ = ["BaseNMF", "ConvergenceWarning", "check_array", "check_is_fitted"]


class BaseNMF(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """What the estimators share: everything that needs no more than H."""

    n_threads: int | None
    n_features_in_: int
    feature_names_in_: NDArray[Any]

    def _validate(self, X, *, reset):
        return validate_input(self, X, reset=reset, allow_nan=self._allows_nan)

    @property
    def _allows_nan(self):
        return False

    def transform(self, X: Matrix) -> FloatArray:
        """Return the weights of the components in X, of shape (any, n_components)."""
        check_is_fitted(self)
        return self._components.transform(self._take(X), n_threads=self.n_threads)

    def reconstruction_error(self, X: Matrix) -> float:
        """Return ||X - W H||_F, or the root of twice `Factorization.loss`, of new samples."""
        check_is_fitted(self)
        return float(np.sqrt(2 * self._components.loss(self._take(X), n_threads=self.n_threads)))

    def _take(self, X):
        """Return new samples, checked; the names of frames are scikit-learn's to compare."""
        if not is_frame(X):
            X = align(X, self._components, stacklevel=4)  # beyond scikit-learn
        return self._validate(X, reset=False)

    def inverse_transform(self, X: Matrix) -> FloatArray:
        """Return X @ components_, of shape (any, n_features): dense."""
        check_is_fitted(self)
        X = fill_masked(X, "X", allow_nan=False)
        X = as_csr(X, "X") if sp.issparse(X) and X.ndim == 2 else X
        X = check_array(X, accept_sparse=("csr", "csc"), dtype=DTYPES)
        return X @ self.components_

    @property
    def components_(self) -> FloatArray:
        """H, of shape (n_components, n_features)."""
        return self._components.H

    @property
    def n_components_(self) -> int:
        """Rows of H."""
        return self._components.n_components

    @property
    def _components(self) -> Components:
        """What transforms new samples; each estimator says where it comes from.

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
