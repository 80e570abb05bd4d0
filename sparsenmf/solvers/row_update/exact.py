"""The exact best fit of rows to a given factor."""

from typing import NamedTuple

import numpy as np

from ...data.factors import pad_factor
from ...kernels import operands
from ...kernels.exact import solve_rows
from ..numerics import check_overflow
from ..penalties import Penalty
from .base import Pass

SWEEPS, TOLERANCE = 20, 1e-3
"""After so many sweeps, or at this tolerance, exact steps follow."""

FLAT = 1e-7  # of the mean of X: the curvature at a smaller y is taken at this y

HEAVIEST, HEAVY = 16, 1e8
"""At most 16 columns of H are heavy: their squares exceed 1e8 times the mean of the others."""


class Given(NamedTuple):
    """The given factor and what solving rows needs of it.

    Attributes
    ----------
    Ht : ndarray of shape (n_features, width)
        Padded.
    gram : ndarray of shape (width, width), float64
        The gram matrix of Ht.
    sums : ndarray of shape (width,), float64
        The sums of the columns of Ht.
    penalty : Penalty
        One for all rows that are solved.
    exact : ndarray of shape (n_components, n_components), float64
        The gram matrix of Ht without its heavy rows.
    heavy : ndarray of shape (any,), int64
        Rows of Ht so large that the squares of the others would be lost in rounding.
    """

    Ht: np.ndarray
    gram: np.ndarray
    sums: np.ndarray
    penalty: Penalty
    exact: np.ndarray
    heavy: np.ndarray


def give(H, penalty):
    """Return `Given` for an H of shape (n_components, n_features)."""
    Ht = pad_factor(H.T, H.dtype)
    wide = Ht.T.astype(np.float64)
    with np.errstate(over="ignore"):
        gram = wide @ wide.T
        check_overflow(gram.max().astype(H.dtype), H.dtype, "products of the components", "H")
    sums, heavy, products = wide.sum(axis=1), _find_heavy(wide), gram
    if len(heavy):
        wide[:, heavy] = 0
        products = wide @ wide.T
    exact = np.ascontiguousarray(products[: len(H), : len(H)])
    return Given(Ht, gram, sums, penalty, exact, heavy)


def _find_heavy(wide):
    """Return the few columns that are far larger than the other nonzero ones."""
    squares = np.einsum("rj,rj->j", wide, wide)
    order = np.argsort(-squares, kind="stable")[: np.count_nonzero(squares)]
    first = order[: min(HEAVIEST, len(order) // 2)]
    others = squares[order[len(first) :]]
    return np.sort(first[squares[first] * max(len(others), 1) > HEAVY * others.sum()])


def solve(update, rows, given, W, tol, max_sweeps, *, want_loss=False):
    """Set the rows of W, zero on entry, to the exact best fit of `rows`.

    The sweeps of `RowUpdate.approach` come near it, and exact steps complete it.

    Parameters
    ----------
    update : RowUpdate
    rows : Rows
    given : Given
    W : ndarray of shape (n_rows, width)
    tol : float
    max_sweeps : int
    want_loss : bool

    Returns
    -------
    loss : float
        In float64, without the penalty. Zero unless `want_loss`.
    unfinished : int
        The number of rows that have not converged within max_sweeps.
    """
    loss, penalty, n_sweeps = update.loss, given.penalty, min(max_sweeps, SWEEPS)
    summary = update.summary_from(given.gram, given.sums, rows.absent)
    how = Pass(sweeps=n_sweeps, tolerance=max(tol, TOLERANCE), objective=False)
    update.approach(rows, given.Ht, summary, penalty, W, how)
    heavy = given.heavy if loss.beta == 2 else given.heavy[:0]
    is_heavy = np.zeros(len(given.Ht), bool)
    is_heavy[heavy] = True
    n_steps, statistics = max_sweeps - n_sweeps, np.empty((rows.n_blocks, 2))
    floor = loss.floor
    if loss.beta > 1 and rows.nnz:  # the curvature at zero is infinite, so no step would move
        floor = FLAT * float(rows.data.mean(dtype=np.float64))
    absent = rows.absent if loss.beta in (1, 2) else 0.0
    share = 0.0 if loss.beta == 2 and n_steps else tol * tol  # full accuracy is free: a quadratic
    side = operands.GivenSide(
        given.Ht, given.exact, heavy, is_heavy, given.sums, loss.beta, floor, absent,
        float(penalty.l1[0]), float(penalty.l2[0]),
    )  # fmt: skip
    solve_rows(update.n_threads, rows, side, W, share, n_steps, want_loss, statistics)
    total, unfinished = statistics.sum(axis=0)
    return float(total), int(unfinished)
