"""The command with matrices that have names: they go into models and tables, and are matched."""

import re
import warnings

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import Factorization, NamedMatrix, factorize, write_csr

testing = pytest.importorskip("click.testing")
anndata = pytest.importorskip("anndata")

N, M = 30, 8
GENES, CELLS = [f"gene-{j}" for j in range(M)], [f"cell-{i}" for i in range(N)]


def run(*arguments):
    from sparsenmf.cli import group

    result = testing.CliRunner().invoke(group, list(map(str, arguments)))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def counts(seed=0):
    X = sp.random_array((N, M), density=0.5, rng=seed, format="csr", dtype=np.float32)
    X.data = np.ceil(9 * X.data)
    return X


@pytest.fixture
def files(tmp_path):
    adata = anndata.AnnData(sp.csr_matrix(counts()))
    adata.var_names, adata.obs_names = GENES, CELLS
    adata.layers["counts"] = sp.csr_matrix(counts(1))
    adata.write_h5ad(tmp_path / "cells.h5ad")
    adata[:, ::-1].copy().write_h5ad(tmp_path / "turned.h5ad")
    sp.save_npz(tmp_path / "plain.npz", counts())
    (tmp_path / "genes.txt").write_text("".join(f"{gene}\n" for gene in GENES))
    write_csr(tmp_path / "store", NamedMatrix(counts(), feature_names=GENES, sample_names=CELLS))
    write_csr(tmp_path / "plain", counts())
    return tmp_path


FITS = {
    "h5ad": ("cells.h5ad",),
    "layer": ("cells.h5ad", "--layer", "counts"),
    "tfidf": ("cells.h5ad", "--tfidf"),
    "store": ("store",),
    "vocabulary": ("plain.npz", "--vocabulary", "genes.txt"),
    "vocabulary of a store": ("plain", "--vocabulary", "genes.txt"),
}


@pytest.mark.parametrize("case", FITS)
def test_the_model_in_a_file_has_names(case, files, monkeypatch):
    monkeypatch.chdir(files)
    result = run("factorize", *FITS[case], "-k", 2, "--save", "model.npz")
    assert result.exit_code == 0, result.output
    model = Factorization.load("model.npz")
    assert model.feature_names.tolist() == GENES
    assert (model.sample_names is None) == case.startswith("vocabulary")
    if model.sample_names is not None:
        assert model.sample_names.tolist() == CELLS
    assert "gene-" in result.stdout  # printed as topics


def test_columns_are_matched_or_refused_and_tables_have_the_names(files, monkeypatch):
    monkeypatch.chdir(files)
    assert run("factorize", "cells.h5ad", "-k", 2, "--save", "model.npz").exit_code == 0
    W = Factorization.load("model.npz").transform(counts())
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")  # it is said on stderr
        result = run("transform", "model.npz", "turned.h5ad", "--output", "W.csv")
    assert result.exit_code == 0, result.output
    lines = (files / "W.csv").read_text().splitlines()
    assert lines[0] == "sample,topic_1,topic_2"
    assert [line.split(",")[0] for line in lines[1:]] == CELLS
    found = [[float(cell) for cell in line.split(",")[1:]] for line in lines[1:]]
    np.testing.assert_allclose(found, W, rtol=1e-6)
    result = run("transform", "model.npz", "turned.h5ad", "--output", "W.npy", "--strict-names")
    assert result.exit_code == 1
    assert re.fullmatch("Error: X has other features than the model: .*\n", result.stderr)
    assert not (files / "W.npy").exists()
    result = run("transform", "model.npz", "cells.h5ad", "--output", "W.npy", "--strict-names")
    assert result.exit_code == 0
    np.testing.assert_allclose(np.load("W.npy"), W, rtol=1e-6)
    assert run("transform", "model.npz", "plain.npz", "--output", "plain.csv").exit_code == 0
    assert (files / "plain.csv").read_text().startswith("topic_1,topic_2\n")


def test_the_advice_for_scaled_data_can_be_typed(files, monkeypatch):
    monkeypatch.chdir(files)
    adata = anndata.read_h5ad("cells.h5ad")
    adata.X = adata.X.toarray() - 3
    adata.write_h5ad("scaled.h5ad")
    for command in (("factorize", "scaled.h5ad", "-k", 2), ("info", "scaled.h5ad")):
        result = run(*command)
        assert result.exit_code == 1
        advice = re.search(r"\((--layer \S+)\)", result.stderr)[1].split()
        assert run(*command, *advice).exit_code == 0
    assert run("store", "scaled.h5ad", "other").exit_code == 1
    assert run("store", "scaled.h5ad", "other", "--layer", "counts").exit_code == 0


def test_names_with_line_breaks_stay_on_their_line(tmp_path):
    names = ["a\nb", "tab\there", "cr\rlf", "up\x0bdown", "sep\u2028par", "plain"]
    X = NamedMatrix(counts()[:, :6], feature_names=names)
    factorize(X, 1, random_state=0).save(tmp_path / "model.npz")
    write_csr(tmp_path / "store", X)
    model = run("info", tmp_path / "model.npz", "--terms", 6).output
    assert len(model.splitlines()) == 5  # what it is, how it ended, and two lists of terms
    store = run("info", tmp_path / "store").output
    assert "  6 features (its columns): a b, tab here, cr lf, ...\n" in store
    for name in ("a b", "tab here", "cr lf", "up down", "sep par", "plain"):
        assert name in model
