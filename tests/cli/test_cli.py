"""The command line gives the results of the Python interface, or a plain error."""

import csv
import io
import json
import os
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp

import sparsenmf
from sparsenmf import Factorization, factorize, find_topics, term_table
from sparsenmf.data.files import read_matrix, write_table

from ..corpus import (
    KITCHEN,
    SEA,
    TERMS,
    check_separated,
    make_counts,
    make_texts,
    read_printed,
)
from ..pages import parse

pytest.importorskip("sklearn")
testing = pytest.importorskip("click.testing")


def run(*arguments, stdin=None):
    from sparsenmf.cli import group

    arguments = [str(argument) for argument in arguments]
    return testing.CliRunner().invoke(group, arguments, input=stdin, prog_name="sparsenmf")


def succeed(*arguments, stdin=None):
    """Run; return what is on stdout."""
    result = run(*arguments, stdin=stdin)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def read_topics(stdout):
    """Return each printed topic: its share, both lists of its terms, and typical documents."""
    topics = read_printed(stdout)
    # Nothing else is on stdout.
    assert stdout.count("\n") == 3 * len(topics) + sum(len(topic[3]) for topic in topics)
    return topics


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with the corpus in several forms, to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    texts = make_texts()
    Path("notes.txt").write_text("\n".join(texts))
    Path("terms.txt").write_text("\n".join(TERMS) + "\n")
    sp.save_npz("X.npz", make_counts())
    write_table("notes.csv", {"id": range(80), "body": texts})
    records = [{"id": i, "body": text} for i, text in enumerate(texts)]
    Path("notes.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    Path("letters").mkdir()
    for i, text in enumerate(texts):
        Path("letters", f"{('sea', 'kitchen')[i % 2]}{i:02d}.txt").write_text(text)
    return tmp_path


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


def test_report_equals_that_of_the_python_interface(here):
    options = ("-k", 2, "--seed", 3)
    succeed("topics", "notes.csv", "--field", "body", *options, "--report", "page.html")
    page = parse(Path("page.html"))
    assert page.one("h1").text == "Topics of notes.csv"
    topics = find_topics(make_texts(), 2, random_state=3)
    topics.report("expected.html", title="Topics of notes.csv")
    expected = parse(Path("expected.html")).by_id("topics").text
    assert page.by_id("topics").text == expected

    succeed("factorize", "X.npz", "--vocabulary", "terms.txt", *options, "--report", "page.html")
    page = parse(Path("page.html"))
    assert page.one("h1").text == "Topics of X.npz"
    assert "Nonzeros480" in page.by_id("overview").text
    factorize(make_counts().astype(np.float32), 2, random_state=3).report("expected.html", TERMS)
    assert page.by_id("topics").text == parse(Path("expected.html")).by_id("topics").text


REPORTED = {
    "defaults": ("topics", "notes.txt"),
    "texts": (
        *("topics", "it's so.csv", "--field", "body", "-k", 3, "--ngrams", 1, 2, "--counts"),
        *("--loss", "kullback-leibler", "--max-df", 0.9, "--stop-words", "none", "--seed", 5),
    ),
    "folder": ("topics", "./-letters", "--max-terms", 15, "-k", 2, "--terms", 4),
    "matrix": (
        *("factorize", "X.npz", "-k", 2, "--tfidf", "--vocabulary", "terms.txt", "--low-memory"),
        *("--loss", "kullback-leibler", "--alpha-W", 1e-4, "--l1-ratio", 0.5, "--threads", 1),
    ),
}


@pytest.mark.parametrize("arguments", REPORTED.values(), ids=list(REPORTED))
def test_the_command_of_a_report_makes_the_same_report(arguments, here):
    Path("notes.csv").rename("it's so.csv")
    Path("letters").rename("-letters")
    printed = succeed(*arguments, "--no-progress", "--save", "m.npz", "--report", "page.html")
    page, model = parse(Path("page.html")), Factorization.load("m.npz")
    Path("page.html").unlink()
    command = page.one("code").text
    assert not {"--threads", "--no-progress"} & set(command.split())
    name, *words = shlex.split(command.replace("\\\n", ""))  # as a shell does
    assert name == "sparsenmf"
    assert succeed(*words) == printed
    np.testing.assert_array_equal(Factorization.load("m.npz").W, model.W)
    again = parse(Path("page.html"))
    assert again.by_id("topics").text == page.by_id("topics").text
    assert again.one("code").text == command


def test_report_needs_a_vocabulary_and_a_folder(here):
    result = run("factorize", "X.npz", "-k", 2, "--report", "page.html")
    assert result.exit_code == 2
    assert "--report needs a --vocabulary" in result.output
    result = run("topics", "notes.txt", "--report", "nowhere/page.html")
    assert result.exit_code == 1
    assert "there is no folder nowhere" in result.output


def read_csv(text):
    return list(csv.reader(io.StringIO(text)))


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


@pytest.mark.parametrize("by", ["weight", "distinctive", "0.5"])
def test_terms_are_shown_by_weight_or_as_distinctive_ones(by, here):
    order = by if by[0].isalpha() else float(by)
    arguments = ("factorize", "X.npz", "--vocabulary", "terms.txt", "-k", 2, "--by", by)
    found = json.loads(
        succeed(*arguments, "--format", "json", "--term-table", "t.csv", "--report", "r.html")
    )
    model = factorize(make_counts().astype(np.float32), 2, random_state=0)
    assert [topic["terms"] for topic in found] == model.top_terms(TERMS, by=order)
    assert "distinctive" not in found[0]
    write_table("expected.csv", term_table(model, TERMS, by=order))
    assert Path("t.csv").read_text() == Path("expected.csv").read_text()
    page = parse(Path("r.html"))
    assert page.by_id("list").all("ol", "distinctive") == []
    assert f"--by {by}" in page.one("code").text
    text = succeed(*arguments)
    assert "distinctive:" not in text
    succeed(*arguments[:-2], "--save", "m.npz")
    shown = succeed("info", "m.npz", "--vocabulary", "terms.txt", "--by", by)
    heads = [f"{r}. {', '.join(t)}" for r, t in enumerate(model.top_terms(TERMS, by=order), 1)]
    assert [line.strip() for line in shown.splitlines()[3:]] == heads


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("lift", "'lift' is neither a number nor one of both, weight, distinctive"),
        *((by, f"{float(by)} is not a number from 0 to 1") for by in ("2", "-1", "nan")),
    ],
)
def test_invalid_orders_are_refused_before_the_fit(by, message, here):
    result = run("factorize", "nowhere.npz", "-k", 2, "--by", by)
    assert result.exit_code == 2
    assert f"'--by': {message}" in result.output


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


