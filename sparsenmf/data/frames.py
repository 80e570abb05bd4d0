"""DataFrames of pandas and polars as matrices, read column by column."""

import numbers
from collections.abc import Iterable

import numpy as np
import scipy.sparse as sp


def is_frame(X):
    """Tell whether X is a DataFrame of pandas or polars."""
    return all(hasattr(type(X), name) for name in ("columns", "dtypes", "to_numpy"))


def read_frame(frame, name="X", *, keep_zeros=False, allow_nan=False):
    """Return the numbers of a frame, sparse if one of its columns is.

    Parameters
    ----------
    frame : DataFrame
        Its columns may differ in type: floats, integers, booleans, nullable, sparse.
    name : str
        The argument's name, for the errors.
    keep_zeros : bool
        Whether a zero in a dense column is an entry like others.
    allow_nan : bool
        Whether values may be missing: NaN, None, NA, or absent from a sparse column whose
        fill value is NaN.

    Returns
    -------
    ndarray or scipy.sparse.coo_array
        Of the smallest type that holds the columns' types. What is missing is NaN.

    Raises
    ------
    TypeError
        If a column holds something else; the message names it, and a value of it.
    ValueError
        If a sparse column has a fill value that cannot be left out.
    """
    if 0 in frame.shape:
        return np.empty(frame.shape)
    if hasattr(frame, "items"):
        pairs = list(frame.items())
    else:  # polars
        pairs = list(zip(frame.columns, frame.iter_columns(), strict=True))
    kinds = {column.dtype for _, column in pairs}
    if len(kinds) == 1 and isinstance(kind := kinds.pop(), np.dtype) and kind.kind in "fbiu":
        return frame.to_numpy()  # without a copy, where pandas can
    if not any(map(_is_sparse, (column for _, column in pairs))):
        return np.column_stack([_values(column, label, name) for label, column in pairs])
    places, values = [], []
    for label, column in pairs:
        if _is_sparse(column):
            rows, entries = _sparse_entries(column, label, name, allow_nan)
        else:
            entries = _values(column, label, name)
            there = ~np.isnan(entries) if allow_nan else np.ones(len(entries), bool)
            rows = np.flatnonzero(there if keep_zeros else there & (entries != 0))
            entries = entries[rows]
        places.append(rows)
        values.append(entries)
    columns = np.repeat(np.arange(len(pairs)), [len(rows) for rows in places])
    coordinates = np.concatenate(places), columns
    return sp.coo_array((np.concatenate(values), coordinates), shape=frame.shape)


def holds_numbers(values):
    """Tell whether each object is a real number."""
    return all(isinstance(value, numbers.Real | np.bool_) for value in values)


def _is_sparse(column):
    return hasattr(column.dtype, "fill_value") and hasattr(column.dtype, "subtype")


def _sparse_entries(column, label, name, allow_nan):
    """Return the rows and the values that a sparse column stores."""
    fill = column.dtype.fill_value
    if column.dtype.subtype.kind not in "fbiu":
        _raise_no_numbers(column, label, name)
    if fill != 0 and not (allow_nan and np.isnan(fill)):
        advice = "convert it to a fill value of 0"
        if np.isnan(fill):
            advice = '.fillna(0) makes them zeros, and missing="unknown" takes them as unknown'
        raise ValueError(
            f"{name} cannot be read as a sparse matrix: its column {label!r} has the fill value "
            f"{fill}, which is that of all absent entries: {advice}"
        )
    array = column.array
    return array.sp_index.indices, array.sp_values


def _values(column, label, name):
    """Return a dense column as numbers; what is missing as NaN."""
    kind = column.dtype
    if isinstance(kind, np.dtype) and kind.kind in "fbiu":
        return column.to_numpy()
    if not _is_numeric(column):
        _raise_no_numbers(column, label, name)
    if not hasattr(column, "array"):  # polars, where a boolean that is missing is an object
        values = column.to_numpy()
        return values if values.dtype.kind in "fbiu" else column.cast(float).to_numpy()
    wanted = getattr(kind, "numpy_dtype", np.dtype(object))
    if wanted.kind not in "fbiu" or column.isna().any():
        wanted = np.dtype(np.float64)
    return column.to_numpy(dtype=wanted, na_value=np.nan if wanted.kind == "f" else 0)


def _is_numeric(column):
    kind = column.dtype
    if not hasattr(column, "array"):
        return kind.is_numeric() or str(kind) == "Boolean"
    from pandas.api.types import is_complex_dtype, is_numeric_dtype

    if _holds_objects(column):
        return holds_numbers(column[column.notna()])
    kind = kind.categories.dtype if hasattr(kind, "categories") else kind
    return is_numeric_dtype(kind) and not is_complex_dtype(kind)


def _holds_objects(column):
    return isinstance(column.dtype, np.dtype) and column.dtype.kind == "O"


def _raise_no_numbers(column, label, name):
    odd: Iterable = enumerate(column)
    if _holds_objects(column):
        there = zip(odd, column.notna(), strict=True)
        odd = (pair for pair, is_there in there if is_there and not holds_numbers(pair[1:]))
    row, value = next(iter(odd))
    raise TypeError(
        f"{name} must hold real numbers (floats, integers or booleans), but its column {label!r} "
        f"holds {value!r} at row {row} ({column.dtype}): drop the column, or turn it into numbers"
    )
