"""Where rows come from when they do not fit into memory: a folder of plain .npy files.

Layout of a store
-----------------
``shape.json``
    Says what belongs to the store, and is written last, under another name that is then
    replaced: ``{"format": 1, "shape": [rows, columns], "nnz": int, "dtype": "float32" or
    "float64", "max_value": number, "shards": [...], "crc32": int}``. The last is of the rest,
    as ``json.dumps(rest, sort_keys=True)`` has it. Of each shard, in the order of the rows:
    ``{"folder": "shard-00000", "rows": int, "nnz": int, "max_value": number, "files":
    {"indptr.npy": {"bytes": size of the file, "crc32": of what follows its header}, ...}}``.
    A reader refuses formats that it does not know.
``shard-00000/indptr.npy``, ``indices.npy``, ``data.npy``
    CSR arrays of some rows: indptr (int64) begins with 0; indices are int32, or int64 where
    there are 2**31 columns, and rise within a row; data are positive and finite, of the
    dtype. Files are version 1.0 of the .npy format, little-endian.

What a writer that was killed has left, or one at work is writing, lies beside these in folders
``shard-...`` and ``.sort-...`` and files ``.shape.json-...``: readers ignore it, and the next
writer clears it away. Whatever else is in the folder stays.
"""

import os

from ..files import read_matrix
from .reader import CsrStore, open_csr
from .writer import write_csr

__all__ = ["CsrStore", "is_store", "open_csr", "open_matrix", "write_csr"]


def is_store(X):
    """Return whether X is a matrix on disk."""
    return isinstance(X, CsrStore)


def open_matrix(path):
    """Open the store that a folder is, or read the matrix that a file is."""
    return open_csr(path) if os.path.isdir(path) else read_matrix(path)
