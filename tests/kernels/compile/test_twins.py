"""The parallel twin of a kernel over rows calls the serial one, block by block."""

import os
import types

import numpy as np
import pytest
import scipy.sparse as sp
from numba.core.errors import TypingError

from sparsenmf.data.rows import Rows
from sparsenmf.kernels.compile import cache, jit

pytestmark = pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT", "0") != "0", reason="nothing is compiled"
)

SOURCE = """
from numba import prange

def add_rows(rows, factor, sums):
    for block in prange(rows.blocks.shape[0]):
        sums[block, 0] = rows.blocks.shape[0]
        for i in range(rows.blocks[block, 0], rows.blocks[block, 1]):
            for p in range(rows.indptr[i], rows.indptr[i + 1]):
                sums[block, 1] += 2.0 * rows.data[p] * factor[i, 0]
"""


def kernel_of(text):
    module = types.ModuleType("sources_of_a_test")
    exec(text, vars(module))
    return jit.Kernel(module.add_rows, per_block=("rows", "sums"))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "cache_folder", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def rows():
    X = sp.random_array((9, 7), density=0.6, rng=0, format="csr")
    blocks = np.array([[0, 2], [2, 3], [3, 9]])
    return Rows(X.data, X.indices, X.indptr.astype(np.int64), blocks, X.data[:0], 1.0)


def expected(rows, factor, multiple):
    sums = multiple * rows.sums() * factor[:, 0]
    return [sums[first:last].sum() for first, last in rows.blocks]


def test_a_parallel_twin_runs_the_serial_twin_for_each_block(folder, rows):
    """The serial twin, which has one signature, sees one block at a time."""
    kernel, factor = kernel_of(SOURCE), np.arange(1.0, 10.0)[:, None]
    sums = np.zeros((3, 2))
    kernel(2, rows, factor, sums)
    assert sums[:, 0].tolist() == [1, 1, 1]
    assert sums[:, 1] == pytest.approx(expected(rows, factor, 2.0))
    assert kernel._parallel.signatures == kernel._serial.signatures
    alone = np.zeros((3, 2))
    kernel(1, rows, factor, alone)
    assert alone[:, 0].tolist() == [3, 3, 3]
    assert alone[:, 1].tobytes() == sums[:, 1].tobytes()


def test_both_twins_are_loaded_and_each_calls_its_own(folder, rows):
    """Kernels of one name have the same symbol: that of an earlier one must not be called."""
    factor, hits = np.arange(1.0, 10.0)[:, None], []
    for multiple in ("2.0", "3.0", "2.0", "3.0"):
        kernel, sums = kernel_of(SOURCE.replace("2.0", multiple)), np.zeros((3, 2))
        kernel(2, rows, factor, sums)
        assert sums[:, 1] == pytest.approx(expected(rows, factor, float(multiple)))
        twins = kernel._serial, kernel._parallel
        hits.append([twin.stats.cache_hits.total() for twin in twins])
    assert hits == [[0, 0], [0, 0], [1, 1], [1, 1]]


def test_other_types_get_twins_of_their_own(folder, rows):
    kernel, factor = kernel_of(SOURCE), np.arange(1.0, 10.0)[:, None]
    for dtype in (np.float32, np.float64):
        sums = np.zeros((3, 2), dtype)
        kernel(2, rows, factor.astype(dtype), sums)
        assert sums[:, 1] == pytest.approx(expected(rows, factor, 2.0), rel=1e-5)
    assert len(kernel._parallel.signatures) == len(kernel._serial.signatures) == 2


def test_blocks_of_arrays_in_another_order_are_refused(folder, rows):
    """Compiled code knows the place of an entry in Fortran's order by the number of rows."""
    sums = np.zeros((3, 2), order="F")
    with pytest.raises(TypingError, match="C-ordered"):
        kernel_of(SOURCE)(2, rows, np.ones((9, 1)), sums)


def test_blocks_of_any_arrays_are_taken_one_at_a_time(folder):
    """Of one axis to three, with arrays that have no entries, and tuples in tuples."""
    source = """
from numba import prange

def count(blocks, nested, flat, deep, none):
    for block in prange(blocks.shape[0]):
        (factor, fade), shift = nested
        flat[block] = blocks.shape[0] + 10 * flat.size + 100 * deep.size + 1000 * none.size
        for i in range(blocks[block, 0], blocks[block, 1]):
            deep[block, 1, 1] += fade * factor[i, 1] + shift
"""
    module = types.ModuleType("sources_of_a_test")
    exec(source, vars(module))
    kernel = jit.Kernel(module.count, per_block=("blocks", "flat", "deep", "none"))
    blocks, factor = np.array([[0, 2], [2, 2], [2, 5]]), np.arange(10.0).reshape(5, 2)
    flat, deep = np.zeros(3), np.zeros((3, 2, 2))
    kernel(2, blocks, ((factor, 2.0), 0.5), flat, deep, np.zeros((0, 4)))
    assert flat.tolist() == [411.0] * 3
    assert deep[:, 1, 1].tolist() == [9.0, 0.0, 43.5]
    assert np.count_nonzero(deep) == 2


def test_no_blocks_are_no_call(folder, rows):
    kernel_of(SOURCE)(2, rows._replace(blocks=rows.blocks[:0]), np.ones((9, 1)), np.zeros((0, 2)))
