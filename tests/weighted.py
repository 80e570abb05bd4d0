"""Problems whose entries have weights or are unknown, and the kernels' call on them."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf.data.factors import empty_factor, pad_factor
from sparsenmf.data.rows import make_rows
from sparsenmf.solvers.penalties import make_penalty

ABSENT = pytest.mark.parametrize("absent", [0.0, 1.0])
WIDTHS = pytest.mark.parametrize("n_components", [1, 3, 8, 20])


def stored(pattern, values):
    """A CSR matrix that stores these entries, zeros among them."""
    # A checked matrix has such indices; for others kernels would be compiled again.
    row, column = np.array(np.nonzero(pattern), np.int32)
    return sp.coo_array((values[row, column], (row, column)), shape=pattern.shape).tocsr()


def make_problem(rng, n_components, absent, *, n_rows=30, n_columns=40, dtype=np.float64):
    """X, its weights, all weights as a dense array, and two factors."""
    shape = (n_rows, n_columns)
    pattern = rng.random(shape) < 0.4
    pattern[[0, 7]], pattern[:, 5] = False, False
    X = np.where(pattern & (rng.random(shape) < 0.8), rng.gamma(1.0, size=shape), 0.0)
    V = np.where(pattern, rng.gamma(1.0, size=shape), absent)
    V[pattern & (rng.random(shape) < 0.1)] = 0
    other = rng.random((n_columns, n_components)) * (rng.random((n_columns, n_components)) < 0.7)
    factor = rng.random((n_rows, n_components)) * (rng.random((n_rows, n_components)) < 0.6)
    X, V, other, factor = (A.astype(dtype) for A in (X, V, other, factor))
    return stored(pattern, X), stored(pattern, V), V, other, factor


def run_kernel(kernel, X, weights, absent, other, factor, args, options=(), n_threads=1):
    """Run a kernel on padded factors; return the new factor, and the sums of its statistics."""
    rows = make_rows(X, other.shape[1], weights.data, absent)
    padded, start = pad_factor(other, X.dtype), pad_factor(factor, X.dtype)
    out = empty_factor(factor.shape, X.dtype)
    statistics = np.full((rows.n_blocks, 2), np.nan)
    penalty = make_penalty(*options, padded.shape[1])
    kernel(n_threads, rows, padded, *args(padded), penalty, start, out, statistics)
    np.testing.assert_array_equal(start[:, : factor.shape[1]], factor)
    assert not out[:, factor.shape[1] :].any()
    return out[:, : factor.shape[1]], *statistics.sum(axis=0)
