"""Matrices in files as blocks of rows, each read when it is needed."""

import contextlib
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..annotated import IN_FILE, Annotated, check_part, check_scaled
from ..archive import check_members, read_npy_header
from ..compressed import open_plain
from ..formats import as_csr
from ..market import read_bag_header, read_coordinates
from ..market import read_header as read_market_header
from ..named import NamedMatrix
from ..reading.arrays import bag_terms, check_size, read_mtx, read_npy, read_npz
from ..reading.content import plain_path
from ..reading.matrices import WITH_PARTS, checked_matrix, naming, read_content
from ..reading.sniffing import find_format
from ..reading.tenx import (
    find_10x,
    find_group,
    is_anndata,
    is_turned,
    no_10x,
    open_10x,
    open_hdf5,
    read_names,
)
from ..validation import check_matrix
from . import portions
from .layout import RECORD
from .opening import open_csr
from .portions import (
    Blocks,
    H5Stream,
    NpyStream,
    check_types,
    slice_compressed,
    slice_dense,
    zip_streams,
)
from .triplets import Triplets, check_piece, sort_triplets, turn


def read_chunks(
    path, scratch, *, format=None, transpose=False, missing=None, layer=None, raw=False
):
    """Yield the matrix of a file in blocks of rows, with the names that the file carries.

    Parameters
    ----------
    path : str or path-like
        A file or folder as in `read_matrix`, or a store's folder. Those in `OPENERS` are read in
        portions, unless they have another order than rows, columns or triplets; others as a whole.
    scratch : Path
        A folder for temporary files, with which matrices that are not stored by rows are sorted.
    format, transpose, missing, layer, raw
        As in `read_matrix`.

    Yields
    ------
    scipy.sparse array or ndarray, or CsrStore
        Unchecked values, in any order within a row.
    """
    path = Path(path)
    if is_store_folder(path):
        refuse_options(path, format=format, transpose=transpose, layer=layer, raw=raw)
        yield open_csr(path)
        return
    if not path.is_dir():
        open(path, "rb").close()  # errors of opening a file are its own
    with naming(path):
        form = find_format(path, format)
    check_part(layer, raw, path, form in WITH_PARTS)
    if form not in OPENERS:
        content = read_content(path, format=format, missing=missing)
        if content.rated and missing != "zero":
            raise ValueError(
                f"{path} has ratings, and what is not in a store is zero, not unknown: factorize "
                f'{path} itself, or pass missing="zero" (--missing zero)'
            )
        yield checked_matrix(path, content, "zero", transpose)
        return
    with contextlib.ExitStack() as stack:
        with naming(path):
            part = (layer, raw) if form in WITH_PARTS else ()
            source, names = OPENERS[form](path, stack, *part)
            if isinstance(source, Triplets) and min(source.shape) < 1:
                raise ValueError(f"it cannot be {source.shape[0]} x {source.shape[1]}")
            if transpose:
                source, names = turn(source), names[::-1]
        if isinstance(source, Triplets):
            pieces = _guard(path, (check_piece(piece, source.shape) for piece in source.pieces))
            blocks = sort_triplets(source._replace(pieces=pieces), scratch, portions.CHUNK_NNZ)
        else:
            blocks = _guard(path, source.blocks)
        yield from name_blocks(blocks, *names)


def is_store_folder(path):
    """Return whether a path is to be opened as a store: a folder that is nothing else."""
    if not path.is_dir() or (path / RECORD).exists():
        return path.is_dir()
    with naming(path):
        return find_10x(path) is None and not no_10x(path)


def refuse_options(path, **options):
    """Raise ValueError if options are given that a store cannot heed."""
    for name, value in options.items():
        if value not in (None, False):
            raise ValueError(
                f"{path} is a store, which is taken as it is: {name} is for what it is made from"
            )


def name_blocks(blocks, feature_names, sample_names):
    """Yield blocks of rows with their names; all as they are if there are none."""
    start = 0
    for block in blocks:
        if feature_names is None and sample_names is None:
            yield block
            continue
        stop = start + block.shape[0]
        samples = None if sample_names is None else sample_names[start:stop]
        # Sums of entries at one place do not overflow in what `as_csr` makes.
        block = as_csr(block, "X") if sp.issparse(block) else block
        yield NamedMatrix(block, feature_names=feature_names, sample_names=samples)
        start = stop


def _guard(path, items):
    """Yield items; only errors of reading them, not of using them, get the file's name."""
    items = iter(items)
    while True:
        with naming(path):
            item = next(items, None)
        if item is None:
            return
        yield item


NO_NAMES = (None, None)


def _open_plain(path, stack):
    """Open a file, or what a compressed one holds, as one that has positions."""
    return stack.enter_context(open(stack.enter_context(plain_path(path)), "rb"))


