"""Matrices, vocabularies, texts and tables are read as they were written, or refused."""

import csv
import gzip
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp

from sparsenmf import read_matrix, read_vocabulary
from sparsenmf.data.files import (
    check_writable,
    write_factor,
    write_table,
    write_vocabulary,
)

from ..children import posix

MATRIX_SUFFIXES = (".npz", ".mtx", ".mtx.gz", ".npy", ".h5ad")

SUFFIXES = [suffix for suffix in MATRIX_SUFFIXES if suffix != ".h5ad"]


def save(path, X):
    name = path.name
    if name.endswith(".npz"):
        sp.save_npz(path, X)
    elif name.endswith(".npy"):
        np.save(path, X.toarray())
    elif name.endswith(".h5ad"):
        pytest.importorskip("anndata").AnnData(sp.csr_matrix(X)).write_h5ad(path)
    else:
        with (gzip.open if name.endswith(".gz") else open)(path, "wb") as file:
            scipy.io.mmwrite(file, X)


@pytest.mark.parametrize("suffix", MATRIX_SUFFIXES)
@pytest.mark.parametrize("kind", ["f4", "f8", "i8"])
def test_matrix_is_read_as_it_was_written(suffix, kind, tmp_path):
    X = sp.random_array((40, 30), density=0.2, rng=0) * 100
    X = sp.csc_array(X.astype(kind))
    path = tmp_path / f"X{suffix}"
    save(path, X)
    found = read_matrix(str(path))
    assert isinstance(found, sp.csr_array)
    # MatrixMarket keeps the digits of a float, but not its type.
    text = suffix.startswith(".mtx") and kind[0] == "f"
    assert found.dtype == (np.float64 if text or kind == "f8" else np.float32)
    np.testing.assert_allclose(found.toarray(), X.toarray(), rtol=1e-7 if text else 0)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_cut_matrix_is_refused_by_name(suffix, tmp_path):
    path = tmp_path / f"X{suffix}"
    save(path, sp.random_array((40, 30), density=0.2, rng=0))
    whole = path.read_bytes()
    assert read_matrix(path).shape == (40, 30)
    # A text that is cut within its last digits looks complete.
    end = len(whole) - (40 if suffix == ".mtx" else 1)
    for length in range(0, end, 61):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"X\..* is not a matrix that can be used"):
            read_matrix(path)


@posix
@pytest.mark.parametrize("damage", [b"2 2 1.5E", b"2 2 1-", b"2 2 1\x002\n", b"2 2 \x00", b"2 2 "])
def test_damaged_text_does_not_crash_the_process(damage, tmp_path):
    """The first three end the process in scipy's own reader."""
    path = tmp_path / "X.mtx"
    path.write_bytes(b"%%MatrixMarket matrix coordinate real general\n2 2 2\n1 1 1.0\n" + damage)
    code = "import sys, sparsenmf; sparsenmf.read_matrix(sys.argv[1])"
    process = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert process.returncode == 1
    assert "X.mtx is not a matrix that can be used" in process.stderr.splitlines()[-1]


