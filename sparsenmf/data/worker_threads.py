"""Calls in threads of their own, and estimators that threads may share."""

import contextlib
import itertools
import threading
from copy import copy
from typing import Any


class BackgroundCall:
    """A call that runs in a thread of its own, or in `result` if no thread can be started.

    A pool of threads cannot be used: it refuses work once the interpreter is about to end, though
    the interpreter still waits for a thread that factorizes.

    Parameters
    ----------
    function : callable
    *args
        Its arguments.
    daemon : bool, default False
        Whether the interpreter may end before the call does.
    """

    def __init__(self, function, *args, daemon=False):
        self._call, self._result, self._error = (function, args), None, None
        self._thread = threading.Thread(target=self._run, daemon=daemon)
        with contextlib.suppress(RuntimeError):  # there are too many threads
            self._thread.start()

    def _run(self):
        function, args = self._call
        try:
            self._result = function(*args)
        except BaseException as error:
            self._error = error

    def result(self):
        """Wait for the call, and return its result or raise its error."""
        if self._thread.ident is None:  # it has not started
            self._run()
        else:
            self._thread.join()
        if self._error is not None:
            raise self._error
        return self._result


def call_uninterrupted(function, *args):
    """Call a function that Ctrl-C must not stop half way, and return its result.

    KeyboardInterrupt is raised in the main thread alone. The main thread therefore only waits:
    when Ctrl-C ends its waiting, the function still runs to its end in another thread.
    """
    if threading.current_thread() is not threading.main_thread():
        return function(*args)
    return BackgroundCall(function, *args).result()


def run_slices(function, n, n_threads, least):
    """Call ``function(slice)`` for slices that make up range(n), each in a thread of its own.

    This is for NumPy functions that release the GIL. There are at most n_threads slices, none of
    them shorter than `least`, because a new thread may wait for milliseconds until it runs.
    """

    def run(*bounds):
        function(slice(*bounds))

    n_threads = max(1, min(n_threads, n // least))
    bounds = [n * t // n_threads for t in range(n_threads + 1)]
    others = [BackgroundCall(run, *pair) for pair in itertools.pairwise(bounds[1:])]
    run(*bounds[:2])
    for other in others:
        other.result()


class OneLearnerAtATime:
    """An estimator that one thread at a time fits, and that is cloned, copied and pickled freely.

    ``_stream`` is what it has learned, whose arrays are never written to, and ``_cached`` is
    computed from that again when it is needed. The lock is made on first use and never copied.
    """

    _stream: Any

    @contextlib.contextmanager
    def _learning(self):
        """Hold the lock; undo everything if an error comes before anything is learned."""
        with self.__dict__.setdefault("_lock", threading.RLock()):  # atomic: all get one lock
            before = self.__dict__.copy()
            try:
                yield
            except BaseException:  # Ctrl-C, too, must not leave half a fit
                if "_stream" not in self.__dict__:
                    self.__dict__ = before
                raise

    def __getstate__(self):
        with self._learning():
            # The estimator that inherits this class has the method, which mypy cannot know.
            state = dict(super().__getstate__())  # type: ignore[misc]
            if "_stream" in state:
                state["_stream"] = copy(self._stream)  # a later fit must not change it
        return {name: value for name, value in state.items() if name not in ("_lock", "_cached")}
