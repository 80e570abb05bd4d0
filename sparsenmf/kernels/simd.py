"""Vector primitives: what the kernels do to a whole row of a factor at once.

A factor is kept as a C-ordered array whose row length is a multiple of
``lanes(itemsize)``, the padding being zero, so that a row is a whole number of vectors
and no scalar remainder is ever run.

The order of every sum is fixed by the code, not by the compiler (no reassociation), so
the parallel and the serial twin of a kernel give the same bits.
"""

import numpy as np
from numba.core import cgutils

from .vector_code import I64, PANEL, lanes, meaning, vector_code


def _gather_rows(total, data, indices, start, stop, other):
    total[:] = data[start:stop] @ other[indices[start:stop]]


@vector_code()
@meaning(_gather_rows)
def gather_rows(code, total, data, indices, start, stop, other):
    """total[:] = sum over p in [start, stop) of data[p] * other[indices[p], :].

    One row of a sparse-times-dense product. The row is cut into panels of at
    most `PANEL` vectors; each panel is one loop over the nonzeros with its sums
    in registers. `indices` must be valid rows of `other`: nothing is checked.
    """
    b = code.b
    n_vectors = b.udiv(code.length(total), code.index(code.lanes))
    done = cgutils.alloca_once_value(b, code.index(0))
    head, body, end = (b.append_basic_block(name) for name in ("panels", "panel", "panels_end"))
    b.branch(head)
    b.position_at_end(head)
    first = b.load(done)
    left = b.sub(n_vectors, first)
    b.cbranch(b.icmp_signed(">", left, code.index(0)), body, end)
    b.position_at_end(body)
    offset = b.mul(first, code.index(code.lanes))
    blocks = {width: b.append_basic_block(f"width{width}") for width in range(1, PANEL + 1)}
    choice = b.switch(left, blocks[PANEL])
    for width, block in blocks.items():
        if width < PANEL:
            choice.add_case(code.index(width), block)
        b.position_at_end(block)
        sums = _gather_panel(code, width, data, indices, start, stop, other, offset)
        for q, value in enumerate(sums):
            place = b.add(offset, code.index(q * code.lanes))
            code.store(value, code.at(total.data, place))
        b.store(b.add(first, code.index(width)), done)
        b.branch(head)
    b.position_at_end(end)


def _gather_panel(code, width, data, indices, start, stop, other, offset):
    """Sum `width` vectors of the gathered rows from column `offset` on, in registers."""
    b, before = code.b, code.b.block
    loop, after = b.append_basic_block("nonzeros"), b.append_basic_block("nonzeros_end")
    b.cbranch(b.icmp_signed("<", start, stop), loop, after)
    b.position_at_end(loop)
    p = b.phi(I64)
    p.add_incoming(start, before)
    sums = [b.phi(code.vector) for _ in range(width)]
    j = b.load(code.at(indices.data, p))
    j = j if j.type == I64 else b.sext(j, I64)
    row = code.at(code.row(other, j), offset)
    x = code.splat(b.load(code.at(data.data, p)))
    added = [
        code.add_product(x, code.load(code.at(row, code.index(q * code.lanes))), sums[q])
        for q in range(width)
    ]
    following = b.add(p, code.index(1))
    p.add_incoming(following, loop)
    b.cbranch(b.icmp_signed("<", following, stop), loop, after)
    b.position_at_end(after)
    results = []
    for total, new in zip(sums, added, strict=True):
        total.add_incoming(code.zeros, before)
        total.add_incoming(new, loop)
        result = b.phi(code.vector)
        result.add_incoming(code.zeros, before)
        result.add_incoming(new, loop)
        results.append(result)
    return results


def _add_row(total, scale, matrix, r):
    total += scale * matrix[r]


@vector_code()
@meaning(_add_row)
def add_row(code, total, scale, matrix, r):
    """total[:] += scale * matrix[r, :]."""
    row, factor = code.row(matrix, r), code.splat(scale)
    with code.offsets(code.index(0), code.length(total)) as (offset, _):
        place = code.at(total.data, offset)
        value = code.add_product(factor, code.load(code.at(row, offset)), code.load(place))
        code.store(value, place)


