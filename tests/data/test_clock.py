"""Time limits and time histories do not count the time for compiling."""

import json
import threading
import warnings

import numpy as np
import pytest
import scipy.sparse as sp

import sparsenmf
from sparsenmf import RandomStarts, factorize
from sparsenmf.data import clock

from ..children import run_child

SLOW = 1000.0  # seconds that each compilation, or loading, is made to seem


class Time:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def time(monkeypatch):
    time = Time()
    monkeypatch.setattr(clock, "perf_counter", time)
    return time


def test_time_stands_still_within_a_block_and_what_is_in_it(time):
    began = clock.seconds()
    time.now = 1.0
    with clock.stopped():
        time.now = 5.0
        with clock.stopped():
            time.now = 8.0
    time.now = 10.0
    assert clock.seconds() - began == 3.0
    clock.leave_out(2.0)
    assert clock.seconds() - began == 1.0


def test_time_stands_still_for_one_thread_only(time):
    def wait():
        with clock.stopped():
            time.now += 7.0

    began = clock.seconds()
    thread = threading.Thread(target=wait)
    thread.start()
    thread.join()
    assert clock.seconds() - began == 7.0


def compile_slowly():
    """Add `SLOW` seconds by the clock to each compilation in this process."""
    from sparsenmf.kernels.compile import jit

    late, real = [0.0], clock.perf_counter

    def call_uninterrupted(function, *args, really=jit.call_uninterrupted):
        late[0] += SLOW
        return really(function, *args)

    jit.call_uninterrupted = call_uninterrupted
    clock.perf_counter = lambda: real() + late[0]
    return late


def fit(kind, folder):
    from sparsenmf import open_csr, select_n_components, write_csr

    X = sp.random_array((600, 400), density=0.1, rng=0, format="csr")
    options = {"random_state": 0, "n_threads": 2, "time_limit": SLOW / 2}
    some = {"max_iter": 7, "tol": 0, **options}
    if kind == "store":
        write_csr(folder, X)
        return factorize(open_csr(folder), 20, **some)
    if kind == "restarts":
        model = factorize(X, 20, init=RandomStarts(3), **some)
        assert len(model.restart_objectives) == 3
        return model
    if kind == "select":
        selection = select_n_components(X, [2, 3], max_iter=7, **options)
        assert selection.stop_reason == "done"
        return None
    return factorize(X, 20, **some, **json.loads(kind))


def fit_with_a_slow_compiler(kind, folder):
    late = compile_slowly()
    began = clock.seconds()
    model = fit(kind, folder)
    assert late[0] >= SLOW  # something was compiled or loaded
    assert clock.seconds() - began < SLOW / 2
    if model is not None:
        assert model.n_iter == 7, (model.n_iter, model.stop_reason)
        assert model.time_history[-1] < SLOW / 2
        assert (np.diff(model.time_history) > 0).all()


@pytest.mark.parametrize(
    "kind", ["{}", '{"loss": 0.5, "init": "nndsvd"}', "store", "restarts", "select"]
)
def test_compiling_counts_for_no_limit(kind, tmp_path):
    run_child(fit_with_a_slow_compiler, kind, str(tmp_path / "store"), timeout=300)


def update_a_block_with_a_slow_compiler():
    from sparsenmf.data.factors import pad_factor
    from sparsenmf.distributed import tasks
    from sparsenmf.solvers.penalties import make_penalty
    from sparsenmf.solvers.row_update import GramDescent

    compile_slowly()
    X, rng = sp.random_array((60, 40), density=0.2, rng=0, format="csr"), np.random.default_rng(0)
    Ht = pad_factor(rng.random((40, 4)), float)
    rows = tasks.cut_block(X, float, 4)
    W = tasks.draw_block(np.random.SeedSequence(0), 60, 4, X.mean(), float)
    method = GramDescent, (2.0, 0.0, 0.0, 0.0), 4
    given = tasks.hold(Ht, Ht.T @ Ht, tuple(make_penalty(0, 0, 4)), 1, method)
    first, second = (
        tasks.sum_block(rows, tasks.update_block(rows, W, given), given, 40) for _ in "12"
    )
    assert 2 * SLOW <= first.compiling < 3 * SLOW  # two kernels, each compiled or loaded once
    assert second.compiling == 0
    assert tasks.add_sums(second, first).compiling == first.compiling


def test_workers_say_how_long_they_compiled():
    pytest.importorskip("distributed")
    run_child(update_a_block_with_a_slow_compiler, timeout=300)


def test_a_limit_that_cuts_a_fit_short_is_a_warning():
    ConvergenceWarning = pytest.importorskip("sklearn.exceptions").ConvergenceWarning
    X = sp.random_array((60, 40), density=0.2, rng=0)
    with pytest.warns(ConvergenceWarning, match="Time limit of 1e-09 s reached"):
        model = sparsenmf.NMF(3, random_state=0, time_limit=1e-9).fit(X)
    assert model.n_iter_ == 1
    with pytest.warns(ConvergenceWarning, match="Time limit of 1e-09 s reached"):
        sparsenmf.NMF(3, random_state=0, time_limit=1e-9, init=RandomStarts(3)).fit(X)
    with pytest.warns(ConvergenceWarning, match="iterations 2 reached"):
        sparsenmf.NMF(3, random_state=0, time_limit=1e9, max_iter=2).fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sparsenmf.NMF(3, random_state=0, time_limit=1e9).fit(X)
        sparsenmf.NMF(3, random_state=0, time_limit=1e-9, tol=0).fit(X)  # as for max_iter
