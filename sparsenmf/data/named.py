"""Matrices with the names of their samples and features, and where other packages keep them."""

from __future__ import annotations

from typing import Any

import scipy.sparse as sp
from numpy.typing import DTypeLike, NDArray

from .annotated import is_annotated, names_in
from .axes import common_names, is_diagonal, pick_names, split_key
from .containers import is_frame
from .names import PLAIN, feature_array, is_missing, sample_array
from .typing import Matrix, Names, Vocabulary

ENTRY_BY_ENTRY = (
    "copy", "astype", "tocsr", "tocsc", "tocoo", "tolil", "todok", "conjugate", "power",
    "multiply", "maximum", "minimum", "__abs__", "__neg__", "__round__", "__add__", "__radd__",
    "__sub__", "__mul__", "__rmul__", "__truediv__", "__eq__", "__ne__", "__lt__", "__le__",
    "__gt__", "__ge__", "arcsin", "arcsinh", "arctan", "arctanh", "ceil", "deg2rad", "expm1",
    "floor", "log1p", "rad2deg", "rint", "sign", "sin", "sinh", "sqrt", "tan", "tanh", "trunc",
)  # fmt: skip
"""What scipy computes entry by entry: rows and columns stay what they are, and keep their names."""


class Named(sp.sparray):
    """What `NamedMatrix` and its relatives share: names that follow rows and columns."""

    feature_names: NDArray[Any] | None = None  # until `_name` sets them: scipy makes its results
    sample_names: NDArray[Any] | None = None  # with the same type

    def __getitem__(self, key: Any) -> Any:
        """Return what scipy does; a matrix of some rows and columns has their names."""
        found, indices = super().__getitem__(key), split_key(key)
        if not sp.issparse(found) or found.ndim != 2 or indices is None:
            return found
        (features, samples), (rows, columns) = names_of(self), indices
        n_rows, n_columns = found.shape
        return _name(
            found, pick_names(features, columns, n_columns), pick_names(samples, rows, n_rows)
        )

    def transpose(self, axes: Any = None, copy: bool = False) -> Any:
        """Return the transpose, in which the names of samples are those of features."""
        features, samples = names_of(self)
        if axes is not None and [axis % 2 for axis in axes] == [0, 1]:  # COO stays as it is
            features, samples = samples, features
        return _name(super().transpose(axes, copy), samples, features)

    def resize(self, *shape: Any) -> None:
        """Change the shape in place; an axis that grows has no names then."""
        names, before = names_of(self)[::-1], self.shape
        super().resize(*shape)
        kept: list[Any] = [None, None]
        if len(before) == self.ndim == 2:
            for axis, (found, n) in enumerate(zip(names, self.shape, strict=True)):
                if found is not None and n <= before[axis]:
                    kept[axis] = found[:n]
        self.sample_names, self.feature_names = kept

    def __rsub__(self, other: Any) -> Any:
        """Return other - self, with their names."""
        found = type(other).__sub__(other, self) if sp.issparse(other) else super().__rsub__(other)
        return _name_entries(found, self, other)

    def __matmul__(self, other: Any) -> Any:
        """Return self @ other: with the rows' names of self, and the columns' names of other."""
        return _name_product(super().__matmul__(other), self, other)

    def __rmatmul__(self, other: Any) -> Any:
        """Return other @ self, which Python asks for before csr_array's own product."""
        forward = sp.issparse(other)
        found = type(other).__matmul__(other, self) if forward else super().__rmatmul__(other)
        return _name_product(found, other, self)


def _with_names(operation):
    """Return a method that does what scipy's does, and names the result."""

    def method(self, *args, **options):
        found = getattr(super(Named, self), operation)(*args, **options)
        return _name_entries(found, self, *args[:1])

    method.__name__ = method.__qualname__ = operation
    method.__doc__ = getattr(sp.csr_array, operation).__doc__
    return method


def _takes_names(kind):
    """Let what the format of a class computes entry by entry have its names."""
    _, of_scipy = kind.__bases__
    for operation in ENTRY_BY_ENTRY:
        if hasattr(of_scipy, operation):
            setattr(kind, operation, _with_names(operation))
    return kind


