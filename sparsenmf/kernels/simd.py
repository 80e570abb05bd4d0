"""Vector primitives: what the kernels do to a whole row of a factor at once.

A factor is kept as a C-ordered array whose row length is a multiple of
``lanes(dtype)``, the padding being zero, so that a row is a whole number of
vectors and no scalar remainder is ever run. Each primitive below is a plain
Python function that says what it means; compiled callers get explicit LLVM
vector code instead (`vector_code`), because numba runs LLVM without the SLP
vectoriser and drops to scalar code where a length is not a multiple of its
unrolled width. With the JIT switched off the Python bodies run.

The order of every sum is fixed by the code, not by the compiler (no
reassociation), so the parallel and the serial twin of a kernel give the same bits.
"""

import inspect

from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic

VECTOR_BYTES = 32
"""Width of a vector. 64 was no faster on AVX-512, and pads k = 20 to 32 instead of 24."""

PANEL = 8
"""Vectors of a row whose sums stay in registers together: 8 of AVX2's 16 registers
leave room for the loads; 13 was no faster."""

I64 = ir.IntType(64)


def lanes(itemsize):
    """Return how many items of `itemsize` bytes fill one vector."""
    return VECTOR_BYTES // itemsize


def vector_code(returns_scalar=False):
    """Replace a Python function by LLVM code inside jitted callers.

    The decorated function takes a `VectorBuilder`, then the arrays and scalars, and
    emits LLVM code; its Python meaning is attached to it by `meaning`.
    """

    def decorate(emit):
        meaning = emit.meaning
        meaning.__doc__ = emit.__doc__
        if config.DISABLE_JIT:
            return meaning

        def typer(typing_context, *args):
            dtype = next(arg.dtype for arg in args if isinstance(arg, types.Array))
            kinds = [
                arg
                if isinstance(arg, types.Array)
                else (types.int64 if isinstance(arg, types.Integer) else dtype)
                for arg in args
            ]
            signature = (dtype if returns_scalar else types.void)(*kinds)

            def codegen(context, builder, signature, values):
                code = VectorBuilder(context, builder, dtype)
                operands = [
                    context.make_array(kind)(context, builder, value)
                    if isinstance(kind, types.Array)
                    else value
                    for kind, value in zip(signature.args, values, strict=True)
                ]
                result = emit(code, *operands)
                return result if returns_scalar else context.get_dummy_value()

            return signature, codegen

        typer.__name__ = emit.__name__
        typer.__doc__ = emit.__doc__
        # numba matches call arguments by name: those of the emitter, of which the first
        # stands where numba expects its typing context.
        typer.__signature__ = inspect.signature(emit)  # type: ignore[attr-defined]
        return intrinsic(typer)

    return decorate


def meaning(python_body):
    """Attach the Python body that an LLVM emitter stands for."""

    def decorate(emit):
        emit.meaning = python_body
        return emit

    return decorate


class VectorBuilder:
    """The few LLVM phrases that the emitters below are written in."""

    def __init__(self, context, builder, dtype):
        self.context, self.b = context, builder
        self.scalar = context.get_value_type(dtype)
        self.itemsize = dtype.bitwidth // 8
        self.lanes = lanes(self.itemsize)
        self.vector = ir.VectorType(self.scalar, self.lanes)
        self.zeros = ir.Constant(self.vector, None)

    def index(self, value):
        return ir.Constant(I64, value)

    def length(self, array, axis=0):
        return self.b.extract_value(array.shape, axis)

    def row(self, matrix, i):
        """Address of row i of a C-ordered matrix."""
        return self.b.gep(matrix.data, [self.b.mul(i, self.length(matrix, 1))])

    def at(self, pointer, offset):
        return self.b.gep(pointer, [offset])

    def load(self, pointer):
        value = self.b.load(self.b.bitcast(pointer, self.vector.as_pointer()))
        value.align = self.itemsize  # rows need no alignment beyond the item's
        return value

    def store(self, value, pointer):
        instruction = self.b.store(value, self.b.bitcast(pointer, self.vector.as_pointer()))
        instruction.align = self.itemsize

    def splat(self, scalar):
        """Return a vector whose lanes all hold `scalar`."""
        undefined = ir.Constant(self.vector, ir.Undefined)
        one = self.b.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.b.shuffle_vector(one, undefined, mask)

    def add_product(self, x, y, total):
        """Return total + x * y: one fused instruction where the machine has it."""
        product = self.b.fmul(x, y, flags=("contract",))
        return self.b.fadd(product, total, flags=("contract",))

    def offsets(self, start, stop):
        """Loop over the offsets of the vectors in [start, stop)."""
        return cgutils.for_range_slice(self.b, start, stop, self.index(self.lanes), intp=I64)

    def sum_lanes(self, vector):
        """Add the lanes of a vector, first to last."""
        total = self.b.extract_element(vector, ir.Constant(ir.IntType(32), 0))
        for lane in range(1, self.lanes):
            item = self.b.extract_element(vector, ir.Constant(ir.IntType(32), lane))
            total = self.b.fadd(total, item)
        return total


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


@vector_code(returns_scalar=True)
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


@vector_code(returns_scalar=True)
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
