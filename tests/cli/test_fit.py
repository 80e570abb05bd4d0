"""`sparsenmf topics` and `factorize` give the results of the Python interface."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp

import sparsenmf
from sparsenmf import Factorization, factorize, find_topics
from sparsenmf.data.files import write_table

from ..corpus import KITCHEN, SEA, TERMS, check_separated, make_counts, make_texts
from ..pages import parse
from .commands import read_csv, read_topics, run, succeed

SOURCES = {
    "lines": (["notes.txt"], None),
    "several": (["notes.txt", "letters"], None),
    "folder": (["letters"], None),
    "csv": (["notes.csv", "--field", "body"], None),
    "jsonl": (["notes.jsonl", "--field", "body"], None),
    "stdin": (["-"], "notes.txt"),
    "stdin of JSON": (["-", "--field", "body"], "notes.jsonl"),
}


@pytest.mark.parametrize("source", SOURCES)
def test_topics_of_texts(source, here):
    arguments, stdin = SOURCES[source]
    stdin = stdin and Path(stdin).read_bytes()
    topics = read_topics(succeed("topics", *arguments, "-k", 2, stdin=stdin))
    sea, kitchen = check_separated(topics)
    assert sea[0] + kitchen[0] == pytest.approx(100, abs=0.2)
    if source == "folder":
        assert all(re.fullmatch(r"sea\d\d\.txt", title) for title in sea[-1])
        assert all(re.fullmatch(r"kitchen\d\d\.txt", title) for title in kitchen[-1])
    else:
        assert all(title.split()[0] in SEA or "sea" in title for title in sea[-1])
        assert all(title.split()[0] in KITCHEN or "kitchen" in title for title in kitchen[-1])


def test_topics_writes_the_results_of_the_python_interface(here):
    stdout = succeed(
        *("topics", "notes.csv", "--field", "body", "--title-field", "id", "-k", 3),
        *("--counts", "--loss", "kullback-leibler", "--seed", 5, "--tol", 0, "--max-iter", 9),
        *("--ngrams", 1, 2, "--min-df", 3, "--max-df", 0.9, "--max-terms", 30, "--threads", 1),
        *("--stop-words", "none", "--terms", 4, "--documents", 3, "--format", "csv"),
        *("--save", "model.npz", "--topic-table", "topics.csv", "--term-table", "terms.csv"),
        *("--document-table", "documents.csv", "--all-topics", "--vocabulary-out", "words.txt"),
    )
    expected = find_topics(
        make_texts(),
        3,
        titles=[str(i) for i in range(80)],
        weighting="counts",
        min_df=3,
        max_df=0.9,
        stop_words=None,
        ngrams=(1, 2),
        max_terms=30,
        loss="kullback-leibler",
        random_state=5,
        tol=0,
        max_iter=9,
    )
    model = Factorization.load("model.npz")
    np.testing.assert_array_equal(model.W, expected.model.W)
    np.testing.assert_array_equal(model.H, expected.model.H)
    assert model.options == expected.model.options
    assert Path("words.txt").read_text().split("\n")[:-1] == list(expected.terms)
    write_table("1.csv", expected.topic_table(n_terms=4, n_documents=3))
    write_table("2.csv", expected.term_table())
    write_table("3.csv", expected.document_table(all_topics=True))
    for found, wanted in (("topics", "1"), ("terms", "2"), ("documents", "3")):
        assert Path(f"{found}.csv").read_text() == Path(f"{wanted}.csv").read_text()
    assert stdout == Path("topics.csv").read_text()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("h5ad", ["--loss", "kullback-leibler"]),
        ("h5ad", ["--tfidf"]),
        ("csv", []),
        ("store", []),
        ("store", ["--loss", "kullback-leibler"]),
    ],
)
def test_names_of_a_matrix_stand_in_for_a_vocabulary(kind, options, here):
    names = [f"cell {i}" for i in range(80)]
    path = named_matrix(kind, names)
    arguments = ("factorize", path, "-k", 2, "--document-table", "d.csv", "--save", "m", *options)
    topics = read_topics(succeed(*arguments, "--report", "r.html", "--topic-table", "t.csv"))
    check_separated(topics)
    assert all(title in names for topic in topics for title in topic[-1])
    assert [row[1] for row in read_csv(Path("d.csv").read_text())[1:]] == names
    shown = parse(Path("r.html")).by_id("list")
    assert {title.text for title in shown.all("span", "title")} <= set(names)
    assert {term.text for term in shown.all("span", "term")} <= set(TERMS)
    lines = [line.strip() for line in succeed("info", "m").splitlines()[3:]]
    for topic, line, other in zip(topics, lines[::2], lines[1::2], strict=True):
        assert line.split(". ")[1] == ", ".join(topic[1])
        assert other == f"distinctive: {', '.join(topic[2])}"


def named_matrix(kind, names):
    """Write the counts in a format that keeps names; return the path."""
    if kind == "csv":
        pd = pytest.importorskip("pandas")
        frame = pd.DataFrame(make_counts().toarray(), index=names, columns=TERMS)
        frame.to_csv("counts.csv")
        return "counts.csv"
    X = make_counts().astype(np.float32)
    if kind == "store":
        named = sparsenmf.NamedMatrix(X, feature_names=TERMS, sample_names=names)
        sparsenmf.write_csr("folder", named)
        return "folder"
    anndata = pytest.importorskip("anndata")
    pd = pytest.importorskip("pandas")
    frames = {"obs": pd.DataFrame(index=names), "var": pd.DataFrame(index=TERMS)}
    anndata.AnnData(sp.csr_matrix(X), **frames).write_h5ad("cells.h5ad")
    return "cells.h5ad"


def test_a_vocabulary_is_kept_in_the_model(here):
    arguments = ("factorize", "X.npz", "-k", 2, "--vocabulary", "terms.txt")
    shown = succeed(*arguments, "--save", "m")
    assert Factorization.load("m").feature_names.tolist() == TERMS
    first = read_topics(shown)[0][1]
    assert f"1. {', '.join(first)}" in succeed("info", "m")
    other = "\n".join(f"other{j}" for j in range(20))
    Path("others.txt").write_text(other)
    assert "1. other" in succeed("info", "m", "--vocabulary", "others.txt")


def test_stop_words_of_a_file_and_frequencies(here):
    Path("stop.txt").write_text("whale\nstorm\n")
    arguments = ("--stop-words", "stop.txt", "--min-df", "0.1", "--vocabulary-out", "words.txt")
    succeed("topics", "notes.txt", "-k", 2, *arguments)
    assert set(Path("words.txt").read_text().split()) == set(TERMS) - {"whale", "storm"}
    succeed("topics", "notes.txt", "-k", 2, "--max-df", 21, "--vocabulary-out", "words.txt")
    frequency = make_counts().toarray().astype(bool).sum(axis=0)
    rare = {term for term, count in zip(TERMS, frequency, strict=True) if count <= 21}
    assert set(Path("words.txt").read_text().split()) == rare
    assert 2 <= len(rare) < 20


def test_topics_as_json(here):
    found = json.loads(succeed("topics", "notes.txt", "-k", 2, "--format", "json"))
    table = find_topics(make_texts(), 2, random_state=0).topic_table()
    assert found == [
        dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)
    ]


@pytest.mark.parametrize("suffix", [".npz", ".mtx", ".mtx.gz", ".npy", ".h5ad"])
def test_factorize_takes_every_matrix(suffix, here):
    counts, path = make_counts(), f"matrix{suffix}"
    if suffix == ".npz":
        sp.save_npz(path, counts)
    elif suffix == ".npy":
        np.save(path, counts.toarray())
    elif suffix == ".h5ad":
        pytest.importorskip("anndata").AnnData(sp.csr_matrix(counts)).write_h5ad(path)
    else:
        import gzip

        with (gzip.open if suffix.endswith(".gz") else open)(path, "wb") as file:
            scipy.io.mmwrite(file, counts)
    stdout = succeed("factorize", path, "-k", 2, "--save", "model.npz")
    expected = factorize(counts, 2, random_state=0)
    model = Factorization.load("model.npz")
    np.testing.assert_array_equal(model.W, expected.W)
    assert stdout == f"{model!r}\n"


FIT = {
    "solver": "mu",
    "init": "nndsvda",
    "loss": "kullback-leibler",
    "alpha_W": 0.01,
    "alpha_H": 0.02,
    "l1_ratio": 0.5,
    "tol": 1e-3,
    "max_iter": 7,
    "time_limit": 100.0,
}


def test_factorize_passes_its_options_on(here):
    options = [(f"--{name.replace('_', '-')}", value) for name, value in FIT.items()]
    arguments = [word for option in options for word in option]
    succeed("factorize", "X.npz", "-k", 3, "--seed", 4, *arguments, "--save", "model.npz")
    expected = factorize(make_counts(), 3, random_state=4, **FIT)
    model = Factorization.load("model.npz")
    np.testing.assert_array_equal(model.W, expected.W)
    np.testing.assert_array_equal(model.H, expected.H)
    assert model.options == expected.options


def test_factorize_prints_topics_of_a_vocabulary(here):
    result = run("factorize", "X.npz", "-k", 2, "--tfidf", "--vocabulary", "terms.txt",
                 "--save", "m", "--document-table", "d.csv", "--terms", 8)  # fmt: skip
    assert result.exit_code == 0
    sea, kitchen = check_separated(read_topics(result.stdout))
    # Documents 1, 3, ... are of the sea.
    assert all(int(title.removeprefix("document ")) % 2 == 1 for title in sea[-1])
    assert all(int(title.removeprefix("document ")) % 2 == 0 for title in kitchen[-1])
    model = Factorization.load("m")
    assert result.stderr == f"{model!r}\n"
    # tf-idf weights have rows of length 1: that is the norm of 80 of them.
    assert model.x_norm == pytest.approx(np.sqrt(80), rel=1e-5)
    rows = read_csv(Path("d.csv").read_text())
    assert [len(rows), rows[1][:2]] == [81, ["1", "document 1"]]
    assert len({row[2] for row in rows[1::2]}) == 1


def test_progress_is_shown_on_request_and_on_stderr(here):
    quiet = run("factorize", "X.npz", "-k", 2, "--save", "model.npz")
    loud = run("factorize", "X.npz", "-k", 2, "--progress")
    assert quiet.stderr == ""
    assert "relative error" in loud.stderr
    assert loud.stdout.splitlines()[0] == quiet.stdout.splitlines()[0]
