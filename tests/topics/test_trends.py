"""Topics by group and by time, compared with loops."""

import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsenmf import topics_over

from .test_quality import make_model, random_model


def naive(model, groups, names, values):
    rows = []
    for name in names:
        total = np.zeros(model.n_components)
        for i, group in enumerate(groups):
            if group == name:
                row = model.W[i] * model.H.sum(axis=1)
                if values == "documents":
                    row = (np.arange(len(row)) == row.argmax()) * (row.any())
                total += row
        if values == "share" and total.sum():
            total = total / total.sum()
        rows.append(total)
    return np.array(rows)


@given(st.integers(0, 10**6), st.sampled_from(["share", "total", "documents"]))
def test_table_is_that_of_the_definition(seed, values):
    model = random_model(seed, n=15)
    groups = np.random.default_rng(seed).choice(["b", "a", "c"], 15).tolist()
    table = topics_over(model, groups, values=values)
    assert table["group"] == sorted(set(groups))
    assert table["documents"] == [groups.count(name) for name in table["group"]]
    found = np.column_stack([table[f"topic_{r}"] for r in range(1, 5)])
    np.testing.assert_allclose(found, naive(model, groups, table["group"], values), atol=1e-12)


DATES = ["2023-11-30", "2024-02-01T10:30", "2024-02-29", "2023-11-01"]
ZONES = ["Z", "+13:00", "", "-0500"]
MODEL = make_model([[1, 0], [0, 1], [1, 1], [0, 0]], [[1, 0], [0, 2]])


def pandas_dates(**zone):
    pd = pytest.importorskip("pandas")
    column = pd.Series(pd.to_datetime(DATES, format="ISO8601"), index=list("wxyz"))
    return column.dt.tz_localize("Pacific/Auckland") if zone else column


@pytest.mark.parametrize(
    "make",
    [
        lambda: DATES,
        lambda: np.array(DATES, dtype="datetime64[m]"),
        lambda: np.array(DATES, dtype="datetime64[ns]"),
        lambda: [datetime.datetime.fromisoformat(date) for date in DATES],
        lambda: [datetime.date.fromisoformat(date[:10]) for date in DATES],
        lambda: [datetime.datetime.fromisoformat(f"{date[:10]}T23:30+13:00") for date in DATES],
        lambda: [f"{date[:10]}T23:30{zone}" for date, zone in zip(DATES, ZONES, strict=True)],
        pandas_dates,
        lambda: pandas_dates(zone=True),
        lambda: list(pandas_dates()),
        lambda: pandas_dates().astype(object),
    ],
)
def test_dates_of_all_kinds_are_put_into_months(make):
    table = topics_over(MODEL, make(), bin="month", values="total")
    assert table == {
        "group": ["2023-11", "2023-12", "2024-01", "2024-02"],
        "documents": [2, 0, 0, 2],
        "topic_1": [1, 0, 0, 1],
        "topic_2": [0, 0, 0, 4],
    }


@pytest.mark.parametrize(
    ("bin", "groups"),
    [("year", ["2023", "2024"]), ("week", 18), ("day", 121), ("hour", 121 * 24 - 24 + 1)],
)
def test_bins_of_all_sizes(bin, groups):
    table = topics_over(MODEL, DATES, bin=bin)
    if isinstance(groups, list):
        assert table["group"] == groups
    else:
        assert len(table["group"]) == groups
    assert sum(table["documents"]) == 4
    empty = table["documents"].index(0) if 0 in table["documents"] else None
    assert empty is None or table["topic_1"][empty] == 0


def test_weeks_are_those_of_the_calendar():
    days = [datetime.date(2023, 12, 25) + datetime.timedelta(i) for i in range(15)]
    model = make_model(np.ones((15, 1)), [[1.0]])
    table = topics_over(model, days, bin="week")
    assert table["documents"] == [7, 7, 1]
    for name, day in zip(table["group"], (days[0], days[7], days[14]), strict=True):
        assert datetime.date.fromisoformat(name) == day
        assert day.isoweekday() == 1


def test_missing_groups_are_a_last_one():
    table = topics_over(MODEL, ["b", None, "a", float("nan")])
    assert table["group"] == ["a", "b", None]
    assert table["documents"] == [1, 1, 2]
    dates = [DATES[0], None, np.datetime64("NaT"), DATES[3]]
    assert topics_over(MODEL, dates, bin="year")["group"] == ["2023", None]
    assert topics_over(MODEL, [None] * 4, bin="year")["documents"] == [4]
    pd = pytest.importorskip("pandas")
    column = pd.to_datetime(pd.Series([DATES[0], None, None, DATES[3]]))
    assert topics_over(MODEL, column, bin="year")["documents"] == [2, 2]
    assert topics_over(MODEL, pd.Series([1, pd.NA, 0, 1], dtype="Int64"))["group"] == [0, 1, None]


def test_groups_that_cannot_be_sorted_keep_their_order():
    assert topics_over(MODEL, ["b", 3, "a", 3])["group"] == ["b", 3, "a"]
    assert topics_over(MODEL, np.array([3, 1, 3, 2]))["group"] == [1, 2, 3]


@pytest.mark.parametrize(
    ("groups", "options", "error", "message"),
    [
        (["a"], {}, ValueError, "groups has 1 names, but W has 4 rows"),
        ("abcd", {}, TypeError, "groups must be a sequence"),
        (DATES, {"bin": "decade"}, ValueError, "bin must be one of 'year'"),
        (DATES, {"values": "mean"}, ValueError, "values must be one of 'share'"),
        (["x"] * 4, {"bin": "year"}, ValueError, r"groups\[0\] is not a date: 'x'"),
        ([2020] * 4, {"bin": "year"}, TypeError, r"groups\[0\] must be a date .* not 2020"),
        (np.arange(4.0), {"bin": "year"}, TypeError, r"groups\[0\] must be a date"),
    ],
)
def test_bad_groups_are_refused(groups, options, error, message):
    with pytest.raises(error, match=message):
        topics_over(MODEL, groups, **options)
