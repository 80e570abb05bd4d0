"""Rows of a factor where entries of X have weights of their own, or are unknown.

Each row w of a factor, given sparse rows x and the other factor B, with y = w B', minimises

    sum over the stored entries of v d(x, y) + absent * (that of all others, whose x is zero)
    + l1 sum(w) + l2/2 ||w||^2,   w >= 0

where v are weights and absent is 1, or 0 where what is not stored is unknown. So it is the
sum over all entries, which gram matrices and column sums give, plus a correction at the
stored ones with the *excess* v - absent as weight: the cost is that of the stored entries.

The gram matrix of a row's own entries would cost nnz * width**2; coordinate descent runs
along the strips of a row instead, which costs nnz * width a sweep (`kernels.strips`); of short
rows, which is what most are, along the strips of many side by side (`kernels.short_rows`).

The arrays that the kernels share are those of `kernels.coordinate_descent`. A gram matrix or
column sums of no size mean that what is absent does not count.
"""

import numpy as np
from numba import prange

from .compile.interrupts import sparse_work
from .compile.jit import inner, kernel
from .entries import allow, longest_row, sum_squares, weigh_row, whole_vectors
from .kullback_leibler import STRIP_ITEMS
from .vector.gather import dot_rows, gather_rows
from .vector.rows import copy_values
from .vector.strips import gather_strips, move_and_fit
from .vector.vector_code import VECTOR_BYTES
from .weighted_short_rows import short_limit, short_rows_first, update_short_rows


@kernel(per_block=("statistics",), work=sparse_work)
def update_rows_observed(
    rows, other, gram, penalty, n_components, factor, out,
    max_sweeps, tolerance, want_objective, statistics,
):  # fmt: skip
    """Improve each row of `factor` by coordinate descent, Frobenius loss, and write it to `out`.

    Parameters
    ----------
    gram : ndarray of shape (width, width) or (0, 0), dtype of the factors
        other' other, if what is absent counts.
    n_components : int
        Columns of the factor that are not padding.
    out : ndarray like `factor`
        May be `factor` itself.
    max_sweeps : int
        0 leaves the rows as they are and only measures. Every second sweep passes over
        the coordinates that are zero.
    tolerance : float
        A row is done when a full sweep moved it less than this fraction of its first
        sweep, in the metric of the second derivatives.
    want_objective : bool
    statistics : ndarray of shape (n_blocks, 2), float64
        Overwritten with each block's sum of the row objectives, if wanted, and, with
        max_sweeps = 0, of curvature * step**2 over the steps that each coordinate would
        take on its own.

    Notes
    -----
    Scratch as in `kernels.kullback_leibler`. What a row becomes does not depend on those beside
    it. Each turn of the parallel loop writes to its
    own rows and statistics.
    """
    for block in prange(rows.blocks.shape[0]):
        width, n_lanes = other.shape[1], VECTOR_BYTES // other.itemsize
        limit = short_limit(n_components, other)
        first, last = rows.blocks[block, 0], rows.blocks[block, 1]
        longest = whole_vectors(longest_row(rows.indptr, first, last), other)
        n_long = longest if longest > limit else 0
        space = np.empty(min(width * n_long, max(STRIP_ITEMS, n_lanes * n_long)), other.dtype)
        lines = np.empty((3, n_long), other.dtype)
        row, product = np.empty(width, other.dtype), np.zeros(width, other.dtype)
        pair = np.empty(2, other.dtype)
        movable, places = np.empty(width, np.bool_), np.arange(width).astype(np.int32)
        order = short_rows_first(rows.indptr, first, last, limit)
        objective, residual = update_short_rows(
            order, rows, other, gram, penalty, n_components, factor, out,
            max_sweeps, tolerance, want_objective, min(limit, longest),
        )  # fmt: skip
        for i in order[order[0] + 1 :]:
            start, stop = rows.indptr[i], rows.indptr[i + 1]
            n = whole_vectors(stop - start, other)
            n_strips = width if width * n <= space.shape[0] else n_lanes
            strips = space[: n_strips * n].reshape(n_strips, n)
            copy_values(row, factor[i])
            l1, l2 = allow(movable, penalty, i)
            movable[n_components:] = False
            weigh_row(lines[0, :n], lines[1, :n], rows, start, stop)
            change = settle_observed(
                row, movable, strips, lines[:, :n], pair, gram, product, places, l1, l2,
                rows, start, stop, other, max_sweeps, tolerance,
            )  # fmt: skip
            residual += change if max_sweeps == 0 else 0.0
            copy_values(out[i], row)
            if want_objective:
                multiply_gram(product, row, places, gram)
                dot_rows(lines[2, :n], row, rows.indices, start, stop, other)
                objective += 0.5 * sum_squares(lines[2], 0, 1, rows, start, stop)
                for r in range(width):
                    w = np.float64(row[r])
                    objective += w * (0.5 * product[r] + l1 + 0.5 * l2 * w)
        statistics[block, 0], statistics[block, 1] = objective, residual