def test_tables_can_be_written_for_excel(here):
    openpyxl = pytest.importorskip("openpyxl")
    arguments = ("topics", "notes.txt", "-k", 2, "--format", "csv")
    tables = {"topic": "topics.csv", "term": "terms.tsv", "document": "documents.xlsx"}
    options = [word for name, path in tables.items() for word in (f"--{name}-table", path)]
    plain = succeed(*arguments, *options)
    texts = {path: Path(path).read_bytes() for path in ("topics.csv", "terms.tsv")}
    assert succeed(*arguments, *options, "--excel") == f"\ufeff{plain}"
    for path, text in texts.items():
        assert Path(path).read_bytes() == b"\xef\xbb\xbf" + text
    sheet = openpyxl.load_workbook("documents.xlsx").active
    rows = list(sheet.iter_rows(values_only=True))
    table = find_topics(make_texts(), 2, random_state=0).document_table()
    assert rows[0] == tuple(table)
    assert [row[1] for row in rows[1:]] == table["title"]
    succeed("factorize", "X.npz", "-k", 2, "--save", "m.npz")
    succeed("transform", "m.npz", "X.npz", "--output", "W.csv", "--excel")
    assert Path("W.csv").read_text(encoding="utf-8-sig").startswith("topic_1,topic_2\n")
    assert Path("W.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    refused = run("factorize", "X.npz", "-k", 2, "--document-table", "d.xls")
    assert refused.exit_code == 2
    assert ".xlsx" in refused.output


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


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv", ".tsv", ".parquet"])
def test_transform_writes_the_weights(suffix, here):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    pd = pytest.importorskip("pandas")
    model = factorize(make_counts(), 3, random_state=0)
    model.save("model.npz")
    assert succeed("transform", "model.npz", "X.npz", "--output", f"W{suffix}") == ""
    expected = model.transform(make_counts())
    if suffix in (".npy", ".npz"):
        found = read_matrix(f"W{suffix}").toarray()
    elif suffix == ".parquet":
        found = pd.read_parquet("W.parquet").to_numpy()
    else:
        separator = "\t" if suffix == ".tsv" else ","
        found = pd.read_csv(f"W{suffix}", sep=separator).to_numpy(np.float32)
    np.testing.assert_array_equal(found, expected)


def test_info_of_a_matrix(here):
    stdout = succeed("info", "X.npz", "-k", 5)
    forecast = sparsenmf.estimate_memory(read_matrix("X.npz"), 5)
    assert "80 x 20, 480 nonzeros (30.000%)" in stdout
    assert "float32" in stdout
    assert f"5 components takes {forecast}" in stdout


def test_info_of_a_model(here):
    model = factorize(make_counts(), 2, random_state=0)
    model.save("model.npz")
    assert succeed("info", "model.npz") == f"{model!r}\n"
    stdout = succeed("info", "model.npz", "--vocabulary", "terms.txt", "--terms", 3)
    lists = zip(model.top_terms(TERMS, 3), model.top_terms(TERMS, 3, by="distinctive"), strict=True)
    heads = [
        line
        for r, (terms, distinctive) in enumerate(lists, 1)
        for line in (f"{r}. {', '.join(terms)}", f"distinctive: {', '.join(distinctive)}")
    ]
    assert [line.strip() for line in stdout.splitlines()[3:]] == heads


@pytest.mark.parametrize("folder", [Path("somewhere"), None])
def test_warmup_prints_the_folder_or_says_that_there_is_none(folder, monkeypatch):
    monkeypatch.setattr("sparsenmf.models.warmup.warmup", lambda *names, progress: folder)
    result = run("warmup")
    if folder is None:
        assert result.exit_code == 1
        assert "not stored" in result.stderr
        assert result.stdout == ""
    else:
        assert (result.exit_code, result.stdout) == (0, "somewhere\n")


FAILURES = [
    (["topics", "missing.txt"], "missing.txt: No such file"),
    (["topics", "notes.txt", "--stop-words", "missing.txt"], "missing.txt: No such file"),
    (["topics", "notes.txt", "-k", 200], "n_components is 200, but X is 80 x 20"),
    (["topics", "notes.txt", "--min-df", 70], "leave no terms"),
    (["topics", "notes.csv"], "notes.csv needs a field"),
    (["topics", "notes.csv", "--field", "text"], "no column 'text'"),
    (["topics", "X.npz"], "X.npz is a matrix, not texts"),
    (["topics", "empty"], "there are no files in empty"),
    (["topics", "notes.txt", "--save", "no/where.npz"], "no folder no"),
    (["factorize", "missing.npz", "-k", 2], "missing.npz: No such file"),
    (["factorize", "broken.npz", "-k", 2], "broken.npz is not a matrix that can be used"),
    (["factorize", "notes.txt", "-k", 2], "notes.txt is not a matrix"),
    (["factorize", "negative.npy", "-k", 1], "negative value (-1) at row 0, column 1"),
    (["factorize", "X.npz", "-k", 2, "--loss", "0"], "infinite where X is zero"),
    (["factorize", "X.npz", "-k", 2, "--vocabulary", "short.txt"], "short.txt has 2 terms"),
    (["factorize", "X.npz", "-k", 2, "--solver", "cd", "--loss", "1.5"], 'solver="cd"'),
    (["transform", "X.npz", "X.npz", "--output", "W.npy"], "not a whole saved Factorization"),
    (["info", "missing.npz"], "missing.npz: No such file"),
    (["info", "empty"], "empty is not a store"),
]


@pytest.mark.parametrize(("arguments", "message"), FAILURES)
def test_an_error_is_one_line_and_exit_code_1(arguments, message, here):
    Path("empty").mkdir()
    Path("broken.npz").write_bytes(Path("X.npz").read_bytes()[:100])
    Path("short.txt").write_text("anchor\nbutter\n")
    np.save("negative.npy", np.array([[1, -1]]))
    before = sorted(os.listdir())
    result = run(*arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert message in line
    assert sorted(os.listdir()) == before


WRONG_USES = [
    ["nothing"],
    ["topics"],
    ["topics", "notes.txt", "-k", "0"],
    ["topics", "notes.txt", "-k", "many"],
    ["topics", "notes.txt", "--loss", "hinge"],
    ["topics", "notes.txt", "--min-df", "few"],
    ["topics", "notes.txt", "--format", "xml"],
    ["topics", "notes.txt", "--term-table", "terms.xls"],
    ["factorize", "X.npz"],
    ["factorize", "X.npz", "-k", "2", "--topic-table", "t.csv"],
    ["factorize", "X.npz", "-k", "2", "--l1-ratio", "2"],
    ["factorize", "X.npz", "-k", "2", "--time-limit", "0"],
    ["transform", "model.npz", "X.npz"],
    ["transform", "model.npz", "X.npz", "--output", "W.txt"],
]


@pytest.mark.parametrize("arguments", WRONG_USES, ids=" ".join)
def test_wrong_usage_is_exit_code_2(arguments, here):
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("Usage: sparsenmf")
    assert "Error: " in result.stderr


def test_outputs_that_cannot_be_written_are_refused_before_the_fit(here, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr(
        "sparsenmf.data.texts.read_texts", lambda *_, **__: pytest.fail("the work began")
    )
    for option, message in (
        (
            "--document-table=d.parquet",
            'writing .parquet needs pyarrow: pip install "sparsenmf[parquet]"',
        ),
        ("--term-table=no/where.csv", "cannot save no/where.csv: there is no folder no"),
        ("--save=no/where", "cannot save no/where: there is no folder no"),
        ("--vocabulary-out=no/where", "cannot save no/where: there is no folder no"),
    ):
        result = run("topics", "notes.txt", option)
        assert (result.exit_code, result.stderr) == (1, f"Error: {message}\n")


ERRORS = {
    "not enough memory": MemoryError(),
    "not enough memory: Unable to allocate": MemoryError("Unable to\nallocate"),
    "the factors overflow": OverflowError("the factors\noverflow"),
    "X must be a number": TypeError("X must be a number"),
    "ValueError": ValueError(),
    "[Errno 5] Input/output error": OSError(5, "Input/output error"),
    "disk: Input/output error": OSError(5, "Input/output error", "disk"),
}


@pytest.mark.parametrize("message", ERRORS)
def test_errors_of_the_interface_are_one_line(message, here, monkeypatch):
    def fail(*args, **kwargs):
        raise ERRORS[message]

    monkeypatch.setattr("sparsenmf.models.factorize.factorize", fail)
    result = run("factorize", "X.npz", "-k", 2)
    assert result.exit_code == 1
    assert result.stderr == f"Error: {message}\n"


def test_errors_of_our_own_are_not_hidden(here, monkeypatch):
    def fail(*args, **kwargs):
        raise KeyError("a mistake of ours")

    monkeypatch.setattr("sparsenmf.models.factorize.factorize", fail)
    assert isinstance(run("factorize", "X.npz", "-k", 2).exception, KeyError)


COMMANDS = ["topics", "factorize", "choose", "transform", "store", "info", "warmup"]


@pytest.mark.parametrize("command", [*COMMANDS, None])
def test_help_begins_with_its_three_commonest_uses(command, here):
    from sparsenmf.cli import group

    stdout = succeed(*filter(None, [command]), "--help")
    assert stdout == succeed(*filter(None, [command]), "-h")
    usage, examples, *rest = stdout.split("\n\n")
    assert usage.startswith("Usage: ")
    title, *lines = [line.strip() for line in examples.splitlines()]
    assert title == "Examples:"
    assert len(lines) == 3
    assert "Options:" in stdout.split("Examples:")[1]
    assert "Examples:" not in "\n\n".join(rest)
    for line in lines:
        assert re.search(rf"\bsparsenmf {command or ''}", line)
        words = shlex.split(re.split(r"\bsparsenmf ", line.split("  ")[0])[-1])
        called = group.commands[words[0]]
        with called.make_context(words[0], words[1:]):  # its arguments and options are right
            pass


def test_every_command_has_a_test_of_its_help():
    from sparsenmf.cli import group

    assert set(group.commands) == set(COMMANDS)
    listed = succeed("--help").split("Commands:")[1]
    assert not re.search(r"  Examples", listed)


def test_version():
    assert sparsenmf.__version__ in succeed("--version")


def test_progress_is_shown_on_request_and_on_stderr(here):
    quiet = run("factorize", "X.npz", "-k", 2, "--save", "model.npz")
    loud = run("factorize", "X.npz", "-k", 2, "--progress")
    assert quiet.stderr == ""
    assert "relative error" in loud.stderr
    assert loud.stdout.splitlines()[0] == quiet.stdout.splitlines()[0]
