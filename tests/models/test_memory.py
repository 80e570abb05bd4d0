"""Never dense: peak memory of whole factorizations, measured in processes of their own."""

import json
import subprocess
import sys
import threading

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import estimate_memory

from ..children import TIMEOUT

MIB = 2**20

WIDE, TALL = (300_000, 60_000, 6_000_000), (300_000, 30_000, 6_000_000)
WIDER = (60_000, 400_000, 1_000_000)  # H is most of what there is
"""Shapes and nonzeros: of half of them, what numba and the threads take beside is a fifth."""

# VmHWM can be reset through /proc on Linux only; elsewhere there is no such measure.
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")

SCRIPT = """
import ctypes, functools, json, os, sys
import numpy as np, scipy.sparse as sp
from sparsenmf import estimate_memory, factorize, forecast_selection, select_n_components
from sparsenmf.kernels.compile.cache import active_folder
from tests.grouped import grouped

def status(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(key))

def reset_peak():
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")

@functools.lru_cache(maxsize=1)
def matrix(n, m, nnz, dtype):
    rng = np.random.default_rng(0)
    rows, columns = (rng.integers(size, size=nnz, dtype=np.int32) for size in (n, m))
    X = sp.csr_array((rng.random(nnz, dtype=dtype), (rows, columns)), shape=(n, m))
    X.sum_duplicates()
    return X

@functools.cache
def first_matrices(dtype):
    # A small matrix, a large one, and one with a large W.
    rng, sizes = np.random.default_rng(0), ((300, 200, 0.2), (1500, 1000, 0.4), (400_000, 20, 0.03))
    return [sp.random_array(size[:2], density=size[2], dtype=dtype, rng=rng) for size in sizes]

@functools.cache
def compile_kernels(options, dtype):
    options, (small, large, long) = grouped(json.loads(options)), first_matrices(dtype)
    factorize(small, 3, n_threads=1, max_iter=2, **options)
    # The parallel kernels too: whether they are cached must not matter.
    factorize(large, 12, n_threads=2, max_iter=1, **options)
    factorize(long, 12, n_threads=2, max_iter=1, **options)

def measure(n, m, nnz, k, options):
    method, dtype = options.pop("method", None), options.pop("dtype", "float32")
    max_iter = options.pop("max_iter", 3)
    X = matrix(n, m, nnz, dtype)
    weighs_features = options.pop("weigh_features", False)
    compile_kernels(json.dumps(options), dtype)
    if weighs_features:
        options["feature_weight"] = np.linspace(0.5, 1.5, m)
    options = grouped(options)
    looked_at = "solver", "loss", "missing", "init", "weights"
    known = {name: options[name] for name in looked_at if name in options}
    known["max_iter"] = max_iter
    forecast, error = estimate_memory(X, k, **known).total, 0.5
    if method:
        call = dict(method=method, candidates=[2, k], random_state=0, n_threads=1, max_iter=3)
        forecast = forecast_selection(X, **call).memory  # it has run all there is to compile
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc keeps what is freed
    for _ in range(2):  # again, if a kernel was compiled meanwhile
        stored = stored_kernels()
        if trim:
            trim(0)
        reset_peak()
        before = status("VmRSS")
        if method:
            select_n_components(X, **call, early_stop=False)
        else:
            options.update(max_iter=max_iter, random_state=0, n_threads=2)
            error = factorize(X, k, **options).relative_error
        used = status("VmHWM") - before
        if stored_kernels() == stored:
            break
    return used, forecast, error

def stored_kernels():
    folder = active_folder()
    return folder and set(os.listdir(folder))

for line in sys.stdin:
    print(json.dumps(measure(*json.loads(line))), flush=True)
"""


@pytest.fixture(scope="module")
def measure():
    """A function that returns the peak of a factorization beyond X, and its forecast.

    One process measures case after case: it imports and compiles once for all of them.
    """
    command = [sys.executable, "-c", SCRIPT]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    child = None

    def measure(n, m, nnz, k, **options):
        nonlocal child
        if child is None or child.poll() is not None:  # the last case has ended it
            child = subprocess.Popen(command, text=True, **pipes)
        guard = threading.Timer(5 * TIMEOUT, child.kill)
        guard.start()
        child.stdin.write(json.dumps([n, m, nnz, k, options]) + "\n")
        child.stdin.flush()
        answer = child.stdout.readline()
        guard.cancel()
        if not answer:
            pytest.fail(f"the process that measures ended with status {child.wait()}")
        used, forecast, relative_error = json.loads(answer)
        assert 0 < relative_error <= (np.inf if "loss" in options else 1)
        return used, forecast

    yield measure
    if child:
        child.communicate()  # without another case it ends


def test_a_huge_shape_needs_memory_for_its_factors_only(measure):
    """A dense 200,000 x 200,000 float32 array would be 149 GiB."""
    used, _ = measure(200_000, 200_000, 2_000_000, 10)
    assert used < 200 * MIB


OTHER_FILLINGS = (pytest.param(init, marks=pytest.mark.long) for init in ("nndsvda", "nndsvdar"))


