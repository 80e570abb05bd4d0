"""Kullback-Leibler by coordinate descent on stores that have both sides: the same as in memory."""

import os

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import (
    NNDSVD,
    Checkpoint,
    CoordinateDescent,
    MultiplicativeUpdate,
    NamedMatrix,
    Problem,
    RandomStarts,
    Seeds,
    Weights,
    factorize,
    initialize,
    open_csr,
    write_csr,
)
from sparsenmf.data.store import CsrStore
from sparsenmf.solvers import blocks

from .. import problems

KL = {"loss": "kullback-leibler", "random_state": 0, "tol": 0}

OPTIONS = {
    "plain": {},
    "penalties": {"alpha_W": 1e-3, "alpha_H": 5e-4, "l1_ratio": 0.4},
    "weights": {"weights": Weights(samples=np.arange(400) % 4, features=np.arange(250) % 5)},
    "W": {"W": np.ones((400, 2)), "frozen_W": [0]},
    "H": {"H": np.eye(6, 250)},
    "frozen_H": {"H": np.ones((2, 250)), "frozen_H": [1]},
    "seeds": {"seeds": Seeds({0: [3, 5], 1: [9]}, strength="support")},
    "nndsvd": {"init": "nndsvd"},
    "nndsvdar": {"init": "nndsvdar"},
    "settings": {"solver": CoordinateDescent(max_sweeps=1, extrapolate=False)},
    "mu": {"solver": "mu"},
}


@pytest.fixture(scope="module")
def X():
    X = problems.documents(400, 250, dtype=float).tolil()
    X[150:160], X[:, 30:33] = 0, 0
    return sp.csr_array(X)


