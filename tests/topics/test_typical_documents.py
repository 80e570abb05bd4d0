"""Typical documents: those whose words match a topic, not those with one of its words."""

import ast
import functools
import random
import re
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import sparsenmf
from sparsenmf import (
    CoordinateDescent,
    Factorization,
    Weights,
    factorize,
    find_topics,
    topic_labels,
    topic_table,
)
from sparsenmf.topics.typical_documents import typical_documents
from sparsenmf.topics.weighting import weigh_texts

from ..corpus import TERMS, make_counts

TITLES = [f"document {i}" for i in range(1, 81)]


def literal_matches(model, X):
    """The matches by their definition."""
    W, H, X = model.W.astype(float), model.H.astype(float), np.asarray(X, float)
    common = np.minimum(X[:, None, :], W[:, :, None] * H).sum(axis=2)
    total = (W @ H).sum(axis=1, keepdims=True)
    return np.divide(common, total, out=np.zeros_like(common), where=total > 0)


def literal_estimated_matches(model, X):
    """The estimated matches: from the sums and lengths of X's rows."""
    W, H, X = model.W.astype(float), model.H.astype(float), np.asarray(X, float)
    total = np.maximum((W @ H).sum(axis=1), 1e-300)
    share = W * H.sum(axis=1) / total[:, None]
    room = np.minimum(1, X.sum(axis=1) / total)
    cosine = W @ H @ (H / np.linalg.norm(H, axis=1)[:, None]).T
    cosine /= np.maximum(np.linalg.norm(X, axis=1), 1e-300)[:, None]
    return share * room[:, None] * np.minimum(1, cosine)


