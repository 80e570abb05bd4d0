"""Coordinate descent on the rows of a factor, Kullback-Leibler loss.

Given sparse rows x and the other factor B, each row w of this factor minimises

    sum over the nonzeros of x log(x / y) + sum over r of w_r S_r + l1 sum(w) + l2/2 ||w||^2

with y = w B', S_r the sum of B's column r, and w >= 0: the generalised divergence up to
a constant, entries that are zero included, at the cost of those that are not. Where entries
have weights v (see `kernels.observed`), it is the same problem: v d(x, y) = d(v x, v y), so
x and the rows of B that x meets are multiplied by v, and S becomes the row's own sums.

One coordinate at a time (Hsieh & Dhillon 2011, "Fast coordinate descent methods with
variable selection for non-negative matrix factorization", KDD, section 4). With
g = sum x b / y and h = sum x b^2 / y^2 the derivative is T - g, T = S_r + l1 + l2 w, and
Newton's step would be (g - T) / h. But 1 / g is nearly linear in w_r (exactly, if one
nonzero matters), so the step is Newton's for 1 / g = 1 / T instead:

    step = (g / T) (g - T) / (h + l2 (g / T)^2).

1 / g - 1 / T is concave and rises with w_r, so a step to the right never goes too far.
One to the left can; it is taken if the objective provably falls: no curvature between w
and w - d exceeds (h + l2) / (1 - d / w)^2. Else the step is that of the multiplicative
update, w g / T, which never raises the objective (Lee & Seung 2001); and a coordinate
that would pass zero becomes zero if the derivative there is not negative. So the
objective falls with every step, without ever being computed. A coordinate without which some
y would be zero, where x is not, never becomes zero: the objective would be infinite. As y is
known up to rounding only, `is_needed` asks whether anything beyond rounding would be left.

The arrays that the kernels share are those of `kernels.coordinate_descent`.
"""

import numpy as np
from numba import prange

from .compile.interrupts import sparse_work
from .compile.jit import inner, kernel
from .entries import allow, clear_unobserved, longest_row, weigh_row, whole_vectors
from .vector.gather import dot_rows
from .vector.rows import copy_values, load_row
from .vector.strips import (
    FLOOR,
    STEEP,
    gather_strips,
    move_and_sum,
    smallest_positive,
    sum_log_ratios,
)
from .vector.vector_code import VECTOR_BYTES

STRIP_ITEMS = 2**19
"""Entries of all strips of a row together. The strips of rows that are longer are
gathered a vector of components at a time, anew in every sweep."""

SUM_CHUNK = 512  # nonzeros whose logarithms are summed in the factor's own precision

LEFT = 1e-13  # of a sum in double precision, where rounding is all that is left

STEEPEST = min(STEEP.values())

NOISE = 16  # units of rounding in y, after some moves


