"""10x Genomics: folders and HDF5 files of genes x cells, which are read turned."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from ..annotated import check_part
from ..compressed import open_plain, plain_name
from .arrays import read_h5ad, read_mtx
from .content import Content, find_beside, plain_path

MATRIX = "matrix.mtx"

EXPRESSION = "Gene Expression"


class Folder(NamedTuple):
    """The three files of a 10x matrix."""

    matrix: Path
    features: Path
    barcodes: Path


def find_10x(path: Path) -> Folder | None:
    """Return the files of a 10x matrix in a folder, or around its ...matrix.mtx; None if none.

    Raises
    ------
    ValueError
        If a folder has several.
    """
    if path.is_dir():
        inside = [file for file in sorted(path.iterdir()) if plain_name(file).endswith(MATRIX)]
        found = [folder for folder in map(find_10x, inside) if folder is not None]
        if len(found) > 1:
            names = ", ".join(folder.matrix.name for folder in found)
            raise ValueError(f"it has several matrices: name one of {names}")
        return found[0] if found else None
    name = plain_name(path)
    if not name.endswith(MATRIX):
        return None
    prefix = path.name[: len(name) - len(MATRIX)]
    features = find_beside(path, f"{prefix}features.tsv", f"{prefix}genes.tsv")
    barcodes = find_beside(path, f"{prefix}barcodes.tsv")
    return Folder(path, features, barcodes) if features and barcodes else None


def open_10x(path: Path) -> Folder:
    """Return the files of a 10x matrix, or raise a ValueError if there are none."""
    folder = find_10x(path)
    if folder is None:
        raise ValueError("it is no 10x folder")
    return folder


def no_10x(path):
    """Return why a folder is no matrix, and what to type instead."""
    below = sorted(folder for folder in path.iterdir() if folder.is_dir() and find_10x(folder))
    if below:
        return f"a 10x matrix is in its folder {below[0].name}: type {below[0]}"
    has_texts = any(path.rglob("*.txt"))
    return f"for a folder of texts: sparsenmf topics {path}" if has_texts else ""


class Names(NamedTuple):
    """Names of the cells and the features, and which features are read."""

    cells: list[str]
    features: np.ndarray
    kept: np.ndarray | None

    def content(self, X):
        """Return the content of a matrix of cells x features."""
        if self.kept is None:
            return Content(X, self.features, self.cells)
        return Content(sp.csr_array(X)[:, self.kept], self.features[self.kept], self.cells)


def read_10x(path):
    """Read a 10x folder, with gene names and barcodes."""
    folder = open_10x(path)
    X = read_mtx(folder.matrix).matrix
    names = read_names(folder)
    return names.content(X.T if is_turned(X.shape, names) else X)


def read_names(folder):
    """Return the names in a 10x folder."""
    features = _read_columns(folder.features)
    cells = [row[0] for row in _read_columns(folder.barcodes)]
    labels = [row[1] if len(row) > 1 and row[1] else row[0] for row in features]
    kinds = [row[2] if len(row) > 2 else "" for row in features]
    return Names(cells, np.array(labels, str), choose_features(kinds))


def is_turned(shape, names):
    """Return whether a matrix has a row for each feature, as 10x writes it."""
    wanted = len(names.features), len(names.cells)
    if shape not in (wanted, wanted[::-1]):
        raise ValueError(
            f"it is {shape[0]} x {shape[1]}, but there are {wanted[0]} features and {wanted[1]} "
            f"barcodes beside it: these files do not belong together"
        )
    return shape == wanted


def choose_features(kinds):
    """Return which features are gene expression, or None if all are of one kind."""
    kinds = np.array(kinds, str)
    others = sorted(set(kinds.tolist()) - {EXPRESSION})
    kept = kinds == EXPRESSION
    if not others or not kept.any():
        return None
    warnings.warn(
        f"only the {kept.sum():,} features of {EXPRESSION} are read; "
        f"{(~kept).sum():,} of {', '.join(others)} are left out",
        stacklevel=2,
    )
    return kept


def _read_columns(path):
    with open_plain(path) as file:
        text = file.read().decode("utf-8-sig")
    return [line.split("\t") for line in text.splitlines() if line.strip()]


def read_hdf5(path, layer=None, raw=False):
    """Read an HDF5 file of 10x, or an AnnData with another suffix."""
    with plain_path(path) as plain:
        with open_hdf5(plain) as file:
            if is_anndata(file):
                return read_h5ad(plain, layer, raw)
            check_part(layer, raw, path, False)
            group, names = find_group(file)
            arrays = (group["data"][:], group["indices"][:], group["indptr"][:])
            shape = len(names.cells), len(names.features)
        # 10x stores the columns of genes x cells, which are the rows of cells x genes.
        return names.content(sp.csr_array(arrays, shape=shape))


def open_hdf5(path):
    """Open an HDF5 file."""
    try:
        import h5py
    except ImportError as error:
        raise ImportError('reading .h5 needs h5py: pip install "sparsenmf[h5ad]"') from error
    return h5py.File(path, "r")


def is_anndata(file):
    """Return whether an open HDF5 file is an AnnData."""
    return {"X", "obs", "var"} <= set(file)


def find_group(file):
    """Return the group of an open 10x file that has the matrix, and its names.

    Raises
    ------
    ValueError
        If there is none, or one for each of several genomes.
    """
    groups = [name for name in file if {"indptr", "barcodes"} <= set(_members(file[name]))]
    if not groups:
        held = ", ".join(file) or "nothing"
        raise ValueError(f"it is no matrix of 10x Genomics and no AnnData: it holds {held}")
    if len(groups) > 1:
        raise ValueError(f"it has several genomes: {', '.join(groups)}; only one is read")
    group = file[groups[0]]
    if "features" in group:  # Cell Ranger 3 and later
        features = group["features"]
        labels, kinds = features["name"], _texts(features.get("feature_type", ()))
    else:
        labels, kinds = group["gene_names"], []
    cells, labels = _texts(group["barcodes"]), np.array(_texts(labels), str)
    shape = tuple(int(size) for size in group["shape"][:])
    if shape != (len(labels), len(cells)):
        raise ValueError(
            f"it is {shape[0]} x {shape[1]}, but has {len(labels)} features and {len(cells)} "
            f"barcodes"
        )
    return group, Names(cells, labels, choose_features(kinds))


def _members(item):
    return item.keys() if hasattr(item, "keys") else ()


def _texts(values):
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values[:]]
