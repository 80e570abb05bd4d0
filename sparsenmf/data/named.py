"""Matrices with the names of their samples and features, and where other packages keep them."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import DTypeLike, NDArray

from .annotated import is_annotated, names_in
from .containers import is_frame
from .names import PLAIN, as_text, check_labels, check_vocabulary, is_missing
from .typing import Matrix, Names, Vocabulary

NO_TERMS = (
    "this model has no feature names: pass the vocabulary, such as "
    "vectorizer.get_feature_names_out(), or fit a DataFrame, an AnnData or a NamedMatrix"
)

LONG_NAME, LONG_NAMES = 200, 2**24
"""Characters of a name of a sample, and of an array of names, from which on names are cut: each
takes the room of the longest one, and a text among them would take gigabytes."""


class Named(sp.sparray):
    """What `NamedMatrix` and its transpose share: names that follow rows and columns."""

    feature_names: NDArray[Any] | None
    sample_names: NDArray[Any] | None

    def __getitem__(self, key: Any) -> Any:
        """Return what scipy does; a matrix of some rows and columns has their names."""
        found, indices = super().__getitem__(key), _split(key)
        if not sp.issparse(found) or found.ndim != 2 or indices is None:
            return found
        (features, samples), (rows, columns) = names_of(self), indices
        n_rows, n_columns = found.shape
        return _name(found, _pick(features, columns, n_columns), _pick(samples, rows, n_rows))

    def transpose(self, axes: Any = None, copy: bool = False) -> Any:
        """Return the transpose, in which the names of samples are those of features."""
        features, samples = names_of(self)
        return _name(super().transpose(axes, copy), samples, features)

    def copy(self) -> Any:
        """Return a copy with the names."""
        return _name(super().copy(), *names_of(self))

    def astype(self, *args: Any, **options: Any) -> Any:
        """Return the matrix in another dtype, with its names."""
        return _name(super().astype(*args, **options), *names_of(self))

    def tocsr(self, copy: bool = False) -> Any:
        """Return the matrix in CSR format, with its names."""
        return _name(super().tocsr(copy), *names_of(self))

    def tocsc(self, copy: bool = False) -> Any:
        """Return the matrix in CSC format, with its names."""
        return _name(super().tocsc(copy), *names_of(self))


class NamedMatrix(Named, sp.csr_array):
    """A `scipy.sparse.csr_array` that knows the names of its samples and features.

    `factorize` takes it as any other matrix, and its result keeps the names. `read_matrix`
    returns one for files that carry names. Some of its rows or columns, its transpose and copies
    have their names. What is computed from it, a sum or a product, is a matrix without names.

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
    >>> X[:, X.sum(axis=0) > 5].feature_names.tolist()
    ['cat', 'mouse']
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


class NamedColumns(Named, sp.csc_array):
    """The transpose of a `NamedMatrix`: a `scipy.sparse.csc_array` with names."""

    feature_names = sample_names = None  # until `_name` sets them


def _name(found, features, samples):
    """Return a matrix in CSR or CSC format with names, or as it is if there are none."""
    if features is None and samples is None:
        return found
    if not isinstance(found, Named):
        found = (NamedMatrix if found.format == "csr" else NamedColumns)(found)
    found.feature_names = feature_array(features, found.shape[1])
    found.sample_names = sample_array(samples, found.shape[0])
    return found


def _split(key):
    """Return the indices of rows and of columns, or None if they do not come apart."""
    key = key if isinstance(key, tuple) else (key,)
    n_given = sum(part is not Ellipsis for part in key)
    filled: list[Any] = []
    for part in (*key, Ellipsis):
        if part is Ellipsis:  # scipy takes one; the rest of the matrix is taken as a whole
            filled += [slice(None)] * (2 - n_given)
            n_given = 2
        else:
            filled.append(part if isinstance(part, slice) else np.asarray(part))
    if len(filled) != 2:  # None adds an axis
        return None
    rows, columns = filled
    arrays = [part for part in filled if not isinstance(part, slice)]
    if len(arrays) == 2:  # only those of np.ix_ take whole rows and columns
        if (rows.ndim, columns.ndim) != (2, 2) or rows.shape[1] != 1 or columns.shape[0] != 1:
            return None
        rows, columns = rows[:, 0], columns[0]
    elif arrays and arrays[0].ndim != 1:
        return None
    return rows, columns


