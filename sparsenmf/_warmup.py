"""Compile the kernels ahead of time, such as when a container image is built."""

from pathlib import Path

import numpy as np
import scipy.sparse as sp

from ._factorize import factorize
from .solvers.scale import LARGE

RUNS = (
    {"init": "nndsvd"},
    {"low_memory": True},
    {"low_memory": True, "solver": "mu"},
    {"low_memory": True, "loss": "kullback-leibler"},
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


def warmup() -> Path | None:
    """Compile all kernels, so that later processes need not.

    Takes a minute or two the first time, then a second. Compiled code is for this kind
    of processor and these versions of Python, numba and sparsenmf. On a single core only
    the serial kernels are compiled, which are all that runs there. Matrices with more than
    2**31 rows, columns or entries have kernels of their own, which are not included.

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
    from .kernels.cache import active_folder

    for *_, n_threads in SIZES:
        long = sp.random_array((LARGE // 5, 20), density=0.01, rng=0, dtype=np.float32)
        factorize(long, 5, max_iter=1, random_state=0, n_threads=n_threads)
    for dtype in (np.float32, np.float64):
        for n_samples, n_features, n_components, n_threads in SIZES:
            shape = (n_samples, n_features)
            X = sp.random_array(shape, density=0.1, rng=0, dtype=dtype, format="csr")
            # A fit that is exact has its objective computed by another kernel.
            ones = np.ones(shape, dtype), np.ones((n_samples, n_components), dtype)
            for matrix, options in [(X, run) for run in RUNS] + [(ones[0], {"W": ones[1]})]:
                if "weights" in options:
                    options = {"weights": matrix}
                model = factorize(
                    matrix,
                    n_components,
                    max_iter=3,
                    tol=0,
                    random_state=0,
                    n_threads=n_threads,
                    **options,
                )
                model.transform(matrix, n_threads=n_threads)
    return active_folder()
