"""Coordinate descent against scikit-learn, planted truths, and its own promises."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import CoordinateDescent, factorize
from sparsenmf.solvers import alternation
from sparsenmf.solvers.row_update import SWEEP_TOLERANCE

from .. import problems, reference
from ..grouped import grouped

PENALTIES = [
    {},
    {"alpha_W": 1e-3, "l1_ratio": 0.0},
    {"alpha_W": 1e-3, "l1_ratio": 1.0},
    {"alpha_W": 2e-3, "alpha_H": 5e-4, "l1_ratio": 0.4},
]


def random_start(X, n_components, seed):
    rng = np.random.RandomState(seed)
    scale = np.sqrt(X.mean() / n_components)
    W = np.abs(scale * rng.standard_normal((X.shape[0], n_components)))
    H = np.abs(scale * rng.standard_normal((n_components, X.shape[1])))
    return W.astype(X.dtype), H.astype(X.dtype)


def sklearn_nmf(X, W, H, n_iter, **penalties):
    decomposition = pytest.importorskip("sklearn.decomposition")
    # Started from the result of an iteration, scikit-learn goes on with the next one.
    W, H, _ = decomposition.non_negative_factorization(
        X,
        W=W.copy(),
        H=H.copy(),
        n_components=W.shape[1],
        init="custom",
        solver="cd",
        tol=0,
        max_iter=n_iter,
        **penalties,
    )
    return W, H


def plain_iterates(X, W, H, n_iter, **penalties):
    """The iterates of one sweep without extrapolation, in the order of the start."""
    iterates = []
    factorize(
        X,
        W.shape[1],
        W=W,
        H=H,
        progress=lambda state: iterates.append((state.W, state.H)),
        tol=0,
        max_iter=n_iter,
        **grouped({**penalties, "max_sweeps": 1, "extrapolate": False}),
    )
    return iterates


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("penalties", PENALTIES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_plain_iterates_are_those_of_scikit_learn(dtype, penalties):
    X = problems.documents(400, 300, dtype=dtype)
    start = random_start(X, 7, seed=0)
    tolerance = 1e-4 if dtype == np.float32 else 1e-11
    for n_iter, (W, H) in enumerate(plain_iterates(X, *start, 6, **penalties), 1):
        expected_W, expected_H = sklearn_nmf(X, *start, n_iter, **penalties)
        if penalties.get("l1_ratio"):  # scikit-learn leaves H as it is where W has become zero
            expected_H[~expected_W.any(axis=0)] = 0
        np.testing.assert_allclose(W, expected_W, atol=tolerance * expected_W.max())
        np.testing.assert_allclose(H, expected_H, atol=tolerance * expected_H.max())


@pytest.mark.parametrize("low_memory", [False, True])
def test_the_first_iteration_is_plain(low_memory):
    """It has one sweep, and the second, which has two, begins without momentum."""
    X = problems.documents(60, 50, dtype=np.float64)
    W, H = random_start(X, 4, seed=1)
    reached = []
    factorize(
        X, 4, W=W, H=H, max_iter=2, tol=0, solver=CoordinateDescent(low_memory=low_memory),
        progress=lambda state: reached.append(state.W @ state.H),
    )  # fmt: skip
    for sweeps, product in zip((1, 2), reached, strict=True):
        W, *_ = reference.update_rows(X.toarray(), H.T, H @ H.T, 0, W, sweeps, SWEEP_TOLERANCE)
        Ht, *_ = reference.update_rows(X.toarray().T, W, W.T @ W, 0, H.T, sweeps, SWEEP_TOLERANCE)
        H = Ht.T
        np.testing.assert_allclose(product, W @ H, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("penalties", [(0, 0, 0, 0), (0.02, 0.05, 0.03, 0.01)])
def test_plain_iterates_are_those_of_the_reference(penalties):
    X = problems.documents(60, 50, dtype=np.float64)
    start = random_start(X, 4, seed=1)
    l1_W, l2_W, l1_H, l2_H = penalties
    total_W, total_H = l1_W + l2_W, l1_H + l2_H
    alphas = {}
    if total_W:
        # One l1_ratio serves both factors, so the reference must have equal L1 shares.
        l1_H, l2_H = total_H * l1_W / total_W, total_H * l2_W / total_W
        alphas = {
            "alpha_W": total_W / X.shape[1],
            "alpha_H": total_H / X.shape[0],
            "l1_ratio": l1_W / total_W,
        }
    expected = reference.hals(X.toarray(), *start, 5, l1_W, l2_W, l1_H, l2_H)
    for (W, H), (W_ref, H_ref) in zip(
        plain_iterates(X, *start, 5, **alphas), expected, strict=True
    ):
        np.testing.assert_allclose(W, W_ref, atol=1e-12)
        np.testing.assert_allclose(H, H_ref, atol=1e-12)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("n_components", [10, pytest.param(25, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", ["bbc_news", "associated_press"])
def test_final_objective_is_no_worse_than_scikit_learns(real_matrix, name, n_components):
    X = real_matrix(name)
    ratios = []
    for seed in range(4):
        start = random_start(X, n_components, seed)
        ours = factorize(X, n_components, W=start[0], H=start[1])
        theirs = sklearn_nmf(sp.csr_matrix(X), *start, 200)
        ratios.append(
            reference.sparse_objective(X, ours.W, ours.H) / reference.sparse_objective(X, *theirs)
        )
    assert np.median(ratios) <= 1.002


@pytest.mark.parametrize("penalties", PENALTIES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_objective_is_that_of_the_returned_factors_and_never_rises(dtype, penalties):
    X = problems.documents(500, 300, dtype=dtype)
    for max_iter in (1, 4, 30):
        model = factorize(X, 8, max_iter=max_iter, tol=0, random_state=3, **penalties)
        alphas = dict(penalties)
        alphas.setdefault("alpha_H", alphas.get("alpha_W", 0.0))
        expected = reference.objective(X.toarray(), model.W, model.H, **alphas)
        tolerance = 1e-6 if dtype == np.float32 else 1e-12
        assert model.objective == pytest.approx(expected, rel=tolerance)
        assert (np.diff(model.objective_history) <= 0).all()
        error = np.linalg.norm(X.toarray().astype(float) - model.W.astype(float) @ model.H)
        assert model.error == pytest.approx(error, rel=tolerance)


def test_callback_sees_the_objective_of_the_factors_it_sees():
    X = problems.documents(300, 200, dtype=np.float64)
    seen = []

    def look(state):
        expected = reference.objective(X.toarray(), state.W, state.H)
        seen.append((state.objective, expected))

    factorize(X, 6, tol=0, max_iter=25, random_state=0, progress=look)
    objectives, expected = np.array(seen).T
    np.testing.assert_allclose(objectives, expected, rtol=1e-12)


def test_optimality_is_the_kkt_residual_of_the_returned_factors():
    X = problems.documents(200, 150, dtype=np.float64)
    for max_iter in (1, 10, 60):
        model = factorize(X, 5, max_iter=max_iter, tol=0, random_state=0)
        expected = reference.optimality(X.toarray(), model.W, model.H)
        assert model.optimality == pytest.approx(expected, rel=1e-6)


def test_optimality_vanishes_at_a_stationary_point():
    X = problems.documents(200, 150, dtype=np.float64)
    model = factorize(X, 5, tol=0, max_iter=5000, random_state=0)
    assert model.optimality < 1e-6
    assert model.stop_reason == "precision"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_planted_factorization_is_recovered(dtype):
    X, _, H = problems.planted(dtype=dtype)
    best = min(
        (factorize(X, 5, tol=0, max_iter=1500, random_state=seed) for seed in range(5)),
        key=lambda model: model.objective,
    )
    assert best.relative_error < (1e-3 if dtype == np.float32 else 1e-5)
    similarity = (H / np.linalg.norm(H, axis=1, keepdims=True)) @ (
        best.H / np.linalg.norm(best.H, axis=1, keepdims=True)
    ).T
    np.testing.assert_allclose(similarity.max(axis=1), 1, atol=1e-3)
    assert sorted(similarity.argmax(axis=1)) == list(range(5))


def test_laurbergs_unique_factorization_is_recovered():
    X, W, _ = problems.laurberg()
    best = min(
        (factorize(X, 3, tol=0, max_iter=3000, random_state=seed) for seed in range(5)),
        key=lambda model: model.objective,
    )
    assert best.relative_error < 1e-4
    similarity = (W / np.linalg.norm(W, axis=0)).T @ (best.W / np.linalg.norm(best.W, axis=0))
    np.testing.assert_allclose(similarity.max(axis=1), 1, atol=1e-3)


def test_an_exact_fit_has_an_exact_small_objective():
    """Below the resolution of the fast formula, the residuals themselves are summed."""
    X, _, _ = problems.planted(noise=0.0, dtype=np.float32)
    model = factorize(X, 5, tol=0, max_iter=1500, random_state=0)
    expected = reference.objective(X.toarray(), model.W, model.H)
    assert model.relative_error < 1e-2
    assert model.objective == pytest.approx(expected, abs=2e-15 * model.x_norm**2)


@pytest.mark.parametrize("scale", [1e-8, 10.0, 1e8])
@pytest.mark.parametrize("init", ["random", "nndsvd"])
def test_scale_of_the_data_changes_nothing(scale, init):
    X = problems.documents(300, 200, dtype=np.float64)
    model = factorize(X, 5, init=init, random_state=0)
    scaled = factorize(X * scale, 5, init=init, random_state=0)
    assert scaled.n_iter == model.n_iter
    assert scaled.optimality == pytest.approx(model.optimality, rel=1e-3)
    assert scaled.relative_error == pytest.approx(model.relative_error, rel=1e-6)


@pytest.mark.parametrize("scale", [1e25, 1e-25])
def test_scales_that_overflow_or_vanish_are_refused(scale):
    X = problems.documents(60, 50)
    with pytest.raises(ValueError, match=r"X has values up to .* do not fit into float32"):
        factorize(X * np.float32(scale), 3)
    assert factorize(X.astype(float) * scale, 3).relative_error < 1


def test_a_start_that_overflows_is_reported():
    X = problems.documents(60, 50)
    with pytest.raises(OverflowError, match="the factors overflow float32"):
        factorize(X, 3, H=np.full((3, 50), 1e30))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_components", [3, 20])
def test_same_bits_at_any_thread_count(dtype, n_components):
    X = problems.documents(1500, 900, dtype=dtype)
    runs = [
        factorize(X, n_components, n_threads=n, max_iter=15, tol=0, random_state=0, alpha_W=1e-4)
        for n in (1, 2, 3)
    ]
    for run in runs[1:]:
        np.testing.assert_array_equal(run.W, runs[0].W)
        np.testing.assert_array_equal(run.H, runs[0].H)
        np.testing.assert_array_equal(run.objective_history, runs[0].objective_history)
        assert run.optimality == runs[0].optimality


def test_same_bits_with_more_threads_than_cores():
    """numba starts one thread a core: only another process can have more."""
    code = (
        "import hashlib\n"
        "import numba\n"
        "from sparsenmf import factorize\n"
        "from tests.problems import documents\n"
        "X = documents(1500, 900)\n"
        "for n in (1, 2, 3, 4):\n"
        "    model = factorize(X, 20, n_threads=n, max_iter=15, tol=0, random_state=0)\n"
        "    print(hashlib.sha256(model.W.tobytes() + model.H.tobytes()).hexdigest())\n"
        "assert numba.config.NUMBA_NUM_THREADS == 4\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "NUMBA_NUM_THREADS": "4"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    digests = result.stdout.split()
    assert len(digests) == 4
    assert len(set(digests)) == 1


def test_extrapolation_needs_fewer_iterations():
    X = problems.documents(1500, 900)
    ahead = 0
    for seed in range(7):
        fast = factorize(X, 10, random_state=seed, tol=0, max_iter=12)
        plain = factorize(
            X,
            10,
            random_state=seed,
            tol=0,
            max_iter=20,
            solver=CoordinateDescent(extrapolate=False),
        )
        ahead += fast.objective < plain.objective
    assert ahead >= 5


@pytest.mark.parametrize("name", problems.odd_matrices())
@pytest.mark.parametrize("init", ["random", "nndsvd", "nndsvdar"])
def test_odd_matrices_are_factorized(name, init):
    X = problems.odd_matrices()[name]
    n_components = min(*X.shape, 3)
    model = factorize(X, n_components, init=init, random_state=0)
    assert np.isfinite(model.W).all()
    assert np.isfinite(model.H).all()
    assert (model.W >= 0).all()
    assert (model.H >= 0).all()
    expected = reference.objective(X.toarray(), model.W, model.H)
    assert model.objective == pytest.approx(expected, abs=1e-12 + 1e-9 * model.x_norm**2)
    assert model.relative_error <= 1
    assert model.transform(X).shape == model.W.shape


# The scale between W and H.


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
@pytest.mark.parametrize("max_iter", [30, 300])
def test_momentum_does_not_make_one_factor_grow(loss, max_iter):
    """Its steps alone do, tenfold in 50 iterations; later steps of a pipeline need one scale."""
    X = problems.documents(400, 250, dtype=np.float32)
    sizes, scale = [], np.sqrt(X.mean() / 6)
    factorize(
        X, 6, loss=loss, random_state=0, tol=0, max_iter=max_iter,
        progress=lambda state: sizes.append(np.sqrt((state.H**2).mean())),
    )  # fmt: skip
    model = factorize(X, 6, loss=loss, random_state=0, tol=0, max_iter=max_iter)
    rms_W, rms_H = np.sqrt((model.W**2).mean(axis=0)), np.sqrt((model.H**2).mean(axis=1))
    assert (rms_W / rms_H).max() <= 2.01
    assert (rms_W / rms_H).min() >= 0.49
    assert scale < rms_H.mean() < 20 * scale
    assert max(sizes) < 1e4 * scale


def test_balancing_changes_no_bit_of_the_product(monkeypatch):
    X = problems.documents(400, 250, dtype=np.float32)
    balance_run, found = alternation.Alternation._balance, []

    def spy(run):
        before = run.current
        products = [np.outer(before.W[:, r], before.Ht[:, r]) for r in range(6)]
        balance_run(run)
        assert run.current.objective == before.objective
        for r, product in enumerate(products):
            after = np.outer(run.current.W[:, r], run.current.Ht[:, r])
            np.testing.assert_array_equal(after, product)
        found.append((run.current.Ht != before.Ht).any())

    monkeypatch.setattr(alternation, "BALANCE_EVERY", 3)
    monkeypatch.setattr(alternation.Alternation, "_balance", spy)
    W, H = random_start(X, 6, seed=0)
    model = factorize(X, 6, W=1024 * W, H=H / 1024, tol=0, max_iter=20)
    assert len(found) >= 3
    assert any(found)
    assert (np.diff(model.objective_history) <= 0).all()


@pytest.mark.parametrize(
    "options",
    [
        {"alpha_W": 1e-3},
        {"solver": CoordinateDescent(extrapolate=False)},
        {"H": np.ones((1, 250)), "frozen_H": [0]},
    ],
)
def test_scale_is_left_alone_where_it_matters(options, monkeypatch):
    X = problems.documents(400, 250)
    monkeypatch.setattr(alternation.Alternation, "_balance", None)
    monkeypatch.setattr(alternation, "BALANCE_EVERY", 2)
    assert factorize(X, 6, random_state=0, max_iter=10, **options).n_iter > 4
