"""Rows of a factor where entries of X have weights of their own, or are unknown.

Each row w of a factor, given sparse rows x and the other factor B, with y = w B', minimises

    sum over the stored entries of v d(x, y) + absent * (that of all others, whose x is zero)
    + l1 sum(w) + l2/2 ||w||^2,   w >= 0

where v are weights, and absent is 1, or 0 where entries that are not stored are unknown. That is
the sum over all entries, which gram matrices and column sums give, plus a correction at the
stored ones with the *excess* v - absent as weight: the cost is that of the stored entries.

The gram matrix of a row's own entries would cost nnz * width**2. Coordinate descent runs
along the strips of a row instead, which costs nnz * width a sweep (`kernels.vector.strips`). Most
rows are short: they run along the strips of many side by side (`kernels.weighted_short_rows`).

The arrays that the kernels share are described in `kernels.coordinate_descent`. A gram matrix of
size zero means that absent entries do not count.
"""

import numpy as np
from numba import prange

from .compile.interrupts import side_work
from .compile.jit import inner, kernel
from .entries import allow, longest_row, sum_squares, weigh_row, whole_vectors
from .kullback_leibler import STRIP_ITEMS
from .operands import Coordinates, Strips
from .vector.gather import dot_rows, gather_rows
from .vector.rows import copy_values
from .vector.strips import gather_strips, move_and_fit
from .vector.vector_code import VECTOR_BYTES
from .weighted_short_rows import short_limit, short_rows_first, update_short_rows


@kernel(per_block=("rows", "statistics"), work=side_work)
def update_rows_weighted(rows, side, penalty, n_components, factor, out, sweeps, statistics):
    """Improve each row of `factor` by coordinate descent, Frobenius loss, and write it to `out`.

    Parameters
    ----------
    side : Side
        The summary is ndarray of shape (width, width), dtype of the factors: other' other. It has
        shape (0, 0) if absent entries do not count.
    n_components : int
        Columns of the factor that are not padding.
    out : ndarray like `factor`
        May be `factor` itself.
    sweeps : Sweeps
        Every second sweep passes over the coordinates that are zero. The residual is measured
        with max_sweeps = 0 only.
    statistics : ndarray of shape (n_blocks, 2), float64
        Overwritten with each block's sum of the row objectives, if wanted, and, with
        max_sweeps = 0, of curvature * step**2 over the steps that each coordinate would
        take on its own.

    Notes
    -----
    Scratch as in `kernels.kullback_leibler`. What a row becomes does not depend on those beside
    it. Each turn of the parallel loop writes to its own rows and statistics.
    """
    other, gram = side
    max_sweeps, want_objective = sweeps.max_sweeps, sweeps.objective
    for block in prange(rows.blocks.shape[0]):
        width, n_lanes = other.shape[1], VECTOR_BYTES // other.itemsize
        limit = short_limit(n_components, other)
        first, last = rows.blocks[block, 0], rows.blocks[block, 1]
        longest = whole_vectors(longest_row(rows.indptr, first, last), other)
        n_long = longest if longest > limit else 0
        space = np.empty(min(width * n_long, max(STRIP_ITEMS, n_lanes * n_long)), other.dtype)
        lines, pair = np.empty((3, n_long), other.dtype), np.empty(2, other.dtype)
        w, product = np.empty(width, other.dtype), np.zeros(width, other.dtype)
        movable, places = np.empty(width, np.bool_), np.arange(width).astype(np.int32)
        order = short_rows_first(rows.indptr, first, last, limit)
        longest_short = min(limit, longest)
        objective, residual = update_short_rows(
            order, rows, side, penalty, n_components, factor, out, sweeps, longest_short
        )
        for i in order[order[0] + 1 :]:
            start, stop = rows.indptr[i], rows.indptr[i + 1]
            n = whole_vectors(stop - start, other)
            n_strips = width if width * n <= space.shape[0] else n_lanes
            b = space[: n_strips * n].reshape(n_strips, n)
            x, v, y = lines[0, :n], lines[1, :n], lines[2, :n]
            copy_values(w, factor[i])
            l1, l2 = allow(movable, penalty, i)
            movable[n_components:] = False
            weigh_row(x, v, rows, start, stop)
            multiply_gram(product, w, places, gram)
            row, strips = Coordinates(w, movable, product, l1, l2), Strips(b, x, y, v, pair)
            change = descend_row(row, strips, gram, rows, i, other, sweeps)
            residual += change if max_sweeps == 0 else 0.0
            copy_values(out[i], w)
            if want_objective:
                multiply_gram(product, w, places, gram)
                dot_rows(y, w, rows.indices, start, stop, other)
                objective += 0.5 * sum_squares(y, 0, 1, rows, start, stop)
                for r in range(width):
                    value = np.float64(w[r])
                    objective += value * (0.5 * product[r] + l1 + 0.5 * l2 * value)
        statistics[block, 0], statistics[block, 1] = objective, residual


