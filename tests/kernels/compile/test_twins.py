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
    return jit.Kernel(module.add_rows, per_block=("sums",))


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


def test_an_array_whose_blocks_have_another_type_is_refused(folder, rows):
    """An unknown symbol would end the process."""
    sums = np.zeros((3, 2), order="F")
    with pytest.raises(TypingError, match="arguments of other types"):
        kernel_of(SOURCE)(2, rows, np.ones((9, 1)), sums)
