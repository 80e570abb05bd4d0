"""Tables of numbers: what is a header, what are names, and what is neither."""

import numpy as np
import pytest

from sparsenmf import read_matrix

VALUES = [[2, 0], [0, 1], [3, 4]]

AB, XYZ = ["a", "b"], ["x", "y", "z"]

# name: (text, names of features, names of samples)
TABLES = {
    "corner": (",a,b\nx,2,0\ny,0,1\nz,3,4\n", AB, XYZ),
    "titled": ("gene,a,b\nx,2,0\ny,0,1\nz,3,4\n", AB, XYZ),
    "numbered rows": ("id,a,b\n7,2,0\n8,0,1\n5,3,4\n", AB, [7, 8, 5]),
    "camel": ("userId,a,b\n7,2,0\n8,0,1\n5,3,4\n", AB, [7, 8, 5]),
    "numbers above": ("id,10,11\n7,2,0\n8,0,1\n5,3,4\n", ["10", "11"], [7, 8, 5]),
    "made by pandas": (",0,1\n0,2,0\n1,0,1\n2,3,4\n", None, None),
    "no rows": ("a,b\n2,0\n0,1\n3,4\n", AB, None),
    "no header": ("2,0\n0,1\n3,4\n", None, None),
    "only rows": ("x,2,0\ny,0,1\nz,3,4\n", None, XYZ),
    "semicolons": ("n;a;b\nx;2;0\ny;0;1\nz;3;4\n", AB, XYZ),
    "tabs": ("n\ta\tb\nx\t2\t0\ny\t0\t1\nz\t3\t4\n", AB, XYZ),
    "bars": ("n|a|b\nx|2|0\ny|0|1\nz|3|4\n", AB, XYZ),
    "R": ('"a" "b"\n"x" 2 0\n"y" 0 1\n"z" 3 4\n', AB, XYZ),
    "R, commas": ('"a","b"\n"x",2,0\n"y",0,1\n"z",3,4\n', AB, XYZ),
    "blanks": ("n   a b\nx   2 0\ny   0 1\nz 3   4\n", AB, XYZ),
    "floats": ("2.0,0e0\n-0.0,1.\n3,+4\n", None, None),
    "quoted": ('n,"a, or",b\n"x ""1""",2,0\n"y\nq",0,1\nz,3,4\n', ["a, or", "b"],
               ['x "1"', "y\nq", "z"]),
    "BIOM": ("# from biom file\n#OTU ID\ta\tb\nx\t2\t0\ny\t0\t1\nz\t3\t4\n", AB, XYZ),
    "remarks": ("# one\n# two, three\nn,a,b\nx,2,0\ny,0,1\nz,3,4\n", AB, XYZ),
    "blank lines": ("\nn,a,b\n\nx,2,0\ny,0,1\n\nz,3,4\n\n", AB, XYZ),
    "mark": ("\ufeffa,b\n2,0\n0,1\n3,4\n", AB, None),
    "no last line end": ("n,a,b\nx,2,0\ny,0,1\nz,3,4", AB, XYZ),
    "twice": ("n,a,a\nx,2,0\nx,0,1\nz,3,4\n", ["a", "a"], ["x", "x", "z"]),
}  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("suffix", [".csv", ".txt", ".TSV"])
@pytest.mark.parametrize("case", TABLES)
def test_table_is_read(case, suffix, encoding, tmp_path):
    text, features, samples = TABLES[case]
    text = text if encoding == "utf-8" else text.lstrip("\ufeff")  # has one of its own
    path = tmp_path / f"X{suffix}"
    path.write_bytes(text.encode(encoding))
    form = "table" if case == "numbered rows" else None
    found = read_matrix(path, format=form)
    np.testing.assert_array_equal(found.toarray(), VALUES)
    names = (getattr(found, name, None) for name in ("feature_names", "sample_names"))
    assert [None if x is None else x.tolist() for x in names] == [features, samples]


