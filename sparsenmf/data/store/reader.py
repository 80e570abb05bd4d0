"""`CsrStore`: a sparse matrix on disk whose rows are mapped into memory, block by block."""

from __future__ import annotations

import functools
import json
import operator
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from ..archive import are_names
from ..arguments import check_integer
from .layout import NAME_FILES, file_stamp, find_data, verify_file
from .layout import SHARD_FILES as FILES
from .shards import join_names, map_shard, slice_shard

BLOCK_NNZ = 2**23
"""Nonzeros of a block by default: 64 MiB of float32 data and indices."""

MAPPED_SHARDS = 64  # at once: each map of a file counts against the limit of open files


class CsrStore:
    """A CSR matrix in a folder of .npy files, whose rows are mapped into memory.

    `open_csr` and `write_csr` return it. It has the rows that were there when it was opened, not
    those that are appended later. It can be pickled, by its path, and used after a fork and by
    several threads.

    Attributes
    ----------
    folder : Path
    shape : tuple of int
    nnz : int
    dtype : dtype
        float32 or float64.
    max_value : float
        The largest value.
    n_shards : int
    nbytes : int
        Size on disk, of both sides.
    transposed : CsrStore or None
        The transpose, without names, if the store was written with ``both_sides=True``.
    feature_names, sample_names : ndarray or None
        Where what was written had names; read when they are asked for. They may be assigned.
    """

    def __init__(self, folder, record):
        self.folder: Path = folder
        self._record = record
        self.shape: tuple[int, int] = record.shape
        self.nnz: int = record.nnz
        self.dtype: np.dtype = record.dtype
        self.max_value: float = record.max_value
        other = record.transposed
        self.transposed: CsrStore | None = None if other is None else CsrStore(folder, other)
        self.n_shards, self._stamps = len(record.shards), {}
        self.nbytes: int = 0 if self.transposed is None else self.transposed.nbytes
        for path, dtype, length, info in record.files(folder):
            self._stamps[path] = file_stamp(path)
            find_data(path, dtype, length, info)
            self.nbytes += info["bytes"]
        # First rows and positions of the shards, and after them those behind the last shard.
        self._rows = np.cumsum([0, *(shard.rows for shard in record.shards)], dtype=np.int64)
        self._positions = np.cumsum([0, *(shard.nnz for shard in record.shards)], dtype=np.int64)
        self._checked: set[tuple[int, int, int]] = set()
        self._map = functools.lru_cache(MAPPED_SHARDS)(functools.partial(map_shard, folder, record))

    def __repr__(self):
        sides = "" if self.transposed is None else "both sides, "
        return (
            f"<CsrStore of {self.shape[0]:,} x {self.shape[1]:,}, {self.nnz:,} nonzeros, "
            f"{self.dtype}, {self.n_shards} shard{'s'[: self.n_shards != 1]}, {sides}"
            f"in {self.folder}>"
        )

    def __reduce__(self):
        # The record is pickled, so that rows appended since then do not show elsewhere.
        return type(self), (self.folder, self._record)

    def verify(self) -> None:
        """Read all files and compare their checksums; raise ValueError for a damaged one."""
        for path, dtype, length, info in self._record.files(self.folder):
            verify_file(path, find_data(path, dtype, length, info), info)
        if self.transposed is not None:
            self.transposed.verify()

    def checksum(self) -> str:
        """Return a checksum of the matrix, from those in its record: no file is read."""
        shards = [
            (shard.rows, shard.nnz, {name: shard.files[name] for name in FILES})
            for shard in self._record.shards
        ]
        return f"{zlib.crc32(json.dumps(shards, sort_keys=True).encode()):08x}"

    @functools.cached_property
    def feature_names(self) -> np.ndarray | None:
        """Names of the columns."""
        found = (self._read_names(shard, NAME_FILES[0]) for shard in self._record.shards)
        return next((names for names in found if names is not None), None)

    @functools.cached_property
    def sample_names(self) -> np.ndarray | None:
        """Names of the rows; those of rows that were written without are empty."""
        shards = self._record.shards
        return join_names(
            [(self._read_names(shard, NAME_FILES[1]), shard.rows) for shard in shards]
        )

    def _read_names(self, shard, name):
        """Return the names in a file of a shard, or None if it has none."""
        if name not in shard.files:
            return None
        dtype, length = shard.names(self.shape[1])[name]
        path = self.folder / shard.folder / name
        self._check_file(path)
        start = find_data(path, dtype, length, shard.files[name])
        names = np.fromfile(path, dtype, length, offset=start)
        if not are_names(names, "Ui", length):
            raise ValueError(f"{path} is damaged: its names are not text")
        return names.astype(dtype.newbyteorder("="), copy=False)

    def rows(self, start: int, stop: int) -> sp.csr_array:
        """Return rows as a scipy.sparse.csr_array.

        If the rows are in one shard and have fewer than 2**31 nonzeros, its data and indices are
        read-only views of the files, whose pages come into memory as they are used. Otherwise
        they are copies.

        Parameters
        ----------
        start, stop : int
            The first row, and the one after the last.

        Raises
        ------
        IndexError
            If these are not rows of the matrix.
        ValueError
            If the files are so damaged that following their indices would not be safe, or have
            changed since they were opened.
        """
        start, stop = operator.index(start), operator.index(stop)
        if not 0 <= start <= stop <= self.shape[0]:
            raise IndexError(f"rows {start} to {stop} are not within [0, {self.shape[0]}]")
        first = self._shard_of_row(start)
        last = max(first, int(np.searchsorted(self._rows, stop, side="left")) - 1)
        pieces = []
        for number in range(first, last + 1):
            offset = int(self._rows[number])
            below = max(start - offset, 0), min(stop, int(self._rows[number + 1])) - offset
            pieces.append(self._slice_shard(number, *below))
        X = pieces[0] if len(pieces) == 1 else sp.vstack(pieces, format="csr")
        X.has_canonical_format = True  # `write_csr` has seen to it, so scipy need not look
        return X

    def check(self, start: int, stop: int) -> None:
        """Raise ValueError if a file with some of these rows has changed since it was opened.

        Using the pages of a mapped file that has become shorter ends the process. `rows` checks
        this, too; this method is for rows that it returned a while ago.
        """
        last = self._shard_of_row(max(start, stop - 1))
        for number in range(self._shard_of_row(start), last + 1):
            self._check_shard(number)

    def _check_shard(self, number):
        folder = self.folder / self._record.shards[number].folder
        for name in FILES:
            self._check_file(folder / name)

    def _check_file(self, path):
        if file_stamp(path) not in (self._stamps[path], None):
            raise ValueError(
                f"{path} has been written to or replaced since the store was opened: "
                f"open it again, or write it anew if it is damaged"
            )

    def _shard(self, number):
        """Return the mapped arrays of a shard: indptr, indices and data."""
        self._check_shard(number)
        return self._map(number)

    def _slice_shard(self, number, start, stop):
        # The same rows are checked once, because a run passes over them again and again.
        shard, place, arrays = (
            self._record.shards[number],
            (number, start, stop),
            self._shard(number),
        )
        try:
            X = slice_shard(
                arrays, start, stop, self.shape[1], shard.max_value, known=place in self._checked
            )
        except ValueError as error:
            raise ValueError(
                f"{self.folder / shard.folder} is damaged: {error} in rows {start} to {stop}"
            ) from None
        self._checked.add(place)
        return X

    def blocks(self, max_nnz: int = BLOCK_NNZ) -> list[tuple[int, int]]:
        """Return blocks of rows with about equal numbers of nonzeros.

        They depend on the matrix and `max_nnz` alone, not on its shards, that is on how it was
        written. A block that lies in two shards is copied when it is read.

        Parameters
        ----------
        max_nnz : int
            The largest number of nonzeros of a block, unless a single row has more.

        Returns
        -------
        list of (int, int)
            The first row of each block and the row after its last. Finding them reads only a few
            entries of indptr.
        """
        max_nnz = check_integer(max_nnz, "max_nnz", 1)
        blocks, start, position = [], 0, 0
        while self.nnz - position > max_nnz:
            left = self.nnz - position
            target = -(-left // -(-left // max_nnz))
            stop = self._row_at(position + target)
            if stop > start + 1 and self._position(stop) > position + max_nnz:
                stop -= 1
            stop = min(max(stop, start + 1), self.shape[0])
            blocks.append((start, stop))
            if stop == self.shape[0]:
                return blocks
            start, position = stop, self._position(stop)
        return [*blocks, (start, self.shape[0])]

    def __iter__(self) -> Iterator[sp.csr_array]:
        """Yield the matrix in blocks, as `rows` has them."""
        for start, stop in self.blocks():
            yield self.rows(start, stop)

    def _shard_of_row(self, row):
        number = int(np.searchsorted(self._rows, row, side="right")) - 1
        return min(number, self.n_shards - 1)

    def _position(self, row):
        """Return the number of nonzeros before a row."""
        number = self._shard_of_row(row)
        return int(self._positions[number] + self._shard(number)[0][row - self._rows[number]])

    def _row_at(self, position):
        """Return the first row with at least this number of nonzeros before it."""
        number = max(int(np.searchsorted(self._positions, position, side="left")) - 1, 0)
        indptr, _, _ = self._shard(number)
        return int(self._rows[number] + np.searchsorted(indptr, position - self._positions[number]))
