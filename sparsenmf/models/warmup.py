"""Compile the kernels ahead of time, such as when a container image is built."""

from pathlib import Path

import numpy as np
import scipy.sparse as sp

from ..data.arguments import check_flag
from ..data.progress import open_progress
from ..solvers.scale import LARGE
from .algorithms import CoordinateDescent, MultiplicativeUpdate
from .factorize import factorize
from .first_batch import open_stream

RUNS = (
    {"init": "nndsvd"},
    {"solver": CoordinateDescent(low_memory=True)},
    {"solver": MultiplicativeUpdate(low_memory=True)},
    {"solver": MultiplicativeUpdate(low_memory=True), "loss": "kullback-leibler"},
    {"loss": "kullback-leibler"},
    {"solver": "mu"},
    {"solver": "mu", "loss": "kullback-leibler"},
    {"missing": "unknown"},
    {"missing": "unknown", "solver": "mu"},
    {"weights": "as X"},
)

# Rows, columns, components and threads. With the first, there is enough to do in every
# kernel for more than one thread; with the second, too little in any.
SIZES = ((600, 400, 160, 2), (60, 40, 20, 1))


def warmup(progress: bool = False) -> Path | None:
    """Compile all kernels, so that later processes need not.

    Takes a minute or two the first time, then a second. Compiled code is for this kind
    of processor and these versions of Python, numba and sparsenmf. On a single core only
    the serial kernels are compiled, which are all that runs there. Matrices with more than
    2**31 rows, columns or entries have kernels of their own, which are not included.

    Parameters
    ----------
    progress : bool, default False
        Show a progress bar on stderr.

    Returns
    -------
    pathlib.Path or None
        The folder in which they are; None if there is no cache (``SPARSENMF_CACHE=0``, or
        no folder that is ours to write to), so that only this process gains.

    Examples
    --------
    >>> import sparsenmf
    >>> folder = sparsenmf.warmup()
    """
    from ..kernels.compile.cache import active_folder

    total = len(SIZES) * (1 + 2 * (len(RUNS) + 2))
    display = open_progress(check_flag(progress, "progress"), total, "warmup", "fit")
    try:
        done = 0
        for X, n_components, options in _fits():
            model = factorize(X, n_components, random_state=0, **options)
            if options["max_iter"] > 1:
                model.transform(X, n_threads=options["n_threads"])
            done += 1
            display.update(done)
        for stream, X in _streams():
            stream.add(X)
            done += 1
            display.update(done)
    finally:
        display.close()
    return active_folder()


def _fits():
    """Yield the matrix, the number of components and the options of each fit."""
    for *_, n_threads in SIZES:
        long = sp.random_array((LARGE // 5, 20), density=0.01, rng=0, dtype=np.float32)
        yield long, 5, {"max_iter": 1, "n_threads": n_threads}
    for dtype in (np.float32, np.float64):
        for n_samples, n_features, n_components, n_threads in SIZES:
            shape = (n_samples, n_features)
            common = {"max_iter": 3, "tol": 0, "n_threads": n_threads}
            X = sp.random_array(shape, density=0.1, rng=0, dtype=dtype, format="csr")
            for run in RUNS:
                weights = {"weights": X} if "weights" in run else {}
                yield X, n_components, {**common, **run, **weights}
            # A fit that is exact has its objective computed by another kernel.
            W = np.ones((n_samples, n_components), dtype)
            yield np.ones(shape, dtype), n_components, {**common, "W": W}


def _streams():
    """Yield streams, and a batch for each, of a loss whose sums have a kernel of their own."""
    for dtype in (np.float32, np.float64):
        for n_samples, n_features, n_components, n_threads in SIZES:
            X = sp.random_array((n_samples, n_features), density=0.1, rng=0, dtype=dtype).tocsr()
            options = {"alpha_W": 0.0, "alpha_H": "same", "l1_ratio": 0.0, "forget_factor": 0.1}
            options |= {"init": "random", "H": None, "window": None, "n_threads": n_threads}
            rng = np.random.default_rng(0)
            yield open_stream(X, n_components, beta_loss=1.5, rng=rng, **options), X
