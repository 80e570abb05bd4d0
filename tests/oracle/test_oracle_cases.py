"""Problems that once had silently wrong results; the right ones do not come from the package.

Each is a kind; `tests.oracle.test_oracle` draws from the kinds at random.
"""

import numpy as np
import pytest
import scipy.sparse as sp

import sparsenmf
from sparsenmf import factorize

from ..grouped import grouped
from . import judge as oracle
from .judge import Problem
from .test_oracle import faults_at_the_end, faults_of_dead, faults_of_factors, strictly

KL = "kullback-leibler"


def objective(X, model, beta=1.0, **options):
    """Return the literal objective of a result, which must be without fault."""
    X = X.toarray() if sp.issparse(X) else np.asarray(X)
    problem = Problem(X.astype(float), beta, dtype=X.dtype, **options)
    mu = model.options["solver"] == "mu"
    found = [
        *faults_of_factors(problem, model),
        *faults_of_dead(problem, model),
        *faults_at_the_end(problem, model, mu=mu),
    ]
    assert not found, found
    return problem.objective(model.W, model.H)


# A sample that shares no feature with others is not lost, even with momentum.


def foreign(dtype=float):
    X = np.zeros((101, 6), dtype)
    X[:100, :5], X[100, 5] = 30, 1
    return X


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(20))
def test_a_foreign_sample_is_kept(seed, dtype):
    X = foreign(dtype)
    model = strictly(factorize, X, 2, loss=KL, random_state=seed)
    assert objective(X, model) == pytest.approx(0, abs=1e-3 * float(X.sum()))


@pytest.mark.parametrize("seed", range(5))
def test_isolated_samples_are_kept(seed):
    rng = np.random.default_rng(seed)
    A = rng.poisson(rng.gamma(0.5, size=(40, 3)) @ rng.gamma(0.5, size=(3, 25)) * 4.0)
    X = sp.csr_array(sp.block_diag([A + (A.sum(axis=1) == 0)[:, None], [[1.0]], [[1.0]]]))
    for options in ({}, {"sample_weight": 1 + rng.random(X.shape[0])}, {"alpha_W": 1e-3}):
        model = strictly(factorize, X, 5, loss=KL, random_state=seed, **grouped(options))
        weighted = {k: v for k, v in options.items() if k == "sample_weight"}
        if "alpha_W" in options:
            weighted.update(alpha_W=1e-3, alpha_H=1e-3)
        assert np.isfinite(objective(X, model, **weighted))


def test_a_foreign_sample_beside_a_frozen_component():
    X = foreign()
    H = X[:1] / X[:1].sum()
    model = strictly(factorize, X, 2, loss=KL, H=H, frozen_H=[0], random_state=0)
    free = np.array([[False], [True]])
    assert objective(X, model, free_H=free) == pytest.approx(0, abs=1e-3 * float(X.sum()))


def test_a_foreign_sample_with_weights():
    X = sp.csr_array(foreign())
    weights = sp.csr_array((np.full(X.nnz, 2.0), X.indices, X.indptr), shape=X.shape)
    model = strictly(factorize, X, 2, loss=KL, weights=weights, random_state=0)
    V = np.where(X.toarray() > 0, 2.0, 1.0)
    assert objective(X, model, V=V) == pytest.approx(0, abs=1e-3 * float(X.sum()))


def test_a_foreign_sample_is_transformed():
    """H has one component that knows the sample, and others that do not."""
    H = np.array([[1.0, 1, 1, 0], [0, 0, 1e-6, 1e-6]])
    X = np.array([[0.0, 0, 0, 1], [30, 30, 30, 0]])
    model = sparsenmf.Factorization(
        W=np.ones((1, 2)), H=H, objective_history=np.ones(1), time_history=np.ones(1),
        stop_reason="converged", optimality=0.0, x_norm=1.0, error=0.5, options={"loss": KL},
    )  # fmt: skip
    W = strictly(model.transform, X)
    problem = Problem(X, 1.0)
    assert problem.gaps(W, H)[0] < 1e-6
    assert np.isfinite(problem.objective(W, H))


