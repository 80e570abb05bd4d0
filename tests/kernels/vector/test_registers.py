"""The sums of inner loops lie in registers: seen in machine code, for other machines too."""

import numba
import numpy as np
import pytest

from sparsenmf.kernels.vector import gather, rows, short_rows, strips, tiles

from ...tools import machine_code
from ..sides import DTYPES

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


@pytest.fixture(autouse=True)
def registers(monkeypatch):
    """Emit code for registers of 32 bytes, as on all of these machines, whatever this one has."""
    for module in (rows, short_rows, tiles):
        monkeypatch.setattr(module, "REGISTER_BYTES", 32)


def inner_loops(name, dtype, machines):
    """Return the inner loops of a primitive that multiply, by machine."""
    primitive, args = PRIMITIVES[name]
    code = machine_code.llvm_code(
        primitive, *(arg(dtype) if callable(arg) else arg for arg in args)
    )
    try:
        made = {
            machine: machine_code.assembly(code, MACHINES[machine], machine) for machine in machines
        }
    except RuntimeError as error:
        pytest.skip(f"this build of LLVM is for fewer machines: {error}")
    return {
        machine: [loop for loop in machine_code.inner_loops(text) if machine_code.products(loop)]
        for machine, text in made.items()
    }


@DTYPES
@pytest.mark.parametrize("name", PRIMITIVES)
def test_inner_loops_do_not_spill(name, dtype):
    for machine, loops in inner_loops(name, dtype, MACHINES).items():
        assert loops, machine
        assert not [line for loop in loops for line in machine_code.spills(loop)], machine


def test_more_sums_than_registers_are_seen_to_spill(monkeypatch):
    monkeypatch.setattr(rows, "GRAM_SUMS", 16)
    for machine, loops in inner_loops("add_gram", np.float32, MACHINES).items():
        assert [line for loop in loops for line in machine_code.spills(loop)], machine
