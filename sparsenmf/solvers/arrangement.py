"""How the rows of H see X: through a transpose, or through sums over blocks of rows."""

from typing import NamedTuple

import numpy as np

from ..initialization import draw_start, initialize
from ..kernels.transpose import transpose_rows
from ..losses import Loss, make_loss
from ..rows import is_tall, make_rows
from ..sources import is_store
from ..validation import check_scale
from .alternation import Alternation
from .blocks import BlockDescent, BlockRows, MemorySource, columns_without_entries
from .coordinate_descent import CoordinateDescent
from .kullback_leibler import KullbackLeibler
from .multiplicative import MultiplicativeBeta, MultiplicativeFrobenius
from .observed import ObservedDescent, ObservedMultiplicative

DRAWN = ("random", "custom")


class Arrangement(NamedTuple):
    """X as a solver wants it, with the start.

    Attributes
    ----------
    solver : type
        Derived from `Alternation`.
    rows, columns : Rows, or BlockRows and empty Rows
    loss : Loss
    W, Ht : ndarray
        Padded start.
    """

    solver: type[Alternation]
    rows: object
    columns: object
    loss: Loss
    W: np.ndarray
    Ht: np.ndarray


def arrange(
    X, entries, weights, n_components, beta, solver, init, rng,
    *, W, H, low_memory, W_folder=None, n_threads,
):  # fmt: skip
    """Return the arrangement for a checked matrix, or for a store on disk.

    Raises
    ------
    ValueError
        If blocks are wanted where there are none.
    """
    stored = is_store(X)
    fits = beta == 2 and solver == "cd" and init in DRAWN and entries.plain
    if (stored or low_memory) and not fits:
        raise ValueError(
            f'{"a store" if stored else "low_memory=True"} needs loss="frobenius" with '
            f'solver="cd", and init="random" or W and H: what else there is looks at X from '
            f"both sides (MiniBatchNMF takes batches of counts for the Kullback-Leibler loss)"
        )
    start = {"W": weights.scale_W(W), "H": weights.scale_H(H)}
    if stored or low_memory or (fits and is_tall(X.shape, X.nnz)):
        source, part = X, weights
        if stored:
            check_scale(X)
        else:
            X, part = weights.scale_matrix(X), weights._replace(samples=None, features=None)
            check_scale(X)
            source = MemorySource(X)
        rows = BlockRows(source, part, n_components)
        columns = columns_without_entries(X.shape[1], n_components, X.dtype)
        loss, mean = rows.survey(beta)
        W, Ht = draw_start(X.shape, n_components, mean, X.dtype, rng, **start, W_folder=W_folder)
        return Arrangement(BlockDescent, rows, columns, loss, W, Ht)
    if W_folder is not None:
        raise ValueError("W_path is for a store, or with low_memory=True")
    X = weights.scale_matrix(X)
    check_scale(X)
    rows = make_rows(X, n_components, *entries)
    columns = transpose_rows(rows, X.shape[1], n_components, n_threads)
    loss = make_loss(beta, X.data, X.shape, *entries)
    W, Ht = initialize(
        rows, columns, n_components, init, rng,
        **start, beta=beta, solver=solver, n_threads=n_threads,
    )  # fmt: skip
    return Arrangement(choose_solver(solver, beta, rows.plain), rows, columns, loss, W, Ht)


def choose_solver(solver, beta, plain):
    """Return the class of a solver for a loss, and for entries that count alike or not."""
    if not plain and (solver == "mu" or beta == 2):
        return ObservedMultiplicative if solver == "mu" else ObservedDescent
    if solver == "mu":
        return MultiplicativeFrobenius if beta == 2 else MultiplicativeBeta
    return CoordinateDescent if beta == 2 else KullbackLeibler
