"""How much alike models are, whatever the order and scale of their components."""

import numpy as np

from ..topics.similarity import match_components

MOST_SAMPLES = 2000
"""The cophenetic coefficient needs an array of n_samples x n_samples: for no more of them."""


class Halves:
    """Stability: the components that two random halves of the samples have in common.

    Fits of the same samples also agree on noise that they share, so that the similarity of
    restarts peaks by chance. The noise of two halves is independent.

    Attributes
    ----------
    models : list of Factorization
        Of the halves of the fold that was scored last.
    """

    direction = -1  # to be maximised
    n_fits = 2  # of a fold

    def __init__(self, X, n_folds, beta, seeds):
        self.X, self.n_folds, self.seeds, self.models = X, n_folds, seeds, []
        self.most_components = min(X.shape[0] // 2, X.shape[1])
        self.scratch = X.nnz * (X.dtype.itemsize + 4) // 2

    def split(self, fold):
        """Return the halves."""
        order = self.seeds.generator(0, fold).permutation(self.X.shape[0])
        middle = len(order) // 2
        return tuple(self.X[np.sort(half)] for half in (order[:middle], order[middle:]))

    def training(self, fold):
        """Return what is factorized."""
        return self.split(fold)[0]

    def score(self, fold, fit):
        """Return the mean cosine of components with their partners, and the first model."""
        self.models = [fit(half) for half in self.split(fold)]
        return float(agreement([model.H for model in self.models])[0]), self.models[0]


def agreement(factors):
    """Return, for each H, the mean cosine of its components with their partners in the others."""
    n = len(factors)
    means = np.zeros((n, n))
    for a in range(n):
        for b in range(a):
            means[a, b] = means[b, a] = match_components(factors[a], factors[b])[1].mean()
    return means.sum(axis=1) / (n - 1)


def cophenetic_coefficient(loadings):
    """Return how well samples that share a component form a tree; 1 where all runs agree.

    Brunet et al. 2004, "Metagenes and molecular pattern discovery using matrix
    factorization", PNAS 101(12).

    Parameters
    ----------
    loadings : list of ndarray of shape (n_samples, n_components)
        The W of each run.

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
        heaviest = W.argmax(axis=1)
        distances -= (heaviest[upper[0]] == heaviest[upper[1]]) / len(loadings)
    if np.ptp(distances) < 1e-9:  # all together in every run: no tree, and no disagreement
        return 1.0
    return float(cophenet(average(distances), distances)[0])


def check_samples(n_samples):
    """Raise if there are too many samples for the cophenetic coefficient."""
    if n_samples > MOST_SAMPLES:
        raise ValueError(
            f"cophenetic needs {n_samples} x {n_samples} numbers: it is for at most "
            f"{MOST_SAMPLES} samples"
        )
