"""Runs in double precision that begin in single: their results, and the ways they can end."""

import numpy as np
import pytest
from numba.core import config

from sparsenmf import Checkpoint, CoordinateDescent, Seeds, Weights, factorize
from sparsenmf.data import rows
from sparsenmf.kernels.coordinate_descent import update_rows
from sparsenmf.solvers import mixed_precision as mixed
from sparsenmf.solvers.alternation import Alternation

from .. import problems, reference

K = 6


@pytest.fixture
def X():
    return problems.documents(300, 220, dtype=np.float64)


@pytest.fixture(params=["transposed", "tall"], autouse=True)
def tall(request, monkeypatch):
    """Return whether X counts as much taller than wide, in which case it has no transpose."""
    if request.param == "tall":
        monkeypatch.setattr(rows, "TALL", 1)
        monkeypatch.setattr(rows, "TALL_NNZ", 0)
    return request.param == "tall"


@pytest.fixture
def small(monkeypatch):
    """Let runs begin in single precision however small the problem is."""
    monkeypatch.setattr(rows, "SINGLE_WORK", 0)


def precisions(X, **options):
    """Record the types of the iterates of a run."""
    seen = []

    def look(state):
        seen.append(state._current.W.dtype)
        assert state.W.dtype == state.H.dtype == np.float64

    model = factorize(X, K, random_state=0, progress=look, **options)
    return seen, model


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"alpha_W": 1e-4, "l1_ratio": 0.5},
        {"weights": Weights(samples=np.linspace(0, 3, 300), features=np.linspace(1, 2, 220))},
        {"seeds": Seeds({0: [3, 4, 5]}, strength="support")},
        {"frozen_H": [0], "H": np.ones((1, 220))},
    ],
    ids=lambda options: next(iter(options), "plain"),
)
def test_single_precision_is_only_the_beginning(X, options, tall, monkeypatch):
    # Without a transpose the start is rounded, which seeds and frozen components forbid.
    begins = not tall or not {"seeds", "frozen_H"} & set(options)
    models = []
    for work in (0, 2**60):
        monkeypatch.setattr(rows, "SINGLE_WORK", work)
        seen, model = precisions(X, tol=0, max_iter=2000, **options)
        models.append(model)
        assert (seen[0] == np.float32) == (work == 0 and begins)
        assert seen[-1] == np.float64
        f = model.objective_history
        assert (np.diff(f) <= 5e-7 * f[0] * (work == 0)).all()
    ours, double = models
    # From the same start: to the same optimum, as closely as double precision tells.
    assert ours.objective == pytest.approx(double.objective, rel=1e-9)
    assert ours.optimality < 1e-6


@pytest.mark.parametrize("max_iter", [1, 4, 30])
@pytest.mark.parametrize("alpha", [0, 1e-3])
def test_objective_is_that_of_the_factors_in_double_precision(X, small, max_iter, alpha):
    seen, model = precisions(X, tol=0, max_iter=max_iter, alpha_W=alpha)
    assert seen[0] == np.float32
    expected = reference.objective(X.toarray(), model.W, model.H, alpha, alpha)
    rel = 2e-7 if seen[-1] == np.float32 else 1e-13
    assert model.objective_history[-1] == pytest.approx(expected, rel=rel)
    assert model.W.dtype == model.H.dtype == np.float64


def test_nearly_exact_fits_become_exact(small):
    X, W, H = problems.planted(dtype=np.float64)
    model = factorize(X, 5, W=W * 1.001, H=H, alpha_W=0, tol=0, max_iter=500)
    assert model.relative_error < 1e-12


def test_a_penalised_fit_that_is_nearly_exact_counts_its_penalty(small):
    X, W, H = problems.planted(dtype=np.float64)
    model = factorize(X, 5, W=W, H=H, alpha_W=1e-12, tol=0, max_iter=1)
    expected = reference.objective(X.toarray(), model.W, model.H, 1e-12, 1e-12)
    assert model.objective == pytest.approx(expected, rel=1e-3)


def test_small_problems_begin_in_double_precision(X):
    assert precisions(X, max_iter=1)[0] == [np.float64]


@pytest.mark.parametrize(
    "options",
    [
        {"solver": CoordinateDescent(extrapolate=False)},
        {"solver": CoordinateDescent(low_memory=True)},
    ],
)
def test_some_runs_have_no_beginning_in_single_precision(X, small, options):
    assert precisions(X, max_iter=1, **options)[0] == [np.float64]


@pytest.mark.parametrize("factor", [1e-11, 1e11])
def test_what_single_precision_may_not_hold_begins_in_double(X, small, factor):
    W, H = np.full((300, K), 0.1), np.full((K, 220), 0.1)
    H[:, 0] = np.arange(K)
    model = factorize(X, K, W=W * factor, H=H / factor, max_iter=3, tol=0)
    plain = factorize(X, K, W=W, H=H, max_iter=3, tol=0)
    assert model.objective == pytest.approx(plain.objective, rel=1e-3)


