"""Where the rows of both factors come from, and how an iteration visits them."""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np

from ..data.factors import empty_factor, sum_squares
from ..data.rows import Rows
from ..kernels.products import measure_rows
from .numerics import exact_gram
from .row_update import Pass, Step

MEASURE = Pass(sweeps=0, summary=True)


class Iterate(NamedTuple):
    """A pair of factors and its own objective, never that of another pair."""

    W: Any  # an array, or, on a cluster, a handle of one
    Ht: np.ndarray
    objective: float


class Proposal(NamedTuple):
    """The result of an iteration, before it is accepted.

    Attributes
    ----------
    W, Ht : ndarray
        The new factors.
    fit : float
        Objective without the loss's constant and the penalty of W.
    summary_W : object or None
        The summary of the new W, if known.
    residual_H : float or None
        The residual of the new H, if measured.
    """

    W: Any
    Ht: np.ndarray
    fit: float
    summary_W: Any = None
    residual_H: float | None = None


class Layout:
    """X and its transpose in memory: both factors are updated from sparse rows.

    Parameters
    ----------
    update : RowUpdate
    rows, columns : Rows
        X and its transpose.
    penalty_W, penalty_H : Penalty
    """

    def __init__(self, update, rows, columns, penalty_W, penalty_H):
        self.update, self.rows, self.columns = update, rows, columns
        self.penalty_W, self.penalty_H = penalty_W, penalty_H

    def convert(self, convert, update):
        """Return this layout with its parts converted, for instance to another precision."""
        parts = self.rows, self.columns, self.penalty_W, self.penalty_H
        return type(self)(update, *map(convert, parts))

    def propose(self, current, spare, summary_Ht, sweeps, measure):
        """Update both factors, W first, and return the next pair, in the spare factors.

        Parameters
        ----------
        current : Iterate
        spare : (W, Ht)
            Overwritten. The iteration begins at this Ht, whose summary is `summary_Ht`.
        sweeps : int
        measure : bool
            Whether to measure H, too.
        """
        W, Ht = spare
        how = Pass(sweeps=sweeps, objective=False, summary=True)
        summary = self.update_W(Ht, summary_Ht, current.W, W, how).summary
        step = self.update_H(W, summary, Ht, Ht, Pass(sweeps=sweeps, residual=measure))
        return Proposal(W, Ht, step.objective, summary, step.residual if measure else None)

    def update_W(self, Ht, summary, W, out, how):
        """Update the rows of W, given Ht and its summary."""
        return self.update.update(self.rows, Ht, summary, self.penalty_W, W, out, how)

    def update_H(self, W, summary, Ht, out, how):
        """Update the rows of Ht, given W and its summary."""
        return self.update.update(self.columns, W, summary, self.penalty_H, Ht, out, how)

    def measure_W(self, Ht, summary, W, how):
        """Measure the rows of W, which do not move."""
        return self.update.measure(self.rows, Ht, summary, self.penalty_W, W, how)

    def measure_H(self, W, summary, Ht):
        """Measure the rows of Ht, which do not move."""
        return self.update.measure(self.columns, W, summary, self.penalty_H, Ht, Pass(sweeps=0))

    def summarize_W(self, W):
        """Return the summary of a W that was not updated yet."""
        return self.update.summarize(W, self.rows)

    def summarize_H(self, Ht):
        """Return the summary of an Ht."""
        return self.update.summarize(Ht, self.columns)

    def squared_error(self, W, Ht):
        """Return ||X - W H||^2, all in float64."""
        everywhere = 0.0
        if self.rows.absent:
            everywhere = float(np.einsum("rs,rs->", exact_gram(W), exact_gram(Ht)))
        return sum_residuals(self.rows, W, Ht, self.update.n_threads) + everywhere

    def squares(self, W):
        """Return the squared lengths of the columns of W."""
        return sum_squares(W)

    def divide(self, W, scale, out):
        """Return W with its columns divided, in `out`."""
        return np.divide(W, scale, out=out)

    def empty_W(self, W, folder):
        """Return memory for another W, or a file in that folder."""
        return empty_factor(W.shape, W.dtype, folder, self.update.n_threads)

    def finish_iteration(self, current, spare):
        """Do periodic work after an iteration; `spare` may be overwritten."""


class LooksAhead(Layout, ABC):
    """Multiplicative updates with one pass over X in each iteration, where passes are dear.

    A pass reads X for one pair (W, Ht). It finds the objective of the pair, the next W, and what
    the next Ht needs, from the next W and this Ht. An iteration therefore computes the next Ht from
    what the previous pass found, and then makes a pass for the new pair. The iterates and their
    objectives are those of a `Layout` in memory, up to rounding. The next W takes a third array of
    its size.
    """

    def __init__(self, update, rows, columns, penalty_W, penalty_H):
        super().__init__(update, rows, columns, penalty_W, penalty_H)
        self.ahead: Any = None
        self._ahead_of = self._summary_ahead = None

    @abstractmethod
    def look(self, W, Ht, summary_Ht, next_W):
        """Make a pass for (W, Ht), and set the next W.

        Returns
        -------
        fit : float
            The objective of W, without the loss's constant.
        summary : object
            The summary of the next W.
        """

    def empty_W(self, W, folder):
        """Return memory for another W, and keep memory for the next one."""
        self.ahead = super().empty_W(W, folder)
        return super().empty_W(W, folder)

    def is_ahead_of(self, W, Ht):
        """Return whether the last pass was for this pair, so that `ahead` is its next W."""
        return self._ahead_of is not None and self._ahead_of[0] is W and self._ahead_of[1] is Ht

    def propose(self, current, spare, summary_Ht, sweeps, measure):
        """Return the next pair. Its W is known already, and a pass for the pair finds the rest."""
        W, Ht, _ = current
        if not self.is_ahead_of(W, Ht):
            _, self._summary_ahead = self.look(W, Ht, summary_Ht, self.ahead)
        self._ahead_of = None  # until the pass has ended
        W_new, Ht_new = self.ahead, spare[1]
        self.update_H(W_new, self._summary_ahead, Ht_new, Ht_new, Pass(objective=False))
        summary_Ht = self.update.summarize(Ht_new, self.columns)
        fit, self._summary_ahead = self.look(W_new, Ht_new, summary_Ht, spare[0])
        self.ahead, self._ahead_of = spare[0], (W_new, Ht_new)
        fit += self.penalty_H.value(Ht_new) - self.penalty_W.value(W_new)
        return Proposal(W_new, Ht_new, fit)

    def measure_W(self, Ht, summary, W, how):
        """Measure the rows of W, and sum what those of H need."""
        self._ahead_of = None  # the sums are now those of W, not of the next W
        return super().measure_W(Ht, summary, W, how)


def sum_residuals(rows: Rows, W, Ht, n_threads):
    """Return the sum over the stored entries of (x - y)^2 - y^2."""
    sums = np.zeros(rows.n_blocks)
    measure_rows(n_threads, rows, W, Ht, sums)
    return float(sums.sum())


def add_steps(steps):
    """Return the sum of the steps of several blocks."""
    objective = residual = 0.0
    summary: Any = 0.0
    for step in steps:
        objective += step.objective or 0.0
        residual += step.residual
        summary = summary + step.summary if step.summary is not None else None
    return Step(objective, residual, summary)
