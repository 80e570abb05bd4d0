"""Arrays in files, read in order, as blocks of rows or pieces of entries."""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from ..formats import real_values
from .layout import read_header
from .triplets import Triplets

CHUNK_NNZ = 2**21
"""Nonzeros of a block, unless a row has more: 24 MiB, and a few times that while it is read."""

CHUNK_ROWS = 2**20


class Blocks(NamedTuple):
    """A matrix of this shape as blocks of rows, in order."""

    shape: tuple[int, int]
    blocks: Iterable[Any]


def slice_dense(shape, dtype, stream):
    """Return the `Blocks` of a dense matrix.

    Raises
    ------
    ValueError
        If it is no matrix of real numbers.
    """
    if len(shape) != 2 or dtype.kind not in "fbiu":
        raise ValueError(f"it must have two dimensions of real numbers, not {shape} of {dtype}")
    n_rows, n_columns = shape
    return Blocks((n_rows, n_columns), _dense_blocks(n_rows, n_columns, stream))


def _dense_blocks(n_rows, n_columns, stream):
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


def slice_compressed(form, shape, streams):
    """Return a csr matrix as `Blocks`, or a csc matrix as `Triplets`."""
    check_types(*streams)
    if form == "csr":
        blocks = (
            sp.csr_array((data, indices, indptr), shape=(len(indptr) - 1, shape[1]))
            for _, indptr, indices, data in _slice_arrays(*shape, *streams)
        )
        return Blocks(shape, blocks)
    pieces = _columns_to_triplets(_slice_arrays(*shape[::-1], *streams))
    return Triplets(shape, pieces)


def _columns_to_triplets(slices):
    for first, indptr, rows, data in slices:
        columns = np.repeat(np.arange(first, first + len(indptr) - 1), np.diff(indptr))
        yield rows, columns, data


def _slice_arrays(n_major, n_minor, pointers, indices, data):
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


def zip_streams(*streams):
    """Yield rows, columns and values of some entries at a time."""
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
