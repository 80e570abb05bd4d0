"""An external sort: entries of a matrix, in any order, become blocks of rows in order."""

import contextlib
import errno
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from .leftovers import BUCKET, SCRATCH

POINTER = 8  # bytes that a row takes at least, in indptr

N_BUCKETS = 128  # files that are open at once

PIECE = 2**18  # entries of a bucket that are read at once

EMPTY = np.dtype([("row", np.int64), ("column", np.int64), ("value", np.float64)])
"""The dtype of entries if there are none."""


class Triplets(NamedTuple):
    """A matrix as pieces of (rows, columns, values), in any order."""

    shape: tuple[int, int]
    pieces: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]


def sort_triplets(triplets, scratch, limit):
    """Yield blocks of rows, in order; sort them in temporary files, in bounded memory.

    Parameters
    ----------
    triplets : Triplets
    scratch : Path
        The folder in which a temporary folder is made.
    limit : int
        A block has at most so many entries and so many rows, unless a single row has more.

    Yields
    ------
    scipy.sparse.coo_array
    """
    n_rows, n_columns = triplets.shape
    if n_rows * POINTER > shutil.disk_usage(scratch).free:
        raise OSError(errno.ENOSPC, f"{n_rows:,} rows do not fit on the disk", str(scratch))
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=scratch) as folder:
        pieces = map(_pack, triplets.pieces)
        for bucket in _distribute(pieces, 0, n_rows, Path(folder)):
            for low, high, entries in _split(bucket, limit):
                place = entries["row"] - low, entries["column"]
                yield sp.coo_array((entries["value"], place), shape=(high - low, n_columns))


class Bucket(NamedTuple):
    """A file with the entries of the rows from low to high, of this dtype."""

    path: Path
    low: int
    high: int
    kind: np.dtype


def check_piece(piece, shape):
    """Return a piece; raise ValueError if an entry is outside of the shape."""
    (rows, columns, _), (n_rows, n_columns) = piece, shape
    if len(rows) and not (
        0 <= rows.min() <= rows.max() < n_rows and 0 <= columns.min() <= columns.max() < n_columns
    ):
        raise ValueError(f"an entry is outside of the {n_rows} x {n_columns} of the matrix")
    return piece


def _pack(piece):
    rows, columns, values = piece
    kind = [("row", np.int64), ("column", np.int64), ("value", values.dtype)]
    entries = np.empty(len(rows), kind)
    entries["row"], entries["column"], entries["value"] = rows, columns, values
    return entries


def _distribute(pieces, low, high, folder):
    """Write entries to one file for each range of rows, and return the `Bucket` of each."""
    width = -(-(high - low) // N_BUCKETS)
    starts = range(low, high, width)
    paths = [folder / f"{BUCKET}{start}" for start in starts]
    kind = EMPTY
    with contextlib.ExitStack() as stack:
        # Writes are large and need no buffers, which would not be cleared after an error.
        files = [stack.enter_context(open(path, "xb", buffering=0)) for path in paths]
        for entries in pieces:
            kind = entries.dtype
            bucket = (entries["row"] - low) // width
            order = np.argsort(bucket, kind="stable")
            entries = entries[order]
            bounds = np.searchsorted(bucket[order], np.arange(len(files) + 1))
            for file, start, stop in zip(files, bounds, bounds[1:], strict=False):
                entries[start:stop].tofile(file)
    return [
        Bucket(path, start, min(start + width, high), kind)
        for path, start in zip(paths, starts, strict=True)
    ]


def _split(bucket, limit):
    """Yield (low, high, entries) for ranges of rows within the limit; remove the file."""
    path, low, high, kind = bucket
    size = path.stat().st_size // kind.itemsize
    if (size <= limit and high - low <= limit) or high - low == 1:
        entries = np.fromfile(path, kind)
        path.unlink()
        yield low, high, entries
        return
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=path.parent) as folder:
        buckets = _distribute(_read_pieces(path, kind), low, high, Path(folder))
        path.unlink()
        for part in buckets:
            yield from _split(part, limit)


def _read_pieces(path, kind):
    with open(path, "rb") as file:
        while len(entries := np.fromfile(file, kind, PIECE)):
            yield entries


def turn(source):
    """Return the entries of a matrix with columns as rows."""
    n_rows, n_columns = source.shape
    if isinstance(source, Triplets):
        pieces = source.pieces
    else:
        pieces = _entries(source.blocks)
    swapped = ((columns, rows, values) for rows, columns, values in pieces)
    return Triplets((n_columns, n_rows), swapped)


def _entries(blocks):
    """Yield the rows, columns and values of each block of rows."""
    start = 0
    for block in blocks:
        entries = sp.coo_array(block)
        yield entries.row.astype(np.int64) + start, entries.col, entries.data
        start += block.shape[0]
