"""Texts from files, folders, tables and pipes; no bytes in them are an error."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from .arguments import check_flag
from .files import MATRIX_SUFFIXES
from .progress import counted
from .typing import PathLike

TITLE_WIDTH = 100  # characters of a title, or of a text's beginning in its place

# NUL and lone surrogates, which some tables and terminals reject.
UNUSABLE = re.compile("[\0\ud800-\udfff]")

LONGEST_FIELD = 2**31 - 1  # the csv module's own limit is 131,072 characters


def read_texts(
    paths: PathLike | Iterable[PathLike],
    field: str | None = None,
    title_field: str | None = None,
    *,
    progress: bool = False,
) -> tuple[list[str], list[str]]:
    r"""Read texts from files.

    Parameters
    ----------
    paths : str, path-like, or sequence of them
        Each is one of:

        - a ``.csv`` or ``.tsv`` file with a header, whose rows are texts;
        - a folder, in which each ``.txt`` file, at any depth, is a text;
        - another file, or "-" for the standard input. Each line that is not blank is a text or,
          with a field, a JSON object.

        Files are UTF-8; what cannot be decoded becomes U+FFFD.
    field : str, optional
        Column, or name in the JSON objects, that holds the texts. Null is an empty text.
    title_field : str, optional
        Column or name that holds the titles. By default a text's title is its beginning or, in a
        folder, its path.
    progress : bool, default False
        Show on stderr how many texts have been read.

    Returns
    -------
    titles, texts : lists of str

    Raises
    ------
    OSError
        If a file cannot be opened.
    ValueError
        If a line has another form; the message has its number.

    Examples
    --------
    >>> import os, tempfile
    >>> from sparsenmf import read_texts
    >>> path = os.path.join(tempfile.mkdtemp(), "notes.csv")
    >>> with open(path, "w") as file:
    ...     _ = file.write("id,note\n7,the cat sat\n8,stocks fell\n")
    >>> read_texts(path, field="note", title_field="id")
    (['7', '8'], ['the cat sat', 'stocks fell'])
    """
    if isinstance(paths, str) or not hasattr(paths, "__iter__"):
        paths = [paths]
    titles, texts = [], []
    documents = (pair for path in paths for pair in _documents(path, field, title_field))
    if check_flag(progress, "progress"):
        documents = counted(documents, "read", "texts")
    for title, text in documents:
        text = UNUSABLE.sub("\ufffd", text)
        titles.append(shorten(text if title is None else UNUSABLE.sub("\ufffd", title)))
        texts.append(text)
    return titles, texts


def _documents(path, field, title_field):
    """Yield the title, or None, and the text of each document in a file or folder."""
    name = str(path)
    if name.endswith(MATRIX_SUFFIXES):
        raise ValueError(f"{name} is a matrix, not texts: read_matrix and factorize are for it")
    if name != "-" and Path(path).is_dir():
        yield from _folder(Path(path))
        return
    tabular = name.endswith((".csv", ".tsv"))
    if field is None and (tabular or name.endswith(".jsonl")):
        raise ValueError(f"{name} needs a field: the name of its texts")
    with _open_text(path, newline="" if tabular else None) as file:
        if field is None:
            for line in file:
                if line.strip():
                    yield None, line.removesuffix("\n")
            return
        source = "standard input" if name == "-" else name
        records = _table_rows(file, source, field) if tabular else _json_rows(file, source)
        for place, record in records:
            text = _value(record, field, place)
            yield (title_field and _value(record, title_field, place)), text


def _folder(folder):
    files = sorted(path for path in folder.rglob("*.txt") if path.is_file())
    if not files:
        raise ValueError(f"there are no .txt files in {folder}")
    for path in files:
        with _open_text(path, newline=None) as file:
            yield str(path.relative_to(folder)), file.read()


@contextlib.contextmanager
def _open_text(path, newline):
    # "-sig", because editors on Windows begin a file with a byte order mark.
    options = {"encoding": "utf-8-sig", "errors": "replace", "newline": newline}
    if str(path) != "-":
        with open(path, **options) as file:
            yield file
        return
    if getattr(sys.stdin, "buffer", None) is None or sys.stdin.closed:
        raise OSError("the standard input is closed: there is nothing to read")
    file = io.TextIOWrapper(sys.stdin.buffer, **options)
    try:
        yield file
    finally:
        file.detach()  # the standard input stays open


def _json_rows(file, name):
    for number, line in enumerate(file, 1):
        place = f"{name}, line {number}"
        if line.strip():
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ValueError(f"{place} is not JSON: {error}") from error
            if not isinstance(record, dict):
                raise ValueError(f"{place} is not an object with fields")
            yield place, record


def _table_rows(file, name, field):
    limit = csv.field_size_limit(LONGEST_FIELD)
    try:
        dialect = csv.excel_tab if name.endswith(".tsv") else csv.excel
        # Before Python 3.11 the csv module raises an error at NUL.
        reader = csv.DictReader((line.replace("\0", "\ufffd") for line in file), dialect=dialect)
        if field not in (reader.fieldnames or ()):
            listed = ", ".join(map(repr, reader.fieldnames or ()))
            raise ValueError(f"{name} has no column {field!r}: its header is {listed}")
        for record in reader:
            place = f"{name}, line {reader.line_num}"
            yield place, {key: text for key, text in record.items() if text is not None}
    except csv.Error as error:
        raise ValueError(f"{name}, line {reader.line_num}: {error}") from error
    finally:
        csv.field_size_limit(limit)


def _value(record, field, place):
    """Return the field of a record as a string."""
    if field not in record:
        listed = ", ".join(repr(name) for name in record if name is not None)
        raise ValueError(f"{place} has no {field!r}: it has {listed or 'nothing'}")
    value = record[field]
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return str(value)
    raise ValueError(f"{place}: {field!r} is not a text, but a {type(value).__name__}")


def shorten(text, width=TITLE_WIDTH):
    """Return a text, or its beginning and "...", on one line of at most this width."""
    text = " ".join(text[: 20 * width].split())  # splitting a long text would take long
    return text if len(text) <= width else text[: width - 3] + "..."
