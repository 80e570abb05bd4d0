"""How a stream begins: from parameters, which are checked here, and its first batch."""

from functools import partial

import numpy as np

from ..data.arguments import check_alphas, check_choice, check_integer, check_number, check_threads
from ..data.factors import copy_columns, empty_factor
from ..data.store import is_store
from ..data.validation import check_factor
from ..kernels.compile.threads import resolve_threads
from ..solvers.initialization import INITS, initialize_factors
from ..solvers.losses import check_loss
from .stream import Stream

ENOUGH = 10
"""Samples for each component from which the start for Kullback-Leibler is "nndsvda" by default.
From a random one topics are merged that no later batch sets apart: 11 to 20 of 20 planted ones were
found, and 18 to 20 from "nndsvda". Of three samples for each component the SVD knows too little
(Associated Press: losses 1% to 2% higher)."""


def open_stream(
    X, n_components, *, init, H, beta_loss, alpha_W, alpha_H, l1_ratio, forget_factor, window,
    n_threads, rng,
):  # fmt: skip
    """Return a `Stream` that has not seen its first batch, X.

    Parameters are those of `sparsenmf.MiniBatchNMF`, checked here; X has been.
    """
    beta = check_loss(beta_loss, X)
    if beta not in (1, 2):
        raise ValueError(
            f'beta_loss must be "frobenius" or "kullback-leibler" (2 or 1) for batches, '
            f"not {beta_loss!r}"
        )
    n_components = check_integer(n_components, "n_components", least=1)
    if n_components > X.shape[1]:
        raise ValueError(f"n_components is {n_components}, but X has {X.shape[1]} features")
    init = init if init is not None or H is None else "custom"
    if init is not None:
        check_choice(init, "init", INITS)
    if (init == "custom") != (H is not None):
        raise ValueError('H is used with init="custom", and init="custom" needs H')
    if H is not None:
        shape = (n_components, X.shape[1])
        H = check_factor(H, "H", shape, "n_components x n_features", X.dtype)
    Ht = empty_factor((X.shape[1], n_components), X.dtype)
    if H is not None:
        copy_columns(H.T, Ht)
        H = Ht[:, : len(H)].T  # the caller's array may change before it is used
    complete = H is not None and len(H) == n_components
    start = partial(draw_start, n_components=n_components, init=init, H=H, beta=beta, rng=rng)
    alpha_W, alpha_H, l1_ratio = check_alphas(alpha_W, alpha_H, l1_ratio)
    return Stream(
        Ht, n_components, beta, start=None if complete else start, rng=rng,
        alpha_W=alpha_W, alpha_H=alpha_H, l1_ratio=l1_ratio,
        forget_factor=check_number(forget_factor, "forget_factor", most=1.0),
        window=window, n_threads=resolve_threads(check_threads(n_threads)),
    )  # fmt: skip


def draw_start(rows, columns, *, n_components, init, H, beta, rng):
    """Return a padded H for the first batch that is not empty."""
    n_rows = np.count_nonzero(np.diff(rows.indptr))
    if init is None:
        init = "nndsvda" if beta == 1 and n_rows >= ENOUGH * n_components else "random"
    if init.startswith("nndsvd") and n_components > rows.n_rows:
        raise ValueError(
            f"init={init!r} needs a first batch of at least n_components = {n_components} "
            f'samples, not {rows.n_rows}: take init="random", or larger batches'
        )
    solver = "cd" if beta == 2 else "mu"
    _, Ht = initialize_factors(
        rows, columns, n_components, init, rng, H=H, beta=beta, solver=solver
    )
    if init.startswith("nndsvd"):  # of a batch of lower rank, all of a component is the same
        flat = np.flatnonzero(Ht[:, :n_components].max(axis=0) == Ht[:, :n_components].min(axis=0))
        Ht[:, flat] = np.abs(rng.standard_normal((len(Ht), len(flat)))) * Ht.mean()
    return Ht


def is_stream(X):
    """Return whether X is an iterable of batches, not a matrix."""
    matrix = hasattr(X, "shape") or isinstance(X, list | tuple | str | dict)
    return is_store(X) or (hasattr(X, "__iter__") and not matrix)