@kernel(per_block=("statistics",), work=sparse_work)
def update_rows_kl(
    rows, other, sums, penalty, factor, out,
    max_sweeps, tolerance, want_objective, unequal, statistics,
):  # fmt: skip
    """Improve each row of `factor` by coordinate descent and write it to `out`.

    Parameters
    ----------
    sums : ndarray of shape (width,), float64
        Sums of the columns of `other`.
    out : ndarray like `factor`
        May be `factor` itself.
    max_sweeps : int
        0 leaves the rows as they are and only measures. Every second sweep passes over
        the coordinates that are zero.
    tolerance : float
        A row is done when a full sweep moved it less than this fraction of its first
        sweep, in the metric of the second derivatives.
    want_objective : bool
    unequal : True or None
        None if all entries count alike (`Rows.plain`): numba then leaves out what is for
        others, which takes a third of the time to compile.
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
    for block in prange(rows.blocks.shape[0]):
        first, last = rows.blocks[block, 0], rows.blocks[block, 1]
        width, n_lanes = other.shape[1], VECTOR_BYTES // other.itemsize
        longest = whole_vectors(longest_row(rows.indptr, first, last), other)
        space = np.empty(min(width * longest, max(STRIP_ITEMS, n_lanes * longest)), other.dtype)
        lines, targets = np.empty((4, longest), other.dtype), np.empty(width)
        row, pair = np.empty(width, other.dtype), np.empty(2, other.dtype)
        movable = np.empty(width, np.bool_)
        objective, residual = 0.0, 0.0
        for i in range(first, last):
            start, stop = rows.indptr[i], rows.indptr[i + 1]
            n = whole_vectors(stop - start, other)
            n_strips = width if width * n <= space.shape[0] else n_lanes
            strips = space[: n_strips * n].reshape(n_strips, n)
            x, y, spare, scale = lines[0, :n], lines[1, :n], lines[2, :n], lines[3, :n]
            copy_values(row, factor[i])
            l1, l2 = allow(movable, penalty, i)
            if unequal is not None and max_sweeps > 0:
                clear_unobserved(row, movable, rows, i)
            sum_targets(targets, sums, x, spare, rows, start, stop, other, unequal)
            load_scale(scale, x, rows, start, stop, unequal)
            change = settle_row(
                row, movable, strips, x, y, spare, scale, unequal, pair, targets, l1, l2,
                rows.indices, start, stop, other, max_sweeps, tolerance,
            )  # fmt: skip
            residual += change if max_sweeps == 0 else 0.0
            if max_sweeps > 0 and not any_positive(row):
                rescale(row, factor[i], x, targets, l1, l2)
            copy_values(out[i], row)
            if want_objective:
                dot_rows(y, row, rows.indices, start, stop, other)
                scale_products(y, scale, unequal)
                objective += sum_divergence(x, y, pair)
                for r in range(width):
                    w = np.float64(row[r])
                    objective += w * (targets[r] + l1 + 0.5 * l2 * w)
        statistics[block, 0], statistics[block, 1] = objective, residual


@inner
def sum_targets(targets, sums, x, excess, rows, start, stop, other, unequal):
    """Load x, weighted, and set targets to the sums of B over all entries, weighted."""
    if unequal is None:
        load_row(x, rows.data, start, stop)
        copy_values(targets, sums)
    else:
        weigh_row(x, excess, rows, start, stop)
        for r in range(targets.shape[0]):
            targets[r] = rows.absent * sums[r]
        for p in range(stop - start):  # not by `gather_rows`, which would compile for a second
            j = rows.indices[start + p]
            for r in range(targets.shape[0]):
                targets[r] += np.float64(excess[p]) * other[j, r]
        for r in range(targets.shape[0]):
            if not targets[r] > LEFT * rows.absent * sums[r]:
                targets[r] = 0  # what rounding has left of nothing


@inner
def load_scale(scale, x, rows, start, stop, unequal):
    """Set what strips are multiplied by, if they are.

    Where x is zero, the sums of B are all that counts.
    """
    if unequal is not None:
        for p in range(scale.shape[0]):
            scale[p] = 1
        for p in range(stop - start):
            v = rows.weights[start + p] if rows.weights.shape[0] > 0 else scale.dtype.type(1)
            scale[p] = v if x[p] > 0 else 0


@inner
def scale_products(y, scale, unequal):
    """Multiply y by the scale, if it is used; one where that is zero."""
    if unequal is not None:
        for p in range(scale.shape[0]):
            y[p] = y[p] * scale[p] if scale[p] > 0 else 1


@inner
def scale_strips(strips, scale, unequal):
    """Multiply the strips by the scale, if it is used."""
    if unequal is not None:
        for q in range(strips.shape[0]):
            for p in range(scale.shape[0]):
                strips[q, p] *= scale[p]


@inner
def sum_divergence(x, y, pair):
    """Return the sum of x log(x / y), in double precision from short sums in single."""
    total = 0.0
    for start in range(0, x.shape[0], SUM_CHUNK):
        sum_log_ratios(pair, x[start : start + SUM_CHUNK], y[start : start + SUM_CHUNK])
        total += np.float64(pair[0])
    return total


@inner
def settle_row(
    row, movable, strips, x, y, spare, scale, unequal, pair, sums, l1, l2,
    indices, start, stop, other, max_sweeps, tolerance,
):  # fmt: skip
    """Sweep over a row until it is settled; return the last change (or the residual)."""
    if strips.shape[0] == row.shape[0] and y.shape[0] > 0:
        gather_strips(strips, 0, indices, start, stop, other)
        scale_strips(strips, scale, unequal)
    dot_rows(y, row, indices, start, stop, other)
    scale_products(y, scale, unequal)
    for p in range(y.shape[0]):
        y[p] = max(y[p], x.dtype.type(FLOOR) * x[p])
    smallest_positive(pair, x)
    least, limit, change = np.float64(pair[0]), 0.0, 0.0
    for sweep in range(max(max_sweeps, 1)):
        change = 0.0
        for r0 in range(0, row.shape[0], strips.shape[0]):
            part = slice(r0, r0 + strips.shape[0])
            if strips.shape[0] < row.shape[0] and y.shape[0] > 0:
                gather_strips(strips, r0, indices, start, stop, other)
                scale_strips(strips, scale, unequal)
            change += sweep_strips(
                row[part], movable[part], strips, x, y, spare, pair, sums[part], l1, l2, least,
                sweep % 2 == 1, max_sweeps > 0,
            )  # fmt: skip
        if sweep == 0:
            limit = tolerance * tolerance * change
        if change <= limit and sweep % 2 == 0:
            break
    return change


@inner
def sweep_strips(
    row, movable, strips, x, y, spare, pair, sums, l1, l2, least, skip_zeros, move
):  # fmt: skip
    """Move the coordinates of some strips once each, in order; return the squared steps.

    Without `move` nothing changes, and the promised decreases are returned.
    """
    change, step, moved = 0.0, row.dtype.type(0), 0
    for r in range(row.shape[0]):
        old = np.float64(row[r])
        if not movable[r] or sums[r] + l1 + l2 == 0 or (skip_zeros and old == 0):
            continue  # held, of no effect, or at rest
        move_and_sum(pair, strips, moved, step, r, x, y)
        g, h, target = np.float64(pair[0]), np.float64(pair[1]), sums[r] + l1 + l2 * old
        moved, step = r, row.dtype.type(0)
        if old == 0 and g <= target:
            continue  # as most are
        new = newton_step(old, g, h, target, l2)
        if new <= 0:
            copy_values(spare, y)
            move_and_sum(pair, strips, r, -row[r], r, x, spare)
            limit = sums[r] + l1  # the target where the coordinate is zero
            if pair[0] > limit or is_needed(old, strips, r, y, spare, least, limit):
                new = max(old * g / target, np.float64(np.finfo(row.dtype).tiny))
        new = max(new, 0.0)
        if move:
            rounded = row.dtype.type(new)
            step, row[r] = rounded - row[r], rounded
            change += (h + l2) * (new - old) ** 2
        else:
            change += (target - g) * (old - new)
    move_and_sum(pair, strips, moved, step, moved, x, y)
    return change


@inner
def is_needed(w, strips, r, y, without, least, target):
    """Return whether y would be zero somewhere without coordinate r, but for rounding.

    Then the derivative without it has a term x b / y of at least x / (share w). It is known not to
    exceed the target, so unless the smallest x is tiny, there is no such entry to look for.
    """
    share = NOISE * np.float64(np.finfo(y.dtype).eps)
    if least > 2 * target * max(share * w, 1 / STEEPEST):
        return False
    found = False
    for p in range(y.shape[0]):
        found |= strips[r, p] > 0 and without[p] <= share * y[p]
    return found


@inner
def any_positive(row):
    """Return whether a row has an entry above zero."""
    found = False
    for r in range(row.shape[0]):
        found |= row[r] > 0
    return found


@inner
def rescale(row, before, x, sums, l1, l2):
    """Set a row that rounding has made zero to the best multiple of what it was before.

    Where x is not zero, no minimum is at zero. But y is known up to rounding of the largest y on
    the way: a row that shrinks by many orders of magnitude may lose its last coordinate by it.
    """
    total = linear = square = 0.0
    for p in range(x.shape[0]):
        total += x[p]
    for r in range(row.shape[0]):
        w = np.float64(before[r])
        linear, square = linear + w * (sums[r] + l1), square + l2 * w * w
    if total > 0 and linear + square > 0:
        multiple = 2 * total / (linear + np.sqrt(linear * linear + 4 * square * total))
        for r in range(row.shape[0]):
            row[r] = multiple * before[r]


@inner
def newton_step(w, g, h, target, l2):
    """Return where a coordinate goes: see the module's docstring. Not above 0 means: to zero."""
    ratio = g / target
    curvature = h + l2 * ratio * ratio
    if not curvature > 0:  # no nonzero matters, or h has vanished in rounding
        return w * ratio
    new = w + ratio * (g - target) / curvature
    if 0 < new < w:
        share = new / w
        if (w - new) * (h + l2) > 2 * share * share * (target - g):
            new = w * ratio
    return new
