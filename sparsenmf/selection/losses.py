"""Losses of predictions W H: of single entries, of all entries of a block, and their unit.

The cost is proportional to the stored entries, and nothing is made dense.
"""

import numpy as np

from .weighted import rows_of

CHUNK = 2**16  # entries of X that are predicted at once, to bound temporary arrays

FLOOR = 1e-3
"""Smallest prediction of a stored entry for beta <= 1, relative to the mean of X. A zero would make
the loss infinite."""


def floor_of(matrix, beta):
    """Return the smallest prediction of a stored entry."""
    X = matrix.X
    n_entries = X.nnz if matrix.unknown else X.shape[0] * X.shape[1]
    return FLOOR * float(X.sum(dtype=np.float64)) / n_entries if beta <= 1 else 0.0


def predict(W, H, i, j):
    """Return the entries (i, j) of W H in float64."""
    Ht = np.ascontiguousarray(H.T)
    y = np.empty(len(i))
    for start in range(0, len(i), CHUNK):
        part = slice(start, start + CHUNK)
        y[part] = np.einsum("pr,pr->p", W[i[part]], Ht[j[part]], dtype=np.float64)
    return y


def entry_losses(x, y, beta, floor):
    """Return the beta divergence of each entry x from its prediction y, raised to the floor."""
    if beta == 2:
        return 0.5 * (x - y) ** 2
    y = np.maximum(y, floor)
    if beta == 1:
        logs = np.log(np.divide(x, y, out=np.ones_like(y), where=x > 0))
        return x * logs - x + y
    if beta == 0:
        return x / y - np.log(x / y) - 1
    powers = x**beta + (beta - 1) * y**beta - beta * x * y ** (beta - 1)
    return powers / (beta * (beta - 1))


def block_loss(block, W, H, beta, floor, top=np.inf):
    """Return the loss of all known entries of a block, given W H, in float64.

    Parameters
    ----------
    block : WeightedMatrix
    W, H : ndarray
    beta : float
        2 or 1, where entries that are not stored are zeros.
    floor : float
        The smallest prediction of a stored entry.
    top : float
        The largest prediction of a known entry, where others are unknown.
    """
    X, i = block.X, rows_of(block.X)
    x, y, weights = X.data.astype(np.float64), predict(W, H, i, X.indices), stored_weights(block)
    losses = entry_losses(x, np.minimum(y, top) if block.unknown else y, beta, floor)
    total = float(losses.sum() if weights is None else weights @ losses)
    if block.unknown:
        return total
    # The others are zeros: the loss of zeros everywhere, less that at the stored entries.
    zeros, others = (y if beta == 1 else 0.5 * y**2), block.weights_at(i, X.indices)
    at_stored = float(zeros.sum() if others is None else others @ zeros)
    return max(total + _loss_of_zeros(block, W, H, beta) - at_stored, 0.0)


def _loss_of_zeros(block, W, H, beta):
    """Return what the loss would be if the whole block were zero."""
    W, H = W.astype(np.float64), H.astype(np.float64)
    samples = np.ones(len(W)) if block.samples is None else block.samples
    features = np.ones(H.shape[1]) if block.features is None else block.features
    if beta == 1:
        return float((samples @ W) @ (H @ features))
    gram_W = np.einsum("ir,is->rs", W * samples[:, None], W)
    gram_H = np.einsum("rj,sj->rs", H * features, H)
    return 0.5 * float(np.einsum("rs,rs->", gram_W, gram_H))


def stored_weights(matrix):
    """Return the weights of the stored entries of a `WeightedMatrix`, or None for ones."""
    if matrix.entries is not None:
        return matrix.entries.data.astype(np.float64)
    return matrix.weights_at(rows_of(matrix.X), matrix.X.indices)


def norm_of(matrix, beta):
    """Return the unit of the relative loss: half the squared norm for beta = 2, the sum for 1."""
    x, weights = matrix.X.data.astype(np.float64), stored_weights(matrix)
    powers = x**beta
    total = float(powers.sum() if weights is None else weights @ powers)
    return 0.5 * total if beta == 2 else total
