"""The report in a real browser, Chromium without a window."""

import re
import shutil

import numpy as np
import pytest

from sparsenmf import Factorization

from ...pages import HOSTILE, parse

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

from selenium.common.exceptions import WebDriverException  # noqa: E402
from selenium.webdriver.support.wait import WebDriverWait  # noqa: E402

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

# Topics of words; a word in parentheses is there in several.
TOPICS = [
    {"whale": 5, "wind": 4, "storm": 3},
    {"oven": 5, "sugar": 4, "wind": 1},
    {"court": 5, "judge": 4, "law": 3, "storm": 2},
    {"goal": 5, "team": 4},
]
WORDS = sorted({word for topic in TOPICS for word in topic})


def make_model(n_hostile=0):
    """Four topics of ten documents each, and one for each hostile text."""
    terms = WORDS + HOSTILE[:n_hostile]
    k = len(TOPICS) + n_hostile
    H = np.zeros((k, len(terms)))
    for r, topic in enumerate(TOPICS):
        for word, weight in topic.items():
            H[r, terms.index(word)] = weight
    for r in range(n_hostile):
        H[len(TOPICS) + r, len(WORDS) + r] = 1
    W = np.repeat(np.eye(k), 10, axis=0)
    W[10:20] *= 9
    model = Factorization(
        W=W,
        H=H,
        objective_history=np.array([9.0, 5.0, 4.0]),
        time_history=np.array([0.1, 0.3, 0.6]),
        stop_reason="converged",
        optimality=1e-5,
        x_norm=4.0,
        error=1.0,
        options={"solver": "cd", "loss": "frobenius"},
    )
    documents = [f"document of topic {i // 10 + 1}, {i}" for i in range(10 * len(TOPICS))]
    documents += [text for text in HOSTILE[:n_hostile] for _ in range(10)]
    return model, terms, documents


@pytest.fixture(scope="module")
def browser():
    reasons = ["there is no chromedriver"]
    if driver := shutil.which("chromedriver"):
        reasons = ["there is no Chromium"]
        for path in filter(None, map(shutil.which, BROWSERS)):
            try:
                found = start(path, driver)
            except WebDriverException as error:  # of another version than the driver
                reasons.append(f"{path} does not start: {error.msg}")
                continue
            with found:
                yield found
            return
    pytest.skip("; ".join(reasons))


def start(browser, driver):
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # As the page has no network to need, the browser has none.
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND")
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))


@pytest.fixture
def page(browser, tmp_path):
    """The browser, with the page of the four topics."""
    model, terms, documents = make_model()
    return show(browser, tmp_path, model, terms, documents)


def show(browser, folder, model, *arguments, **options):
    path = folder / "page.html"
    model.report(path, *arguments, **options)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.get("about:blank")
    browser.get_log("browser")
    browser.get(path.as_uri())
    return browser


def find(page, selector):
    return page.find_elements("css selector", selector)


def numbers(page):
    """The visible topics, in their order."""
    shown = [e for e in find(page, ".topic") if e.is_displayed()]
    return [int(e.get_attribute("id").removeprefix("topic-")) for e in shown]


def status(page):
    return find(page, "#status")[0].text


def choose(page, name, value):
    find(page, f"#{name} option[value='{value}']")[0].click()


def test_the_page_loads_without_errors(page):
    assert page.get_log("browser") == []
    assert numbers(page) == [1, 2, 3, 4]
    assert status(page) == "4 topics"
    loaded = "return performance.getEntriesByType('resource').map(e => e.name)"
    assert page.execute_script(loaded) == []


def test_search_filters_terms_and_documents(page):
    search = find(page, "#search")[0]
    search.send_keys("WIND")
    assert numbers(page) == [1, 2]
    assert status(page) == "2 of 4 topics"
    search.clear()
    search.send_keys("of topic 3")
    assert numbers(page) == [3]
    search.clear()
    search.send_keys("nowhere")
    assert numbers(page) == []
    assert status(page) == "0 of 4 topics"
    find(page, "#reset")[0].click()
    assert numbers(page) == [1, 2, 3, 4]
    assert search.get_property("value") == ""


def test_sort_sorts(page):
    choose(page, "sort", "share")
    order = [2, 3, 1, 4]  # sums of the weights: 90, 14, 12, 9
    assert numbers(page) == order
    choose(page, "sort", "name")
    assert numbers(page) == [3, 4, 2, 1]  # court, goal, oven, whale
    find(page, "#search")[0].send_keys("storm")
    assert numbers(page) == [3, 1]
    choose(page, "sort", "number")
    assert numbers(page) == [1, 3]


