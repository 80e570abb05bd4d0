"""Coordinate descent on the rows of a factor, Kullback-Leibler loss.

Given sparse rows x and the other factor B, each row w of this factor minimises

    sum over the nonzeros of x log(x / y) + sum over r of w_r S_r + l1 sum(w) + l2/2 ||w||^2

with y = w B', S_r the sum of B's column r, and w >= 0: the generalised divergence up to
a constant. It includes the entries that are zero, at the cost of those that are not. Where entries
have weights v (see `kernels.weighted`), the problem is the same: v d(x, y) = d(v x, v y). So x
and the rows of B that x meets are multiplied by v, and S becomes the sums of the row itself.

One coordinate at a time (Hsieh & Dhillon 2011, "Fast coordinate descent methods with
variable selection for non-negative matrix factorization", KDD, section 4), by the steps of
`kernels.newton`: the objective falls with every step, without ever being computed.

The arrays that the kernels share are described in `kernels.coordinate_descent`.
"""

import numpy as np
from numba import prange

from .compile.interrupts import side_work
from .compile.jit import inner, kernel
from .entries import allow, clear_unknown, longest_row, weigh_row, whole_vectors
from .newton import any_positive, is_needed, newton_step, rescale
from .operands import Coordinates, Strips
from .vector.gather import dot_rows
from .vector.rows import copy_values, load_row
from .vector.strips import (
    FLOOR,
    gather_strips,
    move_and_sum,
    smallest_positive,
    sum_log_ratios,
)
from .vector.vector_code import VECTOR_BYTES

STRIP_ITEMS = 2**19
"""The most entries of all strips of a row together. Longer rows gather their strips a vector of
components at a time, anew in every sweep."""

SUM_CHUNK = 512  # nonzeros whose logarithms are summed in the factor's own precision

LEFT = 1e-13  # of a sum in double precision, below which only rounding is left


@kernel(per_block=("rows", "statistics"), work=side_work)
def update_rows_kl(rows, side, penalty, factor, out, sweeps, unequal, statistics):
    """Improve each row of `factor` by coordinate descent and write it to `out`.

    Parameters
    ----------
    side : Side
        The summary is ndarray of shape (width,), float64: the sums of the columns of B.
    out : ndarray like `factor`
        May be `factor` itself.
    sweeps : Sweeps
        Every second sweep passes over the coordinates that are zero. The residual is measured
        with max_sweeps = 0 only.
    unequal : True or None
        None if all entries count alike (`Rows.plain`): numba then leaves out the code for
        weights, which takes a third of the time to compile.
    statistics : ndarray of shape (n_blocks, 2), float64
        Overwritten with each block's sum of the row objectives above, if wanted, and,
        with max_sweeps = 0, of the decreases that the steps of single coordinates
        promise to first order.

    Notes
    -----
    Cost: nnz * width for the gather and for each sweep, with a division each. Scratch:
    the strips of one row (`STRIP_ITEMS`, or a vector for each nonzero of the longest
    row). Each turn of the parallel loop writes to its own rows and statistics.
    """
    other, sums = side
    max_sweeps, want_objective = sweeps.max_sweeps, sweeps.objective
    for block in prange(rows.blocks.shape[0]):
        first, last = rows.blocks[block, 0], rows.blocks[block, 1]
        width, n_lanes = other.shape[1], VECTOR_BYTES // other.itemsize
        longest = whole_vectors(longest_row(rows.indptr, first, last), other)
        space = np.empty(min(width * longest, max(STRIP_ITEMS, n_lanes * longest)), other.dtype)
        lines, targets = np.empty((4, longest), other.dtype), np.empty(width)
        w, pair = np.empty(width, other.dtype), np.empty(2, other.dtype)
        movable = np.empty(width, np.bool_)
        objective, residual = 0.0, 0.0
        for i in range(first, last):
            start, stop = rows.indptr[i], rows.indptr[i + 1]
            n = whole_vectors(stop - start, other)
            n_strips = width if width * n <= space.shape[0] else n_lanes
            b = space[: n_strips * n].reshape(n_strips, n)
            x, y, v, spare = lines[0, :n], lines[1, :n], lines[2, :n], lines[3, :n]
            copy_values(w, factor[i])
            l1, l2 = allow(movable, penalty, i)
            if unequal is not None and max_sweeps > 0:
                clear_unknown(w, movable, rows, i)
            load_entries(x, v, spare, rows, i, unequal)
            sum_targets(targets, sums, spare, rows, i, other, unequal)
            row, strips = Coordinates(w, movable, targets, l1, l2), Strips(b, x, y, v, pair)
            change = descend_row(row, strips, spare, rows, i, other, sweeps, unequal)
            residual += change if max_sweeps == 0 else 0.0
            if max_sweeps > 0 and not any_positive(w):
                rescale(row, factor[i], x)
            copy_values(out[i], w)
            if want_objective:
                dot_rows(y, w, rows.indices, start, stop, other)
                weigh_products(y, v, unequal)
                objective += sum_divergence(x, y, pair)
                for r in range(width):
                    value = np.float64(w[r])
                    objective += value * (targets[r] + l1 + 0.5 * l2 * value)
        statistics[block, 0], statistics[block, 1] = objective, residual


