"""Names of features and samples are read by position from any container."""

import re
from collections import OrderedDict

import numpy as np
import pytest

import sparsenmf
from sparsenmf import Seeds, factorize, plots
from sparsenmf.data.names import check_names, check_vocabulary
from sparsenmf.topics.agreement import encode
from sparsenmf.topics.typical_documents import typical_documents

from ..corpus import TERMS, make_counts, make_texts

TITLES = [f"title {i}" for i in range(80)]


@pytest.fixture(scope="module")
def model():
    return factorize(make_counts(), 3, random_state=0)


def arrow(names):
    return pytest.importorskip("pyarrow").array(names)


def series(names, **options):
    pd = pytest.importorskip("pandas")
    return pd.Series(names, index=np.random.default_rng(0).permutation(len(names)), **options)


CONTAINERS = {
    "tuple": tuple,
    "object array": lambda names: np.array(names, dtype=object),
    "str array": np.array,
    "bytes array": lambda names: np.array([name.encode() for name in names]),
    "list of bytes": lambda names: [name.encode() for name in names],
    "Series": series,
    "Series by strings": lambda names: series(names).set_axis([f"row {name}" for name in names]),
    "categorical Series": lambda names: series(names, dtype="category"),
    "string Series": lambda names: series(names, dtype="string"),
    "Index": lambda names: pytest.importorskip("pandas").Index(names),
    "polars Series": lambda names: pytest.importorskip("polars").Series(names),
    "pyarrow array": arrow,
    "chunked": lambda names: pytest.importorskip("pyarrow").chunked_array([names[:3], names[3:]]),
}


@pytest.fixture(params=CONTAINERS.values(), ids=list(CONTAINERS))
def contain(request):
    return request.param


def test_names_are_read_by_position(contain):
    assert check_vocabulary(contain(TERMS), 20) == TERMS
    assert check_names(contain(TITLES), 80, "titles") == TITLES
    assert all(type(name) is str for name in check_names(contain(TITLES), 80, "titles"))


def test_a_dict_is_read_by_its_columns():
    shuffled = np.random.default_rng(0).permutation(20)
    pairs = [(TERMS[j], np.int32(j)) for j in shuffled]
    assert check_vocabulary(dict(pairs), 20) == check_vocabulary(OrderedDict(pairs), 20) == TERMS
    assert check_vocabulary({b"b": 1, b"a": 0}, 2) == ["a", "b"]


def say(model, terms, titles, tmp_path):
    """Return all results in which names are printed."""
    X, page = make_counts(), tmp_path / "page.html"
    seeds = {"a": TERMS[4:6], "b": TERMS[17:18]}
    seeded = factorize(X, 3, seeds=Seeds(seeds, vocabulary=terms), random_state=0, max_iter=5)
    model.report(page, terms, titles)
    lists = [TERMS[:4], TERMS[9:12]]
    return {
        "top_terms": model.top_terms(terms, 4),
        "show_topics": sparsenmf.show_topics(model, terms),
        "topic_table": sparsenmf.topic_table(model, terms, titles),
        "term_table": sparsenmf.term_table(model, terms),
        "document_table": sparsenmf.document_table(model, titles)["title"],
        "topic_labels": sparsenmf.topic_labels(model, terms, titles),
        "quality_table": sparsenmf.quality_table(model, terms, X)["terms"],
        "coherence": sparsenmf.topic_coherence(lists, X, terms).tolist(),
        "to_pyldavis": sparsenmf.to_pyldavis(model, terms)["vocab"],
        "seeds": seeded.H.tolist(),
        "report": page.read_text(),
    }


def draw(model, terms):
    """Return the texts in the pictures."""
    pytest.importorskip("matplotlib")
    pictures = [
        plots.plot_top_terms(model, terms),
        plots.plot_term_heatmap(model, terms),
        plots.plot_topic_sizes(model, terms),
        plots.plot_topic_map(model, terms),
        plots.plot_documents(model, terms),
        plots.plot_comparison(model, model, terms),
    ]
    texts = [[*ax.texts, *ax.get_yticklabels(), *ax.get_xticklabels()] for ax in pictures]
    return [[text.get_text() for text in listed] for listed in texts]


