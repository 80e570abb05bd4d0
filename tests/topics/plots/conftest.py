"""Models of few and of many topics, and axes to draw on."""

import numpy as np
import pytest

from sparsenmf import factorize

from ...corpus import make_counts
from ..test_quality import make_model


@pytest.fixture(scope="module")
def model():
    return factorize(make_counts(), 3, random_state=0)


@pytest.fixture(scope="module")
def many():
    """50 topics, one of them zero."""
    rng = np.random.default_rng(0)
    H = rng.gamma(0.1, size=(50, 200))
    H[7] = 0
    return make_model(rng.gamma(0.1, size=(300, 50)), H)


@pytest.fixture
def ax():
    figure = pytest.importorskip("matplotlib.figure")
    return figure.Figure(figsize=(6, 6)).subplots()
