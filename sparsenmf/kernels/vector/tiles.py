"""Lane tiles: a few rows of a factor side by side, one in each lane of a vector.

Coordinate descent on one row is a chain of dependent steps, each too short for the
machine: latency and mispredicted branches cost far more than the arithmetic. A lane tile
holds `tile_rows` rows, transposed: tile[r, t] is coordinate r of row t. Every
operation serves all rows of a tile, and no branch depends on the data.
Rows never mix: the result of a lane does not depend on its neighbours.
"""

import functools

import numpy as np
from llvmlite import ir
from numba.core import cgutils

from .vector_code import REGISTER_BYTES, VectorBuilder, vector_code

TILE_VECTORS = 2
"""Vectors side by side in a lane tile: each gram entry is loaded once for all of them."""

BLOCK = 4
"""Coordinates of a group, whose gradients are summed together. With two vectors they make eight
independent chains of fused multiply-adds, as many as two units with a latency of four keep busy."""

TILE_BYTES = REGISTER_BYTES * TILE_VECTORS


def tile_rows(dtype):
    """Return the number of rows in a lane tile."""
    return TILE_BYTES // np.dtype(dtype).itemsize


def sweep_depth(n_components):
    """Return the size of the gram matrix that a sweep takes: a multiple of `BLOCK`."""
    return -(-n_components // BLOCK) * BLOCK


def _transpose(target, source, shift):
    target[: source.shape[1]] = source.T + shift


@vector_code(reference=_transpose)
def transpose(code, target, source, shift):
    """target[c, t] = source[t, c] + shift; both sides are whole numbers of vectors."""
    b, lanes = code.b, code.lanes
    shifts = code.splat(shift)
    with (
        code.offsets(code.index(0), code.length(source, 0)) as t,
        code.offsets(code.index(0), code.length(source, 1)) as c,
    ):
        rows = [
            code.load(code.at(code.row(source, b.add(t, code.index(q))), c)) for q in range(lanes)
        ]
        for q, column in enumerate(code.transposed(rows)):
            place = code.at(code.row(target, b.add(c, code.index(q))), t)
            code.store(b.fadd(column, shifts), place)


def _invert_diagonal(inverse, gram, free):
    diagonal, free = gram.diagonal(), free[: len(gram)]
    inverse[:] = 0
    np.divide(1, diagonal, out=inverse, where=free & (diagonal > np.finfo(gram.dtype).tiny))


@vector_code(reference=_invert_diagonal)
def invert_diagonal(code, inverse, gram, free):
    """Set inverse to the inverses of the gram diagonal, and to zero where w must not move.

    w stays where a coordinate is not free, and where its component is zero in the other
    factor and has no effect on the fit. The length of the diagonal is a multiple of `BLOCK`.
    """
    b, number = code.b, ir.IntType(32)
    part = VectorBuilder(code.context, b, code.dtype, BLOCK * code.itemsize)
    tiny = ir.Constant(part.vector, [float(np.finfo(f"f{code.itemsize}").tiny)] * BLOCK)
    ones = ir.Constant(part.vector, [1.0] * BLOCK)
    with part.offsets(code.index(0), code.length(inverse)) as r0:
        diagonal, flags = part.zeros, ir.Constant(ir.VectorType(ir.IntType(1), BLOCK), None)
        for q in range(BLOCK):
            r, lane = b.add(r0, code.index(q)), ir.Constant(number, q)
            entry, flag = b.load(code.at(code.row(gram, r), r)), b.load(code.at(free.data, r))
            diagonal = b.insert_element(diagonal, entry, lane)
            flag = b.icmp_unsigned("!=", flag, ir.Constant(flag.type, 0))
            flags = b.insert_element(flags, flag, lane)
        usable = b.and_(flags, b.fcmp_ordered(">", diagonal, tiny))
        value = b.select(usable, b.fdiv(ones, diagonal), part.zeros)
        part.store(value, code.at(inverse.data, r0))


def _sweep(tile, cross, gram, inverse, active, sums, *, move):
    tile, cross, (change, objective) = tile[: len(gram)], cross[: len(gram)], sums
    sums[:] = 0
    new = tile.copy()
    for r, row in enumerate(gram):
        low = row[:r] @ new[:r]
        gradient = low + row[r:] @ new[r:] - cross[r]
        stepped = np.maximum(new[r] - gradient * (inverse[r] * active), 0)
        change += gram[r, r] * (stepped - new[r]) ** 2
        if move:
            new[r] = stepped
        objective += new[r] * (low + gram[r, r] / 2 * new[r] - cross[r])
    tile[:] = new


def _descend_tile(tile, cross, gram, inverse, n, max_sweeps, tolerance, sums):
    active, limit = np.arange(tile.shape[1]) < n, None
    for _ in range(max_sweeps):
        _sweep(tile, cross, gram, inverse, active, sums, move=True)
        limit = tolerance * tolerance * sums[0] if limit is None else limit
        active = sums[0] > limit
        if not active.any():
            break


def _measure_tile(tile, cross, gram, inverse, n, sums):
    _sweep(tile, cross, gram, inverse, np.arange(tile.shape[1]) < n, sums, move=False)


@vector_code(reference=_descend_tile)
def descend_tile(narrow, tile, cross, gram, inverse, n, max_sweeps, tolerance, sums):
    """Sweep over the first n rows of a lane tile, until each is done or has had max_sweeps.

    A sweep moves every coordinate of every row once, in order (Gauss-Seidel). A row is done
    when a sweep moved it by less than `tolerance` of its first sweep.

    Parameters
    ----------
    tile, cross : (at least depth, tile_rows)
        The rows w and their x_i B - l1.
    gram, inverse : (depth, depth), (depth,)
        The gram matrix, symmetric, and the inverses of its diagonal; a coordinate whose
        inverse is zero stays. depth is a multiple of `BLOCK`.
    sums : (2, tile_rows)
        Overwritten (with one sweep at least) with each row's sum of gram[r, r] * step**2 in
        the last sweep, and with 1/2 w gram w' - cross w' after it.

    Notes
    -----
    The gradients of a group of coordinates are summed from the whole row first, then corrected
    as coordinates of the group move. The part of a sum before the group belongs to the new row
    already: these lower triangles give the quadratic form of the new row without another pass.
    """
    code = _tile_code(narrow)
    b, square = code.b, code.splat(narrow.b.fmul(tolerance, tolerance))
    active = [cgutils.alloca_once_value(b, lanes) for lanes in _first_lanes(code, n)]
    limits = [cgutils.alloca_once_value(b, code.zeros) for _ in active]
    done = cgutils.alloca_once_value(b, code.index(0))
    loop, after = b.append_basic_block("sweep"), b.append_basic_block("swept")
    b.cbranch(b.icmp_signed(">", max_sweeps, code.index(0)), loop, after)
    b.position_at_end(loop)
    live = [b.load(place) for place in active]
    changes = _emit_sweep(code, tile, cross, gram, inverse, live, sums, move=True)
    is_first, moved = b.icmp_signed("==", b.load(done), code.index(0)), []
    for v, change in enumerate(changes):
        limit = b.select(is_first, b.fmul(square, change), b.load(limits[v]))
        b.store(limit, limits[v])
        moved.append(b.fcmp_ordered(">", change, limit))
        b.store(b.uitofp(moved[v], code.vector), active[v])
    bits = b.bitcast(functools.reduce(b.or_, moved), ir.IntType(code.lanes))
    b.store(b.add(b.load(done), code.index(1)), done)
    again = b.and_(
        b.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0)),
        b.icmp_signed("<", b.load(done), max_sweeps),
    )
    b.cbranch(again, loop, after)
    b.position_at_end(after)


