"""Explicit LLVM vector code behind plain Python functions.

numba runs LLVM without the SLP vectoriser and drops to scalar code where a length is not
a multiple of its unrolled width, so the primitives of `sparsenmf.kernels.simd` are
written as LLVM code, with the few phrases of `VectorBuilder`. Each carries a Python body
that says what it means, and that runs where the JIT is switched off.
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


def vector_code(returns=None):
    """Replace a Python function by LLVM code inside jitted callers.

    The decorated function takes a `VectorBuilder`, then the arrays and scalars, and
    emits LLVM code; its Python meaning is attached to it by `meaning`. `returns` is None,
    "item" (a scalar of the first array's type) or "count" (an int64).
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
            result_type = {None: types.void, "item": dtype, "count": types.int64}[returns]
            signature = result_type(*kinds)

            def codegen(context, builder, signature, values):
                code = VectorBuilder(context, builder, dtype)
                operands = [
                    context.make_array(kind)(context, builder, value)
                    if isinstance(kind, types.Array)
                    else value
                    for kind, value in zip(signature.args, values, strict=True)
                ]
                result = emit(code, *operands)
                return context.get_dummy_value() if returns is None else result

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

    def list_lanes(self, condition, offset, target, count):
        """Write offset + lane to target[count...] for each lane that is true; return the new count.

        No branch: the mask of the lanes picks a row of a table of their numbers, of which
        a whole vector is stored and then overwritten from the first unused place on.
        """
        b, lanes = self.b, self.lanes
        mask = b.zext(b.bitcast(condition, ir.IntType(lanes)), I64)
        numbers = ir.VectorType(ir.IntType(32), lanes)
        bytes_ = ir.VectorType(ir.IntType(8), lanes)
        entry = b.gep(self._lane_table(), [self.index(0), mask])
        chosen = b.load(b.bitcast(entry, bytes_.as_pointer()))
        chosen.align = 1
        start = b.trunc(offset, ir.IntType(32))
        base = ir.Constant(numbers, ir.Undefined)
        for lane in range(lanes):
            base = b.insert_element(base, start, ir.Constant(ir.IntType(32), lane))
        place = b.bitcast(self.at(target.data, count), numbers.as_pointer())
        b.store(b.add(b.zext(chosen, numbers), base), place).align = 4
        return b.add(count, b.ctpop(mask))

    def _lane_table(self):
        """Return a table of the lanes that are set in each mask, packed to the front."""
        rows = []
        for mask in range(2**self.lanes):
            chosen = [lane for lane in range(self.lanes) if mask >> lane & 1]
            rows.append(chosen + [0] * (self.lanes - len(chosen)))
        kind = ir.ArrayType(ir.ArrayType(ir.IntType(8), self.lanes), len(rows))
        return cgutils.global_constant(self.b.module, "lane_table", ir.Constant(kind, rows))
