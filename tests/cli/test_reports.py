"""Reports of the command line: as of the Python interface, and made again by their command."""

import shlex
from pathlib import Path

import numpy as np
import pytest

from sparsenmf import Factorization, factorize, find_topics

from ..corpus import TERMS, make_counts, make_texts
from ..pages import parse
from .commands import run, succeed


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