def test_frozen_components_keep_their_bits_in_double_precision(X, small, monkeypatch):
    given_W, given_H = (np.random.default_rng(0).random(shape) for shape in ((300, 2), (2, 220)))
    seen = []

    def look(state):
        if state._current.W.dtype == np.float64:
            seen.append((state.W[:, :2], state.H[:2]))

    factorize(
        X, K, W=given_W, H=given_H, frozen_W=[0], frozen_H=[1], tol=0, max_iter=60,
        random_state=0, progress=look,
    )  # fmt: skip
    assert len(seen) > 5
    for W, H in seen:
        np.testing.assert_array_equal(W[:, 0], given_W[:, 0])
        np.testing.assert_array_equal(H[1], given_H[1])


def test_what_is_too_small_for_single_precision_begins_in_double(X, small):
    tiny, plain = (factorize(M, K, random_state=0, max_iter=9, tol=0) for M in (X * 1e-60, X))
    assert tiny.relative_error == pytest.approx(plain.relative_error, rel=1e-6)


def test_a_rejected_iteration_is_not_slow_progress(X, small, monkeypatch):
    propose, count = Alternation._propose, []

    def get_worse(run):
        count.append(run)
        new = propose(run)
        return new._replace(objective=2 * new.objective) if len(count) == 4 else new

    monkeypatch.setattr(Alternation, "_propose", get_worse)
    seen, model = precisions(X, max_iter=6, tol=0)
    assert model.objective_history[2] == model.objective_history[3]
    assert seen == [np.float32] * 6


@pytest.mark.parametrize("fails_at", [1, 3])
def test_where_single_precision_overflows_double_takes_over(X, small, tall, fails_at, monkeypatch):
    propose, count = Alternation._propose, []

    def overflow(run):
        if run.dtype == np.float32:
            count.append(run)
            if len(count) == fails_at:
                raise OverflowError
        return propose(run)

    monkeypatch.setattr(Alternation, "_propose", overflow)
    seen, model = precisions(X, max_iter=6, tol=0)
    assert seen == [np.float32] * (fails_at - 1) + [np.float64] * (7 - fails_at)
    assert (np.diff(model.objective_history) <= 0).all()
    if fails_at == 1:  # nothing of single precision is left
        monkeypatch.setattr(rows, "SINGLE_WORK", 2**60)
        rounded = {"rtol": 1e-4 * tall, "atol": 1e-6 * tall}  # the start, where there is none else
        np.testing.assert_allclose(model.W, precisions(X, max_iter=6, tol=0)[1].W, **rounded)


@pytest.mark.parametrize("stop_at", [2, 40])
def test_goes_on_from_a_checkpoint_to_the_bit(X, small, stop_at, tmp_path):
    file, options = tmp_path / "run.npz", {"tol": 0, "max_iter": 60}
    whole_seen, whole = precisions(X, **options)
    assert {np.dtype(np.float32), np.dtype(np.float64)} == set(whole_seen)
    precisions(X, **options | {"max_iter": stop_at}, checkpoint=Checkpoint(file, every=1))
    rest_seen, rest = precisions(X, **options, checkpoint=Checkpoint(file, resume=True))
    assert rest_seen == whole_seen[stop_at:]
    np.testing.assert_array_equal(rest.W, whole.W)
    np.testing.assert_array_equal(rest.H, whole.H)
    np.testing.assert_array_equal(rest.objective_history, whole.objective_history)


def test_interrupted_in_the_beginning_is_a_result_in_double_precision(X, small):
    def stop(state):
        if state.n_iter == 3:
            raise KeyboardInterrupt

    model = factorize(X, K, random_state=0, progress=stop)
    assert model.stop_reason == "interrupted"
    assert (model.n_iter, model.W.dtype, model.H.dtype) == (3, np.float64, np.float64)
    expected = reference.objective(X.toarray(), model.W, model.H)
    assert model.objective_history[-1] == pytest.approx(expected, rel=1e-12)


def test_bits_do_not_depend_on_threads(small):
    X = problems.documents(2000, 900, dtype=np.float64)
    one, two = (factorize(X, K, random_state=0, max_iter=40, n_threads=n) for n in (1, 2))
    np.testing.assert_array_equal(one.W, two.W)
    np.testing.assert_array_equal(one.H, two.H)


def test_padding_of_the_two_precisions_differs_and_stays_zero(small):
    X = problems.documents(200, 150, dtype=np.float64)
    for k in (1, 3, 9, 17):
        model = factorize(X, k, random_state=0, tol=0, max_iter=30)
        expected = reference.objective(X.toarray(), model.W, model.H)
        assert model.objective == pytest.approx(expected, rel=1e-12)


