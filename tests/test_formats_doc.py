"""Each line of docs/guide/formats.md is true: its command runs and keeps what it says."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp

from sparsenmf import Factorization, read_matrix

from .corpus import make_texts
from .data.reading import files
from .data.reading.files import CELLS, FILES, GENES, X

pytest.importorskip("sklearn")
testing = pytest.importorskip("click.testing")

DOC = (Path(__file__).parents[1] / "docs" / "guide" / "formats.md").read_text()


def rows(title):
    """The cells of the rows in the table below a heading."""
    part = DOC.split(f"## {title}")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("| ")][2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


COMMON, RARE = rows("The commonest formats"), rows("Rare formats, in one line")


def turned(path):
    lines = [line.split("\t") for line in files.table("\t", CELLS, GENES).decode().splitlines()]
    path.write_text("\n".join("\t".join(row) for row in zip(*lines, strict=True)) + "\n")


def ratings(path):
    places = [(i, j) for i in range(12) for j in range(9) if (i + j) % 3]
    lines = [f"{i},{j},{(i * j) % 5},964982703" for i, j in places]
    path.write_text("\n".join(["userId,movieId,rating,timestamp", *lines]) + "\n")


def corpus(path):
    corpora = pytest.importorskip("gensim.corpora")
    dictionary = corpora.Dictionary([GENES])
    columns = [dictionary.token2id[gene] for gene in GENES]
    bags = [sorted((columns[j], int(row[j])) for j in np.flatnonzero(row)) for row in X]
    corpora.MmCorpus.serialize(str(path), bags)
    dictionary.save_as_text(str(path.with_name("dictionary.txt")))


def gz(write):
    def write_compressed(path):
        write(path.with_suffix(""))
        files.compress(path.with_suffix(""), ".gz")

    return write_compressed


def reviews(path):
    lines = [f'{i},"{text}"' for i, text in enumerate(make_texts())]
    path.write_text("\n".join(["id,text", *lines]) + "\n")


def blei(path):
    FILES["blei.ldac"][0](path)
    path.with_name("vocab.txt").write_text("\n".join(GENES) + "\n")


WRITE = {
    "X.mtx.gz": gz(FILES["X.mtx"][0]),
    "cells.h5ad": files.write_h5ad,
    "filtered_feature_bc_matrix": FILES["v3"][0],
    "filtered_feature_bc_matrix.h5": files.write_10x_h5,
    "counts.csv": FILES["csv.csv"][0],
    "counts.tsv": FILES["tabs.tsv"][0],
    "genes.tsv": turned,
    "X.txt": FILES["savetxt.txt"][0],
    "ratings.csv": ratings,
    "pairs.csv": FILES["doc_word.csv"][0],
    "X.svmlight": FILES["one.svmlight"][0],
    "docword.kos.txt.gz": gz(FILES["docword.kos.txt"][0]),
    "ap.ldac": blei,
    "corpus.mm": corpus,
    "counts.parquet": files.write_parquet,
    "counts.xlsx": files.write_xlsx,
    "notes.txt": lambda path: path.write_text("\n".join(make_texts()) + "\n"),
    "reviews.csv": reviews,
}

WITH_NAMES = ("cells.h5ad", "filtered_feature_bc_matrix", "filtered_feature_bc_matrix.h5")
SAMPLES_KEPT = {
    *WITH_NAMES,
    "genes.tsv",
    *(f"counts.{x}" for x in ("csv", "tsv", "parquet", "xlsx")),
}
FEATURES_KEPT = SAMPLES_KEPT | {"X.mtx.gz", "docword.kos.txt.gz", "ap.ldac"}


def test_the_twenty_commonest_formats_are_listed():
    assert len(COMMON) == 20


@pytest.mark.parametrize("row", COMMON, ids=lambda row: row[1].strip("`/"))
def test_command_runs_and_keeps_what_it_says(row, tmp_path, monkeypatch):
    from sparsenmf.cli import group

    monkeypatch.chdir(tmp_path)
    name = row[1].strip("`/")
    WRITE.get(name, FILES.get(name, [None])[0])(tmp_path / name)
    Path("terms.txt").write_text("\n".join(GENES) + "\n")
    program, *arguments = shlex.split(row[2].strip("`"))
    assert program == "sparsenmf"
    assert name in arguments
    result = testing.CliRunner().invoke(group, [*arguments, "--save", "model.npz"])
    assert result.exit_code == 0, result.output
    if arguments[0] == "topics":
        return
    model = Factorization.load("model.npz")
    assert model.W.shape[0] in (30, 12)
    if name in FEATURES_KEPT:
        assert model.feature_names.tolist() == GENES
    if name in SAMPLES_KEPT:
        assert model.sample_names.tolist() == CELLS
    if name == "corpus.mm":
        assert set(model.feature_names) == set(GENES)
    if name == "ratings.csv":
        assert model.options["missing"] == "unknown"
    if name == "pairs.csv":
        assert set(model.feature_names) == set(GENES)
        assert set(model.sample_names) == set(CELLS)


def loom(path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file["matrix"] = X.T


def pickled(path):
    import pickle

    path.write_bytes(pickle.dumps(sp.csr_array(X)))


def low(path):
    pytest.importorskip("gensim")
    lines = [
        " ".join(gene for gene, n in zip(GENES, row, strict=True) for _ in range(n)) for row in X
    ]
    path.write_text("\n".join([str(len(lines)), *lines]) + "\n")


def sqlite(path):
    import sqlite3
    from contextlib import closing

    pytest.importorskip("pandas")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table plays (user text, item text, rating real)")
        connection.executemany("insert into plays values (?, ?, ?)", [("a", "x", 1), ("b", "y", 2)])
        connection.commit()


def gct(path):
    head = ["#1.2", "12\t30", "\t".join(["Name", "Description", *CELLS])]
    lines = ["\t".join([gene, "na", *map(str, row)]) for gene, row in zip(GENES, X.T, strict=True)]
    path.write_text("\n".join([*head, *lines]) + "\n")


def feature_counts(path):
    head = [
        "# Program:featureCounts",
        "Geneid\tChr\tStart\tEnd\tStrand\tLength\t" + "\t".join(CELLS),
    ]
    lines = [
        "\t".join([gene, *["1"] * 5, *map(str, row)]) for gene, row in zip(GENES, X.T, strict=True)
    ]
    path.write_text("\n".join([*head, *lines]) + "\n")


def sized(path):
    path.write_bytes(b"30 12 5\n" + files.pairs(lambda _: "1", 1))


def archive(path):
    FILES["csv.csv"][0](Path("X.csv"))
    shutil.make_archive("X", "gztar", ".", "X.csv")
    Path("X.csv").unlink()


def rds(path):
    if subprocess.run(["Rscript", "-e", "library(Matrix)"], check=False).returncode:
        pytest.skip("R's package Matrix is not installed, and this recipe is a line of it")
    values = ",".join(map(str, X.ravel(order="F").tolist()))
    made = f'saveRDS(as(matrix(c({values}), {len(X)}), "sparseMatrix"), "{path.name}")'
    subprocess.run(["Rscript", "-e", f"library(Matrix); {made}"], check=True, timeout=300)


SOURCES = {
    "X.rds": rds,
    "X.mat": lambda path: scipy.io.savemat(path, {"X": sp.csc_array(X)}),
    "X.loom": loom,
    "X.pkl": pickled,
    "X.low": low,
    "X.json": lambda path: files.frame().to_json(path, orient="records"),
    "X.sqlite": sqlite,
    "X.gct": gct,
    "counts.txt": feature_counts,
    "X.csv": lambda path: path.write_text("n;a;b\nx;1,5;2\ny;0;1\n"),
    "X.txt": sized,
    "X.tar.gz": archive,
}


@pytest.mark.skipif(sys.platform == "win32", reason="the lines are for a POSIX shell")
@pytest.mark.parametrize("row", RARE, ids=lambda row: row[0])
def test_recipe_writes_what_is_read(row, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = row[1].strip("`").replace("\\|", "|").replace("python -c", f"{sys.executable} -c", 1)
    if line.startswith("Rscript") and shutil.which("Rscript") is None:
        pytest.skip("Rscript is not installed, and this recipe is a line of R")
    source = next((name for name in SOURCES if re.search(rf"\b{re.escape(name)}\b", line)), None)
    for name in ("h5py", "pandas", "gensim"):
        if re.search(rf"\b{name}\b", line):
            pytest.importorskip(name)
    if source is not None:
        SOURCES[source](tmp_path / source)
    before = set(tmp_path.iterdir())
    subprocess.run(["bash", "-c", line], check=True, timeout=300)
    made = {
        path for path in set(tmp_path.iterdir()) - before if path.suffix not in (".index", ".vocab")
    }
    assert len(made) == 1
    X_read = read_matrix(made.pop(), missing="zero")
    if source in (None, "X.sqlite", "X.csv"):
        assert X_read.shape == {None: (2, 4)}.get(source, (2, 2))
    elif source in ("X.gct", "counts.txt"):
        np.testing.assert_array_equal(X_read.toarray(), X.T)
        assert X_read.sample_names.tolist() == GENES
    elif source == "X.low":  # words in an order of gensim's
        order = [X_read.feature_names.tolist().index(gene) for gene in GENES]
        np.testing.assert_array_equal(X_read.toarray()[:, order], X)
    else:
        np.testing.assert_array_equal(X_read.toarray(), X)
