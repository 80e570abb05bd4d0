"""Explicit LLVM vector code behind plain Python functions.

numba runs LLVM without the SLP vectoriser, and drops to scalar code where a length is not
a multiple of its unrolled width. So the primitives of this package are emitted as LLVM code,
with the few phrases of `VectorBuilder`. Each has a reference in plain Python.
"""

import inspect
from contextlib import contextmanager

from llvmlite import binding, ir
from numba import types
from numba.core import config
from numba.extending import intrinsic

VECTOR_BYTES = 32
"""Width of a vector. 64 was no faster on AVX-512, and pads k = 20 to 32 instead of 24."""

REGISTER_BYTES = 64 if binding.get_host_cpu_features().get("avx512f") else 32
"""Width of a register, of which there are 32 with AVX-512, else 16.

Two of ARM's 32 registers of 16 bytes (NEON) count as one. So loops keep as many sums there as with
AVX2, in twice as many chains, which the four units of an Apple M1 need. A tile of half the width
takes 30% more instructions a row to sum gradients, and a tenth more to move coordinates.
"""

PANEL = 13
"""The most vectors of a row whose sums stay in registers together. This leaves three of 16 (AVX2,
and ARM's pairs) for the loads. At 100 components (13 vectors) one panel takes 0.8 times as long as
two."""

CACHE_LINE = 64

I64 = ir.IntType(64)

ROOT_HALF_BITS = 0x3F3504F3  # of sqrt(1/2) in single precision
LOG_2_HIGH, LOG_2_LOW = 0.693359375, -2.12194440e-4  # the high part times an exponent is exact
LOGARITHM = (
    7.0376836292e-2,
    -1.1514610310e-1,
    1.1676998740e-1,
    -1.2420140846e-1,
    1.4249322787e-1,
    -1.6668057665e-1,
    2.0000714765e-1,
    -2.4999993993e-1,
    3.3333331174e-1,
)
"""(log(1 + f) - f + f^2 / 2) / f^3, highest power first."""


def lanes(itemsize):
    """Return how many items of `itemsize` bytes fill one vector."""
    return VECTOR_BYTES // itemsize


def vector_code(reference):
    """Return a decorator that puts LLVM code into jitted callers of a function.

    The decorated function is an emitter: it takes a `VectorBuilder`, then the arrays and
    scalars, and emits code that returns nothing. Vectors have the type of the first array.
    `reference` is the same function in plain Python; it runs where the JIT is switched off.
    """

    def decorate(emit):
        reference.__doc__ = emit.__doc__
        if config.DISABLE_JIT:
            return reference

        def typer(typing_context, *args):
            dtype = next(arg.dtype for arg in args if isinstance(arg, types.Array))
            kinds = [
                arg
                if isinstance(arg, types.Array)
                else (types.int64 if isinstance(arg, types.Integer) else dtype)
                for arg in args
            ]
            signature = types.void(*kinds)

            def codegen(context, builder, signature, values):
                code = VectorBuilder(context, builder, dtype)
                operands = [
                    context.make_array(kind)(context, builder, value)
                    if isinstance(kind, types.Array)
                    else value
                    for kind, value in zip(signature.args, values, strict=True)
                ]
                emit(code, *operands)
                return context.get_dummy_value()

            return signature, codegen

        typer.__name__ = emit.__name__
        typer.__doc__ = emit.__doc__
        # numba matches call arguments by name, so the typer has the emitter's signature. The
        # emitter's first argument stands where numba expects its typing context.
        typer.__signature__ = inspect.signature(emit)  # type: ignore[attr-defined]
        return intrinsic(typer)

    return decorate


def _no_unrolling(module):
    """Return the metadata that keeps LLVM from unrolling a loop.

    Unrolled loops were 3% to 5% slower at 50 components, and took a quarter longer to compile.
    """
    flag = module.add_metadata([ir.MetaDataString(module, "llvm.loop.unroll.disable")])
    # llvmlite returns the same node for the same operands. LLVM wants it to begin with itself.
    node = module.add_metadata([flag, flag])
    node.operands = (node, flag)
    return node


