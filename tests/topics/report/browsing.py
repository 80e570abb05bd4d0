"""A real browser for tests of the report, Chromium without a window, and what they ask of it."""

import shutil

import numpy as np
import pytest

from sparsenmf import Factorization

from ...pages import HOSTILE

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

# Not at the top: without selenium this would fail before the line above can skip.
from selenium.common.exceptions import WebDriverException  # noqa: E402

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


def open_browser():
    """Yield a browser; skip the tests, with the reasons, where there is none."""
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
    # What is missing, or each browser that is there and why it does not start.
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
