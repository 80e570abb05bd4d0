"""The scale between W and H, which their product does not tell, and the order of components."""

from math import prod

import numpy as np

from ..data.factors import row_totals, sum_squares
from ..data.outputs import write_rows
from ..data.rows import even_blocks
from ..kernels.products import take_columns

CHUNK = 1024  # rows of a factor that NumPy works on at once, so that they stay in cache

LARGE = 2**26
"""Bytes of W from which a kernel puts it in order, in a quarter of NumPy's time and less; for
less, compiling it takes longer than a thousand calls gain. Not of a W in double precision, where
most kernels are compiled twice as it is: a first call would take more than eight seconds."""

ROOM = 1.25  # times the result, that memory may be for which it is kept in


def balance(squares_W, squares_Ht, n_samples, n_features):
    """Return powers of two to divide W's columns by, and to multiply H's rows by.

    Their entries are then of about the same size, as those of a random start and those
    that equal penalties lead to. Powers of two: no product of entries changes by a bit.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = (squares_W / n_samples) / (squares_Ht / n_features)
        exponent = np.rint(np.log2(ratio) / 4)
    return np.exp2(np.where(np.isfinite(exponent), exponent, 0.0))


def order_components(sums_W, squares_W, n_samples, Ht, penalties, *, balanced=False, unscale=None):
    """Return H without padding, the component with the largest share of W H first.

    Balanced, the entries of both factors are of about the same size. What one factor has of a
    component that is zero in the other means nothing, and becomes zero.

    Parameters
    ----------
    sums_W : ndarray of shape (n_components,), float64, or None
        Sums of the columns of W; None: the components stay in their order.
    squares_W : ndarray of shape (n_components,), float64
        Squared lengths of the columns of W.
    n_samples : int
    Ht : ndarray of shape (n_features, width)
    penalties : (Penalty, Penalty)
        Of W and H. They tell what may become zero without a change of the objective: H, which
        has been updated last, has felt its penalty; W has not.
    balanced : bool
    unscale : callable, optional
        From the rows of Ht' to those of the H that is shown.

    Returns
    -------
    order : ndarray of shape (n_components,), int
    scale : ndarray of shape (n_components,), dtype of Ht
        What the columns of W are to be divided by, in that order.
    H : ndarray of shape (n_components, n_features)
    """
    n_components = len(squares_W)
    order, squares_Ht = np.arange(n_components), sum_squares(Ht)[:n_components]
    if sums_W is not None:
        rows = (Ht[:, r] if unscale is None else unscale(Ht[None, :, r])[0] for r in order)
        order = np.argsort(-sums_W * row_totals(rows), kind="stable")
    H = np.empty((n_components, len(Ht)), Ht.dtype)
    for start in range(0, len(Ht), CHUNK):  # in cache, and no second copy of H
        H[:, start : start + CHUNK] = Ht[start : start + CHUNK].T[order]
    scale = np.ones(n_components, Ht.dtype)
    if balanced:
        scale = balance(squares_W, squares_Ht, n_samples, len(Ht)).astype(Ht.dtype)[order]
        H *= scale[:, None]
    idle_W, free_H = penalties[0].idle()[order], penalties[1].free[order]
    scale[idle_W & (squares_Ht[order] == 0)] = np.inf  # what is divided by it becomes zero
    H[free_H & (squares_W[order] == 0)] = 0  # a penalty has taken it there, but for rounding
    return order, scale, H


def reusable(spare, shape):
    """Return a factor of no more use as an array of that shape, if it has about that size.

    Else nobody holds it any longer when there is another one.
    """
    if spare is None or spare.size > ROOM * prod(shape):
        return None
    return spare.reshape(-1)[: prod(shape)].reshape(shape)


def take_components(W, order, scale, finish, W_path=None, *, memory=None, n_threads=1):
    """Return these columns of W, divided by their scale.

    Parameters
    ----------
    W : ndarray of shape (n_samples, width)
        Of the result's type, or in single precision.
    order, scale : ndarray
        As `order_components` returns them; the result is of the type of `scale`.
    finish : callable
        ``finish(start, part)`` changes rows in place, from row `start` on: a few, or all.
    W_path : path-like, optional
        Then W is that file, mapped into memory.
    memory : ndarray of shape (n_samples, n_components), dtype of `scale`, optional
        For the result, so that its pages need not be provided anew.
    n_threads : int
    """
    if W_path is None:
        W = _take_columns(W, order, scale, memory, n_threads)
        finish(0, W)
        return W

    def pieces():
        for start in range(0, len(W), CHUNK):
            part = np.take(W[start : start + CHUNK], order, axis=1) / scale
            finish(start, part)
            yield part

    return write_rows(W_path, (len(W), len(order)), W.dtype, pieces())


def _take_columns(W, order, scale, memory, n_threads):
    taken = np.empty((len(W), len(order)), scale.dtype) if memory is None else memory
    if W.nbytes < LARGE or W.dtype != np.float32:
        for start in range(0, len(W), CHUNK):  # no second copy of W
            part = slice(start, start + CHUNK)
            np.divide(np.take(W[part], order, axis=1), scale, out=taken[part])
        return taken
    rates = np.ones(W.shape[1], scale.dtype)
    rates[order] = 1 / scale  # powers of two
    take_columns(n_threads, W, even_blocks(len(W)), order, rates, taken)
    return taken
