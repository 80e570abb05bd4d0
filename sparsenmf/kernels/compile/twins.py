"""The parallel twin of a kernel: a loop over blocks that calls the serial twin.

numba optimises the body of a parallel loop four times, and makes machine code of it four times: of
the body, of two wrappers around it, and of the function that launches the threads, each of which
contains the one before. So the loop made here has nearly no body, and no variables but a pointer to
the arguments. It calls the serial twin, which is compiled once, by a name that the linker resolves.
Both twins run the same machine code.
"""

import functools
import hashlib
import inspect

import llvmlite.binding
from numba import prange, types
from numba.core import cgutils
from numba.core.compiler_lock import global_compiler_lock
from numba.core.errors import TypingError
from numba.extending import intrinsic

TWIN = """
def {name}({arguments}):
    packed = pack(({arguments},))
    for block in prange({n_blocks}):
        call_serial(packed, block)
"""


def loop_over_blocks(body, per_block, serial):
    """Return a function that calls the serial twin for each block, in a parallel loop.

    Parameters
    ----------
    body : function
    per_block : sequence of int
        Positions of the arguments that have an entry for each block: C-ordered arrays, or `rows`,
        a `Rows`, which has its blocks. Those after the first may have none at all.
    serial : Dispatcher
        The serial twin.
    """
    names = list(inspect.signature(body).parameters)
    first = names[per_block[0]]
    n_blocks = f"{first}.blocks.shape[0]" if first == "rows" else f"{first}.shape[0]"
    source = TWIN.format(name=body.__name__, arguments=", ".join(names), n_blocks=n_blocks)
    scope = {"prange": prange, "pack": _pack, "call_serial": _emit_call(serial, per_block)}
    scope["__name__"] = body.__module__
    exec(compile(source, body.__code__.co_filename, "exec"), scope)
    scope[body.__name__].__doc__ = body.__doc__
    return scope[body.__name__]


def link_to_serial(parallel, serial):
    """Let a parallel twin have its serial twin compiled or loaded, and bound, before itself."""
    compile_parallel = parallel.compile

    def compile_both(signature):
        with global_compiler_lock:
            serial.compile(signature)
            compiled = serial.overloads[tuple(signature)]
            address = compiled.library.get_pointer_to_function(compiled.fndesc.mangled_name)
            llvmlite.binding.add_symbol(_symbol(serial, tuple(signature)), address)
            return compile_parallel(signature)

    parallel.compile = compile_both


def _symbol(serial, arguments):
    """Return the name by which the linker finds the serial twin for arguments of these types."""
    return f"sparsenmf.{serial.__name__}.{hashlib.sha256(str(arguments).encode()).hexdigest()}"


@intrinsic
def _pack(typing, arguments):
    """Store a tuple in the frame of the caller, and return a pointer to it."""

    def emit(context, builder, signature, values):
        place = cgutils.alloca_once_value(builder, values[0])
        return builder.bitcast(place, context.get_value_type(signature.return_type))

    return types.CPointer(arguments)(arguments), emit


def _emit_call(serial, per_block):
    """Return a function of numba's that calls the serial twin for one block."""

    @intrinsic
    def call_serial(typing, packed, block):
        kinds = tuple(packed.dtype)
        # A name that nobody has bound would end the process.
        if kinds not in serial.overloads:
            raise TypingError(f"{serial.__name__} is not compiled for arguments of these types")
        if any(getattr(kinds[place], "layout", "C") != "C" for place in per_block):
            raise TypingError(f"{serial.__name__} takes blocks of C-ordered arrays alone")
        return types.none(packed, block), emit

    def emit(context, builder, signature, values):
        packed, (pointer, block) = signature.args[0].dtype, values
        stored = context.get_value_type(packed).as_pointer()
        parts = cgutils.unpack_tuple(builder, builder.load(builder.bitcast(pointer, stored)))
        kinds = tuple(packed)
        kind = context.call_conv.get_function_type(types.none, kinds)
        function = cgutils.get_or_insert_function(builder.module, kind, _symbol(serial, kinds))
        for place in per_block:
            parts[place] = _take(context, builder, kinds[place], parts[place], block)
        status, _ = context.call_conv.call_function(builder, function, types.none, kinds, parts)
        with cgutils.if_unlikely(builder, status.is_error):
            context.call_conv.return_status_propagate(builder, status)
        return context.get_dummy_value()

    return call_serial


def _take(context, builder, kind, value, block):
    """Emit value[block : block + 1] of an array, or of the blocks of a `Rows`."""
    if isinstance(kind, types.NamedTuple):
        place = kind.fields.index("blocks")
        blocks = cgutils.unpack_tuple(builder, value)[place]
        blocks = _take(context, builder, kind.types[place], blocks, block)
        return builder.insert_value(value, blocks, place)
    array = context.make_array(kind)(context, builder, value)
    shape = cgutils.unpack_tuple(builder, array.shape)
    start = builder.mul(block, cgutils.unpack_tuple(builder, array.strides)[0])
    array.data = cgutils.pointer_add(builder, array.data, start)
    none = cgutils.is_null(builder, shape[0])
    shape[0] = builder.select(none, shape[0], shape[0].type(1))
    array.shape = cgutils.pack_array(builder, shape)
    array.nitems = functools.reduce(builder.mul, shape)
    return array._getvalue()
