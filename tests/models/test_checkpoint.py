"""Runs that end in any way can be resumed."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from sparsenmf import (
    Checkpoint,
    CoordinateDescent,
    Factorization,
    Seeds,
    Weights,
    consensus,
    factorize,
    forecast_selection,
    open_csr,
    select_n_components,
    write_csr,
)

from .. import problems
from ..grouped import grouped

KINDS = pytest.mark.parametrize(
    "options",
    [
        {},
        {"loss": "kullback-leibler"},
        {"solver": "mu"},
        {"loss": 1.5},
        {"solver": CoordinateDescent(low_memory=True)},
        {"alpha_W": 1e-3, "l1_ratio": 0.5},
        {"solver": CoordinateDescent(extrapolate=False)},
        {"weights": Weights(samples=np.linspace(0.5, 2, 300)), "seeds": {0: [1, 2]}},
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
        model = factorize(
            X, 6, max_iter=max_iter, checkpoint=Checkpoint(path, resume=True), **options
        )
        assert model.n_iter == max_iter
    assert_same(model, expected)


def test_goes_on_after_any_iteration(X, tmp_path):
    """That includes iterations that were rolled back or that balanced the factors."""
    options = {"random_state": 1, "tol": 0, "max_iter": 120}
    expected = factorize(X, 6, **options)

    def kill(state):
        if state.n_iter == at:
            raise RuntimeError

    for at in range(1, expected.n_iter, 9):
        path = tmp_path / f"state{at}"
        with pytest.raises(RuntimeError):
            factorize(X, 6, checkpoint=Checkpoint(path, every=1), progress=kill, **options)
        assert_same(factorize(X, 6, checkpoint=Checkpoint(path, resume=True), **options), expected)


def test_seconds_go_on(X, tmp_path):
    path, options = tmp_path / "state", {"random_state": 0, "tol": 0}
    first = factorize(X, 6, max_iter=5, checkpoint=path, **options)
    second = factorize(X, 6, max_iter=9, checkpoint=Checkpoint(path, resume=True), **options)
    np.testing.assert_array_equal(second.time_history[:5], first.time_history)
    assert (np.diff(second.time_history) > 0).all()
    stopped = factorize(X, 6, time_limit=1e-9, checkpoint=Checkpoint(path, resume=True), **options)
    assert (stopped.n_iter, stopped.stop_reason) == (10, "time_limit")


def test_a_finished_run_is_finished(X, tmp_path):
    path = tmp_path / "state"
    first = factorize(X, 6, random_state=2, checkpoint=path)
    again = factorize(X, 6, random_state=2, checkpoint=Checkpoint(path, resume=True))
    assert first.stop_reason == "converged"
    assert_same(again, first)


CHILD = """
import sys
import numpy as np
from tests import problems
from sparsenmf import Checkpoint, factorize
X = problems.documents(300, 200, dtype=np.float32)
model = factorize(
    X, 6, random_state=0, tol=0, max_iter=400,
    checkpoint=Checkpoint(sys.argv[1], every=1, resume=True),
    progress=lambda state: print(state.n_iter, flush=True) and False,
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
        if kills < 6:
            time.sleep(chance.uniform(0, 0.03))
            child.kill()
            kills += 1
        child.communicate(timeout=120)
    assert_same(Factorization.load(tmp_path / "model"), expected)
    leftovers = [name for name in os.listdir(tmp_path) if name not in ("state", "model")]
    assert len(leftovers) <= kills  # of the very moment of a kill; none is read


def test_a_full_disk_leaves_the_last_one_and_the_run(X, tmp_path, monkeypatch):
    from sparsenmf.models import checkpoint as module

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
    again = factorize(X, 6, max_iter=20, checkpoint=Checkpoint(path, resume=True), **options)
    assert_same(again, model)


def test_ctrl_c_leaves_a_state_that_goes_on(X, tmp_path):
    path, options = tmp_path / "state", {"random_state": 0, "tol": 1e-6, "max_iter": 300}

    def interrupt(state):
        if state.n_iter == 7:
            raise KeyboardInterrupt

    stopped = factorize(X, 6, checkpoint=path, progress=interrupt, **options)
    assert stopped.stop_reason == "interrupted"
    model = factorize(X, 6, checkpoint=Checkpoint(path, resume=True), **options)
    assert model.n_iter > 7
    np.testing.assert_array_equal(model.objective_history[:7], stopped.objective_history)
    assert (np.diff(model.objective_history) <= 0).all()
    whole = factorize(X, 6, **options)
    assert model.objective == pytest.approx(whole.objective, rel=0.02)


def shuffled(X):
    """Return the same entries in other rows: nnz, norm and counts of the columns stay."""
    return X[np.random.default_rng(0).permutation(X.shape[0])]


def exchanged(X):
    """Return the matrix with two values exchanged, in the same places."""
    p, q = 0, int(np.argmax(X.data != X.data[0]))
    X = X.copy()
    X.data[[p, q]] = X.data[[q, p]]
    return X


START = np.random.default_rng(7).random((9, 200))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"alpha_W": 0.1}, "alpha_W=0.0, not 0.1"),
        ({"alpha_H": 0.1}, "alpha_H='same', not 0.1"),
        ({"loss": "kullback-leibler"}, "loss='frobenius', not 'kullback-leibler'"),
        ({"solver": "mu"}, "solver='cd', not 'mu'"),
        ({"solver": CoordinateDescent(extrapolate=False)}, "extrapolate=True, not False"),
        ({"solver": CoordinateDescent(max_sweeps=7)}, "max_sweeps=[12], not 7"),
        ({"solver": CoordinateDescent(low_memory=True)}, "low_memory=False, not True"),
        ({"missing": "unknown"}, "missing=None, not 'unknown'"),
        ({"n_components": 10}, "n_components=9, not 10"),  # rows of factors have room for 16
        ({"n_components": 5}, "n_components=9, not 5"),
        ({"random_state": 1}, "random_state=0, not 1"),
        ({"random_state": np.random.default_rng(1)}, "other random_state"),
        ({"random_state": np.random.RandomState(0)}, "other random_state"),
        ({"H": START}, "init='random', not 'custom', and other H"),
        ({"init": "nndsvd"}, "init='random', not 'nndsvd'"),
        ({"weights": Weights(samples=np.full(300, 2.0))}, "other weights.samples"),
        ({"weights": Weights(features=np.arange(200.0))}, "other weights.features"),
        ({"seeds": {0: [3]}}, "other seeds"),
        ({"seeds": Seeds({0: [3]}, strength="support")}, "other seeds, and strength='start'"),
        ({"X": lambda X: X * 2}, "made with other entries of X[.]"),
        ({"X": shuffled}, "made with other entries of X[.]"),
        ({"X": lambda X: X[:, ::-1].tocsr()}, "made with other entries of X[.]"),
        ({"X": exchanged}, "made with other entries of X[.]"),
        ({"X": lambda X: X[:299]}, "shape of X='300 x 200', not '299 x 200'"),
        ({"X": lambda X: X.astype(float)}, "precision of X='float32', not 'float64'"),
    ],
)
def test_another_problem_is_refused_and_the_difference_named(X, tmp_path, changed, message):
    path = tmp_path / "state"
    factorize(X, 9, random_state=0, max_iter=3, checkpoint=path)
    arguments = {"X": X, "n_components": 9, "random_state": 0, **changed}
    if "X" in changed:
        arguments["X"] = changed["X"](X)
    with pytest.raises(ValueError, match="state is the checkpoint of another run: .*" + message):
        factorize(**arguments, checkpoint=Checkpoint(path, resume=True))


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ({"H": START}, {"H": START[::-1]}, "other H[.]"),
        ({"H": START, "frozen_H": [0]}, {"H": START, "frozen_H": [1]}, "other frozen_H[.]"),
        ({"seeds": {0: [3]}}, {"seeds": {1: [3]}}, "other seeds[.]"),
        (
            {"seeds": {0: [3]}},
            {"seeds": Seeds({0: [3]}, strength="support")},
            "strength='start', not",
        ),
        (
            {"weights": Weights(samples=np.arange(1.0, 301))},
            {"weights": Weights(samples=np.arange(300.0, 0, -1))},
            "other weights.samples[.]",
        ),
    ],
)
def test_arrays_are_compared_in_their_order(X, tmp_path, first, second, message):
    path, options = tmp_path / "state", {"random_state": 0, "checkpoint": tmp_path / "state"}
    factorize(X, 9, max_iter=3, **options, **first)
    with pytest.raises(ValueError, match=message):
        factorize(X, 9, **grouped({**options, **second, "resume": True}))
    assert (
        factorize(X, 9, **grouped({**options, **first, "max_iter": 5, "resume": True})).n_iter == 5
    )
    assert path.exists()


