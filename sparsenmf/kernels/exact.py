"""Rows of a factor at the optimum of their own problems, and their losses, in float64.

Coordinate descent is slow where components are alike, or where one feature outweighs the others,
and single precision does not resolve the last part of the descent. So the rows that it has reached
are finished by projected Newton steps: the loss at w is replaced by a quadratic
(`kernels.quadratic`), whose minimum over w >= 0 is found exactly (`kernels.active_set`), and w goes
there as far as its loss falls. For the Frobenius loss the quadratic is the loss itself. For beta
outside of [1, 2] the loss is not convex. Then the quadratic has the curvature of the convex part
only, and the result is a stationary point.

A row w of a factor, with sparse x, the other factor B and y = w B', minimises the sum of v d(x, y)
over the stored entries, plus absent times that over all others, plus penalties, as in
`kernels.weighted`. All entries are visited where absent ones have powers.
"""

import numpy as np
from numba import prange

from .active_set import ROUNDING, solve_quadratic
from .compile.interrupts import sparse_work
from .compile.jit import inner, kernel
from .entries import longest_row
from .losses import (
    entry_slope,
    load_entries,
    load_everything,
    make_entries,
    multiply,
    row_loss,
    row_value,
)
from .multiplicative import POWER
from .operands import Newton
from .quadratic import at_rest, choose, drop_flat, load_model, sum_curvatures, weigh_step

LIFT = 1e-3  # share of x that y gets at the start where it was zero and need not be

FEW, MANY = 3, 100  # so many steps may promise no more than the objective's rounding

DESCENT, HALVINGS = 1e-4, 30  # share of what a step promises that it must keep


def exact_work(rows, given, *rest):
    """Return the work of a pass: about ten times that of an update."""
    everywhere = rows.absent and given.beta not in (1, 2)
    width = given.other.shape[1]
    entries = rows.n_rows * len(given.other) * (POWER + width) if everywhere else 0
    return 10 * (sparse_work(rows, given.other) + entries)


@kernel(per_block=("rows", "statistics"), work=exact_work)
def solve_rows(rows, given, factor, tolerance, max_steps, measure, statistics):
    """Move each row of `factor` to the optimum, in place, and measure its loss.

    Parameters
    ----------
    given : GivenSide
        absent is zero where all entries are visited.
    factor : ndarray of shape (n_rows, width)
        Overwritten, unless max_steps is 0.
    tolerance : float
        A row is done when a step promises to lower its loss by less than this share of it.
    max_steps : int
        For each row.
    measure : bool
        Whether to measure the loss of the rows as they are rounded in `factor`.
    statistics : ndarray of shape (n_blocks, 2), float64
        Overwritten with each block's loss, without penalties, and its number of rows that were
        not done.

    Notes
    -----
    Each turn of the parallel loop writes to its own rows and statistics.
    """
    for block in prange(rows.blocks.shape[0]):
        first, last = rows.blocks[block, 0], rows.blocks[block, 1]
        everywhere = rows.absent > 0 and given.beta != 1 and given.beta != 2
        n_columns, longest = given.other.shape[0], longest_row(rows.indptr, first, last)
        row = make_entries(n_columns if everywhere else longest + given.heavy.shape[0])
        newton = make_newton(given.gram.shape[0])
        loss, unfinished = 0.0, 0.0
        for i in range(first, last):
            if everywhere:
                n, n_seen = load_everything(row, rows, i, n_columns)
            else:
                n, n_seen = load_entries(row, rows, i, given)
            # By functions: numba's parallel twin loses assignments to items of a tuple's arrays.
            copy_coordinates(newton.w, factor[i], newton.w.shape[0])
            unfinished += solve_row(row, n, n_seen, given, newton, tolerance, max_steps)
            if max_steps > 0:
                copy_coordinates(factor[i], newton.w, newton.w.shape[0])
            copy_coordinates(newton.w, factor[i], newton.w.shape[0])  # as they are rounded
            if measure:
                loss += row_loss(row, n, given, newton.w)
        statistics[block, 0], statistics[block, 1] = loss, unfinished


@inner
def copy_coordinates(target, source, k):
    """Set the first k values of the target to those of the source."""
    for r in range(k):
        target[r] = source[r]


@inner
def make_newton(k):
    """Return scratch for a row of k components."""
    lines, numbers, squares = np.zeros((8, k)), np.zeros((3, k), np.int64), np.zeros((2, k, k))
    return Newton(
        lines[0], lines[1], lines[2], lines[3], lines[4], lines[5], lines[6], lines[7],
        numbers[0], numbers[1], numbers[2], squares[0], squares[1],
    )  # fmt: skip