def check_best(found, matches, n):
    for r, rows in enumerate(found):
        best = np.sort(matches[:, r])[::-1][:n]
        np.testing.assert_allclose(matches[rows, r], best[best > 0], rtol=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
def test_typical_documents_are_those_of_the_definition(loss, dtype, monkeypatch):
    monkeypatch.setattr("sparsenmf.topics.typical_documents.CHUNK", 17)
    X = make_counts().toarray().astype(dtype)
    X[5] = 0
    X[6, 1:] = 0
    model = factorize(X, 3, loss=loss, random_state=0)
    check_best(typical_documents(model, 4, X), literal_matches(model, X), 4)
    check_best(typical_documents(model, 4), literal_estimated_matches(model, X), 4)
    assert [len(rows) for rows in typical_documents(model, 0, X)] == [0, 0, 0]


def test_x_may_have_any_type(tmp_path):
    pd = pytest.importorskip("pandas")
    X = make_counts().astype(float)
    model = factorize(X, 3, random_state=0)
    sparsenmf.write_csr(tmp_path / "store", X)
    store = sparsenmf.open_csr(tmp_path / "store")
    expected = [rows.tolist() for rows in typical_documents(model, 5, X)]
    for same in (X.toarray(), X.tocsc(), sp.coo_matrix(X), pd.DataFrame(X.toarray()), store):
        assert [rows.tolist() for rows in typical_documents(model, 5, same)] == expected
    unknown = np.where(X.toarray() > 0, X.toarray(), np.nan)
    guessed = factorize(unknown, 3, missing="unknown", random_state=0)
    check_best(typical_documents(guessed, 5, unknown), literal_matches(guessed, X.toarray()), 5)
    with pytest.raises(ValueError, match="X is 79 x 20, but this factorization is of 80 x 20"):
        typical_documents(model, 2, X[:79])


def test_tables_and_the_page_agree(tmp_path):
    X = make_counts()
    model = factorize(X, 3, random_state=0)
    for given in (None, X):
        rows = typical_documents(model, 2, given)
        table = topic_table(model, TERMS, n_documents=2, X=given)
        assert table["documents"] == [[TITLES[i] for i in found] for found in rows]
        labels = topic_labels(model, TERMS, TITLES, X=given)
        assert [label.split(": ")[1] for label in labels] == [TITLES[found[0]] for found in rows]
        model.report(tmp_path / "page.html", TERMS, n_documents=2, X=given)
        page = (tmp_path / "page.html").read_text()
        assert [int(n) - 1 for n in re.findall(r"document (\d+)</span>", page)] == [*np.ravel(rows)]
        shown = re.findall(r'document \d+</span></div> <span class="value">(\d+)%', page)
        matches = literal_matches(model, X.toarray()) if given is not None else None
        if matches is not None:
            for r, found in enumerate(rows):
                expected = [f"{matches[i, r]:.0%}"[:-1] for i in found]
                assert shown[2 * r : 2 * r + 2] == expected


def test_a_model_knows_the_norms_of_its_rows(tmp_path):
    X = make_counts().toarray().astype(float)
    X[3] = 0
    expected = np.column_stack([X.sum(axis=1), np.linalg.norm(X, axis=1)])
    sparsenmf.write_csr(tmp_path / "store", sp.csr_array(X))
    store = sparsenmf.open_csr(tmp_path / "store")
    weights = np.arange(80) % 3 + 0.5
    for given, options in [
        (X, {}),
        (X.astype(np.float32), {}),
        (X, {"weights": Weights(samples=weights, features=np.arange(1.0, 21))}),
        (X, {"solver": CoordinateDescent(low_memory=True), "weights": Weights(samples=weights)}),
        (X, {"loss": "kullback-leibler"}),
        (store, {}),
        (store, {"weights": Weights(samples=weights, features=np.arange(1.0, 21))}),
        (store, {"loss": "kullback-leibler"}),
    ]:
        model = factorize(given, 2, random_state=0, max_iter=5, **options)
        np.testing.assert_allclose(model.sample_norms, expected, rtol=1e-6)
        assert model.sample_norms.dtype == model.W.dtype
    model.save(tmp_path / "model.npz")
    loaded = Factorization.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(loaded.sample_norms, model.sample_norms)
    again = [rows.tolist() for rows in typical_documents(loaded, 3)]
    assert again == [rows.tolist() for rows in typical_documents(model, 3)]


def test_a_document_with_all_words_comes_before_one_repeated_word():
    """Two topics of eight words, the first of which is the most frequent."""
    words = np.array([8.0, 3, 3, 2, 2, 2, 2, 2])
    rng = np.random.default_rng(0)
    blocks = [(rng.random((60, 8)) < words / 10) * 1.0 for _ in range(2)]
    X = np.array(sp.block_diag(blocks).toarray())
    X[0], X[1], X[2], X[3] = 0, 0, 0, 0
    X[0, :8] = 1  # all words of the first topic
    X[1, 0] = 1  # one word, once
    X[2, 0] = 4  # and often
    X[3, :] = 1  # of everything
    for weigh in (lambda X: X, lambda X: X / np.linalg.norm(X, axis=1, keepdims=True).clip(1e-9)):
        for loss in ("frobenius", "kullback-leibler"):
            given = weigh(X)
            model = factorize(given, 2, loss=loss, random_state=0)
            topic = model.H[:, :8].sum(axis=1).argmax()
            for X_of_it in (given, None):
                found = typical_documents(model, 120, X_of_it)[topic].tolist()
                assert found.index(0) < min(found.index(1), found.index(2))
                if loss == "frobenius" or X_of_it is not None:
                    assert min(found.index(1), found.index(2)) > 20


@functools.cache
def docstrings():
    """The first lines of docstrings of Python's own library."""
    lines = []
    for path in sorted(Path(ast.__file__).parent.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        kinds = ast.FunctionDef | ast.ClassDef
        found = (ast.get_docstring(n) for n in ast.walk(tree) if isinstance(n, kinds))
        lines += [text.strip().split("\n")[0] for text in found if text]
    lines = sorted(set(lines))
    random.Random(0).shuffle(lines)
    return lines[:2000]


def check_words(texts, n_topics=12, **options):
    """Check that typical documents have no fewer words than others, with X and without."""
    topics = find_topics(texts, n_topics, random_state=0, **options)
    lengths = np.diff(topics.X.indptr)
    for X in (topics.X, None):
        rows = typical_documents(topics.model, 3, X)
        typical = lengths[np.concatenate(rows)]
        assert (typical == 1).mean() <= (lengths == 1).mean()
        assert typical.mean() >= 0.8 * lengths[lengths > 0].mean()
    return topics


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weighting": "counts"},
        {"weighting": "counts", "loss": "kullback-leibler"},
        {"loss": "kullback-leibler"},
        {"min_df": 2},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_one_word_is_not_typical_of_one_liners(options, tmp_path):
    pytest.importorskip("sklearn")
    topics = check_words(docstrings(), **options)
    topics.report(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    shown = re.findall(r'<ul class="documents">(.*?)</ul>', page, re.DOTALL)
    values = re.findall(r"· (\d+)%</span></li>", "".join(shown))
    assert len(values) == 36
    assert len(set(values)) > 10
    assert "100" not in values


@pytest.mark.parametrize("name", ["ag_news_test", "dblp_titles"])
def test_one_word_is_not_typical_of_real_texts(name, real_path):
    import gzip

    with gzip.open(real_path(name) / "texts.txt.gz", "rt", encoding="utf-8") as file:
        texts = file.read().split("\n")[:-1]
    random.Random(0).shuffle(texts)
    check_words(texts[:3000])


def test_weighed_texts_are_kept_with_their_topics():
    pytest.importorskip("sklearn")
    texts = [" ".join(random.Random(i).sample(TERMS, 6)) for i in range(60)]
    X, _ = weigh_texts(texts)
    np.testing.assert_array_equal(find_topics(texts, 2).X.toarray(), X.toarray())
