"""10x Genomics: genes x cells are turned, whatever the version, the prefix or the suffix."""

import warnings

import numpy as np
import pytest

from sparsenmf import open_csr, read_matrix, write_csr

from .files import CELLS, GENES, X, write_10x, write_10x_h5

KINDS = ["Gene Expression"] * 9 + ["Antibody Capture"] * 3


def check(found, genes=slice(None)):
    np.testing.assert_array_equal(found.toarray(), X[:, genes])
    assert found.feature_names.tolist() == GENES[genes]
    assert found.sample_names.tolist() == CELLS


@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("prefix", ["", "GSM123_donor1_"])
def test_folder_or_its_matrix_may_be_named(prefix, version, end, tmp_path):
    write_10x(tmp_path, prefix, version, end=end)
    check(read_matrix(tmp_path))
    check(read_matrix(tmp_path / f"{prefix}matrix.mtx{end}"))


def test_cells_x_genes_with_the_same_names_are_not_turned(tmp_path):
    write_10x(tmp_path, turned=False)
    check(read_matrix(tmp_path))


def test_matrix_alone_is_read_as_it_is(tmp_path):
    write_10x(tmp_path)
    (tmp_path / "barcodes.tsv").unlink()
    np.testing.assert_array_equal(read_matrix(tmp_path / "matrix.mtx").toarray(), X.T)


def test_format_mtx_takes_the_file_as_it_is(tmp_path):
    write_10x(tmp_path)
    np.testing.assert_array_equal(read_matrix(tmp_path / "matrix.mtx", format="mtx").toarray(), X.T)


def test_several_matrices_are_named(tmp_path):
    write_10x(tmp_path, "a_")
    write_10x(tmp_path, "b_")
    with pytest.raises(ValueError, match=r"several matrices: name one of a_matrix.mtx, b_matrix"):
        read_matrix(tmp_path)
    check(read_matrix(tmp_path / "b_matrix.mtx"))


def test_folder_below_is_named(tmp_path):
    write_10x(tmp_path / "hg19")
    with pytest.raises(ValueError, match=r"a 10x matrix is in its folder hg19: type .*hg19"):
        read_matrix(tmp_path)


@pytest.mark.parametrize("name", ["barcodes.tsv", "features.tsv"])
def test_names_of_another_matrix_are_refused(name, tmp_path):
    write_10x(tmp_path)
    with open(tmp_path / name, "a") as file:
        file.write("one\tmore\tGene Expression\n")
    for read in (read_matrix, lambda path: write_csr(tmp_path / "store", path)):
        with pytest.raises(ValueError, match=r"it is 12 x 30, but there are .* do not belong"):
            read(tmp_path)


@pytest.mark.parametrize("form", ["folder", "h5"])
def test_gene_expression_is_read_of_several_kinds(form, tmp_path):
    path = tmp_path / "X.h5"
    if form == "h5":
        write_10x_h5(path, kinds=KINDS)
    else:
        path = tmp_path / "X"
        write_10x(path)
        lines = (path / "features.tsv").read_text().splitlines()
        lines = [
            line.replace("Gene Expression", kind) for line, kind in zip(lines, KINDS, strict=True)
        ]
        (path / "features.tsv").write_text("\n".join(lines) + "\n")
    with pytest.warns(UserWarning, match=r"only the 9 features .* 3 of Antibody Capture are left"):
        found = read_matrix(path)
    check(found, slice(9))
    with pytest.warns(UserWarning, match="only the 9 features"):
        write_csr(tmp_path / "store", path)
    store = open_csr(tmp_path / "store")
    np.testing.assert_array_equal(store.rows(0, 30).toarray(), X[:, :9])
    assert store.feature_names.tolist() == GENES[:9]


def test_features_of_one_kind_are_all_read(tmp_path):
    write_10x_h5(tmp_path / "X.h5", kinds=["Peaks"] * 12)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(read_matrix(tmp_path / "X.h5"))


def test_several_genomes_and_other_files_are_refused_by_name(tmp_path):
    h5py = pytest.importorskip("h5py")
    write_10x_h5(tmp_path / "X.h5", 2)
    with h5py.File(tmp_path / "X.h5", "a") as file:
        file.copy("GRCh38", "mm10")
    with pytest.raises(ValueError, match="several genomes: GRCh38, mm10"):
        read_matrix(tmp_path / "X.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["weights"] = np.ones(3)
    with pytest.raises(ValueError, match=r"no matrix of 10x Genomics and no AnnData: .* weights"):
        read_matrix(tmp_path / "other.h5")


def test_folder_of_texts_says_what_to_type(tmp_path):
    (tmp_path / "a.txt").write_text("the cat sat\n")
    with pytest.raises(ValueError, match="for a folder of texts: sparsenmf topics"):
        read_matrix(tmp_path)


def test_missing_h5py_is_named(tmp_path, monkeypatch):
    (tmp_path / "X.h5").touch()
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(ImportError, match=r'pip install "sparsenmf\[h5ad\]"'):
        read_matrix(tmp_path / "X.h5")
