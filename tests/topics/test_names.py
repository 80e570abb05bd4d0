"""Names that a model keeps stand in for a vocabulary and for titles, everywhere."""

import numpy as np
import pytest

from sparsenmf import (
    document_table,
    factorize,
    plots,
    quality_table,
    show_topics,
    term_table,
    to_pyldavis,
    topic_coherence,
    topic_labels,
    topic_table,
)

from ..corpus import TERMS, make_counts, make_texts
from ..pages import parse, parse_text

TITLES = [f"sample {i}" for i in range(80)]

OVER_TERMS = {
    "top_terms": lambda model, *terms: model.top_terms(*terms),
    "topic_table": topic_table,
    "term_table": term_table,
    "topic_labels": topic_labels,
    "show_topics": show_topics,
    "to_pyldavis": lambda model, *terms: to_pyldavis(model, *terms)["vocab"],
    "quality_table": lambda model, vocabulary=None: quality_table(model, vocabulary, make_counts()),
    "coherence of texts": lambda model, vocabulary=None: topic_coherence(
        model, None, vocabulary, texts=[text.split() for text in make_texts()]
    ).tolist(),
}


@pytest.fixture
def model():
    return factorize(make_counts(), 3, random_state=0)


@pytest.fixture
def named(model):
    model.feature_names = np.array(TERMS)
    return model


@pytest.mark.parametrize("name", OVER_TERMS)
def test_without_a_vocabulary_the_names_of_the_model_are_used(name, model):
    function = OVER_TERMS[name]
    with pytest.raises(ValueError, match="pass the vocabulary"):
        function(model)
    expected = function(model, TERMS)
    model.feature_names = np.array(TERMS)
    assert function(model) == expected
    other = [f"other {j}" for j in range(20)]  # what is passed comes first
    if name != "coherence of texts":
        assert "other" in str(function(model, other))
    with pytest.raises(ValueError, match="vocabulary has 1 terms"):
        function(model, ["a"])


def test_titles_are_the_names_of_the_samples(named):
    assert document_table(named)["title"][:2] == ["document 1", "document 2"]
    named.sample_names = np.array(TITLES)
    assert document_table(named)["title"] == TITLES
    documents = topic_table(named)["documents"]
    assert documents == topic_table(named, TERMS, TITLES)["documents"]
    assert document_table(named, ["x"] * 80)["title"] == ["x"] * 80
    named.sample_names = np.arange(100, 180)
    assert document_table(named)["title"][:2] == ["100", "101"]
    named.sample_names = np.where(np.arange(80) == 1, "", TITLES)  # without a name
    assert document_table(named)["title"][:3] == ["sample 0", "document 2", "sample 2"]
    assert topic_labels(named) == topic_labels(named, TERMS)


def test_the_report_has_the_names(named, tmp_path):
    named.sample_names = np.array(TITLES)
    named.report(tmp_path / "names.html")
    found = (tmp_path / "names.html").read_text()
    named.feature_names = named.sample_names = None
    named.report(tmp_path / "given.html", TERMS, titles=TITLES)
    assert found == (tmp_path / "given.html").read_text()
    shown = parse(tmp_path / "names.html").by_id("list").all("span", "title")
    assert shown
    assert {title.text for title in shown} <= set(TITLES)
    with pytest.raises(ValueError, match="pass the vocabulary"):
        named.report(tmp_path / "none.html")


def test_a_notebook_shows_the_names(named):
    heads = [head.text for head in parse_text(named._repr_html_()).all("th")]
    assert heads == ["topic", "size", "share", "top terms", "most distinctive"]


def texts_in(ax):
    ax.figure.canvas.draw()
    return sorted(text.get_text() for text in ax.findobj(lambda x: hasattr(x, "get_text")))


@pytest.mark.parametrize(
    "name", ["top_terms", "term_heatmap", "topic_sizes", "topic_map", "documents"]
)
def test_pictures_have_the_names(name, model):
    pytest.importorskip("matplotlib")
    draw = getattr(plots, f"plot_{name}")
    if name in ("top_terms", "term_heatmap"):
        with pytest.raises(ValueError, match="pass the vocabulary"):
            draw(model)
    else:
        assert not any(term in text for text in texts_in(draw(model)) for term in TERMS)
    expected = texts_in(draw(model, TERMS))
    assert any(term in text for text in expected for term in TERMS)
    model.feature_names = np.array(TERMS)
    assert texts_in(draw(model)) == expected


def test_models_are_compared_by_their_names(named):
    pytest.importorskip("matplotlib")
    other = factorize(make_counts(), 3, random_state=1)
    expected = texts_in(plots.plot_comparison(named, other, TERMS))
    assert any(term in text for text in expected for term in TERMS)
    half = texts_in(plots.plot_comparison(named, other))  # one of them has no names
    other.feature_names = np.array(TERMS)
    assert texts_in(plots.plot_comparison(named, other)) == expected
    assert half != expected