REFUSED = {
    "short row": ("n,a,b\nx,1,2\ny,1\n", r"line 3 has 2 fields instead of 3"),
    "long row": ("n,a,b\nx,1,2\ny,1,2,3\n", r"line 3 has 4 fields instead of 3"),
    "decimal comma": ("n;a;b\nx;1,5;2\n", "'1,5' in column 'a', not a number: write .* as 1000.5"),
    "thousands": ("n;a;b\nx;1_000;2\n", "'1_000' in column 'a', not a number"),
    "empty cell": ("n,a,b\nx,1,\n", "line 2 has '' in column 'b'.*--missing unknown"),
    "NA": ("n,a,b\nx,1,2\ny,NA,2\n", "line 3 has 'NA' in column 'a'.*--missing unknown"),
    "label": ("n,a,b\nx,1,good\n", "'good' in column 'b', not a number: leave the column out"),
    "two names": ("id,name,a\nx,u,1\n", "'u' in column 'name', not a number: leave"),
    "negative": ("n,a,b\nx,1,-2\n", "negative value .* at row 0, column 1"),
    "infinite": ("n,a,b\nx,1,inf\n", "at row 0, column 1"),
    "header alone": ("n,a,b\n", "no rows"),
    "empty": ("", "it is empty"),
    "blank": ("\n \n", "it is empty"),
    "latin-1": ("n,größe,b\nx,1,2\n".encode("latin-1"), "not UTF-8 .byte 0xf6.* iconv"),
    "binary": (b"\0\1\2" * 99, "it is a binary file"),
    "quotation mark": ('n,a,b\nx,1,2\n"y,1,2\nz,1,2\n', "not paired|no rows of numbers"),
    "three numbers": ("1,10,4\n2,20,5\n", "three columns of numbers: .*--input-format triplets"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_malformed_tables_are_refused_with_the_line(case, tmp_path):
    text, message = REFUSED[case]
    path = tmp_path / "X.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=message) as caught:
        read_matrix(path)
    assert str(caught.value).startswith(f"{path} is not a matrix that can be used: ")


TEXTS = {
    "column.csv": ("id,text\n1,stock market news\n2,cats\n", "topics .*column.csv --field text"),
    "label.csv": ('label,text\nneg,"dull film\nseen twice"\n', "topics .*label.csv --field text"),
    "first.tsv": ("body\tstars\nthe cat sat\t5\n", "topics .*first.tsv --field body"),
    "upper.CSV": ("label,text\nneg,dull film\n", "topics .*upper.CSV --field text"),
    "lines.txt": ("the cat sat on the mat\nstocks fell, again\n", "topics .*lines.txt"),
    "quotes.txt": ('he said "hi"\nand 5" more\n', "topics .*quotes.txt"),
    "my file.csv": ("id,text\n1,cats\n", "topics '.*my file.csv' --field text"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts_are_refused_with_the_command_for_them(name, tmp_path):
    text, message = TEXTS[name]
    (tmp_path / name).write_text(text)
    if name == "first.tsv":  # its first column could be names of rows
        found = read_matrix(tmp_path / name)
        assert found.feature_names.tolist() == ["stars"]
        return
    with pytest.raises(ValueError, match=f"sparsenmf {message}"):
        read_matrix(tmp_path / name)


def test_empty_cells_may_be_unknown(tmp_path):
    path = tmp_path / "X.csv"
    path.write_text("n,a,b,c\nx,0,,3\ny,NA,2,\n")
    found = read_matrix(path, missing="unknown")
    assert found.nnz == 3  # the zero is known
    assert found.indices.tolist() == [0, 2, 1]
    assert found.data.tolist() == [0, 3, 2]


def test_only_the_entries_are_kept(tmp_path, monkeypatch):
    """A table of zeros takes no room for them."""
    path = tmp_path / "X.csv"
    path.write_text("0,0,1\n" * 50)
    monkeypatch.setattr(np, "vstack", None)
    found = read_matrix(path, format="table")
    assert found.nnz == 50


@pytest.mark.parametrize("hint", ["sep=;", '"sep=;"', "SEP=;", "sep=\\t", "sep="])
@pytest.mark.parametrize("header", ["id;a;b", "user;item;rating"])
def test_a_line_for_excel_is_named(hint, header, tmp_path):
    hint = hint.replace("\\t", "\t")
    (tmp_path / "X.csv").write_text(f"{hint}\n{header}\n1;1;2\n2;3;4\n")
    with pytest.raises(ValueError, match=r"its first line, .*, is for Excel alone: take it out"):
        read_matrix(tmp_path / "X.csv")
