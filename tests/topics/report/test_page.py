"""The report: its content, and that any text stays text."""

import os
import re
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsenmf import CoordinateDescent, Factorization, factorize
from sparsenmf.models.ranking import top_indices
from sparsenmf.topics.report import figures
from sparsenmf.topics.tables import topic_table
from sparsenmf.topics.typical_documents import summarize_topics

from ...corpus import TERMS, make_counts, make_texts
from ...pages import parse
from .written import ONE, make_model, shown, terms_of, texts_of, topics_of, write


def test_topics_are_those_of_the_tables(model, tmp_path):
    titles = [f"title {i}" for i in range(80)]
    X = make_counts()
    page = write(model, tmp_path, TERMS, titles, n_terms=4, n_documents=3, X=X)
    table = topic_table(model, TERMS, titles, n_terms=4, n_documents=3, X=X)
    mass = model.W * model.H.sum(axis=1)
    articles = topics_of(page)
    assert len(articles) == 3
    for r, article in enumerate(articles):
        assert article.attributes["id"] == f"topic-{r + 1}"
        assert terms_of(article) == table["terms"][r]
        assert terms_of(article, "distinctive") == table["distinctive"][r]
        assert texts_of(article, "span", "text") == table["documents"][r]
        assert article.one("span", "name").text == ", ".join(table["distinctive"][r][:3])
        assert float(article.attributes["data-share"]) == pytest.approx(table["share"][r], rel=1e-5)
        strongest = int(article.attributes["data-documents"])
        assert strongest == np.sum((mass.argmax(axis=1) == r) & (mass.sum(axis=1) > 0))
        weights = np.sort(model.H[r])[::-1][:4]
        values = article.one("ol", "terms").all("span", "value")
        assert [v.text for v in values] == [f"{w / model.H[r].sum():.1%}" for w in weights]
        bars = [float(rect.attributes["width"].rstrip("%")) for rect in article.all("rect")]
        np.testing.assert_allclose(bars, 100 * weights / weights[0], atol=0.051)
        rows = [titles.index(title) for title in table["documents"][r]]
        common = np.minimum(X.toarray(), np.outer(model.W[:, r], model.H[r])).sum(axis=1)
        parts = [common[i] / mass[i].sum() for i in rows]
        values = article.one("ul", "documents").all("span", "value")
        expected = [f"{i + 1} · {part:.0%}" for i, part in zip(rows, parts, strict=True)]
        assert [v.text for v in values] == expected


@pytest.mark.parametrize("by", ["weight", "distinctive", 0.5])
def test_a_page_may_have_one_list_of_terms(by, model, tmp_path):
    page = write(model, tmp_path, TERMS, n_terms=4, by=by)
    terms = model.top_terms(TERMS, 4, by=by)
    for article, listed in zip(topics_of(page), terms, strict=True):
        assert texts_of(article, "span", "term") == terms_of(article) == listed
        assert article.one("span", "name").text == ", ".join(listed[:3])
    with pytest.raises(ValueError, match="by must be"):
        write(model, tmp_path, TERMS, by="rare")


def test_topics_that_begin_with_common_terms_have_other_names(tmp_path):
    model = make_model(np.eye(2), [[9, 4, 2, 0, 0], [9, 0, 0, 1, 3]])
    page = write(model, tmp_path, ["the", "cat", "mouse", "sea", "wind"])
    names = ["cat, mouse, the", "wind, sea, the"]
    assert [article.one("span", "name").text for article in topics_of(page)] == names
    labels = [text.text for text in page.one("svg", "map").all("text", "label")]
    assert sorted(labels) == ["cat", "wind"]
    assert [terms_of(article)[0] for article in topics_of(page)] == ["the", "the"]


def test_similar_topics_are_named(tmp_path):
    model = make_model(np.ones((4, 3)), [[3, 3, 0, 0, 0], [3, 2, 0, 0, 1], [0, 0, 1, 1, 0]])
    first, second, third = topics_of(write(model, tmp_path, list("abcde")))
    assert [a.attributes["href"] for a in first.all("a")] == ["#topic-2"]
    assert [a.attributes["href"] for a in second.all("a")] == ["#topic-1"]
    assert third.all("a") == []


