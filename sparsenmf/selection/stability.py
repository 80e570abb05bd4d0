"""Stability: the similarity of models, whatever the order and scale of their components."""

import numpy as np

from ..topics.similarity import match_components

MOST_SAMPLES = 2000
"""Limit of the cophenetic coefficient, which takes an array of n_samples x n_samples."""


class Halves:
    """Scores by the similarity of the components of two random halves of the samples.

    Fits of the same samples also agree on the noise of these samples, so the similarity of
    restarts can peak by chance. The noise of two halves is independent.

    Attributes
    ----------
    models : list of Factorization
        The models of both halves, of the fold that was scored last.
    """

    n_fits = 2  # for each fold

    def __init__(self, matrix, n_folds, beta, seeds):
        self.matrix, self.n_folds, self.seeds, self.models = matrix, n_folds, seeds, []
        self.most_components = min(matrix.shape[0] // 2, matrix.shape[1])
        self.scratch = matrix.X.nnz * (matrix.X.dtype.itemsize + 4) // 2

    def split(self, fold):
        """Return the two halves of the samples."""
        order = self.seeds.generator(0, fold).permutation(self.matrix.shape[0])
        middle = len(order) // 2
        halves = order[:middle], order[middle:]
        return tuple(self.matrix.take(np.sort(half)) for half in halves)

    def training(self, fold):
        """Return the first matrix that is factorized."""
        return self.split(fold)[0]

    def score(self, fold, fit):
        """Return the mean cosine between paired components of both halves, and the first model."""
        self.models = [fit(half) for half in self.split(fold)]
        first, second = self.models
        _, cosines = match_components(second.H, first.H)
        return float(cosines.mean()), first

    def loadings(self, n_threads):
        """Return W of all samples, by the model of each half."""
        X, entries = self.matrix.X, self.matrix.entries
        return [half.transform(X, weights=entries, n_threads=n_threads) for half in self.models]


def cophenetic_coefficient(loadings):
    """Return how well the samples form a tree, 1 if all runs put the same samples together.

    The coefficient of Brunet et al. 2004, "Metagenes and molecular pattern discovery using matrix
    factorization", PNAS 101(12).

    Parameters
    ----------
    loadings : list of ndarray of shape (n_samples, n_components)
        W of each run.

    Raises
    ------
    ValueError
        If there are more than `MOST_SAMPLES` samples.
    """
    n_samples = len(loadings[0])
    check_samples(n_samples)
    from scipy.cluster.hierarchy import average, cophenet

    upper = np.triu_indices(n_samples, 1)
    distances = np.ones(len(upper[0]))
    for W in loadings:
        strongest = W.argmax(axis=1)
        distances -= (strongest[upper[0]] == strongest[upper[1]]) / len(loadings)
    if np.ptp(distances) < 1e-9:  # all samples together in every run, so there is no tree
        return 1.0
    return float(cophenet(average(distances), distances)[0])


def check_samples(n_samples):
    """Raise ValueError if there are too many samples for the cophenetic coefficient."""
    if n_samples > MOST_SAMPLES:
        raise ValueError(
            f"cophenetic takes an array of {n_samples} x {n_samples}: it is for at most "
            f"{MOST_SAMPLES} samples"
        )
