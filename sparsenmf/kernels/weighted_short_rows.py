"""Coordinate descent on many short rows at once, where entries have weights of their own.

The costs of a row beyond its entries (divisions, sums across a vector, calls) are more than those
of the entries of a short one. So short rows are updated in lane tiles, one row in each lane of a
vector (`kernels.vector.short_rows`). Rows never mix, and which rows are short depends on their
length alone: what a row becomes does not depend on those beside it.
"""

import numpy as np

from .compile.jit import inner
from .entries import sum_squares
from .operands import LaneTile
from .vector.short_rows import fit_columns, gather_columns
from .vector.tiles import TILE_BYTES

SHORT_ITEMS = 2**15
"""The most entries of the strips of a lane tile, which must fit in the cache. Rows of more than 24
nonzeros at 50 components, and of more than 128 at 10, were faster one by one (measured)."""


@inner
def short_limit(n_components, like):
    """Return the most entries of a short row."""
    return max(1, SHORT_ITEMS // (n_components * (TILE_BYTES // like.itemsize)))


@inner
def short_rows_first(indptr, first, last, limit):
    """Return the number of short rows from first to last, then these by length, then the others.

    This is a counting sort: rows of a lane tile should be of about equal length.
    """
    counts = np.zeros(limit + 2, np.int64)
    order = np.empty(last - first + 1, np.int64)
    for i in range(first, last):
        counts[min(indptr[i + 1] - indptr[i], limit + 1)] += 1
    place = 1
    for length in range(limit + 2):
        count = counts[length]
        counts[length] = place
        place += count
    order[0] = counts[limit + 1] - 1
    for i in range(first, last):
        length = min(indptr[i + 1] - indptr[i], limit + 1)
        order[counts[length]] = i
        counts[length] += 1
    return order


@inner
def update_short_rows(order, rows, side, penalty, n_components, factor, out, sweeps, longest):
    """Update the short rows of a block; return their objective and their residual."""
    other, gram = side
    tile = make_tile(n_components, TILE_BYTES // other.itemsize, longest, other)
    n_tile, max_sweeps = tile.w.shape[1], sweeps.max_sweeps
    objective, residual, chosen = 0.0, 0.0, np.empty(n_tile, np.int64)
    for first in range(1, order[0] + 1, n_tile):
        n = min(n_tile, order[0] + 1 - first)
        for t in range(n_tile):
            chosen[t] = order[first + t] if t < n else -1
        last = order[first + n - 1]  # the longest
        size = (rows.indptr[last + 1] - rows.indptr[last]) * n_tile
        strips = np.empty((n_components, size), other.dtype)
        load_tile(tile, size, chosen, rows, penalty, factor, max_sweeps)
        gather_columns(strips, chosen, rows.indices, rows.indptr, other)
        multiply_tile(tile, strips, gram)
        descend_tile(tile, strips, gram, n, sweeps)
        if sweeps.objective:
            multiply_tile(tile, strips, gram)
        for t in range(n):
            i = chosen[t]
            residual += tile.state[1, t] if max_sweeps == 0 else 0.0
            for r in range(n_components):
                out[i, r] = tile.w[r, t]
            for r in range(n_components, out.shape[1]):
                out[i, r] = 0
            if sweeps.objective:
                start, stop = rows.indptr[i], rows.indptr[i + 1]
                objective += 0.5 * sum_squares(tile.lines[2], t, n_tile, rows, start, stop)
                for r in range(n_components):
                    w, l2 = np.float64(tile.w[r, t]), np.float64(tile.penalties[1, t])
                    objective += w * (0.5 * tile.slopes[r, t] + tile.penalties[0, t] + 0.5 * l2 * w)
    return objective, residual


@inner
def make_tile(n_components, n_tile, longest, like):
    """Return scratch for a lane tile of rows of at most `longest` entries."""
    shape, dtype = (n_components, n_tile), like.dtype
    return LaneTile(
        np.zeros(shape, dtype),
        np.zeros(shape, np.bool_),
        np.zeros(shape, dtype),
        np.zeros((2, n_tile), dtype),
        np.zeros((3, longest * n_tile), dtype),
        np.zeros((2, n_tile), dtype),
        np.zeros((3, n_tile), dtype),
    )


@inner
def load_tile(tile, size, chosen, rows, penalty, factor, max_sweeps):
    """Set the rows, their penalties, what may move, and the lines of v x and of v - absent."""
    w, movable, lines = tile.w, tile.movable, tile.lines
    n_tile, dtype = w.shape[1], w.dtype
    for p in range(size):
        lines[0, p] = lines[1, p] = 0
    for t in range(n_tile):
        i = chosen[t]
        for r in range(w.shape[0]):
            w[r, t], movable[r, t] = 0, False
        if i < 0:
            continue
        tile.penalties[0, t] = penalty.l1[i if penalty.l1.shape[0] > 1 else 0]
        tile.penalties[1, t] = penalty.l2[i if penalty.l2.shape[0] > 1 else 0]
        start, stop = rows.indptr[i], rows.indptr[i + 1]
        unknown = rows.absent == 0 and start == stop and max_sweeps > 0
        for r in range(w.shape[0]):
            outside = penalty.support.shape[0] > 0 and not penalty.support[i, r]
            movable[r, t] = penalty.free[r] and not outside
            w[r, t] = 0 if unknown and movable[r, t] else factor[i, r]
        for p in range(start, stop):
            v = rows.weights[p] if rows.weights.shape[0] > 0 else dtype.type(1)
            place = (p - start) * n_tile
            lines[0, place + t] = v * rows.data[p]
            lines[1, place + t] = v - dtype.type(rows.absent)


@inner
def multiply_tile(tile, strips, gram):
    """Set y to the products at the entries, and the slopes to w gram, if there is a gram matrix."""
    w, y, product = tile.w, tile.lines[2], tile.slopes
    n_components, n_tile = w.shape
    for p in range(strips.shape[1]):
        y[p] = 0
    for r in range(n_components):
        for p in range(0, strips.shape[1], n_tile):
            for t in range(n_tile):
                y[p + t] += w[r, t] * strips[r, p + t]
    for r in range(n_components if gram.shape[0] > 0 else 0):
        for t in range(n_tile):
            product[r, t] = 0
        for s in range(n_components):
            for t in range(n_tile):
                product[r, t] += gram[r, s] * w[s, t]


@inner
def descend_tile(tile, strips, gram, n, sweeps):
    """Sweep over the n rows of a lane tile until none is active, or only measure them."""
    active, change, limit = tile.state[0], tile.state[1], tile.state[2]
    max_sweeps, tolerance = sweeps.max_sweeps, sweeps.tolerance
    for t in range(active.shape[0]):
        active[t] = 1 if t < n else 0
    for sweep in range(max(max_sweeps, 1)):
        sweep_tile(tile, strips, gram, sweep % 2 == 1, max_sweeps > 0)
        n_active = 0
        for t in range(n):
            if sweep == 0:
                limit[t] = tolerance * tolerance * change[t]
            if change[t] <= limit[t] and sweep % 2 == 0:
                active[t] = 0
            n_active += active[t] > 0
        if n_active == 0:
            break


@inner
def sweep_tile(tile, strips, gram, skip_zeros, move):
    """Move every coordinate of every active row once, and sum the squared steps of each row."""
    w, movable, product, penalties, lines, sums, state = tile
    active, change, l1, l2 = state[0], state[1], penalties[0], penalties[1]
    n_components, n_tile = w.shape
    zero, least = w.dtype.type(0), w.dtype.type(np.finfo(w.dtype).tiny)
    resolution = w.dtype.type(8 * np.finfo(w.dtype).eps)
    steps, moved, size = np.zeros(n_tile, w.dtype), 0, strips.shape[1]
    for t in range(n_tile):
        change[t] = change[t] if active[t] == 0 else zero
    for r in range(n_components):
        fit_columns(sums, strips, moved, steps, r, lines, size)
        moved = r
        diagonal = gram[r, r] if gram.shape[0] > 0 else zero
        for t in range(n_tile):
            old = w[r, t]
            curvature = diagonal + sums[1, t]
            # A smaller one is the rounding of a sum that is zero.
            curvature = curvature if curvature > resolution * diagonal else zero
            curvature += l2[t]
            slope = sums[0, t] - product[r, t] - l1[t] - l2[t] * old
            there = active[t] > 0 and movable[r, t] and not (skip_zeros and old == 0)
            flat = there and not curvature > least and l1[t] > 0
            there = there and curvature > least
            new = max(old + slope / curvature, zero) if there else old
            new = zero if flat else new  # nothing but the penalty depends on it
            change[t] += curvature * (new - old) * (new - old)
            change[t] += 2 * l1[t] * old if flat and not move else zero
            steps[t] = new - old if move else zero
            w[r, t] = new if move else old
        if gram.shape[0] > 0:
            for s in range(n_components):
                for t in range(n_tile):
                    product[s, t] += gram[r, s] * steps[t]
    fit_columns(sums, strips, moved, steps, moved, lines, size)
