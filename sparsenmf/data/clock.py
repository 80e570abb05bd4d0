"""A clock for runs that pauses while their kernels are compiled or loaded."""

import contextlib
import threading
from time import perf_counter

_mine = threading.local()  # a run and the compiling of its kernels are in one thread


def seconds():
    """Return the time in seconds, without what this thread has spent on compiling."""
    return perf_counter() - left_out()


def left_out():
    """Return for how many seconds the clock of this thread has been paused so far."""
    return getattr(_mine, "seconds", 0.0)


def leave_out(more):
    """Leave some seconds that have passed out of what the clock has counted."""
    _mine.seconds = left_out() + more


@contextlib.contextmanager
def stopped():
    """Pause the clock while the block runs."""
    before, began = left_out(), perf_counter()
    try:
        yield
    finally:
        _mine.seconds = before + perf_counter() - began  # a block within this one counts once
