"""A matrix and its store."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import write_csr

from .cutting import cut


@pytest.fixture(scope="module")
def X():
    """Return rows of very different lengths; some are empty, as are the first and the last."""
    rng = np.random.default_rng(0)
    X = sp.random_array((500, 80), density=0.2, rng=rng, format="lil", dtype=np.float32)
    X[rng.random(500) < 0.3] = 0
    X[:3] = X[-3:] = 0
    X[77] = rng.random((1, 80)) + 0.1
    return sp.csr_array(X)


@pytest.fixture
def store(X, tmp_path):
    return write_csr(tmp_path / "store", cut(X, 30), shard_nnz=900)
