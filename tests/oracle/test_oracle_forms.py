"""Fits whose answer is known in closed form or by another solver: ranks, exact fits, scale.

See `tests.oracle.test_oracle` for how many problems there are.
"""

import numpy as np
import pytest
import scipy.sparse as sp

import sparsenmf

from . import draws as draws
from . import judge as oracle
from .judge import Problem
from .test_oracle import faults_of_factors, numbers, strictly

pytest.importorskip("sklearn")

EXACT = {np.float32: 1e-4, np.float64: 1e-6}

INITS = ("random", "nndsvd", "nndsvda", "nndsvdar")


def pick(rng, *choices):
    return tuple(options[rng.integers(len(options))] for options in choices)


@pytest.mark.parametrize("number", numbers(60))
def test_one_component(number):
    """Row sums times column sums over the total, or the leading singular pair."""
    rng = np.random.default_rng([1, number])
    structures = (draws.counts, draws.isolated, draws.empty, draws.one_hot, draws.lopsided)
    X = structures[number % len(structures)](rng, 18, 12)
    loss, solver, init, dtype, wrap = pick(
        rng, ("frobenius", "kullback-leibler"), ("cd", "mu"), INITS, (np.float32, np.float64),
        (np.array, sp.csr_array),
    )  # fmt: skip
    X = X.astype(dtype)
    problem = Problem(X.astype(float), 2.0 if loss == "frobenius" else 1.0, dtype=dtype)
    model = strictly(
        sparsenmf.factorize, wrap(X), 1, loss=loss, solver=solver, init=init, tol=0,
        random_state=0, max_iter=2000 if loss == "frobenius" else 200,
    )  # fmt: skip
    assert not list(faults_of_factors(problem, model))
    expected = oracle.rank_one(problem)
    assert problem.objective(model.W, model.H) == pytest.approx(
        expected, rel=EXACT[dtype], abs=EXACT[dtype] * problem.size
    )


@pytest.mark.parametrize("number", numbers(60))
def test_exact_fits_are_found(number):
    """X has blocks of rank one that share nothing, so fits that start from an SVD are exact.

    "nndsvda" is left out: its fits are not always exact, nor are scikit-learn's.
    """
    rng = np.random.default_rng([2, number])
    sizes = rng.integers(2, 6, (3, 2))
    blocks = [
        level * np.outer(0.5 + rng.random(n), 0.5 + rng.random(m))
        for level, (n, m) in zip((1, 3, 9), sizes, strict=True)
    ]
    loss, solver, init, dtype = pick(
        rng, ("frobenius", "kullback-leibler"), ("cd", "mu"), ("nndsvd", "nndsvdar"),
        (np.float32, np.float64),
    )  # fmt: skip
    init = "nndsvdar" if solver == "mu" else init
    X = sp.csr_array(sp.block_diag(blocks), dtype=dtype)
    beta = 2.0 if loss == "frobenius" else 1.0
    problem = Problem(X.toarray().astype(float), beta, dtype=dtype)
    options = {"loss": loss, "solver": solver, "init": init, "tol": 0, "max_iter": 1000}
    model = strictly(sparsenmf.factorize, X, 3, random_state=0, **options)
    assert not list(faults_of_factors(problem, model))
    left = problem.objective(model.W, model.H)
    assert left <= (1e-2 if solver == "mu" else 1e-4) * problem.size