def test_overview_and_options_describe_the_fit(model, tmp_path):
    page = write(model, tmp_path, TERMS, title="Of sea & kitchen", details={"Nonzeros": 12345})
    names, values = (texts_of(page.by_id("overview"), tag, None) for tag in ("dt", "dd"))
    facts = dict(zip(names, values, strict=True))
    assert facts["Documents"] == "80"
    assert facts["Terms"] == str(len(TERMS))
    assert facts["Topics"] == "3"
    assert facts["Loss"] == "frobenius"
    assert facts["Solver"] == "coordinate descent"
    assert facts["Relative error"] == f"{model.relative_error:.4f}"
    assert facts["Optimality"] == f"{model.optimality:.1e}"
    assert facts["Iterations"].startswith(f"{model.n_iter} in ")
    assert facts["Stopped"] == "it has converged"
    assert facts["Nonzeros"] == "12,345"
    assert page.one("head").one("title").text == page.one("h1").text == "Of sea & kitchen"
    table = page.by_id("parameters").one("table")
    rows = {row.one("th").text: row.one("td").text for row in table.all("tr")}
    assert rows == {name: str(value) for name, value in model.options.items()}
    assert "numba" in page.by_id("parameters").text


@pytest.mark.parametrize(
    ("W", "H", "changes"),
    [
        (ONE, ONE, {}),
        (ONE, ONE * 0, {}),
        (np.zeros((5, 3)), np.zeros((3, 4)), {}),
        (np.eye(3), np.eye(3), {"options": {}}),
        (ONE, ONE, {"objective_history": np.ones(9), "time_history": np.ones(9)}),
        (ONE, ONE, {"objective_history": np.empty(0), "time_history": np.empty(0)}),
        (ONE, ONE, {"optimality": float("nan"), "x_norm": 0.0, "stop_reason": "something else"}),
        (ONE, ONE, {"objective_history": np.array([np.inf, 1, np.nan])}),
        (ONE, ONE, {"objective_history": np.array([5e-324, 0, 0])}),
        (ONE, ONE, {"objective_history": np.array([np.nextafter(1e300, np.inf), 1e300, 1e300])}),
        (ONE * 1e-300, ONE * 1e300, {}),
    ],
)  # fmt: skip
def test_odd_models_have_a_page(W, H, changes, tmp_path):
    model = make_model(W, H, **changes)
    page = write(model, tmp_path, [f"t{j}" for j in range(H.shape[1])])
    assert len(topics_of(page)) == len(H)
    for article, weights in zip(topics_of(page), H, strict=True):
        assert len(terms_of(article)) == np.count_nonzero(weights)
    for element in page.all("circle"):
        assert 0 <= float(element.attributes["cx"]) <= figures.WIDTH
    assert "nan" not in (tmp_path / "page.html").read_text().split("<style>")[0]


def test_without_documents_their_numbers_are_shown(model, tmp_path):
    for article in topics_of(write(model, tmp_path, TERMS)):
        assert all(re.fullmatch(r"document \d+", t) for t in texts_of(article, "span", "text"))
    blank = write(model, tmp_path, TERMS, [" \n"] * 80)
    assert texts_of(blank, "span", "text")[0].startswith("document ")


def test_series_of_any_index_and_other_sequences(model, tmp_path):
    pandas = pytest.importorskip("pandas")
    titles = [f"title {i}" for i in range(80)]
    expected = texts_of(write(model, tmp_path, TERMS, titles), "span", "text")
    series = pandas.Series(titles, index=np.arange(80)[::-1])
    for documents in (series, np.array(titles), tuple(titles), pandas.Index(titles)):
        assert texts_of(write(model, tmp_path, TERMS, documents), "span", "text") == expected
    vocabulary = {term: j for j, term in enumerate(TERMS)}
    assert texts_of(write(model, tmp_path, vocabulary, titles), "span", "text") == expected


def test_links_lead_somewhere_and_names_are_there_once(model, tmp_path):
    page = write(model, tmp_path, TERMS)
    names = [e.attributes["id"] for e in page if "id" in e.attributes]
    assert len(set(names)) == len(names)
    for element in page:
        for name in ("href", "aria-labelledby"):
            assert element.attributes.get(name, names[0]).lstrip("#") in names


