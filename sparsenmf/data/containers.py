"""To and from the containers of other packages, none of which is imported before it is used."""

import os

import numpy as np

from .names import as_text, check_labels, check_vocabulary, component_names

OBSM, VARM, UNS = "X_nmf", "nmf", "nmf"
"""Where W, H and the record of the run are in an AnnData."""


def unwrap(X, name="X"):
    """Return the scipy.sparse matrix or ndarray inside another package's container.

    Parameters
    ----------
    X : anything
        An AnnData, in memory or on disk, its ``.raw`` or its ``.X``; a PyData sparse array; or a
        pyarrow SparseCSRMatrix, SparseCSCMatrix or SparseCOOTensor. Anything else is returned as
        it is.
    name : str
        The argument's name, for the errors.

    Raises
    ------
    TypeError
        If it is what users take for a matrix, but none: None, an AnnData without X, a path, a
        matrix on disk.
    ValueError
        If it cannot be a scipy.sparse matrix: other than two dimensions, or a fill value
        that is not zero.
    """
    # Of the type: a DataFrame has its columns as attributes.
    is_annotated = hasattr(type(X), "varm")
    if is_annotated:  # an AnnData or its .raw
        X = getattr(X, "X", None)
    if hasattr(type(X), "to_memory"):  # on disk
        X = X.to_memory()
    problem = None
    if X is None and is_annotated:
        problem = 'an AnnData without X: pass one of its layers, such as adata.layers["counts"]'
    elif X is None:
        problem = "None: pass a matrix, an array or a DataFrame"
    elif isinstance(X, str | os.PathLike):
        problem = f"{str(X)!r}: read a file with read_matrix, open a store with open_csr"
    elif isinstance(X, list | tuple) and X and isinstance(X[0], str):
        problem = "a list of texts: pass them to find_topics, or count their words first"
    elif hasattr(type(X), "blocks") and hasattr(type(X), "rows"):
        problem = (
            "a store: factorize, transform, topic_coherence and MiniBatchNMF.fit take it, this "
            "takes matrices in memory. If it fits there, pass store.rows(0, store.shape[0])"
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


def to_frame(model, which="H", labels=None):
    """Return W or H of a `Factorization` as a DataFrame; see `Factorization.to_frame`."""
    if which not in ("W", "H"):
        raise ValueError(f'which must be "W" or "H", not {which!r}')
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError('to_frame needs pandas: pip install "sparsenmf[frames]"') from error

    components = pd.Index(component_names(model.n_components), name="component")
    if which == "H":
        if labels is not None:
            labels = check_vocabulary(labels, model.n_features)
        return pd.DataFrame(model.H, index=components, columns=labels)
    if labels is not None:
        named = check_labels(labels, model.n_samples, "labels")
        # An index stays what it is, and so do numbers and dates: other frames are joined by them.
        if not isinstance(labels, pd.Index):
            labels = [as_text(x, "labels") if isinstance(x, bytes) else x for x in named]
    return pd.DataFrame(model.W, index=labels, columns=components)


def to_anndata(model, adata=None):
    """Write a `Factorization` into an AnnData; see `Factorization.to_anndata`."""
    if adata is None:
        try:
            from anndata import AnnData
        except ImportError as error:
            raise ImportError('to_anndata needs anndata: pip install "sparsenmf[h5ad]"') from error

        adata = AnnData(shape=(model.n_samples, model.n_features))
    if tuple(adata.shape) != (model.n_samples, model.n_features):
        raise ValueError(
            f"adata is {adata.shape[0]} x {adata.shape[1]}, but this factorization is of "
            f"{model.n_samples} x {model.n_features}"
        )
    adata.obsm[OBSM] = np.array(model.W)
    adata.varm[VARM] = np.array(model.H.T, order="C")
    adata.uns[UNS] = {
        # HDF5 has no None.
        "options": {name: value for name, value in model.options.items() if value is not None},
        "objective_history": np.array(model.objective_history),
        "time_history": np.array(model.time_history),
        "stop_reason": model.stop_reason,
        "optimality": model.optimality,
        "x_norm": model.x_norm,
        "error": model.error,
    }
    return adata
