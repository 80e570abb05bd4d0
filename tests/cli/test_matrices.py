"""The commands read matrices of all formats, with their names, and say which side is samples."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp

from sparsenmf import Factorization, NamedMatrix, factorize, open_csr, read_matrix

from ..data.reading.files import CELLS, FILES, GENES, X, compress, write_10x
from .commands import fail, run, succeed


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("terms.txt").write_text("\n".join(GENES) + "\n")


@pytest.mark.parametrize("name", FILES)
def test_factorize_keeps_the_names_of_a_file(name, here):
    FILES[name][0](Path(name))
    stdout = succeed("factorize", name, "-k", 2, "--format", "json", "--save", "model.npz")
    model = Factorization.load("model.npz")
    expected = factorize(read_matrix(name), 2, random_state=0)
    np.testing.assert_array_equal(model.H, expected.H)
    if FILES[name][1]:
        assert model.feature_names.tolist() == expected.feature_names.tolist()
        assert set(json.loads(stdout)[0]["terms"]) <= set(GENES)
    else:
        assert "30 x 12" in stdout


@pytest.mark.parametrize("name", FILES)
def test_store_and_info_take_what_factorize_takes(name, here):
    FILES[name][0](Path(name))
    succeed("store", name, "folder")
    store = open_csr("folder")
    assert store.shape == (30, 12)
    for source in (name, "folder"):
        stdout = succeed("info", source)
        assert "30 samples (its rows)" in stdout
        assert "12 features (its columns)" in stdout
        if FILES[name][1] and not name.startswith("doc_word"):
            assert "G0, G1, G2, ..." in stdout
        assert "turned" not in stdout


@pytest.mark.parametrize("kind", [".gz", ".bz2", ".xz", ".zst"])
def test_compressed_files(kind, here):
    FILES["csv.csv"][0](Path("X.csv"))
    name = compress(Path("X.csv"), kind)
    assert "30 samples" in succeed("info", name)
    succeed("factorize", name, "-k", 2)
    succeed("store", name, "folder")


def turned_files():
    """Write genes x cells in formats without a rule for that; return options and hints by path."""
    frame = FILES["csv.csv"][0]
    frame(Path("straight.csv"))
    rows = [line.split(",") for line in Path("straight.csv").read_text().splitlines()]
    flipped = "\n".join(",".join(row) for row in zip(*rows, strict=True))
    Path("turned.csv").write_text(flipped + "\n")
    scipy.io.mmwrite("turned.mtx", sp.coo_array(X.T))
    Path("turned").mkdir()
    np.save("turned/X.npy", X.T)
    shutil.copy("terms.txt", "turned/genes.txt")
    write_10x(Path("alone"))
    Path("alone/barcodes.tsv").unlink()
    return {
        "turned.csv": ([], "names of the columns are those of samples"),
        "turned.mtx": (["--vocabulary", "terms.txt"], None),
        "turned/X.npy": ([], "genes.txt beside it has 12 names, as many as it has samples"),
        "alone/matrix.mtx": ([], "features.tsv beside it has 12 names"),
    }


def test_info_recognises_a_transposed_matrix(here):
    for name, (options, reason) in turned_files().items():
        if reason is None:
            message = fail("info", name, *options)
            assert "has 12 terms, but turned.mtx has 30 columns and 12 rows" in message
            assert "type the command with --transpose" in message
        else:
            stdout = succeed("info", name, *options)
            assert "12 samples (its rows)" in stdout
            assert f"It looks turned: {reason}" in " ".join(stdout.split()).replace(
                "the names", "names"
            )
            assert "--transpose" in stdout
        stdout = succeed("info", name, *options, "--transpose")
        assert "30 samples (its columns)" in stdout
        assert "looks turned" not in stdout


def test_transpose_gives_the_factors_of_the_transposed_matrix(here):
    turned_files()
    expected = factorize(read_matrix("straight.csv"), 2, random_state=0)
    succeed("factorize", "turned.csv", "-k", 2, "--transpose", "--save", "model.npz")
    model = Factorization.load("model.npz")
    np.testing.assert_array_equal(model.W, expected.W)
    assert model.feature_names.tolist() == GENES
    assert model.sample_names.tolist() == CELLS
    succeed("store", "turned.csv", "folder", "--transpose")
    assert open_csr("folder").feature_names.tolist() == GENES
    assert "30 samples" in succeed("info", "folder")
    options = ["--vocabulary", "terms.txt"]
    assert "has 12 columns" not in succeed(
        "factorize", "turned.mtx", "-k", 2, "--transpose", *options
    )
    message = fail("factorize", "straight.csv", "-k", 2, "--transpose", *options)
    assert "type the command without --transpose" in message


def test_factorize_says_that_a_matrix_looks_transposed(here):
    turned_files()
    result = run("factorize", "turned.csv", "-k", 2)
    assert result.exit_code == 0
    assert "Remark: the rows of turned.csv look like features" in result.stderr
    assert "--transpose" in result.stderr
    for arguments in (["turned.csv", "--transpose"], ["straight.csv"]):
        assert "Remark" not in run("factorize", *arguments, "-k", 2).stderr


def test_transpose_of_a_store_is_refused(here):
    FILES["csv.csv"][0](Path("X.csv"))
    succeed("store", "X.csv", "folder")
    for command in (
        ["factorize", "folder", "-k", 2],
        ["info", "folder"],
        ["store", "folder", "new"],
    ):
        assert "folder is a store, which is taken as it is" in fail(*command, "--transpose")


RATINGS = "userId,movieId,rating,timestamp\n" + "".join(
    f"{i + 1},{j + 1},{(i * j) % 5 + 0.5},964982703\n"
    for i in range(12)
    for j in range(9)
    if (i + j) % 3
)


def test_absent_ratings_count_as_unknown(here):
    Path("ratings.csv").write_text(RATINGS)
    result = run("factorize", "ratings.csv", "-k", 2, "--save", "model.npz")
    assert result.exit_code == 0, result.output
    assert "Remark: ratings.csv has ratings: what is not in it is unknown" in result.stderr
    assert "--missing zero" in result.stderr
    expected = factorize(
        read_matrix("ratings.csv", missing="unknown"), 2, missing="unknown", random_state=0
    )
    model = Factorization.load("model.npz")
    np.testing.assert_array_equal(model.H, expected.H)
    assert model.sample_names.tolist() == list(range(1, 13))
    for missing in ("zero", "unknown"):
        result = run("factorize", "ratings.csv", "-k", 2, "--missing", missing, "--save", "m.npz")
        assert "Remark" not in result.stderr
        expected = factorize(
            read_matrix("ratings.csv", missing=missing), 2, missing=missing, random_state=0
        )
        np.testing.assert_array_equal(Factorization.load("m.npz").H, expected.H)
    assert "entries that are not stored are unknown" in succeed("info", "ratings.csv")
    assert "--tfidf is for counts" in fail("factorize", "ratings.csv", "-k", 2, "--tfidf")
    assert "factorize ratings.csv itself, or" in fail("store", "ratings.csv", "folder")
    assert not Path("folder").exists()
    assert "zero" in fail("store", "ratings.csv", "folder", "--missing", "unknown")
    succeed("store", "ratings.csv", "folder", "--missing", "zero")


def test_vocabulary_counts_in_place_of_names(here):
    FILES["csv.csv"][0](Path("X.csv"))
    Path("other.txt").write_text("".join(f"t{j}\n" for j in range(12)))
    succeed("factorize", "X.csv", "-k", 2, "--vocabulary", "other.txt", "--save", "model.npz")
    model = Factorization.load("model.npz")
    assert model.feature_names.tolist() == [f"t{j}" for j in range(12)]
    assert model.sample_names.tolist() == CELLS


def test_tables_need_names_only_where_the_file_has_none(here):
    FILES["csv.csv"][0](Path("X.csv"))
    succeed("factorize", "X.csv", "-k", 2, "--term-table", "terms.csv")
    assert ",MT-CO1," in Path("terms.csv").read_text()
    np.save("X.npy", X)
    message = fail("factorize", "X.npy", "-k", 2, "--term-table", "terms.csv")
    assert "--term-table needs a --vocabulary: X.npy has no names" in message


def test_vocabulary_beside_a_matrix_is_named(here):
    np.save("X.npy", X)
    succeed("store", "X.npy", "folder")
    assert "terms.txt beside it" in succeed("info", "folder")
    stdout = succeed("info", "X.npy")
    assert "terms.txt beside it has as many names: --vocabulary terms.txt" in stdout


def test_store_may_be_the_current_folder(here, monkeypatch):
    np.save("X.npy", X)
    succeed("store", "X.npy", "folder")
    monkeypatch.chdir("folder")
    assert "30 samples" in succeed("info", ".")
    assert "30 x 12" in succeed("factorize", ".", "-k", 2)


@pytest.mark.parametrize("options", [[], ["--solver", "cd"], ["--low-memory"]])
def test_a_store_of_both_sides_is_made_described_and_factorized(options, here):
    np.save("X.npy", X)
    result = run("store", "X.npy", "folder", "--both-sides")
    assert "30 x 12" in result.stderr
    assert "both sides" in result.stderr
    shown = succeed("info", "folder", "--verify")
    assert "MiB on disk, with its transpose" in shown
    assert "all checksums are right" in shown
    fit = ["-k", 2, "--loss", "kullback-leibler", "--save", "model.npz", "--seed", 0]
    succeed("factorize", "folder", *fit, *options)
    model = Factorization.load("model.npz")
    assert model.options["solver"] == "cd"
    expected = factorize(open_csr("folder").rows(0, 30), 2, loss="kullback-leibler", random_state=0)
    np.testing.assert_allclose(model.H, expected.H, rtol=1e-4, atol=1e-5)


def test_a_store_of_one_side_says_what_coordinate_descent_needs(here):
    np.save("X.npy", X)
    succeed("store", "X.npy", "folder")
    assert "transpose" not in succeed("info", "folder")
    fit = ["factorize", "folder", "-k", 2, "--loss", "kullback-leibler"]
    assert "sparsenmf store --both-sides" in fail(*fit, "--solver", "cd")
    assert "30 x 12" in succeed(*fit)
    # The side that is missing comes with the last rows.
    succeed("store", "X.npy", "folder", "--append", "--both-sides")
    assert "60 x 12" in succeed(*fit, "--solver", "cd")


def test_input_format_names_the_format_if_the_suffix_does_not(here):
    Path("X.csv").write_text("1,1,4\n2,1,3\n2,2,1\n")
    message = fail("factorize", "X.csv", "-k", 1)
    assert "--input-format table" in message
    assert "--input-format triplets" in message
    succeed("factorize", "X.csv", "-k", 1, "--input-format", "table")
    message = fail("factorize", "X.csv", "-k", 1, "--input-format", "triplets")
    assert "--missing zero" in message
    options = ["--input-format", "triplets", "--missing", "zero"]
    assert "2 samples" in succeed("info", "X.csv", *options)
    succeed("store", "X.csv", "folder", *options)
    assert open_csr("folder").shape == (2, 2)


TEXTS = {
    "reviews.csv": "id,text\n1,the film was good\n2,dull, and long\n",
    "notes.txt": "the cat sat\nstocks fell\n",
}


@pytest.mark.parametrize("command", [["factorize", "-k", 2], ["info"]])
@pytest.mark.parametrize("name", TEXTS)
def test_texts_are_sent_to_topics(name, command, here):
    Path(name).write_text(TEXTS[name])
    message = fail(command[0], name, *command[1:])
    field = " --field text" if name.endswith(".csv") else ""
    assert f"if it has texts, type: sparsenmf topics {name}{field}" in message


def test_folder_of_texts_is_sent_to_topics(here):
    Path("letters").mkdir()
    Path("letters/a.txt").write_text("the cat sat\n")
    for command in (
        ["factorize", "letters", "-k", 2],
        ["info", "letters"],
        ["store", "letters", "x"],
    ):
        assert "for a folder of texts: sparsenmf topics letters" in fail(*command)
    assert not Path("x").exists()


def test_layers_and_raw_of_anndata(here):
    anndata, pd = pytest.importorskip("anndata"), pytest.importorskip("pandas")
    tables = {"obs": pd.DataFrame(index=CELLS), "var": pd.DataFrame(index=GENES)}
    counts = sp.csr_matrix(X.astype("f4"))
    adata = anndata.AnnData(counts, **tables)
    adata.raw = adata.copy()
    adata.layers["counts"] = counts
    adata.X = X - 1.0
    adata.write_h5ad("X.h5ad")
    message = fail("factorize", "X.h5ad", "-k", 2)
    assert "--layer counts" in message
    assert "--raw" in message
    expected = factorize(NamedMatrix(counts), 2, random_state=0)
    for options in (["--layer", "counts"], ["--raw"]):
        succeed("factorize", "X.h5ad", "-k", 2, *options, "--save", "model.npz")
        model = Factorization.load("model.npz")
        np.testing.assert_array_equal(model.H, expected.H)
        assert model.feature_names.tolist() == GENES
        succeed("store", "X.h5ad", "folder", *options, "--overwrite")
        assert open_csr("folder").nnz == counts.nnz
        assert "30 samples" in succeed("info", "X.h5ad", *options)
    FILES["csv.csv"][0](Path("X.csv"))
    assert "layer and raw are parts of an .h5ad file" in fail("info", "X.csv", "--raw")


def test_transform_reads_as_factorize_does(here):
    turned_files()
    succeed("factorize", "turned.csv", "-k", 2, "--transpose", "--save", "model.npz")
    model = Factorization.load("model.npz")
    for arguments in (["turned.csv", "--transpose"], ["straight.csv"]):
        succeed("transform", "model.npz", *arguments, "--output", "W.npy")
        np.testing.assert_array_equal(
            np.load("W.npy"), model.transform(read_matrix("straight.csv"))
        )


def test_transform_of_ratings_takes_absent_ones_as_the_fit_did(here):
    Path("ratings.csv").write_text(RATINGS)
    for missing in ("unknown", "zero"):
        succeed("factorize", "ratings.csv", "-k", 2, "--missing", missing, "--save", "model.npz")
        result = run("transform", "model.npz", "ratings.csv", "--output", "W.npy")
        assert "Remark" not in result.stderr
        expected = Factorization.load("model.npz").transform(
            read_matrix("ratings.csv", missing=missing)
        )
        np.testing.assert_array_equal(np.load("W.npy"), expected)
