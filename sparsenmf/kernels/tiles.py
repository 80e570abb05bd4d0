"""Tiles: a few rows of a factor side by side, one in each lane of a vector.

Coordinate descent on one row is a chain of dependent steps, each too short for the
machine: latency and mispredicted branches cost far more than the arithmetic. A tile
holds `tile_rows` rows transposed, tile[r, t] = row t's coordinate r, so that every
operation serves as many rows as a tile has columns, and no branch depends on the data.
Rows never mix: what a lane computes does not depend on its neighbours.
"""

import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils

from .vector_code import I64, VectorBuilder, meaning, vector_code

SWEEP_BYTES = 64 if binding.get_host_cpu_features().get("avx512f") else 32
"""Vectors of a tile: half of the registers then hold a block's sums."""

TILE_VECTORS = 2
"""Vectors side by side in a tile: each entry of the gram matrix that is loaded serves all."""

BLOCK = 4
"""Coordinates whose gradients are summed at once: with two vectors, eight independent
chains of fused multiply-adds, which is what two units with a latency of four can take."""

TILE_BYTES = SWEEP_BYTES * TILE_VECTORS


def tile_rows(dtype):
    """Return the number of rows in a tile."""
    return TILE_BYTES // np.dtype(dtype).itemsize


def sweep_depth(n_components):
    """Return the size of the gram matrix that a sweep wants: whole blocks of coordinates."""
    return -(-n_components // BLOCK) * BLOCK


def _transpose(target, source, shift):
    target[: source.shape[1]] = source.T + shift


@vector_code()
@meaning(_transpose)
def transpose(code, target, source, shift):
    """target[c, t] = source[t, c] + shift; both sides are whole numbers of vectors."""
    b, lanes = code.b, code.lanes
    shifts = code.splat(shift)
    with (
        code.offsets(code.index(0), code.length(source, 0)) as (t, _),
        code.offsets(code.index(0), code.length(source, 1)) as (c, _),
    ):
        rows = [
            code.load(code.at(code.row(source, b.add(t, code.index(q))), c)) for q in range(lanes)
        ]
        for q, column in enumerate(code.transposed(rows)):
            place = code.at(code.row(target, b.add(c, code.index(q))), t)
            code.store(b.fadd(column, shifts), place)


def _sweep(tile, cross, gram, inverse, active, change, objective, move):
    tile, cross = tile[: len(gram)], cross[: len(gram)]
    change[:] = objective[:] = 0
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


def _sweep_tile(tile, cross, gram, inverse, active, change, objective):
    _sweep(tile, cross, gram, inverse, active, change, objective, True)


def _measure_tile(tile, cross, gram, inverse, active, change, objective):
    _sweep(tile, cross, gram, inverse, active, change, objective, False)


@vector_code()
@meaning(_sweep_tile)
def sweep_tile(code, tile, cross, gram, inverse, active, change, objective):
    """Move every coordinate of every row of a tile once, in order (Gauss-Seidel).

    Parameters
    ----------
    tile, cross : (at least depth, tile_rows)
        The rows w and their x_i B - l1.
    gram, inverse : (depth, depth), (depth,)
        The gram matrix, symmetric, and the inverses of its diagonal (zero: leave
        this coordinate alone). depth is a multiple of `BLOCK`.
    active : (tile_rows,)
        1, or 0 for rows that are to stay as they are.
    change, objective : (tile_rows,)
        Overwritten with each row's sum of gram[r, r] * step**2, and with
        1/2 w gram w' - cross w' after the sweep.

    Notes
    -----
    A block's gradients are summed from the whole row first, then corrected within
    the block as its coordinates move. The part of the sum that comes before the block
    is already that of the new row: these lower triangles give the quadratic form of
    the new row without a pass of its own.
    """
    _emit_sweep(code, tile, cross, gram, inverse, active, change, objective, move=True)


@vector_code()
@meaning(_measure_tile)
def measure_tile(code, tile, cross, gram, inverse, active, change, objective):
    """As `sweep_tile`, but moves nothing: the steps that each coordinate would take."""
    _emit_sweep(code, tile, cross, gram, inverse, active, change, objective, move=False)


def _emit_sweep(narrow, tile, cross, gram, inverse, active, change, objective, *, move):
    code = VectorBuilder(narrow.context, narrow.b, narrow.dtype, SWEEP_BYTES)
    b, columns = code.b, range(TILE_VECTORS)
    depth = code.length(gram)

    def place(array, r, v):
        return code.at(code.row(array, r), code.index(v * code.lanes))

    def vector(array, v):
        return code.at(array.data, code.index(v * code.lanes))

    half = ir.Constant(code.vector, [0.5] * code.lanes)
    live = [code.load(vector(active, v)) for v in columns]
    changes, objectives = (
        [cgutils.alloca_once_value(b, code.zeros) for _ in columns] for _ in range(2)
    )
    with cgutils.for_range_slice(b, code.index(0), depth, code.index(BLOCK), intp=I64) as (r0, _):
        nothing = [[code.zeros] * TILE_VECTORS] * BLOCK
        low = _add_gram_rows(code, tile, gram, r0, code.index(0), r0, nothing)
        sums = _add_gram_rows(code, tile, gram, r0, r0, depth, low)
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
                gradient = b.fsub(sums[q][v], c)
                new = b.fsub(old, b.fmul(gradient, b.fmul(scale, live[v])))
                # A NaN passes through, so that an overflow is noticed.
                new = b.select(b.fcmp_ordered("<", new, code.zeros), code.zeros, new)
                step = b.fsub(new, old)
                total = code.add_product(b.fmul(step, step), diagonal, b.load(changes[v]))
                b.store(total, changes[v])
                if move:
                    code.store(new, place(tile, r, v))
                    for p in range(q + 1, BLOCK):
                        sums[p][v] = code.add_product(step, following[p - q], sums[p][v])
                else:
                    new = old
                for p in range(q + 1, BLOCK):
                    low[p][v] = code.add_product(new, following[p - q], low[p][v])
                part = code.add_product(b.fmul(diagonal, half), new, b.fsub(low[q][v], c))
                b.store(code.add_product(part, new, b.load(objectives[v])), objectives[v])
    for v in columns:
        code.store(b.load(changes[v]), vector(change, v))
        code.store(b.load(objectives[v]), vector(objective, v))


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