def test_cut_h5ad_is_refused_by_name(tmp_path):
    path = tmp_path / "X.h5ad"
    save(path, sp.random_array((40, 30), density=0.2, rng=0))
    whole = path.read_bytes()
    for length in range(0, len(whole), len(whole) // 5):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"X\.h5ad is not a matrix that can be used"):
            read_matrix(path)


class Bomb:
    def __reduce__(self):
        return os._exit, (1,)


def write_pickle(path):
    path.write_bytes(pickle.dumps(Bomb()))


def write_object_array(path):
    with open(path, "wb") as file:
        np.lib.format.write_array(file, np.array([[Bomb()]]), allow_pickle=True)


def write_corrupt(path):
    """Write indices far outside of the matrix, which would crash a kernel."""
    indices = np.array([0, 10**6], np.int32)
    arrays = {"data": np.ones(2), "indices": indices, "indptr": np.array([0, 1, 2], np.int32)}
    np.savez(path, format=b"csc", shape=(3, 2), _is_array=True, **arrays)


def write_broken_header(path):
    """A header that ends within brackets, for which Python's parser has an error of its own."""
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (3, ( \n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)


BAD_MATRICES = {
    "broken header": ("X.npy", write_broken_header, "not a matrix that can be used"),
    "other suffix": ("X.pdf", lambda path: path.touch(), "should end in one of .npz, .mtx"),
    "pickle": ("X.npy", write_pickle, "not a matrix that can be used"),
    "pickle as npz": ("X.npz", write_pickle, "not a matrix that can be used"),
    "pickled objects": ("X.npy", write_object_array, "allow_pickle=False"),
    "arrays": ("X.npz", lambda path: np.savez(path, a=np.ones(3)), "does not contain a sparse"),
    "corrupt": ("X.npz", write_corrupt, "ind"),
    "vector": ("X.npy", lambda path: np.save(path, np.ones(3)), "two dimensions"),
    "strings": ("X.npy", lambda path: np.save(path, [["a"]]), "real numbers"),
    "complex": ("X.mtx", lambda path: scipy.io.mmwrite(path, [[1j]]), "real numbers"),
    "negative": ("X.npy", lambda path: np.save(path, [[1, -2]]), "row 0, column 1"),
    "no rows": (
        "X.mtx",
        lambda path: path.write_text("%%MatrixMarket matrix array real general\n0 4\n1\n1\n"),
        "cannot be 0 x 4",
    ),
    "not square": (
        "X.mtx",
        lambda path: path.write_text("%%MatrixMarket matrix array real symmetric\n1 9\n1\n1\n"),
        "cannot be 1 x 9 and symmetric",
    ),
    "other text": ("X.mtx", lambda path: path.write_text("Dear Ada,\n"), "not a matrix that"),
    "not zipped": ("X.mtx.gz", lambda path: path.write_text("Dear Ada,\n"), "not a matrix that"),
}


@pytest.mark.parametrize("case", BAD_MATRICES)
def test_files_without_a_matrix_are_refused_by_name(case, tmp_path):
    name, write, message = BAD_MATRICES[case]
    write(tmp_path / name)
    with pytest.raises(ValueError, match=message) as caught:
        read_matrix(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize("suffix", MATRIX_SUFFIXES)
def test_missing_matrix_is_reported_as_such(suffix, tmp_path):
    with pytest.raises(FileNotFoundError):
        read_matrix(tmp_path / f"X{suffix}")


def test_missing_anndata_is_named(tmp_path, monkeypatch):
    (tmp_path / "X.h5ad").touch()
    monkeypatch.setitem(sys.modules, "anndata", None)
    with pytest.raises(ImportError, match=r'pip install "sparsenmf\[h5ad\]"'):
        read_matrix(tmp_path / "X.h5ad")


@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_vocabulary_is_a_term_per_line(end, newline, tmp_path):
    terms = ["naïve", " with space ", "鯨", ""]
    path = tmp_path / "terms.txt"
    path.write_bytes(b"\xef\xbb\xbf" + newline.join([*terms, "last"]).encode() + end.encode())
    assert read_vocabulary(path) == [*terms, "last"]
    write_vocabulary(path, terms)
    assert read_vocabulary(path) == terms


TABLE = {
    "topic": [1, 2],
    "share": np.array([0.1, 1e-9], np.float32),
    "title": ['a "b", c', "naïve\n鯨"],
    "terms": [["x", "y"], []],
    "none": [None, 3],
}


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_table_as_text(suffix, tmp_path, monkeypatch):
    for name in ("pandas", "pyarrow"):
        monkeypatch.setitem(sys.modules, name, None)  # the standard library is enough
    path = tmp_path / f"table{suffix}"
    write_table(path, TABLE)
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t" if suffix == ".tsv" else ","))
    assert rows == [
        list(TABLE),
        ["1", "0.1", 'a "b", c', "x; y", ""],
        ["2", "1e-09", "naïve\n鯨", "", "3"],
    ]


def test_table_as_parquet(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    write_table(tmp_path / "table.parquet", TABLE)
    found = parquet.read_table(tmp_path / "table.parquet").to_pydict()
    assert found.pop("share") == TABLE["share"].tolist()
    assert found == {name: column for name, column in TABLE.items() if name != "share"}
    assert os.listdir(tmp_path) == ["table.parquet"]


def test_missing_pyarrow_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r'pip install "sparsenmf\[parquet\]"'):
        write_table(tmp_path / "table.parquet", TABLE)
    assert os.listdir(tmp_path) == []


class Broken:
    def __str__(self):
        raise KeyboardInterrupt


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_failing_write_leaves_the_old_table_and_no_other(suffix, tmp_path, monkeypatch):
    path = tmp_path / f"table{suffix}"
    path.write_text("the old one")
    if suffix == ".parquet":
        parquet = pytest.importorskip("pyarrow.parquet")

        def fail(table, file):
            file.write(b"half")
            raise KeyboardInterrupt

        monkeypatch.setattr(parquet, "write_table", fail)
        columns = TABLE
    else:
        columns = {"a": [1, Broken()]}
    with pytest.raises(KeyboardInterrupt):
        write_table(path, columns)
    assert path.read_text() == "the old one"
    assert os.listdir(tmp_path) == [path.name]


def test_bad_tables_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"table.xls.* one of .csv, .tsv, .parquet"):
        write_table(tmp_path / "table.xls", TABLE)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        write_table(tmp_path / "nowhere" / "table.csv", TABLE)
    with pytest.raises(ValueError, match="columns differ in length: a 1, b 2"):
        write_table(tmp_path / "table.csv", {"a": [1], "b": [1, 2]})
    with pytest.raises(FileNotFoundError):
        check_writable(tmp_path / "nowhere" / "table.csv")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv", ".parquet"])
def test_factor_is_read_as_it_was_written(suffix, dtype, tmp_path, rng):
    pd = pytest.importorskip("pandas")
    W = np.maximum(rng.normal(size=(20, 3)), 0).astype(dtype)
    path = tmp_path / f"W{suffix}"
    write_factor(path, W)
    if suffix in (".npy", ".npz"):
        found = read_matrix(path).toarray()
    else:
        if suffix == ".parquet":
            pytest.importorskip("pyarrow")
        frame = (
            pd.read_csv(path, float_precision="round_trip")
            if suffix == ".csv"
            else pd.read_parquet(path)
        )
        assert list(frame.columns) == ["topic_1", "topic_2", "topic_3"]
        found = frame.to_numpy(dtype)
    np.testing.assert_array_equal(found, W)
    with pytest.raises(ValueError, match=r"one of .npy, .npz, .csv"):
        write_factor(tmp_path / "W.txt", W)


@posix
def test_a_pipe_is_written_to_and_a_link_followed(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    reader = os.open(tmp_path / "pipe.csv", os.O_RDONLY | os.O_NONBLOCK)
    write_table(tmp_path / "pipe.csv", {"a": [1]})
    assert os.read(reader, 100) == b"a\n1\n"
    os.close(reader)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.csv").symlink_to(tmp_path / "folder" / "real.csv")
    write_table(tmp_path / "link.csv", {"a": [2]})
    assert (tmp_path / "folder" / "real.csv").read_text() == "a\n2\n"
    assert (tmp_path / "link.csv").is_symlink()


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_a_carriage_return_does_not_end_a_row(suffix, tmp_path):
    cells = ["a\rb", "\r", "c\r\nd", 'e"\r', "plain"]
    write_table(tmp_path / f"t{suffix}", {"cell": cells})
    with open(tmp_path / f"t{suffix}", newline="") as file:
        found = list(csv.reader(file, delimiter="\t" if suffix == ".tsv" else ","))
    assert found == [["cell"], *([cell] for cell in cells)]
    assert (tmp_path / f"t{suffix}").read_bytes().endswith(b"plain\n")
