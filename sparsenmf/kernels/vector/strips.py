"""Strips: the gathered rows of the other factor, one component after the other.

Where a loss depends on single entries of W H, a row needs sums over its own nonzeros for
one component at a time. So the rows b_j of the other factor that it meets are gathered
once and transposed: strips[r, p] is component r of the row of the p-th nonzero, and a
sum over nonzeros runs along memory. A strip is a whole number of vectors. The padding is zero
in the strips and in x, and one in y, and does not change any sum.

The code fixes the order of every sum, as in `kernels.vector.gather`. With numba's plain loops
instead, a Kullback-Leibler iteration took 1.33 times as long for `gather_strips`, 2.7 times for
`move_and_sum`, and 1.15 times for the two small sums (20newsgroups, 20 components, two threads).
"""

from functools import partial

import numpy as np
from llvmlite import ir

from .gather import gathered_rows
from .vector_code import vector_code

FLOOR = 1e-15
"""The smallest y that differs from zero, as a share of its x: it keeps x / y finite. A word that
stands once among 1e12 others has a y of 1e-12 at the optimum, which must not count as zero."""

STEEP = {4: 1e18, 8: 1e150}
"""Largest ratio of a strip to its y, by the size of a number: its square is finite. So entries of X
below 1e-18 count as zero in single precision where other values of X are about one."""


def _gather_strips(strips, column, indices, start, stop, other):
    strips[:, : stop - start] = other[indices[start:stop], column : column + len(strips)].T
    strips[:, stop - start :] = 0


@vector_code(reference=_gather_strips)
def gather_strips(code, strips, column, indices, start, stop, other):
    """strips[q, p] = other[indices[start + p], column + q], and zero beyond stop - start.

    Both sides of `strips` and `column` are whole numbers of vectors; [start, stop)
    is not empty. `indices` must be valid rows of `other`: nothing is checked.
    """
    b = code.b
    with code.offsets(code.index(0), code.length(strips, 1)) as p0:
        sources, inside = gathered_rows(code, indices, b.add(start, p0), stop, other)
        with code.offsets(code.index(0), code.length(strips)) as q0:
            place = b.add(column, q0)
            rows = [
                b.select(keep, code.load(code.at(source, place)), code.zeros)
                for keep, source in zip(inside, sources, strict=True)
            ]
            for q, strip in enumerate(code.transposed(rows)):
                code.store(strip, code.at(code.row(strips, b.add(q0, code.index(q))), p0))


def _move_and_sum(sums, strips, moved, step, r, x, y):
    y[:] = np.maximum(y + step * strips[moved], FLOOR * x)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        ratio = strips[r] / y
    ratio = np.where(ratio < STEEP[y.itemsize], ratio, STEEP[y.itemsize]).astype(y.dtype)
    sums[0], sums[1] = (x * ratio).sum(), (x * ratio * ratio).sum()


@vector_code(reference=_move_and_sum)
def move_and_sum(code, sums, strips, moved, step, r, x, y):
    """Finish the move of one component, and sum the derivatives for the next.

    y <- max(y + step * strips[moved], FLOOR * x), then sums[0] = sum of x * ratio and
    sums[1] = sum of x * ratio**2, with ratio = strips[r] / y, but at most `STEEP`. All of it takes
    one pass and one division. (Components are passed by number: numba counts the references to a
    view, atomically.)
    """
    b = code.b
    steps = code.splat(step)
    floor, steep = (
        ir.Constant(code.vector, [value] * code.lanes) for value in (FLOOR, STEEP[code.itemsize])
    )
    before, strip = code.row(strips, moved), code.row(strips, r)

    def add(p, totals):
        place = code.at(y.data, p)
        values = code.load(code.at(x.data, p))
        new = code.add_product(steps, code.load(code.at(before, p)), code.load(place))
        least = b.fmul(values, floor)
        new = b.select(b.fcmp_ordered("<", new, least), least, new)
        code.store(new, place)
        ratio = b.fdiv(code.load(code.at(strip, p)), new)
        ratio = b.select(b.fcmp_ordered("<", ratio, steep), ratio, steep)  # NaN too
        weighted = b.fmul(values, ratio)
        return [b.fadd(totals[0], weighted), code.add_product(weighted, ratio, totals[1])]

    end = code.length(y)
    totals = code.accumulate(code.index(0), end, [code.zeros] * 2, add, step=code.lanes)
    for q, total in enumerate(totals):
        b.store(_fold_lanes(code, total, b.fadd), code.at(sums.data, code.index(q)))


