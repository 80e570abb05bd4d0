"""Vector code as a function that Python can call, compiled once and stored like a kernel."""

import functools

import numba
from numba.core import config

from sparsenmf.kernels.compile import jit
from sparsenmf.kernels.compile.cache import attach_cache


@functools.cache
def compiled(primitive):
    """Return a function that runs the LLVM code of a primitive."""

    def call(*args):
        primitive(*args)

    run = numba.njit(**jit.OPTIONS)(call)
    if not config.DISABLE_JIT:
        attach_cache(run, f"test_{primitive.__name__}")
    return run
