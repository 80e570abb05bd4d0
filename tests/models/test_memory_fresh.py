"""The forecast of memory, measured in processes that have not run anything before."""

import json
import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import RandomStarts, Weights, estimate_memory, factorize
from sparsenmf.kernels.compile.cache import active_folder

linux = pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")

SCRIPT = """
import ctypes, json, sys
import numpy as np, scipy.sparse as sp
import sparsenmf

def status(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(key))

called, shape, nnz, k, form, options = json.loads(sys.argv[1])
sparsenmf.estimate_memory  # with numba
if called:
    sparsenmf.factorize(sp.eye_array(8, format="csr"), 2, random_state=0)
rng, dtype = np.random.default_rng(0), options.pop("dtype", "float32")
rows, columns = (rng.integers(size, size=nnz, dtype=np.int32) for size in shape)
X = sp.csr_array((rng.random(nnz, dtype=dtype), (rows, columns)), shape=shape)
X.sum_duplicates()
X = X.asformat(form)
del rows, columns
sizes = {"sample_weight": shape[0], "feature_weight": shape[1]}
for name in sizes.keys() & options.keys():
    options[name] = rng.random(sizes[name]) + 0.5
if "weights" in options:
    options["weights"] = X.copy()
trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc keeps what is freed
if trim:
    trim(0)
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
before = status("VmRSS")
init = options.pop("init", "random")
from tests.grouped import grouped
options = grouped(options)
forecast = sparsenmf.estimate_memory(X, k, init=init, **options).total
sparsenmf.factorize(X, k, init=init, tol=0, random_state=0, n_threads=2, **options)
print(json.dumps([status("VmHWM") - before, forecast]))
"""


def measure(*case):
    """Return the peak and its forecast of a process that compiles nothing: the second at most."""
    command = [sys.executable, "-c", SCRIPT, json.dumps(case)]
    for _ in range(2):
        before = stored_kernels()
        result = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
        if before is not None and stored_kernels() == before:
            break
    return json.loads(result.stdout)


def stored_kernels():
    """Return the names of all stored kernels, or None where none are stored."""
    folder = active_folder()
    return folder and set(os.listdir(folder))


WIDE, TALL = (300_000, 60_000), (300_000, 30_000)

CONFIGURATIONS = {
    "plain": (WIDE, "csr", {}),
    "tall": (TALL, "csr", {}),
    "another format": (WIDE, "csc", {}),
    "low memory": (WIDE, "csr", {"low_memory": True}),
    "mu": (WIDE, "csr", {"solver": "mu"}),
    "Kullback-Leibler": (WIDE, "csr", {"loss": "kullback-leibler"}),
    "Kullback-Leibler by mu": (WIDE, "csr", {"loss": "kullback-leibler", "solver": "mu"}),
    "samples": (WIDE, "csr", {"sample_weight": True}),
    "tall samples": (TALL, "csr", {"sample_weight": True}),
    "many samples": ((800_000, 100_000), "csr", {"sample_weight": True}),
    "features": (WIDE, "csr", {"feature_weight": True}),
    "entries": (WIDE, "csr", {"weights": True}),
    "unknown": (WIDE, "csr", {"missing": "unknown"}),
    "unknown by mu": (WIDE, "csr", {"missing": "unknown", "solver": "mu"}),
    "double": (WIDE, "csr", {"dtype": "float64"}),
    "double samples": (WIDE, "csr", {"dtype": "float64", "sample_weight": True}),
    "double Kullback-Leibler": (WIDE, "csr", {"dtype": "float64", "loss": "kullback-leibler"}),
    "double low memory": (WIDE, "csr", {"dtype": "float64", "low_memory": True}),
    "tall double, in single": (TALL, "csr", {"dtype": "float64"}),
    "tall double": (TALL, "csr", {"dtype": "float64", "max_iter": 60}),
}

FIRST = ("plain", "samples", "tall double, in single")  # the others are left out of a plain run


@linux
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in FIRST else [pytest.mark.long])
        for name in CONFIGURATIONS
    ],
)
def test_forecast_is_within_a_fifth_of_the_peak_in_a_fresh_process(name):
    shape, form, options = CONFIGURATIONS[name]
    used, forecast = measure(True, shape, 6_000_000, 30, form, {"max_iter": 3, **options})
    assert forecast == pytest.approx(used, rel=0.2)