def test_weights_of_entries_are_compared(X, tmp_path):
    weights = X.copy()
    weights.data = np.linspace(1, 2, X.nnz, dtype=X.dtype)
    options = {"random_state": 0, "checkpoint": tmp_path / "state", "max_iter": 3}
    factorize(X, 9, weights=weights, **options)
    weights.data = weights.data[::-1].copy()
    with pytest.raises(ValueError, match=r"other weights\."):
        factorize(X, 9, weights=weights, **grouped({**options, "resume": True}))


def test_a_store_is_known_by_its_checksums(X, tmp_path):
    folder = tmp_path / "store"
    options = {"random_state": 0, "max_iter": 3, "checkpoint": tmp_path / "state"}
    factorize(write_csr(folder, X), 9, **options)
    assert (
        factorize(open_csr(folder), 9, **grouped({**options, "max_iter": 5, "resume": True})).n_iter
        == 5
    )
    with pytest.raises(ValueError, match=r"made with other entries of X\."):
        factorize(
            write_csr(tmp_path / "other", shuffled(X)), 9, **grouped({**options, "resume": True})
        )
    with pytest.raises(ValueError, match="made with X='a store', not 'in memory'"):
        factorize(X, 9, **grouped({**options, "resume": True}))
    write_csr(folder, X[:1], append=True)
    with pytest.raises(ValueError, match="shape of X='300 x 200', not '301 x 200'"):
        factorize(open_csr(folder), 9, **grouped({**options, "resume": True}))


