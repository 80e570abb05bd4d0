"""Compile the kernels ahead of time, such as when a container image is built."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from ..data.arguments import check_choice, check_flag
from ..data.progress import open_progress
from ..kernels.compile.cache import active_folder
from ..kernels.compile.threads import available_cores
from ..solvers.scale import LARGE
from .algorithms import CoordinateDescent, MultiplicativeUpdate
from .factorize import factorize
from .first_batch import open_stream

RUNS = {
    "frobenius": (
        {"init": "nndsvd"},
        {"solver": CoordinateDescent(low_memory=True)},
        {"solver": MultiplicativeUpdate(low_memory=True)},
        {"solver": "mu"},
    ),
    "kullback-leibler": (
        {},
        {"solver": "mu"},
        {"solver": MultiplicativeUpdate(low_memory=True)},
    ),
}

WEIGHTED = (
    {"missing": "unknown"},
    {"missing": "unknown", "solver": "mu"},
    {"weights": "as X"},
)

PRECISIONS = ("float32", "float64")

# Rows, columns, components and threads. With the first, there is enough to do in every
# kernel for more than one thread; with the second, too little in any.
SIZES = ((600, 400, 160, 2), (60, 40, 20, 1))

BESIDE = """
import json, sys
loss, dtype, sys.path[:] = json.loads(sys.argv[1])
from sparsenmf import warmup
warmup(loss, dtype)
"""


def warmup(
    loss: str | None = None, dtype: str | None = None, *, progress: bool = False
) -> Path | None:
    """Compile kernels ahead of time, so that later processes need not.

    It takes a minute or two for all kernels, less for one loss or one precision, and
    a second once they are compiled. Compiled code is for this kind of processor and these
    versions of Python, numba and sparsenmf. On a single core only the serial kernels are
    compiled, which are all that runs there. Matrices with more than 2**31 rows, columns or
    entries have kernels of their own, which are not included. A second process compiles the
    second precision, where there are two cores and a cache.

    Parameters
    ----------
    loss : {"frobenius", "kullback-leibler"}, optional
        Compile what fits of this loss to plain matrices need, with either solver. Without it, the
        kernels of all losses, of weights and of unknown entries are compiled.
    dtype : {"float32", "float64"}, optional
        Precision of the factors. Both without it.
    progress : bool, default False
        Show a progress bar on stderr.

    Returns
    -------
    pathlib.Path or None
        The folder in which they are; None if there is no cache (``SPARSENMF_CACHE=0``, or
        no folder that is ours to write to), so that only this process gains.

    Raises
    ------
    ValueError
        If `loss` or `dtype` is none of those named here.

    Examples
    --------
    >>> import sparsenmf
    >>> folder = sparsenmf.warmup("frobenius", "float32")
    """
    if loss is not None:
        check_choice(loss, "loss", tuple(RUNS))
    dtypes: tuple[str, ...] = PRECISIONS
    if dtype is not None:
        dtypes = (check_choice(dtype, "dtype", PRECISIONS),)
    calls = {dtype: _fits(loss, dtype) + ([] if loss else _streams(dtype)) for dtype in dtypes}
    n_calls, done, folder = sum(map(len, calls.values())), 0, active_folder()
    display = open_progress(check_flag(progress, "progress"), n_calls, "warmup", "fit")
    beside = _start(loss, dtypes[1]) if folder and len(dtypes) > 1 else None
    try:
        for dtype, some in calls.items():
            if beside and dtype == dtypes[1]:
                beside.wait()  # what it has stored is loaded now; what failed in it fails here
            for call in some:
                call()
                display.update(done := done + 1)
    finally:
        if beside:
            beside.kill()
            beside.wait()
        display.close()
    return folder


def _start(loss, dtype):
    """Start a process that compiles and stores kernels, if there are a core and a Python for it."""
    if available_cores() == 1 or not sys.executable or getattr(sys, "frozen", False):
        return None
    command = [sys.executable, "-c", BESIDE, json.dumps([loss, dtype, sys.path])]
    silent = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=silent, stdout=silent, stderr=silent)


def _fits(loss, dtype):
    """Return the fits of a loss, or of all, as functions without arguments."""
    calls = []
    if loss != "kullback-leibler" and dtype == "float32":
        for *_, n_threads in SIZES:
            long = sp.random_array((LARGE // 5, 20), density=0.01, rng=0, dtype=dtype)
            calls.append(partial(_fit, long, 5, {"max_iter": 1, "n_threads": n_threads}))
    runs = [{"loss": name, **run} for name in RUNS if loss in (None, name) for run in RUNS[name]]
    for n_samples, n_features, n_components, n_threads in SIZES:
        shape = (n_samples, n_features)
        common = {"max_iter": 3, "tol": 0, "n_threads": n_threads}
        X = sp.random_array(shape, density=0.1, rng=0, dtype=dtype, format="csr")
        for run in [*runs, *(() if loss else WEIGHTED)]:
            weights = {"weights": X} if "weights" in run else {}
            calls.append(partial(_fit, X, n_components, {**common, **run, **weights}))
        if loss != "kullback-leibler":
            # A fit that is exact has its objective computed by another kernel.
            W = np.ones((n_samples, n_components), dtype)
            calls.append(partial(_fit, np.ones(shape, dtype), n_components, {**common, "W": W}))
    return calls


def _fit(X, n_components, options):
    model = factorize(X, n_components, random_state=0, **options)
    if options["max_iter"] > 1:
        model.transform(X, n_threads=options["n_threads"])


def _streams(dtype):
    """Return functions that add a batch to a stream of a loss with kernels of its own."""
    calls = []
    for n_samples, n_features, n_components, n_threads in SIZES:
        X = sp.random_array((n_samples, n_features), density=0.1, rng=0, dtype=dtype).tocsr()
        options = {"alpha_W": 0.0, "alpha_H": "same", "l1_ratio": 0.0, "forget_factor": 0.1}
        options |= {"init": "random", "H": None, "window": None, "n_threads": n_threads}
        rng = np.random.default_rng(0)
        stream = open_stream(X, n_components=n_components, beta_loss=1.5, rng=rng, **options)
        calls.append(partial(stream.add, X))
    return calls
