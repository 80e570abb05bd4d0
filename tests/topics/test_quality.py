"""Measures of topics, compared with their definitions."""

import sys

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from sparsenmf import (
    Factorization,
    factorize,
    label_agreement,
    quality_table,
    topic_coherence,
    topic_diversity,
    topic_exclusivity,
    topic_labels,
    topic_sizes,
)

from ..corpus import KITCHEN, SEA, TERMS, make_counts, make_texts


def make_model(W, H):
    """A factorization with these factors."""
    W, H = np.asarray(W, dtype=float), np.asarray(H, dtype=float)
    rest = {"stop_reason": "converged", "optimality": 0.0, "x_norm": 1.0, "error": 0.1}
    history = np.array([0.5])
    return Factorization(W=W, H=H, objective_history=history, time_history=history, **rest)


def random_model(seed, n=12, m=9, k=4):
    rng = np.random.default_rng(seed)
    factors = (rng.random(shape) * (rng.random(shape) < 0.5) for shape in ((n, k), (k, m)))
    return make_model(*factors)


@pytest.fixture(scope="module")
def model():
    return factorize(make_counts(), 3, random_state=0)


@pytest.mark.parametrize(
    ("topics", "n_terms", "expected"),
    [
        ([["a", "b"], ["c", "d"]], 25, 1.0),
        ([["a", "b"], ["b", "a"]], 25, 0.5),
        ([["a", "b"], ["a", "c"], ["d"]], 25, 4 / 5),
        ([["a", "b"], ["a", "c"], ["d"]], 1, 2 / 3),
    ],
)
def test_diversity_is_the_share_of_distinct_terms(topics, n_terms, expected):
    assert topic_diversity(topics, n_terms) == expected


def test_diversity_of_a_model_is_that_of_its_terms(model):
    assert topic_diversity(model, 5) == topic_diversity(model.top_terms(TERMS, 5), 5)
    assert np.isnan(topic_diversity(make_model(np.zeros((4, 2)), np.zeros((2, 3)))))


@given(st.integers(0, 10**6))
def test_exclusivity_is_that_of_the_definition(seed):
    model = random_model(seed)
    found = topic_exclusivity(model, 3)
    beta = [h / h.sum() if h.sum() else h for h in model.H]
    for r, h in enumerate(model.H):
        top = [j for j in np.argsort(-h, kind="stable")[:3] if h[j] > 0]
        shares = [beta[r][j] / sum(b[j] for b in beta) for j in top]
        if top:
            assert found[r] == pytest.approx(np.mean(shares))
        else:
            assert np.isnan(found[r])


def test_exclusivity_of_extremes():
    assert topic_exclusivity(make_model(np.ones((2, 2)), np.eye(2))).tolist() == [1, 1]
    same = topic_exclusivity(make_model(np.ones((2, 2)), [[1, 2], [10, 20]]))
    np.testing.assert_allclose(same, 0.5)


@given(st.integers(0, 10**6))
def test_sizes_are_those_of_the_definition(seed):
    model = random_model(seed)
    products = np.einsum("ir,rj->rij", model.W, model.H)
    total = products.sum(axis=(1, 2))
    np.testing.assert_allclose(topic_sizes(model), total / (total.sum() or 1))
    for by, axis in (("documents", 2), ("terms", 1)):
        parts = products.sum(axis=axis)
        strongest = [part.argmax() for part in parts.T if part.any()]
        expected = np.bincount(strongest, minlength=4) / max(len(strongest), 1)
        np.testing.assert_allclose(topic_sizes(model, by), expected)


def test_sizes_without_topics():
    nothing = make_model(np.zeros((4, 2)), np.zeros((2, 3)))
    for by in ("total", "documents", "terms"):
        assert topic_sizes(nothing, by).tolist() == [0, 0]
    with pytest.raises(ValueError, match="by must be one of 'total', 'documents', 'terms'"):
        topic_sizes(nothing, "weight")


def test_sizes_are_the_shares_of_the_table(model):
    pytest.importorskip("sklearn")
    table = quality_table(model, TERMS, make_counts(), n_terms=5, measure="umass")
    assert table["topic"] == [1, 2, 3]
    np.testing.assert_allclose(table["share"], topic_sizes(model))
    np.testing.assert_array_equal(
        table["coherence"], topic_coherence(model, make_counts(), n_terms=5, measure="umass")
    )
    np.testing.assert_array_equal(table["exclusivity"], topic_exclusivity(model, 5))
    assert table["terms"] == model.top_terms(TERMS, 5)


def naive_nmi(topics, labels):
    """The normalized mutual information by its definition, 2 I / (H + H)."""
    n = len(topics)

    def entropy(*columns):
        cells = list(zip(*columns, strict=True))
        return -sum(cells.count(c) / n * np.log(cells.count(c) / n) for c in set(cells))

    one, other, both = entropy(topics), entropy(labels), entropy(topics, labels)
    return 2 * (one + other - both) / (one + other)


@given(st.integers(0, 10**6))
def test_agreement_is_that_of_the_definition(seed):
    pytest.importorskip("sklearn")
    model, rng = random_model(seed, n=20), np.random.default_rng(seed)
    labels = rng.choice(["red", "green", "blue"], 20).tolist()
    labels[:2] = ["red", "green"]
    mass = model.W * model.H.sum(axis=1)
    topics = [row.argmax() if row.any() else "none" for row in mass]
    found = label_agreement(model, labels)
    assert found.nmi == pytest.approx(naive_nmi(topics, labels), abs=1e-9)
    best = 0
    for topic in set(topics):
        inside = [label for t, label in zip(topics, labels, strict=True) if t == topic]
        best += max(map(inside.count, inside))
    assert found.purity == pytest.approx(best / 20)
    assert found.table.sum() == 20
    for column, label in enumerate(found.labels):
        assert found.table[:, column].sum() == labels.count(label)
        assert found.table[-1, column] == sum(
            t == "none" and one == label for t, one in zip(topics, labels, strict=True)
        )