@inner
def multiply_gram(product, w, places, gram):
    """Set product = w gram; without a gram matrix, leave it at zero."""
    if gram.shape[0] > 0:
        gather_rows(product, w, places, 0, w.shape[0], gram)


@inner
def descend_row(row, strips, gram, rows, i, other, sweeps):
    """Sweep over a row until it is done; return the last change (or the residual)."""
    b, y, width = strips.b, strips.y, row.w.shape[0]
    start, stop, n_strips = rows.indptr[i], rows.indptr[i + 1], b.shape[0]
    max_sweeps, tolerance = sweeps.max_sweeps, sweeps.tolerance
    if n_strips == width and start < stop:
        gather_strips(b, 0, rows.indices, start, stop, other)
    dot_rows(y, row.w, rows.indices, start, stop, other)
    limit, change = 0.0, 0.0
    for sweep in range(max(max_sweeps, 1)):
        change = 0.0
        for r0 in range(0, width, n_strips):
            if n_strips < width and start < stop:
                gather_strips(b, r0, rows.indices, start, stop, other)
            change += sweep_strips(row, strips, gram, r0, sweep % 2 == 1, max_sweeps > 0)
        if sweep == 0:
            limit = tolerance * tolerance * change
        if change <= limit and sweep % 2 == 0:
            break
    return change


@inner
def sweep_strips(row, strips, gram, r0, skip_zeros, move):
    """Move the coordinates of the strips, from r0 on, once each; return the squared steps.

    Without `move` nothing changes, and the steps are those that each would take on its own.
    """
    w, movable, product, l1, l2 = row
    b, x, y, v, sums = strips
    change, step, moved = 0.0, w.dtype.type(0), 0
    for q in range(b.shape[0]):
        r = r0 + q
        old = np.float64(w[r])
        if not movable[r] or (skip_zeros and old == 0):
            continue
        move_and_fit(sums, b, moved, step, q, x, v, y)
        moved, step = q, w.dtype.type(0)
        diagonal = np.float64(gram[r, r]) if gram.shape[0] > 0 else 0.0
        curvature = diagonal + sums[1]
        if not curvature > 8 * np.finfo(w.dtype).eps * diagonal:
            curvature = 0.0  # only rounding is left
        if curvature + l2 > np.finfo(w.dtype).tiny:
            slope = sums[0] - product[r] - l1 - l2 * old
            new = max(old + slope / (curvature + l2), 0.0)
        else:  # nothing but the penalty, if there is one, depends on it
            new = 0.0 if l1 > 0 else old
        if not move:
            change += (curvature + l2) * (new - old) ** 2
            if not curvature + l2 > np.finfo(w.dtype).tiny:
                change += 2 * l1 * (old - new)
            continue
        rounded = w.dtype.type(new)
        step, w[r] = rounded - w[r], rounded
        change += (curvature + l2) * np.float64(step) ** 2
        if gram.shape[0] > 0 and step != 0:
            for s in range(product.shape[0]):
                product[s] += step * gram[r, s]
    move_and_fit(sums, b, moved, step, moved, x, v, y)
    return change
