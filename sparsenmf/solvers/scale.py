"""The scale between W and H, which their product does not tell, and the order of components."""

import numpy as np

from ..storage import write_rows

CHUNK = 1024  # rows of a factor that NumPy works on at once, so that they stay in cache


def sum_squares(factor):
    """Return the squared lengths of a factor's columns, in float64 and without a copy."""
    return np.einsum("ir,ir->r", factor, factor, dtype=np.float64)


def balance(squares_W, squares_Ht, n_samples, n_features):
    """Return powers of two to divide W's columns by, and to multiply H's rows by.

    Their entries are then of about the same size, as those of a random start and those
    that equal penalties lead to. Powers of two: no product of entries changes by a bit.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (squares_W / n_samples) / (squares_Ht / n_features)
        exponent = np.rint(np.log2(ratio) / 4)
    return np.exp2(np.where(np.isfinite(exponent), exponent, 0.0))


def order_components(W, Ht, n_components, *, keep=False, balanced=False, W_path=None):
    """Return W and H without padding, the heaviest component first, or in their order.

    Balanced, the entries of both are of about the same size. With a path, W is that file,
    mapped into memory.
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
    if W_path is None:
        W = np.take(W, order, axis=1)
        W /= scale
        return W, H
    pieces = (W[start : start + CHUNK][:, order] / scale for start in range(0, len(W), CHUNK))
    return write_rows(W_path, (len(W), n_components), W.dtype, pieces), H
