"""Matrices with the names of their samples and features, and where other packages keep them."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import DTypeLike, NDArray

from .containers import is_frame
from .names import as_text, check_labels, check_vocabulary
from .typing import Matrix, Names, Vocabulary


class NamedMatrix(sp.csr_array):
    """A `scipy.sparse.csr_array` that knows the names of its samples and features.

    `factorize` takes it as any other matrix, and its result keeps the names. `read_matrix`
    returns one for files that carry names. What is computed from it, a slice or a product, is a
    matrix without names.

    Parameters
    ----------
    X : matrix of shape (n_samples, n_features)
        Anything that scipy can make a `csr_array` of. Arrays are shared where they can be.
    shape, dtype, copy : optional
        As in `scipy.sparse.csr_array`.
    feature_names : sequence of n_features str, or dict of term -> column, optional
        The names of the columns: terms, genes, items.
    sample_names : sequence of n_samples str or int, optional
        The names of the rows: titles, barcodes, users.

    Attributes
    ----------
    feature_names : ndarray of shape (n_features,), str, or None
    sample_names : ndarray of shape (n_samples,), str or int, or None

    Raises
    ------
    TypeError, ValueError
        If the names do not fit the matrix.

    Examples
    --------
    >>> from sparsenmf import NamedMatrix, factorize
    >>> X = NamedMatrix([[4.0, 1, 2], [8.0, 2, 4]], feature_names=["cat", "stock", "mouse"])
    >>> factorize(X, 1).top_terms()
    [['cat', 'mouse', 'stock']]
    """

    def __init__(
        self,
        X: Any,
        shape: tuple[int, ...] | None = None,
        dtype: DTypeLike | None = None,
        copy: bool = False,
        *,
        feature_names: Vocabulary | None = None,
        sample_names: Names | None = None,
        **options: Any,
    ) -> None:
        # scipy makes its results with the same type, without names.
        super().__init__(X, shape=shape, dtype=dtype, copy=copy, **options)
        self.feature_names = feature_array(feature_names, self.shape[-1])
        self.sample_names = sample_array(sample_names, self.shape[0])


def feature_array(names, n_features) -> NDArray[Any] | None:
    """Return names of features as an array of str, or None if there are none."""
    return None if names is None else np.array(check_vocabulary(names, n_features), str)


def sample_array(names, n_samples) -> NDArray[Any] | None:
    """Return names of samples as an array of str, or of int where all are; None if there are none.

    A missing name becomes an empty text.
    """
    if names is None:
        return None
    labels = check_labels(names, n_samples, "sample_names", owner="X has {} rows")
    if labels and all(isinstance(x, int | np.integer) and not isinstance(x, bool) for x in labels):
        return np.array(labels, np.int64)
    texts = (as_text(label, f"sample_names[{i}]") for i, label in enumerate(labels))
    return np.array(["" if text is None else text for text in texts], str)


def names_of(X: Matrix) -> tuple[NDArray[Any] | None, NDArray[Any] | None]:
    """Return the names of the features and of the samples of X, each None where it has none.

    Parameters
    ----------
    X : NamedMatrix, a store with names, an AnnData or its ``.raw``, a frame of pandas or polars
        Names of a frame count where they are texts: numbered columns and a numbered index are no
        names. Anything else has no names.
    """
    kind = type(X)
    if hasattr(kind, "varm"):
        samples = getattr(X, "obs_names", None)  # a .raw has none
        samples = None if samples is None else sample_array(list(samples), X.shape[0])
        return feature_array(list(X.var_names), X.shape[1]), samples
    if is_frame(X):
        texts = all(isinstance(name, str) for name in X.columns)
        features = feature_array(list(X.columns), X.shape[1]) if texts else None
        index = getattr(X, "index", None)  # polars has none
        numbered = index is None or type(index).__name__ in ("RangeIndex", "MultiIndex")
        return features, None if numbered else sample_array(list(index), X.shape[0])
    return getattr(X, "feature_names", None), getattr(X, "sample_names", None)
