"""What an index or a product does to the names along the two axes of a matrix."""

from typing import Any

import numpy as np
import scipy.sparse as sp


def split_key(key):
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


def pick_names(names, index, n):
    """Return the n names at an index, or None if there are no names."""
    if names is None:
        return None
    return names[index] if n else names[:0]  # an empty list is no index of NumPy


def is_diagonal(X):
    """Return whether a sparse matrix is square and has nothing beside its diagonal."""
    if not sp.issparse(X) or X.ndim != 2 or X.shape[0] != X.shape[1] or X.nnz > X.shape[0]:
        return False
    entries = X.tocoo()
    return np.array_equal(entries.row, entries.col)


def common_names(found):
    """Return the names that all who have some agree on, or None."""
    there = [names for names in found if names is not None]
    agree = all(np.array_equal(names, there[0]) for names in there[1:])
    return there[0] if there and agree else None
