"""If the W of a start is informative, H is fitted to it before the first iteration."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import Checkpoint, CoordinateDescent, factorize, write_csr
from sparsenmf.data.rows import make_rows
from sparsenmf.kernels.transpose import transpose_rows
from sparsenmf.solvers import blocks
from sparsenmf.solvers.initialization import W_is_informative, correlates, initialize_factors
from sparsenmf.solvers.row_update import SWEEP_TOLERANCE

from .. import problems, reference
from ..grouped import grouped

K = 4


@pytest.fixture(scope="module")
def X():
    return problems.documents(120, 70, dtype=np.float64)


def svd_start(X, n_components=K):
    """The W and H of an NNDSVD start."""
    rows = make_rows(X, n_components)
    sides = rows, transpose_rows(rows, X.shape[1], n_components, 1)
    W, Ht = initialize_factors(*sides, n_components, "nndsvd", np.random.default_rng(0))
    return W[:, :n_components].copy(), Ht[:, :n_components].T.copy()


def random_start(X, n_components=K, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((X.shape[0], n_components)), rng.random((n_components, X.shape[1]))


def update(X, other, factor):
    """Two sweeps over the rows of a factor, by the reference."""
    return reference.update_rows(X, other, other.T @ other, 0, factor, 2, SWEEP_TOLERANCE)[0]


@pytest.mark.parametrize("low_memory", [False, True])
def test_H_is_fitted_first_and_no_iteration_is_plain(X, low_memory):
    W, H = svd_start(X)
    dense, reached = X.toarray(), []
    factorize(
        X, K, W=W, H=H, max_iter=1, tol=0, solver=CoordinateDescent(low_memory=low_memory),
        progress=lambda state: reached.append(state.W @ state.H),
    )  # fmt: skip
    Ht = update(dense.T, W, H.T)
    W = update(dense, Ht, W)
    Ht = update(dense.T, W, Ht)
    np.testing.assert_allclose(reached[0], W @ Ht.T, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("low_memory", [False, True])
@pytest.mark.parametrize("alpha", [0.0, 1e-3])
def test_a_W_that_is_right_is_not_lost_on_an_H_at_random(low_memory, alpha):
    X, W, _ = problems.planted(200, 120)
    options = {
        "alpha_W": alpha,
        "solver": CoordinateDescent(low_memory=low_memory),
        "max_iter": 1,
        "tol": 0,
    }
    known = factorize(X, 5, W=W, random_state=0, **options)
    drawn = factorize(X, 5, random_state=0, **options)
    assert known.objective < 0.2 * drawn.objective


def test_what_is_drawn_at_random_does_not_lead(X):
    dense = X.toarray()
    for (W, H), plain in ((random_start(X), True), (svd_start(X), False)):
        model = factorize(X, K, W=W, H=H, max_iter=1, tol=0)
        W_1, *_ = reference.update_rows(dense, H.T, H @ H.T, 0, W, 1, SWEEP_TOLERANCE)
        Ht, *_ = reference.update_rows(dense.T, W_1, W_1.T @ W_1, 0, H.T, 1, SWEEP_TOLERANCE)
        assert np.allclose(model.W @ model.H, W_1 @ Ht.T, rtol=1e-9, atol=1e-12) == plain


def test_without_momentum_iterates_begin_with_W(X):
    W, H = svd_start(X)
    model = factorize(
        X, K, W=W, H=H, solver=CoordinateDescent(max_sweeps=1, extrapolate=False), max_iter=1
    )
    ((expected_W, expected_H),) = reference.hals(X.toarray(), W, H, 1, 0, 0, 0, 0)
    np.testing.assert_allclose(model.W @ model.H, expected_W @ expected_H, atol=1e-12)


def test_seeds_are_a_start_that_W_does_not_overrule(X):
    W, _ = svd_start(X)
    seeded = factorize(X, K, W=W, seeds={0: [3, 5]}, max_iter=1, tol=0, random_state=0)
    assert not np.allclose(
        seeded.objective, factorize(X, K, W=W, max_iter=1, tol=0, random_state=0).objective
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("options", [{}, {"alpha_W": 1e-3, "l1_ratio": 0.5}, {"frozen_H": [1]}])
def test_a_store_in_blocks_has_the_iterates_of_the_matrix(X, dtype, options, tmp_path, monkeypatch):
    X = sp.csr_array(X.astype(dtype))
    W, H = svd_start(X)
    store = write_csr(tmp_path / "store", X, shard_nnz=200)
    monkeypatch.setattr(blocks, "BLOCK_NNZ", 500)
    whole = factorize(X, K, W=W, H=H, max_iter=6, tol=0, **options)
    for other in (
        factorize(store, K, W=W, H=H, max_iter=6, tol=0, **options),
        factorize(X, K, W=W, H=H, max_iter=6, tol=0, **grouped({**options, "low_memory": True})),
    ):
        rtol = 1e-4 if dtype == np.float32 else 1e-10
        np.testing.assert_allclose(other.objective_history, whole.objective_history, rtol=rtol)


@pytest.mark.parametrize("low_memory", [False, True])
def test_a_run_that_goes_on_does_not_begin_again(X, low_memory, tmp_path):
    W, H = svd_start(X)
    options = {"W": W, "H": H, "tol": 0, "solver": CoordinateDescent(low_memory=low_memory)}
    whole = factorize(X, K, max_iter=7, **options)
    path = tmp_path / "run"
    factorize(X, K, max_iter=3, checkpoint=path, **options)
    again = factorize(X, K, max_iter=7, checkpoint=Checkpoint(path, resume=True), **options)
    np.testing.assert_array_equal(again.W, whole.W)
    np.testing.assert_array_equal(again.H, whole.H)


@pytest.mark.parametrize("tall", [False, True])
def test_the_start_in_single_precision_leads_once(X, tall, monkeypatch):
    monkeypatch.setattr("sparsenmf.data.rows.SINGLE_WORK", 0)
    if tall:
        monkeypatch.setattr("sparsenmf.data.rows.TALL", 0)
        monkeypatch.setattr("sparsenmf.data.rows.TALL_NNZ", 0)
    W, H = svd_start(X)
    mixed = factorize(X, K, W=W, H=H, max_iter=60, tol=0)
    monkeypatch.setattr("sparsenmf.data.rows.SINGLE_WORK", 2**60)
    double = factorize(X, K, W=W, H=H, max_iter=60, tol=0)
    np.testing.assert_allclose(mixed.objective_history[:3], double.objective_history[:3], rtol=1e-4)
    assert mixed.objective == pytest.approx(double.objective, rel=1e-3)


def draws(name, rng, shape):
    return {
        "uniform": rng.random,
        "normal": lambda shape: np.abs(rng.standard_normal(shape)),
        "heavy": lambda shape: rng.exponential(size=shape) ** 2,
        "sparse": lambda shape: (rng.random(shape) < 0.2) * rng.random(shape),
        "sizes": lambda shape: rng.random(shape) * np.logspace(-150, 150, shape[1]),
    }[name](shape)


@pytest.mark.parametrize("name", ["uniform", "normal", "heavy", "sparse", "sizes"])
@pytest.mark.parametrize("shape", [(30, 2), (300, 3), (300, 20), (5000, 60)])
def test_random_numbers_know_nothing(name, shape):
    found = [correlates(draws(name, np.random.default_rng(seed), shape)) for seed in range(20)]
    assert sum(found) <= 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1.0, 1e30, 1e306])
def test_a_start_from_the_svd_knows_something(scale):
    W, _ = svd_start(problems.documents(600, 400, dtype=np.float64), 8)
    assert correlates(W * scale)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e-300, 1e10])
def test_columns_that_do_not_vary_know_nothing(value):
    assert not correlates(np.full((50, 3), value))
    assert not correlates(np.full((1, 1), value))


def test_which_factor_is_informative(X):
    W, H = svd_start(X)
    drawn_W, drawn_H = random_start(X)
    assert W_is_informative("custom", W, H, K)
    assert W_is_informative("custom", W, None, K)
    assert W_is_informative("custom", drawn_W, None, K)
    assert W_is_informative("custom", drawn_W, H[:2], K)
    assert W_is_informative("nndsvda", None, None, K)
    assert not W_is_informative("custom", drawn_W, drawn_H, K)
    assert not W_is_informative("custom", None, H, K)
    assert not W_is_informative("custom", W[:, :2], H, K)  # two components are drawn
    assert not W_is_informative("random", None, None, K)
