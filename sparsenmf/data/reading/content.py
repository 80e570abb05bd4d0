"""What readers of matrices return, and how they open files."""

from __future__ import annotations

import codecs
import contextlib
import io
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..compressed import SUFFIXES, compression_of, open_plain, plain_suffix

HEAD = 2**16  # bytes of a file by which its format is told

BINARY = re.compile("[\1-\x08\x0e-\x1f]")  # beside what is no UTF-8

HINT = re.compile('"?sep=.?"?', re.IGNORECASE)  # with which Excel is told the delimiter

UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Content(NamedTuple):
    """A matrix as a file has it, not yet checked, and what the file says about it.

    Attributes
    ----------
    matrix : anything that `check_matrix` takes
        Samples x features.
    feature_names, sample_names : sequence or None
    rated : bool
        Whether entries are ratings, so that those that are absent are unknown, not zero.
    row_title : str
        What the file calls its rows, such as "gene"; empty if it does not say.
    """

    matrix: Any
    feature_names: Any = None
    sample_names: Any = None
    rated: bool = False
    row_title: str = ""


def as_counts(values):
    """Return whole numbers, which a text has without a type, as integers; others as they are."""
    whole = bool((np.abs(values) < 2**53).all()) and bool((values == np.rint(values)).all())
    return values.astype(np.int64) if whole else values


def as_numbers(names):
    """Return the names of samples as integers if all are written as such; else as they are."""
    whole = all(name.isdecimal() and str(int(name)) == name for name in names)
    return [int(name) for name in names] if whole else names


@contextlib.contextmanager
def plain_path(path: Path) -> Iterator[Path]:
    """Give the path of a file that is not compressed: its own, or that of a temporary copy."""
    if compression_of(path) is None:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="sparsenmf-") as folder:
        copy = Path(folder, f"plain{plain_suffix(path)}")
        with open_plain(path) as plain, open(copy, "wb") as file:
            shutil.copyfileobj(plain, file)
        yield copy


@contextlib.contextmanager
def open_lines(path: Path) -> Iterator[io.TextIOWrapper]:
    """Open a text file, compressed or not, with line ends as they are.

    UTF-8 is expected, or UTF-16 if the file begins with its mark. Other bytes raise a ValueError
    as they are read.
    """
    with open_plain(path) as file:
        start = file.read(len(UTF16[0]))
    encoding = "utf-16" if start in UTF16 else "utf-8-sig"
    with open_plain(path) as file, io.TextIOWrapper(file, encoding, newline="") as lines:
        yield lines


def first_lines(path: Path) -> list[str]:
    """Return the lines that are not blank at the beginning of a file, each of them whole.

    Raises
    ------
    ValueError
        If there are none, or the file is no text.
    """
    with open_plain(path) as file:
        head = file.read(HEAD)
    text = head.decode("utf-16" if head.startswith(UTF16) else "utf-8-sig", errors="replace")
    if "\0" in text or ("\ufffd" in text and BINARY.search(text)):
        raise ValueError("it is a binary file: if it is an archive, unpack it first")
    lines = text.splitlines(keepends=True)
    if len(head) == HEAD and len(lines) > 1:
        lines.pop()  # it may be cut
    lines = [line.strip("\r\n") for line in lines if line.strip()]
    if not lines:
        raise ValueError("it is empty")
    if HINT.fullmatch(lines[0].strip()):
        raise ValueError(f"its first line, {lines[0].strip()}, is for Excel alone: take it out")
    return lines


def find_beside(path: Path, *names: str) -> Path | None:
    """Return the first of some files, compressed or not, that is in the folder of a path."""
    there = (path.with_name(name + end) for name in names for end in ("", *SUFFIXES))
    return next((file for file in there if file.is_file()), None)
