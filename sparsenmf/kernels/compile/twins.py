"""The parallel twin of a large kernel: a loop over blocks that calls the serial twin.

numba optimises the body of a parallel loop four times, and makes machine code of it four times: of
the body, of two wrappers around it, and of the function that launches the threads, each of which
contains the one before. So the loop made here has nearly no body. It calls the serial twin, which
is compiled once, by a name that the linker resolves. Both twins run the same machine code.
"""

import hashlib
import inspect

import llvmlite.binding
from numba import prange, types
from numba.core import cgutils
from numba.core.compiler_lock import global_compiler_lock
from numba.core.errors import TypingError
from numba.extending import intrinsic

from ...data.rows import Rows

TWIN = """
def {name}({arguments}):
    for block in prange(rows.blocks.shape[0]):
        call_serial(({parts}))
"""

BLOCK_OF_ROWS = (
    "Rows(rows.data, rows.indices, rows.indptr, rows.blocks[block : block + 1], "
    "rows.weights, rows.absent)"
)


def loop_over_blocks(body, per_block, serial):
    """Return a function that calls the serial twin for each block, in a parallel loop.

    Parameters
    ----------
    body : function
        Its first argument is `rows`, a `Rows`.
    per_block : sequence of str
        Its other arguments that have an entry for each block, or none at all.
    serial : Dispatcher
        The serial twin.
    """
    names = list(inspect.signature(body).parameters)
    parts = [f"{name}[block : block + 1]" if name in per_block else name for name in names]
    parts[0] = BLOCK_OF_ROWS
    source = TWIN.format(name=body.__name__, arguments=", ".join(names), parts=", ".join(parts))
    scope = {"prange": prange, "Rows": Rows, "call_serial": _emit_call(serial)}
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


def _emit_call(serial):
    """Return a function of numba's that calls the serial twin with a tuple of arguments."""

    @intrinsic
    def call_serial(typing, arguments):
        # A name that nobody has bound would end the process.
        if tuple(arguments) not in serial.overloads:
            raise TypingError(f"a block of {serial.__name__} has arguments of other types")
        return types.none(arguments), emit

    def emit(context, builder, signature, values):
        kinds = tuple(signature.args[0])
        kind = context.call_conv.get_function_type(types.none, kinds)
        function = cgutils.get_or_insert_function(builder.module, kind, _symbol(serial, kinds))
        parts = cgutils.unpack_tuple(builder, values[0])
        status, _ = context.call_conv.call_function(builder, function, types.none, kinds, parts)
        with cgutils.if_unlikely(builder, status.is_error):
            context.call_conv.return_status_propagate(builder, status)
        return context.get_dummy_value()

    return call_serial
