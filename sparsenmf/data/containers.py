"""Matrices from and for other packages: AnnData, PyData sparse, pyarrow, pandas and polars.

No such package is imported before it is used.
"""

import numbers
import os
from collections.abc import Iterable

import numpy as np
import scipy.sparse as sp

from .annotated import check_scaled, in_memory, is_annotated, main_matrix, names_in, others
from .names import as_text, check_labels, check_names, check_vocabulary, component_names

OBSM, VARM, UNS = "X_nmf", "nmf", "nmf"
"""Keys of W, H and the record of the run in an AnnData."""


def unwrap(X, name="X"):
    """Return the scipy.sparse matrix or ndarray inside another package's container.

    Parameters
    ----------
    X : anything
        An AnnData, in memory or on disk, its ``.raw`` or its ``.X``; a PyData sparse array; or a
        pyarrow SparseCSRMatrix, SparseCSCMatrix or SparseCOOTensor. Anything else is returned
        unchanged.
    name : str
        The argument's name, for the errors.

    Raises
    ------
    TypeError
        If X only looks like a matrix: None, an AnnData without X, a path, a list of texts or
        of matrices, or a store.
    ValueError
        If X has no scipy.sparse form: its dimensions are not two, or its fill value is not zero.
    """
    adata, problem = (X if is_annotated(X) else None), None
    X = in_memory(X if adata is None else main_matrix(adata))
    if adata is not None and X is not None:
        check_scaled(X, adata)
    elif adata is not None:
        instead = others(adata) or 'adata.layers["counts"]'
        problem = f"an AnnData without X: pass one of its layers, such as {instead}"
    elif X is None:
        problem = "None: pass a matrix, an array or a DataFrame"
    elif isinstance(X, str | os.PathLike):
        problem = f"{str(X)!r}: read a file with read_matrix, open a store with open_csr"
    elif isinstance(X, list | tuple) and X and isinstance(X[0], str):
        problem = "a list of texts: pass them to find_topics, or count their words first"
    elif isinstance(X, list | tuple) and X and len(getattr(X[0], "shape", ())) == 2:
        problem = (
            f"a list of matrices, such as {type(X[0]).__name__}: stack them with "
            f"scipy.sparse.vstack, or, beyond memory, write them with write_csr; "
            f"MiniBatchNMF.fit takes batches from an iterator, iter(...)"
        )
    elif hasattr(type(X), "blocks") and hasattr(type(X), "rows"):
        problem = (
            "a store: factorize, transform, select_n_components, consensus, topic_coherence and "
            "MiniBatchNMF.fit take it, this takes matrices in memory. If it fits there, pass "
            "store.rows(0, store.shape[0])"
        )
    if problem is not None:
        raise TypeError(
            f"{name} must hold real numbers (floats, integers or booleans), but is {problem}"
        )
    for method in ("to_scipy_sparse", "to_scipy"):
        if hasattr(type(X), method):
            try:
                return getattr(X, method)()
            except ValueError as error:
                raise ValueError(f"{name} cannot be read as a sparse matrix: {error}") from None
    return X


def is_frame(X):
    """Return whether X is a DataFrame of pandas or polars."""
    return all(hasattr(type(X), name) for name in ("columns", "dtypes", "to_numpy"))