def test_unknown_labels_are_left_out():
    pytest.importorskip("sklearn")
    W = np.repeat(np.eye(2), 3, axis=0)
    model = make_model(W, np.eye(2))
    found = label_agreement(model, ["a", "a", None, "b", float("nan"), "b"])
    assert found[:2] == (pytest.approx(1), 1)
    assert found.labels == ["a", "b"]
    assert found.table.tolist() == [[2, 0], [0, 2], [0, 0]]
    assert label_agreement(model, np.array([7, 7, 7, 8, 8, 8])).labels == [7, 8]
    mixed = label_agreement(model, ["a", "a", "b", "b", "b", "b"])
    assert mixed.purity == pytest.approx(5 / 6)
    pd = pytest.importorskip("pandas")
    column = pd.Series(["a", "a", pd.NA, "b", None, "b"], index=range(5, 11), dtype="category")
    assert label_agreement(model, column).table.tolist() == found.table.tolist()


def test_agreement_on_two_planted_topics(monkeypatch):
    pytest.importorskip("sklearn")
    model = factorize(make_counts(), 2, random_state=0)
    labels = ["sea", "kitchen"] * 40
    assert label_agreement(model, labels)[:2] == (pytest.approx(1), 1)
    with pytest.raises(ValueError, match="labels has 2 names, but W has 80 rows"):
        label_agreement(model, ["a", "b"])
    with pytest.raises(ValueError, match="all are None or NaN"):
        label_agreement(model, [None] * 80)
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    with pytest.raises(ImportError, match=r'pip install "sparsenmf\[sklearn\]"'):
        label_agreement(model, labels)


def test_labels_are_distinctive_unless_asked_otherwise():
    model = make_model(np.eye(2), [[9, 4, 2, 0], [9, 0, 0, 3]])
    terms = ["the", "cat", "mouse", "sea"]
    assert topic_labels(model, terms, n_terms=1) == ["cat", "sea"]
    assert topic_labels(model, terms, n_terms=1, by="weight") == ["the, cat", "the, sea"]
    assert topic_labels(model, terms, n_terms=1, by=1) == ["the, cat", "the, sea"]


def test_labels_are_the_top_terms_and_differ():
    H = [[3, 2, 1, 0], [3, 2, 0, 1], [0, 0, 0, 0], [0, 0, 1, 2]]
    model = make_model(np.eye(4), H)
    assert topic_labels(model, list("abcd"), n_terms=2) == ["a, b, c", "a, b, d", "(empty)", "d, c"]
    titles = ["one", "two", "three", "four"]
    labels = topic_labels(model, list("abcd"), titles, 1)
    assert labels == ["a, b, c: one", "a, b, d: two", "(empty)", "d: four"]
    same = make_model(np.eye(2), np.ones((2, 3)))
    assert topic_labels(same, list("abc")) == ["a, b, c"] * 2
    with pytest.raises(ValueError, match="vocabulary has 1 terms"):
        topic_labels(model, ["a"])


def test_real_topics_agree_with_their_sections(real_path):
    pytest.importorskip("sklearn")
    path = real_path("bbc_news")
    X = sp.csr_array(sp.load_npz(path / "matrix.npz"))
    labels = (path / "labels.txt").read_text(encoding="utf8").split("\n")[:-1]
    from sparsenmf.topics.weighting import weigh_counts

    model = factorize(weigh_counts(X), 5, random_state=0)
    found = label_agreement(model, labels)
    assert found.nmi > 0.6
    assert found.purity > 0.75
    assert topic_diversity(model) > 0.8


def test_texts_are_measured_by_their_topics():
    pytest.importorskip("sklearn")
    from sparsenmf import find_topics

    texts = make_texts()
    topics = find_topics(texts, 2, random_state=0)
    X = topics.vectorizer.transform(texts)
    for measure in ("npmi", "umass", "uci"):
        found = topics.coherence(texts, measure=measure, n_terms=5)
        expected = topic_coherence(topics.model, X, n_terms=5, measure=measure)
        np.testing.assert_array_equal(found, expected)
    words = [text.split() for text in texts]
    lists = topics.model.top_terms(topics.terms, 5)
    np.testing.assert_array_equal(
        topics.coherence([text.upper() for text in texts], measure="c_v", n_terms=5),
        topic_coherence(lists, texts=words, measure="c_v"),
    )
    table = topics.quality_table(texts, n_terms=5, measure="c_v")
    np.testing.assert_array_equal(table["coherence"], topics.coherence(texts, "c_v", 5))
    assert {frozenset(label.split(", ")) <= set(SEA) for label in topics.labels()} == {True, False}
    assert topics.label_agreement([0, 1] * 40).purity == 1
    two = find_topics(texts, 2, ngrams=(1, 2), min_df=1, random_state=0)
    with pytest.raises(ValueError, match="terms are not single words"):
        two.coherence(texts, measure="c_v")
    assert np.isfinite(two.coherence(texts)).all()
    assert set(KITCHEN) & set(topics.terms)
