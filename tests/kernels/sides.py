"""Sparse rows and factors on which kernels are tried."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf.data.rows import make_rows

# Rounding of a sum of n products: n * eps in the worst case, sqrt(n) * eps as a rule.
TOLERANCE = {np.float32: 2e-5, np.float64: 1e-12}
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
WIDTHS = pytest.mark.parametrize("n_components", [1, 3, 8, 20, 50, 65, 130])


def make_problem(rng, n_components, dtype, n_rows=70, n_columns=90):
    X = sp.random_array((n_rows, n_columns), density=0.15, rng=rng, dtype=float).toarray()
    X[[0, 13]] = 0
    X[:, 5] = 0
    other = rng.random((n_columns, n_components)) * (rng.random((n_columns, n_components)) < 0.6)
    factor = rng.random((n_rows, n_components)) * (rng.random((n_rows, n_components)) < 0.5)
    return X.astype(dtype), other.astype(dtype), factor.astype(dtype)


def tall_rows(X, n_components):
    """Return `Rows` in two blocks; with some hundred rows, each has several tiles and chunks."""
    middle = len(X) // 3
    return with_blocks(make_rows(sp.csr_array(X), n_components), [[middle, len(X)], [0, middle]])


def with_blocks(rows, blocks):
    """Return `Rows` in other blocks, read-only as all are: else kernels would be compiled again."""
    blocks = np.array(blocks)
    blocks.flags.writeable = False
    return rows._replace(blocks=blocks)
