"""Products of sparse rows with a dense factor, as vector code: gather, scatter, dot.

A factor is a C-ordered array whose row length is a multiple of ``lanes(itemsize)``; the padding
is zero. So a row is a whole number of vectors, and no loop has a scalar remainder.

The order of every sum is fixed by the code, not by the compiler (no reassociation), so
the parallel and the serial twin of a kernel give the same bits.
"""

import functools

from llvmlite import ir
from numba.core import cgutils

from .vector_code import CACHE_LINE, PANEL, vector_code

CHAINS = 8
"""Sums that a gather adds to in turn: with fewer, additions would wait for each other."""

PREFETCH = 16
"""How many nonzeros ahead a gather prefetches rows, which takes a quarter off its time where the
other factor does not fit in the cache. It prefetches the first cache line of each row. The machine
fetches the next ones by itself; to prefetch all of them would keep the load units busy."""

SHORT = 4
"""Rows of at most so many vectors are not prefetched: it would cost more than it saves."""


def _gather_rows(total, data, indices, start, stop, other):
    total[:] = data[start:stop] @ other[indices[start:stop]]


@vector_code(reference=_gather_rows)
def gather_rows(code, total, data, indices, start, stop, other):
    """total[:] = sum over p in [start, stop) of data[p] * other[indices[p], :].

    One row of a sparse-times-dense product. The row is cut into panels of at
    most `PANEL` vectors; each panel is one loop over the nonzeros with its sums
    in registers. `indices` must be valid rows of `other`: nothing is checked.
    """

    def panel(width, offset):
        target = code.at(total.data, offset)
        _gather_panel(code, width, target, data, indices, start, stop, other, offset)

    _in_panels(code, code.length(total), panel)


def _gather_batch(crosses, data, indices, indptr, i, n, other):
    crosses[n:] = 0
    for t in range(n):
        _gather_rows(crosses[t], data, indices, indptr[i + t], indptr[i + t + 1], other)


@vector_code(reference=_gather_batch)
def gather_batch(code, crosses, data, indices, indptr, i, n, other):
    """crosses[t, :] = x_(i + t) other for n > 0 consecutive sparse rows, and zero beyond.

    This is `gather_rows` for each row, but one panel of all rows precedes the next panel.
    """
    b, nothing, one = code.b, code.index(0), code.index(1)

    def panel(width, offset):
        with code.steps(nothing, code.length(crosses)) as t:
            inside = b.icmp_signed("<", t, n)
            row = code.at(indptr.data, b.add(i, b.select(inside, t, nothing)))
            start = b.load(row)
            stop = b.select(inside, b.load(code.at(row, one)), start)
            target = code.at(code.row(crosses, t), offset)
            _gather_panel(code, width, target, data, indices, start, stop, other, offset)

    _in_panels(code, code.length(crosses, 1), panel)


def _in_panels(code, length, emit):
    """Emit a loop over about equal panels of a row of this length, as few as possible.

    emit(number of vectors, offset) emits the code of a panel.
    """
    b = code.b
    n_vectors = b.udiv(length, code.index(code.lanes))
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
    choice = b.switch(_share(code, left), blocks[PANEL])
    for width, block in blocks.items():
        if width < PANEL:
            choice.add_case(code.index(width), block)
        b.position_at_end(block)
        emit(width, offset)
        b.store(b.add(first, code.index(width)), done)
        b.branch(head)
    b.position_at_end(end)


def _share(code, left):
    """Return how many of the remaining vectors the next panel takes."""
    b = code.b
    n_panels = b.udiv(b.add(left, code.index(PANEL - 1)), code.index(PANEL))
    return b.udiv(b.add(left, b.sub(n_panels, code.index(1))), n_panels)


def _widest_vectors(code, width):
    """Return the vectors of a panel, as wide as possible: pairs of (builder, offset in items)."""
    wide = code.widened()
    pairs = [(wide, q * code.lanes) for q in range(0, width - 1, 2)]
    return [*pairs, (code, (width - 1) * code.lanes)] if width % 2 else pairs


