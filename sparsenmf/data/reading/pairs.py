"""Matrices whose lines are pairs of place and value: svmlight (libsvm) and lda-c."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from ..compressed import open_plain
from ..market import DIGITS
from .content import HEAD, Content, as_counts, find_beside
from .vocabulary import read_vocabulary

PORTION = 2**22  # bytes that are read at once

LONGEST_LINE = 2**28

LARGEST = 2**53  # whole numbers from here on are not exact

FROM_ZERO = b"# Column indices are zero-based"
"""What scikit-learn's `dump_svmlight_file` writes above the lines, if it has a comment to write."""

PAIR = re.compile(rb"0:[+-]?(?:(?:0\.?0?|\.0)(?:e[+-]?0)?|nan|inf(?:inity)?)", re.IGNORECASE)
"""A pair with a zero in place of each run of digits."""


class Pairs(NamedTuple):
    """The lines of a file that are not blank: what they begin with, and their pairs."""

    heads: list[bytes]
    counts: np.ndarray
    places: np.ndarray
    values: np.ndarray


def read_svmlight(path, from_zero=False):
    """Read a matrix in svmlight format: label, then place:value of each feature.

    Places begin with 0 if it is said here or in scikit-learn's remark, or if one of them is 0; else
    with 1. Labels, ``qid:`` and other remarks are left out.
    """
    pairs = _read_pairs(path)
    if len(pairs.counts) and not pairs.counts.any():
        raise ValueError("its lines have no pairs such as 3:1.5 after their labels")
    from_zero = from_zero or _says_from_zero(path) or (pairs.places == 0).any()
    return Content(_as_csr(pairs, pairs.places if from_zero else pairs.places - 1))


def _says_from_zero(path):
    with open_plain(path) as file:
        return FROM_ZERO in map(bytes.strip, file.read(HEAD).splitlines())


def read_lda_c(path):
    """Read a matrix in lda-c format: the number of words, then word:count of each, from 0 on.

    The terms may lie beside it, as gensim's BleiCorpus writes them (X.vocab), or in vocab.txt.
    """
    pairs = _read_pairs(path)
    for line, (head, count) in enumerate(zip(pairs.heads, pairs.counts.tolist(), strict=True), 1):
        if not head.isdigit() or int(head) != count:
            shown = head.decode("ascii", "replace")
            raise ValueError(
                f"its document {line} begins with {shown!r}, but has {count} pairs of word:count: "
                f"if these are labels, its format is svmlight"
            )
    X = _as_csr(pairs, pairs.places)
    file = find_beside(path, f"{path.name}.vocab") or find_beside(path, "vocab.txt")
    if file is None:
        return Content(X)
    terms = read_vocabulary(file)
    if len(terms) < X.shape[1]:
        raise ValueError(
            f"{file.name} beside it has {len(terms)} terms, but it has words up to number "
            f"{X.shape[1] - 1}: these files do not belong together"
        )
    X.resize(X.shape[0], len(terms))  # the last terms may be in no document
    return Content(X, terms)


def count_pairs(line):
    """Return how many pairs a line of text has after its beginning; -1 if it is malformed."""
    words = line.partition("#")[0].split()
    words = words[":" not in words[0] :] if words else words
    words = words[1:] if words and words[0].startswith("qid:") else words
    shapes = ("".join(re.sub("[0-9]+", "0", word)).encode() for word in words)
    return len(words) if all(map(PAIR.fullmatch, shapes)) else -1


def _as_csr(pairs, columns):
    if not len(pairs.counts):
        raise ValueError("it is empty")
    indptr = np.concatenate([[0], np.cumsum(pairs.counts)])
    shape = len(pairs.counts), int(columns.max(initial=0)) + 1
    return sp.csr_array((as_counts(pairs.values), columns, indptr), shape=shape)


def _read_pairs(path):
    """Return the pairs of a whole file."""
    found: list[Pairs] = []
    with open_plain(path) as file:
        number = 1
        for text in _whole_lines(file):
            found.append(_parse(text, number))
            number += text.count(b"\n")
    heads, *arrays = zip(*found, strict=True)
    return Pairs([head for part in heads for head in part], *map(np.concatenate, arrays))


def _whole_lines(file):
    """Yield the text of a file, some whole lines at a time."""
    rest = b""
    while content := file.read(PORTION):
        lines, newline, rest = (rest + content).rpartition(b"\n")
        if len(rest) > LONGEST_LINE:
            raise ValueError(f"it has a line of more than {LONGEST_LINE:,} bytes")
        yield lines + newline
    yield rest + b"\n"


def _parse(text, first):
    """Return the pairs of some lines, the first of which has this number."""
    heads, rests = [], []
    for line in text.splitlines():
        words = line.partition(b"#")[0].split(None, 1)
        if not words:
            continue
        if b":" in words[0]:  # no label
            head, rest = b"", b" ".join(words)
        else:
            head, rest = words[0], b"".join(words[1:])
        if rest.startswith(b"qid:"):
            rest = b"".join(rest.split(None, 1)[1:])
        heads.append(head)
        rests.append(rest)
    joined = b" ".join(rests)
    _check_shapes(joined, text, first)
    numbers = np.array(joined.replace(b":", b" ").split(), "S").astype(np.float64)
    if numbers[::2].max(initial=0) >= LARGEST:
        raise ValueError(f"it has a place of {numbers[::2].max():.0f}, which no matrix has")
    counts = np.array([rest.count(b":") for rest in rests], np.int64)
    return Pairs(heads, counts, numbers[::2].astype(np.int64), numbers[1::2])


def _check_shapes(joined, text, first):
    """Raise ValueError, with the number of a line, unless all words are pairs."""
    squeezed = re.sub(rb"0+", b"0", joined.translate(DIGITS))
    if all(map(PAIR.fullmatch, set(squeezed.split()))):
        return
    for number, line in enumerate(text.splitlines(), first):
        if count_pairs(line.decode("utf-8", "replace")) < 0:
            shown = line[:100].decode("utf-8", "replace")
            raise ValueError(f"line {number}, {shown!r}, is not a label and pairs such as 3:1.5")