@pytest.mark.parametrize("init", ["random", "nndsvd", *OTHER_FILLINGS])
def test_forecast_is_within_a_fifth_of_the_measured_peak(init, measure):
    used, forecast = measure(*WIDE, 30, init=init)
    assert forecast == pytest.approx(used, rel=0.2)


WIDE_CASES = {
    "random": {"init": "random"},
    "from an SVD": {"init": "nndsvd", "k": 5},  # whose sides are larger than the factors
    "weights": {"init": "random", "weigh_features": True},
    "double, in single": {"init": "random", "dtype": "float64"},
    "counts": {"loss": "kullback-leibler", "max_iter": 1},
    "counts, few": {"loss": "kullback-leibler", "max_iter": 1, "k": 5},
    "counts, random": {"loss": "kullback-leibler", "max_iter": 1, "init": "random"},
}


@pytest.mark.parametrize("case", WIDE_CASES)
def test_forecast_holds_where_features_are_many(case, measure):
    used, forecast = measure(*WIDER, **{"k": 40, **WIDE_CASES[case]})
    assert forecast == pytest.approx(used, rel=0.2)


def test_forecast_holds_in_double_precision_that_begins_in_single(measure):
    used, forecast = measure(*WIDE, 30, dtype="float64")
    assert forecast == pytest.approx(used, rel=0.2)


@pytest.mark.parametrize("max_iter", [3, 60])
def test_forecast_holds_for_tall_matrices_in_double_precision(max_iter, measure):
    used, forecast = measure(*TALL, 30, dtype="float64", max_iter=max_iter)
    assert forecast == pytest.approx(used, rel=0.2)


def test_low_memory_is_without_the_transpose(measure):
    (usual, _), (low, forecast) = (
        measure(*WIDE, 10, low_memory=low_memory) for low_memory in (False, True)
    )
    assert low < usual - 6 * WIDE[2]  # of the transpose's eight bytes an entry
    assert forecast == pytest.approx(low, rel=0.3)


def test_low_memory_holds_for_starts_from_the_svd(measure):
    usual, low = (
        measure(
            *WIDE,
            10,
            low_memory=low_memory,
            init="nndsvd",
        )[0]
        for low_memory in (False, True)
    )
    assert low < usual - 4 * WIDE[2]  # the sums of the products are what it has instead


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
def test_low_memory_holds_for_multiplicative_updates(loss, measure):
    options = {"solver": "mu", "low_memory": True, "loss": loss}
    used, forecast = measure(*WIDE, 10, **options)
    assert forecast == pytest.approx(used, rel=0.2)


def test_tall_matrices_need_no_transpose(measure):
    used, forecast = measure(*TALL, 10)
    assert forecast == pytest.approx(used, rel=0.2)
    assert forecast < 2 * 330_000 * 16 * 4 + 6_000_000 * 8


@pytest.mark.parametrize("solver", ["cd", "mu"])
def test_kullback_leibler_needs_no_more(solver, measure):
    used, forecast = measure(*WIDE, 30, loss="kullback-leibler", solver=solver)
    assert used <= 1.2 * forecast


def test_no_loss_needs_more_than_its_factors(measure):
    """48 million entries of W H would be 192 MB."""
    used, forecast = measure(8_000, 6_000, 300_000, 3, loss=1.5, max_iter=1)
    assert used <= 1.2 * forecast < 100 * MIB


@pytest.mark.parametrize("solver", ["cd", "mu"])
def test_unknown_entries_need_no_more(solver, measure):
    used, forecast = measure(*WIDE, 30, missing="unknown", solver=solver, loss="frobenius")
    assert used <= 1.2 * forecast


@pytest.mark.parametrize("method", ["blocks", "entries", "stability"])
def test_choosing_the_number_needs_what_was_forecast(method, measure):
    used, forecast = measure(20_000, 15_000, 500_000, 10, method=method)
    assert used <= 1.2 * forecast < 120 * MIB


def test_forecast_counts_its_parts():
    X = sp.random_array((1000, 800), density=0.05, rng=np.random.default_rng(0), dtype=np.float32)
    estimate = estimate_memory(X.tocsr(), 20)
    assert estimate.conversion == 0
    assert estimate.transpose == X.nnz * 8 + 801 * 8
    assert estimate.factors == 2 * 1800 * 24 * 4
    assert estimate_memory(X.tocsc(), 20).conversion > 0
    by_shape = estimate_memory(n_components=20, shape=X.shape, nnz=X.nnz)
    assert by_shape == estimate
    assert "MiB beyond X" in str(estimate)
    assert estimate_memory(X.tocsr(), 20, dtype="float64").factors == 2 * 1800 * 20 * 8


def test_forecast_needs_to_know_the_size():
    with pytest.raises(ValueError, match="pass X, or both shape and nnz"):
        estimate_memory(n_components=5)
    with pytest.raises(TypeError, match=r"X must be a scipy\.sparse matrix"):
        estimate_memory(np.ones((3, 3)), 2)
