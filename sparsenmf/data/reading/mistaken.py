"""Files that are not what their names say, recognised by what they begin with."""

from __future__ import annotations

import re

from ..archive import is_archive
from ..compressed import open_plain, plain_suffix
from ..damage import AGAIN
from ..decoding import BEGINNING, BROKEN_ZIP, OFFICE, kind_of_zip
from ..shell import quote

WORKBOOKS = (OFFICE["xl/"], "a zip archive", BROKEN_ZIP)  # the reader says what is wrong

HDF5 = (".h5ad", ".h5", ".hdf5")

KINDS = [
    (rb"PK\x03\x04|PK\x05\x06", "a zip archive", (".npz", ".xlsx")),
    (rb"\x89HDF\r\n\x1a\n", "an HDF5 file", HDF5),
    (rb"\x93NUMPY", "a NumPy array", (".npy",)),
    (rb"PAR1[\0-\x1f]", "a parquet file", (".parquet",)),
    (rb"ARROW1\0|FEA1[\0-\x1f]", "a feather file", (".feather",)),
    (rb"%%MatrixMarket", "a MatrixMarket file", (".mtx", ".mm")),
]
"""How files begin, what they are, and what their names should end in."""

BINARY = {suffix for _, _, suffixes in KINDS for suffix in suffixes} - {".mtx", ".mm"}
"""Suffixes of files that are no texts."""

NO_DATA = [
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
     "an old Office file: save it as .csv or .xlsx"),
    (rb"version https://git-lfs", "a pointer of Git LFS, not the file: type git lfs pull"),
    (rb"(\xef\xbb\xbf)?\s*(<!doctype html|<html)",
     "a page of HTML, such as a server sends in place of a file: download it again"),
]  # fmt: skip
"""How files begin that hold no matrix, what they are, and what to do."""


def find_mistake(path):
    """Return what a file is that could not be read as its name says, or None if that is not seen.

    Parameters
    ----------
    path : pathlib.Path
        Compressed or not.
    """
    if not path.is_file():
        return None
    try:
        with open_plain(path) as file:
            start = file.read(BEGINNING)
    except (ImportError, OSError, ValueError):  # the reader has said so
        return None
    suffix = plain_suffix(path)
    for signature, what in NO_DATA:
        if re.match(signature, start, re.IGNORECASE):
            return f"it is {what}"
    if suffix == ".npz" and is_archive(path):
        return (
            "it is a saved model, not a matrix: sparsenmf transform and sparsenmf info take it, "
            "and Factorization.load"
        )
    if suffix == ".xlsx" and start.startswith(b"PK") and kind_of_zip(path) not in WORKBOOKS:
        return f"it is {kind_of_zip(path)}, not an xlsx workbook"
    if suffix == ".zip" and start.startswith(b"PK"):
        if kind_of_zip(path) == BROKEN_ZIP:
            return f"it is {BROKEN_ZIP}: {AGAIN}"
        return f"it is a zip archive: type first: unzip {quote(str(path))}"
    for signature, kind, suffixes in KINDS:
        if re.match(signature, start) and suffix not in suffixes:
            return f"it is {kind}: its name should end in {' or '.join(suffixes)}"
        if suffix in suffixes and not re.match(signature, start) and start:
            return (
                f"it is not {kind}, as its name says: it is damaged, or of another format; "
                f"{AGAIN}, or give it the suffix of what it is"
            )
    return None


def find_emptiness(path):
    """Return that a file is empty, for those whose readers say something else, or None."""
    is_binary = plain_suffix(path) in {*BINARY, ".zip"}
    return (
        f"it is empty: {AGAIN}"
        if is_binary and path.is_file() and not path.stat().st_size
        else None
    )
