"""Texts in parquet, feather and xlsx files."""

import datetime
import gzip
import sys

import pytest

from sparsenmf import read_texts

COLUMNS = {
    "id": [7, 8, 9],
    "text": ["plain", None, "größe, \n今天"],
    "when": [datetime.date(2024, 5, 1), None, datetime.date(2024, 5, 2)],
    "number": [1.5, 2.0, None],
}


def write_parquet(path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table(COLUMNS), path)


def write_feather(path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import feather

    feather.write_feather(pyarrow.table(COLUMNS), str(path), compression="uncompressed")


def write_xlsx(path):
    book = pytest.importorskip("openpyxl").Workbook()
    book.active.append([*COLUMNS])
    for row in zip(*COLUMNS.values(), strict=True):
        book.active.append(row)
    book.create_sheet("another").append(["text"])
    book.save(path)


WRITE = {
    ".parquet": write_parquet,
    ".pq": write_parquet,
    ".feather": write_feather,
    ".arrow": write_feather,
    ".xlsx": write_xlsx,
    ".XLSX": write_xlsx,
    ".PARQUET": write_parquet,
}


@pytest.mark.parametrize("suffix", WRITE)
@pytest.mark.parametrize("packed", [False, True])
def test_columns_are_read(suffix, packed, tmp_path):
    path = tmp_path / f"notes{suffix}"
    WRITE[suffix](path)
    if packed:
        data = gzip.compress(path.read_bytes())
        path = tmp_path / f"notes{suffix}.gz"
        path.write_bytes(data)
    expected = ["plain", "", "größe, \n今天"]
    assert read_texts(path, "text", "id") == (["7", "8", "9"], expected)
    assert read_texts(path, "text")[1] == expected
    assert [title[:10] for title in read_texts(path, "text", "when")[0]] == [
        *("2024-05-01", "", "2024-05-02"),
    ]
    assert read_texts(path, "number")[1][::2] == ["1.5", ""]


@pytest.mark.parametrize("suffix", [".parquet", ".feather", ".xlsx"])
def test_what_is_wrong_is_named(suffix, tmp_path):
    path = tmp_path / f"notes{suffix}"
    WRITE[suffix](path)
    with pytest.raises(ValueError, match=r"needs a field \(--field\).*'id', 'text', 'when'"):
        read_texts(path)
    with pytest.raises(ValueError, match="no column 'body': its header is 'id', 'text'"):
        read_texts(path, "body")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=rf"notes{suffix} is not a whole {suffix} file"):
        read_texts(path, "text")
    path.write_text("id,text\n")
    with pytest.raises(ValueError, match=rf"notes{suffix} is not a whole {suffix} file"):
        read_texts(path, "text")


@pytest.mark.parametrize(
    ("suffix", "package", "extra"),
    [
        (".parquet", "pyarrow", "parquet"),
        (".feather", "pyarrow", "parquet"),
        (".xlsx", "openpyxl", "excel"),
    ],
)
def test_missing_packages_are_named(suffix, package, extra, tmp_path, monkeypatch):
    path = tmp_path / f"notes{suffix}"
    path.write_bytes(b"")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf'{package}: pip install "sparsenmf\[{extra}\]"'):
        read_texts(path, "text")


def test_values_that_are_not_texts_are_refused(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"text": [["a"], ["b"]]}), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"a\.parquet, row 1: 'text' is not a text, but a list"):
        read_texts(tmp_path / "a.parquet", "text")
