"""Estimators that threads may share while they learn."""

import contextlib
import threading
from copy import copy
from typing import Any


class OneAtATime:
    """Lets one thread learn at a time.

    What has been learned is ``_stream``, of which no array is ever written to, and ``_cached`` is
    found from it anew. The lock is made when it is needed and never copied, so that estimators
    are cloned, copied and pickled as others are.
    """

    _stream: Any

    @contextlib.contextmanager
    def _learning(self):
        """Hold the lock; after an error before anything is learned, all is as it was."""
        with self.__dict__.setdefault("_lock", threading.RLock()):  # atomic: one lock for all
            before = self.__dict__.copy()
            try:
                yield
            except BaseException:  # Ctrl-C too must not leave half of a fit; it is raised again
                if "_stream" not in self.__dict__:
                    self.__dict__ = before
                raise

    def __getstate__(self):
        with self._learning():
            # The estimator beside which this class stands has the method, as mypy cannot know.
            state = dict(super().__getstate__())  # type: ignore[misc]
            if "_stream" in state:
                state["_stream"] = copy(self._stream)  # as it is now, and not shared
        return {name: value for name, value in state.items() if name not in ("_lock", "_cached")}
