"""Records with named fields, from JSON, parquet, feather and xlsx files."""

from __future__ import annotations

import datetime
import io
import json
import numbers

from .archive import check_checksums
from .compressed import compression_of, open_plain
from .damage import DAMAGE, describe_damage
from .decoding import first_line
from .delimited import check_columns
from .names import is_missing

COLUMNAR = (".parquet", ".pq", ".feather", ".arrow", ".xlsx")

PRINTED = (numbers.Number, datetime.date, datetime.time)
"""Types of values that are printed where a text is wanted."""


def read_json(lines, name):
    """Yield the place and the value of each line of JSON, or of each item of an array.

    Raises
    ------
    ValueError
        If it is not JSON; the message has the number of the line.
    """
    first, lines = first_line(lines)
    if first.lstrip().startswith("["):
        items = _parse("".join(lines), f"{name}, an array,")
        yield from ((f"{name}, item {i}", item) for i, item in enumerate(items, 1))
        return
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield f"{name}, line {number}", _parse(line, f"{name}, line {number}")


def _parse(text, place):
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{place} is not JSON: {error}; a file has one object on each line, or is an array"
        ) from error


def read_columnar(path, suffix, fields):
    """Yield the place and the record of each row of a parquet, feather or xlsx file.

    Raises
    ------
    ImportError
        Without pyarrow or openpyxl.
    ValueError
        If the file is damaged, or a field is no column.
    """
    if compression_of(path) is None:
        with open(path, "rb") as file:
            yield from _columnar(file, str(path), suffix, fields)
        return
    with open_plain(path) as file:
        whole = io.BytesIO(file.read())  # these formats are not read from front to back
    yield from _columnar(whole, str(path), suffix, fields)


def _columnar(file, name, suffix, fields):
    kind = suffix.removeprefix(".")
    read = {".xlsx": _xlsx, ".parquet": _parquet, ".pq": _parquet}.get(suffix, _feather)
    rows = read(file, name, fields)
    for number in range(1, 2**63):
        try:
            record = next(rows, None)
        except DAMAGE as error:  # of openpyxl, zipfile and pyarrow
            if str(error).startswith(name):
                raise
            how = describe_damage(error)
            raise ValueError(f"{name} is not a whole .{kind} file: {how}") from error
        if record is None:
            return
        yield f"{name}, row {number}", record


def _parquet(file, name, fields):
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError(
            'reading .parquet needs pyarrow: pip install "sparsenmf[parquet]"'
        ) from error
    table = parquet.ParquetFile(file)
    check_columns(table.schema_arrow.names, fields, name)
    for batch in table.iter_batches(columns=fields):
        yield from batch.to_pylist()


def _feather(file, name, fields):
    try:
        from pyarrow import feather
    except ImportError as error:
        raise ImportError(
            'reading .feather needs pyarrow: pip install "sparsenmf[parquet]"'
        ) from error
    table = feather.read_table(file, memory_map=False)
    check_columns(table.column_names, fields, name)
    for batch in table.select(fields).to_batches():
        yield from batch.to_pylist()


def _xlsx(file, name, fields):
    try:
        from openpyxl import load_workbook
    except ImportError as error:
        raise ImportError('reading .xlsx needs openpyxl: pip install "sparsenmf[excel]"') from error
    check_checksums(file)
    book = load_workbook(file, read_only=True, data_only=True)  # values, not formulas
    sheet = book.worksheets[0]
    sheet.reset_dimensions()  # what a file says about its size is often wrong
    rows = (row for row in sheet.iter_rows(values_only=True) if any(x is not None for x in row))
    header = [str("" if cell is None else cell).strip() for cell in next(rows, ())]
    check_columns(header, fields, name)
    places = [header.index(field) for field in fields]
    for row in rows:
        # A row ends with its last cell that is not empty.
        cells = [row[j] if j < len(row) else None for j in places]
        yield dict(zip(fields, cells, strict=True))


def value_of(record, field, place):
    """Return the field of a record as a text; a missing value is an empty one.

    Raises
    ------
    ValueError
        If the record has no such field, or the value is neither a text, a number nor a date.
    """
    if not isinstance(record, dict):
        raise ValueError(f"{place} is not an object with fields, but a {type(record).__name__}")
    if field not in record:
        listed = ", ".join(map(repr, record))
        raise ValueError(f"{place} has no {field!r}: it has {listed or 'nothing'}")
    value = record[field]
    if is_missing(value):
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, PRINTED):
        return str(value)
    raise ValueError(f"{place}: {field!r} is not a text, but a {type(value).__name__}")
