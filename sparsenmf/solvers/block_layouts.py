"""Updates of one block of rows at a time: without a transpose, and X may be on disk.

An iteration is one pass over X. It updates the rows of W block by block, and adds up each block's
share of X' W and W' W. The rows of H need no more than these sums. The iterates are those of a
`Layout` in memory, up to rounding. X' W is summed by scattering each row of W to the columns of
its entries. For matrices with far more rows than columns this is also faster: the sums stay in
cache, and W would not.
"""

from typing import Any

import numpy as np

from .blocks import cut_rows, empty_sums
from .layout import Layout, LooksAhead, add_steps, sum_residuals
from .numerics import exact_gram
from .row_update import Pass


class Blocks(Layout):
    """A layout whose rows come in blocks, and whose H is found from sums over the rows."""

    def __init__(self, update, rows, columns, penalty_W, penalty_H):
        super().__init__(update, rows, columns, penalty_W, penalty_H)
        self._cross: Any = None  # X' W, or the numerators; allocated when it is first needed

    def update_W(self, Ht, summary, W, out, how):
        """Update the rows of W, and sum X' W for those of H."""
        self._clear(W)

        def steps():
            for part, block, penalty in cut_pass(self.rows, self.penalty_W):
                yield self.update.update(block, Ht, summary, penalty, W[part], out[part], how)
                self._scatter(block, out[part], Ht)

        return add_steps(steps())

    def update_H(self, W, summary, Ht, out, how):
        """Update the rows of Ht from the sums."""
        return super().update_H(W, summary, Ht, out, how._replace(earlier=self._cross))

    def measure_W(self, Ht, summary, W, how):
        """Measure the rows of W, and sum X' W if H will be measured, too."""
        self._clear(W)

        def steps():
            for part, block, penalty in cut_pass(self.rows, self.penalty_W):
                yield self.update.measure(block, Ht, summary, penalty, W[part], how)
                if how.summary:
                    self._scatter(block, W[part], Ht)

        return add_steps(steps())

    def measure_H(self, W, summary, Ht):
        """Measure the rows of Ht from the sums."""
        how = Pass(sweeps=0, earlier=self._cross)
        return self.update.measure(self.columns, W, summary, self.penalty_H, Ht, how)

    def summarize_W(self, W):
        """Return the summary of a W that was not updated yet, and sum X' W."""
        self._clear(W)
        summary = 0.0
        for start, stop, block in self.rows:
            summary = summary + self.update.summarize(W[start:stop], block)
            self._scatter(block, W[start:stop], None)
        return summary

    def squared_error(self, W, Ht):
        """Return ||X - W H||^2, all in float64."""
        return float(np.einsum("rs,rs->", exact_gram(W), exact_gram(Ht))) + sum(
            sum_residuals(block, W[start:stop], Ht, self.update.n_threads)
            for start, stop, block in self.rows
        )

    def _clear(self, W):
        if self._cross is None:
            self._cross = empty_sums(self.rows, W.shape[1])
        self._cross.fill(0)

    def _scatter(self, block, W, Ht):
        """Add a block's share of the sums from which H is found."""
        self.update.scatter(block, cut_rows(block, len(self._cross)), W, Ht, self._cross)


def cut_pass(rows, penalty):
    """Yield a slice of the rows, its `Rows`, and its penalty, for each block."""
    for start, stop, block in rows:
        part = slice(start, stop)
        yield part, block, penalty.part(part)


class BothSides(Blocks):
    """A store that has both sides: an iteration is a pass over each, and there are no sums.

    Rows do not depend on each other, so those of both factors are the same as in memory. Only what
    is summed over the rows is summed block by block.
    """

    def update_H(self, W, summary, Ht, out, how):
        """Update the rows of Ht from the columns of X."""
        return add_steps(
            self.update.update(block, W, summary, penalty, Ht[part], out[part], how)
            for part, block, penalty in cut_pass(self.columns, self.penalty_H)
        )

    def measure_H(self, W, summary, Ht):
        """Measure the rows of Ht from the columns of X."""
        return add_steps(
            self.update.measure(block, W, summary, penalty, Ht[part], Pass(sweeps=0))
            for part, block, penalty in cut_pass(self.columns, self.penalty_H)
        )

    def _clear(self, W):
        """Do nothing: there are no sums."""

    def _scatter(self, block, W, Ht):
        """Do nothing: there are no sums."""


class RatioBlocks(LooksAhead, Blocks):
    """Multiplicative updates for Kullback-Leibler, with one pass over X in each iteration.

    The numerators for the next Ht are the sums of x_ij / y_ij w_i, with the rows w_i of the next W.
    """

    def look(self, W, Ht, summary_Ht, next_W):
        """Set the next W and its numerators; return the objective of W and the summary."""
        self._clear(W)

        def steps():
            for start, stop, block in self.rows:
                part, penalty = slice(start, stop), self.penalty_W.part(slice(start, stop))
                yield self.update.update_and_look(
                    block, Ht, summary_Ht, penalty, W[part], next_W[part]
                )
                self._scatter(block, next_W[part], Ht)

        fit, _, summary = add_steps(steps())
        return fit, summary


BLOCK_LAYOUTS: dict[tuple[str, float], type[Layout]] = {
    ("cd", 2.0): Blocks,
    ("mu", 2.0): Blocks,
    ("mu", 1.0): RatioBlocks,
    ("cd", 1.0): BothSides,
}
"""The layouts that take X in blocks of rows, by solver and beta."""


def needs_both_sides(solver, beta):
    """Return whether X in blocks must be a store that has both sides for this solver and beta."""
    return BLOCK_LAYOUTS.get((solver, beta)) is BothSides


def takes_blocks(solver, beta, *, both_sides=False):
    """Return whether a solver can minimise a beta divergence of an X in blocks.

    Parameters
    ----------
    solver : str
    beta : float
    both_sides : bool
        Whether X is a store that has its transpose.
    """
    known = (solver, beta) in BLOCK_LAYOUTS
    return known and (both_sides or not needs_both_sides(solver, beta))
