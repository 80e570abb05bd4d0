"""The sums of a stream over its batches, and the H that follows from them."""

from typing import Any

import numpy as np

from ..data.factors import empty_factor
from ..solvers.penalties import make_penalty
from ..solvers.row_update import Pass
from ..solvers.row_update.divergences import exponent


def learn_beta(parts, Ht, sums, prior, penalty, fade, beta):
    """Return the next Ht and the next sums (A, B), for any beta but 2 and 1.

        A <- f A + H^(1/gamma) * N and B <- f B + D;    H = (A / (B + penalties))^gamma

    with the numerators N = W_b' (X_b Y^(beta - 2)) and denominators D = W_b' Y^(beta - 1) of the
    multiplicative update, Y = W_b H (Févotte & Idier 2011; scikit-learn's MiniBatchNMF does the
    same). Features that no component has yet have not been seen, and count for nothing.

    Parameters
    ----------
    parts : (N, D)
        The sums of the batch, ndarrays of shape (n_features, width), float64.
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


def learn_squares(update, columns, W, Ht, sums, gram, penalty, fade):
    """Return the next Ht, the next sums (B, A) and the gram matrix of Ht, for the Frobenius loss.

        A <- f A + W_b' W_b and B <- f B + X_b' W_b

    and H by coordinate descent on 1/2 <A, H H'> - <B', H>.

    Parameters
    ----------
    update : RowUpdate
        Coordinate descent for H.
    gram : ndarray of shape (width, width)
        W_b' W_b.
    columns, W, Ht, sums, penalty, fade
        As in `learn_counts`.
    """
    total = fade * sums[1] + gram
    penalty = penalty._replace(free=total.diagonal() > np.finfo(W.dtype).tiny)
    cross, out = sums[0].copy(), empty_factor(Ht.shape, Ht.dtype)
    how = Pass(earlier=cross, fade=fade, summary=True)
    step = update.update(columns, W, total, penalty, Ht, out, how)
    return out, (cross, total), step.summary


def learn_counts(update, columns, W, Ht, sums, prior, penalty, fade):
    """Return the next Ht and the next sums (C, s), for the Kullback-Leibler loss.

        C <- f C + H * N and s <- f s + sums of the columns of W_b;    H = C / (s + penalties)

    with the numerators N = W_b' (X_b / Y) of the multiplicative update, Y = W_b H. That minimises
    the bound that such updates rest on (Cappé & Moulines 2009, "On-line expectation-maximization
    algorithm for latent data models").

    Parameters
    ----------
    update : RowUpdate
        Multiplicative updates of H.
    columns : Rows
        The transpose of the batch.
    W : ndarray of shape (n_samples, width)
        Of the batch.
    Ht, sums, prior, penalty, fade
        As in `learn_beta`.
    """
    cross, totals = sums[0], W.sum(axis=0, dtype=np.float64)
    first = np.where(sums[1] == 0, prior * totals, 0.0)
    cross = cross + Ht * first
    counts, none = np.empty_like(Ht), make_penalty(0, 0, len(totals))
    # One multiplicative update with denominators of one: its numerators times H.
    update.update(columns, W, np.ones_like(totals), none, Ht, counts, Pass(objective=False))
    cross = fade * cross
    cross += counts
    totals = fade * (sums[1] + first) + totals
    return best_ratios(cross, totals, Ht, penalty), (cross, totals)


def best_ratios(cross, sums, Ht, penalty):
    """Return the next Ht for Kullback-Leibler: the root of l2 h^2 + (s + l1) h = c.

    Components that no row has used keep what they began with.
    """
    base = sums + penalty.l1
    root = np.sqrt(base**2 + 4 * penalty.l2 * cross) if penalty.l2 else base
    result = Ht.copy()
    np.divide(2 * cross, base + root, out=result, where=sums > 0, casting="same_kind")
    return result


def hold(Ht, gram, sums, penalty, beta):
    """Return the products with X, of Ht's shape, with which Ht stays what it is."""
    wide = Ht.astype(np.float64)
    if beta == 2:  # the gradient of 1/2 <A, H H'> - <B', H> and the penalty is zero
        return wide @ penalty.fold_into(gram) + penalty.l1 * (wide > 0)
    if beta == 1:
        return wide * (sums + penalty.l2 * wide + penalty.l1)
    base = sums + np.where(sums > 0, penalty.l1 + penalty.l2 * wide, 0.0)
    return wide ** (1 / exponent(beta)) * base


def draw_features(X, W, Ht, n_components, beta, rng):
    """Return an Ht with the features drawn that `missing_features` finds; None if there are none.

    Parameters
    ----------
    X, W, Ht, n_components, beta
        As there.
    rng : numpy.random.Generator or RandomState
    """
    found = missing_features(X, W, Ht, n_components, beta)
    if found is None:
        return None
    (new, scale), drawn = found, Ht.copy()
    drawn[new, :n_components] = np.abs(rng.standard_normal((int(new.sum()), n_components))) * scale
    return drawn


def missing_features(X, W, Ht, n_components, beta):
    """Return which features of a batch have to be drawn, and at which scale; None if none have.

    No component has them, though rows need them.

    Coordinate descent for the Frobenius loss can leave zero, unless a row has no other features.

    Parameters
    ----------
    X : csr_array
    W : ndarray of shape (n_samples, width)
    Ht : ndarray of shape (n_features, width)
    n_components : int
    beta : float

    Returns
    -------
    new : ndarray of shape (n_features,), bool
    scale : ndarray of shape (n_components,)
    """
    if beta == 2:
        X = X[(np.einsum("ir->i", W) == 0) & (np.diff(X.indptr) > 0)]
    if not X.nnz:
        return None
    missing = np.einsum("jr->j", Ht) == 0
    new = missing & (np.bincount(X.indices, minlength=len(missing)) > 0)
    if not new.any():
        return None
    if missing.all():
        return new, np.full(n_components, np.sqrt(X.mean() / n_components))
    return new, Ht[~missing, :n_components].mean(axis=0)


def pad_rows(array: Any, more: int, axis: int = 0) -> Any:
    """Return an array with so many rows of zeros more."""
    widths = [(0, more if place == axis else 0) for place in range(array.ndim)]
    return np.pad(array, widths)
