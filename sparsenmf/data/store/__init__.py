"""Matrices larger than memory, each in a folder of plain .npy files.

Layout of a store
-----------------
``shape.json``
    Says what belongs to the store. It is written last, under another name, and then renamed:
    ``{"format": 1, "shape": [rows, columns], "nnz": int, "dtype": "float32" or
    "float64", "max_value": number, "shards": [...], "crc32": int}``. The checksum is that of
    ``json.dumps(rest, sort_keys=True)``. The shards are in the order of their rows, each one
    ``{"folder": "shard-00000", "rows": int, "nnz": int, "max_value": number, "files":
    {"indptr.npy": {"bytes": size of the file, "crc32": of what follows its header}, ...}}``.
    A reader refuses formats that it does not know. A store that has both sides also has
    ``"columns": [...]``: shards of the transpose, each as above, whose rows are the columns.
``shard-00000/indptr.npy``, ``indices.npy``, ``data.npy``
    CSR arrays of some rows: indptr (int64) begins with 0; indices are int32, or int64 if there
    are 2**31 columns or more, and rise within a row; data are positive and finite, of the
    dtype. The files have version 1.0 of the .npy format and are little-endian.
``shard-00000/feature_names.npy``, ``sample_names.npy``
    Names, where there are any, as text of fixed width ("U"), or int64 for those of rows. The
    record of such a file also has its "dtype". The names of all columns are in one shard, those
    of rows in the shard that has the rows; shards of the transpose have none.

A writer at work, or one that was killed, has other folders ``shard-...`` and ``.sort-...`` and
files ``.shape.json-...`` beside these. Readers ignore them, and the next writer removes what is
left over. Whatever else is in the folder stays.
"""

from pathlib import Path

from ..reading import read_matrix
from .chunks import is_store_folder, refuse_options
from .opening import open_csr
from .reader import CsrStore
from .writer import write_csr

__all__ = ["CsrStore", "is_store", "open_csr", "open_matrix", "write_csr"]


def is_store(X):
    """Return whether X is a matrix on disk."""
    return isinstance(X, CsrStore)


def open_matrix(path, **options):
    """Return the store in a folder, or what `read_matrix` reads with these options."""
    if is_store_folder(Path(path)):
        refuse_options(path, **{name: options[name] for name in options if name != "missing"})
        return open_csr(path)
    return read_matrix(path, **options)
