"""The sums of inner loops lie in registers: seen in machine code, for other machines too."""

import json

import numba
import numpy as np
import pytest

from sparsenmf.kernels.vector import gather, rows, short_rows, strips, tiles

from ...children import TIMEOUT, run_child
from ...tools import machine_code

pytestmark = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="there is no machine code")

MACHINES = {
    "neoverse-n1": "aarch64-linux-gnu",  # Graviton 2
    "apple-m1": "aarch64-linux-gnu",
    "haswell": "x86_64-linux-gnu",  # the first with AVX2
}


def number(dtype):
    return dtype(0)


def line(dtype):
    return np.zeros(8, dtype)


def matrix(dtype):
    return np.zeros((8, 8), dtype)


INDICES = np.zeros(8, np.int32)

PRIMITIVES = {
    "gather_rows": (gather.gather_rows, (line, line, INDICES, 0, 5, matrix)),
    "scatter_row": (gather.scatter_row, (matrix, line, INDICES, 0, 5, matrix, 1)),
    "dot_rows": (gather.dot_rows, (line, line, INDICES, 0, 5, matrix)),
    "add_gram": (rows.add_gram, (matrix, 0, 5, np.zeros((8, 8)))),
    "descend_tile": (tiles.descend_tile, (*[matrix] * 3, line, 3, 4, number, matrix)),
    "measure_tile": (tiles.measure_tile, (*[matrix] * 3, line, 3, matrix)),
    "move_and_fit": (strips.move_and_fit, (line, matrix, 1, number, 2, line, line, line)),
    "fit_columns": (short_rows.fit_columns, (matrix, matrix, 1, line, 2, matrix, 8)),
}


def inner_loops(name, dtype):
    """Return the inner loops of a primitive that multiply, by machine."""
    primitive, args = PRIMITIVES[name]
    code = machine_code.llvm_code(
        primitive, *(arg(dtype) if callable(arg) else arg for arg in args)
    )
    made = {cpu: machine_code.assembly(code, triple, cpu) for cpu, triple in MACHINES.items()}
    return {
        cpu: [loop for loop in machine_code.inner_loops(text) if machine_code.products(loop)]
        for cpu, text in made.items()
    }


def child_count(sums):
    """Print the number of loops and of spills by machine, for each primitive and type, as JSON.

    Code is emitted for registers of 32 bytes, as all of these machines have, whatever this one has.
    """
    for module in (rows, short_rows, tiles):
        module.REGISTER_BYTES = 32
    if sums != rows.GRAM_SUMS:
        rows.GRAM_SUMS, names = sums, ["add_gram"]
    else:
        names = list(PRIMITIVES)
    found = {}
    try:
        for name in names:
            for dtype in (np.float32, np.float64):
                found[f"{name} {dtype.__name__}"] = {
                    cpu: [len(loops), sum(len(machine_code.spills(loop)) for loop in loops)]
                    for cpu, loops in inner_loops(name, dtype).items()
                }
    except RuntimeError as error:  # this build of LLVM is for fewer machines
        found = str(error)
    print(json.dumps(found))


def count(sums):
    """Count in a process of its own, in which nothing was emitted for this machine's registers."""
    found = json.loads(run_child(child_count, sums, timeout=5 * TIMEOUT))
    if isinstance(found, str):
        pytest.skip(f"this build of LLVM makes no code for ARM or Haswell: {found}")
    return found


def test_inner_loops_do_not_spill():
    found = count(rows.GRAM_SUMS)
    assert len(found) == 2 * len(PRIMITIVES)
    for name, machines in found.items():
        for cpu, (n_loops, n_spills) in machines.items():
            assert (n_loops > 0, n_spills) == (True, 0), (name, cpu)


def test_more_sums_than_registers_are_seen_to_spill():
    for name, machines in count(16).items():
        assert all(n_spills for _, n_spills in machines.values()), name
