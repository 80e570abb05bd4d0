"""Topics by time, or by any other group of documents."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..data.arguments import check_choice
from ..data.names import check_labels, component_names
from ..data.typing import GroupValues, Names, Period
from ..models.factorization import Factorization
from .agreement import encode
from .tables import document_mass

BINS = {"year": "Y", "month": "M", "week": "W", "day": "D", "hour": "h"}
ZONE = re.compile(r"(T.*\d)(Z|[+-]\d\d:?\d\d)$")
"""The time zone at the end of a date with a time."""

VALUES = ("share", "total", "documents")


def topics_over(
    model: Factorization,
    groups: Names,
    *,
    bin: Period | None = None,
    values: GroupValues = "share",
) -> dict[str, list[Any]]:
    """Return a table of how much of each topic is in each group of documents.

    Parameters
    ----------
    model : Factorization
    groups : sequence of n_samples labels or dates
        The group of each document: a list, an array or a pandas column of years, classes,
        authors, dates, ...
    bin : {"year", "month", "week", "day", "hour"}, optional
        The period that makes a group, if groups are dates (datetime64, datetime, date, pandas
        timestamps, or ISO 8601 strings). A week is named by its Monday. A date with a time zone
        keeps its local time.
    values : {"share", "total", "documents"}, default "share"
        "share": the topic's share of the group's sum of W H. "total": the topic's part of this
        sum. "documents": the number of documents of the group whose strongest topic it is.

    Returns
    -------
    dict of str -> list
        Columns "group", "documents" (their number in the group) and "topic_1", "topic_2", ...,
        with a row for each group. Groups are sorted if they can be compared. With a bin, groups
        are strings such as "2024-03", and periods without documents have rows, too. Documents
        whose group is missing (None, NaN, NaT) form a last group, None.

    Raises
    ------
    TypeError, ValueError
        If there are not n_samples groups, or if there is a bin and a group is not a date.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsenmf import factorize, topics_over
    >>> X = np.array([[2.0, 1, 0, 0], [2, 1, 0, 0], [0, 0, 1, 1]])
    >>> model = factorize(X, 2, random_state=0)
    >>> dates = ["2023-12-31", "2024-02-01", "2024-02-29"]
    >>> table = topics_over(model, dates, bin="month", values="documents")
    >>> table["group"], table["topic_1"], table["topic_2"]
    (['2023-12', '2024-01', '2024-02'], [1, 0, 1], [0, 0, 1])
    """
    check_choice(values, "values", VALUES)
    listed = check_labels(groups, model.n_samples, "groups")
    codes, names = _sorted_groups(listed) if bin is None else _bins(groups, bin)
    if (codes < 0).any():
        codes, names = np.where(codes < 0, len(names), codes), [*names, None]
    sums = _sums(document_mass(model), codes, len(names), values)
    counts = np.bincount(codes, minlength=len(names))
    topics = dict(zip(component_names(model.n_components), sums.T.tolist(), strict=True))
    return {"group": names, "documents": counts.tolist(), **topics}


def _sums(mass, codes, n_groups, values):
    """Return the table of groups x topics."""
    if values == "documents":
        counts = np.zeros((n_groups, mass.shape[1]), dtype=int)
        some = mass.any(axis=1)
        np.add.at(counts, (codes[some], mass[some].argmax(axis=1)), 1)
        return counts
    columns = [np.bincount(codes, weights, minlength=n_groups) for weights in mass.T]
    sums = np.column_stack(columns)
    if values == "total":
        return sums
    totals = sums.sum(axis=1, keepdims=True)
    return np.divide(sums, totals, out=np.zeros_like(sums), where=totals > 0)


def _sorted_groups(groups):
    """Return the code of each document's group, -1 if it is missing, and the sorted groups."""
    codes, names = encode(groups)
    try:
        order = sorted(range(len(names)), key=names.__getitem__)
    except TypeError:  # groups of different types stay in their order
        return codes, names
    ranks = np.empty(len(names) + 1, dtype=np.int64)
    ranks[order], ranks[-1] = np.arange(len(names)), -1
    return ranks[codes], [names[i] for i in order]


def _bins(groups, bin):
    """Return codes and groups of dates, with every bin from the first to the last."""
    check_choice(bin, "bin", tuple(BINS))
    unit = BINS[bin]
    dates = _dates(groups)
    if bin == "week":  # NumPy's weeks begin on Thursday
        dates = dates + np.timedelta64(3, "D")
    dates = dates.astype(f"datetime64[{unit}]")
    known = ~np.isnat(dates)
    if not known.any():
        return np.full(len(dates), -1), []
    first, last = dates[known].min(), dates[known].max()
    codes = np.where(known, (dates - first).astype(np.int64), -1)
    bins = np.arange(first, last + 1)
    if bin == "week":
        bins = bins.astype("datetime64[D]") - np.timedelta64(3, "D")
    return codes, np.datetime_as_string(bins).tolist()


def _dates(groups):
    if getattr(getattr(groups, "dt", None), "tz", None) is not None:  # a pandas column
        groups = groups.dt.tz_localize(None)
    dates = np.asarray(groups)
    if dates.dtype.kind == "M":
        return dates.astype("datetime64[s]")
    # As an array of objects, so that NumPy does not take a number for seconds since 1970.
    objects = np.asarray(groups, dtype=object)
    return np.array([_date(value, i) for i, value in enumerate(objects)], "datetime64[s]")


def _date(value, place):
    if value is None or value != value or type(value).__name__ == "NAType":
        return np.datetime64("NaT")
    if getattr(value, "tzinfo", None) is not None:
        value = value.replace(tzinfo=None)
    if isinstance(value, int | float | np.number):
        raise TypeError(f"groups[{place}] must be a date if there is a bin, not {value!r}")
    if isinstance(value, str):
        value = ZONE.sub(r"\1", value)
    try:
        return np.datetime64(value, "s")
    except (TypeError, ValueError) as error:
        raise ValueError(f"groups[{place}] is not a date: {value!r} ({error})") from None
