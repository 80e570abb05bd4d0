"""Write a model's page, and find its parts."""

import numpy as np

from sparsenmf import Factorization

from ...pages import parse


def make_model(W, H, **changes):
    given = {
        "W": np.asarray(W, float),
        "H": np.asarray(H, float),
        "objective_history": np.array([5.0, 3.0, 2.0]),
        "time_history": np.array([0.1, 0.2, 0.3]),
        "stop_reason": "converged",
        "optimality": 1e-6,
        "x_norm": 4.0,
        "error": 2.0,
        "options": {"loss": "frobenius", "solver": "cd"},
    }
    return Factorization(**given | changes)


def write(model, folder, *arguments, **options):
    path = folder / "page.html"
    model.report(path, *arguments, **options)
    return parse(path)


def shown(text, width):
    """The text that a page shows, character for character."""
    text = " ".join(text[: 20 * width].split())
    if len(text) > width:
        text = text[: width - 3] + "..."
    return "".join("\ufffd" if _unprintable(ord(c)) else c for c in text)


def _unprintable(code):
    control = code < 32 or 127 <= code < 160
    return control or 0xD800 <= code < 0xE000 or 0xFDD0 <= code < 0xFDF0 or code in (0xFFFE, 0xFFFF)


def topics_of(page):
    return page.by_id("list").all("article")


def texts_of(element, tag, kind):
    return [found.text for found in element.all(tag, kind)]


def terms_of(article, kind="terms"):
    return texts_of(article.one("ol", kind), "span", "term")


ONE = np.ones((1, 1))
