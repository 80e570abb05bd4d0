"""The one decorator: a kernel body, compiled twice, cached safely.

`kernel` turns a function with a `prange` over blocks into a `Kernel`, which holds
two numba dispatchers made from the same body: one with ``parallel=True`` and a
serial twin, for every situation in which a parallel region is unsafe or useless
(`sparsenmf.kernels.threads` decides). Nothing is compiled until the first call.
"""

import types as python_types
from contextlib import contextmanager

import numba
from numba import njit
from numba.core import config

from .cache import attach_cache

OPTIONS = {"nogil": True, "error_model": "numpy"}
"""Options of all kernels. No fastmath: it would let the two twins sum in different
orders; where reassociation pays, `simd` fixes an order that is fast."""

inner = njit(**OPTIONS)
"""Decorator of the functions that kernels call on a row. Compiled into their callers."""


class Kernel:
    """A function over blocks of rows in a parallel and a serial compilation.

    Parameters
    ----------
    body : function
        Its outer loop is a ``prange`` in which each turn writes to places of its
        own, so that the result does not depend on how the turns are distributed.
    """

    def __init__(self, body):
        self.body = body
        self.__doc__ = body.__doc__
        self.__name__ = body.__name__
        self._serial = _compile_lazily(body, "serial", parallel=False)
        self._parallel = _compile_lazily(body, "parallel", parallel=True)

    def __call__(self, n_threads, *args):
        """Run on `n_threads` threads; the result is the same for any number."""
        if n_threads == 1:
            return self._serial(*args)
        with _numba_threads(n_threads):
            return self._parallel(*args)


def kernel(body):
    """Compile `body` as a `Kernel`."""
    return Kernel(body)


def _compile_lazily(body, twin, parallel):
    # A name of its own keeps the two dispatchers apart in profiles and in the cache.
    name = f"{body.__name__}_{twin}"
    copy = python_types.FunctionType(body.__code__, body.__globals__, name, body.__defaults__)
    copy.__qualname__ = name
    copy.__module__ = body.__module__
    copy.__doc__ = body.__doc__
    dispatcher = njit(parallel=parallel, **OPTIONS)(copy)
    if not config.DISABLE_JIT:
        attach_cache(dispatcher, name)
    return dispatcher


@contextmanager
def _numba_threads(n_threads):
    """Give this thread's parallel regions `n_threads`, and put things back afterwards."""
    if config.DISABLE_JIT:
        yield
        return
    before = numba.get_num_threads()
    numba.set_num_threads(min(n_threads, config.NUMBA_NUM_THREADS))
    try:
        yield
    finally:
        numba.set_num_threads(before)
