"""Coherence, compared with naive counts by its definitions, and with gensim."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsenmf import factorize, open_csr, topic_coherence, write_csr
from sparsenmf.topics.occurrences import count_in_texts

from ..corpus import KITCHEN, SEA, TERMS, make_counts, make_texts

EPSILON = 1e-12
MIXED = [SEA[:3] + KITCHEN[:3], SEA[:8], ["whale", "oven"]]


def make_prose(rng, n_texts=60, longest=40):
    """Texts of all lengths, with terms of the corpus and words that no topic has."""
    words = TERMS + [f"word{i}" for i in range(15)]
    return [
        list(rng.choice(words, rng.integers(longest), p=rng.dirichlet(np.ones(35) * 0.5)))
        for _ in range(n_texts)
    ]


def windows_of(texts, window):
    for text in texts:
        if window is None or len(text) <= window:
            yield set(text)
        else:
            for start in range(len(text) - window + 1):
                yield set(text[start : start + window])


def naive(topics, windows, measure, epsilon=EPSILON):
    """The literal reference, of sets of words."""
    windows = list(windows)

    def p(*terms):
        return sum(set(terms) <= window for window in windows) / len(windows)

    def pmi(v, u):
        return np.log((p(v, u) + epsilon) / (p(v) * p(u))) if p(v) * p(u) else 0.0

    def npmi(v, u):
        return 0.0 if p(v, u) == 1 else pmi(v, u) / -np.log(p(v, u) + epsilon)

    def umass(v, u):
        return np.log((p(v, u) + epsilon) / p(u)) if p(u) else 0.0

    scores = []
    for terms in topics:
        if measure == "c_v":
            vectors = np.array([[npmi(v, u) for u in terms] for v in terms])
            total = vectors.sum(axis=0)
            scores.append(
                np.mean([v @ total / np.linalg.norm(v) / np.linalg.norm(total) for v in vectors])
            )
        else:
            pair = {"umass": umass, "npmi": npmi, "uci": pmi}[measure]
            pairs = itertools.combinations(terms, 2)
            scores.append(np.mean([pair(v, u) for u, v in pairs]))
    return scores


@pytest.mark.parametrize("measure", ["umass", "npmi", "uci"])
def test_document_measures_are_those_of_the_definition(measure):
    X, texts = make_counts(), [text.split() for text in make_texts()]
    found = topic_coherence(MIXED, X, TERMS, measure=measure)
    expected = naive(MIXED, windows_of(texts, None), measure)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    same = topic_coherence(MIXED, texts=texts, measure=measure, window=None)
    np.testing.assert_allclose(same, expected, rtol=1e-12)


@pytest.mark.parametrize("window", [2, 7, 39, 1000])
@pytest.mark.parametrize("measure", ["umass", "npmi", "uci", "c_v"])
def test_window_measures_are_those_of_the_definition(measure, window, rng):
    texts = make_prose(rng)
    found = topic_coherence(MIXED, texts=texts, measure=measure, window=window)
    expected = naive(MIXED, windows_of(texts, window), measure)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@settings(deadline=None)
@given(
    st.lists(st.lists(st.sampled_from("abcxyz"), max_size=9), min_size=1, max_size=6),
    st.one_of(st.none(), st.integers(2, 6)),
)
def test_windows_are_counted_one_by_one(texts, window):
    topics = [["a", "b", "c"], ["c", "x"]]
    together, n_windows = count_in_texts(texts, topics, window)
    windows = list(windows_of(texts, window))
    assert n_windows == len(windows)
    for terms, counts in zip(topics, together, strict=True):
        expected = [[sum({v, u} <= window for window in windows) for u in terms] for v in terms]
        assert counts.tolist() == expected


def test_portions_of_texts_add_up(rng, monkeypatch):
    texts = make_prose(rng)
    whole = topic_coherence(MIXED, texts=texts, measure="c_v", window=7)
    monkeypatch.setattr("sparsenmf.topics.occurrences.PORTION", 11)
    parts = topic_coherence(MIXED, texts=iter(texts), measure="c_v", window=7)
    np.testing.assert_array_equal(parts, whole)


def test_default_windows_are_those_of_the_paper(rng):
    texts = make_prose(rng, 20, 200)
    for measure, window in {"umass": None, "npmi": 10, "uci": 10, "c_v": 110}.items():
        np.testing.assert_array_equal(
            topic_coherence(MIXED, texts=texts, measure=measure),
            topic_coherence(MIXED, texts=texts, measure=measure, window=window),
        )


def gensim_coherence(topics, texts, measure, window=None):
    """gensim's numbers, from an index of windows that does not forget repeated words.

    Its own index stumbles over words of no topic: ``is not`` with NumPy's integers.
    """
    gensim = pytest.importorskip("gensim")
    from gensim.models.coherencemodel import CoherenceModel
    from gensim.topic_coherence.text_analysis import InvertedIndexAccumulator

    class Index(InvertedIndexAccumulator):
        def analyze_text(self, window, doc_num=None):
            super().analyze_text(window[window != self._none_token])

    dictionary = gensim.corpora.Dictionary(texts)
    corpus = [dictionary.doc2bow(text) for text in texts]
    model = CoherenceModel(
        topics=topics, texts=texts, corpus=corpus, dictionary=dictionary, coherence=measure,
        topn=10, processes=1,
    )  # fmt: skip
    if measure != "u_mass":
        ids = {dictionary.token2id[term] for term in itertools.chain(*topics)}
        model._accumulator = Index(ids, dictionary).accumulate(texts, window)
    return model.get_coherence_per_topic()


NAMES = {"umass": "u_mass", "npmi": "c_npmi", "uci": "c_uci", "c_v": "c_v"}


@pytest.mark.parametrize("window", [5, 110])
@pytest.mark.parametrize("measure", NAMES)
def test_numbers_are_gensims(measure, window, rng):
    texts = make_prose(rng, 150, 300)
    topics = [[*SEA[:5], *KITCHEN[:5]], SEA]
    if measure == "umass":
        found = topic_coherence(topics, texts=texts, measure=measure)
    else:
        found = topic_coherence(topics, texts=texts, measure=measure, window=window)
    expected = gensim_coherence(topics, texts, NAMES[measure], window)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("measure", ["umass", "npmi", "uci"])
def test_numbers_are_gensims_on_real_documents(measure, real_path):
    X = sp.csr_array(sp.load_npz(real_path("bbc_news") / "matrix.npz"))
    terms = (real_path("bbc_news") / "vocab.txt").read_text(encoding="utf8").split("\n")[:-1]
    model = factorize(X, 5, max_iter=20, random_state=0)
    found = topic_coherence(model, X, measure=measure)
    texts = [[terms[j] for j in X.indices[a:b]] for a, b in itertools.pairwise(X.indptr)]
    longest = max(map(len, texts))
    expected = gensim_coherence(model.top_terms(terms), texts, NAMES[measure], longest)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert found.min() > {"umass": -6, "npmi": 0, "uci": 0}[measure]


def test_gensims_own_counts_agree_where_no_word_is_repeated():
    pytest.importorskip("gensim")
    from gensim.corpora import Dictionary
    from gensim.models.coherencemodel import CoherenceModel

    texts = [text.split() for text in make_texts()]
    topics = [SEA[:5], KITCHEN[:5]]
    model = CoherenceModel(
        topics=topics, texts=texts, dictionary=Dictionary(texts), coherence="c_v", topn=5,
        processes=1,
    )  # fmt: skip
    found = topic_coherence(topics, texts=texts, measure="c_v")
    np.testing.assert_allclose(found, model.get_coherence_per_topic(), rtol=1e-9)


def test_model_is_measured_by_its_own_terms():
    X = make_counts()
    model = factorize(X, 2, random_state=0)
    lists = model.top_terms(TERMS, 6)
    expected = topic_coherence(lists, X, TERMS)
    np.testing.assert_array_equal(topic_coherence(model, X, n_terms=6), expected)
    by_column = {term: column for column, term in enumerate(TERMS)}
    np.testing.assert_array_equal(topic_coherence(lists, X, by_column), expected)
    texts = [text.split() for text in make_texts()]
    options = {"window": None, "n_terms": 6}
    found = topic_coherence(model, texts=texts, vocabulary=TERMS, **options)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert (topic_coherence([SEA, KITCHEN], X, TERMS) > topic_coherence(MIXED[:1], X, TERMS)).all()


def test_mimnos_smoothing():
    X = make_counts().toarray() > 0
    columns = [TERMS.index(term) for term in MIXED[0]]
    pairs = itertools.combinations(columns, 2)
    counts = [np.log((sum(X[:, v] & X[:, u]) + 1) / X[:, u].sum()) for u, v in pairs]
    found = topic_coherence(MIXED[:1], X, TERMS, measure="umass", epsilon=1 / 80)
    assert found[0] == pytest.approx(np.mean(counts))


def test_terms_in_every_document_and_topics_without_pairs():
    X = sp.csr_array(np.array([[1, 1, 0, 1], [1, 1, 0, 0], [1, 1, 0, 1]]))
    topics = [["a", "b"], ["a", "c"], ["a"], ["c", "d"], ["a", "d"]]
    for measure in ("umass", "npmi", "uci"):
        found = topic_coherence(topics, X, list("abcd"), measure=measure)
        assert np.isnan(found).tolist() == [False, False, True, False, False]
        expected = naive([*topics[:2], *topics[3:]], ({"a", "b", "d"}, {"a", "b"}, {"a", "b", "d"}),
                         measure)  # fmt: skip
        np.testing.assert_allclose(found[[0, 1, 3, 4]], expected, atol=1e-11)
    texts = [["a", "b"]] * 3
    assert topic_coherence([["a", "b"]], texts=texts, measure="c_v").tolist() == [0]


def test_any_matrix_counts_the_same(tmp_path):
    counts = make_counts()
    expected = topic_coherence(MIXED, counts, TERMS)
    before = counts.copy()
    noisy = sp.coo_matrix(counts * 0.25)
    noisy = sp.coo_matrix(
        (np.r_[noisy.data, 0, noisy.data], (np.r_[noisy.row, 0, noisy.row],
                                            np.r_[noisy.col, 19, noisy.col])), shape=counts.shape
    )  # fmt: skip
    for X in (counts.toarray(), counts.tocsc(), noisy, counts.astype(np.float32)):
        np.testing.assert_array_equal(topic_coherence(MIXED, X, TERMS), expected)
    np.testing.assert_array_equal(counts.toarray(), before.toarray())
    write_csr(tmp_path / "store", [counts[:30].astype("f4"), counts[30:].astype("f4")])
    store = open_csr(tmp_path / "store")
    np.testing.assert_array_equal(topic_coherence(MIXED, store, TERMS), expected)


def test_strings_need_a_tokenizer():
    texts = make_texts()
    words = [text.split() for text in texts]
    found = topic_coherence(MIXED, texts=texts, tokenizer=str.split)
    np.testing.assert_array_equal(found, topic_coherence(MIXED, texts=words))
    with pytest.raises(TypeError, match=r"texts\[0\] is a string: pass lists of words"):
        topic_coherence(MIXED, texts=texts)


X = make_counts()


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((MIXED,), {}, ValueError, "needs X or texts"),
        ((MIXED, X, TERMS), {"texts": [["a"]]}, ValueError, "and not both"),
        ((MIXED, X, TERMS), {"measure": "c_v"}, ValueError, "pass texts instead of X"),
        ((MIXED, X, TERMS), {"measure": "u_mass"}, ValueError, "measure must be one of"),
        ((MIXED, X, TERMS), {"window": 5}, ValueError, "for texts, not for X"),
        ((MIXED, X, TERMS), {"n_terms": 1}, ValueError, "n_terms must be at least 2"),
        ((MIXED, X, TERMS), {"epsilon": 0}, ValueError, "epsilon must be > 0"),
        ((MIXED, X), {}, ValueError, "lists of terms need the vocabulary"),
        ((MIXED, X, {"tide": 7}), {}, ValueError, "vocabulary must map its terms to the col"),
        ((MIXED, X, iter(TERMS)), {}, TypeError, "vocabulary must be a sequence of terms"),
        ((MIXED, X, TERMS[:5]), {}, ValueError, "topics.0. has 'bake', which is not in"),
        ((MIXED, X[:, :5], TERMS), {}, ValueError, "X has 5 features.* topics have 20"),
        (("storm", X, TERMS), {}, TypeError, "topics must be a model or a list"),
        ((["storm"], X, TERMS), {}, TypeError, r"topics\[0\] must be a list of terms"),
        (([["tide", "tide"]], X, TERMS), {}, ValueError, r"topics\[0\] has a term more than"),
        ((MIXED,), {"texts": "words"}, TypeError, "texts must be a sequence"),
        ((MIXED,), {"texts": []}, ValueError, "there are no texts"),
        ((MIXED,), {"texts": [3]}, TypeError, r"texts\[0\] must be a list of words"),
        ((MIXED,), {"texts": [["a"]], "window": 1}, ValueError, "window must be at least 2"),
    ],
)
def test_bad_arguments_are_refused(arguments, options, error, message):
    with pytest.raises(error, match=message):
        topic_coherence(*arguments, **options)


def test_model_with_texts_needs_the_vocabulary():
    model = factorize(X, 2, random_state=0, max_iter=2)
    with pytest.raises(ValueError, match="pass the vocabulary"):
        topic_coherence(model, texts=[["a"]])
