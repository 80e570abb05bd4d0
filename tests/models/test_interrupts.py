"""Ctrl-C at any moment: what has been reached comes back, and it is consistent."""

import importlib
import itertools
import json
import os
import pickle
import random
import signal
import sys
import threading
import time

import pytest
import scipy.sparse as sp

import sparsenmf
from sparsenmf import CoordinateDescent, MultiplicativeUpdate
from sparsenmf.data import rows
from sparsenmf.solvers import mixed_precision as mixed

from ..children import TIMEOUT, expected, finish_child, posix, solve, start_child


def report_interrupted(X, callback):
    """Run until Ctrl-C comes; print what was returned and what it should be."""
    model = sparsenmf.factorize(
        X, 20, random_state=0, tol=0, max_iter=10**9, progress=callback, n_threads=2
    )
    residual = X.toarray().astype(float) - model.W.astype(float) @ model.H.astype(float)
    objective = 0.5 * (residual**2).sum()
    same_length = len(model.objective_history) == len(model.time_history)
    print(json.dumps([model.stop_reason, model.objective, objective, same_length]), flush=True)


def child_interrupted(delays):
    # A shell may have started us with Ctrl-C switched off.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    X = sp.random_array((3000, 2000), density=0.05, rng=0, format="csr")  # runs for a second
    announced = []

    def announce(state):
        if state.n_iter == 3 and not announced:
            announced.append(print("ready", flush=True))

    report_interrupted(X, announce)
    for delay in delays:  # at other points of an iteration
        timer = threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT))
        report_interrupted(X, lambda state, timer=timer: state.n_iter == 1 and timer.start())
    print(solve(2))


@posix
def test_interrupt_returns_the_factors_reached_and_the_process_goes_on():
    rng = random.Random(0)
    delays = [0.02 + 0.05 * rng.random() for _ in range(20)]
    child = start_child(child_interrupted, delays)
    watchdog = threading.Timer(TIMEOUT, child.kill)
    watchdog.start()
    assert child.stdout.readline() == "ready\n", child.communicate(timeout=TIMEOUT)
    sent = time.monotonic()
    child.send_signal(signal.SIGINT)
    first = child.stdout.readline()
    assert time.monotonic() - sent < 10
    watchdog.cancel()
    *others, digest = finish_child(child).splitlines()
    assert len(others) == len(delays)
    for line in (first, *others):
        reason, reported, actual, same_length = json.loads(line)
        assert reason == "interrupted"
        assert reported == pytest.approx(actual, rel=1e-9)
        assert same_length
    assert digest == expected()


def interrupt_at_line(X, n, after, **options):
    """Factorize; send Ctrl-C at the n-th line that runs between two callbacks."""
    lines, tracer = 0, sys.gettrace()

    def count(frame, event, _):
        nonlocal lines
        lines += event == "line"
        if event == "line" and lines == n:
            raise KeyboardInterrupt
        return count

    def enter(frame, *_):
        return count if frame.f_code.co_filename.startswith(sparsenmf.__path__[0]) else None

    def switch(state):
        sys.settrace(enter if state.n_iter == after else tracer)
        sys._getframe(1).f_trace = count if state.n_iter == after else tracer

    try:
        return sparsenmf.factorize(
            X, 3, random_state=0, max_iter=4, tol=0, progress=switch, **options
        )
    finally:
        sys.settrace(tracer)


@pytest.mark.parametrize(
    ("after", "in_single", "tall"),
    [
        pytest.param(2, False, False, id="one precision"),
        pytest.param(2, True, False, id="first in single"),
        pytest.param(1, True, False, id="from single to double"),
        pytest.param(2, True, True, id="first in single, without a transpose"),
        pytest.param(1, True, True, id="from single to double, without a transpose"),
    ],
)
def test_interrupt_at_any_line_leaves_a_consistent_result(after, in_single, tall, monkeypatch):
    if tall:
        monkeypatch.setattr(rows, "TALL", 1)
        monkeypatch.setattr(rows, "TALL_NNZ", 0)
    if in_single:
        monkeypatch.setattr(rows, "SINGLE_WORK", 0)
        monkeypatch.setattr(mixed, "ENOUGH", 1e9 if after == 1 else 0)
    X = sp.random_array((40, 30), density=0.2, rng=0, format="csr")
    for n in itertools.count(1):
        model = interrupt_at_line(X, n, after)
        assert len(model.time_history) == len(model.objective_history), n
        actual = 0.5 * ((X.toarray() - model.W @ model.H) ** 2).sum()
        last = model.stop_reason != "interrupted"
        assert model.objective == pytest.approx(actual, rel=1e-7 if in_single and last else 1e-9), n
        if last:  # all lines of an iteration have been seen
            break
    assert n > 50


