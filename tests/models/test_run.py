"""Loops over runs: they equal `factorize`, and can be left, resumed, saved and ended."""

import weakref

import numpy as np
import pytest

from sparsenmf import (
    CoordinateDescent,
    MultiplicativeUpdate,
    Problem,
    RandomStarts,
    Seeds,
    Weights,
    factorize,
    initialize,
    write_csr,
)

from .. import problems

KL = "kullback-leibler"


@pytest.fixture(scope="module")
def X():
    return problems.documents(200, 150, dtype=np.float32)


def start(problem, solver, seed=0, **limits):
    return solver.start(problem, initialize(problem, solver, random_state=seed), **limits)


def assert_same(model, expected):
    np.testing.assert_array_equal(model.W, expected.W)
    np.testing.assert_array_equal(model.H, expected.H)
    np.testing.assert_array_equal(model.objective_history, expected.objective_history)
    assert model.stop_reason == expected.stop_reason
    assert model.options == expected.options


@pytest.mark.parametrize(
    ("options", "solver"),
    [
        ({}, CoordinateDescent()),
        ({"loss": KL}, CoordinateDescent(max_sweeps=1)),
        ({"loss": KL}, MultiplicativeUpdate(low_memory=True)),
        ({"weights": np.linspace(0, 2, 200), "alpha_W": 1e-3}, CoordinateDescent(low_memory=True)),
        ({"missing": "unknown"}, MultiplicativeUpdate()),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_loop_gives_the_result_of_factorize(X, options, solver):
    run = start(Problem(X, 4, **options), solver, tol=1e-3, max_iter=15)
    objectives = [state.objective for state in run]
    model = run.result()
    assert_same(
        model, factorize(X, 4, solver=solver, tol=1e-3, max_iter=15, random_state=0, **options)
    )
    assert objectives == pytest.approx(model.objective_history, rel=1e-6)


def test_a_store_is_a_problem_as_well(X, tmp_path):
    store = write_csr(tmp_path / "store", X)
    run = start(Problem(store, 4), CoordinateDescent(), max_iter=5)
    list(run)
    assert_same(run.result(), factorize(store, 4, max_iter=5, random_state=0))


def test_a_loop_can_be_left_and_resumed(X):
    run = start(Problem(X, 4), CoordinateDescent(), max_iter=12, tol=0)
    for state in run:
        if state.n_iter == 5:
            break
    assert run.stop_reason is None
    assert [state.n_iter for state in run] == list(range(6, 13))
    assert list(run) == []  # it was at its end
    assert_same(run.result(), factorize(X, 4, max_iter=12, tol=0, random_state=0))


def test_a_loop_that_was_left_has_a_result(X):
    run = start(Problem(X, 4), CoordinateDescent())
    next(iter(run))
    model = run.result()
    assert (model.n_iter, model.stop_reason) == (1, "callback")
    assert "the caller asked to stop" in repr(model)


def test_there_is_one_result_and_none_before_an_iteration(X):
    run = start(Problem(X, 4), CoordinateDescent(), max_iter=2)
    with pytest.raises(RuntimeError, match="once its first iteration has ended"):
        run.result()
    list(run)
    run.result()
    with pytest.raises(RuntimeError, match="one result"):
        run.result()


def test_a_state_goes_on_in_another_run(X):
    problem, solver = Problem(X, 4), CoordinateDescent()
    run = start(problem, solver, tol=0, max_iter=9)
    for state in run:
        if state.n_iter == 4:
            break
    numbers, arrays = run.state()
    arrays = {name: array.copy() for name, array in arrays.items()}
    another = start(problem, solver, tol=0, max_iter=9)
    another.restore(numbers, arrays)
    assert [state.n_iter for state in another] == [5, 6, 7, 8, 9]
    assert_same(another.result(), factorize(X, 4, tol=0, max_iter=9, random_state=0))
    with pytest.raises(ValueError, match="W is not of this problem's shape"):
        start(Problem(X, 9), solver).restore(numbers, arrays)


def test_ctrl_c_in_a_loop_leaves_a_result(X):
    run = start(Problem(X, 4), CoordinateDescent(), tol=0)

    def iterate():
        for state in run:
            if state.n_iter == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        iterate()
    run.interrupt()
    model = run.result()
    assert (model.n_iter, model.stop_reason) == (3, "interrupted")
    expected = 0.5 * np.linalg.norm(X.toarray() - model.W @ model.H) ** 2
    assert model.objective == pytest.approx(expected, rel=1e-4)


def test_X_is_cut_once_while_a_run_has_it(X):
    problem, solver = Problem(X, 4), CoordinateDescent()
    first = initialize(problem, solver, random_state=0)
    assert initialize(problem, solver, random_state=1).cut is first.cut
    assert initialize(problem, CoordinateDescent(low_memory=True)).cut is not first.cut
    gone = weakref.ref(first.cut)
    del first
    assert gone() is None


def test_the_callers_X_is_not_written_to(X):
    before = X.data.copy()
    problem = Problem(X, 4, weights=np.linspace(0, 1, 200))
    list(start(problem, CoordinateDescent(), max_iter=2))
    np.testing.assert_array_equal(X.data, before)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: CoordinateDescent(max_sweeps=0), ValueError, "max_sweeps must be at least 1"),
        (lambda: CoordinateDescent(extrapolate=1), TypeError, "extrapolate must be True or False"),
        (lambda: MultiplicativeUpdate(low_memory="yes"), TypeError, "low_memory must be True or"),
        (lambda: MultiplicativeUpdate(W_path=3), TypeError, "W_path must be a path"),
        (lambda: RandomStarts(0), ValueError, "RandomStarts.n must be at least 1"),
        (lambda: RandomStarts(2.0), TypeError, "RandomStarts.n must be an integer"),
    ],
)
def test_objects_check_themselves(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_vector_of_weights_is_of_samples_and_a_matrix_of_entries(X):
    weights = np.linspace(0.5, 2, 200)
    by_vector = factorize(X, 3, weights=weights, max_iter=3, random_state=0)
    by_object = factorize(X, 3, weights=Weights(samples=weights), max_iter=3, random_state=0)
    assert_same(by_vector, by_object)
    entries = X.copy()
    entries.data = np.ones_like(X.data) * 2
    by_matrix = factorize(X, 3, weights=entries, max_iter=3, random_state=0)
    named = factorize(X, 3, weights=Weights(entries=entries), max_iter=3, random_state=0)
    assert_same(by_matrix, named)


def test_seeds_may_be_a_dict_of_columns(X):
    seeds = {0: [3, 4]}
    plain = factorize(X, 3, seeds=seeds, max_iter=3, random_state=0)
    assert_same(plain, factorize(X, 3, seeds=Seeds(seeds), max_iter=3, random_state=0))


def test_solvers_are_values():
    assert CoordinateDescent(max_sweeps=1) == CoordinateDescent(max_sweeps=1)
    assert CoordinateDescent() != MultiplicativeUpdate()
    with pytest.raises(AttributeError):
        CoordinateDescent().max_sweeps = 3
