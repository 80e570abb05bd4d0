"""A progress display for long runs; tqdm's where it is installed."""

import sys
import time

EVERY = 0.5  # seconds between lines of the plain display


def open_progress(show, total, name="factorize", unit="it"):
    """Return a display with `update(n_iter, relative_error)` and `close()`."""
    if not show:
        return Silent()
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return Plain(total, name)
    return Bar(tqdm(total=total, desc=name, unit=unit))


class Silent:
    """No display."""

    def update(self, n_iter, relative_error):
        """Show nothing."""

    def close(self):
        """End the display."""


class Bar(Silent):
    """A tqdm bar, in a terminal or a notebook."""

    def __init__(self, bar):
        self._bar = bar

    def update(self, n_iter, relative_error):
        """Move the bar."""
        self._bar.set_postfix_str(f"relative error {relative_error:.5f}", refresh=False)
        self._bar.update(n_iter - self._bar.n)

    def close(self):
        """End the bar; the iterations done are all that were needed."""
        self._bar.total = self._bar.n
        self._bar.refresh()
        self._bar.close()


class Plain(Silent):
    """One line on stderr, rewritten in place."""

    def __init__(self, total, name="factorize"):
        self._total, self._name, self._shown = total, name, 0.0

    def update(self, n_iter, relative_error):
        """Rewrite the line, at most every `EVERY` seconds."""
        if time.monotonic() - self._shown >= EVERY:
            self._shown = time.monotonic()
            line = f"\r{self._name}: {n_iter}/{self._total} relative error {relative_error:.5f}"
            sys.stderr.write(line)
            sys.stderr.flush()

    def close(self):
        """Leave the line."""
        sys.stderr.write("\n")


class IterationState:
    """What a callback sees after an iteration.

    Attributes
    ----------
    n_iter : int
        Iterations done.
    objective : float
        Of the factors reached so far, penalties included.
    relative_error : float
        ``sqrt(2 * objective) / x_norm``, see `Factorization`.
    seconds : float
        Since the beginning of `factorize`, but for compiling.
    W, H : ndarray
        Copies of the factors, components in their working order.
    """

    def __init__(self, run, stopping, weights):
        self._current, self._n_components = run.current, run.n_components
        self._weights, self._dtype = weights, run.dtype
        self.n_iter = len(stopping.history)
        self.objective, self.seconds = stopping.history[-1]
        self.relative_error = run.loss.relative(self.objective)

    @property
    def W(self):
        """The current W, of shape (n_samples, n_components)."""
        return self._weights.unscale_W(self._copy(self._current.W))

    @property
    def H(self):
        """The current H, of shape (n_components, n_features)."""
        return self._weights.unscale_H(self._copy(self._current.Ht).T.copy())

    def _copy(self, factor):
        return factor[:, : self._n_components].astype(self._dtype)
