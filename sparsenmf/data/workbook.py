"""Tables as sheets of Excel, with openpyxl (extra ``excel``)."""

import math
import re

MOST_ROWS, MOST_COLUMNS, MOST_CHARACTERS = 2**20, 2**14, 2**15 - 1
"""What a sheet holds, the row with the names included, and what a cell holds."""

EXACT = 2**53  # Excel computes with float64: whole numbers beyond this one would be rounded

UNWRITABLE = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What XML, and so a cell, cannot hold."""

INSTEAD = "write .csv or .parquet"


def import_openpyxl():
    """Return openpyxl, or raise an ImportError that names the extra."""
    try:
        import openpyxl
    except ImportError as error:
        raise ImportError('writing .xlsx needs openpyxl: pip install "sparsenmf[excel]"') from error
    return openpyxl


def write_workbook(file, columns):
    """Write a table to an open binary file as a workbook of one sheet.

    Parameters
    ----------
    file : binary file
    columns : dict of str -> sequence
        All of one length; cells as in `write_table`.

    Raises
    ------
    ValueError
        If there are more rows, columns or characters in a cell than Excel has room for.
    """
    openpyxl = import_openpyxl()
    _check_room(columns)
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Sheet1")
    sheet.freeze_panes = "A2"  # the names stay in sight
    sheet.append([_cell(openpyxl, sheet, name) for name in columns])
    for row in zip(*columns.values(), strict=True):
        sheet.append([_cell(openpyxl, sheet, value) for value in row])
    book.save(file)


def _check_room(columns):
    """Raise ValueError if Excel has no room for a table; openpyxl would cut long texts."""
    n_rows = max(map(len, columns.values()), default=0) + 1
    if n_rows > MOST_ROWS or len(columns) > MOST_COLUMNS:
        raise ValueError(
            f"the table has {n_rows:,} rows and {len(columns):,} columns, but a sheet of Excel has "
            f"room for {MOST_ROWS:,} and {MOST_COLUMNS:,}: {INSTEAD}"
        )
    for name, column in columns.items():
        for value in column:
            if isinstance(value, str | list) and len(_plain(value)) > MOST_CHARACTERS:
                raise ValueError(
                    f"column {name!r} has a text of {len(_plain(value)):,} characters, but a cell "
                    f"of Excel has room for {MOST_CHARACTERS:,}: {INSTEAD}"
                )


def _cell(openpyxl, sheet, value):
    """Return a value as what openpyxl writes: a number, a text that is no formula, or None."""
    value = _plain(value)
    if not isinstance(value, str):
        return value
    cell = openpyxl.cell.WriteOnlyCell(sheet, UNWRITABLE.sub("\ufffd", value))
    cell.data_type = "s"  # also of "=1+1" and "#N/A"
    return cell


def _plain(value):
    """Return a cell of a table as a bool, int, float, str or None."""
    if isinstance(value, list):
        return "; ".join(value)
    if hasattr(value, "dtype") and hasattr(value, "item"):  # float32 by its digits, as in csv
        value = float(str(value)) if value.dtype.kind == "f" else value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    if isinstance(value, bool | float) or value is None:
        return value
    return value if isinstance(value, int) and abs(value) <= EXACT else str(value)
