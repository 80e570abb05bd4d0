"""Progress displays on stderr for long runs: tqdm's bar if it is installed, else a line."""

from __future__ import annotations

import contextlib
import sys
import time
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

EVERY = 0.5  # seconds between lines of the plain display


def tell(text):
    """Print a line on stderr, above the progress bar if there is one."""
    if Line.unfinished:
        write("\n")
        Line.unfinished = False
    tqdm = sys.modules.get("tqdm")
    if tqdm is None or sys.stderr is None:
        write(f"{text}\n")
        return
    with contextlib.suppress(OSError):
        tqdm.tqdm.write(text, file=sys.stderr)


def write(text):
    """Write on stderr; if that is impossible, do nothing: progress is not worth failing for."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()


class Line:
    """A line on stderr that is rewritten in place, at most every `EVERY` seconds."""

    unfinished = False  # whether stderr ends with such a line

    def __init__(self, shown=0.0):
        self._shown = shown

    def is_due(self):
        """Return whether it is time to rewrite the line."""
        return time.monotonic() - self._shown >= EVERY

    def rewrite(self, text):
        """Rewrite the line."""
        self._shown, Line.unfinished = time.monotonic(), True
        write(f"\r{text}")

    def finish(self):
        """End the line, if it is the last thing on stderr."""
        if Line.unfinished:
            write("\n")
        Line.unfinished = False


def counted(items, name, unit, size=lambda item: 1):
    """Yield items, and show on stderr how many units they have added up to."""
    line, n = Line(time.monotonic()), 0
    try:
        for item in items:
            yield item
            n += size(item)
            if line.is_due():
                line.rewrite(f"{name}: {n:,} {unit}")
    finally:
        line.rewrite(f"{name}: {n:,} {unit}")
        line.finish()


def open_progress(show, total, name="factorize", unit="it"):
    """Return a display with `update(n_iter, relative_error)` and `close()`."""
    if not show or sys.stderr is None:
        return Silent()
    try:
        with warnings.catch_warnings():
            # A notebook without ipywidgets gets the bar of a terminal, which needs no warning.
            warnings.filterwarnings("ignore", "IProgress not found")
            from tqdm.auto import tqdm
    except ImportError:
        return Plain(total, name)
    return Bar(tqdm(total=total, desc=name, unit=unit))


class Silent:
    """No display."""

    def update(self, n_iter, relative_error=None):
        """Show nothing."""

    def close(self):
        """End the display."""


class Bar(Silent):
    """A tqdm bar, in a terminal or a notebook."""

    def __init__(self, bar):
        self._bar = bar

    def update(self, n_iter, relative_error=None):
        """Move the bar."""
        if relative_error is not None:
            self._bar.set_postfix_str(f"relative error {relative_error:.5f}", refresh=False)
        self._bar.update(n_iter - self._bar.n)

    def close(self):
        """End the bar at the iterations done, for no more were needed."""
        self._bar.total = self._bar.n
        if hasattr(self._bar, "container"):  # the length of a notebook's bar was set at first
            _, bar, _ = self._bar.container.children
            bar.max = max(self._bar.n, 1)
        self._bar.refresh()
        self._bar.close()


class Plain(Silent):
    """One line on stderr, rewritten in place."""

    def __init__(self, total, name="factorize"):
        self._total, self._name, self._line, self._text = total, name, Line(), ""

    def update(self, n_iter, relative_error=None):
        """Rewrite the line if it is time to."""
        error = "" if relative_error is None else f" relative error {relative_error:.5f}"
        self._text = f"{self._name}: {n_iter}/{self._total}{error}"
        if self._line.is_due():
            self._line.rewrite(self._text)

    def close(self):
        """Show the last state and end the line."""
        if self._text:
            self._line.rewrite(self._text)
        self._line.finish()


class IterationState:
    """The state of a run after an iteration, for callbacks.

    Attributes
    ----------
    n_iter : int
        Number of iterations done.
    objective : float
        Value for the current factors, penalties included.
    relative_error : float
        ``sqrt(2 * objective) / x_norm``, see `Factorization`.
    seconds : float
        Time since the beginning of `factorize`, without that for compiling.
    W, H : ndarray
        Copies of the factors; their components are not yet sorted.
    """

    def __init__(self, run, stopping, weights):
        self._current, self._n_components = run.current, run.n_components
        self._weights, self._dtype = weights, run.dtype
        self.n_iter: int = len(stopping.history)
        self.objective: float
        self.seconds: float
        self.objective, self.seconds = stopping.history[-1]
        self.relative_error: float = run.loss.relative(self.objective)

    @property
    def W(self) -> NDArray[np.floating[Any]]:
        """The current W, of shape (n_samples, n_components)."""
        return self._weights.unscale_W(self._current.W[:, : self._n_components].astype(self._dtype))

    @property
    def H(self) -> NDArray[np.floating[Any]]:
        """The current H, of shape (n_components, n_features)."""
        # The only copy, because H may be most of what there is.
        H = self._current.Ht[:, : self._n_components].T.astype(self._dtype, order="C")
        return self._weights.unscale_H(H, out=H)
