"""Topics of texts: the weights of words, and tables that agree with W and H."""

import sys
import warnings

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import document_table, factorize, find_topics, term_table, topic_table
from sparsenmf.topics.tables import format_topics
from sparsenmf.topics.typical_documents import typical_documents
from sparsenmf.topics.weighting import weigh_counts, weigh_texts, weights_and_idf

from ..corpus import KITCHEN, SEA, TERMS, check_separated, make_counts, make_texts

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def topics():
    return find_topics(make_texts(), 2, random_state=0)


@pytest.fixture(scope="module")
def model():
    return factorize(make_counts(), 3, random_state=0)


def test_topics_of_texts_are_those_of_the_corpus(topics):
    table = topics.topic_table(n_terms=8)
    sea, kitchen = check_separated(list(zip(*list(table.values())[1:], strict=True)))
    assert all(title.split()[0] in SEA for title in sea[-1])
    assert all(title.split()[0] in KITCHEN for title in kitchen[-1])
    assert sorted(topics.terms) == sorted(TERMS)
    assert repr(topics).endswith(repr(topics.model))


def test_new_texts_have_the_topics_of_their_words(topics):
    new = topics.vectorizer.transform(["whale wind storm", "oven sugar"])
    strongest = topics.model.transform(new).argmax(axis=1)
    heads = topics.model.top_terms(topics.terms, 10)
    assert "whale" in heads[strongest[0]]
    assert "oven" in heads[strongest[1]]


def test_options_are_passed_on():
    texts = make_texts()
    options = {"loss": "kullback-leibler", "random_state": 3, "max_iter": 7, "tol": 0}
    found = find_topics(texts, 3, weighting="counts", **options)
    order = [TERMS.index(term) for term in found.terms]
    expected = factorize(make_counts()[:, order], 3, **options)
    np.testing.assert_array_equal(found.model.W, expected.W)
    np.testing.assert_array_equal(found.model.H, expected.H)
    assert found.model.options["loss"] == "kullback-leibler"


def test_tfidf_is_that_of_the_definition():
    # The words of each text from the n-th on are there twice.
    texts = [f"{text} {' '.join(text.split()[n % 6 :])}" for n, text in enumerate(make_texts())]
    counts = np.array([[text.split().count(term) for term in TERMS] for text in texts], float)
    X, vectorizer = weigh_texts(texts)
    frequency = (counts > 0).sum(axis=0)
    weights = np.where(counts > 0, 1 + np.log(np.maximum(counts, 1)), 0)
    weights *= np.log((1 + len(texts)) / (1 + frequency)) + 1
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    order = [TERMS.index(term) for term in vectorizer.get_feature_names_out()]
    assert X.dtype == np.float32
    np.testing.assert_allclose(X.toarray(), weights[:, order], rtol=1e-6)
    weighed, idf = weights_and_idf(sp.csr_array(counts[:, order]))
    np.testing.assert_allclose(idf, vectorizer.idf_, rtol=1e-6)
    np.testing.assert_allclose(weighed.toarray(), X.toarray(), rtol=1e-6)


TEXTS = ["The Cats can't sit", "the cats' mats, mats", "a cat 42 naïve", "to up a 5g the whale"]


@pytest.mark.parametrize(
    ("options", "terms"),
    [
        ({}, "42 5g can cat cats mats naïve sit the to up whale"),
        ({"stop_words": "english"}, "42 5g cat cats mats naïve sit whale"),
        ({"stop_words": ["The", "can't"]}, "42 5g cat cats mats naïve sit to up whale"),
        ({"max_df": 0.5}, "42 5g can cat cats mats naïve sit to up whale"),
        ({"min_df": 2}, "cats the"),
        ({"max_terms": 2}, "mats the"),
        ({"ngrams": (2, 2), "min_df": 2}, "the cats"),
        ({"ngrams": 2, "min_df": 2}, "the cats"),
        ({"token_pattern": r"\d+"}, "42 5"),
        ({"token_pattern": r"\b(\w)ats"}, "c m"),
        ({"min_length": 5}, "naïve whale"),
        ({"min_length": 1, "min_df": 2}, "a cats the"),
        ({"lowercase": False, "min_df": 2}, "the"),
        ({"lowercase": False, "stop_words": "english"}, "42 5g Cats cat cats mats naïve sit whale"),
        (
            {"lowercase": False, "stop_words": ["can", "Cats"]},
            "42 5g The cat cats mats naïve sit the to up whale",
        ),
    ],
)
def test_terms_are_chosen_by_the_options(options, terms):
    settings = {"min_df": 1, "max_df": 1.0, "stop_words": None, **options}
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of stop words that no text could have
        _, vectorizer = weigh_texts(TEXTS, **settings)
    found = vectorizer.get_feature_names_out()
    assert sorted(found) == sorted([terms] if settings.get("ngrams") else terms.split())