@inner
def multiply_gram(product, row, places, gram):
    """Set product = row gram; zero without a gram matrix."""
    if gram.shape[0] > 0:
        gather_rows(product, row, places, 0, row.shape[0], gram)


@inner
def settle_observed(
    row, movable, strips, lines, pair, gram, product, places, l1, l2,
    rows, start, stop, other, max_sweeps, tolerance,
):  # fmt: skip
    """Sweep over a row until it is settled; return the last change (or the residual)."""
    x, excess, y = lines[0], lines[1], lines[2]
    if strips.shape[0] == row.shape[0] and y.shape[0] > 0:
        gather_strips(strips, 0, rows.indices, start, stop, other)
    multiply_gram(product, row, places, gram)
    dot_rows(y, row, rows.indices, start, stop, other)
    limit, change = 0.0, 0.0
    for sweep in range(max(max_sweeps, 1)):
        change = 0.0
        for r0 in range(0, row.shape[0], strips.shape[0]):
            if strips.shape[0] < row.shape[0] and y.shape[0] > 0:
                gather_strips(strips, r0, rows.indices, start, stop, other)
            change += sweep_observed(
                row, movable, strips, x, excess, y, pair, gram, product, r0, l1, l2,
                sweep % 2 == 1, max_sweeps > 0,
            )  # fmt: skip
        if sweep == 0:
            limit = tolerance * tolerance * change
        if change <= limit and sweep % 2 == 0:
            break
    return change


@inner
def sweep_observed(
    row, movable, strips, x, excess, y, pair, gram, product, r0, l1, l2, skip_zeros, move
):
    """Move the coordinates of some strips, from r0 on, once each; return the squared steps.

    Without `move` nothing changes, and the steps are those that each would take on its own.
    """
    change, step, moved = 0.0, row.dtype.type(0), 0
    for q in range(strips.shape[0]):
        r = r0 + q
        old = np.float64(row[r])
        if not movable[r] or (skip_zeros and old == 0):
            continue
        move_and_fit(pair, strips, moved, step, q, x, excess, y)
        moved, step = q, row.dtype.type(0)
        diagonal = np.float64(gram[r, r]) if gram.shape[0] > 0 else 0.0
        curvature = diagonal + pair[1]
        if not curvature > 8 * np.finfo(row.dtype).eps * diagonal:
            curvature = 0.0  # what rounding has left of nothing
        if curvature + l2 > np.finfo(row.dtype).tiny:
            slope = pair[0] - product[r] - l1 - l2 * old
            new = max(old + slope / (curvature + l2), 0.0)
        else:  # the penalty, if there is one, is all that it feels
            new = 0.0 if l1 > 0 else old
        if not move:
            change += (curvature + l2) * (new - old) ** 2
            if not curvature + l2 > np.finfo(row.dtype).tiny:
                change += 2 * l1 * (old - new)
            continue
        rounded = row.dtype.type(new)
        step, row[r] = rounded - row[r], rounded
        change += (curvature + l2) * np.float64(step) ** 2
        if gram.shape[0] > 0 and step != 0:
            for s in range(product.shape[0]):
                product[s] += step * gram[r, s]
    move_and_fit(pair, strips, moved, step, moved, x, excess, y)
    return change
