"""One float64 objective, which belongs to no solver, to judge all results."""

import numpy as np
import scipy.sparse as sp


def objective(X, W, H, loss, chunk=8192):
    """The loss in float64, by the entries of X; belongs to no solver."""
    W, H = W.astype(np.float64), H.astype(np.float64)
    if loss == "kullback-leibler":
        return divergence(X, W, H)
    total = float(np.sum(X.data.astype(np.float64) ** 2)) + np.sum((W.T @ W) * (H @ H.T))
    Ht = np.ascontiguousarray(H.T)
    for start in range(0, X.shape[0], chunk):
        part = X[start : start + chunk].astype(np.float64)
        total -= 2 * np.sum((part @ Ht) * W[start : start + chunk])
    return 0.5 * total


def divergence(X, W, H, chunk=2**16):
    """Sum of x log(x / y) - x + y over all entries; y counts as 1e-10 x where it is less."""
    Ht, coordinates = np.ascontiguousarray(H.T), sp.coo_array(X)
    total = float(W.sum(axis=0) @ Ht.sum(axis=0))
    for start in range(0, X.nnz, chunk):
        part = slice(start, start + chunk)
        x = coordinates.data[part].astype(np.float64)
        y = np.einsum("pr,pr->p", W[coordinates.row[part]], Ht[coordinates.col[part]])
        total += float(np.sum(x * np.log(x / np.maximum(y, 1e-10 * x)) - x))
    return total
