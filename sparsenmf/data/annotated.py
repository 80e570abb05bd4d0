"""AnnData, in memory or on disk: its X, a layer or raw, with names; and .h5ad files."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from .arguments import check_flag
from .damage import describe_damage
from .formats import as_csr, check_dense, check_values

PORTION = 2**15  # names that are read at once

IN_PYTHON = 'adata.layers["{}"]', "adata.raw"
IN_FILE = 'layer="{0}" (--layer {0})', "raw=True (--raw)"
"""How one takes a layer, and raw, of an object or of a file."""


def is_annotated(X):
    """Return whether X is an AnnData, or its ``.raw``."""
    # Attributes are looked up on the type, because a DataFrame has its columns as attributes.
    return hasattr(type(X), "varm")


def main_matrix(adata) -> Any:
    """Return the X of an AnnData or its ``.raw``, in memory, or None if it has none."""
    try:
        X = adata.X
    except KeyError:  # in a file without X
        return None
    return in_memory(X)


def in_memory(X):
    """Return a matrix of a file that is on disk, read; anything else unchanged."""
    X = X.to_memory() if hasattr(type(X), "to_memory") else X
    return np.asarray(X) if type(X).__module__.startswith("h5py") else X


def others(adata, forms=IN_PYTHON):
    """Return how to take what an AnnData has beside X, as text; empty if it has nothing else."""
    layer, raw = forms
    listed = [layer.format(name) for name in getattr(adata, "layers", None) or ()]
    if getattr(adata, "raw", None) is not None:
        listed.append(raw)
    return " or ".join(listed)


def check_scaled(X, adata, forms=IN_PYTHON):
    """Raise ValueError if a matrix of an AnnData has negative values, as after scaling."""
    data = X.data if sp.issparse(X) else X
    if not isinstance(data, np.ndarray) or data.dtype.kind not in "fi" or not data.size:
        return
    if not np.fmin.reduce(data, axis=None) < 0:
        return
    try:
        check_values(as_csr(X, "X"), "X", True) if sp.issparse(X) else check_dense(X, "X", True)
    except ValueError as error:
        found = str(error).partition(": ")[0]
        instead = others(adata, forms)
        raise ValueError(
            f"{found}, as scaled or centred data have: "
            + (f"take {instead}, whichever holds " if instead else "pass ")
            + "counts, or values from before scaling"
        ) from None


def names_in(index):
    """Return the names in an index of an AnnData, or None for those that it makes: "0", "1", ..."""
    if index is None:
        return None
    names = index if isinstance(index, np.ndarray) else np.array(list(index), str)
    made = names.size and (names[:1] == "0").all()
    made = made and np.array_equal(names, np.arange(len(names)).astype(names.dtype))
    return None if made else names


def load_h5ad(path, layer=None, raw=False):
    """Return X, a layer or raw of an .h5ad file, in memory but not yet checked, and its names.

    Parameters
    ----------
    path : str or path-like
    layer : str, optional
    raw : bool

    Returns
    -------
    X : matrix of shape (n_samples, n_features)
    feature_names, sample_names : ndarray of str or None

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it is damaged, has no such part, or is scaled.
    ImportError
        Without anndata (extra `h5ad`).
    """
    try:
        import anndata
    except ImportError as error:
        raise ImportError('reading .h5ad needs anndata: pip install "sparsenmf[h5ad]"') from error

    try:
        adata = anndata.read_h5ad(path, backed="r")  # X and raw stay in the file until wanted
        try:
            found = _choose(adata, layer, raw)
        finally:
            adata.file.close()
    except OSError:
        raise
    except Exception as error:  # anndata's own classes of errors are not public
        raise ValueError(describe_damage(error)) from error
    return found


def _choose(adata, layer, raw):
    part = adata.raw if raw else adata
    X = None if part is None else main_matrix(part)
    if layer is not None:
        X = adata.layers.get(layer)
    X = _there(X, adata, layer, raw)
    check_scaled(X, adata, IN_FILE)
    return X, names_in(part.var_names), names_in(adata.obs_names)


def _there(X, adata, layer, raw):
    """Return a part of what a file holds; raise ValueError if it has no such part."""
    if X is not None:
        return X
    missing = "raw" if raw else "X" if layer is None else f"layer {layer!r}"
    instead = others(adata, IN_FILE)
    raise ValueError(f"it has no {missing}" + (f": take {instead}" if instead else ""))


class Annotated:
    """An .h5ad file that is open as HDF5, to look at an AnnData without reading it.

    Parameters
    ----------
    file : h5py.File
    """

    def __init__(self, file):
        self.layers, self.raw = dict(file.get("layers") or {}), file.get("raw")
        self.X, self._file = file.get("X"), file

    def part(self, layer, raw):
        """Return the group or dataset of X, a layer or raw, or raise ValueError."""
        X = self.X if layer is None else self.layers.get(layer)
        if raw:
            X = None if self.raw is None else self.raw.get("X")
        return _there(X, self, layer, raw)

    def names(self, raw):
        """Return the names of features and samples."""
        var = self.raw.get("var") if raw and self.raw is not None else self._file.get("var")
        return names_in(_index(var)), names_in(_index(self._file.get("obs")))


def _index(table):
    """Return the index of a table in an .h5ad file, or None if it has none that can be read."""
    if table is None:
        return None
    if hasattr(table, "keys"):
        column = table.get(table.attrs.get("_index", "_index"))
        column = column.get("values") if hasattr(column, "keys") else column  # nullable texts
        return None if column is None else _texts(column)
    fields = table.dtype.names or ()  # as anndata wrote it before 0.7
    return _texts(table.fields(fields[0])) if fields else None


def _texts(column):
    """Return a column of texts as an array of str, made of portions for its memory."""
    portions = [
        np.array(
            [
                x.decode() if isinstance(x, bytes) else str(x)
                for x in column[start : start + PORTION]
            ],
            str,
        )
        for start in range(0, len(column), PORTION)
    ]
    return np.concatenate(portions) if portions else None


def check_part(layer, raw, path, is_file_of_anndata):
    """Raise TypeError or ValueError unless a part of an .h5ad file is chosen, or none."""
    if not (layer is None or isinstance(layer, str)):
        raise TypeError(f"layer must be the name of a layer, not {layer!r}")
    if check_flag(raw, "raw") and layer is not None:
        raise ValueError("layer and raw are two parts of an AnnData: choose one")
    if (raw or layer is not None) and not is_file_of_anndata:
        raise ValueError(f"layer and raw are parts of an .h5ad file, and {path} is none")
