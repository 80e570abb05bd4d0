"""L1 and L2 penalties on the factors, scaled as scikit-learn does.

The objective of a factorization of X (n_samples x n_features) is

    1/2 ||X - W H||_F^2
      + alpha_W n_features (l1_ratio sum(W) + (1 - l1_ratio) / 2 ||W||_F^2)
      + alpha_H n_samples  (l1_ratio sum(H) + (1 - l1_ratio) / 2 ||H||_F^2)

so the same alpha means the same for matrices of any size.
"""

from typing import NamedTuple

import numpy as np


class Penalty(NamedTuple):
    """Weights of sum(factor) and of ||factor||^2 / 2 in the objective."""

    l1: float
    l2: float

    def value(self, factor):
        """Return the penalty of a factor, summed in float64."""
        total = 0.0
        if self.l1:
            total += self.l1 * float(factor.sum(dtype=np.float64))
        if self.l2:
            # einsum: no squared copy of the factor, no BLAS threads.
            total += 0.5 * self.l2 * float(np.einsum("ir,ir->", factor, factor, dtype=np.float64))
        return total

    def fold_into(self, gram):
        """Return the float64 gram matrix with the L2 weight on its diagonal."""
        return gram + self.l2 * np.eye(len(gram)) if self.l2 else gram


def make_penalties(shape, alpha_W, alpha_H, l1_ratio):
    """Return the penalties of W and of H.

    Parameters
    ----------
    shape : (n_samples, n_features)
    alpha_W, l1_ratio : float
    alpha_H : float or "same"
    """
    n_samples, n_features = shape
    alpha_H = alpha_W if alpha_H == "same" else alpha_H
    return (
        Penalty(alpha_W * l1_ratio * n_features, alpha_W * (1 - l1_ratio) * n_features),
        Penalty(alpha_H * l1_ratio * n_samples, alpha_H * (1 - l1_ratio) * n_samples),
    )
