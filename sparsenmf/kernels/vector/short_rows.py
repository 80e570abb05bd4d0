"""Short sparse rows side by side: entries of one row in each lane of a vector.

Entry p of the row in lane t is at p * n_lanes + t of a line, and strips[r] has component r of
the rows of the other factor that the entries meet, in the same places. A row that has no p-th
entry has zeros there.
"""

from .tiles import TILE_VECTORS
from .vector_code import REGISTER_BYTES, VectorBuilder, vector_code


def _gather_columns(strips, chosen, indices, indptr, other):
    strips[:] = 0
    for t, i in enumerate(chosen):
        for p in range(indptr[i + 1] - indptr[i] if i >= 0 else 0):
            strips[:, p * len(chosen) + t] = other[indices[indptr[i] + p], : len(strips)]


@vector_code(reference=_gather_columns)
def gather_columns(code, strips, chosen, indices, indptr, other):
    """strips[r, p * n_lanes + t] = other[the p-th index of row chosen[t], r], or zero.

    Components are gathered a vector at a time; the last vector may lack some.
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


@vector_code(reference=_fit_columns)
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
