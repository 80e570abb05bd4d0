"""Matrices on disk in every place where a matrix is taken."""

import json
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import Factorization, factorize, open_csr, write_csr
from sparsenmf.solvers import blocks

from . import problems

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
        {"sample_weight": np.arange(600) % 3, "feature_weight": np.linspace(0.5, 2, 250)},
        {"H": np.ones((2, 250), np.float32), "frozen_H": [1]},
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


def test_double_precision_is_the_same_to_rounding(X, tmp_path):
    X = X.astype(np.float64)
    store = write_csr(tmp_path / "store", X)
    options = {"random_state": 0, "max_iter": 20, "tol": 0}
    inside, outside = factorize(X, 6, **options), factorize(store, 6, **options)
    np.testing.assert_allclose(outside.W, inside.W, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(outside.H, inside.H, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("loss", ["frobenius", KL])
def test_transform_and_loss(X, store, loss):
    model = factorize(X, 6, loss=loss, random_state=0, max_iter=20)
    np.testing.assert_array_equal(model.transform(store), model.transform(X))
    assert model.loss(store) == pytest.approx(model.loss(X), rel=1e-6)
    with pytest.raises(ValueError, match="X has 250 features"):
        factorize(X[:, :100], 3, random_state=0, max_iter=2).transform(store)


def test_minibatches(X, store):
    pytest.importorskip("sklearn")
    from sparsenmf import MiniBatchNMF

    options = {"batch_size": 100, "random_state": 0, "max_iter": 2, "shuffle": False}
    by_blocks = MiniBatchNMF(6, **options).fit(store)
    assert by_blocks.n_samples_seen_ == 1200
    by_hand = MiniBatchNMF(6, **options).fit(iter([X, X]))
    np.testing.assert_array_equal(by_blocks.components_, by_hand.components_)


def test_what_a_store_cannot_do_is_refused(store):
    for options in ({"loss": KL}, {"solver": "mu"}, {"init": "nndsvd"}):
        with pytest.raises(ValueError, match="a store needs"):
            factorize(store, 5, **options)


def test_a_scale_beyond_the_precision_is_refused(X, tmp_path):
    store = write_csr(tmp_path / "store", X * np.float32(1e18))
    with pytest.raises(ValueError, match="do not fit into float32"):
        factorize(store, 5)


def test_goes_on_from_a_checkpoint(store, tmp_path):
    options = {"random_state": 0, "tol": 0, "checkpoint": tmp_path / "state"}
    expected = factorize(store, 6, max_iter=12, random_state=0, tol=0)
    factorize(store, 6, max_iter=5, **options)
    model = factorize(store, 6, max_iter=12, resume=True, **options)
    np.testing.assert_array_equal(model.W, expected.W)


SCRIPT = """
import json, sys
from sparsenmf import factorize, open_csr
def status(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(key))
store = open_csr(sys.argv[1])
factorize(store, 4, max_iter=1, random_state=0, W_path=sys.argv[2] or None)
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
before = status("RssAnon")
model = factorize(store, 4, max_iter=2, random_state=0, W_path=sys.argv[2] or None)
print(json.dumps([status("RssAnon") - before, model.relative_error]))
"""


def test_w_on_disk_is_the_same_and_memory_does_not_hold_it(tmp_path):
    rng = np.random.default_rng(0)
    X = sp.random_array((400_000, 300), density=0.01, rng=rng, dtype=np.float32, format="csr")
    write_csr(tmp_path / "store", X)
    store, path = open_csr(tmp_path / "store"), tmp_path / "W.npy"
    options = {"random_state": 0, "max_iter": 3}
    inside = factorize(store, 6, **options)
    outside = factorize(store, 6, W_path=path, **options)
    assert isinstance(outside.W, np.memmap)
    np.testing.assert_array_equal(outside.W, inside.W)
    np.testing.assert_array_equal(np.load(path), inside.W)
    np.testing.assert_array_equal(outside.H, inside.H)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["W.npy", "store"]
    outside.save(tmp_path / "model.npz")
    if sys.platform != "linux":
        pytest.skip("memory is read from /proc")
    used = {}
    for W_path in ("", path):
        command = [sys.executable, "-c", SCRIPT, tmp_path / "store", W_path]
        printed = subprocess.run(command, check=True, capture_output=True, timeout=300).stdout
        used[W_path], error = json.loads(printed)
        assert 0 < error < 1
    # The result's W alone, 6.4 MB, is what stays; some pages more or less are chance.
    assert used[path] < used[""] - 400_000 * 4 * 4 / 2


def test_w_path_is_refused_where_w_cannot_stay_on_disk(X, store, tmp_path):
    path = tmp_path / "W.npy"
    weights = {"sample_weight": np.linspace(1, 2, 600)}
    for options in (weights, {"W": np.ones((600, 1)), "frozen_W": [0]}):
        with pytest.raises(ValueError, match="W_path goes neither"):
            factorize(store, 5, W_path=path, **options)
    with pytest.raises(ValueError, match="W_path is for a store"):
        factorize(X, 5, W_path=path)
    with pytest.raises(FileNotFoundError, match="W_path"):
        factorize(store, 5, W_path=tmp_path / "no" / "W.npy")
    assert not path.exists()


def test_low_memory_may_have_its_w_on_disk(X, tmp_path):
    options = {"random_state": 0, "max_iter": 5, "low_memory": True}
    model = factorize(X, 5, W_path=tmp_path / "W.npy", **options)
    np.testing.assert_array_equal(model.W, factorize(X, 5, **options).W)


@pytest.mark.skipif(sys.platform != "linux", reason="files are extended otherwise there")
def test_no_room_for_w_is_an_error_at_once(store, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        factorize(store, 5, W_path=tmp_path / "W.npy")
    assert not list(tmp_path.iterdir())


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


def test_the_command_refuses_what_a_store_cannot_do(store, tmp_path):
    result = command("factorize", store.folder, "-k", 5, "--tfidf")
    assert (result.exit_code, "weigh before you store" in result.output) == (2, True)
    result = command("factorize", store.folder, "-k", 5, "--loss", "kullback-leibler")
    assert (result.exit_code, "a store needs" in result.output) == (1, True)
    result = command("factorize", store.folder, "-k", 5, "--resume")
    assert (result.exit_code, "resume=True needs checkpoint" in result.output) == (1, True)
