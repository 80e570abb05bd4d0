"""Rows of a factor at the optimum of their own problems, and their losses, in float64.

Coordinate descent crawls where components are alike, or where one feature outweighs the others,
and single precision does not even see what it should descend. So the rows that it has come to are
taken on by Newton's method, projected: the loss at w is replaced by a quadratic, whose lowest
point over w >= 0 is found exactly (`kernels.active_set`), and w goes there as far as its loss
falls. For the Frobenius loss the quadratic is the loss itself. For beta outside of [1, 2], where
the loss is not convex, the quadratic has the curvature of its convex part only; then what is
reached is a stationary point.

A row w of a factor, with sparse x, the other factor B and y = w B', minimises the sum over
the stored entries of v d(x, y), plus absent times that of all other ones, plus penalties, as in
`kernels.observed`. Here all entries are visited where absent ones have powers.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from .active_set import ROUNDING, solve_quadratic
from .compile.interrupts import sparse_work
from .compile.jit import inner, kernel
from .entries import longest_row
from .losses import (
    Given,
    entry_curvature,
    entry_slope,
    load_entries,
    load_everything,
    make_row,
    multiply,
    row_loss,
    row_value,
)
from .multiplicative import POWER

LIFT = 1e-3  # of x, that y has at the start where it was zero and need not be

FEW, MANY = 3, 100  # steps that promise no more than the objective's rounding

DESCENT, HALVINGS = 1e-4, 30  # share of what a step promises that it must keep


class Place(NamedTuple):
    """Where a row is, and scratch: of n_components, with `A` and `L` its square."""

    w: np.ndarray
    slope: np.ndarray
    base: np.ndarray
    trial: np.ndarray
    z: np.ndarray
    rest: np.ndarray
    terms: np.ndarray
    step: np.ndarray
    chosen: np.ndarray
    status: np.ndarray
    places: np.ndarray
    A: np.ndarray
    L: np.ndarray


def exact_work(rows, other, gram, heavy, is_heavy, sums, beta, *rest):
    """Return the work of a pass: about ten times that of an update."""
    everywhere = rows.absent and beta not in (1, 2)
    entries = rows.n_rows * len(other) * (POWER + other.shape[1]) if everywhere else 0
    return 10 * (sparse_work(rows, other) + entries)


@kernel(per_block=("statistics",), work=exact_work)
def solve_rows(
    rows, other, gram, heavy, is_heavy, sums, beta, floor, l1, l2, factor,
    tolerance, max_steps, measure, statistics,
):  # fmt: skip
    """Move each row of `factor` to the optimum, in place, and measure its loss.

    Parameters
    ----------
    gram : ndarray of shape (n_components, n_components), float64
        other' other, without its heavy rows.
    heavy, is_heavy : ndarray of shape (any,), int64, and (n_columns,), bool
        Rows of `other` beside whose squares those of others would be lost.
    sums : ndarray of shape (width,), float64
        Sums of the columns of `other`.
    beta, floor : float
        Of the loss, and the smallest y whose powers count where x is zero.
    l1, l2 : float
        Weights of the penalties.
    factor : ndarray of shape (n_rows, width)
        Overwritten, but with max_steps = 0.
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
        everywhere = rows.absent > 0 and beta != 1 and beta != 2
        absent = 0.0 if everywhere else rows.absent
        given = Given(other, gram, heavy, is_heavy, sums, beta, floor, absent, l1, l2)
        longest = longest_row(rows.indptr, first, last) + heavy.shape[0]
        row = make_row(other.shape[0] if everywhere else longest)
        place = make_place(gram.shape[0])
        loss, unfinished = 0.0, 0.0
        for i in range(first, last):
            if everywhere:
                n, n_seen = load_everything(row, rows, i, other.shape[0])
            else:
                n, n_seen = load_entries(row, rows, i, given)
            # In functions: written here, the parallel twin would lose it, for place is a tuple.
            load_coordinates(place.w, factor[i])
            unfinished += solve_row(row, n, n_seen, given, place, tolerance, max_steps)
            if max_steps > 0:
                store_coordinates(place.w, factor[i])
            load_coordinates(place.w, factor[i])  # as they are rounded
            if measure:
                loss += row_loss(row, n, given, place.w)
        statistics[block, 0], statistics[block, 1] = loss, unfinished


