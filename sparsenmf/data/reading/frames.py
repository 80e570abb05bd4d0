"""Matrices in parquet, feather and Excel files, read with pandas."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from ..archive import check_checksums
from ..compressed import plain_suffix
from .content import Content, plain_path
from .delimited import find_roles, is_index
from .numbering import numbers_rows
from .triplets import UNSURE, refuse_repeated

READERS = {".parquet": "read_parquet", ".feather": "read_feather", ".xlsx": "read_excel"}

EXTRAS = {".parquet": "parquet", ".feather": "parquet", ".xlsx": "excel"}


def read_frame_file(path, missing=None):
    """Read a table, or triplets, that pandas reads; a first column of texts has names."""
    suffix = plain_suffix(path)
    try:
        import pandas as pd

        with plain_path(path) as plain:
            if suffix == ".xlsx":
                with open(plain, "rb") as file:
                    check_checksums(file)
            frame = getattr(pd, READERS[suffix])(plain)
    except ImportError as error:
        raise ImportError(
            f'reading {suffix} needs pandas: pip install "sparsenmf[frames]", and another package: '
            f'pip install "sparsenmf[{EXTRAS[suffix]}]" ({error})'
        ) from error
    roles = find_roles(list(map(str, frame.columns)))
    if roles is not None:
        return _triplets(frame, roles, missing)
    first = frame.columns[0] if frame.shape[1] else ""
    title = ""
    if frame.shape[1] > 1 and _has_names(frame, str(first), path):
        title, frame = str(first), frame.set_index(first)
    numbered = type(frame.index).__name__ == "RangeIndex"
    names = [str(name) for name in frame.columns]
    return Content(frame, names, None if numbered else list(frame.index), row_title=title)


def _has_names(frame, title, path):
    """Return whether the first column of a frame has the names, or the numbers, of the rows."""
    kind = frame.dtypes.iloc[0].kind
    if kind not in "fbiu" or is_index(title):
        return True
    numbered = type(frame.index).__name__ == "RangeIndex"  # else the rows have names already
    return kind in "iu" and numbered and numbers_rows(title, frame.iloc[:, 0], path)


def _triplets(frame, roles, missing):
    import pandas as pd

    rated = roles.rated if missing is None else missing == "unknown"
    if rated is None:
        raise ValueError(UNSURE)
    (rows, row_names), (columns, column_names) = (
        pd.factorize(frame.iloc[:, j], sort=True) for j in (roles.sample, roles.feature)
    )
    values = np.ones(len(frame))
    if roles.value is not None:
        values = frame.iloc[:, roles.value].to_numpy(np.float64)
    shape = len(row_names), len(column_names)
    if min(rows.min(initial=0), columns.min(initial=0)) < 0:
        raise ValueError("a row has no sample or no feature")
    if rated:
        refuse_repeated(rows, columns, row_names, column_names)
    X = sp.coo_array((values, (rows, columns)), shape=shape)
    return Content(X, list(column_names), list(row_names), bool(roles.rated))
