"""Any text stays text in a report; nothing is loaded, and only its script runs."""

import ast
import base64
import hashlib
import re

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ...corpus import TERMS, make_texts
from ...pages import HOSTILE
from .written import ONE, make_model, shown, texts_of, topics_of, write

ALLOWED = {
    "#document", "html", "head", "meta", "title", "style", "body", "a", "header", "h1", "h2",
    "h3", "p", "nav", "main", "section", "dl", "div", "dt", "dd", "figure", "figcaption",
    "svg", "circle", "text", "rect", "line", "polyline", "ol", "ul", "li", "span", "bdi",
    "form", "label", "input", "select", "option", "button", "article", "table", "tbody",
    "tr", "th", "td", "pre", "code", "script", "details", "summary",
}  # fmt: skip


def skeleton(page):
    """The elements and the names of their attributes, without labels, which need room."""
    return [
        (element.tag, sorted(element.attributes))
        for element in page
        if element.tag not in ("text", "rect", "circle")
    ]


def check_hostile(texts, folder):
    """Write a page with texts in all places, and check that they add no elements."""
    n = len(texts)
    model = make_model(np.eye(n), np.eye(n) + 0.5)
    plain = [f"word{i}" for i in range(n)]
    options = {f"option {i}": "value" for i in range(n)}
    model.options = options
    expected = skeleton(write(model, folder, plain, plain, details=dict(options)))

    model.options = {f"option {i}": text for i, text in enumerate(texts)}
    details = {f"option {i}": text for i, text in enumerate(texts)}
    page = write(model, folder, texts, texts, title=texts[0], details=details)
    assert skeleton(page) == expected
    for r, article in enumerate(topics_of(page)):
        assert article.all("span", "term")[0].text == (shown(texts[r], 80) or "(blank)")
        assert article.all("span", "text")[0].text == (shown(texts[r], 240) or f"document {r + 1}")
    assert (
        page.one("h1").text
        == page.one("head").one("title").text
        == (shown(texts[0], 200) or "Topics")
    )
    values = [cell.text for cell in page.by_id("parameters").all("td")]
    assert values == [shown(text, 300) for text in texts]
    assert [cell.text for cell in page.by_id("overview").all("dd")][-n:] == values
    page = write(model, folder, texts, texts, titles=[f"title {text}" for text in texts])
    for r, article in enumerate(topics_of(page)):
        assert texts_of(article, "span", "title") == [shown(f"title {texts[r]}", 240)]


def test_hostile_texts_stay_text(tmp_path):
    check_hostile(HOSTILE, tmp_path)
    for text in HOSTILE:
        check_hostile([text, "plain"], tmp_path)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(), min_size=1, max_size=4))
@example(["<!--", "--!>", "<", "</"])
def test_any_texts_stay_text(tmp_path_factory, texts):
    check_hostile(texts, tmp_path_factory.mktemp("page"))


def test_hostile_names_of_options(tmp_path):
    names = {text: "value" for text in HOSTILE}
    given = {"tol": "</code><b>\n", "random_state": "'<\n", "sparsenmf": "<i>"}
    model = make_model(ONE, ONE, options={**names, **given})
    page = write(model, tmp_path, ["a"], details=names)
    assert {element.tag for element in page} <= ALLOWED
    names = [cell.text for cell in page.by_id("parameters").all("th")]
    assert names[: len(HOSTILE)] == [shown(text, 300) for text in HOSTILE]
    ast.parse(page.one("code").text)


def test_nothing_is_loaded_and_only_the_script_runs(model, tmp_path):
    page = write(model, tmp_path, TERMS, make_texts())
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert not re.search(r"https?:|//[a-z]|@import|url\(|data:", text)
    for element in page:
        assert element.tag in ALLOWED
        for name, value in element.attributes.items():
            assert name not in ("src", "style", "srcset", "action")
            assert not name.startswith("on")
            assert name != "href" or value.startswith("#")
    policy = next(m for m in page.all("meta") if "http-equiv" in m.attributes)
    assert policy.attributes["http-equiv"] == "Content-Security-Policy"
    rules = dict(rule.strip().split(" ", 1) for rule in policy.attributes["content"].split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    for tag in ("style", "script"):
        digest = hashlib.sha256(page.one(tag).text.encode()).digest()
        assert rules[f"{tag}-src"] == f"'sha256-{base64.b64encode(digest).decode()}'"


def test_template_placeholders_in_texts_are_not_filled(tmp_path):
    page = write(make_model(ONE, ONE), tmp_path, ["$script"], ["${style}"], title="$facts")
    assert page.one("h1").text == "$facts"
    assert texts_of(page, "span", "term") == ["$script"] * 2
    assert texts_of(page, "span", "text") == ["${style}"]