def _gather_panel(code, width, target, data, indices, start, stop, other, offset):
    """Store the sum of `width` vectors of the gathered rows from column `offset` on.

    A narrow panel is summed in several chains, in turn, which are added at the end. The last
    turn may lack nonzeros; zeros times its first row take their places. A loop over the rest has
    an end that the machine cannot predict: on rows of about six nonzeros it made a gather a tenth
    (20 components) to a third (5) slower.
    """
    b = code.b
    pieces, n_chains = _widest_vectors(code, width), max(1, CHAINS // width)
    # Near the end of the matrix there is nothing ahead: prefetch what is read at once.
    inside = b.icmp_signed("<=", b.add(stop, code.index(PREFETCH)), code.length(indices))
    distance = b.select(inside, code.index(PREFETCH), code.index(0))

    def panel(p):
        return code.at(code.row(other, code.entry(indices, p)), offset)

    def add(x, p, totals):
        if width > SHORT:
            code.prefetch(panel(b.add(p, distance)), 1)
        row = panel(p)
        return [
            piece.add_product(piece.splat(x), piece.load(code.at(row, code.index(q))), total)
            for (piece, q), total in zip(pieces, totals, strict=True)
        ]

    def turn(first, chains, *, last=False):
        sums = []
        for c in range(n_chains):
            p = b.add(first, code.index(c))
            there = b.icmp_signed("<", p, stop)
            p = b.select(there, p, first) if last and c else p
            x = b.load(code.at(data.data, p))
            x = b.select(there, x, ir.Constant(code.scalar, 0.0)) if last and c else x
            sums += add(x, p, chains[c * n : (c + 1) * n])
        return sums

    n, step, last = len(pieces), code.index(n_chains), stop
    chains = [piece.zeros for piece, _ in pieces] * n_chains
    if n_chains > 1:
        before_last = b.sdiv(b.sub(b.sub(stop, start), code.index(1)), step)
        last = b.add(start, b.mul(before_last, step))
    chains = code.accumulate(start, last, chains, turn, step=n_chains)
    if n_chains > 1:
        last_turn = functools.partial(turn, last=True)
        chains = code.accumulate(last, stop, chains, last_turn, step=n_chains)
    sums = chains[:n]
    for c in range(1, n_chains):
        part = chains[c * n : (c + 1) * n]
        sums = [b.fadd(total, other) for total, other in zip(sums, part, strict=True)]
    for (piece, q), value in zip(pieces, sums, strict=True):
        piece.store(value, code.at(target, code.index(q)))


def _scatter_row(sums, data, indices, start, stop, factor, i):
    for p in range(start, stop):
        sums[indices[p]] += data[p] * factor[i]


@vector_code(reference=_scatter_row)
def scatter_row(code, sums, data, indices, start, stop, factor, i):
    """sums[indices[p]] += data[p] * factor[i] for p in [start, stop).

    This is the transpose of a gather: a row's share of X' factor. `indices` must be valid rows of
    `sums`: nothing is checked.
    """

    def panel(width, offset):
        source = code.at(code.row(factor, i), offset)
        _scatter_panel(code, width, sums, data, indices, start, stop, source, offset)

    _in_panels(code, code.length(factor, 1), panel)


def _scatter_batch(sums, data, indices, indptr, i, n, factor):
    for t in range(i, i + n):
        _scatter_row(sums, data, indices, indptr[t], indptr[t + 1], factor, t)


@vector_code(reference=_scatter_batch)
def scatter_batch(code, sums, data, indices, indptr, i, n, factor):
    """Add the shares of rows i to i + n of X' factor to the sums.

    This is `scatter_row` for each row, but one panel of all rows precedes the next panel.
    """
    b, one = code.b, code.index(1)

    def panel(width, offset):
        with code.steps(i, b.add(i, n)) as row:
            bounds = code.at(indptr.data, row)
            start, stop = b.load(bounds), b.load(code.at(bounds, one))
            source = code.at(code.row(factor, row), offset)
            _scatter_panel(code, width, sums, data, indices, start, stop, source, offset)

    _in_panels(code, code.length(factor, 1), panel)


def _scatter_panel(code, width, sums, data, indices, start, stop, source, offset):
    """Add multiples of `width` vectors from `source` to the sums, from column `offset` on."""
    b = code.b
    inside = b.icmp_signed("<=", b.add(stop, code.index(PREFETCH)), code.length(indices))
    distance = b.select(inside, code.index(PREFETCH), code.index(0))
    # Wider vectors may cross a cache line, and those are stored slowly.
    row = [code.load(code.at(source, code.index(q * code.lanes))) for q in range(width)]

    def target(p):
        return code.at(code.row(sums, code.entry(indices, p)), offset)

    def add(p, _):
        code.prefetch(target(b.add(p, distance)), 1)
        x, place = code.splat(b.load(code.at(data.data, p))), target(p)
        for q, value in enumerate(row):
            pointer = code.at(place, code.index(q * code.lanes))
            code.store(code.add_product(x, value, code.load(pointer)), pointer)
        return []

    code.accumulate(start, stop, [], add)


def _dot_rows(products, row, indices, start, stop, other):
    products[: stop - start] = other[indices[start:stop]] @ row
    products[stop - start :] = 1


@vector_code(reference=_dot_rows)
def dot_rows(code, products, row, indices, start, stop, other):
    """products[p] = row . other[indices[start + p]], and one beyond stop - start.

    `products` is a whole number of vectors: none if [start, stop) is empty. A vector of nonzeros
    is taken at a time: their sums over the components are transposed and added to one vector.
    """
    b, lanes = code.b, code.lanes
    ones = ir.Constant(code.vector, [1.0] * lanes)
    flags = ir.VectorType(ir.IntType(1), lanes)
    with code.offsets(code.index(0), code.length(products)) as p0:
        sources, inside = gathered_rows(code, indices, b.add(start, p0), stop, other)

        def add(offset, totals):
            weights = code.load(code.at(row.data, offset))
            return [
                code.add_product(weights, code.load(code.at(source, offset)), total)
                for source, total in zip(sources, totals, strict=True)
            ]

        end = code.length(row)
        sums = code.accumulate(code.index(0), end, [code.zeros] * lanes, add, step=lanes)
        sums = code.transposed(list(sums))
        while len(sums) > 1:
            half = len(sums) // 2
            sums = [b.fadd(sums[q], sums[half + q]) for q in range(half)]
        there = ir.Constant(flags, ir.Undefined)
        for lane, flag in enumerate(inside):
            there = b.insert_element(there, flag, ir.Constant(ir.IntType(32), lane))
        code.store(b.select(there, sums[0], ones), code.at(products.data, p0))


def gathered_rows(code, indices, start, stop, other):
    """Return the addresses of the rows of a vector of nonzeros, and which are in [start, stop).

    The others get the address of the last row. Rows of coming nonzeros are prefetched.
    """
    b = code.b
    last = b.sub(stop, code.index(1))
    end = b.sub(code.length(indices), code.index(1))

    def row(p):
        return code.row(other, code.entry(indices, p))

    sources, inside = [], []
    for lane in range(code.lanes):
        p = b.add(start, code.index(lane))
        ahead = b.add(p, code.index(PREFETCH))
        ahead = row(b.select(b.icmp_signed("<", ahead, end), ahead, end))
        code.prefetch(ahead, 2 * CACHE_LINE // code.vector_bytes)
        inside.append(b.icmp_signed("<", p, stop))
        sources.append(row(b.select(inside[-1], p, last)))
    return sources, inside
