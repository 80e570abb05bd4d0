"""Texts from files, folders, tables and pipes."""

from __future__ import annotations

import fnmatch
import itertools
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from .arguments import check_flag
from .compressed import plain_suffix
from .decoding import check_encoding, first_line, open_text
from .delimited import check_delimiter, read_delimited
from .progress import counted
from .records import COLUMNAR, read_columnar, read_json, value_of
from .typing import PathLike

TITLE_WIDTH = 100  # characters of a title, or of a text's beginning in its place

# NUL and lone surrogates, as JSON can have them, which some tables and terminals reject.
UNUSABLE = re.compile("[\0\ud800-\udfff]")

NO_TEXTS = "{} is a matrix, not texts: read_matrix and factorize are for it"

MATRICES = (".npz", ".npy", ".mtx", ".h5ad", ".h5")

DELIMITED = {".csv": ",", ".tsv": "\t", ".tab": "\t"}

JSON = (".jsonl", ".ndjson", ".json")


class Reading(NamedTuple):
    """How texts are read; see `read_texts`."""

    field: str | None
    title_field: str | None
    encoding: str | None
    delimiter: str | None
    quotes: bool
    glob: str | None
    whole_files: bool

    @property
    def fields(self):
        """The fields that are needed, each once; None is one that has not been said."""
        titles = [] if self.title_field is None else [self.title_field]
        return list(dict.fromkeys([self.field, *titles]))


