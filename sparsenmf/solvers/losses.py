"""The losses: beta divergences between X and W H, and their constants, which depend on X alone."""

import numbers
from typing import NamedTuple

import numpy as np

from ..data.factors import sum_squares

BETAS = {"frobenius": 2.0, "kullback-leibler": 1.0, "itakura-saito": 0.0}

CHUNK = 2**16  # entries of X per step, so that no temporary is as long as X

AS_NAMED = 1e-12
"""A beta this close to that of a named loss differs from it by rounding alone, and is replaced."""

LARGEST = {np.dtype(np.float32): 1e30, np.dtype(np.float64): 1e200}
"""The largest power of an entry of W H in the updates, relative to that of X's mean."""


class Loss(NamedTuple):
    """A beta divergence and its constants for one X.

    Attributes
    ----------
    beta : float
        2: half the squared Frobenius norm of X - W H; 1: Kullback-Leibler; 0: Itakura-Saito.
    constant : float
        The part of the divergence that depends on X alone.
    scale : float
        The sum of x^beta over the entries, halved for beta = 2. It grows with X as the divergence
        does.
    floor : float
        The smallest y that counts where powers of y are summed over all entries.
    """

    beta: float
    constant: float
    scale: float
    floor: float

    def relative(self, value):
        """Return the root of a divergence over that of the scale."""
        return float(np.sqrt(max(value, 0.0) / self.scale)) if self.scale else 0.0

    def relative_residual(self, residual):
        """Return a solver's residual as a dimensionless number; see `Factorization.optimality`."""
        if not self.scale:
            return 0.0
        return float(
            np.sqrt(residual / (2 * self.scale)) if self.beta == 2 else residual / self.scale
        )


def make_loss(beta, data, shape, weights=None, absent=1.0):
    """Return the loss for the stored entries of a matrix and for those that are not stored.

    Parameters
    ----------
    beta : float
    data : ndarray of shape (nnz,)
    shape : (n_samples, n_features)
    weights : ndarray of shape (nnz,), optional
    absent : float
        Weight of the entries that are not stored.
    """
    plain = weights is None and absent == 1
    if beta == 2 and plain:
        half = 0.5 * float(sum_squares(data[:, None])[0])
        return Loss(2.0, half, half, 0.0)
    constant = scale = total = 0.0
    count = zeros = absent * (shape[0] * shape[1] - len(data))
    for start in range(0, len(data), CHUNK):
        part = slice(start, start + CHUNK)
        x = data[part].astype(np.float64)
        v = np.ones(len(x)) if weights is None else weights[part].astype(np.float64)
        total, count = total + float((v * x).sum()), count + float(v.sum())
        zeros += float(v[x == 0].sum())
        scale += float((v * x**beta).sum())
    if beta == 1:
        constant = -scale  # the kernels sum x log(x / y), which is exact near a fit
    elif 0 < beta < near_zero():
        constant = zeros / beta
    scale = 0.5 * scale if beta == 2 else scale
    mean = total / count if count else 0.0
    return Loss(beta, constant, scale, smallest_product(beta, mean, data.dtype))


def smallest_product(beta, mean, dtype):
    """Return the floor of a loss other than the Frobenius norm, for an X of this mean."""
    # No higher than needed: silence in a spectrogram may be twelve orders below the sound.
    floor = LARGEST[np.dtype(dtype)] ** (1 / (beta - 2)) if beta < 1 else 0.0
    # A float, as kernels are compiled for each type.
    return float(max(floor * (mean or 1.0), np.finfo(dtype).tiny))


def add_losses(parts, mean, dtype):
    """Return the loss of an X of this mean from those of its parts."""
    beta = parts[0].beta
    constant, scale = (float(sum(column)) for column in list(zip(*parts, strict=True))[1:3])
    floor = 0.0 if beta == 2 else smallest_product(beta, mean, dtype)
    return Loss(beta, constant, scale, floor)


def near_zero():
    """Return the beta below which `make_loss` adds a constant that the kernels leave out."""
    from ..kernels.losses import NEAR_ZERO  # here: it loads numba

    return NEAR_ZERO


def loss_name(beta):
    """Return the name of a beta, or the beta itself if it has none."""
    return next((name for name, known in BETAS.items() if known == beta), beta)


def named_beta(loss):
    """Return the beta of a loss, given by name or number, without the rounding of a number."""
    if isinstance(loss, str):
        return BETAS[loss]
    value = float(loss)
    return next((beta for beta in BETAS.values() if abs(value - beta) <= AS_NAMED), value)


def check_beta(loss):
    """Return the beta of a loss, or raise if there is none of that name."""
    named = isinstance(loss, str) and loss in BETAS
    real = isinstance(loss, numbers.Real) and not isinstance(loss, bool | np.bool_)
    if not (named or (real and np.isfinite(float(loss)))):
        listed = ", ".join(map(repr, BETAS))
        raise ValueError(f"loss must be one of {listed}, or a finite number beta, not {loss!r}")
    return named_beta(loss)


def check_loss(loss, X, *, unknown=False):
    """Return the beta of a loss that is finite on X.

    With `unknown`, only the stored entries of X count.

    Raises
    ------
    ValueError
        If there is no such loss, or if X has zeros and the divergence of zero is infinite.
    """
    beta = check_beta(loss)
    zeros = X.nnz < X.shape[0] * X.shape[1] and not unknown
    if beta <= 0 and (zeros or (hasattr(X, "data") and X.nnz and X.data.min() == 0)):
        raise ValueError(
            f"loss={loss!r} (beta = {beta:g} <= 0) is infinite where X is zero, and X has zeros: "
            "add a small value to all of X, or choose a beta above 0"
        )
    return beta
