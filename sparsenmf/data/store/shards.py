"""Shards of a store: their files are written, mapped into memory and checked."""

import contextlib
import os
import zlib
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from ..formats import INT32_MAX, index_type
from .layout import NAME_FILES, Shard, find_data, sync_folder


class Block(NamedTuple):
    """Some rows of a matrix, checked, and the names of its columns and rows, if it has any."""

    X: sp.csr_array
    feature_names: np.ndarray | None
    sample_names: np.ndarray | None


def write_shards(folder, blocks, number, shard_nnz, *, named=False):
    """Write blocks of rows as shards, which are numbered from `number` on.

    Parameters
    ----------
    folder : Path
    blocks : iterable of Block
    number : int
    shard_nnz : int
    named : bool
        Whether the names of the columns are in another shard already.

    Returns
    -------
    shards : list of Shard
    n_features : int
    dtype : dtype
    """
    shards: list[Shard] = []
    n_features, dtype, names = 0, None, None
    with contextlib.ExitStack() as files:
        writer = None
        for X, feature_names, sample_names in blocks:
            names = feature_names if names is None else names
            n_features, dtype = X.shape[1], X.dtype
            start = 0
            while start < X.shape[0]:
                room = shard_nnz - (writer.nnz if writer else 0)
                stop = int(np.searchsorted(X.indptr, int(X.indptr[start]) + room, "right")) - 1
                if stop <= start and writer is not None:
                    shards.append(writer.finish(None if named else names))
                    writer, named = None, named or names is not None
                    continue
                if writer is None:
                    name = f"shard-{number + len(shards):05d}"
                    writer = files.enter_context(ShardWriter(folder / name, n_features, dtype))
                stop = max(stop, start + 1)
                writer.add(X, start, stop, sample_names)
                start = stop
        if writer is not None:
            shards.append(writer.finish(None if named else names))
    sync_folder(folder)
    return shards, n_features, dtype


class ShardWriter:
    """The files of a shard that grows."""

    def __init__(self, folder, n_features, dtype):
        folder.mkdir()
        self.folder, self.rows, self.nnz, self.max_value = folder, 0, 0, 0.0
        types = Shard("", 0, 0, 0.0, {}).arrays(dtype, index_type(n_features))
        self._arrays = {
            name: GrowingArray(folder / f"{name}.npy", kind) for name, (kind, _) in types.items()
        }
        self._arrays["indptr"].add(np.zeros(1))
        self._names = []

    def add(self, X, start, stop, sample_names=None):
        """Append rows of a canonical CSR matrix, with their names."""
        low, high = int(X.indptr[start]), int(X.indptr[stop])
        self._arrays["indptr"].add(
            X.indptr[start + 1 : stop + 1].astype(np.int64) + (self.nnz - low)
        )
        self._arrays["indices"].add(X.indices[low:high])
        self._arrays["data"].add(X.data[low:high])
        self.rows += stop - start
        named = None if sample_names is None else sample_names[start:stop]
        self._names.append((named, stop - start))
        self.nnz += high - low
        if high > low:
            self.max_value = max(self.max_value, float(X.data[low:high].max()))

    def finish(self, feature_names=None):
        """Write all to the disk, and return the record of the shard."""
        files = {f"{name}.npy": array.finish() for name, array in self._arrays.items()}
        for name, names in zip(NAME_FILES, (feature_names, join_names(self._names)), strict=True):
            if names is not None:
                files[name] = write_names(self.folder / name, names)
        sync_folder(self.folder)
        return Shard(self.folder.name, self.rows, self.nnz, self.max_value, files)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for array in self._arrays.values():
            array.close()


def write_names(path, names):
    """Write an array of names, and return the record of the file."""
    array = GrowingArray(path, names.dtype)
    with contextlib.closing(array):
        array.add(names)
        return {**array.finish(), "dtype": names.dtype.newbyteorder("<").str}


def join_names(parts):
    """Return the names of rows one after the other, or None if no part has any.

    Parameters
    ----------
    parts : list of (ndarray or None, int)
        Names, and of how many rows. Rows without get an empty text.
    """
    if all(names is None for names, _ in parts):
        return None
    arrays = [np.full(n, "") if names is None else names for names, n in parts]
    numbers = all(names.dtype.kind == "i" for names in arrays)
    return np.concatenate(arrays if numbers else [names.astype(str) for names in arrays])