def test_a_topic_can_be_chosen(page):
    names = [option.text for option in find(page, "#topic option")]
    assert names[:2] == [
        "all",
        "1 whale, storm, wind",
    ]  # court has storms, too, and baking some wind
    choose(page, "topic", 3)
    assert numbers(page) == [3]
    choose(page, "topic", "")
    assert numbers(page) == [1, 2, 3, 4]


def test_a_term_shows_its_topics(page):
    storm = next(e for e in find(page, "#topic-3 button.term") if e.text == "storm")
    storm.click()
    assert numbers(page) == [1, 3]
    assert status(page) == "2 of 4 topics with “storm”"
    pressed = find(page, "button.term[aria-pressed=true]")
    assert [e.text for e in pressed] == ["storm"] * 4  # by weight and by distinction, in two topics
    top = page.execute_script("return document.getElementById('list').getBoundingClientRect().top")
    assert 0 <= top < page.execute_script("return innerHeight")  # one sees them
    pressed[1].click()
    assert numbers(page) == [1, 2, 3, 4]
    assert find(page, "button.term[aria-pressed=true]") == []


def test_the_keyboard_is_enough(page):
    from selenium.webdriver.common.keys import Keys

    find(page, "#topic-1 button.term")[1].send_keys(Keys.ENTER)
    assert numbers(page) == [1, 2]
    page.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert numbers(page) == [1, 2, 3, 4]
    find(page, "#search")[0].send_keys("oven", Keys.ENTER)  # which sends no form
    assert numbers(page) == [2]
    assert page.current_url.endswith("page.html")
    # From the top, Tab goes through all that can be used, and a focus can be seen.
    page.get(page.current_url)
    tags = []
    for _ in range(12):
        page.switch_to.active_element.send_keys(Keys.TAB)
        element = page.switch_to.active_element
        assert element.value_of_css_property("outline-style") == "solid"
        tags.append(element.get_attribute("href") or element.tag_name)
    assert tags[0].endswith("#topics")
    assert [tag.split("#")[1] for tag in tags[6:10]] == [f"topic-{r}" for r in (1, 2, 3, 4)]


def test_links_bring_back_what_is_filtered_out(page):
    find(page, "#search")[0].send_keys("goal")
    assert numbers(page) == [4]
    find(page, ".index a[href='#topic-2']")[0].click()
    assert numbers(page) == [1, 2, 3, 4]
    assert page.current_url.endswith("#topic-2")
    find(page, "#search")[0].send_keys("goal")
    page.execute_script("arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true}))",
                        find(page, ".map a[href='#topic-1'] circle")[0])  # fmt: skip
    assert numbers(page) == [1, 2, 3, 4]


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


def test_titles_and_texts_are_searched(browser, tmp_path):
    model, terms, documents = make_model()
    titles = [f"title {i}" for i in range(len(documents))]
    page = show(browser, tmp_path, model, terms, documents, titles=titles, n_documents=1)
    for words, expected in (("title 20", [3]), ("of topic 2", [2]), ("title", [1, 2, 3, 4])):
        find(page, "#search")[0].clear()
        find(page, "#search")[0].send_keys(words)
        assert numbers(page) == expected
    assert find(page, ".documents .title")[0].is_displayed()


def test_links_find_their_topic_among_many(browser, tmp_path):
    model, _, _ = make_model()
    model.W, model.H = np.eye(200), np.eye(200) + 0.1
    page = show(browser, tmp_path, model, [f"term {j}" for j in range(200)])
    assert find(page, "#list.many")
    page.execute_script("document.querySelector('.index a[href=\"#topic-170\"]').click()")
    wait = WebDriverWait(page, 10)
    box = "const box = document.getElementById('topic-170').getBoundingClientRect();"
    wait.until(lambda _: page.execute_script(f"{box} return box.top >= 0 && box.top < innerHeight"))
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert len(numbers(page)) == 200


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


def test_pages_of_real_topics_load(browser, tmp_path, real_path):
    import scipy.sparse as sp

    from sparsenmf import factorize
    from sparsenmf.topics.weighting import weigh_counts

    folder = real_path("bbc_news")
    X = weigh_counts(sp.load_npz(folder / "matrix.npz"))
    terms = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")[:-1]
    labels = (folder / "labels.txt").read_text(encoding="utf-8").split("\n")[:-1]
    model = factorize(X, 20, random_state=0, max_iter=20)
    page = show(browser, tmp_path, model, terms, labels)
    assert page.get_log("browser") == []
    assert numbers(page) == list(range(1, 21))
    find(page, "#topic-1 button.term")[0].click()
    assert 1 in numbers(page)