class VectorBuilder:
    """The few LLVM phrases that emitters are written in, for vectors of one width and type."""

    def __init__(self, context, builder, dtype, vector_bytes=VECTOR_BYTES):
        self.context, self.b, self.dtype = context, builder, dtype
        self.scalar = context.get_value_type(dtype)
        self.itemsize = dtype.bitwidth // 8
        self.vector_bytes, self.lanes = vector_bytes, vector_bytes // self.itemsize
        self.vector = ir.VectorType(self.scalar, self.lanes)
        self.zeros = ir.Constant(self.vector, None)

    def widened(self):
        """Return a builder of vectors twice as wide: one instruction on AVX-512, else two."""
        return VectorBuilder(self.context, self.b, self.dtype, 2 * self.vector_bytes)

    def index(self, value):
        return ir.Constant(I64, value)

    def length(self, array, axis=0):
        return self.b.extract_value(array.shape, axis)

    def row(self, matrix, i):
        """Address of row i of a C-ordered matrix."""
        return self.b.gep(matrix.data, [self.b.mul(i, self.length(matrix, 1))])

    def at(self, pointer, offset):
        return self.b.gep(pointer, [offset])

    def entry(self, indices, p):
        """Return indices[p], of either index type, as an index."""
        j = self.b.load(self.at(indices.data, p))
        return j if j.type == I64 else self.b.sext(j, I64)

    def load(self, pointer):
        value = self.b.load(self.b.bitcast(pointer, self.vector.as_pointer()))
        value.align = self.itemsize  # rows need no alignment beyond the item's
        return value

    def store(self, value, pointer):
        instruction = self.b.store(value, self.b.bitcast(pointer, self.vector.as_pointer()))
        instruction.align = self.itemsize

    def stream(self, value, pointer):
        """Store past the cache (non-temporal); the pointer must be aligned to a vector."""
        instruction = self.b.store(value, self.b.bitcast(pointer, self.vector.as_pointer()))
        instruction.align = self.vector_bytes
        one = ir.Constant(ir.IntType(32), 1)
        instruction.set_metadata("nontemporal", self.b.module.add_metadata([one]))

    def prefetch(self, pointer, n_vectors, *, write=False):
        """Prefetch the cache lines of `n_vectors` vectors, to read them or to write to them."""
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        # The name ends in the type of the pointer, which LLVM now spells p0 for every pointee.
        call = self.b.module.declare_intrinsic("llvm.prefetch.p0", (), kind)
        address = self.b.bitcast(pointer, byte)
        what, keep, data = (ir.Constant(number, value) for value in (int(write), 3, 1))
        for line in range(0, n_vectors * self.lanes * self.itemsize, CACHE_LINE):
            self.b.call(call, [self.b.gep(address, [self.index(line)]), what, keep, data])

    def splat(self, scalar):
        """Return a vector with `scalar` in all lanes."""
        undefined = ir.Constant(self.vector, ir.Undefined)
        one = self.b.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.b.shuffle_vector(one, undefined, mask)

    def add_product(self, x, y, total):
        """Return total + x * y: one fused instruction where the machine has it."""
        product = self.b.fmul(x, y, flags=("contract",))
        return self.b.fadd(product, total, flags=("contract",))

    def logarithm(self, x):
        """Return the natural logarithm of positive, normal numbers, to an ulp or two.

        In double precision it is the C library's. In single precision, x = m 2^e with m about 1,
        and log(m) is a polynomial in m - 1 (S. L. Moshier's Cephes library, logf).
        """
        b = self.b
        if self.itemsize == 8:
            kind = ir.FunctionType(self.vector, [self.vector])
            return b.call(b.module.declare_intrinsic(f"llvm.log.v{self.lanes}f64", (), kind), [x])
        integers = ir.VectorType(ir.IntType(32), self.lanes)

        def all_lanes(value, kind):
            return ir.Constant(kind, [value] * self.lanes)

        def constant(value):
            return all_lanes(value, self.vector)

        bits = b.bitcast(x, integers)
        shift = all_lanes(23, integers)
        exponent = b.ashr(b.sub(bits, all_lanes(ROOT_HALF_BITS, integers)), shift)
        f = b.fsub(b.bitcast(b.sub(bits, b.shl(exponent, shift)), self.vector), constant(1.0))
        e, square = b.sitofp(exponent, self.vector), b.fmul(f, f)
        series = constant(LOGARITHM[0])
        for coefficient in LOGARITHM[1:]:
            series = self.add_product(series, f, constant(coefficient))
        tail = b.fmul(b.fmul(f, square), series)
        tail = self.add_product(e, constant(LOG_2_LOW), tail)
        tail = self.add_product(square, constant(-0.5), tail)
        return self.add_product(e, constant(LOG_2_HIGH), b.fadd(f, tail))

    @contextmanager
    def steps(self, start, stop, step=1):
        """Loop over start, start + step, ... below stop, without unrolling."""
        b, before = self.b, self.b.block
        loop, after = b.append_basic_block("steps"), b.append_basic_block("steps_end")
        b.cbranch(b.icmp_signed("<", start, stop), loop, after)
        b.position_at_end(loop)
        p = b.phi(I64)
        yield p
        following = b.add(p, self.index(step))
        p.add_incoming(start, before)
        p.add_incoming(following, b.block)
        again = b.cbranch(b.icmp_signed("<", following, stop), loop, after)
        again.set_metadata("llvm.loop", _no_unrolling(b.module))
        b.position_at_end(after)

    def offsets(self, start, stop):
        """Loop over the offsets of the vectors in [start, stop)."""
        return self.steps(start, stop, self.lanes)

    def accumulate(self, start, stop, totals, add, step=1):
        """Loop with totals in registers: `totals = add(p, totals)` at each step p; return them."""
        b, before = self.b, self.b.block
        with self.steps(start, stop, step) as p:
            running = [b.phi(total.type) for total in totals]
            added = add(p, running)
            loop_end = b.block
        results = [b.phi(total.type) for total in totals]
        for start_value, value, phi, result in zip(totals, added, running, results, strict=True):
            for place in (phi, result):
                place.add_incoming(start_value, before)
                place.add_incoming(value, loop_end)
        return results

    def transposed(self, rows):
        """Return the columns of a square of vectors: swap off-diagonal quarters, recursively."""
        number = ir.IntType(32)
        kind = ir.VectorType(number, self.lanes)
        half = self.lanes // 2
        while half:
            for upper in (q for q in range(self.lanes) if not q & half):
                lower = upper + half
                # Lanes of the first vector count from 0, of the second from `lanes` on.
                left = [
                    lane if not lane & half else self.lanes + lane - half
                    for lane in range(self.lanes)
                ]
                right = [
                    lane + half if not lane & half else self.lanes + lane
                    for lane in range(self.lanes)
                ]
                pair = rows[upper], rows[lower]
                rows[upper] = self.b.shuffle_vector(*pair, ir.Constant(kind, left))
                rows[lower] = self.b.shuffle_vector(*pair, ir.Constant(kind, right))
            half //= 2
        return rows
