"""Vector primitives on whole rows of a factor: copy, correct, extrapolate, outer products.

Rows are padded, and the order of sums is fixed, as in `kernels.gather`.
"""

import numpy as np
from llvmlite import ir

from .vector_code import CACHE_LINE, I64, REGISTER_BYTES, VectorBuilder, vector_code

OUT_OF_REACH = -0.125
"""Of the largest number: the product with X of an entry that must stay zero."""

GRAM_SUMS = 8
"""Registers that hold sums of a gram matrix: two units with a latency of four take eight chains
of fused multiply-adds. With 4 of AVX-512's it took a third more time (float64, 50 components), with
16, which are all, of AVX2's two fifths. With 16 of AVX-512's it is a sixth less (100 components),
but a first call takes 4% longer."""

FAR = 2**25
"""Bytes of a factor that is not in the cache when a pass over it begins anew."""


def _copy_rows(target, first, source, start, n):
    target[first : first + n] = source[start : start + n]


@vector_code(reference=_copy_rows)
def copy_rows(code, target, first, source, start, n):
    """target[first : first + n] = source[start : start + n], rows of the same width."""
    width = code.length(source, 1)
    read, write = code.row(source, start), code.row(target, first)
    with code.offsets(code.index(0), code.b.mul(n, width)) as offset:
        code.store(code.load(code.at(read, offset)), code.at(write, offset))


def _prefetch_rows(factor, start, n):
    pass  # nothing but time depends on it


