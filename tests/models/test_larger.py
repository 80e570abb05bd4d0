"""Matrices on disk in every place where a matrix is taken."""

import json
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import CoordinateDescent, Factorization, Weights, factorize, open_csr, write_csr
from sparsenmf.models import result
from sparsenmf.solvers import blocks, scale

from .. import problems
from ..grouped import grouped

KL = "kullback-leibler"


@pytest.fixture(scope="module")
def X():
    return problems.documents(600, 250, dtype=np.float32)


@pytest.fixture(scope="module")
def store(X, tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    write_csr(folder, (X[start : start + 70] for start in range(0, 600, 70)), shard_nnz=2500)
    return open_csr(folder)


@pytest.mark.parametrize("block_nnz", [2**24, 1000])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"alpha_W": 1e-3, "l1_ratio": 0.5},
        {"weights": Weights(samples=np.arange(600) % 3, features=np.linspace(0.5, 2, 250))},
        {"H": np.ones((2, 250), np.float32), "frozen_H": [1]},
        {"init": "nndsvd"},
        {"solver": "mu"},
        {"solver": "mu", "loss": KL},
        {
            "solver": "mu",
            "loss": KL,
            "init": "nndsvd",
            "weights": Weights(samples=np.arange(600) % 3),
        },
    ],
    ids=lambda options: " ".join(options) or "plain",
)
def test_factorize(X, store, options, block_nnz, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_NNZ", block_nnz)
    options = {"random_state": 0, "max_iter": 8, "tol": 0, **options}
    inside, outside = factorize(X, 6, **options), factorize(store, 6, **options)
    np.testing.assert_allclose(outside.W, inside.W, rtol=1e-2, atol=1e-4)
    np.testing.assert_allclose(outside.H, inside.H, rtol=1e-2, atol=1e-4)
    np.testing.assert_allclose(outside.objective_history, inside.objective_history, rtol=1e-5)
    assert outside.relative_error == pytest.approx(inside.relative_error, rel=1e-5)
    assert outside.W.dtype == np.float32


@pytest.mark.parametrize("options", [{}, {"init": "nndsvdar"}, {"solver": "mu", "loss": KL}])
def test_double_precision_is_the_same_to_rounding(X, options, tmp_path):
    X = X.astype(np.float64)
    store = write_csr(tmp_path / "store", X)
    options = {"random_state": 0, "max_iter": 20, "tol": 0, **options}
    inside, outside = factorize(X, 6, **options), factorize(store, 6, **options)
    np.testing.assert_allclose(outside.objective_history, inside.objective_history, rtol=1e-11)
    assert outside.optimality == pytest.approx(inside.optimality, rel=1e-6)
    np.testing.assert_allclose(outside.W, inside.W, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(outside.H, inside.H, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("loss", ["frobenius", KL])
def test_transform_and_loss(X, store, loss):
    model = factorize(X, 6, loss=loss, random_state=0, max_iter=20)
    np.testing.assert_array_equal(model.transform(store), model.transform(X))
    assert model.loss(store) == pytest.approx(model.loss(X), rel=1e-6)
    with pytest.raises(ValueError, match="X has 250 features"):
        factorize(X[:, :100], 3, random_state=0, max_iter=2).transform(store)


@pytest.mark.parametrize("beta_loss", ["frobenius", KL])
def test_minibatches(X, store, beta_loss):
    pytest.importorskip("sklearn")
    from sparsenmf import MiniBatchNMF

    options = {"batch_size": 100, "random_state": 0, "max_iter": 2, "shuffle": False}
    options["beta_loss"] = beta_loss
    by_blocks = MiniBatchNMF(6, **options).fit(store)
    assert by_blocks.n_samples_seen_ == 1200
    by_hand = MiniBatchNMF(6, **options).fit(iter([X, X]))
    np.testing.assert_array_equal(by_blocks.components_, by_hand.components_)


def test_what_a_store_cannot_do_is_refused(store):
    with pytest.raises(ValueError, match=r'a store and .* need solver="mu", .*MiniBatchNMF'):
        factorize(store, 5, loss=KL, solver="cd")
    with pytest.raises(ValueError, match=r"a store needs .*any other looks at all entries"):
        factorize(store, 5, loss=1.5)


def test_the_solver_for_kullback_leibler_is_mu_by_default(X, store):
    model = factorize(store, 5, loss=KL, random_state=0, max_iter=3)
    assert model.options["solver"] == "mu"
    np.testing.assert_array_equal(model.transform(store), model.transform(X))
    assert factorize(store, 5, random_state=0, max_iter=3).options["solver"] == "cd"


def test_a_scale_beyond_the_precision_is_refused(X, tmp_path):
    store = write_csr(tmp_path / "store", X * np.float32(1e18))
    with pytest.raises(ValueError, match="do not fit into float32"):
        factorize(store, 5)


@pytest.mark.parametrize("options", [{}, {"solver": "mu"}, {"loss": KL}])
@pytest.mark.parametrize("block_nnz", [2**24, 1000])
def test_goes_on_from_a_checkpoint(store, options, block_nnz, tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_NNZ", block_nnz)
    options = {"random_state": 0, "tol": 0, **options}
    expected = factorize(store, 6, max_iter=12, **options)
    options |= {"checkpoint": tmp_path / "state", "W_path": tmp_path / "W.npy"}
    factorize(store, 6, max_iter=5, **grouped(options))
    model = factorize(store, 6, max_iter=12, **grouped({**options, "resume": True}))
    np.testing.assert_array_equal(model.W, expected.W)
    np.testing.assert_array_equal(model.objective_history, expected.objective_history)


SCRIPT = """
import json, sys
from sparsenmf import factorize, open_csr
from tests.grouped import grouped
def status(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(key))
import threading, time
store, path, options = open_csr(sys.argv[1]), sys.argv[2] or None, json.loads(sys.argv[3])
if options.pop("weights"):
    options["sample_weight"] = [0.5, 0, 2, 1] * (store.shape[0] // 4)
options = grouped({**options, "W_path": path})
factorize(store, 32, max_iter=1, random_state=0, **options)
before, most, done = status("RssAnon"), 0, threading.Event()
def watch():
    global most
    while not done.wait(0.002):
        most = max(most, status("RssAnon"))
watcher = threading.Thread(target=watch)
watcher.start()
model = factorize(store, 32, max_iter=2, random_state=0, **options)
done.set()
watcher.join()
print(json.dumps([max(most, status("RssAnon")) - before, model.relative_error]))
"""

SAMPLES = 300_000


@pytest.fixture(scope="module")
def tall(tmp_path_factory):
    rng = np.random.default_rng(0)
    X = sp.random_array((SAMPLES, 300), density=0.005, rng=rng, dtype=np.float32, format="csr")
    return write_csr(tmp_path_factory.mktemp("tall"), X)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize(
    "options",
    [
        {},
        pytest.param({"init": "nndsvd"}, marks=pytest.mark.long),
        pytest.param({"loss": KL}, marks=pytest.mark.long),
        {"loss": KL, "init": "nndsvd", "weights": True},  # all parts of the two before
    ],
    ids=" ".join,
)
def test_memory_does_not_hold_w_where_it_is_on_disk(options, tall, tmp_path):
    options = json.dumps({"weights": False, **options})
    used = {}
    for W_path in ("", tmp_path / "W.npy"):
        command = [sys.executable, "-c", SCRIPT, tall.folder, W_path, options]
        printed = subprocess.run(command, check=True, capture_output=True, timeout=300).stdout
        used[str(W_path)], error = json.loads(printed)
        assert error > 0
    inside, outside = used.values()
    W = SAMPLES * 32 * 4
    assert outside < W < inside - outside


def test_w_on_disk_is_the_same(tall, tmp_path):
    store, path = tall, tmp_path / "W.npy"
    options = {"random_state": 0, "max_iter": 3}
    inside = factorize(store, 6, **options)
    outside = factorize(store, 6, **grouped({**options, "W_path": path}))
    assert isinstance(outside.W, np.memmap)
    np.testing.assert_array_equal(outside.W, inside.W)
    np.testing.assert_array_equal(np.load(path), inside.W)
    np.testing.assert_array_equal(outside.H, inside.H)
    assert [entry.name for entry in tmp_path.iterdir()] == ["W.npy"]
    outside.save(tmp_path / "model.npz")


GIVEN = np.random.default_rng(2).random((600, 2), np.float32)


@pytest.mark.parametrize("chunk", [1024, 100])
@pytest.mark.parametrize("solver", [{}, {"loss": KL}, {"solver": "mu", "init": "nndsvda"}])
@pytest.mark.parametrize(
    "options",
    [
        {"weights": Weights(samples=np.arange(600) % 3, features=np.linspace(0.5, 2, 250))},
        {"weights": Weights(features=np.arange(250) % 5)},
        {"weights": Weights(samples=np.linspace(1, 2, 600)), "W": GIVEN, "frozen_W": [1]},
        {"W": GIVEN, "frozen_W": [1]},
    ],
    ids=" ".join,
)
def test_w_path_goes_with_weights_and_frozen_components(
    X, store, solver, options, chunk, tmp_path, monkeypatch
):
    monkeypatch.setattr(result, "STORE_ROWS", chunk)
    monkeypatch.setattr(scale, "CHUNK", chunk)
    solver = {key: value for key, value in solver.items() if key != "init" or "W" not in options}
    options = {"random_state": 0, "max_iter": 4, "tol": 0, **solver, **options}
    for matrix in (store, X):
        inside = factorize(matrix, 5, **grouped({**options, "low_memory": True}))
        settings = {"low_memory": True, "W_path": tmp_path / "W.npy"}
        outside = factorize(matrix, 5, **grouped({**options, **settings}))
        assert isinstance(outside.W, np.memmap)
        np.testing.assert_array_equal(outside.W, inside.W)
        np.testing.assert_array_equal(outside.H, inside.H)
        if "frozen_W" in options:
            np.testing.assert_array_equal(outside.W[:, 1], GIVEN[:, 1])
        weights = options.get("weights", Weights()).samples
        left_out = np.flatnonzero(np.asarray(1 if weights is None else weights) == 0)
        assert len(left_out) == (200 if weights is not None and weights[0] == 0 else 0)
        expected = outside.transform(X[left_out]) if left_out.size else outside.W[:0]
        np.testing.assert_array_equal(outside.W[left_out], expected)


def test_w_path_is_refused_where_w_cannot_stay_on_disk(X, store, tmp_path):
    path = tmp_path / "W.npy"
    with pytest.raises(ValueError, match="W_path is for a store"):
        factorize(X, 5, solver=CoordinateDescent(W_path=path))
    with pytest.raises(FileNotFoundError, match="W_path"):
        factorize(store, 5, solver=CoordinateDescent(W_path=tmp_path / "no" / "W.npy"))
    assert not path.exists()


def test_low_memory_can_keep_w_on_disk(X, tmp_path):
    options = {"random_state": 0, "max_iter": 5, "solver": CoordinateDescent(low_memory=True)}
    model = factorize(X, 5, **grouped({**options, "W_path": tmp_path / "W.npy"}))
    np.testing.assert_array_equal(model.W, factorize(X, 5, **options).W)


@pytest.mark.skipif(sys.platform != "linux", reason="files are extended otherwise there")
def test_no_room_for_w_is_an_error_at_once(store, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        factorize(store, 5, solver=CoordinateDescent(W_path=tmp_path / "W.npy"))
    assert not list(tmp_path.iterdir())


CHANGES = """
import os, sys
from pathlib import Path
from sparsenmf import factorize, open_csr, write_csr
from sparsenmf.solvers import blocks

def truncate(path):
    os.truncate(path, 200)

def replace(path):
    path.with_name("new").write_bytes(path.read_bytes())
    os.replace(path.with_name("new"), path)

def write(path):
    with open(path, "r+b") as file:
        file.seek(-1, 2)
        file.write(b"x")

def attempt(folder, block_nnz, name, change, options):
    blocks.BLOCK_NNZ = block_nnz
    path = sorted(Path(folder).glob(f"shard-*/{name}.npy"))[1]
    whole = path.read_bytes()
    store = open_csr(folder)
    def callback(state):
        if state.n_iter == 2:
            change(path)
    try:
        factorize(store, 4, tol=0, max_iter=4, random_state=0, progress=callback, **options)
    except ValueError as error:
        assert f"{path} has been written to or replaced since the store was opened" in str(error)
        print("named")
    path.write_bytes(whole)

n = 0
for name in ("indptr", "indices", "data"):
    for block_nnz in (2**24, 30_000):
        for change in (truncate, replace, write):
            attempt(sys.argv[1], block_nnz, name, change, {})
        attempt(sys.argv[1], block_nnz, name, truncate, {"loss": "kullback-leibler"})
"""


def test_files_that_change_during_a_run_are_named(X, tmp_path):
    """Reading pages that a mapped file no longer has would end the process."""
    X = sp.csr_array(sp.vstack([X] * 20))
    store = write_csr(tmp_path / "store", X, shard_nnz=X.nnz // 3)
    assert all(path.stat().st_size > 4 * 4096 for path in store.folder.glob("shard-00001/*"))
    run = [sys.executable, "-c", CHANGES, store.folder]
    result = subprocess.run(run, capture_output=True, text=True, timeout=300, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.split() == ["named"] * 24


def test_rows_of_a_file_that_has_changed_are_refused(X, tmp_path):
    store = write_csr(tmp_path / "store", X, shard_nnz=3000)
    expected = store.rows(0, 20)
    path = sorted(store.folder.glob("shard-*/data.npy"))[-1]
    path.touch()
    store.check(0, 20)
    np.testing.assert_array_equal(store.rows(0, 20).data, expected.data)
    for use in (store.check, store.rows):
        with pytest.raises(ValueError, match=f"{path} has been written to or replaced"):
            use(10, 600)
    with pytest.raises(ValueError, match=f"{path} has been written to or replaced"):
        factorize(X, 4, max_iter=2).transform(store)
    assert open_csr(store.folder).rows(10, 600).shape == (590, 250)


def command(*arguments):
    testing = pytest.importorskip("click.testing")
    from sparsenmf.cli import group

    return testing.CliRunner().invoke(group, list(map(str, arguments)), prog_name="sparsenmf")


def test_the_command_takes_a_store(X, store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ("factorize", store.folder, "-k", 5, "--checkpoint", "state", "--tol", 0)
    assert command(*options, "--max-iter", 4).exit_code == 0
    result = command(*options, "--max-iter", 9, "--resume", "--w-path", "W.npy", "--save", "m.npz")
    assert result.exit_code == 0, result.output
    expected = factorize(store, 5, max_iter=9, tol=0, random_state=0)
    model = Factorization.load("m.npz")
    np.testing.assert_array_equal(model.H, expected.H)
    np.testing.assert_array_equal(np.load("W.npy"), expected.W)
    assert command("transform", "m.npz", store.folder, "--output", "T.npy").exit_code == 0
    np.testing.assert_array_equal(np.load("T.npy"), model.transform(X))


@pytest.mark.parametrize(
    "options",
    [{"loss": KL}, {"init": "nndsvd"}, {"solver": "mu"}, {"loss": KL, "init": "nndsvdar"}],
    ids=" ".join,
)
def test_the_command_has_what_python_has(options, store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flags = [word for name, value in options.items() for word in (f"--{name}", value)]
    line = ("factorize", store.folder, "-k", 5, "--max-iter", 4, "--save", "m.npz", *flags)
    result = command(*line)
    assert result.exit_code == 0, result.output
    expected = factorize(store, 5, max_iter=4, random_state=0, **options)
    np.testing.assert_array_equal(Factorization.load("m.npz").H, expected.H)


def test_the_command_refuses_what_a_store_cannot_do(store, tmp_path):
    result = command("factorize", store.folder, "-k", 5, "--tfidf")
    assert (result.exit_code, "weigh before you store" in result.output) == (2, True)
    options = ("--loss", "kullback-leibler", "--solver", "cd")
    result = command("factorize", store.folder, "-k", 5, *options)
    assert (result.exit_code, 'need solver="mu"' in result.output) == (1, True)
    result = command("factorize", store.folder, "-k", 5, "--resume")
    assert (result.exit_code, "--resume needs a --checkpoint" in result.output) == (2, True)