@inner
def load_coordinates(w, values):
    """Set w to the first values."""
    for r in range(w.shape[0]):
        w[r] = values[r]


@inner
def store_coordinates(w, values):
    """Set the first values to w."""
    for r in range(w.shape[0]):
        values[r] = w[r]


@inner
def make_place(k):
    """Return scratch for a row of k components."""
    lines, numbers, squares = np.zeros((8, k)), np.zeros((3, k), np.int64), np.zeros((2, k, k))
    return Place(
        lines[0], lines[1], lines[2], lines[3], lines[4], lines[5], lines[6], lines[7],
        numbers[0], numbers[1], numbers[2], squares[0], squares[1],
    )  # fmt: skip


@inner
def solve_row(row, n_all, n, given, place, tolerance, max_steps):
    """Take a row to its optimum; return 1 if the steps have not been enough, else 0."""
    sum_fixed_slopes(row, n, n_all, given, place)
    multiply(row.y, place.w, row.columns, n, given.other)
    lift_products(row, n, given, place)
    done, fine, finer = 0, 0, 0
    while True:
        sum_slopes(row, n, given, place)
        m = choose(place)
        sum_curvatures(row, n, given, place, m)
        if drop_flat(place, m):
            multiply(row.y, place.w, row.columns, n, given.other)
            continue
        size, whole = load_model(place, m)
        if at_rest(place, m):
            return 0.0
        solve_quadratic(
            place.A, place.rest, place.terms, place.z, place.L, place.step, place.status,
            place.places, m,
        )  # fmt: skip
        promised, curvature = weigh_step(place, m)
        # Steps below the objective's rounding may let others begin, and what a heavy column leaves
        # to others needs several.
        fine += promised <= ROUNDING * size
        finer += promised <= ROUNDING * whole
        if not promised > 0 or fine > (FEW if given.beta == 2 else 0) or finer > MANY:
            return 0.0
        value = size if given.beta == 2 else row_value(row, row.y, n, given, place.w)
        enough = promised <= tolerance * value or (finer > 0 and done == max_steps)
        if done == max_steps:
            return 0.0 if enough else 1.0
        if not move(row, n, given, place, m, promised, curvature, value) or enough:
            return 0.0  # else no more than rounding is left
        done += 1


@inner
def sum_fixed_slopes(row, first, last, given, place):
    """Set what slopes have that does not depend on w."""
    for r in range(place.base.shape[0]):
        place.base[r] = given.l1 + (given.absent * given.sums[r] if given.beta == 1 else 0.0)
    for p in range(first, last):
        for r in range(place.base.shape[0]):
            place.base[r] -= row.v[p] * row.x[p] * given.other[row.columns[p], r]


@inner
def lift_products(row, n, given, place):
    """Change w where a product is zero that need not be, and makes the slopes infinite."""
    lifted = False
    for p in range(n if given.beta < 2 else 0):
        if row.x[p] > 0 and row.v[p] > 0 and not row.y[p] > 0:
            total, j = 0.0, row.columns[p]
            for r in range(place.w.shape[0]):
                total += given.other[j, r]
            for r in range(place.w.shape[0]):
                if given.other[j, r] > 0:
                    place.w[r] += LIFT * row.x[p] / total
                    lifted = True
    if lifted:
        multiply(row.y, place.w, row.columns, n, given.other)


@inner
def sum_slopes(row, n, given, place):
    """Set the derivatives of the row's objective."""
    k, w, slope = place.w.shape[0], place.w, place.slope
    for r in range(k):
        slope[r] = place.base[r] + given.l2 * w[r]
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
def choose(place):
    """Choose the coordinates that are not zero, or should not be; return their number."""
    m = 0
    for r in range(place.w.shape[0]):
        if place.w[r] > 0 or place.slope[r] < 0:
            place.chosen[m] = r
            m += 1
    return m


