"""The time that a run takes: without that in which its kernels are compiled, or loaded."""

import contextlib
import threading
from time import perf_counter

_mine = threading.local()  # a run, and what is compiled for it, are in one thread


def seconds():
    """Return a time, in seconds, that stands still while this thread waits for a compiler."""
    return perf_counter() - left_out()


def left_out():
    """Return the seconds for which the time of this thread has stood still so far."""
    return getattr(_mine, "seconds", 0.0)


def leave_out(more):
    """Let so many seconds that have passed not count."""
    _mine.seconds = left_out() + more


@contextlib.contextmanager
def stopped():
    """Let the time stand still in a block."""
    before, began = left_out(), perf_counter()
    try:
        yield
    finally:
        _mine.seconds = before + perf_counter() - began  # blocks within this one count once
