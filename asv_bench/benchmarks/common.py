"""What the benchmarks share.

No benchmark module imports sparsenmf at its top. So if a commit lacks something, only the
benchmarks of that thing fail.
"""

import os

from . import datasets

THREADS = [1, 2]

ONCE = bool(os.environ.get("SPARSENMF_BENCH_ONCE"))
"""Whether each benchmark runs with its first parameters only, to see that it works."""


class Benchmark:
    """Limits, and the first calls, made before the clock starts."""

    timeout = 300

    def __init_subclass__(cls):
        """Keep only the first value of each parameter if SPARSENMF_BENCH_ONCE asks for that."""
        if ONCE and hasattr(cls, "params"):
            cls.params = tuple(values[:1] for values in cls.params)

    def warm_up(self, n_threads=None):
        """Load the kernels (compile them, if need be) and wake the threads."""
        from sparsenmf import factorize

        # Small, but with enough work for the parallel kernels.
        X = datasets.load("small")
        factorize(X, 20, max_iter=2, tol=0, random_state=0, n_threads=n_threads)

    @staticmethod
    def require_cores(n_threads):
        """Skip a benchmark that wants more threads than there are cores."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        if n_threads > cores:
            raise NotImplementedError(f"{n_threads} threads on {cores} cores")