@inner
def sum_curvatures(row, n, given, place, m):
    """Set A to the second derivatives by the chosen coordinates, and terms to A w'.

    The terms are what slopes are differences of, but for heavy columns.
    """
    A, chosen, bases, terms = place.A, place.chosen, place.step, place.terms
    share = given.absent if given.beta == 2 else 0.0
    for a in range(m):
        terms[a] = given.l2 * place.w[chosen[a]]
        for b in range(m):
            A[a, b] = share * given.gram[chosen[a], chosen[b]] if share > 0 else 0.0
            terms[a] += A[a, b] * place.w[chosen[b]]
        A[a, a] += given.l2
    for p in range(n):
        rate = entry_curvature(row.x[p], row.v[p], row.summed[p], row.y[p], given)
        if rate != 0:
            size = 0.0 if given.is_heavy[row.columns[p]] else abs(rate) * row.y[p]
            for a in range(m):
                bases[a] = given.other[row.columns[p], chosen[a]]
                terms[a] += size * bases[a]
            for a in range(m):
                factor = rate * bases[a]
                for b in range(a + 1):
                    A[a, b] += factor * bases[b]
    for a in range(m):
        for b in range(a):
            A[b, a] = A[a, b]


@inner
def drop_flat(place, m):
    """Make coordinates zero of which only the slope is left; return whether there were any."""
    dropped = False
    for a in range(m):
        if not place.A[a, a] > 0:
            dropped = dropped or place.w[place.chosen[a]] > 0
            place.w[place.chosen[a]] = 0.0
            place.A[a, a] = 1.0  # zero slope or more keeps it there
    return dropped


@inner
def load_model(place, m):
    """Set where the quadratic starts and its slopes; return w A w', without and with all of A."""
    light = whole = 0.0
    for a in range(m):
        place.z[a], place.rest[a] = place.w[place.chosen[a]], place.slope[place.chosen[a]]
        light += place.terms[a] * place.z[a]
        for b in range(m):
            whole += place.A[a, b] * place.z[a] * place.w[place.chosen[b]]
    return light, whole


@inner
def at_rest(place, m):
    """Return whether the slopes are what rounding has left."""
    for a in range(m):
        slope, least = place.rest[a], ROUNDING * place.terms[a]
        if slope < -least or (slope > least and place.z[a] > 0):
            return False
    return True


@inner
def weigh_step(place, m):
    """Return what the step from w to z promises to first order, and its curvature."""
    promised, curvature = 0.0, 0.0
    for a in range(m):
        place.step[a] = place.z[a] - place.w[place.chosen[a]]
        promised -= place.step[a] * place.slope[place.chosen[a]]
    for a in range(m):
        for b in range(m):
            curvature += place.step[a] * place.A[a, b] * place.step[b]
    return promised, curvature


@inner
def move(row, n, given, place, m, promised, curvature, value):
    """Go to z, or as far as the objective falls; return whether it did."""
    share = 1.0
    if given.beta == 2 and curvature > promised:
        share = promised / curvature
    for _ in range(HALVINGS):
        for r in range(place.w.shape[0]):
            place.trial[r] = place.w[r]
        for a in range(m):
            r = place.chosen[a]
            place.trial[r] = place.z[a] if share == 1 else place.w[r] + share * place.step[a]
        falls = given.beta == 2
        multiply(row.trial, place.trial, row.columns, n, given.other)
        if not falls:
            reached = row_value(row, row.trial, n, given, place.trial)
            falls = reached < value - DESCENT * share * promised
        if falls:
            for r in range(place.w.shape[0]):
                place.w[r] = max(place.trial[r], 0.0)
            for p in range(n):
                row.y[p] = row.trial[p]
            return True
        share *= 0.5
    return False
