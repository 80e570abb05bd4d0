"""What a caller of `factorize` may rely on: starts, stops, seeds, order, display."""

import pickle
import sys
import time

import numpy as np
import pytest

from sparsenmf import CoordinateDescent, factorize
from sparsenmf.solvers import scale
from sparsenmf.solvers.alternation import Alternation
from sparsenmf.solvers.initialization import check_start

from .. import problems


@pytest.fixture(scope="module")
def X():
    return problems.documents(400, 300)


def test_stops_when_converged(X):
    model = factorize(X.astype(float), 5, random_state=0, max_iter=1000)
    assert model.stop_reason == "converged"
    assert model.converged
    history = model.objective_history
    assert history[-6] - history[-1] <= 1e-5 * history[-1]
    assert history[-7] - history[-2] > 1e-5 * history[-2]


def test_stops_at_the_iteration_limit_without_a_warning(X, recwarn):
    model = factorize(X, 5, random_state=0, max_iter=3)
    assert model.stop_reason == "max_iter"
    assert not model.converged
    assert model.n_iter == 3
    assert not recwarn.list


def test_stops_at_the_time_limit(X):
    started = time.perf_counter()
    model = factorize(X, 5, random_state=0, tol=0, max_iter=10**9, time_limit=0.05)
    assert model.stop_reason in ("time_limit", "precision")
    assert time.perf_counter() - started < 5


def test_stops_when_the_callback_says_so(X):
    seen = []

    def stop_at_four(state):
        seen.append((state.n_iter, state.objective, state.relative_error, state.seconds))
        return state.n_iter == 4

    model = factorize(X, 5, random_state=0, progress=stop_at_four)
    assert model.stop_reason == "callback"
    assert [n for n, *_ in seen] == [1, 2, 3, 4]
    np.testing.assert_array_equal(model.objective_history, [f for _, f, *_ in seen])
    assert seen[-1][2] == pytest.approx(model.relative_error, rel=1e-6)
    assert (np.diff([t for *_, t in seen]) > 0).all()


def test_an_error_in_the_callback_is_the_callers(X):
    with pytest.raises(ZeroDivisionError):
        factorize(X, 5, progress=lambda state: 1 / 0)


def test_interrupt_returns_what_has_been_reached(X):
    def interrupt(state):
        if state.n_iter == 3:
            raise KeyboardInterrupt

    model = factorize(X, 5, random_state=0, progress=interrupt)
    assert model.stop_reason == "interrupted"
    assert model.n_iter == 3
    same = factorize(X, 5, random_state=0, max_iter=3)
    np.testing.assert_array_equal(model.W, same.W)


