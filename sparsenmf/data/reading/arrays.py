"""Matrices of scipy, NumPy and MatrixMarket; UCI's bags of words."""

from __future__ import annotations

import gzip
import math
import os
import zipfile

import numpy as np
import scipy.sparse as sp

from ..annotated import load_h5ad
from ..archive import DEFLATE_MOST, check_array, check_members, read_npy_header
from ..compressed import compression_of, plain_name
from ..damage import Damaged
from ..market import read_bag_header, read_header, read_market
from .content import Content, find_beside, plain_path
from .vocabulary import read_vocabulary


def read_npz(path):
    """Read what `scipy.sparse.save_npz` wrote."""
    with plain_path(path) as plain, open(plain, "rb") as file:
        with zipfile.ZipFile(file) as archive:
            check_members(archive)
            for name in archive.namelist():
                check_array(archive, name)
            if "format.npy" not in archive.namelist():
                names = ", ".join(name.removesuffix(".npy") for name in archive.namelist())
                raise ValueError(
                    f"it does not contain a sparse matrix, as scipy.sparse.save_npz writes it, but "
                    f"the arrays {names or '(none)'}: save one of them as .npy"
                )
        return Content(sp.load_npz(plain))  # given the name, for its error messages


def read_npy(path):
    """Read a dense matrix of NumPy's."""
    with plain_path(path) as plain, open(plain, "rb") as file:
        shape, _, dtype = read_npy_header(file)
        if dtype.hasobject:
            raise ValueError("it has pickled objects in it: only allow_pickle=False is safe")
        check_size(file, math.prod(shape) * dtype.itemsize)
        file.seek(0)
        return Content(np.lib.format.read_array(file, allow_pickle=False))


def check_size(file, n_bytes):
    """Raise ValueError if a file has fewer bytes left than its header announces."""
    left = os.fstat(file.fileno()).st_size - file.tell()
    if left < n_bytes:
        raise Damaged(f"its header announces {n_bytes:,} bytes, but {left:,} follow")


def read_h5ad(path, layer=None, raw=False):
    """Read an AnnData: its X, a layer or raw, with the names of obs and var."""
    with plain_path(path) as plain:
        return Content(*load_h5ad(plain, layer, raw))


def read_mtx(path, header_reader=read_header):
    """Read a MatrixMarket file."""
    kind = compression_of(path)
    if kind not in (None, ".gz"):  # others may hold any multiple of their size
        with plain_path(path) as plain:
            return read_mtx(plain, header_reader)
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if kind is None:
            return Content(read_market(file, size, header_reader))
        unpacked = gzip.GzipFile(fileobj=file)
        return Content(read_market(unpacked, DEFLATE_MOST * size, header_reader))


def read_bag(path):
    """Read a bag of words of UCI's, with the terms that lie beside it."""
    content = read_mtx(path, read_bag_header)
    return content._replace(feature_names=bag_terms(path, content.matrix.shape[1]))


def bag_terms(path, n_features):
    """Return the terms of a bag of words, or None if there is no file of them.

    UCI's docword.kos.txt has them in vocab.kos.txt; gensim's UciCorpus in X.uci.vocab.
    """
    plain = path.name[: len(plain_name(path))]
    partners = ["vocab" + plain[7:]] if plain.lower().startswith("docword") else []
    file = find_beside(path, *partners, f"{path.name}.vocab")
    if file is None:
        return None
    terms = read_vocabulary(file)
    if len(terms) != n_features:
        raise ValueError(
            f"{file.name} beside it has {len(terms)} terms, but it has {n_features} words: "
            f"these files do not belong together"
        )
    return terms
