"""The result of a selection of the number of components, its forecast, and the rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.typing import Axes, Loss, SelectionMethod

LITTLE = 0.01
"""Share of the fall of the held-out loss, from the worst candidate to the best, that is not
worth another component."""

STABLE = 0.75
"""Similarity that a further component must add to be worth it: planted ones that are there add
0.75 to 0.95, others 0.2 to 0.6 and take from the rest (counts with topics of uneven size)."""

PATIENCE = 3
"""Candidates in a row that are worse than the best before: larger ones are not tried."""


@dataclass(repr=False, eq=False)
class Selection:
    """How candidates for the number of components compare.

    Attributes
    ----------
    n_components : int
        The recommendation; `select_n_components` states the rule.
    table : dict of str -> ndarray
        A row for each candidate that was tried: "n_components", "mean", "standard_error", a
        column "1", "2", ... for each fold or pair of halves, and perhaps "cophenetic". A loss is
        relative: to ||X||^2 / 2, or for Kullback-Leibler to sum(X), of what it is of.
    method : str
    loss : str or float
    skipped : tuple of int
        Candidates that were not tried.
    stop_reason : str
        "done", "hopeless" (the larger ones), "time_limit", "callback" or "interrupted".
    seconds : float
    """

    n_components: int
    table: dict[str, NDArray[Any]]
    method: SelectionMethod
    loss: Loss
    skipped: tuple[int, ...]
    stop_reason: str
    seconds: float

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
        """Lines on how it ended."""
        left_out = f", not tried: {', '.join(map(str, self.skipped))}" if self.skipped else ""
        lines = [f"{self.stop_reason} in {self.seconds:.1f} s{left_out}"]
        if self.n_components == self.table["n_components"].max():
            lines.insert(0, "the largest that was tried: more may be better")
        return lines

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the means with their standard errors, and mark the recommendation.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Default: those of a new figure.

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


@dataclass(frozen=True)
class SelectionForecast:
    """What a selection will take.

    Attributes
    ----------
    n_fits : int
        If no candidate is left out.
    seconds : float
        If all fits take their max_iter iterations, from the timing of a few with the fewest
        and the most components, and scored. Fits that converge take less; models that are
        further on take longer to score.
    memory : int
        Bytes beyond X at the peak.
    """

    n_fits: int
    seconds: float
    memory: int

    def __str__(self):
        size = f"{self.memory / 2**20:,.0f} MiB beyond X"
        return f"{self.n_fits} fits, about {self.seconds:.1f} s if none converges, {size}"


def folds_of(table, n_folds):
    """Return the values, of shape (candidates, folds)."""
    return np.column_stack([table[str(fold + 1)] for fold in range(n_folds)])


def _above(folds, best):
    """Return by how much each candidate's mean is above the best one's, and its error."""
    differences = folds - folds[best]
    return differences.mean(axis=1), differences.std(axis=1, ddof=1) / np.sqrt(folds.shape[1])


def fewest(folds):
    """Return the position of the first candidate that is as good as the best."""
    means = folds.mean(axis=1)
    above, error = _above(folds, int(means.argmin()))
    return int(np.argmax(above <= np.maximum(error, LITTLE * np.ptp(means))))


def most_stable(candidates, folds):
    """Return the position of the candidate with the most similarity beyond `STABLE` each.

    The sum over its components, so that it goes on rising while further ones are stable, and
    a chance peak far behind the last of them must outweigh all that are not.
    """
    return int(np.argmax(candidates * (folds.mean(axis=1) - STABLE)))


def hopeless(rows, n_folds):
    """Tell whether the last few candidates are all worse than the best before them."""
    if len(rows) <= PATIENCE:
        return False
    folds = np.array([[row[str(fold + 1)] for fold in range(n_folds)] for row in rows])
    best = int(folds[:-PATIENCE].mean(axis=1).argmin())
    above, error = _above(folds, best)
    return bool((above > error)[-PATIENCE:].all())
