"""The command reads and splits texts as the Python interface does, and uses saved topics."""

import csv
import gzip
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import Factorization, Topics, find_topics, read_texts
from sparsenmf.data.files import write_table
from sparsenmf.topics.weighting import weigh_counts

from ..corpus import TERMS, make_counts, make_texts
from ..pages import parse
from .commands import run, succeed

pytest.importorskip("sklearn")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to work in, with the corpus in several forms."""
    monkeypatch.chdir(tmp_path)
    texts = make_texts()
    Path("notes.txt").write_text("\n".join(texts))
    write_table("notes.csv", {"id": range(80), "body": texts})
    Path("letters").mkdir()
    for i, text in enumerate(texts):
        Path("letters", f"{i:02d}.md").write_text(text)
    Path("letters", "._00.md").write_bytes(b"\0\5\7")
    sp.save_npz("X.npz", make_counts())
    return tmp_path


GERMAN = ["Die Bevölkerung wählt", "Größere Städte erhöhen", "Züge nach München"] * 4

READ = {
    "encoding": ("latin.txt", ["--encoding", "latin-1"], {"encoding": "latin-1"}),
    "delimiter": (
        "colon.csv",
        ["--field", "text", "--delimiter", ":"],
        {"field": "text", "delimiter": ":"},
    ),
    "quotes": (
        "quotes.csv",
        ["--field", "text", "--no-quotes"],
        {"field": "text", "quotes": False},
    ),
    "glob": ("several", ["--glob", "*.md"], {"glob": "*.md"}),
    "whole": ("notes.txt", ["--whole-files", "latin.txt", "--encoding", "latin-1"], None),
    "compressed": ("notes.csv.gz", ["--field", "body"], {"field": "body"}),
    "titles": ("notes.csv", ["--field", "body", "--title-field", "id"],
               {"field": "body", "title_field": "id"}),
}  # fmt: skip


@pytest.fixture
def more(here):
    """Write files that can be read only with an option."""
    Path("latin.txt").write_bytes("\n".join(GERMAN).encode("latin-1"))
    Path("colon.csv").write_text("id:text\n" + "".join(f"{i}:{x}\n" for i, x in enumerate(GERMAN)))
    rows = "".join(f'{i},"{x}\n' for i, x in enumerate(GERMAN))
    Path("quotes.csv").write_text(f"id,text\n{rows}")
    Path("notes.csv.gz").write_bytes(gzip.compress(Path("notes.csv").read_bytes()))
    Path("several").mkdir()
    for i, text in enumerate(GERMAN):
        Path("several", f"{i:02d}.md").write_text(text)
    Path("several", "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize("case", READ)
def test_texts_are_read_as_by_the_interface(case, more):
    path, options, given = READ[case]
    paths = [path]
    if given is None:
        paths, given = [path, "latin.txt"], {"encoding": "latin-1", "whole_files": True}
    words = ["--min-df", 1, "--max-df", 1.0, "-k", 2]
    succeed("topics", path, *options, *words, "--save", "model", "--vocabulary-out", "words.txt")
    titles, texts = read_texts(paths, **given)
    found = find_topics(texts, 2, titles=titles, min_df=1, max_df=1.0, random_state=0)
    assert Path("words.txt").read_text().split("\n")[:-1] == list(found.terms)
    loaded = Topics.load("model")
    assert loaded.titles == titles
    np.testing.assert_array_equal(loaded.model.W, found.model.W)
    succeed("transform", "model", path, *options, "--output", "W.npy")
    np.testing.assert_array_equal(np.load("W.npy"), found.transform(texts))


WORDS = {
    "ngrams of one number": (["--ngrams", 2], {"ngrams": 2}),
    "ngrams of two": (["--ngrams", 1, 2], {"ngrams": (1, 2)}),
    "ngrams in one word": (["--ngrams", "1-3"], {"ngrams": (1, 3)}),
    "ngrams with =": (["--ngrams=2"], {"ngrams": (2, 2)}),
    "characters": (["--analyzer", "char", "--ngrams", 3], {"analyzer": "char", "ngrams": 3}),
    "within words": (["--analyzer", "char_wb", "--ngrams", 2, 3],
                     {"analyzer": "char_wb", "ngrams": (2, 3)}),
    "pattern": (["--token-pattern", "[a-z]{5}"], {"token_pattern": "[a-z]{5}"}),
    "length": (["--min-length", 6], {"min_length": 6}),
    "short": (["--min-length", 1], {"min_length": 1}),
    "case": (["--keep-case"], {"lowercase": False}),
}  # fmt: skip


@pytest.mark.parametrize("case", WORDS)
@pytest.mark.parametrize("last", [True, False])
def test_words_are_split_as_by_the_interface(case, last, here):
    options, given = WORDS[case]
    texts = [f"{text.title()} {text} x 5g" for text in make_texts()]
    Path("notes.txt").write_text("\n".join(texts))
    words = ["notes.txt", *options] if last else [*options, "notes.txt"]
    succeed("topics", *words, "-k", 2, "--max-df", 1.0, "--save", "m")
    found = find_topics(texts, 2, max_df=1.0, random_state=0, **given)
    loaded = Topics.load("m")
    assert list(loaded.terms) == list(found.terms)
    np.testing.assert_array_equal(loaded.model.H, found.model.H)


@pytest.mark.parametrize("wrong", [["--ngrams", "0"], ["--ngrams", 2, 1], ["--ngrams", "few"],
                                   ["--encoding", "none"], ["--delimiter", "::"],
                                   ["--analyzer", "words"], ["--min-length", 0]])  # fmt: skip
def test_wrong_options_are_wrong_usage(wrong, here):
    result = run("topics", "notes.txt", *wrong)
    assert result.exit_code == 2
    assert wrong[0] in result.stderr


def test_the_command_of_a_report_has_these_options(more):
    arguments = ["--ngrams", 1, 2, "--encoding", "latin-1", "--keep-case", "--min-length", 3]
    arguments += ["--min-df", 1, "--glob", "*.txt", "--no-quotes", "-k", 2, "--report", "page.html"]
    printed = succeed("topics", "latin.txt", *arguments)
    name, *words = shlex.split(parse(Path("page.html")).one("code").text.replace("\\\n", ""))
    assert name == "sparsenmf"
    assert succeed(*words) == printed


def test_stop_words_have_an_encoding_too(more):
    for encoding in ("utf-8", "latin-1", "utf-16"):
        Path("stop.txt").write_bytes("Städte\nnach\n\nZüge".encode(encoding))
        options = ["--stop-words", "stop.txt", "--encoding", "latin-1", "--min-df", 1, "-k", 2]
        succeed("topics", "latin.txt", *options, "--vocabulary-out", "words.txt")
        words = Path("words.txt").read_text().split()
        assert set(words) == {"die", "bevölkerung", "wählt", "größere", "erhöhen", "münchen"}
    Path("stop.txt").write_bytes("Städte".encode("latin-1"))
    result = run("topics", "notes.txt", "--stop-words", "stop.txt")
    assert result.exit_code == 1
    assert "stop.txt, line 1, is not UTF-8" in result.stderr


def test_a_list_of_files_in_a_file(here):
    names = sorted(map(str, Path("letters").glob("[0-9]*.md")))
    Path("list.txt").write_text("\n".join(names) + "\n")
    options = ["--whole-files", "-k", 2, "--format", "json", "--no-progress"]
    expected = json.loads(succeed("topics", *names, *options))
    assert json.loads(succeed("topics", "--files-from", "list.txt", *options)) == expected
    stdin = "\n".join(names).encode()
    assert json.loads(succeed("topics", "--files-from", "-", *options, stdin=stdin)) == expected
    assert expected[0]["documents"][0].startswith("letters")
    result = run("topics", *options)
    assert result.exit_code == 2
    assert "Missing argument 'PATH...'" in result.stderr


def test_results_may_be_written_into_the_folder_of_texts(here):
    for _ in range(2):
        options = ["-k", 2, "--glob", "*.md", "--save", "letters/model.npz"]
        succeed("topics", "letters", *options, "--report", "letters/page.html")
    result = run("topics", "letters", "-k", 2, "--report", "letters/page.html")
    assert "letters/page.html is also read" in result.stderr


def test_a_store_is_not_written_to(here):
    succeed("factorize", "X.npz", "-k", 2, "--save", "model")
    succeed("store", "X.npz", "store")
    before = {path: path.read_bytes() for path in Path("store").rglob("*.npy")}
    assert before
    for path in before:
        result = run("transform", "model", "store", "--output", path)
        assert (result.exit_code, path.read_bytes()) == (1, before[path])
        assert f"{path} is also read" in result.stderr


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".npy", ".npz"])
def test_saved_topics_are_used_on_new_texts(suffix, here):
    pd = pytest.importorskip("pandas")
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    succeed("topics", "notes.txt", "-k", 2, "--save", "model")
    Path("new.txt").write_text("whale storm\n\noven sugar\nnothing\n")
    result = run("transform", "model", "new.txt", "--output", f"shares{suffix}")
    assert (result.exit_code, result.stdout) == (0, "")
    found = find_topics(make_texts(), 2, random_state=0)
    W = found.transform(["whale storm", "oven sugar", "nothing"])
    if suffix == ".npy":
        np.testing.assert_array_equal(np.load("shares.npy"), W)
        return
    if suffix == ".npz":
        np.testing.assert_array_equal(sp.load_npz("shares.npz").toarray(), W)
        return
    if suffix == ".parquet":
        table = pd.read_parquet("shares.parquet")
    else:
        table = pd.read_csv(f"shares{suffix}", sep="\t" if suffix == ".tsv" else ",")
    assert list(table["title"]) == ["whale storm", "oven sugar", "nothing"]
    sea = 1 + int("whale" in found.model.top_terms(found.terms)[1])
    assert list(table["topic"])[:2] == [sea, 3 - sea]
    shares = table[["topic_1", "topic_2"]].to_numpy()
    np.testing.assert_allclose(shares.sum(axis=1), [1, 1, 0])
    assert "3 texts written to shares" in result.stderr


def test_new_texts_come_from_anywhere(here):
    succeed("topics", "notes.txt", "-k", 2, "--save", "model")
    sources = [
        ["notes.csv", "--field", "body"],
        ["letters"],
        ["letters", "--glob", "*.md"],
        ["notes.txt"],
        ["-"],
    ]
    expected = Topics.load("model").transform(make_texts())
    for source in sources:
        stdin = Path("notes.txt").read_bytes()
        succeed("transform", "model", *source, "--output", "W.npy", stdin=stdin)
        np.testing.assert_array_equal(np.load("W.npy"), expected)
    succeed("transform", "model", "notes.txt", "letters", "--output", "W.npy")
    np.testing.assert_array_equal(np.load("W.npy"), np.vstack([expected, expected]))


def test_saved_topics_take_a_matrix_of_their_terms(here):
    succeed("topics", "notes.txt", "-k", 2, "--save", "model", "--vocabulary-out", "words.txt")
    order = [TERMS.index(term) for term in Path("words.txt").read_text().split()]
    sp.save_npz("counts.npz", make_counts()[:, order])
    succeed("transform", "model", "counts.npz", "--output", "W.npy")
    expected = Topics.load("model").transform(make_texts())
    np.testing.assert_allclose(np.load("W.npy"), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("arguments", [["X.npz", "--field", "body"], ["X.npz", "X.npz"], [],
                                       ["X.npz", "--encoding", "latin-1"]])  # fmt: skip
def test_a_model_of_a_matrix_takes_one_matrix(arguments, here):
    succeed("factorize", "X.npz", "-k", 2, "--save", "model")
    result = run("transform", "model", *arguments, "--output", "W.npy")
    assert result.exit_code == 2
    assert "topics --save writes models of texts" in " ".join(result.stderr.split())


def test_tfidf_of_factorize_is_that_of_transform(here):
    succeed("factorize", "X.npz", "-k", 2, "--tfidf", "--save", "model", "--no-progress")
    succeed("transform", "model", "X.npz", "--output", "W.npy")
    model = Factorization.load("model")
    weighed = weigh_counts(make_counts())
    np.testing.assert_array_equal(np.load("W.npy"), model.transform(weighed))
    sp.save_npz("weighed.npz", sp.csr_array(weighed))
    succeed("transform", "model", "weighed.npz", "--output", "W2.npy")
    np.testing.assert_array_equal(np.load("W2.npy"), np.load("W.npy"))
    sp.save_npz("shares.npz", make_counts() * 0.25)
    result = run("transform", "model", "shares.npz", "--output", "W3.npy")
    assert result.exit_code == 1
    assert "pass the counts" in result.stderr
    result = run("factorize", "shares.npz", "-k", 2, "--tfidf")
    assert "tf-idf weighs counts" in result.stderr


def test_remarks_are_one_line(here):
    lines = ["今天天气很好我们去公园散步", "股票市场今天下跌了很多"] * 9
    Path("chinese.txt").write_text("\n".join(lines))
    result = run("topics", "chinese.txt", "-k", 2)
    assert result.exit_code == 0
    remarks = [line for line in result.stderr.splitlines() if line.startswith("Remark: ")]
    assert len(remarks) == 1
    assert "--analyzer char --ngrams 2" in remarks[0]
    assert "UserWarning" not in result.stderr
    result = run("topics", "chinese.txt", "-k", 2, "--analyzer", "char", "--ngrams", 2)
    assert "Remark" not in result.stderr
    assert re.search(r"^  1\. ", result.stdout)


def test_shares_are_written_as_csv_that_can_be_read(here):
    succeed("topics", "notes.txt", "-k", 2, "--save", "model")
    Path("new.csv").write_text('id,text\n"a, b","whale, ""storm"""\n')
    options = ["--field", "text", "--title-field", "id", "--output", "shares.csv"]
    succeed("transform", "model", "new.csv", *options)
    with open("shares.csv", newline="") as file:
        header, row = csv.reader(file)
    assert header == ["document", "title", "topic", "share", "topic_1", "topic_2"]
    assert row[1] == "a, b"
