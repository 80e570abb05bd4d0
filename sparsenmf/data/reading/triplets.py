"""Matrices with a sample, a feature and a value on each line: ratings, counts of words."""

from __future__ import annotations

from array import array

import numpy as np
import scipy.sparse as sp

from .content import Content, as_counts, as_numbers, first_lines, open_lines
from .delimited import (
    FEATURES,
    SAMPLES,
    Roles,
    cut,
    find_roles,
    guess_delimiter,
    is_number,
    no_number,
    roles_without_header,
)

UNSURE = (
    "it has no header that tells ratings from counts: say whether what is not in it is zero "
    '(missing="zero", --missing zero) or unknown (missing="unknown", --missing unknown)'
)


def find_triplets(lines):
    """Return the delimiter and the `Roles` of the columns of a file that begins so, or None."""
    if all(line.count("::") >= 2 for line in lines[:5]):
        return "::", Roles(0, 1, 2, True)
    delimiter = guess_delimiter(lines)
    try:
        rows = [row for _, row in cut(lines[:5], delimiter)]
    except ValueError:
        return None
    roles = find_roles(rows[0]) if rows else None
    roles = roles or roles_without_header(rows)
    return None if roles is None else (delimiter, roles)


def read_triplets(path, missing=None):
    """Read a file with a sample, a feature and a value (by default 1) on each line.

    Counts of one pair are added; two ratings of one pair are an error.
    """
    lines = first_lines(path)
    delimiter, roles = find_triplets(lines) or _by_place(lines)
    rated = roles.rated if missing is None else missing == "unknown"
    if rated is None:
        raise ValueError(UNSURE)
    samples, features, values = Codes(), Codes(), array("d")
    wanted, width = max(roles.sample, roles.feature, roles.value or 0) + 1, None
    with open_lines(path) as file:
        for number, (line, row) in enumerate(cut(file, delimiter)):
            width = len(row) if width is None else width
            if len(row) < wanted or (len(row) > width and delimiter is not None):
                raise ValueError(f"line {line} has {len(row)} fields instead of {width}")
            cell = "1" if roles.value is None else row[roles.value]
            if number == 0 and _is_header(row, roles):
                continue
            if not is_number(cell):
                raise no_number(path, line, wanted, cell)
            samples.add(row[roles.sample])
            features.add(row[roles.feature])
            values.append(float(cell))
    if not values:
        raise ValueError("it has a header, but no rows")
    (rows, row_names), (columns, column_names) = samples.finish(), features.finish()
    shape = len(row_names), len(column_names)
    if rated:
        refuse_repeated(rows, columns, row_names, column_names)
    X = sp.coo_array((as_counts(np.array(values)), (rows, columns)), shape=shape)
    return Content(X, column_names, row_names, bool(roles.rated))


def _by_place(lines):
    """Return the delimiter and the `Roles` of columns that are told by their places."""
    delimiter = guess_delimiter(lines)
    width = max((len(row) for _, row in cut(lines[:1], delimiter)), default=0)
    if width < 2:
        raise ValueError("its lines have one field: a sample, a feature and a value are needed")
    return delimiter, Roles(0, 1, 2, None) if width > 2 else Roles(0, 1, None, False)


def _is_header(row, roles):
    if roles.value is not None:
        return not is_number(row[roles.value])
    return bool({name.strip().lower().replace("_", "") for name in row} & {*SAMPLES, *FEATURES})


class Codes:
    """Names as numbers, in the order in which they come."""

    def __init__(self):
        self._numbers, self._codes = {}, array("q")

    def add(self, name):
        """Add the next name."""
        self._codes.append(self._numbers.setdefault(name.strip(), len(self._numbers)))

    def finish(self):
        """Return numbers and names: names that are whole numbers are sorted, others are not."""
        names, codes = as_numbers(list(self._numbers)), np.array(self._codes)
        if not isinstance(names[0], int):
            return codes, names
        found = np.array(names)
        order = np.argsort(found)
        places = np.empty(len(order), np.int64)
        places[order] = np.arange(len(order))
        return places[codes], found[order].tolist()


def refuse_repeated(rows, columns, row_names, column_names):
    """Raise ValueError if a pair has two ratings."""
    order = np.lexsort((columns, rows))
    same = (np.diff(rows[order]) == 0) & (np.diff(columns[order]) == 0)
    if same.any():
        first = order[np.argmax(same)]
        raise ValueError(
            f"{row_names[rows[first]]} and {column_names[columns[first]]} have two ratings: keep "
            f'one of them, or add them up as counts with missing="zero" (--missing zero)'
        )
