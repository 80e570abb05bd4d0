"""The scripts of a report: as they are, they find the same topics."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import (
    NMF,
    NNDSVD,
    Checkpoint,
    CoordinateDescent,
    Factorization,
    RandomStarts,
    Seeds,
    Weights,
    factorize,
    find_topics,
)
from sparsenmf.topics.report.script import READ_MATRIX, READ_TEXTS

from ...corpus import TERMS, make_counts, make_texts
from ...pages import parse

text = pytest.importorskip("sklearn.feature_extraction.text")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder with the files that the scripts read."""
    monkeypatch.chdir(tmp_path)
    Path("texts.txt").write_text("\n".join(make_texts()))
    sp.save_npz("X.npz", make_counts())


def run(page):
    """Run the script of a page, and return its variables."""
    script = parse(Path(page)).one("code").text
    names = {}
    exec(compile(script, page, "exec"), names)
    return names


def check_same(model, expected):
    np.testing.assert_array_equal(model.W, expected.W)
    np.testing.assert_array_equal(model.H, expected.H)
    assert model.options == expected.options


SEEDS = {"sea": ["whale", "wind"], "kitchen": ["oven"]}

FOUND = {
    "plain": {},
    "counts": {"weighting": "counts", "loss": "kullback-leibler", "random_state": 3},
    "terms": {"ngrams": (1, 2), "min_df": 2, "max_df": 0.9, "max_terms": 30, "stop_words": None},
    "words": {"stop_words": frozenset(TERMS[:3]), "token_pattern": r"\b[a-z]{4,}\b"},
    "long": {"stop_words": [f"quote ' and \\ and \n {i}" for i in range(200)] + TERMS[:3]},
    "seeds": {"seeds": Seeds(SEEDS, strength="support"), "random_state": np.int64(4)},
    "restarts": {
        "init": RandomStarts(3),
        "alpha_W": np.float64(1e-3),
        "progress": True,
        "n_threads": 1,
    },
}


@pytest.mark.parametrize("options", FOUND.values(), ids=list(FOUND))
def test_the_script_finds_the_same_topics(options):
    options = dict(options)
    if options.get("stop_words"):
        options["stop_words"] = iter(options["stop_words"])  # which is read once
    found = find_topics(make_texts(), 3, titles=[f"title {i}" for i in range(80)], **options)
    found.report("page.html")
    again = run("page.html")["topics"]
    check_same(again.model, found.model)
    assert again.terms.tolist() == found.terms.tolist()
    shown = parse(Path("topics.html")).by_id("list").all("article")  # which the script has written
    names = found.model.top_terms(found.terms, 3, by="distinctive")
    for article, terms in zip(shown, names, strict=True):
        assert article.one("h3").one("span", "name").text == ", ".join(terms)


def test_the_script_is_a_script():
    find_topics(make_texts(), 2, random_state=0).report("page.html")
    Path("again.py").write_text(parse(Path("page.html")).one("code").text)
    subprocess.run([sys.executable, "again.py"], check=True, timeout=120)
    assert Path("topics.html").exists()


FITTED = {
    "plain": {},
    "seed": {"random_state": 7, "loss": "kullback-leibler", "alpha_W": 0.1, "l1_ratio": 0.5},
    "mu": {"random_state": 1, "solver": "mu", "loss": 1.5, "max_iter": 9, "tol": 0},
    "sweeps": {
        "random_state": 1,
        "solver": CoordinateDescent(max_sweeps=3, extrapolate=False),
        "init": "nndsvd",
    },
    "unknown": {"random_state": 1, "missing": "unknown", "alpha_W": 1e-3},
    "sample": {"random_state": 1, "init": NNDSVD(sample=0.5, n_iter=np.int64(3))},
    "scaled": {
        "random_state": 1,
        "loss": "kullback-leibler",
        "init": NNDSVD(scaled=True, sample=0.5),
        "solver": "mu",
    },
    "restarts": {"init": RandomStarts(3)},
    "restarts of a seed": {"init": RandomStarts(2), "random_state": 5},
}