def test_sizes_are_bounded(tmp_path):
    rng = np.random.default_rng(0)
    k, n, m = 150, 3000, 1000
    model = make_model(rng.gamma(0.3, size=(n, k)), rng.gamma(0.3, size=(k, m)))
    page = write(model, tmp_path, ["t" * 10_000] * m, ["d " * 100_000] * n)
    size = (tmp_path / "page.html").stat().st_size
    assert size < 8000 * k
    assert max(map(len, texts_of(page, "span", "term"))) == 80
    assert max(map(len, texts_of(page, "span", "text"))) == 240
    page = write(
        model, tmp_path, ["t"] * m, ["d" * 100] * n, n_terms=2, n_documents=0, n_characters=10
    )
    for article in topics_of(page)[:3]:
        assert len(terms_of(article)) == len(terms_of(article, "distinctive")) == 2
        assert article.all("span", "text") == []


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((["a"],), {}, ValueError, "vocabulary has 1 terms, but there are .* features"),
        (("words",), {}, TypeError, "vocabulary must be a sequence"),
        ((TERMS, ["a", "b"]), {}, ValueError, "documents has 2 names, but W has 80 rows"),
        ((TERMS, "text"), {}, TypeError, "documents must be a sequence of 80"),
        ((TERMS, {i: "a" for i in range(80)}), {}, TypeError, "documents must be a sequence"),
        ((TERMS, iter(["a"])), {}, TypeError, "documents must be a sequence"),
        ((TERMS,), {"title": 3}, TypeError, "title must be a string, not 3"),
        ((TERMS,), {"n_terms": 0}, ValueError, "n_terms must be at least 1"),
        ((TERMS,), {"n_documents": -1}, ValueError, "n_documents must be at least 0"),
        ((TERMS,), {"n_characters": 2.5}, TypeError, "n_characters must be an integer"),
        ((TERMS,), {"n_characters": 9}, ValueError, "n_characters must be at least 10"),
        ((TERMS,), {"details": "seed 0"}, TypeError, "details must be a dict"),
        ((TERMS,), {"titles": ["a", "b"]}, ValueError, "titles has 2 names, but W has 80 rows"),
        ((TERMS,), {"script": 3}, TypeError, "script must be a string, not 3"),
        ((TERMS,), {"vectorizer": "tfidf"}, TypeError, "vectorizer must be a scikit-learn"),
    ],
)
def test_bad_arguments_are_named(model, tmp_path, arguments, options, error, message):
    with pytest.raises(error, match=message):
        model.report(tmp_path / "page.html", *arguments, **options)
    assert os.listdir(tmp_path) == []


def test_bad_paths_are_named(model, tmp_path):
    with pytest.raises(TypeError, match="path must be a path, not 3"):
        model.report(3, TERMS)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        model.report(tmp_path / "nowhere" / "page.html", TERMS)


def test_a_page_is_replaced_whole_or_stays(model, tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    model.report(path, TERMS)
    before = path.read_bytes()
    model.report(path, TERMS)
    assert path.read_bytes() == before  # nothing depends on the moment

    def fail(*_):
        raise OSError("no space")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        model.report(path, TERMS, title="Another")
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["page.html"]


def test_a_loaded_model_has_the_same_page(model, tmp_path):
    model.save(tmp_path / "model.npz")
    Factorization.load(tmp_path / "model.npz").report(tmp_path / "loaded.html", TERMS)
    model.report(tmp_path / "page.html", TERMS)
    assert (tmp_path / "loaded.html").read_bytes() == (tmp_path / "page.html").read_bytes()


@settings(deadline=None)
@given(st.integers(0, 2**16), st.integers(0, 6), st.sampled_from([1, 3, 1024]))
def test_one_pass_finds_the_same_documents_as_sorting(seed, n_documents, chunk):
    rng = np.random.default_rng(seed)
    n, m, k = rng.integers(1, 12, 3)
    W = rng.integers(0, 3, (n, k)).astype(np.float32)  # with ties and zeros
    model = make_model(W, rng.integers(0, 3, (k, m)))
    model.W, model.H = W, model.H.astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sparsenmf.topics.typical_documents.CHUNK", chunk)
        found = summarize_topics(model, n_documents)
    mass = model.W.astype(float) * model.H.sum(axis=1)
    total = mass.sum(axis=1, keepdims=True)
    typical = mass / np.where(total > 0, total, 1) * model.W / np.maximum(model.W.max(axis=0), 1)
    for r in range(k):
        order = np.argsort(-typical[:, r], kind="stable")[:n_documents]
        assert found.documents[r] == [i for i in order.tolist() if typical[i, r] > 0]
        assert found.matches[r] == typical[found.documents[r], r].tolist()
    strongest = mass.argmax(axis=1)[total[:, 0] > 0]
    assert found.counts.tolist() == [int(np.sum(strongest == r)) for r in range(k)]
    np.testing.assert_allclose(found.shares * max(mass.sum(), 1e-30), mass.sum(axis=0), rtol=1e-5)


@settings(deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), st.integers(1, 12))
def test_top_indices_are_those_of_a_sort(weights, n):
    weights = np.array(weights, float)
    order = np.argsort(-weights, kind="stable")[:n]
    assert top_indices(weights, n).tolist() == [i for i in order.tolist() if weights[i] > 0]