@inner
def load_entries(x, v, excess, rows, i, unequal):
    """Load a row's x; where entries have weights, v x, v, and v less what absent ones have.

    v is zero where x is: there, the sums of B are all that counts.
    """
    start, stop = rows.indptr[i], rows.indptr[i + 1]
    if unequal is None:
        load_row(x, rows.data, start, stop)
    else:
        weigh_row(x, excess, rows, start, stop)
        for p in range(v.shape[0]):
            v[p] = 1
        for p in range(stop - start):
            weight = rows.weights[start + p] if rows.weights.shape[0] > 0 else v.dtype.type(1)
            v[p] = weight if x[p] > 0 else 0


@inner
def sum_targets(targets, sums, excess, rows, i, other, unequal):
    """Set targets to the sums of B over all entries, weighted."""
    if unequal is None:
        copy_values(targets, sums)
    else:
        start, stop = rows.indptr[i], rows.indptr[i + 1]
        for r in range(targets.shape[0]):
            targets[r] = rows.absent * sums[r]
        for p in range(stop - start):  # `gather_rows` would take a second more to compile
            j = rows.indices[start + p]
            for r in range(targets.shape[0]):
                targets[r] += np.float64(excess[p]) * other[j, r]
        for r in range(targets.shape[0]):
            if not targets[r] > LEFT * rows.absent * sums[r]:
                targets[r] = 0  # only rounding is left


@inner
def weigh_products(y, v, unequal):
    """Multiply y by the weights, if there are any; set it to one where they are zero."""
    if unequal is not None:
        for p in range(v.shape[0]):
            y[p] = y[p] * v[p] if v[p] > 0 else 1


@inner
def load_strips(strips, r0, rows, i, other, unequal):
    """Gather the strips from component r0 on, and multiply them by the weights, if any."""
    b, v = strips.b, strips.v
    if v.shape[0] > 0:
        gather_strips(b, r0, rows.indices, rows.indptr[i], rows.indptr[i + 1], other)
    if unequal is not None:
        for q in range(b.shape[0]):
            for p in range(v.shape[0]):
                b[q, p] *= v[p]


@inner
def sum_divergence(x, y, pair):
    """Return the sum of x log(x / y), in double precision from short sums in single."""
    total = 0.0
    for start in range(0, x.shape[0], SUM_CHUNK):
        sum_log_ratios(pair, x[start : start + SUM_CHUNK], y[start : start + SUM_CHUNK])
        total += np.float64(pair[0])
    return total


@inner
def descend_row(row, strips, spare, rows, i, other, sweeps, unequal):
    """Sweep over a row until it is done; return the last change (or the residual)."""
    x, y, sums, width = strips.x, strips.y, strips.sums, row.w.shape[0]
    n_strips, max_sweeps, tolerance = strips.b.shape[0], sweeps.max_sweeps, sweeps.tolerance
    if n_strips == width:
        load_strips(strips, 0, rows, i, other, unequal)
    dot_rows(y, row.w, rows.indices, rows.indptr[i], rows.indptr[i + 1], other)
    weigh_products(y, strips.v, unequal)
    for p in range(y.shape[0]):
        y[p] = max(y[p], x.dtype.type(FLOOR) * x[p])
    smallest_positive(sums, x)
    least, limit, change = np.float64(sums[0]), 0.0, 0.0
    for sweep in range(max(max_sweeps, 1)):
        change = 0.0
        for r0 in range(0, width, n_strips):
            if n_strips < width:
                load_strips(strips, r0, rows, i, other, unequal)
            change += sweep_strips(row, strips, spare, r0, least, sweep % 2 == 1, max_sweeps > 0)
        if sweep == 0:
            limit = tolerance * tolerance * change
        if change <= limit and sweep % 2 == 0:
            break
    return change


@inner
def sweep_strips(row, strips, spare, r0, least, skip_zeros, move):
    """Move the coordinates of the strips, from r0 on, once each; return the squared steps.

    Without `move` nothing changes, and the promised decreases are returned.
    """
    w, movable, slopes, l1, l2 = row
    b, x, y, _, sums = strips
    change, step, moved = 0.0, w.dtype.type(0), 0
    for q in range(b.shape[0]):
        r = r0 + q
        old = np.float64(w[r])
        if not movable[r] or slopes[r] + l1 + l2 == 0 or (skip_zeros and old == 0):
            continue  # held, of no effect, or at rest
        move_and_sum(sums, b, moved, step, q, x, y)
        g, h, target = np.float64(sums[0]), np.float64(sums[1]), slopes[r] + l1 + l2 * old
        moved, step = q, w.dtype.type(0)
        if old == 0 and g <= target:
            continue  # as most are
        new = newton_step(old, g, h, target, l2)
        if new <= 0:
            copy_values(spare, y)
            move_and_sum(sums, b, q, -w[r], q, x, spare)
            limit = slopes[r] + l1  # the target where the coordinate is zero
            if sums[0] > limit or is_needed(old, strips, q, spare, least, limit):
                new = max(old * g / target, np.float64(np.finfo(w.dtype).tiny))
        new = max(new, 0.0)
        if move:
            rounded = w.dtype.type(new)
            step, w[r] = rounded - w[r], rounded
            change += (h + l2) * (new - old) ** 2
        else:
            change += (target - g) * (old - new)
    move_and_sum(sums, b, moved, step, moved, x, y)
    return change
