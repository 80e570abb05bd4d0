"""Which format a file with a matrix has: by its name, or by its first lines."""

from __future__ import annotations

import contextlib

from ..compressed import plain_suffix
from ..shell import quote
from .content import first_lines
from .delimited import cut, guess_delimiter, is_missing, is_number
from .pairs import count_pairs
from .tables import table_lines
from .tenx import find_10x, no_10x
from .triplets import find_triplets

BY_SUFFIX = {
    ".npz": "npz",
    ".mtx": "mtx",
    ".mm": "mtx",
    ".npy": "npy",
    ".h5ad": "h5ad",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".svmlight": "svmlight",
    ".libsvm": "svmlight",
    ".svm": "svmlight",
    ".ldac": "lda-c",
    ".lda-c": "lda-c",
    ".uci": "bag-of-words",
    ".parquet": "frame",
    ".feather": "frame",
    ".xlsx": "frame",
}

OPEN = (".csv", ".tsv", ".tab", ".txt", ".dat", ".data", ".ratings")
"""Suffixes of files that are told by their first lines."""

CHOICES = ("mtx", "svmlight", "svmlight-0", "lda-c", "bag-of-words", "table", "triplets")
"""Formats that may be named, for files whose names or lines leave it open."""

MATRIX_SUFFIXES = tuple(suffix for suffix, form in BY_SUFFIX.items() if form != "frame")
"""Suffixes of files that hold a matrix and nothing else."""

GENSIM = (
    'python -c "import sys; from gensim.corpora import {0}, UciCorpus; c = {0}(sys.argv[1]); '
    "UciCorpus.serialize('X.uci', c, id2word=c.id2word)\" {{}}"
)

RECIPES = {
    ".mat": 'python -c "import sys, scipy.io as io, scipy.sparse as sp; '
    "sp.save_npz('X.npz', sp.csr_array(io.loadmat(sys.argv[1])['X']))\" {}",
    ".loom": 'python -c "import sys, h5py, numpy as np; '
    "np.save('X.npy', h5py.File(sys.argv[1])['matrix'][:].T)\" {}",
    ".rds": 'Rscript -e \'Matrix::writeMM(as(readRDS("{}"), "CsparseMatrix"), "X.mtx")\'',
    ".low": GENSIM.format("LowCorpus"),
    ".mallet": GENSIM.format("MalletCorpus"),
    ".tar": "tar xf {}",
    ".zip": "unzip {}",
}
"""What to type for files that are not read."""


def find_format(path, form=None):
    """Return the format of a file, which is a key of `READERS`.

    Raises
    ------
    ValueError
        If it is none that is read; the message says what to do instead.
    """
    if path.is_dir():
        if find_10x(path) is None:
            raise ValueError(no_10x(path) or "it is neither a store nor a 10x folder")
        return "10x"
    suffix = plain_suffix(path)
    if form is not None:
        if form not in CHOICES:
            raise ValueError(f"format must be one of {', '.join(CHOICES)}, not {form!r}")
        return form
    found = BY_SUFFIX.get(suffix)
    if found == "mtx" and find_10x(path) is not None:
        return "10x"
    if found is not None:
        return found
    if suffix in OPEN:
        return sniff(path)
    if suffix in RECIPES:
        raise ValueError(f"type first: {RECIPES[suffix].format(quote(str(path)))}")
    listed = ", ".join((*BY_SUFFIX, *OPEN))
    raise ValueError(
        f"its name should end in one of {listed}; docs/guide/formats.md has a line for others"
    )


class NoNumbersError(ValueError):
    """A file has no rows of numbers; it may have texts."""


def seems_text(path):
    """Return whether a file or a folder has texts, not a matrix, as its name and lines tell."""
    if path.is_dir():
        return find_10x(path) is None
    suffix = plain_suffix(path)
    if suffix not in OPEN:
        return suffix not in (*BY_SUFFIX, *RECIPES)
    try:
        sniff(path)
    except NoNumbersError:
        return True
    except ValueError:  # who reads it says more
        return False
    return False


def sniff(path):
    """Return the format that the first lines of a file have."""
    lines = first_lines(path)
    if lines[0].lower().startswith("%%matrixmarket"):
        return "mtx"
    sizes = [len(line.split()) for line in lines[:4] if line.replace(" ", "").isdecimal()]
    if sizes == [1, 1, 1, 3] or (sizes == [1, 1, 1] and len(lines) == 3):
        return "bag-of-words"
    counts = [count_pairs(line) for line in lines]
    if min(counts) >= 0 and max(counts) > 0:
        heads = [line.split()[0] for line in lines]
        alike = [head == str(count) for head, count in zip(heads, counts, strict=True)]
        return "lda-c" if all(alike) else "svmlight"
    if find_triplets(lines) is not None:
        return "triplets"
    return _check_table(path, table_lines(lines)[:3])


def _check_table(path, lines):
    """Return "table", or raise a ValueError if these are no rows of numbers."""
    rows: list[list[str]] = []
    with contextlib.suppress(ValueError):  # a quotation mark without another on its line
        rows.extend(row for _, row in cut(lines, guess_delimiter(lines)))
    values = rows[-1][1:] if len(rows) >= min(2, len(lines)) else []
    if not any(is_number(cell) or is_missing(cell) for cell in values):
        tabular = plain_suffix(path) in (".csv", ".tsv", ".tab")
        how = f" --field {quote(rows[0][-1])}" if tabular and rows else ""
        raise NoNumbersError(
            f"it has no rows of numbers; if it has texts, type: sparsenmf topics "
            f"{quote(str(path))}{how}"
        )
    if {len(row) for row in rows} == {3} and len(rows) > 1 and _may_be_places(rows):
        raise ValueError(
            "it has three columns of numbers: say whether these are three features "
            '(format="table", --input-format table), or sample, feature and value '
            '(format="triplets", --input-format triplets)'
        )
    return "table"


def _may_be_places(rows):
    cells = [cell for row in rows for cell in row]
    return all(map(is_number, cells)) and all(
        float(cell).is_integer() for row in rows for cell in row[:2]
    )