def _add_outer_row(matrix, r, scale, row):
    start = r - r % lanes(row.itemsize)
    matrix[r, start:] += scale * row[start:]


@vector_code()
@meaning(_add_outer_row)
def add_outer_row(code, matrix, r, scale, row):
    """matrix[r, s] += scale * row[s] for s >= r (and a few s < r that share r's vector).

    One row of a rank-one update of a symmetric matrix, of which only the upper
    triangle is meant to be read.
    """
    b = code.b
    target, factor = code.row(matrix, r), code.splat(scale)
    start = b.mul(b.udiv(r, code.index(code.lanes)), code.index(code.lanes))
    with code.offsets(start, code.length(row)) as (offset, _):
        place = code.at(target, offset)
        value = code.add_product(factor, code.load(code.at(row.data, offset)), code.load(place))
        code.store(value, place)


def _dot_difference(row, left, right):
    return (row * (left - right)).sum(dtype=row.dtype)


@vector_code(returns="item")
@meaning(_dot_difference)
def dot_difference(code, row, left, right):
    """Return sum of row * (left - right)."""
    b = code.b
    total = cgutils.alloca_once_value(b, code.zeros)
    with code.offsets(code.index(0), code.length(row)) as (offset, _):
        x, y, z = (code.load(code.at(a.data, offset)) for a in (row, left, right))
        b.store(code.add_product(x, b.fsub(y, z), b.load(total)), total)
    return code.sum_lanes(b.load(total))


def _step_length(row, gradient, inverse, diagonal):
    zero = row.dtype.type(0)
    step = (row - gradient * inverse).clip(zero) - row
    return (step * step * diagonal).sum(dtype=row.dtype)


@vector_code(returns="item")
@meaning(_step_length)
def step_length(code, row, gradient, inverse, diagonal):
    """Return sum of diagonal * step**2, step = max(0, row - gradient * inverse) - row.

    The squared length, in units of the data, of the step that every coordinate
    would take on its own; zero exactly where the KKT conditions hold.
    """
    b = code.b
    total = cgutils.alloca_once_value(b, code.zeros)
    with code.offsets(code.index(0), code.length(row)) as (offset, _):
        w, g, i, d = (
            code.load(code.at(a.data, offset)) for a in (row, gradient, inverse, diagonal)
        )
        target = b.fsub(w, b.fmul(g, i))
        target = b.select(b.fcmp_ordered(">", target, code.zeros), target, code.zeros)
        step = b.fsub(target, w)
        b.store(code.add_product(b.fmul(step, step), d, b.load(total)), total)
    return code.sum_lanes(b.load(total))


def _list_nonzero(row, listed):
    places = np.flatnonzero(row != 0)
    listed[: len(places)] = places
    return len(places)


@vector_code(returns="count")
@meaning(_list_nonzero)
def list_nonzero(code, row, listed):
    """Write the places where row != 0 to `listed`, in order; return how many.

    `listed` is int32 and one vector longer than the row: what lies behind the places
    is overwritten.
    """
    b = code.b
    count = cgutils.alloca_once_value(b, code.index(0))
    with code.offsets(code.index(0), code.length(row)) as (offset, _):
        value = code.load(code.at(row.data, offset))
        condition = b.fcmp_unordered("!=", value, code.zeros)
        b.store(code.list_lanes(condition, offset, listed, b.load(count)), count)
    return b.load(count)


def _list_moving(row, gradient, listed):
    places = np.flatnonzero((row > 0) | (gradient < 0))
    listed[: len(places)] = places
    return len(places)


@vector_code(returns="count")
@meaning(_list_moving)
def list_moving(code, row, gradient, listed):
    """Write the places where row > 0 or gradient < 0 to `listed`; return how many.

    As `list_nonzero`: the coordinates that a descent step could move.
    """
    b = code.b
    count = cgutils.alloca_once_value(b, code.index(0))
    with code.offsets(code.index(0), code.length(row)) as (offset, _):
        w, g = (code.load(code.at(a.data, offset)) for a in (row, gradient))
        positive = b.fcmp_ordered(">", w, code.zeros)
        condition = b.or_(positive, b.fcmp_ordered("<", g, code.zeros))
        b.store(code.list_lanes(condition, offset, listed, b.load(count)), count)
    return b.load(count)
