"""Coordinate descent for Kullback-Leibler on rows, against its literal twin."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsenmf.data.factors import empty_factor, pad_factor
from sparsenmf.data.rows import make_rows
from sparsenmf.kernels.kullback_leibler import STRIP_ITEMS, update_rows_kl
from sparsenmf.kernels.operands import Side, Sweeps
from sparsenmf.solvers.penalties import make_penalty

from .. import reference
from ..strategies import csr_matrices
from .sides import DTYPES, TOLERANCE

WIDTHS = pytest.mark.parametrize("n_components", [1, 3, 8, 20, 50])


def make_problem(rng, n_components, dtype, n_rows=40, n_columns=60):
    X = rng.poisson(0.4, (n_rows, n_columns)) * rng.gamma(1.0, size=(n_rows, n_columns))
    X[[0, 13]] = 0
    X[:, 5] = 0
    other = rng.random((n_columns, n_components)) * (rng.random((n_columns, n_components)) < 0.7)
    factor = rng.random((n_rows, n_components)) * (rng.random((n_rows, n_components)) < 0.6)
    return X.astype(dtype), other.astype(dtype), factor.astype(dtype)


def run_update(X, other, factor, *, l1=0.0, l2=0.0, max_sweeps=2, tolerance=0.1, n_threads=1):
    rows = make_rows(sp.csr_array(X), other.shape[1])
    padded, start = pad_factor(other, X.dtype), pad_factor(factor, X.dtype)
    out = empty_factor(factor.shape, X.dtype)
    statistics = np.full((rows.n_blocks, 2), np.nan)
    sums = padded.sum(axis=0, dtype=float)
    penalty, sweeps = make_penalty(l1, l2, padded.shape[1]), Sweeps(max_sweeps, tolerance)
    side = Side(padded, sums)
    update_rows_kl(n_threads, rows, side, penalty, start, out, sweeps, None, statistics)
    np.testing.assert_array_equal(start[:, : factor.shape[1]], factor)
    assert not out[:, factor.shape[1] :].any()
    return out[:, : factor.shape[1]], *statistics.sum(axis=0)


@WIDTHS
@pytest.mark.parametrize("max_sweeps", [0, 1, 2, 5])
@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.0), (0.3, 0.2)])
def test_update_rows_kl_equals_reference(rng, n_components, max_sweeps, l1, l2):
    X, other, factor = make_problem(rng, n_components, np.float64)
    found = run_update(X, other, factor, l1=l1, l2=l2, max_sweeps=max_sweeps)
    expected = reference.update_rows_kl(X, other, l1, l2, factor, max_sweeps, 0.1)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-7, atol=1e-9)
    assert found[1] == pytest.approx(expected[1], rel=1e-10)
    assert found[2] == pytest.approx(expected[2] if max_sweeps == 0 else 0.0, rel=1e-7)
    if max_sweeps == 0:
        np.testing.assert_array_equal(found[0], factor)


@WIDTHS
def test_single_precision_ends_where_double_does(rng, n_components):
    X, other, factor = make_problem(rng, n_components, np.float32)
    found = run_update(X, other, factor, max_sweeps=6, tolerance=0.0)
    expected = reference.update_rows_kl(X, other, 0.0, 0.0, factor, 6, 0.0)
    assert found[1] == pytest.approx(expected[1], rel=1e-5)


@DTYPES
@pytest.mark.parametrize("start", [1e-12, 1.0, 1e6])
def test_an_entry_that_only_one_component_explains_is_kept(dtype, start):
    """Only one component has the first column, with a share of 1e-13; the optimum is x / S."""
    other = np.array([[1, 0, 0], [1e13, 1, 1], [1e13, 1, 2]], dtype)
    X = np.array([[1, 0, 0], [3, 0, 0], [1, 5, 6], [0, 0, 4]], dtype)
    factor = np.full((4, 3), start, dtype)
    for _ in range(3):
        factor, _, _ = run_update(X, other, factor, max_sweeps=8, tolerance=0.0)
    W, sums = factor.astype(float), other.sum(axis=0, dtype=float)
    np.testing.assert_allclose(W[:2, 0], X[:2, 0] / sums[0], rtol=1e-4)
    assert not W[:2, 1:].any()
    assert ((W @ other.T)[X > 0] > 0).all()
    # At a minimum, each row of W H has the sum of the row of X.
    np.testing.assert_allclose(W @ sums, X.sum(axis=1, dtype=float), rtol=1e-4)


@DTYPES
def test_rows_too_long_for_the_scratch_are_gathered_in_parts(rng, dtype):
    n_components, n_columns = 60, 9500
    assert n_components * n_columns > STRIP_ITEMS
    X, other, factor = make_problem(rng, n_components, dtype, 15, n_columns)
    X[1:] *= rng.random((14, n_columns)) < 0.01
    X[2] = rng.gamma(1.0, size=n_columns)
    found = run_update(X, other, factor, max_sweeps=3, tolerance=0.0)
    expected = reference.update_rows_kl(X, other, 0.0, 0.0, factor, 3, 0.0)
    assert found[1] == pytest.approx(expected[1], rel=1e-5 if dtype == np.float32 else 1e-9)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(csr_matrices(tidy=True), st.integers(1, 6), st.integers(0, 99), st.floats(0, 1))
def test_no_sweep_raises_the_objective(X, n_components, seed, sparsity):
    rng = np.random.default_rng(seed)
    other = rng.gamma(0.3, size=(X.shape[1], n_components)) * (rng.random() < 0.9)
    factor = rng.gamma(0.3, size=(X.shape[0], n_components))
    factor[rng.random(factor.shape) < sparsity] = 0
    X, other, factor = (A.astype(X.dtype) for A in (X.toarray(), other, factor))
    _, before, _ = run_update(X, other, factor, max_sweeps=0)
    _, after, _ = run_update(X, other, factor, max_sweeps=2)
    assert after <= before + TOLERANCE[X.dtype.type] * (abs(before) + X.sum())