@inner
def solve_row(row, n_all, n, given, newton, tolerance, max_steps):
    """Take a row to its optimum; return 1 if the steps have not been enough, else 0."""
    sum_fixed_slopes(row, n, n_all, given, newton)
    multiply(row.y, newton.w, row.columns, n, given.other)
    lift_products(row, n, given, newton)
    done, fine, finer = 0, 0, 0
    while True:
        sum_slopes(row, n, given, newton)
        m = choose(newton)
        sum_curvatures(row, n, given, newton, m)
        if drop_flat(newton, m):
            multiply(row.y, newton.w, row.columns, n, given.other)
            continue
        size, whole = load_model(newton, m)
        if at_rest(newton, m):
            return 0.0
        solve_quadratic(
            newton.A, newton.rest, newton.terms, newton.z, newton.L, newton.step, newton.status,
            newton.places, m,
        )  # fmt: skip
        promised, curvature = weigh_step(newton, m)
        # Steps below the objective's rounding may allow others, and several are needed for what a
        # heavy column leaves to the others.
        fine += promised <= ROUNDING * size
        finer += promised <= ROUNDING * whole
        if not promised > 0 or fine > (FEW if given.beta == 2 else 0) or finer > MANY:
            return 0.0
        value = size if given.beta == 2 else row_value(row, row.y, n, given, newton.w)
        enough = promised <= tolerance * value or (finer > 0 and done == max_steps)
        if done == max_steps:
            return 0.0 if enough else 1.0
        if not move(row, n, given, newton, m, promised, curvature, value) or enough:
            return 0.0  # if it did not move, only rounding is left
        done += 1


@inner
def sum_fixed_slopes(row, first, last, given, newton):
    """Set the part of the slopes that does not depend on w."""
    for r in range(newton.base.shape[0]):
        newton.base[r] = given.l1 + (given.absent * given.sums[r] if given.beta == 1 else 0.0)
    for p in range(first, last):
        for r in range(newton.base.shape[0]):
            newton.base[r] -= row.v[p] * row.x[p] * given.other[row.columns[p], r]


@inner
def lift_products(row, n, given, newton):
    """Increase w where y is zero but need not be, which would make slopes infinite."""
    lifted = False
    for p in range(n if given.beta < 2 else 0):
        if row.x[p] > 0 and row.v[p] > 0 and not row.y[p] > 0:
            total, j = 0.0, row.columns[p]
            for r in range(newton.w.shape[0]):
                total += given.other[j, r]
            for r in range(newton.w.shape[0]):
                if given.other[j, r] > 0:
                    newton.w[r] += LIFT * row.x[p] / total
                    lifted = True
    if lifted:
        multiply(row.y, newton.w, row.columns, n, given.other)


@inner
def sum_slopes(row, n, given, newton):
    """Set the derivatives of the row's objective."""
    k, w, slope = newton.w.shape[0], newton.w, newton.slope
    for r in range(k):
        slope[r] = newton.base[r] + given.l2 * w[r]
    for s in range(k if given.beta == 2 and given.absent > 0 else 0):
        if w[s] > 0:
            for r in range(k):
                slope[r] += given.absent * w[s] * given.gram[s, r]
    for p in range(n):
        rate = entry_slope(row.x[p], row.v[p], row.summed[p], row.y[p], given)
        if rate != 0:
            for r in range(k):
                slope[r] += rate * given.other[row.columns[p], r]


@inner
def move(row, n, given, newton, m, promised, curvature, value):
    """Go to z, or as far as the objective falls; return whether it did."""
    share = 1.0
    if given.beta == 2 and curvature > promised:
        share = promised / curvature
    for _ in range(HALVINGS):
        for r in range(newton.w.shape[0]):
            newton.trial[r] = newton.w[r]
        for a in range(m):
            r = newton.chosen[a]
            newton.trial[r] = newton.z[a] if share == 1 else newton.w[r] + share * newton.step[a]
        falls = given.beta == 2
        multiply(row.trial, newton.trial, row.columns, n, given.other)
        if not falls:
            reached = row_value(row, row.trial, n, given, newton.trial)
            falls = reached < value - DESCENT * share * promised
        if falls:
            for r in range(newton.w.shape[0]):
                newton.w[r] = max(newton.trial[r], 0.0)
            for p in range(n):
                row.y[p] = row.trial[p]
            return True
        share *= 0.5
    return False
