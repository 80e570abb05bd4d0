"""Held-out blocks: bi-cross-validation.

Owen & Perry 2009, "Bi-cross-validation of the SVD and the nonnegative matrix factorization",
Annals of Applied Statistics 3(2), section 5. Some rows and some columns are held out:

    X = [ A  B ]      D is factorized. The W of A is fitted to B, given the H of D, and the H of
        [ C  D ]      A is fitted to C, given the W of D. The loss is that of A.
"""

import numpy as np

from ..models.components import Components
from .losses import block_loss, floor_of, norm_of


class Blocks:
    """Bi-cross-validation: each fold holds out one part of the rows and one of the columns.

    Parameters
    ----------
    matrix : WeightedMatrix
    n_folds : int
        Number of parts of the rows, and of the columns.
    beta : float
        The beta of the loss: 2 or 1, or any other if what is not stored is unknown.
    seeds : Generators
    """

    n_fits = 1  # for each fold

    def __init__(self, matrix, n_folds, beta, seeds):
        self.matrix, self.n_folds, self.beta, self.seeds = matrix, n_folds, beta, seeds
        if n_folds > min(matrix.shape):
            raise ValueError(
                f"n_repeats is {n_folds}, but X is {matrix.shape[0]} x {matrix.shape[1]}"
            )
        rng = seeds.generator(0)
        self._parts = [rng.permutation(size) % n_folds for size in matrix.shape]
        self.floor = floor_of(matrix, beta)

    @property
    def most_components(self):
        """The most components that the matrix of a fold allows."""
        return min(len(part) - int(np.bincount(part).max()) for part in self._parts)

    @property
    def scratch(self):
        """Bytes that a fold takes besides the matrix that is factorized: the other blocks."""
        return self.matrix.X.nnz * (self.matrix.X.dtype.itemsize + 4)

    def split(self, fold):
        """Return the blocks A, B, C and D."""
        held = [np.flatnonzero(part == fold) for part in self._parts]
        kept = [np.flatnonzero(part != fold) for part in self._parts]
        above, below = self.matrix.take(held[0]), self.matrix.take(kept[0])
        return tuple(
            part.take(columns=columns) for part in (above, below) for columns in (held[1], kept[1])
        )

    def training(self, fold):
        """Return the matrix that is factorized."""
        return self.split(fold)[3]

    def score(self, fold, fit):
        """Return the relative loss of A, and the model of D.

        Parameters
        ----------
        fold : int
        fit : callable
            Takes a `WeightedMatrix`, and optionally W, H and max_iter; returns the model.
        """
        A, B, C, D = self.split(fold)
        unit = norm_of(A, self.beta)
        if unit == 0 or D.X.nnz == 0:
            raise ValueError(
                f"n_repeats={self.n_folds} holds out a block of {A.shape[0]} x {A.shape[1]} "
                f"without a nonzero: choose a smaller number"
            )
        model = fit(D)
        n_threads = fit.keywords.get("n_threads")
        turned = C.transposed()
        W = model.transform(B.X, weights=B.entries, n_threads=n_threads)
        other = other_side(model, D.samples)
        H = other.transform(turned.X, weights=turned.entries, n_threads=n_threads).T
        return block_loss(A, W, H, self.beta, self.floor, D.X.data.max()) / unit, model


def other_side(model, samples=None):
    """Return W' as the components of X', with the penalty that H had.

    Parameters
    ----------
    model : Factorization
    samples : ndarray of shape (n_samples,), optional
        The weights of the samples in the fit: those of the features of X'.
    """
    options = model.options
    alpha_H = options["alpha_H"]
    alpha = options["alpha_W"] if alpha_H == "same" else alpha_H
    H, options = np.ascontiguousarray(model.W.T), {**options, "alpha_W": alpha}
    return Components(H=H, options=options, feature_weight=samples)
