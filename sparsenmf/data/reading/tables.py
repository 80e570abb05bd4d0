"""Matrices written as tables, with names of columns and rows: .csv, .tsv, .txt."""

from __future__ import annotations

import itertools

import numpy as np
import scipy.sparse as sp

from .content import Content, as_counts, as_numbers, first_lines, open_lines
from .delimited import cut, guess_delimiter, is_index, is_missing, is_number, no_number
from .numbering import numbers_rows


def read_table(path, missing=None):
    """Read a table of numbers.

    It has a header unless its first line is all numbers. The first column has names if its values
    are no numbers, if it has no title or one such as "id", or if the header is one short, as R
    writes it. Zeros are kept, and empty cells allowed, if what is not there is unknown.
    """
    unknown = missing == "unknown"
    delimiter = guess_delimiter(table_lines(first_lines(path)))
    with open_lines(path) as lines:
        rows = _skip_remarks(cut(lines, delimiter))
        header, title, named, rows = _read_header(rows)
        found, samples, width, values = [], [], 0, np.empty(0)
        for line, row in rows:
            width = width or len(row if header is None else header) + (named and header is not None)
            if len(row) != width:
                raise ValueError(
                    f"line {line} has {len(row)} fields instead of {width}: put names that have "
                    f"the delimiter in them in quotation marks"
                )
            if named:
                samples.append(row[0])
            values = _numbers(path, line, row[named:], header, unknown)
            columns = np.flatnonzero(~np.isnan(values) if unknown else values)
            found.append((columns, values[columns]))
    if not found:
        raise ValueError("it has a header, but no rows")
    X = _as_csr(found, len(values))
    if not named and X.shape[1] > 1:
        first = X[:, [0]].toarray()[:, 0]
        if numbers_rows(None if header is None else header[0], first, path):
            title, header, X = header[0], header[1:], X[:, 1:]
            samples = list(map(str, map(int, first)))
    return Content(X, header, as_numbers(samples) or None, row_title=title)


def table_lines(lines):
    """Return the first lines of a table without the remarks (#) above it."""
    n = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return lines[n:]


def _skip_remarks(rows):
    """Yield rows without the remarks (#) above; the last is the header if it has as many cells."""
    last = None
    for line, row in rows:
        if row[0].startswith("#"):
            last = line, row
            continue
        if last is not None and len(last[1]) == len(row) > 1:
            yield last
        yield line, row
        yield from rows


def _read_header(rows):
    """Return the names of columns or None, the title of the rows, if these are named, and rows."""
    line, first = next(rows, (0, []))
    second = next(rows, None)
    rest = itertools.chain([] if second is None else [second], rows)
    if not _is_header(first, second):
        named = bool(first) and not is_number(first[0])
        return None, "", named, itertools.chain([(line, first)], rest)
    values = [""] if second is None else second[1]
    if len(values) == len(first) + 1:  # R writes no title
        return first, "", True, rest
    if is_index(first[0]) or not is_number(values[0]):
        return first[1:], first[0].strip().lstrip("#"), True, rest
    return first, "", False, rest


def _is_header(first, second):
    """Return whether the first row of a table names its columns."""
    if any(not is_number(cell) and not is_missing(cell) for cell in first[1:]):
        return True
    if first and is_number(first[0]):
        # R writes no name above the row names.
        return second is not None and len(second[1]) == len(first) + 1
    # Numbers behind a name: the names of columns, or the values of a row.
    return not first or is_index(first[0]) or (second is not None and is_number(second[1][0]))


def _numbers(path, line, cells, header, unknown):
    """Return the numbers in the cells of a row; a missing one is NaN."""
    try:
        values = np.array(cells, "U").astype(np.float64)
        if not np.isnan(values).any() and "_" not in "".join(cells):
            return values
    except ValueError:
        values = np.empty(len(cells))
    for j, cell in enumerate(cells):
        if unknown and is_missing(cell):
            values[j] = np.nan
        elif is_number(cell) and not is_missing(cell):
            values[j] = float(cell)
        else:
            raise no_number(path, line, header[j] if header is not None else j + 1, cell)
    return values


def _as_csr(rows, n_features):
    indptr = np.concatenate([[0], np.cumsum([len(columns) for columns, _ in rows])])
    indices, values = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    return sp.csr_array((as_counts(values), indices, indptr), shape=(len(rows), n_features))