@pytest.mark.parametrize("ngrams", [2, (2, 2), (1, 3)])
def test_terms_of_characters(ngrams):
    _, vectorizer = weigh_texts(TEXTS, analyzer="char", ngrams=ngrams, min_df=1, max_df=1.0)
    least, most = (2, 2) if ngrams == 2 else ngrams
    expected = {
        text.lower()[i : i + n]
        for text in TEXTS
        for n in range(least, most + 1)
        for i in range(len(text) - n + 1)
    }
    assert set(vectorizer.get_feature_names_out()) == expected


@pytest.mark.parametrize(
    ("texts", "options", "error", "message"),
    [
        ([], {}, ValueError, "there are no texts"),
        ("one text", {}, TypeError, "sequence of strings"),
        (
            ["a", None],
            {},
            TypeError,
            r"texts\[1\] must be a string, not None: leave it out, or put",
        ),
        (
            ["a", np.nan],
            {},
            TypeError,
            r"texts\[1\] must be a string, not nan: leave it out, or put",
        ),
        ([b"a"], {}, TypeError, r"texts\[0\] must be a string, not b'a': decode it"),
        ([["a", "b"]], {}, TypeError, r"must be a string, not \['a', 'b'\]: join its words"),
        ([["a"] * 9999], {}, TypeError, r"not \['a', .{90,99}\.\.\.: join its words by spaces$"),
        ([1], {}, TypeError, r"texts\[0\] must be a string, not 1: take str\(\) of it"),
        (TEXTS, {}, ValueError, "4 texts with min_df=5 and max_df=0.5 leave no terms"),
        (["4", "_"], {"min_df": 1}, ValueError, "leave no terms"),
        (TEXTS, {"analyzer": "words"}, ValueError, "'word', 'char', 'char_wb'"),
        (TEXTS, {"analyzer": "char", "min_length": 3}, ValueError, "are for analyzer='word'"),
        (TEXTS, {"analyzer": "char", "token_pattern": "a"}, ValueError, "are for analyzer='word'"),
        (TEXTS, {"analyzer": "char", "stop_words": ["a"]}, ValueError, "are for analyzer='word'"),
        (TEXTS, {"token_pattern": "(["}, ValueError, "not a regular expression"),
        (TEXTS, {"token_pattern": "a", "min_length": 3}, ValueError, "leave min_length out"),
        (TEXTS, {"min_length": 0}, ValueError, "min_length must be at least 1"),
        (TEXTS, {"ngrams": (2, 1)}, ValueError, "the smaller number comes first"),
        (TEXTS, {"ngrams": (1, 2, 3)}, ValueError, "one number or two"),
        (TEXTS, {"lowercase": 1}, TypeError, "lowercase must be True or False"),
        (TEXTS, {"weighting": "bm25"}, ValueError, "one of 'tfidf', 'counts'"),
        (TEXTS, {"stop_words": "german"}, ValueError, "'german'"),
        (TEXTS, {"min_df": 1, "titles": ["one"]}, ValueError, "titles has 1 names.* 4 rows"),
        (TEXTS, {"min_df": 1, "titles": "four"}, TypeError, "titles must be a sequence"),
    ],
)
def test_bad_arguments_are_refused(texts, options, error, message):
    with pytest.raises(error, match=message):
        find_topics(texts, 1, **options)


def test_missing_scikit_learn_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.feature_extraction", None)
    with pytest.raises(ImportError, match=r'pip install "sparsenmf\[text\]"'):
        find_topics(TEXTS, 1)
    weigh_counts(make_counts())  # needs none


def test_topic_table_is_that_of_the_definition(model):
    titles = [f"title {i}" for i in range(80)]
    table = topic_table(model, TERMS, titles, n_terms=4, n_documents=3)
    products = np.einsum("ir,rj->rij", model.W, model.H).astype(float)
    assert table["topic"] == [1, 2, 3]
    assert table["share"] == pytest.approx(products.sum(axis=(1, 2)) / products.sum(), rel=1e-5)
    assert table["terms"] == model.top_terms(TERMS, 4)
    assert table["distinctive"] == model.top_terms(TERMS, 4, by="distinctive")
    typical = [[titles[i] for i in rows] for rows in typical_documents(model, 3)]
    assert table["documents"] == typical
    default = topic_table(model, dict(zip(TERMS, range(20), strict=True)))
    assert [len(terms) for terms in default["terms"]] == [min(10, (h > 0).sum()) for h in model.H]
    assert default["documents"][0][0] == f"document {titles.index(table['documents'][0][0]) + 1}"


