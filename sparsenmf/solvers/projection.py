"""One side of a factorization: the rows of W, given an H that stays as it is."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from ..kernels.coordinate_descent import update_rows
from ..kernels.exact import solve_rows
from ..kernels.kullback_leibler import update_rows_kl
from ..kernels.multiplicative import OBJECTIVE, RESIDUAL, UPDATE, scale_rows_beta
from ..kernels.observed import update_rows_observed
from ..kernels.observed_scaling import scale_rows_observed
from ..kernels.tiles import sweep_depth
from ..penalties import Penalty
from ..rows import pad_factor
from .alternation import check_overflow
from .multiplicative import exponent

SWEEPS, TOLERANCE = 20, 1e-3
"""How far the sweeps go, from where on rows are solved exactly."""

FLAT = 1e-7  # of the mean of X: where y is less, its powers have the curvature that they have there

HEAVIEST, HEAVY = 16, 1e8
"""How many columns of H may be heavy: those whose square is that many times the mean of others."""

LOOK = 10  # multiplicative updates between looks at what they still promise


class Frozen(NamedTuple):
    """The other factor and its summaries: all that rows are found from.

    Attributes
    ----------
    Ht : ndarray of shape (n_features, width)
        Padded.
    gram : ndarray of shape (depth, depth), dtype of Ht
        Of Ht, with the L2 weight on its diagonal.
    sums : ndarray of shape (width,), float64
        Of the columns of Ht.
    penalty : Penalty
        Of W.
    exact : ndarray of shape (n_components, n_components), float64, or None
        The gram matrix of Ht without its heavy rows, where rows of W are to be solved exactly.
    heavy : ndarray of shape (any,), int64, or None
        Rows of Ht beside whose squares those of others would be lost.
    """

    Ht: np.ndarray
    gram: np.ndarray
    sums: np.ndarray
    penalty: Penalty
    exact: np.ndarray | None = None
    heavy: np.ndarray | None = None


def freeze(H, penalty):
    """Return an H of shape (n_components, n_features) as `Frozen`."""
    Ht, depth = pad_factor(H.T, H.dtype), sweep_depth(len(H))
    wide = Ht.T.astype(np.float64)
    with np.errstate(over="ignore"):
        products = wide @ wide.T
        gram = penalty.fold_into(products)[:depth, :depth].astype(H.dtype, order="C")
    check_overflow(gram.max(), H.dtype)
    sums, heavy = wide.sum(axis=1), _find_heavy(wide)
    if len(heavy):
        wide[:, heavy] = 0
        products = wide @ wide.T
    exact = np.ascontiguousarray(products[: len(H), : len(H)])
    return Frozen(Ht, gram, sums, penalty, exact, heavy)


def _find_heavy(wide):
    """Return the columns, few at most, that are far larger than the others that are not zero."""
    squares = np.einsum("rj,rj->j", wide, wide)
    order = np.argsort(-squares, kind="stable")[: np.count_nonzero(squares)]
    first = order[: min(HEAVIEST, len(order) // 2)]
    others = squares[order[len(first) :]]
    return np.sort(first[squares[first] * max(len(others), 1) > HEAVY * others.sum()])


def solve(rows, frozen, W, loss, tol, max_sweeps, n_threads, *, want_loss=False):
    """Set the rows of W, zero on entry, to the best fit of `rows`: exactly.

    The sweeps of `project` come near it, and as many more steps as are left end there.

    Returns
    -------
    loss : float
        In float64, without the penalty; zero if it is not wanted.
    unfinished : int
        Number of rows for which max_sweeps has not been enough.
    """
    n_sweeps = min(max_sweeps, SWEEPS)
    project(rows, frozen, W, loss, max(tol, TOLERANCE), n_sweeps, n_threads)
    heavy = frozen.heavy if loss.beta == 2 else frozen.heavy[:0]
    is_heavy = np.zeros(len(frozen.Ht), bool)
    is_heavy[heavy] = True
    n_steps, statistics = max_sweeps - n_sweeps, np.empty((rows.n_blocks, 2))
    floor = loss.floor
    if loss.beta > 1 and rows.nnz:  # the curvature at zero is infinite: a step would be nothing
        floor = FLAT * float(rows.data.mean(dtype=np.float64))
    share = 0.0 if loss.beta == 2 and n_steps else tol * tol  # a quadratic takes no more steps
    solve_rows(
        n_threads, rows, frozen.Ht, frozen.exact, heavy, is_heavy, frozen.sums, loss.beta,
        floor, float(frozen.penalty.l1[0]), float(frozen.penalty.l2[0]), W, share, n_steps,
        want_loss, statistics,
    )  # fmt: skip
    total, unfinished = statistics.sum(axis=0)
    return float(total), int(unfinished)


def project(rows, frozen, W, loss, tol, max_sweeps, n_threads, *, partials=None, want_loss=False):
    """Set the rows of W, zero on entry, to the best fit of `rows`.

    With `partials`, the gram matrices of W's blocks are wanted (see
    `kernels.coordinate_descent`).

    Returns
    -------
    float or None
        Loss and penalty of W, if wanted, or for beta = 2, where they cost nothing.
    """
    statistics, penalty, Ht = np.empty((rows.n_blocks, 2)), frozen.penalty, frozen.Ht
    dtype, none = W.dtype.type, np.empty((0, 0, W.shape[1]), W.dtype)
    if loss.beta == 2 and not rows.plain:
        update_rows_observed(
            n_threads, rows, Ht, _plain_gram(frozen, rows.absent), penalty, W.shape[1], W, W,
            max_sweeps, tol, want_loss, statistics,
        )  # fmt: skip
        return float(statistics[:, 0].sum()) if want_loss else None
    if loss.beta == 2:
        partials = np.empty((0, *frozen.gram.shape)) if partials is None else partials
        update_rows(
            n_threads,
            rows,
            Ht,
            frozen.gram,
            penalty,
            none,
            dtype(1),
            W,
            W,
            max_sweeps,
            dtype(tol),
            False,
            partials,
            statistics,
        )
        return loss.constant + float(statistics[:, 0].sum())
    _fill_evenly(W, rows, frozen)
    if loss.beta == 1:
        unequal = None if rows.plain else True
        rest = (max_sweeps, tol, want_loss, unequal, statistics)
        update_rows_kl(n_threads, rows, Ht, frozen.sums, penalty, W, W, *rest)
        return loss.constant + float(statistics[:, 0].sum()) if want_loss else None
    none = np.empty((0, 0, W.shape[1]), W.dtype)
    options: tuple = (frozen.sums, loss.beta, exponent(loss.beta), loss.floor, penalty)
    if rows.plain:
        scale, arguments = scale_rows_beta, (rows, Ht, *options, none)
    else:
        scale = scale_rows_observed
        arguments = (rows, Ht, np.empty((0, 0), W.dtype), *options)

    def measure(column, mode):
        scale(n_threads, *arguments, W, W, mode, statistics)
        return float(statistics[:, column].sum())

    for sweep in range(1, max_sweeps + 1):
        scale(n_threads, *arguments, W, W, UPDATE, statistics)
        if sweep % LOOK == 0:
            objective = loss.constant + measure(0, OBJECTIVE)
            if measure(1, RESIDUAL) <= tol * objective:
                break
    return loss.constant + measure(0, OBJECTIVE) if want_loss else None


def _plain_gram(frozen, absent):
    """Return the gram matrix without the L2 weight, padded, if what is absent counts."""
    width = frozen.Ht.shape[1] if absent else 0
    gram, depth = np.zeros((width, width), frozen.gram.dtype), len(frozen.gram)
    if width:
        gram[:depth, :depth] = frozen.gram - frozen.penalty.l2[0] * np.eye(depth)
    return gram


def _fill_evenly(W, rows, frozen):
    """Start from the same amount of each component, and the right amount in all."""
    shape, sums = (rows.n_rows, len(frozen.Ht)), frozen.sums
    X = sp.csr_array((rows.data, rows.indices, rows.indptr), shape=shape, copy=False)
    totals = np.full(rows.n_rows, rows.absent * sums.sum())
    if not rows.plain:
        v = rows.weights if len(rows.weights) else np.ones_like(rows.data)
        excess = sp.csr_array((v - rows.absent, rows.indices, rows.indptr), shape=shape)
        totals += excess @ frozen.Ht.sum(axis=1, dtype=np.float64)
        X = sp.csr_array((rows.data * v, rows.indices, rows.indptr), shape=shape)
    amount = X.sum(axis=1, dtype=np.float64)
    W[:] = np.divide(amount, totals, out=np.zeros_like(amount), where=totals > 0)[:, None]
    W[:, sums == 0] = 0
