"""Tables with delimiters (.csv, .tsv) as records, read strictly: no row is guessed."""

from __future__ import annotations

import csv
import warnings

from .decoding import first_line

LONGEST_FIELD = 2**31 - 1  # the csv module's own limit is 131,072 characters

DELIMITERS = (",", ";", "\t", "|")

NAMED = {"tab": "\t", "\\t": "\t"}  # as one can type it in a shell

ALIKE = 3  # lines of a quoted text that look like rows, from which on it is doubted


def check_delimiter(delimiter):
    """Return a delimiter as one character, or None.

    Raises
    ------
    ValueError
        If it is none.
    """
    delimiter = NAMED.get(delimiter, delimiter)
    if delimiter is None or (
        isinstance(delimiter, str) and len(delimiter) == 1 and delimiter not in '\r\n"\0'
    ):
        return delimiter
    raise ValueError(f'delimiter must be one character, such as "," or "tab", not {delimiter!r}')


def read_delimited(lines, name, fields, delimiter=None, *, quotes=True, default=","):
    """Yield the place and the record, a dict, of each row of a table with a header.

    Parameters
    ----------
    lines : iterator of str
    name : str
        The name of the file, for errors.
    fields : list of str or None
        Columns that are needed. None is one that has not been said, an error that lists them all.
    delimiter : str, optional
        By default it is guessed from the header: the one with which the fields are columns.
    quotes : bool, default True
        Whether quotation marks enclose texts that have the delimiter or line breaks in them. If
        not, they are characters as others are.
    default : str
        The delimiter if the header leaves it open.

    Raises
    ------
    ValueError
        If a field is no column, a row has more or fewer fields than the header, or a quotation
        mark has no other; the message has the number of the line.
    """
    first, lines = first_line(lines)
    if delimiter is None:
        delimiter = guess_delimiter(first, fields, default, quotes=quotes)
    limit = csv.field_size_limit(LONGEST_FIELD)
    try:
        rows = _rows(lines, name, _style(delimiter, quotes))
        _, header = next(rows, (1, []))
        header = [column.strip() for column in header]
        check_columns(header, fields, name)
        for line, row in rows:
            if len(row) != len(header):
                raise ValueError(
                    f"{name}, line {line}, has {len(row)} fields, but the header has "
                    f"{len(header)}: put texts that have {delimiter!r} or a line break in them in "
                    f"quotation marks, or pass another delimiter= (--delimiter)"
                )
            _doubt(row, len(header), delimiter, f"{name}, line {line}")
            yield f"{name}, line {line}", dict(zip(header, row, strict=True))
    finally:
        csv.field_size_limit(limit)


def guess_delimiter(header, fields, default=",", *, quotes=True):
    """Return the delimiter that makes all fields columns of a header, of the most columns."""

    def fits(delimiter):
        try:
            columns = next(csv.reader([header], **_style(delimiter, quotes)), [])
        except csv.Error:  # a quotation mark within a column
            return (-1,)
        columns = [column.strip() for column in columns]
        return sum(field in columns for field in fields), len(columns), delimiter == default

    return max((default, *DELIMITERS), key=fits)


def check_columns(columns, fields, name):
    """Raise ValueError unless each field is one of the columns, and only one; None is not given."""
    listed = ", ".join(map(repr, columns)) or "empty"
    for field in fields:
        n = list(columns).count(field)
        if field is None:
            raise ValueError(
                f"{name} needs a field (--field), the name of the column of its texts: its header "
                f"is {listed}"
            )
        if n != 1:
            how = "no column" if n == 0 else f"{n} columns"
            raise ValueError(f"{name} has {how} {field!r}: its header is {listed}")


def _style(delimiter, quotes):
    quoting = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    return {"delimiter": delimiter, "quoting": quoting, "strict": True}


def _rows(lines, name, style):
    """Yield the number of the first line, and the fields, of each row that is not blank."""
    reader = csv.reader(lines, **style)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            last = reader.line_num
            raise ValueError(
                f"{name}, line {line}: a quotation mark is not paired (seen in line {last}: "
                f"{error}); double it within a quoted text, or pass quotes=False (--no-quotes) if "
                f"quotation marks are only characters"
            ) from error
        if len(row) > 1 or (row and row[0].strip()):
            yield line, row


def _doubt(row, n_columns, delimiter, place):
    """Warn of a quoted text that seems to have swallowed rows."""
    for text in row:
        inner = text.split("\n")[1:-1] if "\n" in text else ()
        alike = all(line.count(delimiter) == n_columns - 1 for line in inner)
        if alike and len(inner) >= ALIKE and n_columns > 1:
            warnings.warn(
                f"{place}: a quoted text of {len(inner) + 2} lines, each of which looks like a "
                f"row; "
                f"if it is not one text, a quotation mark is missing, or pass quotes=False "
                f"(--no-quotes)",
                stacklevel=2,
            )