@pytest.mark.parametrize("make", [int, np.int64, np.random.default_rng, np.random.RandomState])
def test_the_same_problem_in_another_form_goes_on(X, tmp_path, make):
    options = {"checkpoint": Checkpoint(tmp_path / "state", resume=True)}
    factorize(X, 6, random_state=make(3), max_iter=3, **options)
    for form in (X.tocsc(), X.tocoo(), X.toarray()):
        again = factorize(form, 6, random_state=make(3), max_iter=5, n_threads=2, **options)
        assert again.n_iter == 5


@pytest.mark.parametrize("options", [{"checkpoint": "state"}])
def test_many_fits_have_no_checkpoint(X, options):
    for fits in (
        lambda: select_n_components(X, [2, 3], random_state=0, **options),
        lambda: consensus(X, 3, random_state=0, **options),
        lambda: forecast_selection(X, [2, 3], **options),
    ):
        with pytest.raises(TypeError, match="is for one run of factorize: these are many fits"):
            fits()
    assert not os.path.exists("state")


def test_damage_is_refused_by_name(X, tmp_path):
    path = tmp_path / "state"
    path.write_bytes(b"not a zip archive")
    with pytest.raises(ValueError, match="state is not a whole saved"):
        factorize(X, 5, checkpoint=Checkpoint(path, resume=True))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"checkpoint": "state", "resume": 1}, TypeError, "resume must be True or False"),
        ({"checkpoint": 3}, TypeError, "checkpoint must be a path, not 3"),
        ({"checkpoint": "no/such/folder"}, FileNotFoundError, "there is no folder"),
        ({"checkpoint": "state", "checkpoint_every": 0}, ValueError, "checkpoint.every"),
    ],
)
def test_arguments_are_checked(X, options, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        factorize(X, 5, **grouped(options))
