"""The model whose pages are looked at."""

import pytest

from sparsenmf import factorize

from ...corpus import make_counts


@pytest.fixture(scope="module")
def model():
    return factorize(make_counts().astype(float), 3, random_state=0)


@pytest.fixture(scope="module")
def browser():
    from .browsing import open_browser  # skips where selenium is not installed

    yield from open_browser()


@pytest.fixture
def page(browser, tmp_path):
    """The browser, with the page of the four topics."""
    from .browsing import make_model, show

    return show(browser, tmp_path, *make_model())