@vector_code(reference=_prefetch_rows)
def prefetch_rows(code, factor, start, n):
    """Ask for rows start to start + n, which will soon be read, of what is far from the cache.

    There need not be such rows.
    """
    b = code.b
    with b.if_then(_is_far(code, factor)):
        size, source = b.mul(n, code.length(factor, 1)), code.row(factor, start)
        with code.steps(code.index(0), size, CACHE_LINE // code.itemsize) as offset:
            code.prefetch(code.at(source, offset), 1)


def _stream_rows(target, first, source, n):
    target[first : first + n] = source[:n]


@vector_code(reference=_stream_rows)
def stream_rows(code, target, first, source, n):
    """target[first : first + n] = source[:n], which will not soon be read from there.

    Past the cache where the target is far larger: a store into the cache reads first what it
    overwrites. Such stores are in no order with others, until `fence`.
    """
    b, write = code.b, code.row(target, first)
    size = b.mul(n, code.length(source, 1))
    aligned = b.and_(b.ptrtoint(write, I64), code.index(code.vector_bytes - 1))
    aligned = b.icmp_unsigned("==", aligned, code.index(0))
    with b.if_else(b.and_(aligned, _is_far(code, target))) as (past, into):
        with past, code.offsets(code.index(0), size) as offset:
            value = code.load(code.at(source.data, offset))
            code.stream(value, code.at(write, offset))
        with into, code.offsets(code.index(0), size) as offset:
            code.store(code.load(code.at(source.data, offset)), code.at(write, offset))


def _fence(target):
    pass  # nothing but the order in which others see it


@vector_code(reference=_fence)
def fence(code, target):
    """Let nobody see what follows before the rows that have been sent to the target.

    Once for many: it takes as long as some hundred stores.
    """
    code.b.fence("seq_cst")


def _is_far(code, factor):
    size = code.b.mul(code.length(factor), code.length(factor, 1))
    return code.b.icmp_signed(">=", size, code.index(FAR // code.itemsize))


def _copy_values(target, source):
    target[:] = source


@vector_code(reference=_copy_values)
def copy_values(code, target, source):
    """target[:] = source, of the same type and length, a whole number of vectors."""
    with code.offsets(code.index(0), code.length(target)) as p:
        code.store(code.load(code.at(source.data, p)), code.at(target.data, p))


def _load_row(x, data, start, stop):
    x[: stop - start], x[stop - start :] = data[start:stop], 0


@vector_code(reference=_load_row)
def load_row(code, x, data, start, stop):
    """Set x, a whole number of vectors, to data[start:stop], and zero beyond."""
    b, n = code.b, code.b.sub(stop, start)
    source, whole = code.at(data.data, start), code.b.and_(n, code.index(-code.lanes))
    with code.offsets(code.index(0), whole) as p:
        code.store(code.load(code.at(source, p)), code.at(x.data, p))
    with code.offsets(whole, code.length(x)) as p:
        code.store(code.zeros, code.at(x.data, p))
    with code.steps(whole, n) as p:
        b.store(b.load(code.at(source, p)), code.at(x.data, p))


def _extrapolate(previous, current, start, stop, beta, least):
    now, before = current[start:stop], previous[start:stop]
    before[:] = np.maximum(now + beta * (now - before), least * now)


@vector_code(reference=_extrapolate)
def extrapolate(code, previous, current, start, stop, beta, least):
    """Set previous <- max(least * current, current + beta * (current - previous)).

    In rows start to stop.
    """
    b, width = code.b, code.length(current, 1)
    factor, share = code.splat(beta), code.splat(least)
    with code.offsets(b.mul(start, width), b.mul(stop, width)) as offset:
        now, place = code.load(code.at(current.data, offset)), code.at(previous.data, offset)
        value = code.add_product(factor, b.fsub(now, code.load(place)), now)
        bound = b.fmul(share, now)
        code.store(b.select(b.fcmp_ordered("<", value, bound), bound, value), place)


def _clear_gram(total):
    total[:] = 0


@vector_code(reference=_clear_gram)
def clear_gram(code, total):
    """Set a matrix to zero, the width of whose rows is a whole number of vectors."""
    size = code.b.mul(code.length(total), code.length(total, 1))
    with code.offsets(code.index(0), size) as offset:
        code.store(code.zeros, code.at(total.data, offset))


def _add_gram(rows, start, stop, total):
    part = rows[start:stop]
    for r in range(part.shape[1]):
        for s in range(r, part.shape[1]):
            total[r, s] += (part[:, r] * part[:, s]).sum(dtype=part.dtype)


@vector_code(reference=_add_gram)
def add_gram(code, rows, start, stop, total):
    """Add rows[start:stop]' rows[start:stop] to a float64 matrix, upper triangle.

    (And entries just below the diagonal that share its vectors.) Sums run in the
    precision of the rows: [start, stop) must be short.
    """
    b, width = code.b, code.length(rows, 1)
    with code.offsets(code.index(0), width) as r0:
        begin = r0
        for part in _gram_vectors(code):
            end = b.add(begin, b.and_(b.sub(width, begin), code.index(-part.lanes)))
            with part.offsets(begin, end) as s0:
                _add_gram_block(part, rows, start, stop, total, r0, s0, code.lanes)
            begin = end


def _gram_vectors(code):
    """Return builders of vectors, the widest ones first, down to those of `code`.

    The widest are such that one for each lane of `code` fill `GRAM_SUMS` registers.
    """
    sizes, nbytes = [], GRAM_SUMS * REGISTER_BYTES // code.lanes
    while nbytes >= code.vector_bytes:
        sizes.append(nbytes)
        nbytes //= 2
    return [VectorBuilder(code.context, code.b, code.dtype, size) for size in sizes]


def _add_gram_block(code, rows, start, stop, total, r0, s0, n):
    """Add rows r0 to r0 + n, and the columns of one vector from s0 on."""
    b = code.b

    def add(i, totals):
        row = code.row(rows, i)
        right = code.load(code.at(row, s0))
        left = [b.load(code.at(row, b.add(r0, code.index(q)))) for q in range(n)]
        return [
            code.add_product(code.splat(x), right, total)
            for x, total in zip(left, totals, strict=True)
        ]

    wide = ir.VectorType(ir.DoubleType(), code.lanes)
    for q, sums in enumerate(code.accumulate(start, stop, [code.zeros] * n, add)):
        pointer = code.at(code.row(total, b.add(r0, code.index(q))), s0)
        pointer = b.bitcast(pointer, wide.as_pointer())
        old = b.load(pointer)
        old.align = 8
        b.store(b.fadd(old, b.fpext(sums, wide) if code.itemsize < 8 else sums), pointer).align = 8


def _add_earlier(crosses, sums, fade, i, n):
    for part in sums:
        crosses[:n] += fade * part[i : i + n]
    if len(sums):
        sums[0, i : i + n] = crosses[:n]


@vector_code(reference=_add_earlier)
def add_earlier(code, crosses, sums, fade, i, n):
    """Add rows i to i + n of each part of `sums`, times `fade`; leave the total in the first one.

    `crosses` is (at least n, width), `sums` (n_parts, n_rows, width).
    """
    b, width = code.b, code.length(crosses, 1)

    def part_row(part):
        return code.at(sums.data, b.mul(b.add(b.mul(part, code.length(sums, 1)), i), width))

    nothing, size = code.index(0), b.mul(n, width)
    with code.steps(nothing, code.length(sums)) as p:
        source = part_row(p)
        with code.offsets(nothing, size) as offset:
            place = code.at(crosses.data, offset)
            earlier = code.load(code.at(source, offset))
            code.store(code.add_product(code.splat(fade), earlier, code.load(place)), place)
    there = b.icmp_signed(">", code.length(sums), nothing)
    with b.if_then(there), code.offsets(nothing, size) as offset:
        total = code.load(code.at(crosses.data, offset))
        code.store(total, code.at(part_row(nothing), offset))


def _restrict_rows(crosses, l1, support, i, n):
    crosses[:n] -= l1[i : i + n, None].astype(crosses.dtype) if len(l1) > 1 else l1[0]
    if len(support):
        crosses[:n][~support[i : i + n]] = OUT_OF_REACH * np.finfo(crosses.dtype).max


@vector_code(reference=_restrict_rows)
def restrict_rows(code, crosses, l1, support, i, n):
    """Subtract each row's L1 weight, and put entries that must stay zero out of reach.

    `l1` has a weight for all rows or one for each, `support` (0 or n_rows, width) whether an
    entry may be more than zero. An entry of `crosses` so far below zero has a gradient that
    nothing can outweigh.
    """
    b, width, byte = code.b, code.length(crosses, 1), ir.IntType(8)
    one = b.icmp_signed("==", code.length(l1), code.index(1))
    supported = b.icmp_signed(">", code.length(support), code.index(0))
    limit = OUT_OF_REACH * float(np.finfo(f"f{code.itemsize}").max)
    never = ir.Constant(code.vector, [limit] * code.lanes)
    bytes_type = ir.VectorType(byte, code.lanes)
    with code.steps(code.index(0), n) as t:
        row = b.add(i, t)
        weight = b.load(code.at(l1.data, b.select(one, code.index(0), row)))
        weight = code.splat(b.fptrunc(weight, code.scalar) if code.itemsize < 8 else weight)
        with code.offsets(code.index(0), width) as c:
            place = code.at(code.row(crosses, t), c)
            code.store(b.fsub(code.load(place), weight), place)
        with b.if_then(supported), code.offsets(code.index(0), width) as c:
            flags = b.bitcast(code.at(code.row(support, row), c), bytes_type.as_pointer())
            flags = b.load(flags, align=1)
            place = code.at(code.row(crosses, t), c)
            free = b.icmp_unsigned("!=", flags, ir.Constant(bytes_type, None))
            code.store(b.select(free, code.load(place), never), place)