def read_texts(
    paths: PathLike | Iterable[PathLike],
    field: str | None = None,
    title_field: str | None = None,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    quotes: bool = True,
    glob: str | None = None,
    whole_files: bool = False,
    progress: bool = False,
) -> tuple[list[str], list[str]]:
    r"""Read texts from files.

    Parameters
    ----------
    paths : str, path-like, or sequence of them
        Each is one of:

        - a table with a header, whose rows are texts: ``.csv``, ``.tsv`` or ``.tab``, or
          ``.parquet``, ``.feather`` (extra `parquet`) or the first sheet of ``.xlsx`` (extra
          `excel`);
        - ``.jsonl``, ``.ndjson`` or ``.json``: an object on each line, or one array;
        - a folder, in which each file, at any depth, is a text; with a field, each file is a
          table or JSON. Hidden files, whose names begin with a dot, and matrices are left out;
        - another file, or "-" for the standard input. Each line that is not blank is a text or,
          with a field, the file is JSON or a table.

        Suffixes count in any case. A file compressed as ``.gz``, ``.bz2``, ``.xz`` or ``.zst``
        (extra `zstd`) is read as what it holds.
    field : str, optional
        Column, or name in the JSON objects, that holds the texts. Null is an empty text.
    title_field : str, optional
        Column or name that holds the titles. By default a text's title is its beginning or, in a
        folder, its path.
    encoding : str, optional
        Encoding of files without a byte order mark: "latin-1", "gb18030", ... Default: UTF-8.
    delimiter : str, optional
        What separates the columns of a table: one character, or "tab". By default it is guessed
        from the header.
    quotes : bool, default True
        Whether quotation marks enclose the texts of a table that have delimiters or line breaks
        in them. If not, they are characters as others are.
    glob : str, optional
        Which files of folders are read, such as "\*.txt" or "2024/\*.md". Default: all.
    whole_files : bool, default False
        Whether each file is one text, as in a folder, and not each line.
    progress : bool, default False
        Show on stderr how many texts have been read.

    Returns
    -------
    titles, texts : lists of str

    Raises
    ------
    OSError
        If a file cannot be opened.
    ImportError
        If the package that a format needs is not installed.
    TypeError, ValueError
        If a file is not a text (a PDF, an archive, an image), is not in the encoding, or a line
        has another form; the message has its number. If an argument has the wrong value.

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
    how = Reading(
        *(field, title_field, check_encoding(encoding), check_delimiter(delimiter)),
        *(check_flag(quotes, "quotes"), _check_glob(glob), check_flag(whole_files, "whole_files")),
    )
    if how.whole_files and field is not None:
        raise ValueError("whole_files are texts as a whole: they have no field")
    titles, texts = [], []
    documents = (pair for path in paths for pair in _documents(path, how))
    if check_flag(progress, "progress"):
        documents = counted(documents, "read", "texts")
    for title, text in documents:
        text = UNUSABLE.sub("\ufffd", text)
        titles.append(shorten(text if title is None else UNUSABLE.sub("\ufffd", title)))
        texts.append(text)
    return titles, texts


def _check_glob(glob):
    """Return a pattern of names of files, or None."""
    if glob is not None and (not isinstance(glob, str) or not glob or Path(glob).is_absolute()):
        raise ValueError(f'glob must be a pattern within folders, such as "*.txt", not {glob!r}')
    return glob


def _documents(path, how):
    """Yield the title, or None, and the text of each document in a file or folder."""
    name = "standard input" if str(path) == "-" else str(path)
    if str(path) == "-":
        suffix = ""
    elif Path(path).is_dir():
        yield from _folder(Path(path), how)
        return
    else:
        suffix = plain_suffix(path)
    if suffix in MATRICES:
        raise ValueError(NO_TEXTS.format(name))
    if how.whole_files:
        with open_text(path, how.encoding) as lines:
            yield name, "".join(lines)
    elif suffix in COLUMNAR:
        yield from _fields(read_columnar(path, suffix, how.fields), how)
    else:
        with open_text(path, how.encoding) as lines:
            yield from _in_lines(lines, name, suffix, how)


def _in_lines(lines, name, suffix, how):
    """Yield the titles and texts of an open file: JSON, a table, or a text on each line."""
    first, lines = first_line(lines)
    opening = first.lstrip()[:1]
    is_plain = suffix not in (*DELIMITED, *JSON)
    if is_plain and how.field is None and how.delimiter is None:
        yield from ((None, line.removesuffix("\n")) for line in lines if line.strip())
    elif suffix in JSON or (is_plain and how.delimiter is None and opening in ("{", "[")):
        yield from _fields(read_json(lines, name), how)
    else:
        default = DELIMITED.get(suffix, ",")
        rows = read_delimited(
            lines, name, how.fields, how.delimiter, quotes=how.quotes, default=default
        )
        yield from _fields(rows, how)


def _fields(records, how):
    """Yield the title, or None, and the text of each record."""
    for place, record in records:
        if how.field is None and isinstance(record, str):
            yield None, record
            continue
        if how.field is None:
            listed = ", ".join(map(repr, record)) if isinstance(record, dict) else "no names"
            raise ValueError(f"{place} needs a field (--field), one of its names: {listed}")
        text = value_of(record, how.field, place)
        yield how.title_field and value_of(record, how.title_field, place), text


def _folder(folder, how):
    """Yield the titles and texts of the files in a folder."""
    if how.glob is None and _is_matrix(folder):
        raise ValueError(NO_TEXTS.format(folder))
    for path in list_files(folder, how.glob):
        suffix, title = plain_suffix(path), str(path.relative_to(folder))
        try:
            if how.field is not None or (
                suffix in (*MATRICES, *COLUMNAR, *DELIMITED, *JSON) and not how.whole_files
            ):
                yield from _documents(path, how)
                continue
            with open_text(path, how.encoding) as lines:
                text = "".join(lines)
        except ValueError as error:
            if how.glob is not None:
                raise
            raise ValueError(
                f'{error} (which files of a folder are read is said by glob= or --glob, "*.txt" '
                f"for example)"
            ) from error
        yield title, text


def _is_matrix(folder):
    """Return whether a folder is a store, or one of 10x Genomics: its other files are no texts."""
    from .reading.tenx import find_10x  # here, because NumPy comes with them
    from .store.layout import RECORD

    is_store = (folder / RECORD).exists() and any(folder.glob("shard-*"))
    return is_store or any(find_10x(path) for path in folder.iterdir() if path.is_file())


def list_files(folder, glob=None):
    """Return the files of a folder that are read as texts, in the order of their paths.

    Raises
    ------
    ValueError
        If there are none.
    """
    folder = Path(folder)
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(x.startswith(".") for x in path.relative_to(folder).parts)
    ]
    if glob is None:
        chosen = [path for path in found if plain_suffix(path) not in MATRICES]
    elif "/" in glob or os.sep in glob:
        chosen = sorted(set(folder.glob(glob)) & set(found))
    else:  # in any case, as suffixes are
        pattern = glob.lower()
        chosen = [path for path in found if fnmatch.fnmatchcase(path.name.lower(), pattern)]
    if not chosen and found:
        suffixes = itertools.islice(dict.fromkeys(path.suffix or path.name for path in found), 5)
        wanted = "a text" if glob is None else f"like {glob!r}"
        raise ValueError(f"no file in {folder} is {wanted}: it has {', '.join(suffixes)}")
    if not chosen:
        raise ValueError(f"there are no files in {folder}")
    return chosen


def shorten(text, width=TITLE_WIDTH):
    """Return a text, or its beginning and "...", on one line of at most this width."""
    text = " ".join(text[: 20 * width].split())  # splitting a long text would take long
    return text if len(text) <= width else text[: width - 3] + "..."
