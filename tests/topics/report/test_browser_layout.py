"""The report in a real browser: screens, paper, hostile texts, and a page without a script."""

import re

import numpy as np
import pytest

from ...pages import HOSTILE, parse
from .browsing import TOPICS, find, make_model, numbers, show, status


@pytest.mark.parametrize("script", [True, False])
def test_hostile_texts_stay_text(browser, tmp_path, script):
    model, terms, documents = make_model(len(HOSTILE))
    model.options = {text: text for text in HOSTILE}
    page = show(browser, tmp_path, model, terms, documents, title=HOSTILE[1], details=model.options)
    if not script:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        browser.refresh()
    assert page.get_log("browser") == []
    with pytest.raises(Exception, match="no such alert"):
        _ = page.switch_to.alert
    assert page.title == HOSTILE[1]
    # The same texts as Python's parser reads, in the same elements.
    expected = parse(tmp_path / "page.html")
    for tag, kind in (("span", "text"), ("dd", None), ("td", None), ("span", "term")):
        selector = f".{kind}" if kind else tag
        texts = [e.get_property("textContent") for e in find(page, selector)]
        assert texts == [e.text for e in expected.all(tag, kind)]
    tags = {e.tag_name for e in find(page, "body *")}
    assert tags <= {e.tag for e in expected} | {"button"}
    assert len(find(page, "script")) == 1
    if script:
        for r, text in enumerate(HOSTILE):
            button = find(page, f"#topic-{len(TOPICS) + r + 1} button.term")[0]
            page.execute_script("arguments[0].click()", button)
            assert len(TOPICS) + r + 1 in numbers(page), text
            assert button.get_property("textContent") in status(page) or not text.strip()
        assert page.get_log("browser") == []


def test_injected_markup_neither_runs_nor_loads(page):
    """The second line of defence: the policy of the page."""
    page.execute_script(
        "document.body.insertAdjacentHTML('beforeend', arguments[0])",
        "<img src='https://example.org/x.png' onerror='hit = 1'><p style='color: red'>",
    )
    page.execute_script(
        "const e = document.createElement('script'); e.text = 'hit = 2'; document.body.append(e)"
    )
    complaints = " ".join(entry["message"] for entry in page.get_log("browser"))
    for rule in ("img-src", "style-src", "script-src"):
        assert re.search(f"violates .*{rule}|{rule}.* was not explicitly set", complaints), rule
    assert page.execute_script("return typeof hit") == "undefined"


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
@pytest.mark.parametrize("hostile", [0, len(HOSTILE)])
def test_no_screen_scrolls_sideways(browser, tmp_path, width, hostile):
    model, terms, documents = make_model(hostile)
    model.options["x" * 500] = "y" * 500
    page = show(browser, tmp_path, model, terms, documents, title="A" * 150)
    screen = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 700}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    page.refresh()
    assert page.execute_script("return innerWidth") == width
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    # Nothing sticks out but what scrolls or is cut off on its own.
    script = (
        "return [...document.querySelectorAll('main *')]"
        ".filter(e => e.getBoundingClientRect().right > innerWidth + 1)"
        ".filter(e => !e.closest('pre, .index'))"
        ".map(e => e.outerHTML.slice(0, 200))"
    )
    assert page.execute_script(script) == []


def test_a_phone_has_the_whole_list_of_topics(browser, tmp_path):
    model, _, _ = make_model()
    model.W, model.H = np.eye(60), np.eye(60) + 0.1
    page = show(browser, tmp_path, model, [f"a term of many words, {j}" for j in range(60)])
    screen = {"width": 375, "height": 812, "deviceScaleFactor": 1, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    page.refresh()
    script = (
        "const cut = (e) => e.scrollHeight > e.clientHeight + 1"
        " || e.scrollWidth > e.clientWidth + 1;"
        "return [...document.querySelectorAll('.index, .index a, .index .name')]"
        ".filter((e) => getComputedStyle(e).display !== 'inline').filter(cut).length"
    )
    assert page.execute_script(script) == 0
    assert page.execute_script("return document.documentElement.scrollWidth") <= 375
    names = [name.text for name in find(page, ".index .name")]
    assert len(names) == 60
    assert all(name.count("a term of many words") == 3 for name in names)


def test_numbers_of_the_fit_are_folded_until_opened_or_printed(page):
    def is_seen(selector):
        script = "return document.querySelector(arguments[0]).checkVisibility()"
        return page.execute_script(script, selector)

    jargon = ("#overview dd", "#convergence svg", "#parameters td")
    assert not any(map(is_seen, jargon))
    assert is_seen("#again code")
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert all(map(is_seen, jargon))
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    find(page, "summary")[0].click()
    assert all(map(is_seen, jargon))


def test_without_a_script_all_is_there(browser, tmp_path):
    page = show(browser, tmp_path, *make_model())
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.refresh()
    assert numbers(page) == [1, 2, 3, 4]
    assert not find(page, ".controls")[0].is_displayed()
    assert find(page, "#list button") == []
    assert all(e.is_displayed() for e in find(page, ".term"))


def test_the_dark_page_is_dark_and_can_be_read(page):
    contrasts = {}
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        paper = _brightness(page, "body", "background-color")
        assert (paper < 0.05) == (scheme == "dark")
        for selector in ("body", ".note", "nav a", ".value", "td", "#status"):
            ink = _brightness(page, selector, "color")
            low, high = sorted((paper, ink))
            contrasts[scheme, selector] = (high + 0.05) / (low + 0.05)
    assert min(contrasts.values()) >= 4.5, contrasts  # WCAG 2, level AA


def _brightness(page, selector, name):
    """Relative luminance, as WCAG 2 defines it."""
    value = find(page, selector)[0].value_of_css_property(name)
    parts = [float(part) / 255 for part in value[value.index("(") + 1 : -1].split(",")[:3]]
    parts = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return float(np.dot(parts, [0.2126, 0.7152, 0.0722]))


def test_print_has_everything_and_no_controls(page):
    find(page, "#search")[0].send_keys("goal")
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert numbers(page) == [1, 2, 3, 4]
    assert not find(page, ".controls")[0].is_displayed()
    assert not find(page, "header nav")[0].is_displayed()
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": dark})
    assert _brightness(page, "body", "background-color") > 0.95
