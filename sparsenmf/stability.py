"""How much alike runs from different starts are.

Components of two runs are paired one to one so that their cosines add up to the most (the
assignment problem), whatever their order and scale.
"""

import numpy as np

MOST_SAMPLES = 2000
"""The cophenetic coefficient needs an array of n_samples x n_samples: for no more of them."""


def unit_rows(H):
    """Return the rows of H at length 1, those that are zero left alone; float64."""
    H = H.astype(np.float64)
    lengths = np.sqrt(np.einsum("rj,rj->r", H, H))
    return H / np.where(lengths > 0, lengths, 1)[:, None]


def match_components(H, other):
    """Pair the components of two models.

    Returns
    -------
    order : ndarray of int
        ``other[order[r]]`` is the partner of ``H[r]``.
    cosines : ndarray of float
        Of each pair.
    """
    from scipy.optimize import linear_sum_assignment  # here: it takes long to import

    cosines = unit_rows(H) @ unit_rows(other).T
    rows, order = linear_sum_assignment(cosines, maximize=True)
    return order, cosines[rows, order]


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
