"""The model whose pages are looked at."""

import pytest

from sparsenmf import factorize

from ...corpus import make_counts


@pytest.fixture(scope="module")
def model():
    return factorize(make_counts().astype(float), 3, random_state=0)
