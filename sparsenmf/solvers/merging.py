"""Fewer components from more: those that are most alike become one.

A fit may have one component twice and two others as one, which no update can undo. A fit with more
components has both of the others, too, and merging those that are most alike leaves one of each.

The components are clustered from the bottom up. What two of them lose by becoming one is known for
the Frobenius loss: the square of a singular value. For Kullback-Leibler it is estimated.

To give two components of masses a and b the same profile costs at most their masses times the
divergence of Jensen and Shannon: a log((a + b) / a) + b log((a + b) / b) if the profiles have
nothing in common, and less the larger the cosine of their roots is (Bhattacharyya's coefficient).
Where one profile is the same, of W or of H, two components are one: nothing is lost. So the cost is
that of profiles with nothing in common, times one minus the cosine in W, times one minus the cosine
in H. The larger of both cosines alone led to median ends .1 to .25% worse, on counts of words with
20 and 50 components.
"""

import numpy as np

from ..data.factors import empty_factor, sum_columns


def merge_components(factors, grams, n_kept):
    """Return padded factors of fewer components, for the Kullback-Leibler loss.

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


def merge_squares(factors, grams, n_kept):
    """Return padded factors of fewer components, for the Frobenius loss.

    Two components are replaced by the best approximation of rank one to their sum, which is
    non-negative, as they are (Perron and Frobenius): each time those two that lose least by it.

    Parameters
    ----------
    factors : (W, Ht)
        Padded.
    grams : sequence of two ndarrays of shape (n_components, n_components), float64
        The gram matrix of each factor.
    n_kept : int
        How many components to return.
    """
    length = np.sqrt(np.diag(grams[0]))
    length = np.where(length > 0, length, 1.0)  # of each column of W, which is moved to that of Ht
    grams = [grams[0] / length / length[:, None], grams[1] * length * length[:, None]]
    grams[1] /= grams[1].max() or 1.0
    mixtures = [np.diag(1 / length), np.diag(length)]  # each kept component, of all there were
    while len(grams[0]) > n_kept:
        loss = _second_squares(*grams)
        pair = sorted(np.unravel_index(loss.argmin(), loss.shape))
        shares = _best_of_rank_one(*(gram[np.ix_(pair, pair)] for gram in grams))
        for side, (one, other) in enumerate(shares):
            for axis in (0, 1):  # a gram matrix has the components along both
                grams[side] = _combine(grams[side], pair, one, other, axis)
            mixtures[side] = _combine(mixtures[side], pair, one, other, 1)
    merged = []
    for factor, mixture in zip(factors, mixtures, strict=True):
        out = empty_factor((len(factor), n_kept), factor.dtype)
        for r, place in zip(*np.nonzero(mixture), strict=True):
            out[:, place] += factor[:, r] * factor.dtype.type(mixture[r, place])
        merged.append(out)
    return tuple(merged)


def _second_squares(gram_W, gram_Ht):
    """Return the square of the second singular value of the sum of each two components."""
    sizes = [np.multiply.outer(np.diag(gram), np.diag(gram)) for gram in (gram_W, gram_Ht)]
    squares = np.diag(gram_W) * np.diag(gram_Ht)
    total = squares + squares[:, None] + 2 * gram_W * gram_Ht
    product = np.maximum(sizes[0] - gram_W**2, 0) * np.maximum(sizes[1] - gram_Ht**2, 0)
    first = (total + np.sqrt(np.maximum(total**2 - 4 * product, 0))) / 2
    found = np.divide(product, first, out=np.zeros_like(first), where=first > 0)
    np.fill_diagonal(found, np.inf)
    return found


def _best_of_rank_one(gram_W, gram_Ht):
    """Return the shares of two components in the W and in the H of the best that replaces both."""
    product = gram_Ht @ gram_W
    half, determinant = np.trace(product) / 2, np.linalg.det(product)
    first = half + np.sqrt(max(half**2 - determinant, 0.0))
    candidates = [[product[0, 1], first - product[0, 0]], [first - product[1, 1], product[1, 0]]]
    of_W = np.maximum(max(candidates, key=sum), 0)
    of_W = of_W / of_W.sum() if of_W.sum() > 0 else np.array([1.0, 0.0])
    of_H = gram_W @ of_W
    length = float(of_W @ of_H)
    return of_W, (of_H / length if length > 0 else np.array([1.0, 0.0]))


def _combine(array, pair, one, other, axis):
    """Return an array with a combination of two of its columns, or rows, for both."""
    kept, gone = pair
    array = np.moveaxis(array.copy(), axis, 0)
    array[kept] = one * array[kept] + other * array[gone]
    return np.moveaxis(np.delete(array, gone, axis=0), 0, axis)
