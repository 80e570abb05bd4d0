"""Bytes as text: encodings, and files that are no texts, recognised by what they begin with."""

from __future__ import annotations

import codecs
import contextlib
import io
import itertools
import re
import sys
import warnings
import zipfile
from collections.abc import Iterator

from .compressed import Joined, compression_of, open_plain, plain
from .damage import AGAIN
from .typing import PathLike

BEGINNING = 4096  # bytes by which a file is recognised

BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}

TEXT_OF_IT = "save it as plain text first"
UNPACKED = "unpack it first, and pass the folder"
A_MATRIX = "read_matrix and factorize are for matrices"
BROKEN_ZIP = "a zip archive that is damaged or cut off"
NO_TEXT = "texts are needed"

SIGNATURES = [
    (rb"%PDF-", "a PDF", "extract its text first, with pdftotext for example"),
    (rb"\{\\rtf", "an RTF document", TEXT_OF_IT),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file (.doc, .xls, .ppt)",
     "save it as plain text, or a table as .csv or .xlsx"),
    (rb"PAR1[\0-\x1f]", "a parquet file", "its name should end in .parquet"),
    (rb"ARROW1\0|FEA1[\0-\x1f]", "a feather file", "its name should end in .feather"),
    (rb".{257}ustar", "a tar archive", UNPACKED),
    (rb"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACKED),
    (rb"Rar!\x1a\x07", "a RAR archive", UNPACKED),
    (rb"\x89PNG\r\n\x1a\n", "a PNG image", NO_TEXT),
    (rb"\xff\xd8\xff", "a JPEG image", NO_TEXT),
    (rb"GIF8[79]a", "a GIF image", NO_TEXT),
    (rb"II\*\0|MM\0\*", "a TIFF image", NO_TEXT),
    (rb"RIFF.{4}WEBP", "a WebP image", NO_TEXT),
    (rb"BM.{4}\0{4}", "a BMP image", NO_TEXT),
    (rb"SQLite format 3\0", "an SQLite database", "export the table as .csv first"),
    (rb"version https://git-lfs", "a pointer of Git LFS", "type git lfs pull"),
    (rb"\x89HDF\r\n\x1a\n", "an HDF5 file", A_MATRIX),
    (rb"\x93NUMPY", "a NumPy array", A_MATRIX),
    (rb"%%MatrixMarket", "a matrix (MatrixMarket)", A_MATRIX),
]  # fmt: skip
"""How files begin that are no texts, what they are, and what to do about it."""

OFFICE = {"word/": "a docx document", "xl/": "an xlsx workbook", "ppt/": "a pptx presentation"}

GUESSES = "such as latin-1 (western Europe), cp1251 (Cyrillic), gb18030 (Chinese), shift_jis"


@contextlib.contextmanager
def open_text(path: PathLike, encoding: str | None = None) -> Iterator[Iterator[str]]:
    r"""Open a text file, or "-" for the standard input, as an iterator over its lines.

    Lines end with "\n", whatever they end with in the file. A compressed file is read as what it
    holds.

    Parameters
    ----------
    path : str or path-like
    encoding : str, optional
        Of a file that does not begin with a byte order mark. Default: UTF-8.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ImportError
        For .zst without zstandard.
    ValueError
        If it is not a text, or not in this encoding.
    """
    name = "standard input" if str(path) == "-" else str(path)
    with _open_bytes(path) as file:
        start = file.read(BEGINNING)
        _refuse_binary(start, name, path)
        marked = (codec for mark, codec in BYTE_ORDER_MARKS.items() if start.startswith(mark))
        codec = next(marked, encoding or "utf-8")
        if codec == encoding and _is_utf8(start, codec):
            warnings.warn(
                f"{name} seems to be UTF-8, and is read as {encoding}: leave out encoding= "
                f"(--encoding) if there are wrong letters",
                stacklevel=2,
            )
        whole = io.BufferedReader(Joined(start, file))
        yield _lines(io.TextIOWrapper(whole, codec), name, codec, start)