@vector_code(reference=_measure_tile)
def measure_tile(narrow, tile, cross, gram, inverse, n, sums):
    """Measure the steps of one sweep of `descend_tile` without moving anything."""
    code = _tile_code(narrow)
    live = _first_lanes(code, n)
    _emit_sweep(code, tile, cross, gram, inverse, live, sums, move=False)


def _tile_code(narrow):
    return VectorBuilder(narrow.context, narrow.b, narrow.dtype, REGISTER_BYTES)


def _first_lanes(code, n):
    """Return the vectors of a lane tile that are 1 in its first n lanes, and 0 beyond."""
    end, numbers = code.splat(code.b.sitofp(n, code.scalar)), np.arange(TILE_VECTORS * code.lanes)
    vectors = [
        ir.Constant(code.vector, [float(t) for t in part])
        for part in numbers.reshape(TILE_VECTORS, code.lanes)
    ]
    masks = [code.b.fcmp_ordered("<", vector, end) for vector in vectors]
    return [code.b.uitofp(mask, code.vector) for mask in masks]


def _emit_sweep(code, tile, cross, gram, inverse, live, sums, *, move):
    """Emit one sweep; return its squared steps. `live` is 1 for rows that move, else 0."""
    b, columns = code.b, range(TILE_VECTORS)
    depth = code.length(gram)

    def place(array, r, v):
        return code.at(code.row(array, r), code.index(v * code.lanes))

    half = ir.Constant(code.vector, [0.5] * code.lanes)
    changes, objectives = (
        [cgutils.alloca_once_value(b, code.zeros) for _ in columns] for _ in range(2)
    )
    with code.steps(code.index(0), depth, BLOCK) as r0:
        nothing = [[code.zeros] * TILE_VECTORS] * BLOCK
        low = _add_gram_rows(code, tile, gram, r0, code.index(0), r0, nothing)
        slopes = _add_gram_rows(code, tile, gram, r0, r0, depth, low)
        for q in range(BLOCK):
            r = b.add(r0, code.index(q))
            following = [
                code.splat(b.load(code.at(code.row(gram, r), b.add(r0, code.index(p)))))
                for p in range(q, BLOCK)
            ]
            diagonal = following[0]
            scale = code.splat(b.load(code.at(inverse.data, r)))
            for v in columns:
                old, c = code.load(place(tile, r, v)), code.load(place(cross, r, v))
                # old - (slope - c) rate. All but the slope is computed before it, as each step
                # waits for those of the coordinates before. The difference is not fused, so that
                # an answer of zero is zero, without rounding.
                rate = b.fmul(scale, live[v])
                new = b.fsub(code.add_product(c, rate, old), b.fmul(slopes[q][v], rate))
                # A NaN passes through, so that an overflow is noticed.
                new = b.select(b.fcmp_ordered("<", new, code.zeros), code.zeros, new)
                step = b.fsub(new, old)
                total = code.add_product(b.fmul(step, step), diagonal, b.load(changes[v]))
                b.store(total, changes[v])
                if move:
                    code.store(new, place(tile, r, v))
                    for p in range(q + 1, BLOCK):
                        slopes[p][v] = code.add_product(step, following[p - q], slopes[p][v])
                else:
                    new = old
                for p in range(q + 1, BLOCK):
                    low[p][v] = code.add_product(new, following[p - q], low[p][v])
                part = code.add_product(b.fmul(diagonal, half), new, b.fsub(low[q][v], c))
                b.store(code.add_product(part, new, b.load(objectives[v])), objectives[v])
    changes = [b.load(place) for place in changes]
    for v in columns:
        code.store(changes[v], place(sums, code.index(0), v))
        code.store(b.load(objectives[v]), place(sums, code.index(1), v))
    return changes


def _add_gram_rows(code, tile, gram, r0, start, stop, sums):
    """Return sums[q][v] + sum over s in [start, stop) of gram[s, r0 + q] * tile[s, vector v]."""
    b = code.b

    def add(s, totals):
        row = code.row(tile, s)
        w = [code.load(code.at(row, code.index(v * code.lanes))) for v in range(TILE_VECTORS)]
        entries = code.at(code.row(gram, s), r0)
        g = [code.splat(b.load(code.at(entries, code.index(q)))) for q in range(BLOCK)]
        return [
            code.add_product(g[p // TILE_VECTORS], w[p % TILE_VECTORS], total)
            for p, total in enumerate(totals)
        ]

    flat = code.accumulate(start, stop, [total for pair in sums for total in pair], add)
    return [list(flat[p : p + TILE_VECTORS]) for p in range(0, len(flat), TILE_VECTORS)]
