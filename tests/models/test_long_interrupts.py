"""Signals in a long iteration are obeyed soon, and leave whole files."""

import json
import signal
import sys
import threading
import time

import numpy as np
import pytest
import scipy.sparse as sp

import sparsenmf
from sparsenmf import Checkpoint

from ..children import (
    TIMEOUT,
    finish_child,
    make_matrix,
    posix,
    start_child,
)

# Signals in a long iteration.

LONG_RUNS = {
    "frobenius": {"n_components": 160},
    "kullback-leibler": {"n_components": 40},
    1.5: {"n_components": 40, "max_iter": 10**6},
}


def long_problem():
    return sp.random_array((12_000, 6_000), density=0.02, rng=0, dtype=np.float32, format="csr")


def child_signalled(loss, name):
    """Report "ready" in the second iteration, and then what came of the signal."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    X, options = long_problem(), {"tol": 0, "random_state": 0, "loss": loss, **LONG_RUNS[loss]}
    n_threads = 2

    def announce(state):
        if state.n_iter == 1:
            print("ready", flush=True)

    try:
        model = sparsenmf.factorize(
            X, progress=announce, n_threads=n_threads, **{**options, "max_iter": 10**6}
        )
    except SystemExit:
        print(json.dumps("terminated"), flush=True)
        return
    print(json.dumps(model.stop_reason), flush=True)
    # What has been reached is an iterate of the undisturbed run, perhaps not yet counted.
    found = [
        sparsenmf.factorize(X, **{**options, "max_iter": n_iter})
        for n_iter in (model.n_iter, model.n_iter + 1)
    ]
    assert any(same_bits(model, other) for other in found)


def same_bits(model, other):
    return model.W.tobytes() == other.W.tobytes() and model.H.tobytes() == other.H.tobytes()


@posix
@pytest.mark.long
@pytest.mark.parametrize("delay", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("loss", LONG_RUNS)
def test_signal_in_a_long_iteration_is_obeyed_soon(loss, name, delay):
    child = start_child(child_signalled, loss, name)
    watchdog = threading.Timer(TIMEOUT, child.kill)
    watchdog.start()
    assert child.stdout.readline() == "ready\n", child.communicate(timeout=TIMEOUT)
    time.sleep(delay)
    sent = time.monotonic()
    child.send_signal(getattr(signal, name))
    answer = json.loads(child.stdout.readline())
    seconds = time.monotonic() - sent
    watchdog.cancel()
    finish_child(child)
    assert answer == ("interrupted" if name == "SIGINT" else "terminated")
    print(f"{loss} {name} after {delay} s: {seconds:.2f} s")
    assert seconds < 10  # 0.1 to 0.5 on a quiet machine


@posix
def test_termination_leaves_the_last_checkpoint_whole(tmp_path):
    path = tmp_path / "run.npz"
    child = start_child(child_with_checkpoint, str(path))
    assert child.stdout.readline() == "ready\n", child.communicate(timeout=TIMEOUT)
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=TIMEOUT)
    assert child.returncode == -signal.SIGTERM
    options = {"random_state": 0, "tol": 0, "max_iter": 400, "n_threads": 1}
    plain = sparsenmf.factorize(make_matrix(), 20, **options)
    resumed = sparsenmf.factorize(
        make_matrix(), 20, checkpoint=Checkpoint(path, resume=True), **options
    )
    assert same_bits(plain, resumed)


def child_with_checkpoint(path):
    sparsenmf.factorize(
        make_matrix(), 20, random_state=0, tol=0, max_iter=10**6, n_threads=1,
        checkpoint=Checkpoint(path, every=1),
        progress=lambda state: state.n_iter == 3 and print("ready", flush=True),
    )  # fmt: skip
