"""Files that are not what their names say: the error says what they are, and what to do."""

import gzip

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp

from sparsenmf import factorize, read_matrix, read_texts

SUFFIXES = ["npz", "npy", "mtx", "h5ad", "h5", "parquet", "feather", "xlsx", "csv", "tsv", "txt"]
SUFFIXES += ["svmlight", "ldac", "uci"]

OTHERS = {
    "page": (b"\n<!DOCTYPE html>\n<html><body>404</body></html>\n", "a page of HTML, .*: download"),
    "plain page": (b"\xef\xbb\xbf<HTML><body>404</body></HTML>", "a page of HTML, .*: download"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 12\n",
                "it is a pointer of Git LFS, not the file: type git lfs pull"),
    "office": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "an old Office file: save it as"),
}  # fmt: skip


@pytest.fixture
def X():
    return sp.random_array((6, 4), density=0.5, rng=0, format="csr")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("kind", OTHERS)
def test_what_holds_no_data_is_recognised_whatever_its_name(kind, suffix, tmp_path):
    data, message = OTHERS[kind]
    path = tmp_path / f"X.{suffix}"
    for compress in (bytes, gzip.compress):
        path.write_bytes(compress(data))
        with pytest.raises(ValueError, match=f"X.{suffix} is not a matrix that .*: .*{message}"):
            read_matrix(path)


def write_npz(path, X):
    with open(path, "wb") as file:
        sp.save_npz(file, X)


def write_npy(path, X):
    with open(path, "wb") as file:
        np.save(file, X.toarray())


def write_mtx(path, X):
    with open(path, "wb") as file:
        scipy.io.mmwrite(file, X)


def write_h5ad(path, X):
    pytest.importorskip("anndata").AnnData(X).write_h5ad(path)


def write_parquet(path, X):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    pd.DataFrame(X.toarray(), columns=list("abcd")).to_parquet(path)


WRITERS = {
    "npz": write_npz,
    "npy": write_npy,
    "mtx": write_mtx,
    "h5ad": write_h5ad,
    "parquet": write_parquet,
}


@pytest.mark.parametrize("named", ["npz", "npy", "mtx", "h5", "parquet", "xlsx", "csv"])
@pytest.mark.parametrize("written", WRITERS)
def test_another_format_than_the_name_says(written, named, X, tmp_path):
    path = tmp_path / f"X.{named}"
    WRITERS[written](path, X)
    right = {"npz": {"npz"}, "npy": {"npy"}, "mtx": {"mtx", "csv"}, "parquet": {"parquet"},
             "h5ad": {"h5"}}[written]  # fmt: skip
    if named in right:
        np.testing.assert_allclose(read_matrix(path).toarray(), X.toarray())
        return
    expected = f"its name should end in .*{written}|it is damaged, or of another format"
    expected += "|it is a NumPy archive, not an xlsx workbook"
    with pytest.raises(ValueError, match=expected):
        read_matrix(path)


def test_a_model_is_no_matrix(X, tmp_path):
    factorize(X, 1, max_iter=2).save(tmp_path / "model.npz")
    with pytest.raises(ValueError, match="it is a saved model, not a matrix: sparsenmf transform"):
        read_matrix(tmp_path / "model.npz")


@pytest.mark.parametrize("suffix", ["npz", "npy", "h5", "parquet", "xlsx", "feather"])
def test_damage_is_told_from_a_wrong_name(suffix, tmp_path):
    path = tmp_path / f"X.{suffix}"
    path.write_bytes(b"id,a,b\nx,1,2\n")
    with pytest.raises(ValueError, match=r"it is not an? .*, as its name says: it is damaged"):
        read_matrix(path)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "txt", "csv.gz"])
def test_binary_files_are_no_tables(suffix, tmp_path):
    path = tmp_path / f"X.{suffix}"
    path.write_bytes(bytes([1, 200, 13, 10, 7, 251, 44, 65, 128, 10] * 5))  # no NUL among them
    with pytest.raises(ValueError, match="it is a binary file"):
        read_matrix(path)


def test_a_pointer_is_no_text(tmp_path):
    (tmp_path / "notes.txt").write_bytes(OTHERS["pointer"][0])
    with pytest.raises(ValueError, match="is a pointer of Git LFS, not a text: type git lfs pull"):
        read_texts(tmp_path / "notes.txt")
