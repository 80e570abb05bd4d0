"""The scale between W and H, which W H does not determine, and the order of the components."""

from math import prod

import numpy as np

from ..data.factors import row_totals, sum_squares
from ..data.outputs import write_rows
from ..data.rows import even_blocks
from ..kernels.products import take_columns

CHUNK = 1024  # rows of a factor that NumPy works on at once, so that they stay in cache

LARGE = 2**26
"""A kernel orders the columns of a W of at least so many bytes, in a quarter of NumPy's time or
less. For a smaller W, compiling it would take longer than a thousand calls gain. For a W in double
precision NumPy does it: most kernels are compiled twice there already, and the first call would
take more than eight seconds."""

ROOM = 1.25  # memory is used again for a result if it is at most so many times as large


def balance(squares_W, squares_Ht, n_samples, n_features):
    """Return powers of two by which to divide W's columns and multiply H's rows.

    The entries of both factors are then of about the same size, as they are in a random start and
    as equal penalties make them. With powers of two, no product of entries changes by a bit.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = (squares_W / n_samples) / (squares_Ht / n_features)
        exponent = np.rint(np.log2(ratio) / 4)
    return np.exp2(np.where(np.isfinite(exponent), exponent, 0.0))


def order_components(
    sums_W, squares_W, n_samples, Ht, penalties, *, balanced=False, unscale=None, dtype=None
):
    """Return H without padding, its components ordered by their share of W H, largest first.

    With `balanced`, the entries of both factors are of about the same size. A component that is
    zero in one factor becomes zero in the other, where its values mean nothing.

    Parameters
    ----------
    sums_W : ndarray of shape (n_components,), float64, or None
        Sums of the columns of W. None keeps the order of the components.
    squares_W : ndarray of shape (n_components,), float64
        Squared lengths of the columns of W.
    n_samples : int
    Ht : ndarray of shape (n_features, width)
    penalties : (Penalty, Penalty)
        Of W and H. They say what may become zero without a change of the objective. H was updated
        last, so its penalty has acted on it; that of W has not.
    balanced : bool
    unscale : callable, optional
        Turns rows of Ht' into rows of the H of X itself.
    dtype : dtype, optional
        Of H and of the scale. Default: that of Ht.

    Returns
    -------
    order : ndarray of shape (n_components,), int
    scale : ndarray of shape (n_components,)
        Divisors of the columns of W, in that order.
    H : ndarray of shape (n_components, n_features)
    """
    n_components = len(squares_W)
    order, squares_Ht = np.arange(n_components), sum_squares(Ht)[:n_components]
    if sums_W is not None:
        rows = (Ht[:, r] if unscale is None else unscale(Ht[None, :, r])[0] for r in order)
        order = np.argsort(-sums_W * row_totals(rows), kind="stable")
    H = np.empty((n_components, len(Ht)), dtype or Ht.dtype)
    for start in range(0, len(Ht), CHUNK):  # in cache, and no second copy of H
        H[:, start : start + CHUNK] = Ht[start : start + CHUNK].T[order]
    scale = np.ones(n_components, H.dtype)
    if balanced:
        scale = balance(squares_W, squares_Ht, n_samples, len(Ht)).astype(H.dtype)[order]
        H *= scale[:, None]
    idle_W, free_H = penalties[0].idle()[order], penalties[1].free[order]
    scale[idle_W & (squares_Ht[order] == 0)] = np.inf  # division makes these columns zero
    H[free_H & (squares_W[order] == 0)] = 0  # its penalty made it zero, up to rounding
    return order, scale, H


def reusable(spare, shape):
    """Return the memory of a spare factor as an array of that shape, if it is not much larger.

    Otherwise return None, so that its memory is free before the result is made.
    """
    if spare is None or spare.size > ROOM * prod(shape):
        return None
    return spare.reshape(-1)[: prod(shape)].reshape(shape)


def take_components(W, order, scale, finish, W_path=None, *, memory=None, n_threads=1):
    """Return these columns of W, divided by their scale.

    Parameters
    ----------
    W : ndarray of shape (n_samples, width)
        In the precision of the result, or in single precision.
    order, scale : ndarray
        As `order_components` returns them. The result has the dtype of `scale`.
    finish : callable
        ``finish(start, part)`` changes some rows, or all, in place, from row `start` on.
    W_path : path-like, optional
        The result is then this file, mapped into memory.
    memory : ndarray of shape (n_samples, n_components), dtype of `scale`, optional
        Memory for the result. The system then need not provide new pages.
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
