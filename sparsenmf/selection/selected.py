"""The result of a selection, and the rules that recommend a candidate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.typing import Axes, Loss, SelectionMethod
from .sampling import Sample

NEGLIGIBLE = 0.01
"""A gain that is too small for another component, relative to the difference between the worst
and the best held-out loss."""

MIN_SIMILARITY = 0.75
"""The least similarity that another component must add. On counts with planted topics of uneven
size, a true component adds 0.75 to 0.95; a false one adds 0.2 to 0.6 and lowers the others."""

PATIENCE = 3
"""After so many candidates in a row that are worse than the best one, no larger one is tried."""


@dataclass(repr=False, eq=False)
class Selection:
    """The comparison of candidates for the number of components, and a recommendation.

    Attributes
    ----------
    n_components : int
        The recommended number; `select_n_components` states the rule.
    table : dict of str -> ndarray
        Columns "n_components", "mean" and "standard_error"; "1", "2", ... with the score of each
        fold or pair of halves; and, if asked for, "cophenetic". There is a row for each candidate
        that was tried. A held-out loss is relative to half the squared norm of the held-out data,
        or to their sum for Kullback-Leibler.
    method : str
        The method of the selection.
    loss : str or float
        The loss of the fits.
    skipped : tuple of int
        Candidates that were not tried.
    stop_reason : str
        "done", "early_stop", "time_limit", "callback" or "interrupted".
    seconds : float
        Duration of the selection.
    sample : Sample or None
        The rows that were looked at, if not all were: `rows` are their numbers, and `n_rows` is
        how many X has.
    """

    n_components: int
    table: dict[str, NDArray[Any]]
    method: SelectionMethod
    loss: Loss
    skipped: tuple[int, ...]
    stop_reason: str
    seconds: float
    sample: Sample | None = None

    def __repr__(self):
        columns = (self.table[name] for name in ("n_components", "mean", "standard_error"))
        lines = [self._title, f"  {'components':>10}  {self._measure:>13}  standard error"]
        for k, mean, error in zip(*columns, strict=True):
            mark = " <-" if k == self.n_components else ""
            lines.append(f"  {k:>10}  {mean:>13.5f}  {error:>14.5f}{mark}")
        return "\n".join([*lines, *(f"  {line}" for line in self._ending)])

    def _repr_html_(self):
        from ..topics.report.notebook import show_selection

        return show_selection(self, self._title, self._measure, "; ".join(self._ending))

    @property
    def _title(self):
        return f"Selection by {self.method} ({self.loss}): {self.n_components} components"

    @property
    def _measure(self):
        return "similarity" if self.method == "stability" else "held-out loss"

    @property
    def _ending(self):
        """Lines on how the selection ended."""
        left_out = f", not tried: {', '.join(map(str, self.skipped))}" if self.skipped else ""
        of_rows = "" if self.sample is None else f", on {self.sample}"
        lines = [f"{self.stop_reason} in {self.seconds:.1f} s{of_rows}{left_out}"]
        if self.n_components == self.table["n_components"].max():
            lines.insert(0, "the largest candidate is recommended: more may be better")
        return lines

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the mean scores with their standard errors, and mark the recommendation.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Default: the axes of a new figure.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        from ..topics.plots import plot_selection

        return plot_selection(self, ax=ax)


def _excess(folds, best):
    """Return how much each candidate's mean exceeds that of the best, and its standard error."""
    differences = folds - folds[best]
    return differences.mean(axis=1), differences.std(axis=1, ddof=1) / np.sqrt(folds.shape[1])


def one_standard_error_rule(folds):
    """Return the index of the first candidate that is about as good as the best.

    Parameters
    ----------
    folds : ndarray of shape (n_candidates, n_folds)
        Held-out losses.
    """
    means = folds.mean(axis=1)
    excess, error = _excess(folds, int(means.argmin()))
    return int(np.argmax(excess <= np.maximum(error, NEGLIGIBLE * np.ptp(means))))


def most_stable(candidates, folds):
    """Return the index of the candidate whose similarity exceeds `MIN_SIMILARITY` most, in total.

    The excess is summed over the components of a candidate. So it rises as long as further
    components are stable, and a chance peak at many components does not win easily.
    """
    return int(np.argmax(candidates * (folds.mean(axis=1) - MIN_SIMILARITY)))


def stops_early(folds):
    """Return whether the last `PATIENCE` candidates are all worse than the best before them."""
    if len(folds) <= PATIENCE:
        return False
    best = int(folds[:-PATIENCE].mean(axis=1).argmin())
    excess, error = _excess(folds, best)
    return bool((excess > error)[-PATIENCE:].all())
