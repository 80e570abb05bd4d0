"""The loop over the iterations of a run, which observers may watch, save and end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..data.arguments import check_flag
from ..data.progress import IterationState, open_progress
from ..data.typing import Callback
from .alternation import Alternation
from .numerics import advising_on
from .stopping import Stopping
from .weights import Scaling


class Loop:
    """An iterable run: each step of a ``for`` loop is one iteration.

    Parameters
    ----------
    alternation : Alternation
    stopping : Stopping
    scaling : Scaling
        Turns the factors into those of X itself for observers.

    Attributes
    ----------
    stop_reason : str or None
        Why the loop ended, as in `Factorization`; None while there is no reason.
    """

    def __init__(self, alternation: Alternation, stopping: Stopping, scaling: Scaling) -> None:
        self.alternation: Any = alternation
        self.stopping, self.scaling = stopping, scaling
        self.stop_reason: str | None = None
        self.given: tuple[Any, Any] = (None, None)  # W and H of the start, if a user passed them

    def __iter__(self) -> Iterator[IterationState]:
        """Yield an `IterationState` after each iteration, until there is a reason to stop."""
        stopping, alternation = self.stopping, self.alternation
        # A loop that is continued may already be at its end.
        self.stop_reason = stopping.reason(alternation.stalled) if stopping.history else None
        while self.stop_reason is None:
            alternation.may_be_last = stopping.next_may_be_last()
            with advising_on(*self.given):
                alternation.iterate()
            stopping.record(alternation.current.objective)
            self.stop_reason = stopping.reason(alternation.stalled)
            yield IterationState(alternation, stopping, self.scaling)

    def interrupt(self) -> None:
        """End the loop after Ctrl-C, at the last accepted iterate."""
        self.stop_reason = "interrupted"
        self.alternation.drop_momentum()

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return the numbers and arrays from which `restore` continues with the same bits.

        The arrays belong to the run: the next iteration overwrites them.
        """
        numbers, arrays = self.alternation.state()
        return numbers, {**arrays, "history": np.array(self.stopping.history)}

    def restore(self, numbers: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Continue from what `state` returned, in a run of the same problem and settings.

        Raises
        ------
        ValueError
            If the arrays are not of this problem's shape and type.
        """
        self.alternation.restore(numbers, arrays)
        history = [(float(value), float(seconds)) for value, seconds in arrays["history"]]
        self.stopping.resume(history)


def observe(loop: Loop, progress: bool | Callback, checkpoint: Any = None) -> None:
    """Iterate to the end, with progress, a callback and checkpoints.

    Parameters
    ----------
    loop : Loop
    progress : bool or callable
        Whether to show a bar; or a function to call after each iteration, which may stop the
        loop.
    checkpoint : CheckpointFile, optional
    """
    display = open_progress(progress is True, loop.stopping.max_iter)
    try:
        for state in loop:
            if checkpoint is not None:
                checkpoint.tick()
            display.update(state.n_iter, state.relative_error)
            if callable(progress) and progress(state):
                loop.stop_reason = "callback"
                break
    except KeyboardInterrupt:
        if not loop.stopping.history:
            raise
        loop.interrupt()
    finally:
        display.close()
    if checkpoint is not None:
        checkpoint.save()


def check_progress(progress: bool | Callback) -> bool | Callback:
    """Return whether to show progress, or the function to call after each iteration.

    Raises
    ------
    TypeError
        If it is neither.
    """
    return progress if callable(progress) else check_flag(progress, "progress")
