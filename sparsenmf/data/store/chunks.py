"""Matrices in files as blocks of rows, each read when it is needed."""

import contextlib
import gzip
import math
import zipfile
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from ..archive import DAMAGE, check_members
from ..files import check_size, find_suffix
from ..formats import real_values
from ..market import read_coordinates
from ..market import read_header as read_market_header
from .layout import read_header
from .reader import open_csr
from .triplets import Triplets, check_piece, sort_triplets

CHUNK_NNZ = 2**21
"""Nonzeros of a block, unless a row has more: 24 MiB, and a few times that while it is read."""

CHUNK_ROWS = 2**20


def read_chunks(path, scratch):
    """Yield the matrix of a file in blocks of rows.

    Parameters
    ----------
    path : str or path-like
        A file as in `read_matrix`, whose .npz has the format csr, csc or coo; or a store's folder.
    scratch : Path
        A folder for temporary files, with which matrices that are not stored by rows are sorted.

    Yields
    ------
    scipy.sparse array or ndarray
        Unchecked values, in any order within a row.
    """
    path = Path(path)
    if path.is_dir():
        yield from open_csr(path)
        return
    suffix = find_suffix(path)
    opener = {".npz": _open_npz, ".npy": _open_npy, ".h5ad": _open_h5ad}.get(suffix, _open_market)
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(open(path, "rb"))
        with _naming(path):
            source = opener(file, suffix, stack)
            if isinstance(source, Triplets) and min(source.shape) < 1:
                raise ValueError(f"it cannot be {source.shape[0]} x {source.shape[1]}")
        if isinstance(source, Triplets):
            pieces = _guard(path, (check_piece(piece, source.shape) for piece in source.pieces))
            yield from sort_triplets(source._replace(pieces=pieces), scratch, CHUNK_NNZ)
        else:
            yield from _guard(path, source)


@contextlib.contextmanager
def _naming(path):
    try:
        yield
    except DAMAGE as error:
        raise ValueError(f"{path} is not a matrix that can be used: {error}") from error


def _guard(path, items):
    """Yield items; only errors of reading them, not of using them, get the file's name."""
    items = iter(items)
    while True:
        with _naming(path):
            item = next(items, None)
        if item is None:
            return
        yield item


def _open_npz(file, suffix, stack):
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
        return Triplets((n_rows, n_columns), _zip_streams(*streams))
    if form not in ("csr", "csc"):
        raise ValueError(f"its format is {form}: save it as csr")
    streams = member("indptr"), member("indices"), member("data")
    return _compressed(form, (n_rows, n_columns), streams)


def _open_h5ad(file, suffix, stack):
    try:
        import h5py
    except ImportError as error:
        raise ImportError('reading .h5ad needs h5py: pip install "sparsenmf[h5ad]"') from error

    X = stack.enter_context(h5py.File(file.name, "r"))["X"]
    if isinstance(X, h5py.Dataset):
        return _slice_dense(X.shape, X.dtype, H5Stream(X))
    form = X.attrs.get("encoding-type", "").removesuffix("_matrix")
    if form not in ("csr", "csc"):
        raise ValueError(f"its X is of the kind {form!r}, not a csr or csc matrix")
    n_rows, n_columns = (int(size) for size in X.attrs["shape"])
    streams = [H5Stream(X[name]) for name in ("indptr", "indices", "data")]
    return _compressed(form, (n_rows, n_columns), streams)


def _open_npy(file, suffix, stack):
    shape, dtype = read_header(file)
    check_size(file, math.prod(shape) * dtype.itemsize)
    file.seek(0)
    return _slice_dense(shape, dtype, NpyStream(file, dimensions=2))


def _open_market(file, suffix, stack):
    if suffix == ".mtx.gz":
        file = stack.enter_context(gzip.GzipFile(fileobj=file))
    header = read_market_header(file)
    if header.form != "coordinate":
        raise ValueError(f"it is in {header.form} format, not coordinate: save it as .npy")
    return Triplets(header.sizes[:2], read_coordinates(file, header))


