"""Machine code of vector primitives for other machines than this one, as LLVM makes it there."""

import re
from unittest import mock

import numba
from llvmlite import binding
from numba.core import config

from sparsenmf.kernels.compile import jit

binding.initialize_all_targets()
binding.initialize_all_asmprinters()


def llvm_code(primitive, *args):
    """Return the LLVM code of a primitive for arguments of these types, before optimisation."""

    def call(*args):
        primitive(*args)

    kinds = numba.types.StarArgTuple.from_types([numba.typeof(arg) for arg in args])
    run = numba.njit(**jit.OPTIONS)(call)
    with mock.patch.object(config, "OPT", 0):
        run.compile((kinds,))
    (code,) = run.inspect_llvm().values()
    return code


def assembly(code, triple, cpu):
    """Return the assembly of LLVM code for another machine, optimised as numba does.

    A RuntimeError says that this build of LLVM does not know the machine.
    """
    machine = binding.Target.from_triple(triple).create_target_machine(cpu=cpu, opt=3)
    code = re.sub("target triple = .*", f'target triple = "{triple}"', code)
    code = re.sub("target datalayout = .*", f'target datalayout = "{machine.target_data}"', code)
    module = binding.parse_assembly(code)
    tuning = binding.create_pipeline_tuning_options(speed_level=3)
    tuning.loop_vectorization, tuning.slp_vectorization = True, False
    builder = binding.create_pass_builder(machine, tuning)
    builder.getModulePassManager().run(module, builder)
    return machine.emit_assembly(module)


def inner_loops(assembly):
    """Return the instructions of each loop that has no other in it."""
    loops = []
    for part in re.split(r"^(?=\.L\w+:)", assembly, flags=re.MULTILINE):
        label, _, text = part.partition(":")
        lines = [line.strip() for line in text.splitlines() if re.match(r"\t[a-z]", line)]
        ends = [n for n, line in enumerate(lines, 1) if line.split()[-1] == label]
        if ends:
            loops.append(lines[: ends[-1]])
    return loops


def products(loop):
    """Return the fused multiply-adds among instructions."""
    return [line for line in loop if re.match(r"fml[as]\t|vfn?m(add|sub)", line)]


def spills(loop):
    """Return the instructions that read from or write to the stack."""
    return [line for line in loop if re.search(r"\[sp\b|\(%rsp\b", line)]