@pytest.mark.parametrize("options", FITTED.values(), ids=list(FITTED))
def test_the_script_makes_the_same_model(options):
    model = factorize(make_counts(), 3, **options)
    model.save("model.npz")
    Factorization.load("model.npz").report("page.html", TERMS)
    check_same(run("page.html")["model"], model)


def test_the_script_of_an_estimator_makes_the_same_model():
    nmf = NMF(3, beta_loss="kullback-leibler", random_state=2).fit(make_counts())
    nmf.factorization_.report("page.html", TERMS)
    check_same(run("page.html")["model"], nmf.factorization_)


VECTORIZERS = [
    text.TfidfVectorizer(),
    text.TfidfVectorizer(stop_words="english", min_df=2, sublinear_tf=True, dtype=np.float32),
    text.CountVectorizer(ngram_range=(1, 2), max_features=30, vocabulary=None),
    text.HashingVectorizer(n_features=16, alternate_sign=False),
]


@pytest.mark.parametrize("vectorizer", VECTORIZERS, ids=lambda v: type(v).__name__)
def test_the_script_has_the_vectorizer(vectorizer):
    X = vectorizer.fit_transform(make_texts())
    model = factorize(X, 3, random_state=0)
    terms = [f"term {j}" for j in range(X.shape[1])]
    model.report("page.html", terms, vectorizer=vectorizer)
    names = run("page.html")
    check_same(names["model"], model)
    assert repr(names["vectorizer"]) == repr(vectorizer)


def test_what_must_be_replaced_is_marked():
    rng = np.random.default_rng(0)
    custom = factorize(
        make_counts(),
        3,
        W=rng.random((80, 3)),
        weights=Weights(features=np.arange(20.0)),
        random_state=rng,
    )
    custom.report("page.html", TERMS, vectorizer=text.TfidfVectorizer(tokenizer=str.split))
    code = parse(Path("page.html")).one("code").text
    ast.parse(code)
    assert "weights=sparsenmf.Weights(features=...),  # REPLACE" in code
    for name in ("W", "tokenizer"):
        assert re.search(rf"^    {name}=\.\.\.,  # REPLACE", code, re.MULTILINE), name
    assert "random_state=None,  # a model does not keep a generator" in code
    weights = np.linspace(1, 2, 80)
    find_topics(make_texts(), 2, weights=Weights(samples=weights), progress=print).report(
        "page.html"
    )
    code = parse(Path("page.html")).one("code").text
    ast.parse(code)
    assert "weights=...,  # REPLACE by your Weights" in code
    assert "progress" not in code
    find_topics(make_texts(), 2, stop_words=["a" * 100] * 1000).report("page.html")
    assert "stop_words=...,  # REPLACE by your list" in parse(Path("page.html")).one("code").text


def test_the_size_of_what_is_read_is_named():
    factorize(make_counts(), 3, random_state=0).report("page.html", TERMS)
    code = parse(Path("page.html")).one("code").text
    assert READ_MATRIX.format(80, 20, "float32") in code
    find_topics(make_texts(), 2).report("page.html")
    assert READ_TEXTS.format(80) in parse(Path("page.html")).one("code").text


def test_a_script_of_ones_own_is_shown_as_it_is():
    script = "make <topics> & more\n\tcd ..\x1b[31m\n"
    factorize(make_counts(), 3, random_state=0).report("page.html", TERMS, script=script)
    assert parse(Path("page.html")).one("code").text == "make <topics> & more\n\tcd ..\ufffd[31m"


def test_a_run_that_goes_on_keeps_the_seed_it_began_with():
    options = {"checkpoint": Checkpoint("state", resume=True), "tol": 0}
    begun = factorize(make_counts(), 3, max_iter=3, **options)
    ended = factorize(make_counts(), 3, max_iter=12, **options)
    assert ended.options["random_state"] == begun.options["random_state"]
    again = factorize(
        make_counts(), 3, max_iter=12, tol=0, random_state=ended.options["random_state"]
    )
    check_same(again, ended)
