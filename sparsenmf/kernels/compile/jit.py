"""The one decorator: a kernel body, compiled twice, cached safely.

`kernel` turns a function with a `prange` over blocks into a `Kernel`, which holds
two numba dispatchers made from the same body: one with ``parallel=True`` and a
serial twin, for every situation in which a parallel region is unsafe or useless
(`sparsenmf.kernels.compile.threads` decides). Where the arguments that have an entry for each block
are named, the parallel twin calls the serial one, which alone is compiled from the body
(`sparsenmf.kernels.compile.twins`). Nothing is compiled until the first call.
"""

import functools
import inspect
import os
import types as python_types
from contextlib import contextmanager

import numba
import numpy as np
from numba import njit, types
from numba.core import config
from numba.core.compiler_lock import global_compiler_lock
from numba.np.ufunc import parallel as numba_parallel

from ...data import clock
from ...data.worker_threads import call_uninterrupted
from .cache import attach_cache
from .crowding import crowding
from .interrupts import call_interruptibly
from .twins import link_to_serial, loop_over_blocks

OPTIONS = {"nogil": True, "error_model": "numpy"}
"""Options of all kernels. There is no fastmath, as it would let the two twins sum in different
orders. Where reassociation pays, vector code fixes a fast order."""


class Inner:
    """A function that kernels call. When Python calls it, Python runs it.

    It is compiled into its callers only, without numba's wrappers for calls from Python and from
    C. These would take a tenth of the time that a kernel takes to compile.
    """

    def __init__(self, body):
        functools.update_wrapper(self, body)
        self._body = body
        self._dispatcher = njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **OPTIONS)(body)
        self._numba_type_ = types.Dispatcher(self._dispatcher)  # the type that numba sees

    def __call__(self, *args):
        return self._body(*args)


def inner(body):
    """Make `body` a function that kernels can call."""
    return body if config.DISABLE_JIT else Inner(body)


_kernels: list["Kernel"] = []


def has_run():
    """Return whether a kernel has been compiled or loaded in this process."""
    twins = (twin for kernel in _kernels for twin in (kernel._serial, kernel._parallel))
    return any(getattr(twin, "signatures", ()) for twin in twins)


class Kernel:
    """A function over blocks of rows in a parallel and a serial compilation.

    Parameters
    ----------
    body : function
        Its outer loop is a ``prange`` in which each turn writes to places of its
        own, so that the result does not depend on how the turns are distributed.
    per_block : sequence of str
        Arguments with an entry for each block, that of the loop first. `rows` has its blocks.
    work : callable, optional
        Returns the multiply-adds of a call, about and at least, from its arguments. With it a long
        call is cut into shorter ones over some blocks each (see `interrupts`).
    """

    def __init__(self, body, per_block=(), work=None):
        self.body = body
        self.__doc__ = body.__doc__
        self.__name__ = body.__name__
        names = list(inspect.signature(body).parameters)
        self._per_block = [names.index(name) for name in per_block]
        self._work = work
        self._serial = _compile_lazily(body, "serial", parallel=False)
        if per_block and not config.DISABLE_JIT:
            loop = loop_over_blocks(body, self._per_block, self._serial)
            self._parallel = _compile_lazily(loop, "parallel", parallel=True)
            link_to_serial(self._parallel, self._serial)
        else:
            self._parallel = _compile_lazily(body, "parallel", parallel=True)
        _kernels.append(self)

    def __call__(self, n_threads, *args):
        """Run on `n_threads` threads; the result is the same for any number."""
        if n_threads == 1:  # the serial twin needs no threading layer
            return self._run(self._serial, n_threads, args)
        first = getattr(args[0], "indptr", args[0])  # of `Rows`, or an array
        kind = self.__name__, n_threads, np.shape(first)
        return crowding.run(kind, n_threads, functools.partial(self._run_parallel, args))

    def _run_parallel(self, args, n_threads):
        with _numba_threads(n_threads):
            return self._run(self._parallel, n_threads, args)

    def _run(self, run, n_threads, args):
        if self._work is None:
            return run(*args)
        return call_interruptibly(run, args, self._per_block, self._work(*args), n_threads)


def kernel(body=None, **options):
    """Compile `body` as a `Kernel`."""
    return Kernel(body) if body else lambda body: Kernel(body, **options)


def _compile_lazily(body, twin, parallel):
    # A name of its own keeps the two dispatchers apart in profiles and in the cache.
    name = f"{body.__name__}_{twin}"
    copy = python_types.FunctionType(body.__code__, body.__globals__, name, body.__defaults__)
    copy.__qualname__ = name
    copy.__module__ = body.__module__
    copy.__doc__ = body.__doc__
    dispatcher = njit(parallel=parallel, no_cfunc_wrapper=True, **OPTIONS)(copy)
    if not config.DISABLE_JIT:
        attach_cache(dispatcher, name)
        _shield(dispatcher)
    return dispatcher


def _shield(dispatcher):
    """Keep Ctrl-C out of compilations, and stop the clock during them.

    Ctrl-C would leave numba's registries half filled, and every later compilation would fail.
    """
    compile_for_args = getattr(dispatcher, "_compile_for_args", None)
    if compile_for_args is not None:  # numba's private name
        dispatcher._compile_for_args = functools.partial(_prepare, compile_for_args)


def _prepare(function, *args):
    with clock.stopped():
        return call_uninterrupted(function, *args)


@contextmanager
def _numba_threads(n_threads):
    """Run the parallel regions of this thread on `n_threads`, and restore the number afterwards."""
    if config.DISABLE_JIT:
        yield
        return
    if not numba_parallel._is_initialized:
        _prepare(numba.get_num_threads)  # starts the threads
    before, wanted = numba.get_num_threads(), min(n_threads, config.NUMBA_NUM_THREADS)
    if wanted == before:
        yield
        return
    try:
        numba.set_num_threads(wanted)
        yield
    finally:
        numba.set_num_threads(before)


# A child that is forked while another thread compiles would wait at its first compilation for
# that thread, which it does not have. So a fork waits until no thread compiles.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=global_compiler_lock.release,
    )
