"""Fewer components from more: those that are most alike become one.

A fit may have one component twice and two others as one, which no update can undo. A fit with more
components has both of the others, too, and merging those that are most alike leaves one of each.

The components are clustered from the bottom up. To give two components of masses a and b the same
profile costs the Kullback-Leibler loss at most their masses times the divergence of Jensen and
Shannon: a log((a + b) / a) + b log((a + b) / b) if the profiles have nothing in common, and less
the larger the cosine of their roots is (Bhattacharyya's coefficient). Where one profile is the
same, of W or of H, two components are one: nothing is lost. So the cost is that of profiles with
nothing in common, times one minus the cosine in W, times one minus the cosine in H. (The best
approximation of rank one to the sum of two such parts is similar: it loses the square of the second
singular value, which is proportional to the sines of both angles.) The larger of both cosines alone
led to median ends .1 to .25% worse, on counts of words with 20 and 50 components.
"""

import numpy as np

from ..data.factors import empty_factor, sum_columns


def merge_components(factors, grams, n_kept):
    """Return padded factors of fewer components.

    Parameters
    ----------
    factors : (W, Ht)
        Padded.
    grams : sequence of two ndarrays of shape (n_components, n_components)
        The gram matrix of the roots of each factor.
    n_kept : int
        How many components to return.
    """
    n = len(grams[0])
    totals = [sum_columns(factor)[:n] for factor in factors]
    masses = totals[0] * totals[1]
    groups = group_components(masses, [_likeness(gram) for gram in grams], n_kept)
    weights = np.array([masses[group].sum() for group in groups])
    merged = []
    for factor, rates in zip(factors, totals[::-1], strict=True):
        out = empty_factor((len(factor), n_kept), factor.dtype)
        for place, (group, weight) in enumerate(zip(groups, weights, strict=True)):
            for r in group:
                rate = rates[r] / np.sqrt(weight) if weight else 0.0
                out[:, place] += factor[:, r] * factor.dtype.type(rate)
        merged.append(out)
    return tuple(merged)


def group_components(masses, likenesses, n_kept):
    """Return the components that are merged, a list for each one that is kept.

    Parameters
    ----------
    masses : ndarray of shape (n_components,)
        Sum of each component's part of W H.
    likenesses : sequence of ndarrays of shape (n_components, n_components)
        Cosines between the roots of the profiles: of W, and of H.
    n_kept : int
    """
    masses, likeness = masses.copy(), np.array(likenesses)
    groups = [[r] for r in range(len(masses))]
    while len(groups) > n_kept:
        both = masses + masses[:, None]
        share = np.divide(masses, both, out=np.zeros_like(both), where=both > 0)
        cost = (_entropy(masses, share) + _entropy(masses, share).T) * (1 - likeness).prod(axis=0)
        np.fill_diagonal(cost, np.inf)
        r, s = sorted(np.unravel_index(cost.argmin(), cost.shape))
        mixed = share[s, r] * likeness[:, r] + (1 - share[s, r]) * likeness[:, s]
        likeness[:, r] = likeness[:, :, r] = mixed
        masses[r] += masses[s]
        groups[r] += groups.pop(s)
        masses = np.delete(masses, s)
        likeness = np.delete(np.delete(likeness, s, axis=1), s, axis=2)
    return groups


def _likeness(gram):
    """Return the cosines of a gram matrix; zero for columns of zeros."""
    lengths = np.sqrt(np.multiply.outer(np.diag(gram), np.diag(gram)))
    return np.divide(gram, lengths, out=np.zeros_like(gram), where=lengths > 0)


def _entropy(masses, share):
    """Return masses times the logarithms of one over their shares, by column."""
    return -masses * np.log(np.where(share > 0, share, 1.0))