def check_encoding(encoding):
    """Return the name of an encoding of texts, or None.

    Raises
    ------
    TypeError, ValueError
        If there is no such encoding.
    """
    if encoding is None:
        return None
    if not isinstance(encoding, str):
        raise TypeError(f"encoding must be a name such as 'latin-1', not {encoding!r}")
    try:
        "".encode(encoding)  # rot13 and base64 are no encodings of texts
    except (LookupError, ValueError) as error:
        raise ValueError(f"encoding {encoding!r} is not known: use another, {GUESSES}") from error
    return encoding


@contextlib.contextmanager
def _open_bytes(path):
    """Open a file or the standard input, decompressed."""
    if str(path) != "-":
        with open_plain(path) as file:
            yield file
        return
    stdin = getattr(sys.stdin, "buffer", None)
    if stdin is None or sys.stdin.closed:
        raise OSError("the standard input is closed: there is nothing to read")
    with plain(stdin, "the standard input") as file:  # it stays open
        yield file


def _refuse_binary(start, name, path):
    """Raise ValueError if a file begins as one that is no text."""
    for signature, kind, advice in SIGNATURES:
        if re.match(signature, start, re.DOTALL):
            raise ValueError(f"{name} is {kind}, not a text: {advice}")
    if start.startswith((b"PK\3\4", b"PK\5\6")):
        kind = kind_of_zip(path)
        advice = {"a zip archive": UNPACKED, BROKEN_ZIP: AGAIN}.get(kind, TEXT_OF_IT)
        if "xlsx" in kind:
            advice = "its name should end in .xlsx"
        raise ValueError(f"{name} is {kind}, not a text: {advice}")


def kind_of_zip(path):
    """Return what an archive that begins as a zip file is, by its members."""
    try:
        with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            members = archive.namelist()
    except OSError:  # the standard input
        return "a zip archive"
    except zipfile.BadZipFile:
        return "a zip archive" if compression_of(path) else BROKEN_ZIP
    if any(name.endswith(".npy") for name in members):
        return "a NumPy archive"
    if "mimetype" in members:
        return "an OpenDocument file or an e-book"
    kinds = (kind for folder, kind in OFFICE.items() if any(x.startswith(folder) for x in members))
    return next(kinds, "a zip archive")


def first_line(lines):
    """Return the first line that is not blank, and all lines: blank ones count in errors."""
    lines = iter(lines)
    for blank, line in enumerate(lines):
        if line.strip():
            return line, itertools.chain(["\n"] * blank, [line], lines)
    return "", iter([])


def _lines(file, name, codec, start):
    """Yield the lines of a text file; what is no text in this encoding is an error."""
    number = 0
    try:
        for number, line in enumerate(file, 1):
            if "\0" in line:
                raise ValueError(f"{name}, line {number}, has NUL bytes: {_about_nul(start)}")
            yield line
    except UnicodeDecodeError as error:
        bad = error.object[error.start]
        place = number + 1 + error.object[: error.start].count(b"\n")
        if codec in BYTE_ORDER_MARKS.values():
            likely = "the file is damaged, or ends too early"
        elif b"\0" in start:
            likely = _about_nul(start)
        else:
            likely = f"it is probably in another encoding: pass encoding= (--encoding), {GUESSES}"
        raise ValueError(
            f"{name}, line {place}, is not {codec.upper()} (byte 0x{bad:02x}): {likely}"
        ) from error


def _is_utf8(start, codec):
    """Return whether the beginning of a file in another encoding has letters of UTF-8."""
    if start.isascii() or codecs.lookup(codec).name.startswith("utf"):
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)  # a letter may be cut at the end
    except UnicodeDecodeError:
        return False
    return True


def _about_nul(start):
    """Return what a file with NUL bytes seems to be, and what to do about it."""
    for first, codec in ((1, "utf-16-le"), (0, "utf-16-be")):
        # In UTF-16 every other byte of Latin letters is NUL.
        nul, other = start[first::2], start[1 - first :: 2]
        if nul.count(0) > max(0.4 * len(nul), 3) and other.count(0) < 0.1 * len(other):
            return f"it seems to be UTF-16 without its mark: pass encoding= (--encoding) {codec}"
    return "it is a binary file, or damaged, and not a text"