def test_what_the_package_needs_is_shipped():
    tomllib = pytest.importorskip("tomllib")
    root = Path(__file__).parents[3]
    settings = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {path.parent for path in (root / "sparsenmf").rglob("*.py")}
    names = {".".join(folder.relative_to(root).parts) for folder in folders}
    assert names == set(settings["packages"])
    files = {
        path.name for path in resources.files("sparsenmf.topics.report").iterdir() if path.is_file()
    }
    data = {name for name in files if not name.endswith(".py")}
    assert data == set(settings["package-data"]["sparsenmf.topics.report"])


def test_topics_of_texts_have_a_page(tmp_path):
    pytest.importorskip("sklearn")
    from sparsenmf import find_topics

    texts, titles = make_texts(), [f"number {i}" for i in range(80)]
    topics = find_topics(texts, 2, random_state=0, titles=titles)
    topics.report(tmp_path / "page.html", title="Sea and kitchen", n_documents=1)
    page = parse(tmp_path / "page.html")
    assert page.one("h1").text == "Sea and kitchen"
    for article in topics_of(page):  # both, of the same document
        (title,), (text,) = (texts_of(article, "span", kind) for kind in ("title", "text"))
        assert texts[titles.index(title)] == text
    topics.report(tmp_path / "page.html", [f"another {i}" for i in range(80)])
    page = parse(tmp_path / "page.html")
    assert all(text.startswith("another ") for text in texts_of(page, "span", "text"))
    assert all(title.startswith("number ") for title in texts_of(page, "span", "title"))


def test_a_title_that_begins_the_text_is_not_shown_twice(tmp_path):
    pytest.importorskip("sklearn")
    from sparsenmf import find_topics

    texts = [f"{text} and {'more ' * 30}of it" for text in make_texts()]
    find_topics(texts, 2, random_state=0).report(tmp_path / "page.html")
    page = parse(tmp_path / "page.html")
    assert texts_of(page, "span", "title") == []
    assert set(texts_of(page, "span", "text")) <= {shown(text, 240) for text in texts}


def test_titles_without_texts_and_texts_without_titles(model, tmp_path):
    titles = [None if i % 2 else f"title {i}" for i in range(80)]
    texts = [None if i % 3 else f"text {i}" for i in range(80)]
    page = write(model, tmp_path, TERMS, texts, titles=titles, n_documents=20)
    for article in topics_of(page):
        for item in article.one("ul", "documents").all("li"):
            row = int(re.match(r"(?:document )?(\d+)", item.one("span", "value").text)[1]) - 1
            if item.one("span", "value").text.endswith("%") and "·" in item.text:
                assert texts_of(item, "span", "title") == [titles[row]] * (titles[row] is not None)
                assert texts_of(item, "span", "text") == [texts[row]] * (texts[row] is not None)
            else:  # nothing is known of it but its number
                assert re.fullmatch(r"document \d+", item.one("span", "text").text)


def test_a_store_and_a_mapped_W(tmp_path):
    from sparsenmf import write_csr

    store = write_csr(tmp_path / "store", make_counts())
    model = factorize(store, 2, random_state=0, solver=CoordinateDescent(W_path=tmp_path / "W.npy"))
    assert isinstance(model.W, np.memmap)
    page = write(model, tmp_path, TERMS, make_texts())
    assert len(topics_of(page)) == 2