@_takes_names
class NamedMatrix(Named, sp.csr_array):
    """A `scipy.sparse.csr_array` that knows the names of its samples and features.

    `factorize` takes it as any other matrix, and its result keeps the names. `read_matrix`
    returns one for files that carry names. Some of its rows or columns, its transpose, copies and
    what is computed entry by entry (``2 * X``, ``X.log1p()``, ``X * weights[:, None]``) have
    their names; a sum of two matrices has those that both agree on. A product ``X @ Y`` has the
    names of X's rows and of Y's columns, or those of X's columns if Y is diagonal. Names stay in
    the formats csr, csc, coo, lil and dok; ``X.resize`` cuts them, and drops those of an axis that
    grows. What scipy's functions make of matrices, such as ``scipy.sparse.vstack`` and ``hstack``,
    and the formats bsr and dia, have none: pass them to `NamedMatrix` with the names that they
    should have.

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


@_takes_names
class NamedColumns(Named, sp.csc_array):
    """A `NamedMatrix` by columns: a `scipy.sparse.csc_array` with names."""


@_takes_names
class NamedEntries(Named, sp.coo_array):
    """A `NamedMatrix` by entries: a `scipy.sparse.coo_array` with names."""

    @property
    def coords(self) -> Any:
        """The rows and the columns of the entries."""
        return self._coords

    @coords.setter
    def coords(self, coords: Any) -> None:
        # scipy.sparse.permute_dims and swapaxes exchange them in place.
        before: Any = getattr(self, "_coords", ())
        self._coords = coords
        if len(before) == len(coords) == 2 and before[0] is coords[1] and before[1] is coords[0]:
            names = self.sample_names, self.feature_names
            self.feature_names, self.sample_names = (
                (None, None) if coords[0] is coords[1] else names  # else it may be no exchange
            )


@_takes_names
class NamedLists(Named, sp.lil_array):
    """A `NamedMatrix` to be changed, by lists: a `scipy.sparse.lil_array` with names."""


@_takes_names
class NamedKeys(Named, sp.dok_array):
    """A `NamedMatrix` to be changed, by keys: a `scipy.sparse.dok_array` with names."""


TYPES = {
    "csr": NamedMatrix,
    "csc": NamedColumns,
    "coo": NamedEntries,
    "lil": NamedLists,
    "dok": NamedKeys,
}


def _name(found, features, samples):
    """Return a matrix with names, or as it is if there are none or its format takes none."""
    if not sp.issparse(found) or found.ndim != 2 or found.format not in TYPES:
        return found
    if features is None and samples is None and not isinstance(found, Named):
        return found
    if not isinstance(found, Named):
        found = TYPES[found.format](found)
    found.feature_names = feature_array(features, found.shape[1])
    found.sample_names = sample_array(samples, found.shape[0])
    return found


def _name_entries(found, one, other=None):
    """Name what has been computed entry by entry from a matrix and perhaps another."""
    if not sp.issparse(found) or found.ndim != 2:
        return found
    features, samples = (
        common_names([_of_axis(part, axis, found.shape[axis]) for part in (one, other)])
        for axis in (1, 0)
    )
    return _name(found, features, samples)


def _of_axis(X, axis, n):
    """Return the names of X along an axis, or None if it has none or is broadcast along it."""
    is_named = isinstance(X, Named) and X.ndim == 2 and X.shape[axis] == n
    return names_of(X)[1 - axis] if is_named else None


def _name_product(found, left, right):
    """Name a product: rows are those of the left, columns those of the right."""
    if not sp.issparse(found) or found.ndim != 2:
        return found
    features, samples = _of_axis(right, 1, found.shape[1]), _of_axis(left, 0, found.shape[0])
    if features is None and is_diagonal(right):  # a column times a number is the same column
        features = _of_axis(left, 1, found.shape[1])
    if samples is None and is_diagonal(left):
        samples = _of_axis(right, 0, found.shape[0])
    return _name(found, features, samples)


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
        return features, labels_of(X)
    if hasattr(kind, "column_names") and hasattr(kind, "to_batches"):
        return feature_array(list(X.column_names), X.shape[1]), None
    is_named = isinstance(X, Named) and X.ndim == 2  # one without columns is scipy's
    if not is_named and not (hasattr(kind, "blocks") and hasattr(kind, "rows")):
        return None, None
    # A user may have assigned a list.
    features, samples = (getattr(X, name, None) for name in ("feature_names", "sample_names"))
    return feature_array(features, X.shape[1]), sample_array(samples, X.shape[0])


def labels_of(X) -> NDArray[Any] | None:
    """Return the names in the index of a frame or a Series; None if it has none, or numbers."""
    index = getattr(X, "index", None) if hasattr(type(X), "to_numpy") else None
    if index is None or type(index).__name__ in ("RangeIndex", "MultiIndex"):  # polars has none
        return None
    return sample_array([*_labels(index)], len(index))


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