def test_whatever_is_said_has_the_names_of_a_list(model, contain, tmp_path):
    expected = say(model, TERMS, TITLES, tmp_path)
    heaviest = np.argsort(-model.H, axis=1, kind="stable")[:, :4]
    assert expected["top_terms"] == [[TERMS[j] for j in row] for row in heaviest]
    assert say(model, contain(TERMS), contain(TITLES), tmp_path) == expected
    assert draw(model, contain(TERMS)) == draw(model, TERMS)


def test_frames_have_the_labels_by_position(model, contain):
    pytest.importorskip("pandas")
    assert model.to_frame("H", contain(TERMS)).columns.tolist() == TERMS
    assert model.to_frame("W", contain(TITLES)).index.tolist() == TITLES
    assert model.to_frame("W", range(10, 90)).index.tolist() == list(range(10, 90))


def test_an_index_stays_what_it_is(model):
    pd = pytest.importorskip("pandas")
    dates = pd.date_range("2024-01-01", periods=80, name="day")
    pd.testing.assert_index_equal(model.to_frame("W", dates).index, dates)


def test_texts_and_titles_are_read_by_position(contain):
    pytest.importorskip("sklearn")
    texts = make_texts()
    found = sparsenmf.find_topics(series(texts), 2, titles=contain(TITLES), random_state=0)
    expected = sparsenmf.find_topics(texts, 2, titles=TITLES, random_state=0)
    assert found.topic_table() == expected.topic_table()
    assert found.titles == TITLES
    assert found.coherence(series(texts)).tolist() == expected.coherence(texts).tolist()


def test_groups_and_labels_are_read_by_position(model):
    kinds = ["a", "b"] * 40
    expected = sparsenmf.topics_over(model, kinds)
    for contain in (series, np.array, arrow, CONTAINERS["bytes array"]):
        assert sparsenmf.topics_over(model, contain(kinds)) == expected
    days = np.datetime64("2024-01-01T00", "ns") + np.arange(80).astype("timedelta64[D]")
    names = sparsenmf.topics_over(model, days)["group"]
    assert [str(name)[:10] for name in names] == [str(day)[:10] for day in days]
    codes, names = encode([1, np.int64(1), None, float("nan"), np.datetime64("NaT"), "x"])
    assert codes.tolist() == [0, 0, -1, -1, -1, 1]
    assert names == [1, "x"]


def test_missing_titles_are_numbers(model, tmp_path):
    pd = pytest.importorskip("pandas")
    titles = [*TITLES[:5], None, np.nan, pd.NA, pd.NaT, *TITLES[9:]]
    named = sparsenmf.document_table(model, titles)["title"]
    assert named[4:10] == ["title 4", *(f"document {i}" for i in (6, 7, 8, 9)), "title 9"]
    model.report(tmp_path / "page.html", TERMS, [None] * 80, n_documents=1)
    page = (tmp_path / "page.html").read_text()
    for (row,) in typical_documents(model, 1):
        assert f">document {row + 1}<" in page


def test_numbers_are_names_as_they_are_printed():
    numbers = np.array([400.1, 400.2], np.float32)
    assert check_vocabulary(numbers, 2) == ["400.1", "400.2"]
    assert check_vocabulary([7, np.int64(8)], 2) == ["7", "8"]