def _slice_dense(shape, dtype, stream):
    if len(shape) != 2 or dtype.kind not in "fbiu":
        raise ValueError(f"it must have two dimensions of real numbers, not {shape} of {dtype}")
    n_rows, n_columns = shape
    step = max(1, CHUNK_NNZ // max(1, n_columns))
    for start in range(0, n_rows, step):
        size = min(step, n_rows - start)
        yield stream.take(size).reshape(size, n_columns)
    stream.drain()


def check_types(*streams):
    """Raise unless the last stream is of real numbers and the others of integers."""
    for stream, kinds in zip(streams[::-1], ("fbiu", *["iu"] * len(streams)), strict=False):
        if stream.dtype.kind not in kinds:
            raise ValueError(f"it must have real numbers at integer places, not {stream.dtype}")


def _compressed(form, shape, streams):
    check_types(*streams)
    if form == "csr":
        return (
            sp.csr_array((data, indices, indptr), shape=(len(indptr) - 1, shape[1]))
            for _, indptr, indices, data in _slice_compressed(*shape, *streams)
        )
    pieces = _columns_to_triplets(_slice_compressed(*shape[::-1], *streams))
    return Triplets(shape, pieces)


def _columns_to_triplets(slices):
    for first, indptr, rows, data in slices:
        columns = np.repeat(np.arange(first, first + len(indptr) - 1), np.diff(indptr))
        yield rows, columns, data


def _slice_compressed(n_major, n_minor, pointers, indices, data):
    """Yield the number of the first of some rows (columns), and their CSR (CSC) arrays."""
    if pointers.left != n_major + 1 or len({indices.left, data.left}) != 1:
        raise ValueError(
            f"its arrays do not fit {n_major}: {pointers.left} pointers, {indices.left} indices, "
            f"{data.left} values"
        )
    stored, last, first = data.left, int(pointers.take(1)[0]), 0
    if last != 0:
        raise ValueError(f"its pointers begin with {last} instead of 0")
    while first < n_major:
        ends = pointers.take(min(CHUNK_ROWS, n_major - first)).astype(np.int64)
        indptr = np.concatenate(([last], ends))
        if (np.diff(indptr) < 0).any() or indptr[-1] > stored:
            raise ValueError(f"its pointers fall, or leave the {stored} entries that are stored")
        start = 0
        while start < len(ends):
            stop = int(np.searchsorted(indptr, indptr[start] + CHUNK_NNZ, side="right")) - 1
            stop = max(stop, start + 1)
            size = int(indptr[stop] - indptr[start])
            index, values = take_native(size, indices, data)
            if size and not 0 <= index.min() <= index.max() < n_minor:
                raise ValueError(f"its indices leave [0, {n_minor})")
            yield first + start, indptr[start : stop + 1] - indptr[start], index, values
            start = stop
        first, last = first + len(ends), int(indptr[-1])
    for stream in (pointers, indices, data):
        stream.drain()


def _zip_streams(*streams):
    if len({stream.left for stream in streams}) != 1:
        raise ValueError("its arrays differ in length")
    while streams[0].left:
        size = min(CHUNK_NNZ, streams[0].left)
        yield take_native(size, *streams)
    for stream in streams:
        stream.drain()


def take_native(size, *streams):
    """Return the next values of each stream, in dtypes that scipy can use."""
    return tuple(real_values(stream.take(size), "the matrix") for stream in streams)


class NpyStream:
    """The array in a .npy file, read in order."""

    def __init__(self, file, dimensions=1):
        self._file = file
        shape, self.dtype = read_header(file)
        if self.dtype.hasobject:
            raise ValueError("it has pickled objects in it: only allow_pickle=False is safe")
        if len(shape) > dimensions:
            raise ValueError(f"an array has {len(shape)} dimensions instead of {dimensions}")
        self.left, self._width = (shape or (1,))[0], math.prod(shape[1:])

    def take(self, size):
        """Return the next values, or all values of the next rows, as a vector."""
        if size > self.left:
            raise ValueError(f"an array has {self.left} values left instead of {size}")
        wanted = size * self._width * self.dtype.itemsize
        content = self._file.read(wanted)
        if len(content) != wanted:
            raise EOFError("an array ends too early")
        self.left -= size
        return np.frombuffer(content, self.dtype)

    def drain(self):
        """Read the rest, with which a zip archive compares the checksum."""
        while self.left:
            self.take(min(self.left, CHUNK_NNZ))
        if self._file.read(1):
            raise ValueError("an array is longer than its header says")


class H5Stream:
    """A dataset of an HDF5 file, read in order."""

    def __init__(self, dataset):
        self._dataset, self._next = dataset, 0
        self.left, self.dtype = len(dataset), dataset.dtype

    def take(self, size):
        """Return the next values."""
        values = self._dataset[self._next : self._next + size]
        self._next += size
        self.left -= size
        return values

    def drain(self):
        """Do nothing: HDF5 compares checksums as it reads."""