def read_frame(frame, name="X", *, keep_zeros=False, allow_nan=False):
    """Return the numbers of a frame as a matrix, which is sparse if a column is.

    Parameters
    ----------
    frame : DataFrame
        Its columns may differ in type: floats, integers, booleans, nullable, sparse.
    name : str
        The argument's name, for the errors.
    keep_zeros : bool
        Whether the zeros of a dense column are stored, too.
    allow_nan : bool
        Whether values may be missing: NaN, None, NA, or absent from a sparse column whose
        fill value is NaN.

    Returns
    -------
    ndarray or scipy.sparse.coo_array
        Its dtype is the smallest that holds those of the columns. Missing values are NaN.

    Raises
    ------
    TypeError
        If a column does not hold real numbers; the message names it and one of its values.
    ValueError
        If the fill value of a sparse column is neither 0 nor a missing value that is allowed.
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
    """Return whether every object is a real number."""
    return all(isinstance(value, numbers.Real | np.bool_) for value in values)


def _is_sparse(column):
    return hasattr(column.dtype, "fill_value") and hasattr(column.dtype, "subtype")


def _sparse_entries(column, label, name, allow_nan):
    """Return the row numbers and the values that a sparse column stores."""
    fill = column.dtype.fill_value
    if column.dtype.subtype.kind not in "fbiu":
        _raise_no_numbers(column, label, name)
    if fill != 0 and not (allow_nan and np.isnan(fill)):
        advice = "convert it to a fill value of 0"
        if np.isnan(fill):
            advice = '.fillna(0) makes them zeros, and missing="unknown" takes them as unknown'
        raise ValueError(
            f"{name} cannot be read as a sparse matrix: its column {label!r} has the fill value "
            f"{fill} for all absent entries: {advice}"
        )
    array = column.array
    return array.sp_index.indices, array.sp_values


def _values(column, label, name):
    """Return the numbers of a dense column; missing ones are NaN."""
    kind = column.dtype
    if isinstance(kind, np.dtype) and kind.kind in "fbiu":
        return column.to_numpy()
    if not _is_numeric(column):
        _raise_no_numbers(column, label, name)
    if not hasattr(column, "array"):  # polars, whose missing booleans make a column of objects
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


def to_frame(model, which="H", labels=None):
    """Return W or H as a DataFrame; `Factorization.to_frame` documents it."""
    if which not in ("W", "H"):
        raise ValueError(f'which must be "W" or "H", not {which!r}')
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError('to_frame needs pandas: pip install "sparsenmf[frames]"') from error

    components = pd.Index(component_names(model.n_components), name="component")
    if which == "H":
        if labels is None:
            labels = model.feature_names
        if labels is not None:
            labels = check_vocabulary(labels, model.n_features)
        return pd.DataFrame(model.H, index=components, columns=labels)
    if labels is None:
        labels = None if model.sample_names is None else np.asarray(model.sample_names).tolist()
    if labels is not None:
        named = check_labels(labels, model.n_samples, "labels")
        # An index, numbers and dates keep their types, so that other frames can be joined by them.
        if not isinstance(labels, pd.Index):
            labels = [as_text(x, "labels") if isinstance(x, bytes) else x for x in named]
    return pd.DataFrame(model.W, index=labels, columns=components)


def places_of(theirs, ours, name, attribute):
    """Return where each name of an AnnData is among those of a model: all, where one has none.

    Raises
    ------
    ValueError
        If the names differ by more than their order.
    """
    theirs = names_in(theirs)
    if theirs is None or ours is None:
        return slice(None)
    ours = np.asarray(ours, str)
    if np.array_equal(theirs, ours):
        return slice(None)
    place = {label: i for i, label in enumerate(ours.tolist())}
    odd = [label for label in theirs.tolist() if label not in place]
    if odd or len(place) < len(ours) or len(set(theirs.tolist())) < len(theirs):
        found = repr(odd[0]) if odd else "names more than once, in another order"
        raise ValueError(
            f"adata.{name} has {found}, unlike model.{attribute}: pass the AnnData of the fit, or "
            f"set model.{attribute} = None if rows and columns are the same"
        )
    return np.array([place[label] for label in theirs.tolist()])


def to_anndata(model, adata=None):
    """Write W, H and the run into an AnnData; `Factorization.to_anndata` documents it."""
    if adata is None:
        try:
            from anndata import AnnData
        except ImportError as error:
            raise ImportError('to_anndata needs anndata: pip install "sparsenmf[h5ad]"') from error

        adata = AnnData(shape=(model.n_samples, model.n_features))
        if model.feature_names is not None:
            adata.var_names = check_vocabulary(model.feature_names, model.n_features)
        if model.sample_names is not None:
            adata.obs_names = check_names(model.sample_names, model.n_samples, "sample_names")
    if tuple(adata.shape) != (model.n_samples, model.n_features):
        raise ValueError(
            f"adata is {adata.shape[0]} x {adata.shape[1]}, but this factorization is of "
            f"{model.n_samples} x {model.n_features}: pass the AnnData of the fit, such as "
            f"adata[:, model.feature_names].copy() after a fit of some genes, or set "
            f'adata.obsm["{OBSM}"] = model.W'
        )
    rows = places_of(adata.obs_names, model.sample_names, "obs_names", "sample_names")
    columns = places_of(adata.var_names, model.feature_names, "var_names", "feature_names")
    adata.obsm[OBSM] = np.array(model.W[rows])
    adata.varm[VARM] = np.array(model.H.T[columns], order="C")
    adata.uns[UNS] = {
        # HDF5 cannot hold None.
        "options": {name: value for name, value in model.options.items() if value is not None},
        "objective_history": np.array(model.objective_history),
        "time_history": np.array(model.time_history),
        "stop_reason": model.stop_reason,
        "optimality": model.optimality,
        "x_norm": model.x_norm,
        "error": model.error,
    }
    return adata
