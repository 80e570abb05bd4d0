"""Multiplicative updates one block of rows at a time, in one pass over X an iteration.

For the Frobenius loss as in `blocks`. For the Kullback-Leibler loss a pass looks at one
pair (W, Ht), a block after the other, and finds all that needs X: the objective of the
pair, the next W, and, from its rows, the numerators sum of x_ij / y_ij w_i for the next
Ht. So an iteration is: the next Ht, from what the pass before has found, and a pass over
the new pair. The iterates, and the objective of each, are those of `MultiplicativeBeta`,
up to rounding; the next W, which is ahead of them, takes a third array of its size.
"""

from ..kernels.multiplicative import RESIDUAL, UPDATE, UPDATE_AND_OBJECTIVE, scatter_ratios
from .alternation import Iterate
from .blocks import BlockDescent, cut_rows, empty_sums
from .multiplicative import MultiplicativeBeta, MultiplicativeFrobenius


class BlockMultiplicativeFrobenius(BlockDescent, MultiplicativeFrobenius):
    """beta = 2, with `BlockRows` as its rows and columns without entries."""


class BlockKullbackLeibler(MultiplicativeBeta):
    """beta = 1, with `BlockRows` as its rows and columns without entries."""

    def _allocate(self, width):
        super()._allocate(width)
        self._numerators = empty_sums(self.rows, width)
        self._ahead = self._empty_like(self.current.W, self._W_folder)
        self._ready = False  # whether the next W and its numerators are those of the current pair

    def iterate(self):
        """Run one iteration."""
        before = self.current
        super().iterate()
        self._ready = self.current is not before  # else what is ahead is that of a rejected pair

    def _propose(self):
        W, Ht, _ = self.current
        if not self._ready:
            self._look(W, Ht, self._summary_Ht, self._ahead)
        self._ready = False  # until the pass has come to its end
        W_new, Ht_new = self._ahead, self._spare[1]
        self._run(
            self.columns, W_new, self._summary_ahead, self.penalty_H, Ht_new, Ht_new, UPDATE,
            earlier=self._numerators,
        )  # fmt: skip
        fit = self._look(W_new, Ht_new, self._sum_columns(Ht_new, self.columns), self._spare[0])
        penalties = self.penalty_W.value(W_new) + self.penalty_H.value(Ht_new)
        objective = self.loss.constant + fit + self.penalty_H.value(Ht_new)
        # The spare W, which is now ahead, and that which was change places.
        self._ahead, self._spare = self._spare[0], (W_new, Ht_new)
        return Iterate(W_new, Ht_new, max(objective, penalties))

    def _look(self, W, Ht, summary_Ht, next_W):
        """Set the next W and its numerators; return the objective of W but for its constant."""
        fit, _, self._summary_ahead = self._pass(
            Ht, summary_Ht, self.penalty_W, W, next_W, UPDATE_AND_OBJECTIVE
        )
        return fit

    def _measure(self, rows, other, summary, penalty, factor, spare, *, last):
        if rows is self.columns:
            _, residual = self._run(
                rows, other, summary, penalty, factor, spare, RESIDUAL, earlier=self._numerators
            )
            return residual, None
        self._ready = False  # the numerators are now those of W, not of the next one
        _, residual, sums = self._pass(other, summary, penalty, factor, factor, RESIDUAL)
        return residual, sums

    def _pass(self, other, summary, penalty, factor, out, mode):
        """Run over the rows, and sum the numerators of `out`.

        Return the objective, the residual, and the sums of the columns of `out`.
        """
        fit = residual = sums = 0.0
        self._numerators.fill(0)
        for start, stop, block in self.rows:
            part = slice(start, stop)
            part_fit, part_residual = self._run(
                block, other, summary, penalty.part(part), factor[part], out[part], mode
            )
            fit, residual = fit + part_fit, residual + part_residual
            sums = sums + self._sum_columns(out[part], block)
            parts = cut_rows(block, len(self._numerators))
            scatter_ratios(self.n_threads, block, parts, out[part], other, self._numerators)
        return fit, residual, sums
