"""A model of tf-idf weights weighs new counts like its own, and refuses anything else."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import Factorization, NamedMatrix, factorize, find_topics, write_csr
from sparsenmf.data.tfidf import weigh
from sparsenmf.topics.weighting import weights_and_idf

from ..corpus import TERMS, make_counts, make_texts


def make_model(loss="frobenius"):
    counts = make_counts()
    counts.data[::3] = 4
    X, idf = weights_and_idf(counts)
    model = factorize(X, 3, loss=loss, random_state=0)
    model.idf = idf
    return model, counts, X


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.uint8])
def test_weights_are_those_of_scikit_learn(dtype):
    text = pytest.importorskip("sklearn.feature_extraction.text")
    X = sp.random_array((200, 50), density=0.1, rng=np.random.default_rng(0), format="csr")
    X.data = np.ceil(X.data * 9)
    X.data[X.indptr[3] : X.indptr[9]] = 0  # rows without entries
    X.eliminate_zeros()
    X = sp.csr_array(X.astype(dtype))
    before = X.copy()
    weighed, idf = weights_and_idf(X)
    ours = text.TfidfTransformer(sublinear_tf=True).fit(X.astype(float))
    np.testing.assert_allclose(idf, ours.idf_, rtol=1e-12)
    expected = ours.transform(X.astype(float)).toarray()
    np.testing.assert_allclose(weighed.toarray(), expected, rtol=1e-5)
    np.testing.assert_array_equal(X.toarray(), before.toarray())


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler", 1.5])
@pytest.mark.parametrize("form", ["csr", "dense", "frame", "float64", "part"])
def test_counts_are_weighed_as_those_of_the_fit(loss, form, tmp_path):
    model, counts, X = make_model(loss)
    model.save(tmp_path / "m")
    loaded = Factorization.load(tmp_path / "m")
    rows = slice(10, 20) if form == "part" else slice(None)
    given = counts[rows]
    if form == "dense":
        given = given.toarray()
    elif form == "frame":
        given = pytest.importorskip("pandas").DataFrame(given.toarray())
    elif form == "float64":
        given = given.astype(np.float64)
    expected = model.transform(X[rows])
    for fitted in (model, loaded):
        np.testing.assert_allclose(fitted.transform(given), expected, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(fitted.loss(given), model.loss(X[rows]), rtol=1e-4)
    np.testing.assert_array_equal(loaded.idf, model.idf)


def test_matrices_that_are_neither_counts_nor_weights_are_refused(tmp_path):
    model, counts, X = make_model()
    for wrong in (counts * 0.5, X * 2, counts / counts.sum(axis=1)[:, None]):
        with pytest.raises(ValueError, match=r"tf-idf weights.* pass the counts"):
            model.transform(wrong)
    store = write_csr(tmp_path / "store", counts)
    with pytest.raises(TypeError, match="X is a store: pass a matrix"):
        model.transform(store)


def test_rows_that_others_have_weighed_are_taken_as_they_are():
    model, _, X = make_model()
    rounded = sp.csr_array(X.astype(np.float64))
    rounded.data = rounded.data.round(4)
    expected = model.transform(X)
    np.testing.assert_allclose(model.transform(rounded), expected, rtol=1e-2, atol=1e-4)


def test_fractions_are_no_counts():
    with pytest.raises(ValueError, match=r"counts, and X has fractions \(0\.5\)"):
        weights_and_idf(make_counts() * 0.5)


def test_names_are_kept():
    named = NamedMatrix(make_counts(), feature_names=TERMS, sample_names=range(80))
    weighed, _ = weights_and_idf(named)
    assert list(weighed.feature_names) == TERMS
    assert list(weighed.sample_names) == list(range(80))


def test_a_model_of_texts_weighs_counts_too():
    pytest.importorskip("sklearn")
    found = find_topics(make_texts(), 2, random_state=0)
    counts = make_counts()[:, [TERMS.index(term) for term in found.terms]]
    expected = found.transform(make_texts())
    np.testing.assert_allclose(found.model.transform(counts), expected, rtol=1e-4, atol=1e-6)
    plain = find_topics(make_texts(), 2, random_state=0, weighting="counts")
    assert plain.model.idf is None
    expected = plain.transform(make_texts())
    np.testing.assert_allclose(plain.model.transform(counts), expected, rtol=1e-4, atol=1e-6)


def test_empty_rows_stay_empty():
    X = sp.csr_array((3, 4))
    assert weigh(X, np.ones(4)).nnz == 0
