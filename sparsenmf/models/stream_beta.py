"""What a stream adds up for losses other than the Frobenius norm and Kullback-Leibler.

    A <- f A + H^(1/gamma) * N and B <- f B + D;    H = (A / (B + penalties))^gamma

with the numerators N = W_b' (X_b Y^(beta - 2)) and denominators D = W_b' Y^(beta - 1) of the
multiplicative update, Y = W_b H (Févotte & Idier 2011; so does scikit-learn's MiniBatchNMF). What
no component has of a feature yet has not been seen, and counts for nothing.
"""

import numpy as np

from ..solvers.row_update.divergences import exponent


def learn_beta(parts, Ht, sums, prior, penalty, fade, beta):
    """Return the next Ht and the next sums (A, B).

    Parameters
    ----------
    parts : (N, D)
        Of the batch, ndarrays of shape (n_features, width), float64.
    Ht : ndarray of shape (n_features, width)
    sums : (A, B)
        So far.
    prior : float
        What the start counts in the first batch that has a component.
    penalty : Penalty
        Of H.
    fade, beta : float
    """
    numerators, denominators = parts
    gamma, (A, B) = exponent(beta), sums
    root = Ht.astype(np.float64) ** (1 / gamma)
    denominators = np.where(Ht > 0, denominators, 0.0)
    first = np.where(B == 0, prior * denominators, 0.0)
    A = fade * (A + root * first) + root * numerators
    B = fade * (B + first) + denominators
    base = B + np.where(B > 0, penalty.l1 + penalty.l2 * Ht, 0.0)
    ratio = np.divide(A, base, out=np.zeros_like(A), where=B > 0)
    with np.errstate(under="ignore"):
        return np.where(B > 0, ratio**gamma, Ht).astype(Ht.dtype), (A, B)


def hold_beta(Ht, B, penalty, beta):
    """Return the A with which Ht stays what it is."""
    wide = Ht.astype(np.float64)
    base = B + np.where(B > 0, penalty.l1 + penalty.l2 * wide, 0.0)
    return wide ** (1 / exponent(beta)) * base
