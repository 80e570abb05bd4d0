"""`sparsenmf choose` tells texts from matrices, and weighs texts as `sparsenmf topics` does."""

import json
import zipfile

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import read_matrix, read_texts, select_n_components
from sparsenmf.topics.weighting import weigh_texts

pytest.importorskip("sklearn")
testing = pytest.importorskip("click.testing")

QUICK = ("-k", "2,3", "--repeats", "2", "--max-iter", "10", "--threads", "1")
OPTIONS = {"n_repeats": 2, "max_iter": 10, "n_threads": 1, "random_state": 0}
WORDS = ["cat dog bird fish mouse", "stock bond fund price trade", "goal match team coach cup"]


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(WORDS[i % 3].split(), 8)) for i in range(60)]


@pytest.fixture
def here(tmp_path, monkeypatch, texts):
    """A folder with the same texts in files of each kind, and a matrix."""
    monkeypatch.chdir(tmp_path)
    lines = "\n".join(texts) + "\n"
    for name in ("notes.txt", "notes.md", "notes"):
        (tmp_path / name).write_text(lines)
    (tmp_path / "half.txt").write_text("\n".join(texts[:30]))
    (tmp_path / "rest.txt").write_text("\n".join(texts[30:]))
    (tmp_path / "list.txt").write_text("half.txt\nrest.txt\n")
    rows = [f"{i},{text}" for i, text in enumerate(texts)]
    (tmp_path / "notes.csv").write_text("\n".join(["id,text", *rows]))
    records = [json.dumps({"body": text}) for text in texts]
    (tmp_path / "notes.jsonl").write_text("\n".join(records))
    (tmp_path / "letters").mkdir()
    for i, text in enumerate(texts):
        (tmp_path / "letters" / f"{i:02}.txt").write_text(text)
    sp.save_npz("X.npz", sp.random_array((30, 20), density=0.3, rng=0, format="csr"))
    np.savetxt("numbers.txt", np.random.default_rng(0).poisson(1.0, (30, 20)), fmt="%d")
    (tmp_path / "three.txt").write_text("1 2 3\n4 5 6\n")
    with zipfile.ZipFile(tmp_path / "texts.zip", "w") as archive:
        archive.writestr("notes.txt", "one text")
    (tmp_path / "cut.zip").write_bytes((tmp_path / "texts.zip").read_bytes()[:50])
    return tmp_path


def run(*arguments, **options):
    from sparsenmf.cli import group

    return testing.CliRunner().invoke(group, ["choose", *arguments], **options)


def table(result):
    assert result.exit_code == 0, (result.output, result.exception)
    found = json.loads(result.stdout)
    return found["loss"], [row["mean"] for row in found["candidates"]]


def expected(texts, weighting="tfidf", **words):
    X, _ = weigh_texts(texts, weighting, **{"min_df": 5, **words})
    found = select_n_components(X, [2, 3], **OPTIONS)
    return found.loss, found.table["mean"].tolist()


@pytest.mark.parametrize(
    "given",
    [
        ("notes.txt",),
        ("notes.md",),
        ("notes",),
        ("half.txt", "rest.txt"),
        ("--files-from", "list.txt"),
        ("notes.csv", "--field", "text"),
        ("notes.jsonl", "--field", "body"),
        ("letters",),
        ("letters", "--glob", "*.txt"),
        ("-",),
    ],
    ids=" ".join,
)
def test_texts_are_told_and_weighed_as_by_topics(here, texts, given):
    options = {"input": "\n".join(texts)} if given == ("-",) else {}
    result = run(*given, *QUICK, "--format", "json", **options)
    assert table(result) == expected(texts)


def test_counts_and_words_can_be_chosen(here, texts):
    words = ("--counts", "--min-df", "1", "--ngrams", "1", "2", "--stop-words", "stop.txt")
    (here / "stop.txt").write_text("cat\ngoal\n")
    result = run("notes.txt", *words, *QUICK, "--format", "json")
    options = {"min_df": 1, "ngrams": (1, 2), "stop_words": ["cat", "goal"]}
    assert table(result) == expected(texts, "counts", **options)
    assert table(result)[0] == "kullback-leibler"


def test_rows_of_numbers_are_a_matrix_and_stay_counts(here):
    result = run("numbers.txt", *QUICK, "--format", "json")
    found = select_n_components(read_matrix("numbers.txt"), [2, 3], **OPTIONS)
    assert table(result) == ("kullback-leibler", found.table["mean"].tolist())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "Missing argument 'MATRIX|TEXTS...'"),
        (("notes.txt", "--transpose"), "--transpose is for a matrix, and here are texts"),
        (("notes.txt", "--missing", "unknown"), "--missing is for a matrix, and here are texts"),
        (("X.npz", "--min-df", "3"), "--min-df is for texts, and X.npz is a matrix"),
        (("X.npz", "--field", "text"), "X.npz is a matrix, not texts"),
        (("X.npz", "notes.txt"), "X.npz is a matrix, not texts"),
        (("notes.txt", "X.npz", "--input-format", "table"), "--input-format is of one MATRIX"),
        (("notes.csv",), "needs a field (--field)"),
        (("notes.jsonl",), "needs a field (--field)"),
        (("three.txt",), "it has three columns of numbers"),
        (("notes.txt", "--input-format", "table"), "notes.txt is not a matrix"),
        (("texts.zip",), "type first: unzip texts.zip"),
        (("cut.zip",), "damaged or cut off"),
        (("nothing.txt",), "nothing.txt: No such file or directory"),
        (("notes.txt", "--table", "notes.txt"), "--table"),
        (("letters", "--plot", "letters/00.txt"), "should end in one of .png"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(here, words, message):
    result = run(*words, "-k", "2,3")
    assert result.exit_code in (1, 2)
    assert message in result.stderr.splitlines()[-1]
    assert result.stdout == ""


def test_titles_and_texts_stay_as_they_are(here, texts):
    before = (here / "notes.txt").read_bytes()
    run("notes.txt", *QUICK)
    assert (here / "notes.txt").read_bytes() == before
    assert read_texts("notes.txt")[1] == texts
