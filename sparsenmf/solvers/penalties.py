"""Penalties and constraints of the rows of a factor.

The objective of a factorization of X (n_samples x n_features) is

    1/2 ||X - W H||_F^2
      + alpha_W n_features (l1_ratio sum(W) + (1 - l1_ratio) / 2 ||W||_F^2)
      + alpha_H n_samples  (l1_ratio sum(H) + (1 - l1_ratio) / 2 ||H||_F^2)

so an alpha has the same effect for matrices of any size.
"""

from typing import NamedTuple

import numpy as np

from ..data.factors import sum_columns, sum_squares


class Penalty(NamedTuple):
    """Weights of sum(row) and of ||row||^2 / 2 in the objective, and which entries may move.

    Attributes
    ----------
    l1, l2 : ndarray of shape (1,) or (n_rows,), float64
        One for all rows, or one for each.
    free : ndarray of shape (width,), bool
        Components that may move; the others stay exactly as they are.
    support : ndarray of shape (0 or n_rows, width), bool
        Entries that may differ from zero. Without rows, all of them may. Other entries must be
        zero from the start.
    """

    l1: np.ndarray
    l2: np.ndarray
    free: np.ndarray
    support: np.ndarray

    def part(self, rows):
        """Return the penalty of a slice of the rows."""
        l1, l2 = (weight if len(weight) == 1 else weight[rows] for weight in (self.l1, self.l2))
        return self._replace(l1=l1, l2=l2, support=self.support[rows])

    def value(self, factor):
        """Return the penalty of a factor, summed in float64."""
        return _weighted_sum(self.l1, factor, sum_columns, _sum_rows) + 0.5 * _weighted_sum(
            self.l2, factor, sum_squares, _sum_squares_of_rows
        )

    def binds(self):
        """Return whether the scale of the factor matters beyond the fit."""
        return bool(self.l1.any() or self.l2.any() or not self.free.all())

    def idle(self):
        """Return which components may move and have no penalty."""
        return self.free & ~(self.l1.any() | self.l2.any())

    def fold_into(self, gram):
        """Return the float64 gram matrix with the L2 weight of all rows on its diagonal."""
        return gram + self.l2[0] * np.eye(len(gram)) if self.l2[0] else gram

    def weigh(self, weights, beta):
        """Return the penalty for rows that are multiplied by ``weights**(1 / beta)``.

        A row of weight c counts c times, its penalty included.
        """
        if weights is None:
            return self
        c = np.where(weights > 0, weights, 1.0)
        l2 = self.l2 if beta == 2 else self.l2 * c ** (1 - 2 / beta)
        return self._replace(l1=self.l1 * c ** (1 - 1 / beta), l2=l2)


def _weighted_sum(weight, factor, by_columns, by_rows):
    if len(weight) == 1:
        return float(weight[0] * by_columns(factor).sum()) if weight[0] else 0.0
    return float(np.sum(weight * by_rows(factor))) if weight.any() else 0.0


def _sum_rows(factor):
    return factor.sum(axis=1, dtype=np.float64)


def _sum_squares_of_rows(factor):
    # einsum: no squared copy of the factor, no BLAS threads.
    return np.einsum("ir,ir->i", factor, factor, dtype=np.float64)


def make_penalty(l1, l2, width):
    """Return a penalty with the same weights for all rows, and no constraint.

    Parameters
    ----------
    l1, l2 : float
    width : int
        The width of the padded factor.
    """
    free, support = np.ones(width, bool), np.ones((0, width), bool)
    return Penalty(np.array([float(l1)]), np.array([float(l2)]), free, support)


def make_penalties(sizes, alpha_W, alpha_H, l1_ratio, width):
    """Return the penalties of W and of H.

    Parameters
    ----------
    sizes : (n_samples, n_features)
        Or the sums of their weights.
    alpha_W, l1_ratio : float
    alpha_H : float or "same"
    width : int
    """
    n_samples, n_features = sizes
    alphas = alpha_W * n_features, (alpha_W if alpha_H == "same" else alpha_H) * n_samples
    return tuple(make_penalty(a * l1_ratio, a * (1 - l1_ratio), width) for a in alphas)
