"""The scale between W and H, which their product does not tell, and the order of components."""

import numpy as np

from ..rows import sum_squares
from ..storage import write_rows

CHUNK = 1024  # rows of a factor that NumPy works on at once, so that they stay in cache


def balance(squares_W, squares_Ht, n_samples, n_features):
    """Return powers of two to divide W's columns by, and to multiply H's rows by.

    Their entries are then of about the same size, as those of a random start and those
    that equal penalties lead to. Powers of two: no product of entries changes by a bit.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (squares_W / n_samples) / (squares_Ht / n_features)
        exponent = np.rint(np.log2(ratio) / 4)
    return np.exp2(np.where(np.isfinite(exponent), exponent, 0.0))


def order_components(W, Ht, n_components, *, keep=False, balanced=False):
    """Return H without padding, the heaviest component first, or in their order.

    Balanced, the entries of both factors are of about the same size.

    Returns
    -------
    order : ndarray of shape (n_components,), int
    scale : ndarray of shape (n_components,), dtype of W
        What the columns of W are to be divided by, in that order.
    H : ndarray of shape (n_components, n_features)
    """
    order, squares = np.arange(n_components), [sum_squares(F)[:n_components] for F in (W, Ht)]
    if not keep:
        order = np.argsort(-np.prod(squares, axis=0), kind="stable")
    H = np.empty((n_components, len(Ht)), Ht.dtype)
    for start in range(0, len(Ht), CHUNK):  # in cache, and no second copy of H
        H[:, start : start + CHUNK] = Ht[start : start + CHUNK].T[order]
    scale = np.ones(n_components, W.dtype)
    if balanced:
        scale = balance(squares[0], squares[1], len(W), len(Ht)).astype(W.dtype)[order]
        H *= scale[:, None]
    return order, scale, H


def take_components(W, order, scale, finish, W_path=None):
    """Return these columns of W, divided by their scale.

    Parameters
    ----------
    W : ndarray of shape (n_samples, width)
    order, scale : ndarray
        As `order_components` returns them.
    finish : callable
        ``finish(start, part)`` changes rows in place, from row `start` on: a few, or all.
    W_path : path-like, optional
        Then W is that file, mapped into memory.
    """
    if W_path is None:
        W = np.take(W, order, axis=1)
        W /= scale
        finish(0, W)
        return W

    def pieces():
        for start in range(0, len(W), CHUNK):
            part = np.take(W[start : start + CHUNK], order, axis=1) / scale
            finish(start, part)
            yield part

    return write_rows(W_path, (len(W), len(order)), W.dtype, pieces())
