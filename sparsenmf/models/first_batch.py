"""The start of a stream: its parameters, which are checked here, and its first batch."""

from functools import partial

import numpy as np

from ..data.arguments import (
    check_alphas,
    check_choice,
    check_integer,
    check_number,
    check_svd_start,
    check_threads,
)
from ..data.factors import copy_columns, empty_factor
from ..data.matching import order_H
from ..data.store import is_store
from ..data.validation import check_factor
from ..kernels.compile.threads import resolve_threads
from ..solvers.initialization import INITS, initialize_factors
from ..solvers.losses import check_loss
from .stream import Stream

ENOUGH = 10
"""With so many samples for each component, the default start for Kullback-Leibler is "nndsvda". A
random start merges topics that no later batch separates: it found 11 to 20 of 20 planted topics,
and "nndsvda" 18 to 20. Three samples for each component are too few for an SVD (Associated Press:
losses 1% to 2% higher)."""


def open_stream(
    X, names=None, *, n_components, init, H, beta_loss, alpha_W, alpha_H, l1_ratio, forget_factor,
    window, n_threads, rng, W=None, keeps_W=False,
):  # fmt: skip
    """Return a `Stream` that has not seen its first batch, X.

    The parameters are those of `sparsenmf.MiniBatchNMF`, and are checked here; X has been already.
    `names` are those of its features, by which an H with names is put in order.
    With keeps_W, X is all the data, and `Stream.begin` draws W, too, unless it is given.
    """
    beta = check_loss(beta_loss, X)
    n_components = check_integer(n_components, "n_components", least=1)
    if init is not None:
        check_choice(init, "init", INITS)
    if init in (None, "auto"):  # which start that is depends on the first batch
        init = None if H is None else "custom"
    if init == "custom" and H is None:
        raise ValueError('init="custom" needs H, the start: pass H to fit or partial_fit')
    H = order_H(H, names)
    if H is not None:
        shape = (n_components, X.shape[1])
        H = check_factor(H, "H", shape, "n_components x n_features", X.dtype)
    Ht = empty_factor((X.shape[1], n_components), X.dtype)
    if H is not None:
        copy_columns(H.T, Ht)
        H = Ht[:, : len(H)].T  # the caller's array may change before it is used
    if W is not None and keeps_W:
        W = check_factor(W, "W", (X.shape[0], n_components), "n_samples x n_components", X.dtype)
    complete = H is not None and len(H) == n_components and not keeps_W
    start = partial(draw_first, n_components=n_components, init=init, H=H, beta=beta, rng=rng, W=W)
    alpha_W, alpha_H, l1_ratio = check_alphas(alpha_W, alpha_H, l1_ratio)
    return Stream(
        Ht, n_components, beta, start=None if complete else start, rng=rng,
        alpha_W=alpha_W, alpha_H=alpha_H, l1_ratio=l1_ratio,
        forget_factor=check_number(forget_factor, "forget_factor", most=1.0),
        window=window, n_threads=resolve_threads(check_threads(n_threads)),
    )  # fmt: skip


def draw_first(rows, columns, *, n_components, init, H, beta, rng, W=None):
    """Return padded W and H for the first batch that is not empty."""
    n_rows = np.count_nonzero(np.diff(rows.indptr))
    if init is None:
        enough = n_rows >= ENOUGH * n_components and n_components <= columns.n_rows
        init = "nndsvda" if beta == 1 and enough else "random"
    if n_components > columns.n_rows:
        check_svd_start(init, n_components, (rows.n_rows, columns.n_rows))
    if init.startswith("nndsvd") and n_components > rows.n_rows:
        raise ValueError(
            f"init={init!r} needs a first batch of at least n_components = {n_components} "
            f'samples, not {rows.n_rows}: take init="random", or larger batches'
        )
    solver = "cd" if beta == 2 else "mu"
    if H is not None and H.shape[1] < columns.n_rows:  # features that came since
        H = np.pad(H, ((0, 0), (0, columns.n_rows - H.shape[1])))
    W, Ht = initialize_factors(
        rows, columns, n_components, init, rng, W=W, H=H, beta=beta, solver=solver
    )
    if init.startswith("nndsvd"):  # of a batch of lower rank, all of a component is the same
        flat = np.flatnonzero(Ht[:, :n_components].max(axis=0) == Ht[:, :n_components].min(axis=0))
        Ht[:, flat] = np.abs(rng.standard_normal((len(Ht), len(flat)))) * Ht.mean()
    return W, Ht


def is_stream(X):
    """Return whether X is an iterable of batches, not a matrix."""
    matrix = hasattr(X, "shape") or isinstance(X, list | tuple | str | dict)
    return is_store(X) or (hasattr(X, "__iter__") and not matrix)
