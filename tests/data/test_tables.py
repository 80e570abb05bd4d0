"""Tables as sheets of Excel; other formats are tested beside the readers of files."""

import os
import sys

import numpy as np
import pytest

from sparsenmf.data import workbook
from sparsenmf.data.tables import check_writable, write_factor, write_table

from .test_files import TABLE


def read(path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.load_workbook(path)
    assert len(book.worksheets) == 1
    return [[cell.value for cell in row] for row in book.active.iter_rows()]


@pytest.mark.parametrize("name", ["table.xlsx", "TABLE.XLSX"])
def test_a_sheet_has_the_cells_of_the_table(name, tmp_path):
    pytest.importorskip("openpyxl")
    write_table(tmp_path / name, TABLE)
    assert read(tmp_path / name) == [
        list(TABLE),
        [1, 0.1, 'a "b", c', "x; y", None],
        [2, 1e-9, "naïve\n鯨", None, 3],
    ]
    assert os.listdir(tmp_path) == [name]
    write_table(tmp_path / name, {"empty": []})
    assert read(tmp_path / name) == [["empty"]]


HOSTILE = ["=1+1", '=HYPERLINK("a")', "+1", "@SUM(A1)", "#N/A", "#DIV/0!", "007", "1e5", "TRUE"]


def test_texts_stay_texts(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    write_table(tmp_path / "t.xlsx", {"=name": HOSTILE})
    sheet = openpyxl.load_workbook(tmp_path / "t.xlsx").active
    cells = [row[0] for row in sheet.iter_rows()]
    assert [cell.value for cell in cells] == ["=name", *HOSTILE]
    assert {cell.data_type for cell in cells} == {"s"}
    write_table(tmp_path / "t.xlsx", {"a": ["x\0y", "\x1b[31m", "\ud800", "\uffff", "tab\t"]})
    found = [row[0] for row in read(tmp_path / "t.xlsx")[1:]]
    assert found == ["x\ufffdy", "\ufffd[31m", "\ufffd", "\ufffd", "tab\t"]


def test_numbers_are_what_they_were(tmp_path):
    pytest.importorskip("openpyxl")
    numbers = [2**53, 2**53 + 1, -(2**60), np.int64(7), np.float32(0.1), np.float64(1) / 3, True]
    odd = [np.nan, float("inf"), np.float32(-np.inf), None, np.bool_(False)]
    write_table(tmp_path / "t.xlsx", {"a": [*numbers, *odd]})
    found = [row[0] for row in read(tmp_path / "t.xlsx")[1:]]
    # Excel computes in float64: what it would round is a text.
    assert found[:7] == [2**53, str(2**53 + 1), str(-(2**60)), 7, 0.1, 1 / 3, True]
    assert found[7:] == [None, "inf", "-inf", None, False]


def test_a_factor_is_a_sheet(tmp_path, rng):
    pytest.importorskip("openpyxl")
    W = rng.random((5, 3)).astype(np.float32)
    write_factor(tmp_path / "W.xlsx", W)
    head, *rows = read(tmp_path / "W.xlsx")
    assert head == ["topic_1", "topic_2", "topic_3"]
    np.testing.assert_array_equal(np.array(rows, np.float32), W)


@pytest.mark.filterwarnings("error")
def test_tables_too_large_for_excel_are_refused(tmp_path, monkeypatch):
    pytest.importorskip("openpyxl")
    with pytest.raises(ValueError, match=r"column 'a' has a text of 32,768 .* write .csv"):
        write_table(tmp_path / "t.xlsx", {"a": ["x", "y" * 32768]})
    with pytest.raises(ValueError, match=r"column 'a' has a text of 32,768 .* write .csv"):
        write_table(tmp_path / "t.xlsx", {"a": [["y" * 32765, "z"]]})
    with pytest.raises(ValueError, match=r"1,048,577 rows and 1 columns, .* write .csv"):
        write_table(tmp_path / "t.xlsx", {"a": range(2**20)})
    with pytest.raises(ValueError, match=r"2 rows and 16,385 columns"):
        write_table(tmp_path / "t.xlsx", {str(i): [1] for i in range(2**14 + 1)})
    assert os.listdir(tmp_path) == []
    write_table(tmp_path / "t.xlsx", {"a": ["y" * 32767]})
    assert read(tmp_path / "t.xlsx")[1] == ["y" * 32767]
    monkeypatch.setattr(workbook, "MOST_ROWS", 3)
    write_table(tmp_path / "t.xlsx", {"a": [1, 2]})
    with pytest.raises(ValueError, match="4 rows"):
        write_table(tmp_path / "t.xlsx", {"a": [1, 2, 3]})
    assert len(read(tmp_path / "t.xlsx")) == 3  # the old one


def test_missing_openpyxl_is_named_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    for write in (check_writable, lambda path: write_table(path, TABLE)):
        with pytest.raises(ImportError, match=r'pip install "sparsenmf\[excel\]"'):
            write(tmp_path / "table.xlsx")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".CSV"])
def test_excel_knows_utf8_by_its_mark(suffix, tmp_path):
    path = tmp_path / f"t{suffix}"
    write_table(path, TABLE)
    plain = path.read_bytes()
    write_table(path, TABLE, excel=True)
    assert path.read_bytes() == b"\xef\xbb\xbf" + plain
    assert not plain.startswith(b"\xef\xbb\xbf")
    with pytest.raises(TypeError, match="excel must be True or False"):
        write_table(path, TABLE, excel=1)
