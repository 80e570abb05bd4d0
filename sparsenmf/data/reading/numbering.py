"""First columns that number the rows, under a name that need not say so."""

from __future__ import annotations

import re
import warnings

import numpy as np

from .delimited import FEATURES, SAMPLES

LEAST = 5  # rows: fewer counts may be consecutive by chance

OF_ROWS = {*SAMPLES, *FEATURES, "idx", "no", "nr", "num", "number", "rownumber", "rownames",
           "line", "obs", "observation", "case", "record", "patient", "subject"}  # fmt: skip
"""What people call a column that numbers the rows, without case, underscores and a plural's s."""


def numbers_rows(title, values, place):
    """Return whether the first column of a table numbers the rows, and is no feature.

    It does if its numbers are consecutive and its name is that of samples or features. Under
    another name, such as "day", it is taken for a feature, and a warning says so.

    Parameters
    ----------
    title : str or None
        None if the table has no header.
    values : array-like of shape (n_rows,)
        Its numbers; NaN where one is missing.
    place : path-like
        The file, for the warning.
    """
    values = np.asarray(values, np.float64)
    if len(values) < LEAST or not (np.diff(values) == 1).all() or values[0] != np.rint(values[0]):
        return False
    plain = re.sub("[^a-z]", "", (title or "").lower())
    if plain and ({plain, plain.removesuffix("s")} & OF_ROWS):
        return True
    called = "without a name" if title is None else repr(title)
    warnings.warn(
        f"{place}: the first column, {called}, has the numbers from {values[0]:.0f} to "
        f"{values[-1]:.0f}, and is taken for a feature: if it numbers the rows, call it 'index'",
        stacklevel=2,
    )
    return False