def test_a_second_interrupt_does_not_lose_the_result(X, monkeypatch):
    from sparsenmf.solvers.alternation import Alternation

    def interrupt(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(Alternation, "optimality", interrupt)
    model = factorize(X, 5, max_iter=3)
    assert model.stop_reason == "interrupted"
    assert np.isnan(model.optimality)
    assert model.n_iter == 3


def test_interrupt_before_the_first_iteration_is_raised(X, monkeypatch):
    from sparsenmf.solvers.alternation import Alternation

    def interrupt(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(Alternation, "iterate", interrupt)
    with pytest.raises(KeyboardInterrupt):
        factorize(X, 5)


@pytest.mark.parametrize("init", ["random", "nndsvd", "nndsvda", "nndsvdar"])
def test_same_seed_same_bits(X, init):
    first, second = (factorize(X, 5, init=init, random_state=7, max_iter=5) for _ in range(2))
    np.testing.assert_array_equal(first.W, second.W)
    np.testing.assert_array_equal(first.H, second.H)


def test_seeds_matter_and_generators_advance(X):
    def weights(random_state):
        return factorize(X, 5, random_state=random_state, max_iter=2).H

    assert not np.array_equal(weights(0), weights(1))
    assert not np.array_equal(weights(None), weights(None))
    for make in (np.random.default_rng, np.random.RandomState):
        generator = make(0)
        first = weights(generator)
        assert not np.array_equal(first, weights(generator))
        np.testing.assert_array_equal(first, weights(make(0)))


def test_global_random_state_is_left_alone(X):
    before = np.random.get_state()[1].copy()
    factorize(X, 5, max_iter=2)
    np.testing.assert_array_equal(before, np.random.get_state()[1])


def test_components_are_ordered_by_their_share_of_w_h(X):
    model = factorize(X, 8, random_state=0)
    shares = np.array([np.outer(model.W[:, r], model.H[r]).sum() for r in range(8)])
    assert (np.diff(shares) <= 1e-5 * shares[0]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_factors_have_the_precision_of_the_data(X, dtype):
    model = factorize(X.astype(dtype), 5, max_iter=2)
    assert model.W.dtype == model.H.dtype == dtype
    assert model.W.shape == (400, 5)
    assert model.H.shape == (5, 300)
    assert model.W.flags.c_contiguous
    assert model.H.flags.c_contiguous


def test_custom_start_may_give_one_factor_or_both_and_is_not_written_to(X, rng):
    W = rng.random((400, 5)).astype(np.float32)
    H = rng.random((5, 300)).astype(np.float32)
    copies = W.copy(), H.copy()
    both = factorize(X, 5, W=W, H=H, max_iter=3)
    assert both.options["init"] == "custom"
    only_H = factorize(X, 5, H=H, max_iter=3, random_state=0)
    only_W = factorize(X, 5, W=W, max_iter=3, random_state=0)
    np.testing.assert_array_equal(W, copies[0])
    np.testing.assert_array_equal(H, copies[1])
    assert len({both.objective, only_H.objective, only_W.objective}) == 3


@pytest.mark.parametrize("arrange", [np.asfortranarray, lambda F: np.repeat(F, 2, axis=0)[::2]])
def test_a_start_may_be_in_any_order_and_is_not_copied_for_it(X, rng, arrange):
    W, H = rng.random((400, 5)).astype(np.float32), rng.random((5, 300)).astype(np.float32)
    expected = factorize(X, 5, W=W, H=H, max_iter=3)
    start = arrange(W), arrange(H)
    model = factorize(X, 5, W=start[0], H=start[1], max_iter=3)
    assert model.W.tobytes() == expected.W.tobytes()
    assert model.H.tobytes() == expected.H.tobytes()
    for given, ours in zip(start, check_start(None, *start, X, 5)[1:], strict=True):
        assert np.shares_memory(given, ours)


def test_a_good_start_converges_sooner(X):
    X = X.astype(float)
    model = factorize(X, 5, random_state=0, tol=0, max_iter=100)
    again = factorize(X, 5, W=model.W, H=model.H)
    assert again.n_iter < factorize(X, 5, random_state=0).n_iter
    assert again.objective <= model.objective * (1 + 1e-12)


def test_penalties_shrink_and_sparsify(X):
    plain = factorize(X, 5, random_state=0)
    lasso = factorize(X, 5, random_state=0, alpha_W=1e-3, alpha_H=0.0, l1_ratio=1.0)
    ridge = factorize(X, 5, random_state=0, alpha_W=5e-3)
    assert (lasso.W == 0).mean() > (plain.W == 0).mean()
    assert np.linalg.norm(ridge.W @ ridge.H) < np.linalg.norm(plain.W @ plain.H)


def test_transform_of_the_training_data_gives_back_W(X):
    model = factorize(X, 5, random_state=0, tol=0, max_iter=500, alpha_W=1e-4, l1_ratio=0.5)
    np.testing.assert_allclose(model.transform(X), model.W, atol=2e-3 * model.W.max())


def test_nothing_is_shown_by_default(X, capfd):
    factorize(X, 5, max_iter=3)
    assert capfd.readouterr() == ("", "")


def test_progress_is_shown_by_tqdm(X, capfd):
    pytest.importorskip("tqdm")
    factorize(X, 5, max_iter=3, tol=0, progress=True)
    shown = capfd.readouterr().err
    assert "3/3" in shown
    assert "relative error" in shown


def test_progress_is_shown_without_tqdm(X, capfd, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)  # import raises ImportError
    factorize(X, 5, max_iter=3, tol=0, progress=True)
    shown = capfd.readouterr().err
    assert "/3 relative error" in shown


@pytest.mark.parametrize("n_components", [3, 8])
@pytest.mark.parametrize(
    "options", [{}, {"solver": "mu"}, {"solver": CoordinateDescent(low_memory=True)}]
)
def test_a_large_W_is_put_in_order_by_a_kernel(X, n_components, options, monkeypatch):
    """The bits are NumPy's; W takes the run's own memory if there is little padding in it."""
    options = {**options, "random_state": 0, "max_iter": 4, "tol": 0}
    expected = factorize(X, n_components, **options)
    monkeypatch.setattr(scale, "LARGE", 1)
    found = factorize(X, n_components, **options)
    np.testing.assert_array_equal(found.W, expected.W)
    assert (found.W.base is not None) == (n_components == 8)
    assert found.W.flags.c_contiguous
    assert found.W.flags.writeable
    kept = found.W.copy()
    factorize(X, n_components, **options)  # nobody else writes there
    np.testing.assert_array_equal(found.W, kept)
    copied = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(copied.W, kept)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"solver": CoordinateDescent(low_memory=True)},
        {"missing": "unknown"},
        {"loss": "kullback-leibler"},
    ],
)
def test_lengths_of_components_are_those_of_the_current_W(X, options, monkeypatch):
    """Whether or not the gram matrix of the update has provided them."""
    runs, allocate = [], Alternation.__init__

    def remember(run, *arguments, **keywords):
        runs.append(run)
        allocate(run, *arguments, **keywords)

    monkeypatch.setattr(Alternation, "__init__", remember)
    seen = []

    def look(state):
        exact = (runs[-1].current.W.astype(float) ** 2).sum(axis=0)
        seen.append(np.allclose(runs[-1].squares_W(), exact, rtol=1e-5))

    factorize(X, 5, random_state=0, max_iter=60, tol=0, progress=look, **options)
    assert len(seen) > 10
    assert all(seen)