def test_term_table_is_h(model):
    table = term_table(model, TERMS)
    H = np.zeros_like(model.H)
    for topic, term, weight, _ in zip(*table.values(), strict=True):
        H[topic - 1, TERMS.index(term)] = weight
    np.testing.assert_array_equal(H, model.H)
    few = term_table(model, TERMS, n_terms=2)
    assert few["topic"] == [1, 1, 2, 2, 3, 3]
    assert few["term"] == [term for terms in model.top_terms(TERMS, 2) for term in terms]


def test_tables_have_the_terms_of_both_orders(model):
    for by in ("weight", "distinctive", 0.5):
        table = topic_table(model, TERMS, n_terms=4, by=by)
        assert list(table) == ["topic", "share", "terms", "documents"]
        assert table["terms"] == model.top_terms(TERMS, 4, by=by)
        few = term_table(model, TERMS, 4, by=by)
        assert few["term"] == [term for terms in model.top_terms(TERMS, 4, by=by) for term in terms]
        assert few["weight"] == [
            model.H[topic - 1, TERMS.index(term)]
            for topic, term in zip(few["topic"], few["term"], strict=True)
        ]
    # One file with all terms has both orders.
    whole = term_table(model, TERMS)
    for r, expected in enumerate(model.top_terms(TERMS, 20, by="distinctive")):
        rows = [i for i, topic in enumerate(whole["topic"]) if topic == r + 1]
        rows.sort(key=lambda i: -whole["relevance"][i])
        assert [whole["term"][i] for i in rows] == expected


def test_document_table_has_the_shares_of_each_document():
    X = make_counts().toarray()
    X[5] = 0  # of no topic
    model = factorize(X, 3, random_state=0)
    table = document_table(model, all_topics=True)
    mass = model.W * model.H.sum(axis=1)
    shares = np.column_stack([table[f"topic_{r}"] for r in (1, 2, 3)])
    some = np.arange(80) != 5
    expected = mass[some] / mass[some].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares[some], expected)
    assert not shares[5].any()
    assert table["document"] == list(range(1, 81))
    assert table["title"][7] == "document 8"
    assert table["topic"][5] is None
    strongest = (shares.argmax(axis=1) + 1)[some].tolist()
    assert [topic for topic in table["topic"] if topic is not None] == strongest
    np.testing.assert_array_equal(table["share"], shares.max(axis=1))
    assert list(document_table(model, ["x"] * 80)) == ["document", "title", "topic", "share"]


def test_tables_of_nothing_are_tables():
    model = factorize(sp.csr_array((6, 4)), 2, random_state=0)
    table = topic_table(model, list("abcd"))
    assert table["share"] == [0, 0]
    assert table["terms"] == table["distinctive"] == table["documents"] == [[], []]
    assert term_table(model, list("abcd"))["term"] == []
    assert document_table(model)["topic"] == [None] * 6
    assert "  2.   0.0%" in format_topics(table)


def test_tables_refuse_labels_that_do_not_fit(model):
    for table in (topic_table, term_table):
        with pytest.raises(ValueError, match="vocabulary has 2 terms, but there are 20"):
            table(model, ["a", "b"])
    with pytest.raises(ValueError, match="titles has 2 names, but W has 80 rows"):
        topic_table(model, TERMS, ["a", "b"])
    with pytest.raises(ValueError, match="n_terms must be at least 1"):
        term_table(model, TERMS, 0)
    with pytest.raises(TypeError, match="all_topics must be True or False"):
        document_table(model, None, 1)


def test_terms_with_hyphens_are_not_cut():
    terms = [f"HLA-DR{j:02d}-x" for j in range(30)]
    model = factorize(np.arange(1, 31.0)[None], 1, random_state=0)
    text = format_topics(topic_table(model, terms, n_terms=30), 60)
    assert all(text.count(term) == 2 for term in terms)


@pytest.mark.parametrize("width", [40, 100])
def test_printed_topics_fit_the_width(width, model):
    titles = [f"line\n{i} " + "filler " * 40 for i in range(80)]
    text = format_topics(topic_table(model, TERMS, titles), width)
    lines = text.splitlines()
    assert max(len(line) for line in lines) <= width
    assert sum(line.endswith("...") for line in lines) == 6
    assert text.count("distinctive: ") == 3
    words = text.replace(",", " ").split()
    assert all(term in words for terms in model.top_terms(TERMS, 10) for term in terms)


def test_topics_of_texts_know_both_orders(topics):
    model, terms = topics.model, topics.terms
    for by in ("weight", "distinctive", 0.5):
        lists = model.top_terms(terms, 4, by=by)
        assert topics.topic_table(4, by=by)["terms"] == lists
        assert topics.term_table(4, by=by)["term"] == [term for each in lists for term in each]
        assert topics.labels(4, by=by) == [", ".join(each) for each in lists]
        assert [[term for term, _ in pairs] for _, pairs in topics.show_topics(4, by=by)] == lists
        assert [term for term, _ in topics.get_topic(2, 4, by=by)] == lists[1]