class GrowingArray:
    """A one-dimensional .npy file that grows; its header is written again at the end."""

    def __init__(self, path, dtype):
        self._file = open(path, "xb")  # noqa: SIM115 - it stays open while the shard grows
        self._dtype, self._length, self._checksum = np.dtype(dtype).newbyteorder("<"), 0, 0
        self._write_header()
        self._start = self._file.tell()

    def _write_header(self):
        header = {"descr": self._dtype.str, "fortran_order": False, "shape": (self._length,)}
        np.lib.format.write_array_header_1_0(self._file, header)

    def add(self, values):
        """Append values."""
        values = np.ascontiguousarray(values, self._dtype)
        content = values.view(np.uint8)  # text of a width has no buffer that all take
        self._file.write(content)
        self._checksum = zlib.crc32(content, self._checksum)
        self._length += len(values)

    def finish(self):
        """Write the header and all else to the disk, and return the record of the file."""
        size = self._file.tell()
        self._file.seek(0)
        self._write_header()
        if self._file.tell() != self._start:  # NumPy leaves room for longer numbers
            raise RuntimeError(f"the header of {self._file.name} has another size than before")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return {"bytes": size, "crc32": self._checksum}

    def close(self):
        """Close the file as it is."""
        self._file.close()


def slice_shard(arrays, start, stop, n_features, top, *, known=False):
    """Return rows of a mapped shard as a CSR matrix, whose arrays are views where they can be.

    Parameters
    ----------
    arrays : (indptr, indices, data)
    start, stop : int
        The first row, and the one after the last.
    n_features : int
    top : float
        The largest value of the shard.
    known : bool
        Whether these rows have been checked before.

    Raises
    ------
    ValueError
        If the arrays are damaged. Kernels check nothing, and would read anywhere.
    """
    indptr, indices, data = arrays
    indptr = indptr[start : stop + 1]
    low, high = int(indptr[0]), int(indptr[-1])
    if not known and (not 0 <= low <= high <= len(data) or (np.diff(indptr) < 0).any()):
        raise ValueError("indptr.npy falls or leaves the shard")
    indices, data = indices[low:high], data[low:high]
    problem = None if known else find_problem(indptr - low, indices, data, n_features, top)
    if problem:
        raise ValueError(problem)
    kind = np.int64 if high - low > INT32_MAX else indices.dtype
    X = sp.csr_array((stop - start, n_features), dtype=data.dtype)
    # scipy's constructor would copy a view of less than half of an array.
    X.data, X.indices = data, indices.astype(kind, copy=False)
    X.indptr = (indptr - low).astype(kind)  # scipy needs the dtype of the indices
    return X


def find_problem(indptr, indices, data, n_features, top):
    """Return what is wrong with the arrays of some rows, or None."""
    if not len(data):
        return None
    if indices.min() < 0 or indices.max() >= n_features:
        return f"indices.npy leaves [0, {n_features})"
    rises = indices[1:] > indices[:-1]
    starts = indptr[1:-1]
    rises[starts[(starts > 0) & (starts < len(indices))] - 1] = True  # between two rows
    if not rises.all():
        return "indices.npy does not rise"
    if not (data.min() > 0 and data.max() <= top):  # also if it is NaN
        return f"data.npy leaves (0, {top:g}]"
    return None


def map_shard(folder, record, number):
    """Return indptr, indices and data of a shard, mapped into memory and read-only."""
    shard = record.shards[number]
    maps = []
    for name, (dtype, length) in shard.arrays(record.dtype, record.index_dtype).items():
        path = folder / shard.folder / f"{name}.npy"
        start = find_data(path, dtype, length, shard.files[path.name])
        maps.append(np.asarray(np.memmap(path, dtype, "r", start, (length,))))
    if maps[0][0] != 0 or maps[0][-1] != shard.nnz:
        raise ValueError(
            f"{folder / shard.folder} is damaged: indptr.npy leads from {maps[0][0]} to "
            f"{maps[0][-1]} instead of from 0 to {shard.nnz}"
        )
    return maps