def _open_npz(path, stack):
    file = _open_plain(path, stack)
    archive = stack.enter_context(zipfile.ZipFile(file))
    check_members(archive)

    def member(name):
        return NpyStream(stack.enter_context(archive.open(f"{name}.npy")))

    form, shape = member("format"), member("shape").take(2)
    form = form.take(1)[0]
    form = form.decode() if isinstance(form, bytes) else str(form)
    if shape.dtype.kind not in "iu":
        raise ValueError(f"its shape is of the type {shape.dtype}")
    n_rows, n_columns = (int(size) for size in shape)
    if form == "coo":
        streams = member("row"), member("col"), member("data")
        check_types(*streams)
        return Triplets((n_rows, n_columns), zip_streams(*streams)), NO_NAMES
    if form not in ("csr", "csc"):
        return _whole(read_npz(path))
    streams = member("indptr"), member("indices"), member("data")
    return slice_compressed(form, (n_rows, n_columns), streams), NO_NAMES


def _whole(content):
    """Return what is not read in portions."""
    X = check_matrix(content.matrix)
    return Blocks(X.shape, [X]), NO_NAMES


def _open_h5ad(path, stack, layer, raw):
    file = stack.enter_context(open_hdf5(stack.enter_context(plain_path(path))))
    return _open_anndata(file, layer, raw)


def _open_anndata(file, layer, raw):
    adata = Annotated(file)
    source = _open_part(adata.part(layer, raw))
    if isinstance(source, Blocks):
        source = source._replace(blocks=_unscaled(source.blocks, adata))
    return source, adata.names(raw)


def _unscaled(blocks, adata):
    for block in blocks:
        check_scaled(block, adata, IN_FILE)
        yield block


def _open_part(X):
    if hasattr(X, "dtype"):
        return slice_dense(X.shape, X.dtype, H5Stream(X))
    form = X.attrs.get("encoding-type", "").removesuffix("_matrix")
    if form not in ("csr", "csc"):
        raise ValueError(f"its X is of the kind {form!r}, not a csr or csc matrix")
    n_rows, n_columns = (int(size) for size in X.attrs["shape"])
    streams = [H5Stream(X[name]) for name in ("indptr", "indices", "data")]
    return slice_compressed(form, (n_rows, n_columns), streams)


def _open_hdf5(path, stack, layer, raw):
    file = stack.enter_context(open_hdf5(stack.enter_context(plain_path(path))))
    if is_anndata(file):
        return _open_anndata(file, layer, raw)
    check_part(layer, raw, path, False)
    group, names = find_group(file)
    streams = [H5Stream(group[name]) for name in ("indptr", "indices", "data")]
    # Columns of genes x cells are rows of cells x genes.
    return _choose(slice_compressed("csr", (len(names.cells), len(names.features)), streams), names)


def _open_10x(path, stack):
    folder = open_10x(path)
    source, _ = _open_market(folder.matrix, stack)
    names = read_names(folder)
    if is_turned(source.shape, names):
        source = turn(source)
    if names.kept is None:
        return source, (names.features, names.cells)
    places = np.cumsum(names.kept) - 1
    pieces = (
        (rows[there], places[columns[there]], values[there])
        for rows, columns, values in source.pieces
        for there in [names.kept[columns]]
    )
    chosen = Triplets((source.shape[0], int(names.kept.sum())), pieces)
    return chosen, (names.features[names.kept], names.cells)


def _choose(source, names):
    """Return blocks with the features that are read, and the names of all."""
    if names.kept is None:
        return source, (names.features, names.cells)
    blocks = (block[:, names.kept] for block in source.blocks)
    chosen = Blocks((source.shape[0], int(names.kept.sum())), blocks)
    return chosen, (names.features[names.kept], names.cells)


def _open_npy(path, stack):
    file = _open_plain(path, stack)
    shape, columns_first, dtype = read_npy_header(file)
    if columns_first and len(shape) > 1:
        return _whole(read_npy(path))
    check_size(file, math.prod(shape) * dtype.itemsize)
    file.seek(0)
    return slice_dense(shape, dtype, NpyStream(file, dimensions=2)), NO_NAMES


def _open_market(path, stack, header_reader=read_market_header):
    file = stack.enter_context(open_plain(path))
    header = header_reader(file)
    if header.form != "coordinate":
        return _whole(read_mtx(path))
    return Triplets(header.sizes[:2], read_coordinates(file, header)), NO_NAMES


def _open_bag(path, stack):
    source, _ = _open_market(path, stack, read_bag_header)
    return source, (bag_terms(path, source.shape[1]), None)


OPENERS: dict[str, Any] = {
    "npz": _open_npz,
    "npy": _open_npy,
    "mtx": _open_market,
    "h5ad": _open_h5ad,
    "hdf5": _open_hdf5,
    "10x": _open_10x,
    "bag-of-words": _open_bag,
}
"""How the formats are opened that are read in portions: what is in them, and its names."""
