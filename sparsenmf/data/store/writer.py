"""`write_csr`: writing blocks of rows to a store, all of them or none."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import DTypeLike

from ..arguments import check_flag, check_integer
from ..named import names_of
from ..typing import Matrix, PathLike
from ..validation import check_matrix
from .chunks import read_chunks
from .layout import DTYPES, LOCK, RECORD, Record, absolute, read_record, write_record
from .leftovers import is_leftover, refuse_links, remove_unlisted
from .lock import hold_lock
from .portions import CHUNK_NNZ, Blocks
from .reader import CsrStore
from .shards import Block, write_shards
from .triplets import sort_triplets, turn


def write_csr(
    folder: PathLike,
    chunks: Matrix | Iterable[Matrix] | PathLike,
    *,
    n_features: int | None = None,
    dtype: DTypeLike | None = None,
    append: bool = False,
    shard_nnz: int = 2**26,
    overwrite: bool = False,
    both_sides: bool = False,
) -> CsrStore:
    """Write a sparse matrix into a folder, from blocks of rows or a file, in bounded memory.

    What is in the folder stays valid until everything is written. A writer that fails or is killed
    changes nothing, and the next writer removes what it has left. To be able to resume a long
    job, append the rows in portions: ``open_csr(folder).shape[0]`` is the number of rows written.

    Parameters
    ----------
    folder : str or path-like
        Made if it does not exist.
    chunks : iterable, matrix, or path
        One of: blocks of rows, each of them a matrix that `factorize` takes; one such matrix; a
        store; the path of a store; or the path of a file that `read_matrix` takes. Of these,
        ``.npz`` (csr, csc, coo), ``.mtx`` (coordinate format), ``.npy`` and ``.h5ad`` are read in
        portions. A file that is neither csr nor dense is first sorted by rows, with temporary
        files in the folder that take 24 bytes a nonzero. Blocks without rows are skipped. Names
        of features and samples, where there are any, are written too.
    n_features : int, optional
        Number of columns that every block must have. Default: that of the first block.
    dtype : float32 or float64, optional
        Precision to convert to. By default it is that of the store or of the first block (float32
        for integers that it holds exactly), and blocks that it does not hold exactly are refused.
    append : bool, default False
        Whether to add the rows to those in the folder, if any.
    shard_nnz : int, default 2**26
        About how many nonzeros a shard has. A shard is three files; appending begins a new one.
    overwrite : bool, default False
        Whether to replace the matrix in the folder, if any.
    both_sides : bool, default False
        Whether to write the transpose, too, which coordinate descent for the Kullback-Leibler
        loss needs. The store then takes twice the space, and while it is written another 24 bytes
        a nonzero. Sorting takes less than 200 MB, whatever the size of the matrix, unless a single
        column has more than 2**21 nonzeros. A store that has both sides keeps both when rows are
        appended: the transpose of all rows is then written anew, so ask for it with the last
        portion.

    Returns
    -------
    CsrStore

    Raises
    ------
    FileExistsError
        If the folder already has a matrix, or is neither a store nor empty.
    BlockingIOError
        If another writer is writing to it.
    OSError
        If the folder is not writable or the disk is full.
    ImportError
        For ``.h5ad`` without h5py.
    TypeError, ValueError
        If a block is not a matrix that `factorize` takes, or has another number of columns or
        other names than those before it; if no block has rows.

    Examples
    --------
    >>> import tempfile
    >>> import scipy.sparse as sp
    >>> from sparsenmf import write_csr
    >>> folder = tempfile.mkdtemp()
    >>> write_csr(folder, sp.eye_array(3, dtype=int)).dtype
    dtype('float32')
    >>> store = write_csr(folder, sp.eye_array(2, 3, dtype=int), append=True, both_sides=True)
    >>> store.shape, store.transposed.shape
    ((5, 3), (3, 5))
    """
    shard_nnz = check_integer(shard_nnz, "shard_nnz", 1)
    if n_features is not None:
        n_features = check_integer(n_features, "n_features", 1)
    kind = None if dtype is None else np.dtype(dtype)
    if kind is not None and kind.name not in DTYPES:
        raise ValueError(f"dtype must be {' or '.join(DTYPES)}, not {kind}")
    both_sides = check_flag(both_sides, "both_sides")
    if append and overwrite:
        raise ValueError("append keeps what overwrite would replace: choose one")
    folder = absolute(folder)
    with make_folder(folder), hold_lock(refuse_links(folder) / LOCK):
        old = find_record(folder, append or overwrite)
        remove_unlisted(folder, old.listed if old else ())
        kept, exact = (old if append else None), kind is None
        names = None
        if kept is not None:
            names = CsrStore(folder, kept).feature_names  # raises if the store is damaged
            n_features = check_fits(n_features, kept.n_features, "n_features", folder)
            kind = check_fits(kind, kept.dtype, "dtype", folder)
        try:
            blocks = check_blocks(open_chunks(chunks, folder), n_features, kind, exact, names)
            first, named = (old.next_number if old else 0), names is not None
            shards, n_features, kind = write_shards(folder, blocks, first, shard_nnz, named=named)
            if kept is None and not shards:
                raise ValueError("chunks has no rows: there must be at least one")
            if kept is None:
                record = Record(n_features, kind, tuple(shards))
            else:
                record = replace(kept, shards=(*kept.shards, *shards))
            lacks_columns = (both_sides and not record.columns) or (record.columns and shards)
            if lacks_columns:
                record = add_columns(folder, record, shard_nnz)
            if lacks_columns or shards:
                write_record(folder, record)
        finally:
            # Those not in the record are the new shards after an error, else the replaced ones.
            with contextlib.suppress(OSError):
                remove_unlisted(folder, read_record(folder).listed if has_record(folder) else ())
        return CsrStore(folder, read_record(folder))


def add_columns(folder, record, shard_nnz):
    """Write the transpose of the rows in a record, and return the record of both sides.

    Its entries are sorted in temporary files, in pieces of `CHUNK_NNZ`.
    """
    rows = CsrStore(folder, replace(record, columns=()))
    blocks = (rows.rows(*block) for block in rows.blocks(CHUNK_NNZ))
    columns = sort_triplets(turn(Blocks(rows.shape, blocks)), folder, CHUNK_NNZ)
    sorted_rows = check_blocks(columns, rows.shape[0], rows.dtype, exact=True)
    shards, *_ = write_shards(folder, sorted_rows, record.next_number, shard_nnz)
    return replace(record, columns=tuple(shards))


@contextlib.contextmanager
def make_folder(folder):
    """Make a folder, and remove it again if the block leaves it empty."""
    made = not folder.exists()
    folder.mkdir(exist_ok=True)
    try:
        yield
    finally:
        if made and not any(folder.iterdir()):
            folder.rmdir()


def has_record(folder):
    """Return whether a folder holds a finished store."""
    return (folder / RECORD).exists()


def find_record(folder, allowed):
    """Return the record of the store in a folder, or None; raise if none is allowed there."""
    if has_record(folder):
        if not allowed:
            raise FileExistsError(
                f"{folder} already has a matrix: append to it, overwrite it, or choose another"
            )
        return read_record(folder)
    foreign = sorted(
        path.name for path in folder.iterdir() if path.name != LOCK and not is_leftover(path)
    )
    if foreign:
        raise FileExistsError(
            f"{folder} is not a store, and holds {foreign[0]}: choose a new folder"
        )
    return None


def check_fits(wanted, there, name, folder):
    """Return the value that the store has; raise if an argument differs from it."""
    if wanted is not None and wanted != there:
        raise ValueError(f"{name} is {wanted}, but {folder} has {there}, which appending keeps")
    return there


def open_chunks(chunks, folder):
    """Return an iterable of blocks."""
    if isinstance(chunks, str | os.PathLike):
        return read_chunks(chunks, folder)
    if isinstance(chunks, CsrStore) or hasattr(chunks, "shape") or _is_nested(chunks):
        return [chunks]
    try:
        return iter(chunks)
    except TypeError:
        raise TypeError(
            f"chunks must be blocks of rows, a matrix or the path of one, not {chunks!r}"
        ) from None


def _is_nested(chunks):
    """Return whether a list is a matrix, a list of rows of numbers."""
    row = chunks[0] if isinstance(chunks, list | tuple) and chunks else None
    return isinstance(row, list | tuple) and bool(row) and np.ndim(row[0]) == 0


def check_blocks(chunks, n_features, dtype, exact, feature_names=None):
    """Yield blocks as `Block`: canonical CSR matrices of one width and dtype, with names.

    Without a dtype, that of the first block is taken. If `exact`, blocks with values that the
    dtype does not hold exactly are refused. Blocks without rows are skipped. The names of the
    columns are those of the first block that has any, and others have to be the same.
    """
    n_rows, number = 0, -1
    for number, (chunk, *names) in enumerate(itertools.chain.from_iterable(map(_split, chunks))):
        name = f"block {number} (from row {n_rows})"
        shape: tuple[int, ...] = getattr(chunk, "shape", ())
        is_empty = len(shape) == 2 and shape[0] == 0 < shape[1]
        X = None if is_empty else check_matrix(chunk, name, None if exact else dtype)
        width = (shape if X is None else X.shape)[1]
        if n_features not in (None, width):
            raise ValueError(f"{name} has {width} columns instead of {n_features}")
        if X is None:
            continue
        n_features, (found, sample_names) = width, names
        if found is not None and feature_names is not None:
            check_same_names(found, feature_names, name)
        feature_names = found if feature_names is None else feature_names
        dtype = X.dtype if dtype is None else dtype
        X = convert(X, dtype, name)
        n_rows += X.shape[0]
        yield Block(X, feature_names, sample_names)
    if number < 0:
        raise ValueError("chunks is empty: there must be at least one block of rows")


def _split(chunk):
    """Yield what a user passed as a block, or the blocks of a store, with names."""
    features, samples = names_of(chunk)
    if not isinstance(chunk, CsrStore):
        yield chunk, features, samples
        return
    for start, stop in chunk.blocks():
        yield chunk.rows(start, stop), features, None if samples is None else samples[start:stop]


def check_same_names(found, wanted, name):
    """Raise ValueError if the columns of a block have other names than those before it."""
    if not np.array_equal(found, wanted):
        j = int(np.argmax(found != wanted))
        raise ValueError(
            f"{name} has other features than what came before: column {j} is {str(found[j])!r} "
            f"instead of {str(wanted[j])!r}. Put its columns in that order, such as "
            f"frame[store.feature_names], or, if only the names differ, write it without names"
        )


def convert(X, dtype, name):
    """Return a checked matrix in a dtype; raise if that does not hold its values exactly."""
    if X.dtype == dtype:
        # If the caller asked for the dtype, small values may have become zero.
        return X if X.nnz == 0 or X.data.min() > 0 else check_matrix(X, name)
    with np.errstate(over="ignore", under="ignore"):
        data = X.data.astype(dtype)
    if (data != X.data).any():
        value = X.data[np.argmax(data != X.data)]
        raise ValueError(
            f"{name} has {value!s}, which {dtype}, the type of what came before, does not hold "
            f'exactly: pass dtype="{dtype}" to have it rounded, or write all of it as float64'
        )
    return sp.csr_array((data, X.indices, X.indptr), shape=X.shape)
