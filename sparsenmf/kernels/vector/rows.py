"""Vector primitives on whole rows of a factor: copy, prefetch, stream, gram matrix.

Rows are padded, and the order of sums is fixed, as in `kernels.vector.gather`.
"""

from llvmlite import ir

from .vector_code import CACHE_LINE, I64, REGISTER_BYTES, VectorBuilder, vector_code

GRAM_SUMS = 8
"""Registers that hold sums of a gram matrix: two units with a latency of four keep eight chains of
fused multiply-adds busy. With 4 registers of AVX-512 the time was a third longer (float64, 50
components), with all 16 of AVX2 two fifths. 16 registers of AVX-512 take a sixth less time (100
components), but 4% more for a first call."""

FAR = 2**25
"""Bytes of a factor from which on none of it is in the cache when a new pass begins."""


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
    pass  # a prefetch has no effect on values


@vector_code(reference=_prefetch_rows)
def prefetch_rows(code, factor, start, n):
    """Prefetch rows start to start + n of a factor that does not fit in the cache.

    The rows need not exist. Without this and `copy_rows` and `clear_gram`, an iteration on 800,000
    short rows took 7% longer (20 components, single precision, two threads).
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
    """target[first : first + n] = source[:n], past the cache if the target does not fit in it.

    A store into the cache reads first what it overwrites; a non-temporal one does not. It has no
    order with other stores until a `fence`.
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
    pass  # a fence has no effect on values


@vector_code(reference=_fence)
def fence(code, target):
    """Order the rows that were streamed to the target before everything that follows.

    It takes as long as some hundred stores, so one call serves many rows.
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


def _clear_gram(total):
    total[:] = 0


@vector_code(reference=_clear_gram)
def clear_gram(code, total):
    """Set a matrix to zero; its rows are whole numbers of vectors."""
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
    """Add rows[start:stop]' rows[start:stop] to the upper triangle of a float64 matrix.

    Entries just below the diagonal that share its vectors are added to, too. Sums are in the
    precision of the rows, so [start, stop) must be short.
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
    """Return builders of vectors, from the widest down to those of `code`.

    One vector of the widest for each lane of `code` fills `GRAM_SUMS` registers.
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