REFUSED = [
    (set(TERMS), TypeError, "a sequence of .*, not a set"),
    (frozenset(TERMS), TypeError, "a sequence of .*, not a frozenset"),
    ("one text", TypeError, "a sequence of .*, not a str"),
    (b"one text", TypeError, "a sequence of .*, not a bytes"),
    (iter(TERMS), TypeError, "a sequence of .*, not a list_iterator"),
    (np.array([TERMS]), TypeError, r"not a ndarray of shape \(1, 20\)"),
    (np.array(TERMS)[:, None], TypeError, r"of shape \(20, 1\): pass one column"),
    (np.array("term"), TypeError, r"of shape \(\)"),
    ([[term] for term in TERMS], TypeError, r"\[0\] must be a text, not \['anchor'\]"),
    ([True] * 20, TypeError, r"\[0\] must be a text, not True"),
    ([*TERMS[:-1], ("a", "b")], TypeError, r"\[19\] must be a text"),
    ([*TERMS[:-1], b"\xff"], ValueError, r"\[19\] is not UTF-8"),
    (TERMS[:-1], ValueError, "has 19"),
]


@pytest.mark.parametrize(("names", "error", "message"), REFUSED)
def test_objects_that_are_not_sequences_of_texts_are_refused(names, error, message, model):
    with pytest.raises(error, match=f"vocabulary.*{message}"):
        model.top_terms(names)
    names = [*names, *TITLES[20:]] if isinstance(names, list) and len(names) == 20 else names
    with pytest.raises(error, match=f"titles.*{message}"):
        sparsenmf.document_table(model, names)


def test_what_has_names_elsewhere_is_refused(model):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"term": TERMS})
    places = dict(zip(TERMS, range(20), strict=True))
    with pytest.raises(TypeError, match=r"DataFrame of shape \(20, 1\): pass one column"):
        model.top_terms(frame)
    with pytest.raises(TypeError, match="pass the dict itself"):
        model.top_terms(places.keys())
    with pytest.raises(ValueError, match=r"vocabulary\[1\] is missing"):
        model.top_terms([TERMS[0], None, *TERMS[2:]])
    for columns in ({**places, "whale": 99}, {**places, "whale": "1"}):
        with pytest.raises(ValueError, match="to the columns 0 to 19"):
            model.top_terms(columns)
    pytest.importorskip("sklearn")
    for texts in (pd.DataFrame({"text": make_texts()}), set(make_texts()), {"a": "text"}):
        with pytest.raises(TypeError, match="texts must be a sequence of strings"):
            sparsenmf.find_topics(texts, 2)
        if not isinstance(texts, set):
            with pytest.raises(TypeError, match="texts must be a sequence"):
                sparsenmf.topic_coherence([TERMS[:3]], texts=texts, tokenizer=str.split)


def test_top_terms_of_other_models_are_read_by_position():
    X, lists = make_counts(), [TERMS[:3], TERMS[12:15]]
    expected = sparsenmf.topic_coherence(lists, X, TERMS)
    as_series = series([np.array(lists[0]).astype("S"), tuple(lists[1])], dtype=object)
    for topics in (as_series, np.array(lists), [series(terms) for terms in lists]):
        np.testing.assert_array_equal(sparsenmf.topic_coherence(topics, X, TERMS), expected)
    words = [text.split() for text in make_texts()]
    by_words = sparsenmf.topic_coherence(lists, texts=words)
    encoded = [np.array(text).astype("S") for text in words]
    np.testing.assert_array_equal(sparsenmf.topic_coherence(lists, texts=encoded), by_words)
    with pytest.raises(TypeError, match=re.escape("topics[0] must be a list of terms")):
        sparsenmf.topic_coherence([set(TERMS)], X, TERMS)


def test_a_file_of_terms_has_a_term_on_each_line(tmp_path):
    from sparsenmf.data.files import read_vocabulary, write_vocabulary

    path = tmp_path / "terms.txt"
    write_vocabulary(path, series(TERMS))
    assert read_vocabulary(path) == TERMS
    for broken in ("two\nlines", "two\rlines"):
        with pytest.raises(ValueError, match=r"terms\[1\] has a line break"):
            write_vocabulary(path, ["a", broken])
    assert read_vocabulary(path) == TERMS