@pytest.fixture(scope="module")
def store(X, tmp_path_factory):
    return write_csr(tmp_path_factory.mktemp("store"), X, both_sides=True, shard_nnz=X.nnz // 3)


@pytest.fixture
def in_blocks(monkeypatch):
    """Blocks of both sides are so small that there are several."""
    monkeypatch.setattr(blocks, "BLOCK_NNZ", 700)


def same(model, expected, tolerance=1e-6):
    np.testing.assert_allclose(model.W, expected.W, rtol=tolerance, atol=tolerance / 100)
    np.testing.assert_allclose(model.H, expected.H, rtol=tolerance, atol=tolerance / 100)
    np.testing.assert_allclose(model.objective_history, expected.objective_history, rtol=1e-10)
    assert model.optimality == pytest.approx(expected.optimality, rel=1e-5)


@pytest.mark.parametrize("name", OPTIONS)
def test_results_are_those_of_memory(name, X, store, in_blocks):
    assert len(store.blocks(700)) > 3 < len(store.transposed.blocks(700))
    options = {**KL, "max_iter": 15, **OPTIONS[name]}
    inside, outside = factorize(X, 6, **options), factorize(store, 6, **options)
    same(outside, inside)
    assert outside.options == inside.options
    assert (np.diff(outside.objective_history) <= 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_single_block_has_the_bits_of_memory(dtype, X, tmp_path):
    X = X.astype(dtype)
    store = write_csr(tmp_path / "store", X, both_sides=True)
    options = {**KL, "max_iter": 15}
    inside, outside = factorize(X, 6, **options), factorize(store, 6, **options)
    for name in ("W", "H", "objective_history", "sample_norms"):
        np.testing.assert_array_equal(getattr(outside, name), getattr(inside, name))
    assert outside.W.dtype == dtype


def test_single_precision_is_that_of_memory(X, tmp_path, in_blocks):
    X = X.astype(np.float32)
    store = write_csr(tmp_path / "store", X, both_sides=True)
    options = {**KL, "max_iter": 8}
    inside, outside = factorize(X, 6, **options), factorize(store, 6, **options)
    np.testing.assert_allclose(outside.W, inside.W, rtol=1e-2, atol=1e-4)
    np.testing.assert_allclose(outside.objective_history, inside.objective_history, rtol=1e-5)


def test_same_bits_at_any_thread_count(tmp_path, monkeypatch):
    X = problems.documents(2000, 250, dtype=np.float32)
    monkeypatch.setattr(blocks, "BLOCK_NNZ", X.nnz // 2)
    assert X.nnz * 24 > 500_000  # in parallel
    store = write_csr(tmp_path / "store", X, both_sides=True)
    first, *others = (factorize(store, 20, max_iter=4, n_threads=n, **KL) for n in (1, 2, 3))
    for model in others:
        np.testing.assert_array_equal(model.W, first.W)
        np.testing.assert_array_equal(model.H, first.H)


def test_an_iteration_is_a_pass_over_each_side(store, in_blocks, monkeypatch):
    count = {store.shape: 0, store.shape[::-1]: 0}

    def count_rows(store, start, stop):
        count[store.shape] += stop - start
        return rows(store, start, stop)

    rows, passes = CsrStore.rows, []
    monkeypatch.setattr(CsrStore, "rows", count_rows)
    for max_iter in (5, 15):
        factorize(store, 5, max_iter=max_iter, **KL)
        passes.append([n / shape[0] for shape, n in count.items()])
        count = dict.fromkeys(count, 0)
    assert np.subtract(*passes[::-1]).tolist() == [10, 10]


def test_the_default_is_coordinate_descent_where_both_sides_are(X, store, tmp_path):
    assert factorize(store, 3, max_iter=2, **KL).options["solver"] == "cd"
    one = write_csr(tmp_path / "one", X)
    assert factorize(one, 3, max_iter=2, **KL).options["solver"] == "mu"


@pytest.mark.parametrize("solver", ["cd", CoordinateDescent(), CoordinateDescent(low_memory=True)])
def test_a_store_with_one_side_is_refused_in_one_line(solver, X, tmp_path):
    one = write_csr(tmp_path / "one", X)
    with pytest.raises(ValueError, match=r"sparsenmf store --both-sides") as error:
        factorize(one, 3, solver=solver, **KL)
    assert "\n" not in str(error.value)
    assert 'solver="mu"' in str(error.value)
    if not isinstance(solver, str):  # in a loop of one's own, too
        with pytest.raises(ValueError, match=r"both_sides=True"):
            initialize(Problem(one, 3, loss="kullback-leibler"), solver)


def test_a_problem_may_be_cut_for_several_solvers(X, store, in_blocks):
    problem, runs = Problem(store, 4, loss="kullback-leibler"), []
    for solver in (CoordinateDescent(), MultiplicativeUpdate(), CoordinateDescent()):
        start = initialize(problem, solver, random_state=0)
        runs.append(solver.start(problem, start, max_iter=5, tol=0))
    for run in runs:
        for _ in run:
            pass
        model = run.result()
        same(model, factorize(X, 4, solver=model.options["solver"], max_iter=5, **KL))


def test_goes_on_from_a_checkpoint_with_w_on_disk(store, in_blocks, tmp_path):
    expected = factorize(store, 6, max_iter=12, **KL)
    solver = CoordinateDescent(W_path=tmp_path / "W.npy")
    for max_iter in (5, 12):
        saved = Checkpoint(tmp_path / "state", every=3, resume=True)
        model = factorize(store, 6, max_iter=max_iter, solver=solver, checkpoint=saved, **KL)
    assert isinstance(model.W, np.memmap)
    np.testing.assert_array_equal(model.W, expected.W)
    np.testing.assert_array_equal(model.H, expected.H)
    np.testing.assert_array_equal(model.objective_history, expected.objective_history)


def test_a_callback_and_a_time_limit_end_it(X, store, in_blocks):
    seen = []

    def stop(state):
        seen.append(state.objective)
        return state.n_iter == 3

    model = factorize(store, 4, progress=stop, **KL)
    assert (model.stop_reason, model.n_iter, len(seen)) == ("callback", 3, 3)
    same(model, factorize(X, 4, max_iter=3, **KL))
    assert factorize(store, 4, time_limit=1e-9, **KL).stop_reason == "time_limit"


@pytest.mark.parametrize("side", [0, 1])
def test_an_interrupt_within_a_pass_leaves_a_whole_iterate(side, store, in_blocks, monkeypatch):
    passes = 0

    def interrupting(store, start, stop):
        nonlocal passes
        if start == 0 and store.shape == shape:
            passes += 1
        if passes == 8 and start > 0 and store.shape == shape:
            passes += 1
            raise KeyboardInterrupt
        return rows(store, start, stop)

    rows, shape = CsrStore.rows, store.shape[:: -1 if side else 1]
    monkeypatch.setattr(CsrStore, "rows", interrupting)
    model = factorize(store, 5, **KL)
    assert model.stop_reason == "interrupted"
    assert 1 < model.n_iter < 8
    same(model, factorize(store, 5, max_iter=model.n_iter, **KL))


@pytest.mark.parametrize("init", [NNDSVD(sample=0.5), RandomStarts(2)])
def test_starts_that_look_at_a_store_before_it_is_cut(init, store, in_blocks):
    model = factorize(store, 4, init=init, max_iter=10, **KL)
    assert model.options["solver"] == "cd"
    again = factorize(open_csr(store.folder), 4, init=init, max_iter=10, n_threads=1, **KL)
    np.testing.assert_array_equal(model.W, again.W)


def test_the_transpose_can_be_factorized_as_well(X, store):
    expected = factorize(sp.csr_array(X.T), 4, max_iter=10, **KL)
    with pytest.raises(ValueError, match="both_sides=True"):
        factorize(store.transposed, 4, solver="cd", **KL)
    model = factorize(store.transposed, 4, max_iter=10, solver="mu", **KL)
    same(model, factorize(sp.csr_array(X.T), 4, max_iter=10, solver="mu", **KL))
    assert model.H.shape == expected.H.shape


def test_names_come_back(X, tmp_path):
    names = {"feature_names": [f"f{j}" for j in range(250)]}
    names["sample_names"] = [f"s{i}" for i in range(400)]
    store = write_csr(tmp_path / "store", NamedMatrix(X, **names), both_sides=True)
    model = factorize(store, 3, max_iter=2, **KL)
    for name, expected in names.items():
        assert list(getattr(model, name)) == expected


@pytest.mark.parametrize("block_nnz", [700, 2**24])
def test_columns_that_change_during_a_run_are_named(block_nnz, X, tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_NNZ", block_nnz)
    store = write_csr(tmp_path / "store", X, both_sides=True)
    path = store.folder / "shard-00001" / "data.npy"

    def touch(state):
        os.utime(path, ns=(1, 1))

    with pytest.raises(ValueError, match=r"shard-00001.data\.npy has been written to or replaced"):
        factorize(store, 4, progress=touch, **KL)


@pytest.mark.parametrize("matrix", problems.odd_matrices())
def test_odd_matrices(matrix, tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_NNZ", 2)
    X = problems.odd_matrices()[matrix]
    store = write_csr(tmp_path / "store", X, both_sides=True)
    options = {**KL, "max_iter": 10, "solver": "cd"}
    whole, stored = factorize(X, 1, **options), factorize(store, 1, **options)
    np.testing.assert_allclose(stored.W @ stored.H, whole.W @ whole.H, rtol=1e-5, atol=1e-9)
    assert stored.relative_error == pytest.approx(whole.relative_error, rel=1e-5, abs=1e-7)
