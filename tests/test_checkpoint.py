"""Runs that are ended, in any way, and go on."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from sparsenmf import Factorization, factorize

from . import problems

KINDS = pytest.mark.parametrize(
    "options",
    [
        {},
        {"loss": "kullback-leibler"},
        {"solver": "mu"},
        {"loss": 1.5},
        {"low_memory": True},
        {"alpha_W": 1e-3, "l1_ratio": 0.5},
        {"extrapolate": False},
        {"sample_weight": np.linspace(0.5, 2, 300), "seeds": {0: [1, 2]}},
    ],
    ids=lambda options: " ".join(map(str, options)) or "plain",
)


@pytest.fixture(scope="module")
def X():
    return problems.documents(300, 200, dtype=np.float32)


def assert_same(model, expected):
    np.testing.assert_array_equal(model.W, expected.W)
    np.testing.assert_array_equal(model.H, expected.H)
    np.testing.assert_array_equal(model.objective_history, expected.objective_history)
    assert model.stop_reason == expected.stop_reason
    assert model.optimality == expected.optimality


@KINDS
def test_goes_on_to_the_same_bits(X, tmp_path, options):
    options = {"random_state": 0, "tol": 0, **options}
    expected = factorize(X, 6, max_iter=18, **options)
    path = tmp_path / "state"
    for max_iter in (1, 7, 8, 18):
        model = factorize(X, 6, max_iter=max_iter, checkpoint=path, resume=True, **options)
        assert model.n_iter == max_iter
    assert_same(model, expected)


def test_goes_on_after_any_iteration(X, tmp_path):
    """Also after one that was rolled back, or that has balanced the factors."""
    options = {"random_state": 1, "tol": 0, "max_iter": 120}
    expected = factorize(X, 6, **options)

    def kill(state):
        if state.n_iter == at:
            raise RuntimeError

    for at in range(1, expected.n_iter, 9):
        path = tmp_path / f"state{at}"
        with pytest.raises(RuntimeError):
            factorize(X, 6, checkpoint=path, checkpoint_every=1, callback=kill, **options)
        assert_same(factorize(X, 6, checkpoint=path, resume=True, **options), expected)


def test_seconds_go_on(X, tmp_path):
    path, options = tmp_path / "state", {"random_state": 0, "tol": 0}
    first = factorize(X, 6, max_iter=5, checkpoint=path, **options)
    second = factorize(X, 6, max_iter=9, checkpoint=path, resume=True, **options)
    np.testing.assert_array_equal(second.time_history[:5], first.time_history)
    assert (np.diff(second.time_history) > 0).all()
    stopped = factorize(X, 6, time_limit=1e-9, checkpoint=path, resume=True, **options)
    assert (stopped.n_iter, stopped.stop_reason) == (10, "time_limit")


def test_a_finished_run_is_finished(X, tmp_path):
    path = tmp_path / "state"
    first = factorize(X, 6, random_state=0, checkpoint=path)
    again = factorize(X, 6, random_state=0, checkpoint=path, resume=True)
    assert first.stop_reason == "converged"
    assert_same(again, first)


CHILD = """
import sys
import numpy as np
from tests import problems
from sparsenmf import factorize
X = problems.documents(300, 200, dtype=np.float32)
model = factorize(
    X, 6, random_state=0, tol=0, max_iter=400,
    checkpoint=sys.argv[1], checkpoint_every=1, resume=True,
    callback=lambda state: print(state.n_iter, flush=True) and False,
)
model.save(sys.argv[2])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_killed_many_times_at_random_moments(X, tmp_path):
    expected = factorize(X, 6, random_state=0, tol=0, max_iter=400)
    chance, kills = random.Random(5), 0
    command = [sys.executable, "-c", CHILD, tmp_path / "state", tmp_path / "model"]
    while not (tmp_path / "model").exists():
        child = subprocess.Popen(command, stdout=subprocess.PIPE)
        child.stdout.readline()  # it has begun to iterate
        if kills < 12:
            time.sleep(chance.uniform(0, 0.03))
            child.kill()
            kills += 1
        child.communicate(timeout=120)
    assert_same(Factorization.load(tmp_path / "model"), expected)
    leftovers = [name for name in os.listdir(tmp_path) if name not in ("state", "model")]
    assert len(leftovers) <= kills  # of the very moment of a kill; none is read


def test_a_full_disk_leaves_the_last_one_and_the_run(X, tmp_path, monkeypatch):
    from sparsenmf import checkpoint as module

    path, options = tmp_path / "state", {"random_state": 0, "tol": 0}
    factorize(X, 6, max_iter=5, checkpoint=path, **options)
    good = path.read_bytes()

    def full(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_archive", full)
        with pytest.warns(UserWarning, match="not written: .*No space left"):
            model = factorize(X, 6, max_iter=20, checkpoint=path, **options)
    assert model.n_iter == 20
    assert path.read_bytes() == good
    again = factorize(X, 6, max_iter=20, checkpoint=path, resume=True, **options)
    assert_same(again, model)


def test_ctrl_c_leaves_a_state_that_goes_on(X, tmp_path):
    path, options = tmp_path / "state", {"random_state": 0, "tol": 1e-6, "max_iter": 300}

    def interrupt(state):
        if state.n_iter == 7:
            raise KeyboardInterrupt

    stopped = factorize(X, 6, checkpoint=path, callback=interrupt, **options)
    assert stopped.stop_reason == "interrupted"
    model = factorize(X, 6, checkpoint=path, resume=True, **options)
    assert model.n_iter > 7
    np.testing.assert_array_equal(model.objective_history[:7], stopped.objective_history)
    assert (np.diff(model.objective_history) <= 0).all()
    whole = factorize(X, 6, **options)
    assert model.objective == pytest.approx(whole.objective, rel=0.02)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"alpha_W": 0.1}, "made with alpha_W=0.0, not 0.1"),
        ({"loss": "kullback-leibler"}, "made with loss='frobenius'"),
        ({"extrapolate": False}, "made with extrapolate=True"),
        ({"X": 2}, "made with other entries of X"),
        ({"sample_weight": np.full(300, 2.0)}, "made with other sample_weight"),
        ({"n_components": 5}, "made with n_components=9, not 5"),
    ],
)
def test_another_problem_is_refused(X, tmp_path, changed, message):
    path = tmp_path / "state"
    factorize(X, 9, random_state=0, max_iter=3, checkpoint=path)
    arguments = {"X": X, "n_components": 9, "random_state": 0, **changed}
    if changed.get("X"):
        arguments["X"] = X * 2
    with pytest.raises(ValueError, match=message):
        factorize(**arguments, checkpoint=path, resume=True)


def test_damage_is_refused_by_name(X, tmp_path):
    path = tmp_path / "state"
    path.write_bytes(b"not a zip archive")
    with pytest.raises(ValueError, match="state is not a whole saved"):
        factorize(X, 5, checkpoint=path, resume=True)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"resume": True}, ValueError, "resume=True needs checkpoint"),
        ({"checkpoint": "state", "resume": 1}, TypeError, "resume must be True or False"),
        ({"checkpoint": 3}, TypeError, "checkpoint must be a path, not 3"),
        ({"checkpoint": "no/such/folder"}, FileNotFoundError, "there is no folder"),
        ({"checkpoint": "state", "checkpoint_every": 0}, ValueError, "checkpoint_every"),
    ],
)
def test_arguments_are_checked(X, options, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        factorize(X, 5, **options)
