"""Topics in the formats of gensim and pyLDAvis."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import factorize, show_topics, to_pyldavis

from ..corpus import TERMS, make_counts
from .test_quality import make_model


@pytest.fixture(scope="module")
def model():
    return factorize(make_counts(), 3, random_state=0)


def test_topics_are_shown_with_their_weights(model):
    shown = show_topics(model, TERMS, 4)
    assert [number for number, _ in shown] == [1, 2, 3]
    for h, terms, (_, pairs) in zip(model.H, model.top_terms(TERMS, 4), shown, strict=True):
        assert [term for term, _ in pairs] == terms
        assert [weight for _, weight in pairs] == [h[TERMS.index(term)] for term in terms]
    with pytest.raises(ValueError, match="vocabulary has 1 terms"):
        show_topics(model, ["a"])
    shown = show_topics(model, TERMS, 4, by="distinctive")
    lists = model.top_terms(TERMS, 4, by="distinctive")
    for h, terms, (_, pairs) in zip(model.H, lists, shown, strict=True):
        assert pairs == [(term, h[TERMS.index(term)]) for term in terms]


def check(data):
    """The checks of pyLDAvis (_prepare._input_check), and that no row or column is empty."""
    topics, n_terms = data["topic_term_dists"].shape
    documents = data["doc_topic_dists"].shape[0]
    assert data["doc_topic_dists"].shape[1] == topics
    assert len(data["doc_lengths"]) == documents
    assert len(data["vocab"]) == len(data["term_frequency"]) == n_terms
    for name in ("topic_term_dists", "doc_topic_dists"):
        np.testing.assert_allclose(data[name].sum(axis=1), 1, rtol=1e-12)
    assert min(data["doc_lengths"]) > 0
    assert min(data["term_frequency"]) > 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_distributions_are_those_of_the_model(dtype):
    X = make_counts()
    model = factorize(X.astype(dtype), 3, random_state=0)
    data = to_pyldavis(model, TERMS)
    check(data)
    product = model.W.astype(float) @ model.H
    np.testing.assert_allclose(data["doc_lengths"], product.sum(axis=1), rtol=1e-5)
    np.testing.assert_allclose(data["term_frequency"], product.sum(axis=0), rtol=1e-5)
    joint = data["doc_topic_dists"] * data["doc_lengths"][:, None] @ data["topic_term_dists"]
    np.testing.assert_allclose(joint, product, rtol=1e-4, atol=1e-6)
    counted = to_pyldavis(model, TERMS, X)
    check(counted)
    np.testing.assert_array_equal(counted["doc_lengths"], X.sum(axis=1))
    np.testing.assert_array_equal(counted["term_frequency"], X.sum(axis=0))


def test_what_is_zero_is_left_out():
    # Topic 1 is in no document, topic 2 has no terms, document 2 no topic, term d no weight.
    W = [[1, 0, 2, 0], [0, 0, 3, 1], [0, 0, 0, 0]]
    H = [[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 0, 0], [0, 2, 2, 0]]
    data = to_pyldavis(make_model(W, H), list("abcd"))
    check(data)
    assert data["vocab"] == ["a", "b", "c"]
    np.testing.assert_allclose(data["topic_term_dists"], [[0.5, 0.5, 0], [0, 0.5, 0.5]])
    np.testing.assert_allclose(data["doc_topic_dists"], [[1, 0], [0, 1]])
    X = sp.csr_array([[5, 0, 0, 0], [5, 0, 0, 1], [1, 1, 1, 1]])
    data = to_pyldavis(make_model(W, H), list("abcd"), X)
    check(data)
    assert data["vocab"] == ["a", "b", "c"]
    X = sp.csr_array([[5, 0, 0, 0], [5, 0, 0, 1], [0, 0, 0, 1]])
    data = to_pyldavis(make_model(W, H), list("abcd"), X)  # the second topic's terms are not in X
    check(data)
    assert data["doc_topic_dists"].tolist() == [[1]]


def test_pyldavis_takes_them():
    pyldavis = pytest.importorskip("pyLDAvis")
    X = make_counts().toarray()
    X[3] = 0
    model = factorize(X, 4, random_state=0)
    prepared = pyldavis.prepare(**to_pyldavis(model, TERMS, X), sort_topics=False, n_jobs=1)
    shares = model.W.sum(axis=0) * model.H.sum(axis=1)
    frequencies = prepared.topic_coordinates["Freq"].to_numpy()
    assert frequencies.sum() == pytest.approx(100)
    assert np.abs(frequencies / 100 - shares / shares.sum()).max() < 0.05
    assert set(prepared.topic_info["Term"]) == set(TERMS)


def test_what_does_not_fit_is_refused(model):
    with pytest.raises(ValueError, match="X is 80 x 5, but this factorization is of 80 x 20"):
        to_pyldavis(model, TERMS, make_counts()[:, :5])
    with pytest.raises(ValueError, match="vocabulary has 1 terms"):
        to_pyldavis(model, ["a"])
    with pytest.raises(ValueError, match="no document has a topic"):
        to_pyldavis(make_model(np.zeros((3, 2)), np.ones((2, 4))), list("abcd"))
