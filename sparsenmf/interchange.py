"""To and from the containers of other packages, none of which is imported before it is used."""

import numpy as np

from .names import as_text, check_labels, check_vocabulary, component_names

OBSM, VARM, UNS = "X_nmf", "nmf", "nmf"
"""Where W, H and the record of the run are in an AnnData."""


def unwrap(X, name="X"):
    """Return the scipy.sparse matrix or ndarray inside another package's container.

    Parameters
    ----------
    X : anything
        An AnnData (its .X, in memory or on disk), a PyData sparse array, or a pyarrow
        SparseCSRMatrix, SparseCSCMatrix or SparseCOOTensor; anything else is returned as it is.
    name : str
        The argument's name, for the errors.

    Raises
    ------
    ValueError
        If it cannot be a scipy.sparse matrix: other than two dimensions, or a fill value
        that is not zero.
    """
    # Of the type: a DataFrame has its columns as attributes.
    if hasattr(type(X), "obsm") and hasattr(type(X), "varm"):
        X = X.X.to_memory() if hasattr(X.X, "to_memory") else X.X
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
        raise ImportError("to_frame needs pandas: pip install pandas") from error

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
            raise ImportError("to_anndata needs anndata: pip install anndata") from error

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
