"""The last iteration is foreseen: H is measured during it, with the same bits."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import CoordinateDescent, Seeds, Weights, factorize
from sparsenmf.data import rows
from sparsenmf.solvers.alternation import Alternation
from sparsenmf.solvers.row_update import frobenius
from sparsenmf.solvers.stopping import WINDOW, Stopping

from .. import problems
from ..grouped import grouped

K = 6

SWEEPS = 5  # its place among the arguments of update_rows, from `side` on


@pytest.fixture
def measures(monkeypatch):
    """Record the sides of X (300 x 220) that were measured without moving a factor."""
    seen, update = [], frobenius.update_rows

    def look(n_threads, rows, *arguments):
        if arguments[SWEEPS].max_sweeps == 0:
            seen.append({300: "rows", 220: "columns"}[rows.n_rows])
        update(n_threads, rows, *arguments)

    monkeypatch.setattr(frobenius, "update_rows", look)
    return seen


def foreseen_or_not(X, n_iter, **options):
    """Return two runs of equally many iterations: to max_iter, and until the callback stops it."""
    options = {"random_state": 0, "tol": 0, **options}
    yield factorize(X, K, max_iter=n_iter, **options)
    yield factorize(X, K, progress=lambda state: state.n_iter == n_iter, **options)


@pytest.mark.parametrize("low_memory", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"extrapolate": False},
        {"alpha_W": 1e-4, "l1_ratio": 0.5},
        {"weights": Weights(samples=np.linspace(0, 3, 300), features=np.linspace(1, 2, 220))},
        {"seeds": Seeds({0: [3, 4, 5]}, strength="support")},
        {"frozen_H": [0], "H": np.ones((1, 220))},
    ],
    ids=lambda options: next(iter(options), "plain"),
)
def test_the_optimality_is_the_same(dtype, low_memory, options, monkeypatch):
    monkeypatch.setattr(rows, "SINGLE_WORK", 2**60)
    X = problems.documents(300, 220, dtype=dtype)
    for n_iter in (1, 2, 7):
        settings = grouped({**options, "low_memory": low_memory})
        foreseen, not_foreseen = foreseen_or_not(X, n_iter, **settings)
        np.testing.assert_array_equal(foreseen.W, not_foreseen.W)
        np.testing.assert_array_equal(foreseen.H, not_foreseen.H)
        assert foreseen.objective == not_foreseen.objective
        assert foreseen.optimality == pytest.approx(not_foreseen.optimality, rel=1e-6)


@pytest.mark.parametrize("options", [{"solver": "mu"}, {"missing": "unknown"}])
def test_solvers_that_measure_at_the_end_only(options):
    X = problems.documents(300, 220, dtype=np.float64)
    foreseen, not_foreseen = foreseen_or_not(X, 5, **options)
    assert foreseen.optimality == not_foreseen.optimality > 0


@pytest.mark.parametrize("low_memory", [False, True])
def test_the_columns_are_not_looked_at_again(measures, low_memory):
    X = problems.documents(300, 220)
    foreseen_or_not_ = foreseen_or_not(X, 5, solver=CoordinateDescent(low_memory=low_memory))
    next(foreseen_or_not_)
    assert measures == ["rows"]
    measures.clear()
    next(foreseen_or_not_)
    assert measures == ["rows", "columns"]


def test_a_run_that_converges_is_seen_coming(measures):
    X = sp.random_array((300, 220), density=0.1, rng=0, format="csr")
    for seed in range(8):
        model = factorize(X, K, random_state=seed, tol=1e-3)
        assert model.stop_reason == "converged"
    assert measures.count("rows") == 8
    assert measures.count("columns") < 4


def test_a_last_iterate_that_is_rejected_is_not_the_one_that_was_measured(measures, monkeypatch):
    X, propose, count = problems.documents(300, 220), Alternation._propose, []
    expected = factorize(X, K, random_state=0, tol=0, max_iter=3)

    def get_worse(run):
        count.append(run)
        new = propose(run)
        return new._replace(objective=2 * new.objective) if len(count) == 4 else new

    monkeypatch.setattr(Alternation, "_propose", get_worse)
    measures.clear()
    model = factorize(X, K, random_state=0, tol=0, max_iter=4)
    assert measures == ["rows", "columns"]
    np.testing.assert_array_equal(model.W, expected.W)
    assert model.optimality == expected.optimality


def test_what_was_measured_before_more_iterations_is_forgotten():
    X, found, original = problems.documents(300, 220), [], Alternation.iterate

    def look(state):
        return state.n_iter == 9

    def iterate(solver):
        solver.may_be_last = (
            len(found) == 6
        )  # wrong; two iterations later the same array is written to
        original(solver)
        found.append(solver)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Alternation, "iterate", iterate)
        foreseen = factorize(X, K, random_state=0, tol=0, progress=look)
    expected = factorize(X, K, random_state=0, tol=0, progress=look)
    assert len(found) == 9
    np.testing.assert_array_equal(foreseen.W, expected.W)
    assert foreseen.optimality == expected.optimality


@pytest.mark.parametrize("alpha", [0, 1e-3])
def test_double_precision_after_an_overflow_in_the_last_iteration(monkeypatch, alpha):
    """The objective that single precision reached is corrected at the end."""
    monkeypatch.setattr(rows, "SINGLE_WORK", 0)
    X, propose, count = (
        problems.documents(300, 220, dtype=np.float64),
        Alternation._propose,
        [],
    )

    def overflow(run):
        if run.dtype == np.float32:
            count.append(run)
            if len(count) == 4:
                raise OverflowError
        return propose(run)

    monkeypatch.setattr(Alternation, "_propose", overflow)
    model = factorize(X, K, random_state=0, tol=0, max_iter=4, alpha_W=alpha, l1_ratio=0.5)
    residual = X.toarray() - model.W @ model.H
    penalty = sum(
        alpha * size * 0.5 * (factor.sum() + 0.5 * (factor**2).sum())
        for size, factor in ((220, model.W), (300, model.H))
    )
    assert model.objective == pytest.approx(0.5 * (residual**2).sum() + penalty, rel=1e-12)


@pytest.mark.parametrize(
    ("tol", "max_iter", "objectives", "ends"),
    [
        (0, 1, [], True),
        (0, 2, [], False),
        (0, 4, [9, 8, 7], True),
        (1, 99, [9, 8, 7, 6], False),  # fewer than the window
        (0.5, 99, [10, 9.2, 8.4, 7.6, 6.8], False),  # 3.2 and half of 0.8, of 6.8
        (0.54, 99, [10, 9.2, 8.4, 7.6, 6.8], True),
        (0.5, 99, [20, 10, 9.2, 8.4, 7.6, 6.8, 6.8], True),  # 2.4 at the next
    ],
)
def test_the_end_is_expected_if_half_the_last_gain_is_enough(tol, max_iter, objectives, ends):
    stopping = Stopping(tol, max_iter, None, 0.0)
    stopping.history = [(float(f), 0.0) for f in objectives]
    assert WINDOW == 5
    assert stopping.next_may_be_last() == ends