def test_objective_is_exact_from_where_double_precision_takes_over(X, small):
    exact = []

    def look(state):
        if state._current.W.dtype == np.float64:
            expected = reference.objective(X.toarray(), state.W, state.H)
            exact.append(state.objective == pytest.approx(expected, rel=1e-13))

    factorize(X, K, random_state=0, tol=0, max_iter=60, progress=look)
    assert len(exact) > 5
    assert all(exact)


def test_takes_over_when_progress_is_slow(X, small):
    seen, model = precisions(X, tol=0, max_iter=100)
    turn = seen.index(np.dtype(np.float64))
    f = model.objective_history[: turn + 1]
    falls = (f[:-1] - f[1:]) / f[1:]
    falls = falls[falls != 0]  # an iteration that is rejected is none
    # The last one was found in single precision, and seen when it was double already.
    assert falls[:-1].min() > mixed.ENOUGH
    assert falls[-1] <= mixed.ENOUGH + 1e-6


def test_W_of_single_precision_is_put_in_order_in_double(X, small, monkeypatch):
    expected = factorize(X, K, random_state=0, max_iter=3, tol=0)
    monkeypatch.setattr("sparsenmf.solvers.scale.LARGE", 1)
    found = factorize(X, K, random_state=0, max_iter=3, tol=0)
    assert found.W.dtype == found.H.dtype == np.float64
    np.testing.assert_array_equal(found.W, expected.W)
    np.testing.assert_array_equal(found.H, expected.H)


@pytest.mark.parametrize("size", [1e-9, 1e9])
def test_given_factors_may_be_far_larger_or_smaller_than_single_precision(X, small, size):
    """Values that single precision cannot hold are neither rounded nor lost."""
    W, H = np.full((300, K), 1.0), np.full((K, 220), 1.0)
    H[:, 0] = np.arange(K)
    usual = factorize(
        X, K, W=W, H=H, max_iter=1, tol=0, solver=CoordinateDescent(extrapolate=False)
    )
    W[7, 2] = size**5
    model = factorize(X, K, W=W, H=H, max_iter=1, tol=0)
    assert np.isfinite(model.W).all()
    assert model.relative_error == pytest.approx(usual.relative_error, rel=0.2)


@pytest.mark.parametrize("frozen", [{"frozen_W": [0]}, {"frozen_H": [0]}])
def test_what_is_frozen_ends_in_double_precision(X, small, frozen):
    rng = np.random.default_rng(0)
    W, H = rng.random((300, K)), rng.random((K, 220))
    model = factorize(X, K, W=W, H=H, tol=0, max_iter=3, **frozen)
    expected = reference.objective(X.toarray(), model.W, model.H)
    assert model.objective == pytest.approx(expected, rel=1e-13)
    kept = (model.W[:, 0], W[:, 0]) if "frozen_W" in frozen else (model.H[0], H[0])
    np.testing.assert_array_equal(*kept)


def test_optimality_is_that_of_double_precision(X, small, monkeypatch):
    ours = factorize(X, K, random_state=0, tol=0, max_iter=5)
    monkeypatch.setattr(mixed, "REST", 1)
    double = factorize(X, K, random_state=0, tol=0, max_iter=5)
    assert double.objective != ours.objective
    assert ours.optimality == pytest.approx(double.optimality, rel=1e-3)
    np.testing.assert_array_equal(ours.W, double.W)
    np.testing.assert_array_equal(ours.H, double.H)


def test_what_explains_nearly_all_has_its_objective_in_double_precision(small):
    rng = np.random.default_rng(0)
    W, H = rng.random((900, 3)), rng.random((3, 40))
    X = W @ H + 0.1 * rng.random((900, 40))
    model = factorize(X, 3, random_state=0, max_iter=9, tol=0)
    expected = reference.objective(X, model.W, model.H)
    assert expected < 0.01 * 0.5 * (X**2).sum()
    assert model.objective == pytest.approx(expected, rel=1e-12)


@pytest.mark.skipif(config.DISABLE_JIT, reason="nothing is compiled")
def test_no_kernel_is_compiled_for_a_mixture_of_precisions(X, small):
    """That would be one more kernel to compile, and the largest takes seconds."""
    precisions(X, tol=0, max_iter=60)
    for dispatcher in (update_rows._serial, update_rows._parallel):
        for given_rows, side, _, earlier, factor, out, *_ in dispatcher.signatures:
            products, fade = earlier.types
            arrays = given_rows.types[0], side.types[0], products, factor, out
            assert {array.dtype for array in arrays} == {fade}