@pytest.mark.parametrize(
    "options",
    [
        {"loss": "kullback-leibler"},
        {"solver": "mu"},
        {"solver": "mu", "loss": "itakura-saito", "missing": "unknown"},
        {"missing": "unknown"},
        {"solver": CoordinateDescent(low_memory=True)},
        {"solver": MultiplicativeUpdate(low_memory=True), "loss": "kullback-leibler"},
    ],
    ids=lambda options: " ".join(map(str, options.values())),
)
def test_interrupt_at_any_line_of_any_solver_leaves_a_consistent_result(options):
    X = sp.random_array((40, 30), density=0.2, rng=0, format="csr")
    still = {"frozen_W": range(3), "frozen_H": range(3), "max_iter": 1}
    for n in itertools.count(1):
        model = interrupt_at_line(X, n, 2, **options)
        assert len(model.time_history) == len(model.objective_history), n
        unmoved = sparsenmf.factorize(X, 3, W=model.W, H=model.H, **still, **options)
        assert model.objective == pytest.approx(unmoved.objective, rel=1e-9), n
        if model.stop_reason != "interrupted":
            break
    assert n > 50


def learn_interrupted(estimator, X, n):
    """Learn from a batch; send Ctrl-C at the n-th line run in the package, and tell if it came."""
    lines, tracer = 0, sys.gettrace()

    def count(frame, event, _):
        nonlocal lines
        lines += event == "line"
        if event == "line" and lines == n:
            raise KeyboardInterrupt
        return count

    def enter(frame, *_):
        return count if frame.f_code.co_filename.startswith(sparsenmf.__path__[0]) else None

    sys.settrace(enter)
    try:
        estimator.partial_fit(X)
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(tracer)
    return False


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
def test_interrupt_at_any_line_of_a_batch_leaves_a_usable_stream(loss):
    pytest.importorskip("sklearn")
    X = sp.random_array((40, 30), density=0.2, rng=0, format="csr")
    begun = sparsenmf.MiniBatchNMF(3, beta_loss=loss, random_state=0).partial_fit(X)
    learned = pickle.loads(pickle.dumps(begun)).partial_fit(X)
    for n in itertools.count(1):
        estimator = pickle.loads(pickle.dumps(begun))
        interrupted = learn_interrupted(estimator, X, n)
        if estimator.n_samples_seen_ == 40:  # as it was, or all of it
            estimator.partial_fit(X)
        assert estimator.n_samples_seen_ == 80, n
        assert estimator.components_.tobytes() == learned.components_.tobytes(), n
        if not interrupted:
            break
    assert n > 50


def test_interrupt_in_the_first_batch_leaves_the_estimator_without_a_fit():
    pytest.importorskip("sklearn")
    X = sp.random_array((40, 30), density=0.2, rng=0, format="csr")
    wanted = sparsenmf.MiniBatchNMF(3, random_state=0).partial_fit(X).components_.tobytes()
    for n in range(1, 400, 7):
        estimator = sparsenmf.MiniBatchNMF(3, random_state=0)
        if learn_interrupted(estimator, X, n) and not hasattr(estimator, "_stream"):
            estimator.partial_fit(X)
        assert estimator.components_.tobytes() == wanted, n


def child_interrupted_while_compiling():
    """Send Ctrl-C repeatedly during the first call of a kernel, which has to be compiled."""
    import numpy as np

    from sparsenmf.kernels.gram import sum_columns

    signal.signal(signal.SIGINT, signal.default_int_handler)
    factor, blocks, sums = np.ones((4, 8)), np.array([[0, 1], [1, 4]]), np.empty((2, 8))
    interrupts = 0
    for n_threads in (1, 2):
        for delay in (0.02, 0.1, 0.2, 0.3, 0.0):
            timer = threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT))
            try:
                timer.start()
                sum_columns(n_threads, factor, blocks, sums)
                timer.join()
                time.sleep(0.1)
            except KeyboardInterrupt:
                interrupts += 1
        sums[:] = 0
        sum_columns(n_threads, factor, blocks, sums)
        assert (sums == [[1], [3]]).all()
    print(interrupts)


@posix
def test_interrupt_while_compiling_does_no_harm():
    env = {"SPARSENMF_CACHE": "0"}
    assert finish_child(start_child(child_interrupted_while_compiling, env=env)) == "10\n"


def child_interrupted_while_importing(delay):
    """Send Ctrl-C during the first call, which imports numba."""
    X, interrupted = sp.eye_array(9).tocsr(), False
    signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT))
    try:
        timer.start()
        importlib.import_module("sparsenmf.kernels")
        timer.join()
        time.sleep(0.1)
    except KeyboardInterrupt:
        interrupted = True
    print(interrupted, sparsenmf.factorize(X, 2, max_iter=2).n_iter)


@posix
@pytest.mark.parametrize(
    "delay", [0.1, *(pytest.param(d / 10, marks=pytest.mark.long) for d in range(2, 10))]
)
def test_interrupt_while_importing_does_no_harm(delay):
    assert finish_child(start_child(child_interrupted_while_importing, delay)) == "True 2\n"
