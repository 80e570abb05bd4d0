"""Functions in threads of their own: to read ahead, be out of the reach of Ctrl-C, or quicker."""

import contextlib
import itertools
import threading


class Background:
    """The result of a function that runs in a thread of its own, or here if none can start.

    A pool of threads would not do: it refuses work once the interpreter is about to end,
    though a thread that factorizes is still waited for.

    Parameters
    ----------
    function : callable
    *args
        Of the function.
    daemon : bool, default False
        Whether the interpreter may end before the function does.
    """

    def __init__(self, function, *args, daemon=False):
        self._call, self._result, self._error = (function, args), None, None
        self._thread = threading.Thread(target=self._run, daemon=daemon)
        with contextlib.suppress(RuntimeError):  # too many threads
            self._thread.start()

    def _run(self):
        function, args = self._call
        try:
            self._result = function(*args)
        except BaseException as error:
            self._error = error

    def result(self):
        """Wait for the result and return it, or raise what the function has raised."""
        if self._thread.ident is None:  # it has not started
            self._run()
        else:
            self._thread.join()
        if self._error is not None:
            raise self._error
        return self._result


def undisturbed(function, *args):
    """Call a function that must not be left half way.

    KeyboardInterrupt is raised in the main thread alone: so that one waits, and when Ctrl-C
    comes, the function runs to its end all the same.
    """
    if threading.current_thread() is not threading.main_thread():
        return function(*args)
    return Background(function, *args).result()


def side_by_side(function, n, n_threads, least):
    """Call ``function(slice)`` for slices that make up range(n), each on a thread of its own.

    For what NumPy does without holding the interpreter. There are as many as n_threads, but none
    shorter than `least`: a thread that starts may have to wait for milliseconds until it runs.
    """

    def run(*bounds):
        function(slice(*bounds))

    n_threads = max(1, min(n_threads, n // least))
    bounds = [n * t // n_threads for t in range(n_threads + 1)]
    others = [Background(run, *pair) for pair in itertools.pairwise(bounds[1:])]
    run(*bounds[:2])
    for other in others:
        other.result()