def _pick(names, index, n):
    """Return the n names at an index, or None if there are no names."""
    if names is None:
        return None
    return names[index] if n else names[:0]  # an empty list is no index of NumPy


def feature_array(names, n_features) -> NDArray[Any] | None:
    """Return names of features as an array of str, or None if there are none."""
    if names is None or _is_ready(names, "U", n_features):
        return names
    return np.array(check_vocabulary(names, n_features), str)


def sample_array(names, n_samples) -> NDArray[Any] | None:
    """Return names of samples as an array of str, or of int where all are; None if there are none.

    A missing name becomes an empty text. Where names are whole texts, they are cut.
    """
    if names is None or _is_ready(names, "Ui", n_samples):
        return names
    labels = check_labels(names, n_samples, "sample_names", owner="X has {} rows")
    if labels and all(isinstance(x, int | np.integer) and not isinstance(x, bool) for x in labels):
        return np.array(labels, np.int64)
    found = (as_text(label, f"sample_names[{i}]") for i, label in enumerate(labels))
    texts = ["" if text is None else text for text in found]
    longest = max(map(len, texts), default=0)
    if longest > LONG_NAME and longest * len(texts) > LONG_NAMES:
        texts = [
            text if len(text) <= LONG_NAME else f"{text[: LONG_NAME - 3]}..." for text in texts
        ]
    return np.array(texts, str)


def _is_ready(names, kinds, n):
    """Return whether names are an array as a model keeps it."""
    kind = names.dtype.kind if type(names) is np.ndarray else "O"
    return kind in kinds and names.shape == (n,)


def terms_of(model: Any, vocabulary: Vocabulary | None = None) -> list[str]:
    """Return the terms of a model's columns: the vocabulary, by default its own feature names.

    Raises
    ------
    TypeError, ValueError
        If it has no names and there is no vocabulary, or these are not n_features terms.
    """
    if vocabulary is None:
        vocabulary = model.feature_names
    if vocabulary is None:
        raise ValueError(NO_TERMS)
    return check_vocabulary(vocabulary, model.n_features)


def names_of(X: Matrix) -> tuple[NDArray[Any] | None, NDArray[Any] | None]:
    """Return the names of the features and of the samples of X, each None where it has none.

    Parameters
    ----------
    X : NamedMatrix, a store with names, an AnnData or its ``.raw``, a frame of pandas or polars, \
a table of pyarrow
        Names of a frame count where they are texts: numbered columns and a numbered index are no
        names. Anything else has no names.
    """
    kind = type(X)
    if is_annotated(X):
        return names_in(X.var_names), names_in(getattr(X, "obs_names", None))
    if is_frame(X):
        texts = all(isinstance(name, str) for name in X.columns)
        features = feature_array(list(X.columns), X.shape[1]) if texts else None
        index = getattr(X, "index", None)  # polars has none
        numbered = index is None or type(index).__name__ in ("RangeIndex", "MultiIndex")
        return features, None if numbered else sample_array([*_labels(index)], X.shape[0])
    if hasattr(kind, "column_names") and hasattr(kind, "to_batches"):
        return feature_array(list(X.column_names), X.shape[1]), None
    is_named = isinstance(X, Named) and X.ndim == 2  # one without columns is scipy's
    if not is_named and not (hasattr(kind, "blocks") and hasattr(kind, "rows")):
        return None, None
    # A user may have assigned a list.
    features, samples = (getattr(X, name, None) for name in ("feature_names", "sample_names"))
    return feature_array(features, X.shape[1]), sample_array(samples, X.shape[0])


def with_names(X, feature_names=None, sample_names=None):
    """Return a checked matrix with names, or as it is if there are none."""
    if feature_names is None and sample_names is None:
        return X
    return NamedMatrix(X, feature_names=feature_names, sample_names=sample_names)


def _labels(index):
    """Return the labels of an index; those that are no names, such as periods, as they print."""
    for label in index:
        if isinstance(label, bytes):
            yield label.decode(errors="replace")
        elif isinstance(label, (str, *PLAIN)) or is_missing(label):
            yield str(label) if isinstance(label, bool) else label
        else:
            yield str(label)
