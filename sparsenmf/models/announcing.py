"""Messages of a long call on stderr, before its progress bar moves."""

import contextlib
import functools
import inspect
import numbers
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

from numba.core import event

from ..data.arguments import refuse_meant
from ..data.progress import tell
from ..kernels.compile.cache import active_folder

P = ParamSpec("P")
R = TypeVar("R")

STORED = (
    "compiling the kernels, once for this machine, about 5 to 10 s; "
    "`sparsenmf warmup` does it beforehand"
)

NOT_STORED = (
    "compiling the kernels, about 5 to 10 s, for this process alone: SPARSENMF_CACHE is 0, or no "
    "cache folder can be used"
)


class _Compiling(event.Listener):
    """Says once that kernels are compiled, when numba begins with one that is not stored."""

    def __init__(self):
        self._said = False

    def on_start(self, beginning):
        """Say it if the kernel is ours: a callback may compile what it likes."""
        module = beginning.data["dispatcher"].py_func.__module__ or ""
        if not self._said and module.startswith("sparsenmf."):
            self._said = True
            tell(NOT_STORED if active_folder() is None else STORED)

    def on_end(self, end):
        """Say nothing."""


@contextlib.contextmanager
def compiling_is_told(show: bool) -> Iterator[None]:
    """Say on stderr, if it is to be shown, that kernels are compiled while the block runs."""
    if not show:
        yield
        return
    with event.install_listener("numba:compile", _Compiling()):
        yield


def announced(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function that has `progress`: it then says what it factorizes and compiles.

    It also says what to do in place of arguments that it does not have.

    Its first two arguments are the matrix and the number of components, not checked yet.
    """
    known = inspect.signature(function).parameters

    @functools.wraps(function)
    def announce(*args: P.args, **kwargs: P.kwargs) -> R:
        refuse_meant(function.__name__, kwargs.keys() - known.keys())
        show = kwargs.get("progress", False) is True
        if show:
            tell_sizes(*args, **kwargs)
        with compiling_is_told(show):
            return function(*args, **kwargs)

    return announce


def tell_sizes(X: Any = None, n_components: Any = None, *_: Any, **__: Any) -> None:
    """Say what is factorized, if it looks like what can be."""
    sizes = (*getattr(X, "shape", ()), n_components)
    if len(sizes) == 3 and all(isinstance(size, numbers.Integral) for size in sizes):
        tell("factorizing {:,} x {:,} into {:,} components".format(*sizes))
