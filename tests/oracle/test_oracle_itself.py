"""The oracle is right where the answer is known, and notices what is wrong."""

import numpy as np
import pytest

from . import judge as oracle
from .judge import Problem

BETAS = [-0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0]


@pytest.fixture
def X(rng):
    return rng.random((9, 7)) + 0.1


@pytest.mark.parametrize("beta", BETAS)
def test_the_divergence_is_scikit_learns(X, beta, rng):
    nmf = pytest.importorskip("sklearn.decomposition._nmf")
    W, H = rng.random((9, 2)) + 0.1, rng.random((2, 7))
    expected = nmf._beta_divergence(X, W, H, beta)
    assert Problem(X, beta).objective(W, H) == pytest.approx(expected)


@pytest.mark.parametrize("beta", [0.0, 1.0])
@pytest.mark.parametrize("side", [-1, 1])
def test_the_divergence_is_continuous_in_beta(X, beta, side, rng):
    Y = rng.random(X.shape)
    expected = oracle.divergence(X, Y, beta)
    for distance in (1e-15, 1e-9, 1e-5):
        near = oracle.divergence(X, Y, beta + side * distance)
        np.testing.assert_allclose(near, expected, rtol=100 * distance + 1e-12, atol=1e-4)


def test_zero_where_X_is_not_is_infinite_without_a_floor():
    x = np.array([1.0, 0.0, 1e-30])
    assert oracle.divergence(x, 0.0, 1.0).tolist() == [np.inf, 0, np.inf]
    assert oracle.divergence(x, 0.0, 1.0, 1e-20).tolist() == [np.inf, 0, 0]
    assert oracle.divergence(x, 0.0, 0.5).tolist()[:2] == [np.inf, 0]
    assert oracle.divergence(x[:2], 0.0, 1.5).tolist() == [1 / 0.75, 0]


def test_the_objective_is_that_of_copies(X, rng):
    """A sample or feature of weight 2 counts as two of them, its penalties included."""
    W, H, c, f = rng.random((9, 2)), rng.random((2, 7)), np.ones(9, int), np.ones(7, int)
    c[3], f[2] = 2, 3
    options = {"beta": 1.0, "alpha_W": 0.1, "alpha_H": 0.2, "l1_ratio": 0.3}
    weighted = Problem(X, sample_weight=c, feature_weight=f, **options)
    copied = Problem(X.repeat(c, axis=0).repeat(f, axis=1), **options)
    expected = copied.objective(W.repeat(c, axis=0), H.repeat(f, axis=1))
    assert weighted.objective(W, H) == pytest.approx(expected)


@pytest.mark.parametrize("beta", BETAS)
def test_gaps_vanish_at_the_optimum_only(X, beta, rng):
    """The factors have had so many literal updates that hardly any gap is left."""
    problem = Problem(X, beta, alpha_W=1e-3, alpha_H=2e-3, l1_ratio=0.5)
    W, H = oracle.multiplicative(problem, rng.random((9, 2)), rng.random((2, 7)), 2000)
    objective = problem.objective(W, H)
    assert sum(problem.gaps(W, H)) <= 1e-4 * objective
    moved = W.copy()
    moved[4, 1] *= 1.5
    gain = problem.objective(moved, H) - objective
    assert gain > 1e-3 * objective
    assert problem.gaps(moved, H)[0] >= 0.9 * gain


@pytest.mark.parametrize("beta", [1.0, 2.0])
def test_a_coordinate_without_curvature_counts(X, beta):
    """The H row of a component whose W column is zero costs its penalty."""
    problem = Problem(X, beta, alpha_H=0.5, l1_ratio=1.0)
    W, H = np.ones((9, 2)), np.ones((2, 7))
    W[:, 1] = 0
    assert problem.gaps(W, H)[1] >= 0.5 * 9 * 7


def test_a_way_out_of_infinity_counts(X):
    W, H = np.ones((9, 1)), np.ones((1, 7))
    W[3] = 0
    assert Problem(X, 1.0).gaps(W, H)[0] == np.inf
    assert np.isfinite(Problem(X, 1.0, free_W=np.array([[False]])).gaps(W, H)[0])


def test_what_no_factors_reach_is_told():
    W, H = np.array([[1.0], [0.0]]), np.array([[1.0, 0.0]])
    held = Problem(np.ones((2, 2)), 1.0, free_W=np.array([[False]]), free_H=np.array([[False]]))
    assert held.unreachable(W, H).tolist() == [[False, True], [True, True]]
    assert not Problem(np.ones((2, 2)), 1.0).unreachable(W, H).any()


@pytest.mark.parametrize("beta", [1.0, 2.0])
def test_peers_reach_an_exact_fit_and_the_best_component(beta, rng):
    X = rng.random((12, 2)) @ rng.random((2, 9))
    problem = Problem(X, beta)
    assert min(oracle.peers(problem, 2)) < 1e-3 * oracle.constant_fit(problem)
    assert min(oracle.peers(problem, 1)) == pytest.approx(oracle.rank_one(problem), rel=1e-4)


def test_frozen_and_weighted_peers_keep_to_what_is_given(X, rng):
    V, H = rng.random(X.shape).round(), rng.random((1, 7))
    problem = Problem(X, 1.0, V=V, free_H=np.array([[False], [True]]))
    start = oracle.random_start(problem, 2, 0, H=H)
    _, found = oracle.multiplicative(problem, *start, 50)
    np.testing.assert_array_equal(found[0], H[0])
    changed = Problem(np.where(V > 0, X, 99.0), 1.0, V=V, free_H=problem.free_H)
    np.testing.assert_array_equal(oracle.multiplicative(changed, *start, 50)[1], found)
