"""Coordinate descent on many short rows at once, where their entries count for themselves.

What a row costs beyond its entries (divisions, sums across a vector, calls) is more than the
entries of a short one. So short rows are taken a tile at a time, one row in each lane of a
vector, as in `kernels.tiles`: entry p of the row in lane t is at p * n_lanes + t of a line, and
strips[r] has component r of the rows of the other factor that they meet, in the same places.
Where a row has no p-th entry there are zeros. Rows never mix, and which rows are short depends
on their length alone: what a row becomes does not depend on those beside it.
"""

import numpy as np

from .compile.jit import inner
from .entries import sum_squares
from .vector.tiles import TILE_BYTES, TILE_VECTORS
from .vector.vector_code import REGISTER_BYTES, VectorBuilder, meaning, vector_code

SHORT_ITEMS = 2**15
"""Entries of the strips of a tile, for the cache: beyond 24 nonzeros at 50 components, and 128
at 10, rows were faster one by one (measured)."""


@inner
def short_limit(n_components, like):
    """Return up to how many entries make a short row."""
    return max(1, SHORT_ITEMS // (n_components * (TILE_BYTES // like.itemsize)))


@inner
def short_rows_first(indptr, first, last, limit):
    """Return how many rows from first to last are short, those in order of length, then the others.

    A counting sort: rows of a tile should be of about equal length.
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
def update_short_rows(
    order, rows, other, gram, penalty, n_components, factor, out,
    max_sweeps, tolerance, want_objective, longest,
):  # fmt: skip
    """Update the short rows of a block; return their objective and their residual."""
    n_tile, dtype = TILE_BYTES // other.itemsize, other.dtype
    lines, strips = np.zeros((3, longest * n_tile), dtype), np.zeros((0, 0), dtype)
    tile, product = np.zeros((n_components, n_tile), dtype), np.zeros((n_components, n_tile), dtype)
    weights, movable = np.zeros((2, n_tile), dtype), np.zeros((n_components, n_tile), np.bool_)
    lanes, pair = np.zeros((3, n_tile), dtype), np.zeros((2, n_tile), dtype)
    objective, residual, chosen = 0.0, 0.0, np.empty(n_tile, np.int64)
    for first in range(1, order[0] + 1, n_tile):
        n = min(n_tile, order[0] + 1 - first)
        for t in range(n_tile):
            chosen[t] = order[first + t] if t < n else -1
        last = order[first + n - 1]  # the longest
        size = (rows.indptr[last + 1] - rows.indptr[last]) * n_tile
        strips = np.empty((n_components, size), dtype)
        load_tile(tile, weights, movable, lines, size, chosen, rows, penalty, factor, max_sweeps)
        gather_columns(strips, chosen, rows.indices, rows.indptr, other)
        multiply_tile(lines[2], product, tile, strips, gram)
        settle_short(
            tile, movable, weights, lines, size, strips, product, gram, lanes, pair, n,
            max_sweeps, tolerance,
        )  # fmt: skip
        if want_objective:
            multiply_tile(lines[2], product, tile, strips, gram)
        for t in range(n):
            i = chosen[t]
            residual += lanes[1, t] if max_sweeps == 0 else 0.0
            for r in range(n_components):
                out[i, r] = tile[r, t]
            for r in range(n_components, out.shape[1]):
                out[i, r] = 0
            if want_objective:
                start, stop = rows.indptr[i], rows.indptr[i + 1]
                objective += 0.5 * sum_squares(lines[2], t, n_tile, rows, start, stop)
                for r in range(n_components):
                    w, rate = np.float64(tile[r, t]), 0.5 * np.float64(weights[1, t])
                    objective += w * (0.5 * product[r, t] + weights[0, t] + rate * w)
    return objective, residual


@inner
def load_tile(tile, weights, movable, lines, size, chosen, rows, penalty, factor, max_sweeps):
    """Set the rows, their penalties, what may move, and the lines of v x and of v - absent."""
    n_tile, unit = tile.shape[1], tile.dtype.type(1)
    for p in range(size):
        lines[0, p] = lines[1, p] = 0
    for t in range(n_tile):
        i = chosen[t]
        for r in range(tile.shape[0]):
            tile[r, t], movable[r, t] = 0, False
        if i < 0:
            continue
        weights[0, t] = penalty.l1[i if penalty.l1.shape[0] > 1 else 0]
        weights[1, t] = penalty.l2[i if penalty.l2.shape[0] > 1 else 0]
        start, stop = rows.indptr[i], rows.indptr[i + 1]
        unknown = rows.absent == 0 and start == stop and max_sweeps > 0
        for r in range(tile.shape[0]):
            outside = penalty.support.shape[0] > 0 and not penalty.support[i, r]
            movable[r, t] = penalty.free[r] and not outside
            tile[r, t] = 0 if unknown and movable[r, t] else factor[i, r]
        for p in range(start, stop):
            v, place = rows.weights[p] if rows.weights.shape[0] > 0 else unit, (p - start) * n_tile
            lines[0, place + t] = v * rows.data[p]
            lines[1, place + t] = v - tile.dtype.type(rows.absent)


@inner
def multiply_tile(y, product, tile, strips, gram):
    """Set y to the products at the entries, and `product` to tile' gram, if there is one."""
    n_components, n_tile = tile.shape
    for p in range(strips.shape[1]):
        y[p] = 0
    for r in range(n_components):
        for p in range(0, strips.shape[1], n_tile):
            for t in range(n_tile):
                y[p + t] += tile[r, t] * strips[r, p + t]
    for r in range(n_components if gram.shape[0] > 0 else 0):
        for t in range(n_tile):
            product[r, t] = 0
        for s in range(n_components):
            for t in range(n_tile):
                product[r, t] += gram[r, s] * tile[s, t]


@inner
def settle_short(
    tile, movable, weights, lines, size, strips, product, gram, lanes, pair, n,
    max_sweeps, tolerance,
):  # fmt: skip
    """Sweep over the n rows of a tile until none is active, or only measure them."""
    active, change, limit = lanes[0], lanes[1], lanes[2]
    for t in range(tile.shape[1]):
        active[t] = 1 if t < n else 0
    for sweep in range(max(max_sweeps, 1)):
        sweep_short(
            tile, movable, weights, lines, size, strips, product, gram, active, change, pair,
            sweep % 2 == 1, max_sweeps > 0,
        )  # fmt: skip
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
def sweep_short(
    tile, movable, weights, lines, size, strips, product, gram, active, change, pair,
    skip_zeros, move,
):  # fmt: skip
    """Move every coordinate of every active row once; set `change` to the squared steps."""
    n_components, n_tile = tile.shape
    zero, least = tile.dtype.type(0), tile.dtype.type(np.finfo(tile.dtype).tiny)
    resolution = tile.dtype.type(8 * np.finfo(tile.dtype).eps)
    steps, moved = np.zeros(n_tile, tile.dtype), 0
    for t in range(n_tile):
        change[t] = change[t] if active[t] == 0 else zero
    for r in range(n_components):
        fit_columns(pair, strips, moved, steps, r, lines, size)
        moved = r
        diagonal = gram[r, r] if gram.shape[0] > 0 else zero
        for t in range(n_tile):
            old = tile[r, t]
            curvature = diagonal + pair[1, t]
            # Below this it is what rounding has left of nothing.
            curvature = curvature if curvature > resolution * diagonal else zero
            curvature += weights[1, t]
            slope = pair[0, t] - product[r, t] - weights[0, t] - weights[1, t] * old
            there = active[t] > 0 and movable[r, t] and not (skip_zeros and old == 0)
            flat = there and not curvature > least and weights[0, t] > 0
            there = there and curvature > least
            new = max(old + slope / curvature, zero) if there else old
            new = zero if flat else new  # the penalty is all that it feels
            change[t] += curvature * (new - old) * (new - old)
            change[t] += 2 * weights[0, t] * old if flat and not move else zero
            steps[t] = new - old if move else zero
            tile[r, t] = new if move else old
        if gram.shape[0] > 0:
            for s in range(n_components):
                for t in range(n_tile):
                    product[s, t] += gram[r, s] * steps[t]
    fit_columns(pair, strips, moved, steps, moved, lines, size)


def _gather_columns(strips, chosen, indices, indptr, other):
    strips[:] = 0
    for t, i in enumerate(chosen):
        for p in range(indptr[i + 1] - indptr[i] if i >= 0 else 0):
            strips[:, p * len(chosen) + t] = other[indices[indptr[i] + p], : len(strips)]


@vector_code()
@meaning(_gather_columns)
def gather_columns(code, strips, chosen, indices, indptr, other):
    """strips[r, p * n_lanes + t] = other[the p-th index of row chosen[t], r], or zero.

    Components are gathered a vector at a time; of the last one, those that there are.
    """
    b, lanes, none = code.b, code.lanes, code.index(0)
    n_lanes, height = code.length(chosen), code.length(strips)

    def sources(p, t0):
        rows, inside = [], []
        for q in range(lanes):
            i = b.load(code.at(chosen.data, b.add(t0, code.index(q))))
            real = b.icmp_signed(">=", i, none)
            i = b.select(real, i, none)
            start = b.load(code.at(indptr.data, i))
            stop = b.load(code.at(indptr.data, b.add(i, code.index(1))))
            place = b.add(start, p)
            keep = b.and_(real, b.icmp_signed("<", place, stop))
            inside.append(keep)
            rows.append(code.row(other, code.entry(indices, b.select(keep, place, none))))
        return rows, inside

    def one_vector(rows, inside, r0, place, n):
        loaded = [
            b.select(keep, code.load(code.at(row, r0)), code.zeros)
            for keep, row in zip(inside, rows, strict=True)
        ]
        for q, column in enumerate(code.transposed(loaded)[:n]):
            code.store(column, code.at(code.row(strips, b.add(r0, code.index(q))), place))

    whole = b.and_(height, code.index(-lanes))
    length = b.sdiv(code.length(strips, 1), n_lanes)
    with (
        code.steps(none, length) as p,
        code.offsets(none, n_lanes) as t0,
    ):
        rows, inside = sources(p, t0)
        place = b.add(b.mul(p, n_lanes), t0)
        with code.offsets(none, whole) as r0:
            one_vector(rows, inside, r0, place, lanes)
        for n in range(1, lanes):
            with b.if_then(b.icmp_signed("==", b.sub(height, whole), code.index(n))):
                one_vector(rows, inside, whole, place, n)


def _fit_columns(sums, strips, moved, steps, r, lines, size):
    n = sums.shape[1]
    x, excess, y = (line[:size].reshape(-1, n) for line in lines)
    strip, before = (strips[q].reshape(-1, n) for q in (r, moved))
    y += before * steps
    sums[0], sums[1] = ((x - excess * y) * strip).sum(axis=0), (excess * strip**2).sum(axis=0)


@vector_code()
@meaning(_fit_columns)
def fit_columns(code, sums, strips, moved, steps, r, lines, size):
    """Finish the move of one component in all lanes, and sum the derivatives for the next.

    With x, excess and y the lines: y <- y + steps * strips[moved], then sums[0] = sum of
    (x - excess * y) * strips[r] and sums[1] = sum of excess * strips[r]**2, in each lane.
    """
    code = VectorBuilder(code.context, code.b, code.dtype, REGISTER_BYTES)
    b, columns = code.b, range(TILE_VECTORS)
    before, strip = code.row(strips, moved), code.row(strips, r)
    x, excess, y = (code.row(lines, code.index(q)) for q in range(3))
    offsets = [code.index(v * code.lanes) for v in columns]
    step = [code.load(code.at(steps.data, offset)) for offset in offsets]

    def add(p, totals):
        added = []
        for v in columns:
            place = b.add(p, offsets[v])
            new = code.load(code.at(y, place))
            new = code.add_product(step[v], code.load(code.at(before, place)), new)
            code.store(new, code.at(y, place))
            weight, base = code.load(code.at(excess, place)), code.load(code.at(strip, place))
            rest = b.fsub(code.load(code.at(x, place)), b.fmul(weight, new))
            added.append(code.add_product(rest, base, totals[2 * v]))
            added.append(code.add_product(b.fmul(weight, base), base, totals[2 * v + 1]))
        return added

    start = [code.zeros] * (2 * TILE_VECTORS)
    p0, step_size = code.index(0), TILE_VECTORS * code.lanes
    totals = code.accumulate(p0, size, start, add, step=step_size)
    for v in columns:
        for q in range(2):
            target = code.row(sums, code.index(q))
            code.store(totals[2 * v + q], code.at(target, offsets[v]))
