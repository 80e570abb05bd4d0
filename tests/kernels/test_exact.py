"""Rows at their optimum, against literal twins and the conditions of an optimum."""

import numpy as np
import pytest

from sparsenmf.data.factors import pad_factor
from sparsenmf.data.rows import make_rows
from sparsenmf.kernels.exact import solve_rows
from sparsenmf.kernels.operands import GivenSide

from .. import reference, weighted

K = 5
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
ABSENT = pytest.mark.parametrize("absent", [0.0, 1.0])
PENALTIES = pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.0), (0.2, 0.3)])


@pytest.fixture
def problem(rng, absent, dtype):
    """X, the weights of all entries, the same as sparse rows, B and a start."""
    stored = rng.random((16, 40)) < 0.4
    stored[:, 7] = True
    X = np.where(stored & (rng.random(stored.shape) < 0.9), rng.gamma(1.0, size=stored.shape), 0)
    V = np.where(stored, rng.gamma(1.0, size=stored.shape), absent)
    other = rng.random((40, K)) * (rng.random((40, K)) < 0.7)
    X, V, other, start = (A.astype(dtype) for A in (X, V, other, 0.1 + rng.random((16, K))))
    rows = make_rows(weighted.stored(stored, X), K, V[stored], absent)
    return X.astype(float), V.astype(float), rows, other, start


def run(problem, beta, l1=0.0, l2=0.0, heavy=(), n_threads=1):
    """The rows that the kernel finds, its loss, and how many are unfinished."""
    _, _, rows, other, start = problem
    B, W = pad_factor(other, other.dtype), pad_factor(start, other.dtype)
    is_heavy = np.isin(np.arange(len(B)), heavy)
    light = np.where(is_heavy[:, None], 0, other).astype(float)
    given = GivenSide(
        B, light.T @ light, np.flatnonzero(is_heavy), is_heavy, B.sum(axis=0, dtype=float),
        beta, 0.0, rows.absent if beta in (1, 2) else 0.0, l1, l2,
    )  # fmt: skip
    statistics = np.full((rows.n_blocks, 2), np.nan)
    solve_rows(n_threads, rows, given, W, 0.0, 500, True, statistics)
    assert not W[:, K:].any()
    return W[:, :K], *statistics.sum(axis=0)


@DTYPES
@ABSENT
@PENALTIES
def test_solve_rows_equals_the_best_of_all_active_sets(problem, dtype, l1, l2):
    X, V, _, other, _ = problem
    B, tolerance = other.astype(float), 1e-6 if dtype == np.float32 else 1e-9
    W, loss, unfinished = run(problem, 2.0, l1, l2)
    expected = np.array([reference.solve_row(x, v, B, l1, l2) for x, v in zip(X, V, strict=True)])
    np.testing.assert_allclose(W, expected, rtol=tolerance, atol=tolerance)
    assert (expected == 0).any()
    assert loss == pytest.approx(np.sum(V * (X - W @ B.T) ** 2) / 2, rel=1e-9)
    assert unfinished == 0
    np.testing.assert_array_equal(run(problem, 2.0, l1, l2, n_threads=2)[0], W)


@pytest.mark.parametrize("dtype", [np.float64])
@ABSENT
def test_heavy_columns_are_visited_one_by_one(problem):
    X, V, _, other, _ = problem
    other[7] *= 1e6
    W, _, _ = run(problem, 2.0, heavy=[7])
    expected = [reference.solve_row(x, v, other, 0, 0) for x, v in zip(X, V, strict=True)]
    np.testing.assert_allclose(W @ other.T, expected @ other.T, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float64])
@ABSENT
@PENALTIES
def test_solve_rows_ends_where_sweeps_of_the_kullback_leibler_twin_end(problem, l1, l2):
    X, V, _, other, start = problem
    W, loss, _ = run(problem, 1.0, l1, l2)
    expected, objective, _ = reference.update_rows_kl(X, other, l1, l2, start, 400, 0.0, V=V)
    np.testing.assert_allclose(W, expected, rtol=1e-4, atol=1e-5)
    constant = np.sum(V * X)
    penalty = l1 * W.sum() + l2 / 2 * (W**2).sum()
    assert loss + penalty + constant == pytest.approx(objective, rel=1e-8)


@pytest.mark.parametrize("dtype", [np.float64])
@ABSENT
@pytest.mark.parametrize("beta", [0.5, 1.5, 3.0])
def test_slopes_vanish_for_other_divergences(problem, beta):
    X, V, _, other, _ = problem
    other += 0.01  # no product is zero
    W, loss, _ = run(problem, beta)
    Y = W @ other.T
    slopes = (V * (Y - X) * Y ** (beta - 2)) @ other
    size = (V * Y ** (beta - 1)) @ other
    assert (slopes > -1e-5 * size).all()
    assert (np.abs(slopes)[W > 0] < 1e-5 * size[W > 0]).all()
    expected = reference.weighted_divergence(X, V, W, other.T, beta)
    assert loss == pytest.approx(expected, rel=1e-9)