# New components beside given ones, many features without counts.


def empty_columns():
    rng = np.random.default_rng(0)
    counts = rng.poisson(np.kron(np.eye(3), np.ones((8, 5))) * 4 + 0.1)
    return np.hstack([counts, np.zeros((24, 30))]).astype(float)


def first_component(X):
    """Return the mean sample, which is the best single component."""
    return X.sum(axis=0, keepdims=True) / np.sqrt(X.sum())


@pytest.mark.parametrize("solver", ["cd", "mu"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_new_components_beside_a_given_one(solver, dtype):
    X = empty_columns().astype(dtype)
    for H in (first_component(X), factorize(X, 1, loss=KL, random_state=0).H):
        options = {"loss": KL, "solver": solver, "random_state": 0}
        model = strictly(factorize, X, 3, H=H, **options)
        assert objective(X, model) == pytest.approx(74.33, rel=0.02)
        model = strictly(factorize, X, 3, H=H, frozen_H=[0], **options)
        free = (np.arange(3) > 0)[:, None]
        assert objective(X, model, free_H=free) == pytest.approx(261.7, rel=0.02)


@pytest.mark.parametrize("seed", range(4))
def test_components_are_not_too_few_where_many_columns_are_empty(seed):
    """If new components die beside those of the fit before, warm starts recommend 1."""
    choose = sparsenmf.select_n_components
    choice = strictly(choose, empty_columns(), range(1, 4), loss=KL, random_state=seed)
    assert choice.n_components == 3


# A component that does not pay is zero.


@pytest.mark.parametrize("alpha", [0.005, 0.02, 0.1, 1.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_component_that_does_not_pay_is_zero(alpha, dtype):
    X = sp.random_array((200, 60), density=0.1, rng=1).astype(dtype)
    model = strictly(factorize, X, 8, alpha_W=alpha, l1_ratio=1.0, random_state=0)
    value = objective(X, model, 2.0, alpha_W=alpha, alpha_H=alpha, l1_ratio=1.0)
    assert value <= 202.19 * (1 + 1e-4)


@pytest.mark.parametrize("loss", ["frobenius", KL])
@pytest.mark.parametrize("side", ["W", "H"])
def test_the_other_side_of_a_frozen_zero_component_is_zero(side, loss):
    X = sp.random_array((40, 30), density=0.3, rng=1)
    known = np.zeros((40, 1)) if side == "W" else np.zeros((1, 30))
    frozen = {side: known, f"frozen_{side}": [0]}
    model = strictly(factorize, X, 3, loss=loss, random_state=0, **frozen)
    assert not (model.H[0] if side == "W" else model.W[:, 0]).any()


@pytest.mark.parametrize("loss", ["frobenius", KL])
@pytest.mark.parametrize("alpha", [0.01, 0.1])
def test_the_objective_with_a_feature_of_weight_zero(alpha, loss):
    X = sp.random_array((200, 60), density=0.1, rng=1)
    options = {"feature_weight": (np.arange(60) >= 10) * 1.0, "alpha_W": alpha, "l1_ratio": 1.0}
    model = strictly(factorize, X, 8, loss=loss, random_state=0, **grouped(options))
    objective(X, model, 2.0 if loss == "frobenius" else 1.0, **options, alpha_H=alpha)


# Starts from an SVD.


@pytest.mark.parametrize("solver", ["cd", "mu"])
@pytest.mark.parametrize("init", ["nndsvda", "nndsvdar"])
@pytest.mark.parametrize("loss", [KL, 1.5, 0.5])
def test_zeros_of_an_svd_are_filled(loss, init, solver):
    X = np.array([[3.0, 1, 0, 0], [0, 0, 2, 5]])
    solver = solver if loss == KL else "mu"
    beta = 1.0 if loss == KL else loss
    model = strictly(factorize, X, 1, loss=loss, solver=solver, init=init, random_state=0)
    start = np.full((2, 1), 1.0), np.full((1, 4), 1.0)
    problem = Problem(X, beta)
    best = problem.objective(*oracle.multiplicative(problem, *start, 1000))
    if loss == KL:
        assert best == pytest.approx(7.21, abs=0.01)
    assert objective(X, model, beta) == pytest.approx(best, rel=0.01)


@pytest.mark.parametrize(
    ("dtype", "scale"),
    [(np.float32, c) for c in (1e-12, 1e-6, 1, 5e9, 1e12)]
    + [(np.float64, c) for c in (1e-90, 1e-12, 1, 1e12, 1e90)],
)
@pytest.mark.parametrize("init", ["nndsvd", "nndsvda", "nndsvdar", "random"])
def test_a_start_of_any_scale(dtype, scale, init):
    X = (np.random.default_rng(3).random((8, 7)) * scale).astype(dtype)
    model = strictly(factorize, X, 2, init=init, random_state=0)
    assert model.relative_error == pytest.approx(0.346, abs=0.002)


# Entries that are about zero.


@pytest.mark.parametrize(("dtype", "tiny"), [(np.float32, 1e-30), (np.float64, 1e-300)])
@pytest.mark.parametrize("solver", ["cd", "mu"])
def test_a_tiny_entry_counts_as_about_zero(dtype, tiny, solver):
    X = np.array([[1, 2, 0], [2, 1, 0], [1, 1, tiny]], dtype)
    for seed in range(3):
        model = strictly(factorize, X, 2, loss=KL, solver=solver, random_state=seed)
        assert objective(X, model) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(("dtype", "tiny"), [(np.float32, 1e-37), (np.float64, 1e-300)])
@pytest.mark.parametrize("loss", [KL, 0.5, 1.5])
@pytest.mark.parametrize("entries", ["plain", "weights", "unknown"])
def test_a_tiny_entry_is_taken_by_multiplicative_updates(entries, loss, dtype, tiny):
    X = sp.csr_array(np.array([[2, 0, 7], [1, 1, 3], [tiny, 0, 3]], dtype))
    V, options = np.ones(X.shape), {}
    if entries == "weights":
        weights = sp.csr_array(([0.5, 0.5, 0.5, 0.5, 1, 4, 0], X.indices, X.indptr), shape=X.shape)
        options, V = {"weights": weights}, np.where(X.toarray() > 0, weights.toarray(), 1)
    if entries == "unknown":
        options, V = {"missing": "unknown"}, X.toarray() > 0
    for seed in range(6):
        model = strictly(factorize, X, 2, loss=loss, solver="mu", random_state=seed, **options)
        assert np.isfinite(objective(X, model, 1.0 if loss == KL else loss, V=V))


def test_silence_in_a_spectrogram():
    rng = np.random.default_rng(0)
    X = rng.gamma(1, size=(60, 4)) @ rng.gamma(0.3, size=(4, 30))
    X[20:40] = 1e-12 * rng.random((20, 30))
    X = X.astype(np.float32)
    model = strictly(factorize, X, 4, loss=KL, random_state=0)
    assert objective(X, model) < 0.02 * oracle.constant_fit(Problem(X.astype(float), 1.0))


# A beta a rounding away from a loss that has a name.


@pytest.mark.parametrize(
    ("near", "named"),
    [
        (float(np.cumsum(np.full(10, 0.1))[-1]), 1.0),
        (float(np.arange(-1, 1, 0.1)[10]), 0.0),
        (1 + 1e-12, 1.0),
        (1 - 1e-9, 1.0),
        (1e-12, 0.0),
        (-1e-9, 0.0),
        (2 - 1e-12, 2.0),
        (float(np.nextafter(2, 3)), 2.0),
    ],
)
def test_the_loss_is_continuous_in_beta(near, named):
    X = np.random.default_rng(0).random((20, 6)) + 0.01
    options = {"solver": "mu", "init": "random", "random_state": 0, "max_iter": 60, "tol": 0}
    model, expected = (strictly(factorize, X, 3, loss=b, **options) for b in (near, named))
    assert objective(X, model, near) == pytest.approx(objective(X, expected, named), rel=1e-5)
    assert model.objective == pytest.approx(expected.objective, rel=1e-5)