@linux
@pytest.mark.parametrize("nnz", [10_000, 6_000_000])
def test_forecast_counts_what_numba_loads_before_the_first_kernel(nnz):
    shape = WIDE if nnz > 10**6 else (200, 150)
    used, forecast = measure(False, shape, nnz, 30, "csr", {"max_iter": 3})
    assert forecast == pytest.approx(used, rel=0.2)


X = sp.random_array((1000, 800), density=0.05, rng=0, dtype=np.float32, format="csr")

PLAIN = {"n_components": 20, "shape": (1000, 800), "nnz": 40_000}


def test_forecast_counts_what_is_asked_for():
    plain, entry = estimate_memory(**PLAIN), 8 * 40_000 + 4 * 1001
    weighted = estimate_memory(X, 20, weights=np.ones(1000)).conversion
    assert entry < weighted < entry + 100 * 1000  # and some numbers for each sample
    both = estimate_memory(X.tocsc(), 20, weights=Weights(features=np.ones(800))).conversion
    assert 2 * entry < both < 2 * entry + 100 * 800
    assert estimate_memory(X.astype(int), 20).conversion == 4 * 40_000  # with the same indices
    assert estimate_memory(X, 20, weights=X).transpose == plain.transpose + 4 * 40_000
    assert estimate_memory(X, 20, missing="unknown").transpose == plain.transpose
    tall = {"n_components": 5, "shape": (10**6, 1000), "nnz": 10**7, "dtype": "float64"}
    assert estimate_memory(**tall).total > estimate_memory(**tall, max_iter=5).total
    starts = estimate_memory(**PLAIN, init=RandomStarts(3)).total
    assert starts == plain.total + 20 * 1800 * 4  # the best one
    assert estimate_memory(**PLAIN, init=RandomStarts(1)) == plain
    svd = {name: estimate_memory(**PLAIN, init=name).total for name in ("nndsvd", "nndsvda")}
    assert svd["nndsvd"] == svd["nndsvda"] >= plain.total
    # Neither multiplicative updates nor unknown entries do without a transpose by themselves.
    for options in ({"solver": "mu"}, {"missing": "unknown"}, {"loss": "kullback-leibler"}):
        assert estimate_memory(**tall, **options).transpose > 12 * 10**7


BAD_SIZES = {
    "negative rows": ({"shape": (-5, 8)}, ValueError, "each size in shape must be at least 1"),
    "negative columns": ({"shape": (5, -8)}, ValueError, "each size in shape must be at least 1"),
    "no rows": ({"shape": (0, 8)}, ValueError, "each size in shape must be at least 1"),
    "negative entries": ({"nnz": -1}, ValueError, "nnz must be at least 0"),
    "too many": ({"nnz": 800_001}, ValueError, "nnz is 800001, but 1000 x 800 has fewer"),
    "fractions": ({"shape": (5.5, 8)}, TypeError, "each size in shape must be an integer"),
    "one size": ({"shape": 5}, TypeError, "shape must be"),
    "three sizes": ({"shape": (5, 5, 5)}, TypeError, "shape must be"),
    "negative components": ({"n_components": -2}, ValueError, "n_components must be at least 1"),
    "no iteration": ({"max_iter": 0}, ValueError, "max_iter must be at least 1"),
    "half precision": ({"dtype": "float16"}, ValueError, "dtype must be float32 or float64"),
    "no start": ({"init": "svd"}, ValueError, "init must be one of"),
    "pairs": ({"init": "nndsvd", "n_components": 801}, ValueError, "has no 801 singular pairs"),
    "missing": ({"missing": "ignored"}, ValueError, "missing must be one of"),
}


@pytest.mark.parametrize("case", BAD_SIZES)
def test_impossible_sizes_are_refused(case):
    options, error, message = BAD_SIZES[case]
    with pytest.raises(error, match=message):
        estimate_memory(**{**PLAIN, **options})


def test_what_is_made_of_a_long_H_takes_no_second_one():
    X = sp.random_array((20, 100_000), density=0.001, rng=0, dtype=np.float32, format="csr")
    weights, copied = Weights(features=np.linspace(0.5, 1, 100_000)), []

    def watch(state):
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        copied.append(state.H)
        copied.append(tracemalloc.get_traced_memory()[1] - before)
        return True

    tracemalloc.start()
    try:
        model = factorize(X, 10, init="random", random_state=0, weights=weights, progress=watch)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        model.normalize("H")
        normalizing = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert copied[0].nbytes == model.H.nbytes == 4_000_000
    assert max(copied[1], normalizing) < 6_000_000  # beside it, the weights in float64, and a row