@pytest.mark.parametrize("number", numbers(40))
def test_half_problems_are_those_of_nnls(number):
    """`transform`, against an active-set solver; H has dead, equal and uneven components."""
    rng = np.random.default_rng([3, number])
    k, m, (dtype, alpha) = 5, 14, pick(rng, (np.float32, np.float64), (0.0, 0.1))
    H, kind = rng.random((k, m)) * (rng.random((k, m)) < 0.5), number % 4
    if kind == 1:
        H[1] = 0
    if kind == 2:
        H[2] = H[3]
    if kind == 3:
        H[:, 4] *= 100
    X = (rng.random((20, m)) * (rng.random((20, m)) < 0.4)).astype(dtype)
    X[[0, 7]] = 0
    model = sparsenmf.Factorization(
        W=np.ones((1, k), dtype), H=H.astype(dtype), objective_history=np.ones(1),
        time_history=np.ones(1), stop_reason="converged", optimality=0.0, x_norm=1.0, error=0.5,
        options={"alpha_W": alpha / m, "l1_ratio": 0.0},
    )  # fmt: skip
    W = strictly(model.transform, sp.csr_array(X), tol=1e-7, max_sweeps=100_000)
    H = model.H.astype(float)
    best = np.array([oracle.best_row(x, H, alpha) for x in X.astype(float)])
    found, least = (
        0.5 * ((X - w.astype(float) @ H) ** 2).sum() + 0.5 * alpha * (w**2).sum() for w in (W, best)
    )
    assert found == pytest.approx(least, rel=1e-4, abs=EXACT[dtype] * (X.astype(float) ** 2).sum())
    assert not W[[0, 7]].any()
    assert not W[:, ~H.any(axis=1)].any()


SCALES = {
    np.float32: (1e-12, 1e-9, 1e-5, 3e5, 5e9, 1e12),
    np.float64: (1e-90, 1e-30, 1e-12, 5e9, 1e25, 1e80),
}


@pytest.mark.parametrize("number", numbers(72))
def test_the_fit_of_a_multiple_is_the_fit_scaled(number):
    rng = np.random.default_rng([4, number])
    structures = (draws.counts, draws.sparse, draws.blocks, draws.dense)
    X = structures[number % len(structures)](rng, 16, 11)
    init = INITS[number % 3 + 1 if number % 2 else number % 4]
    loss, solver, dtype = pick(
        rng, ("frobenius", "kullback-leibler", 1.5, 0.5), ("cd", "mu"), (np.float32, np.float64)
    )
    solver = solver if isinstance(loss, str) else "mu"
    scale = SCALES[dtype][number % 6]
    if loss == 1.5 and dtype == np.float64:
        scale = np.sqrt(scale)
    options = {"loss": loss, "solver": solver, "init": init, "random_state": 0, "tol": 0}
    plain, scaled = (
        strictly(sparsenmf.factorize, (c * X).astype(dtype), 3, max_iter=3, **options)
        for c in (1, scale)
    )
    expected, found = (model.W.astype(float) @ model.H.astype(float) for model in (plain, scaled))
    atol = (1e-3 if dtype == np.float32 else 1e-6) * expected.max()
    np.testing.assert_allclose(found / scale, expected, atol=atol)
    assert scaled.relative_error == pytest.approx(plain.relative_error, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("number", numbers(30))
def test_streams_are_not_much_worse_than_peers(number):
    """The loss that MiniBatchNMF reports is the literal one, and near that of a full fit."""
    rng = np.random.default_rng([5, number])
    structures = (draws.counts, draws.isolated, draws.empty, draws.duplicates, draws.one_hot)
    X = structures[number % len(structures)](rng, 24, 12)
    if number % 3 == 0:
        X[:8] = 0
    loss, dtype, init, shuffle = pick(
        rng, ("frobenius", "kullback-leibler"), (np.float32, np.float64),
        (None, "random"), (True, False),
    )  # fmt: skip
    X = X.astype(dtype)
    problem = Problem(X.astype(float), 2.0 if loss == "frobenius" else 1.0, dtype=dtype)
    peer, zero = min(oracle.peers(problem, 3)), oracle.constant_fit(problem)
    most, lowest = 1.1 * peer + 0.2 * max(zero - peer, 0), np.inf
    for seed in range(4):
        if lowest <= most:
            break
        estimator = sparsenmf.MiniBatchNMF(
            3, beta_loss=loss, init=init, shuffle=shuffle, batch_size=8, random_state=seed,
            max_no_improvement=None, max_iter=30, tol=0,
        )  # fmt: skip
        W = strictly(estimator.fit_transform, sp.csr_array(X))
        H = estimator.components_
        assert np.isfinite(H).all()
        assert (H >= 0).all()
        loss_found = problem.loss(W, H)
        if np.isfinite(loss_found):
            reported = estimator.reconstruction_err_**2 / 2
            assert reported == pytest.approx(loss_found, rel=1e-3, abs=1e-4 * problem.size)
        lowest = min(lowest, loss_found)
    assert lowest <= most