def _smallest_positive(total, x):
    total[0] = np.where(x > 0, x, np.inf).min(initial=np.inf)


@vector_code(reference=_smallest_positive)
def smallest_positive(code, total, x):
    """total[0] = the smallest positive entry of x, or infinity if there is none."""
    b = code.b
    infinite = ir.Constant(code.vector, [float("inf")] * code.lanes)

    def add(p, totals):
        values = code.load(code.at(x.data, p))
        there = b.fcmp_ordered(">", values, code.zeros)
        return [_smaller(b, totals[0], b.select(there, values, infinite))]

    (least,) = code.accumulate(code.index(0), code.length(x), [infinite], add, step=code.lanes)
    b.store(_fold_lanes(code, least, partial(_smaller, b)), total.data)


def _move_and_fit(sums, strips, moved, step, r, x, excess, y):
    y += step * strips[moved]
    sums[0], sums[1] = ((x - excess * y) * strips[r]).sum(), (excess * strips[r] ** 2).sum()


@vector_code(reference=_move_and_fit)
def move_and_fit(code, sums, strips, moved, step, r, x, excess, y):
    """Finish the move of one component, and sum the derivatives of a squared error.

    y <- y + step * strips[moved], then sums[0] = sum of (x - excess * y) * strips[r] and
    sums[1] = sum of excess * strips[r]**2.
    """
    b = code.b
    steps = code.splat(step)
    before, strip = code.row(strips, moved), code.row(strips, r)

    def add(p, totals):
        place = code.at(y.data, p)
        new = code.add_product(steps, code.load(code.at(before, p)), code.load(place))
        code.store(new, place)
        weight, base = code.load(code.at(excess.data, p)), code.load(code.at(strip, p))
        rest = b.fsub(code.load(code.at(x.data, p)), b.fmul(weight, new))
        return [
            code.add_product(rest, base, totals[0]),
            code.add_product(b.fmul(weight, base), base, totals[1]),
        ]

    end = code.length(y)
    totals = code.accumulate(code.index(0), end, [code.zeros] * 2, add, step=code.lanes)
    for q, total in enumerate(totals):
        b.store(_fold_lanes(code, total, b.fadd), code.at(sums.data, code.index(q)))


def _sum_log_ratios(total, x, y):
    least = np.maximum(FLOOR * x, np.finfo(x.dtype).tiny)
    ratio = np.divide(x, np.maximum(y, least), out=np.ones_like(x), where=x > 0)
    total[0] = (x * np.log(ratio)).sum()


@vector_code(reference=_sum_log_ratios)
def sum_log_ratios(code, total, x, y):
    """total[0] = sum of x log(x / max(y, FLOOR * x)) over positive x.

    FLOOR * x counts as the smallest normal number where it is less.
    """
    b, smallest = code.b, float(np.finfo(f"f{code.itemsize}").tiny)
    one, floor, tiny = (
        ir.Constant(code.vector, [value] * code.lanes) for value in (1.0, FLOOR, smallest)
    )

    def add(p, totals):
        values = code.load(code.at(x.data, p))
        product, least = code.load(code.at(y.data, p)), b.fmul(values, floor)
        least = b.select(b.fcmp_ordered("<", least, tiny), tiny, least)
        product = b.select(b.fcmp_ordered("<", product, least), least, product)
        there = b.fcmp_ordered(">", values, code.zeros)
        ratio = b.select(there, b.fdiv(values, product), one)
        return [code.add_product(values, code.logarithm(ratio), totals[0])]

    (sums,) = code.accumulate(code.index(0), code.length(x), [code.zeros], add, step=code.lanes)
    b.store(_fold_lanes(code, sums, b.fadd), total.data)


def _smaller(b, one, other):
    return b.select(b.fcmp_ordered("<", one, other), one, other)


def _fold_lanes(code, vector, fold):
    """Return a vector's lanes folded to one number, for instance their sum: halves onto halves."""
    b, number = code.b, ir.IntType(32)
    lanes = code.lanes
    while lanes > 1:
        lanes //= 2
        halves = [
            b.shuffle_vector(
                vector,
                vector,
                ir.Constant(ir.VectorType(number, lanes), list(range(first, first + lanes))),
            )
            for first in (0, lanes)
        ]
        vector = fold(*halves)
    return b.extract_element(vector, ir.Constant(number, 0))
