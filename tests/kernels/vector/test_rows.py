"""Primitives on whole rows, compiled, against their Python reference."""

import numba
import numpy as np
import pytest

from sparsenmf.data.factors import pad_factor
from sparsenmf.kernels.vector import gather, vector_code
from sparsenmf.kernels.vector import rows as simd

from ..sides import DTYPES, TOLERANCE, WIDTHS
from .compiling import compiled


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="there is no machine code")
def test_loops_are_not_unrolled(rng):
    copy_rows, gather_rows = simd.copy_rows, gather.gather_rows

    # Compile them here, so that each has one signature whatever other tests have compiled.
    @numba.njit
    def add(total, data, indices, other):
        gather_rows(total, data, indices, 0, 5, other)

    @numba.njit
    def copy(target):  # sixteen vectors, as LLVM can tell
        copy_rows(target, 0, np.empty((8, 8)), 0, 8)

    add(np.empty(104), rng.random(5), np.arange(5), rng.random((5, 104)))
    copy(np.empty((9, 8)))
    # One for each vector of the widest panel; and in each step of a copy one, beside what
    # comes before and after the loop.
    for call, instruction, most in ((add, "vfmadd", vector_code.PANEL), (copy, "vmovup", 15)):
        (assembly,) = call.inspect_asm().values()
        if instruction not in assembly:
            pytest.skip("not x86 with AVX2: other instructions")
        assert max(part.count(instruction) for part in assembly.split("\n.LBB")) <= most


@DTYPES
def test_clear_gram_clears_all_of_it(dtype):
    for clear in (compiled(simd.clear_gram), simd._clear_gram):
        around = np.full((5, 8, 8), np.nan, dtype)
        clear(around[2])
        assert (around[2] == 0).all()
        assert np.isnan(around[[0, 1, 3, 4]]).all()


@DTYPES
@WIDTHS
def test_add_gram_equals_its_reference(rng, dtype, n_components):
    rows = pad_factor(rng.random((50, n_components)), dtype)
    width = rows.shape[1]
    total, again = np.ones((2, width, width))
    compiled(simd.add_gram)(rows, 3, 47, total)
    simd._add_gram(rows, 3, 47, again)
    wide = rows[3:47].astype(float)
    for result in (total, again):
        np.testing.assert_allclose(
            np.triu(result), np.triu(1 + wide.T @ wide), rtol=TOLERANCE[dtype]
        )


@DTYPES
@pytest.mark.parametrize("is_far", [False, True])
@pytest.mark.parametrize("shift", [0, 1])
def test_stream_rows_writes_only_the_given_rows(rng, dtype, is_far, shift):
    """Try plain and non-temporal stores, to addresses that are aligned and that are not."""
    itemsize = np.dtype(dtype).itemsize
    width = 3 * vector_code.lanes(itemsize)
    n_rows = 12 if not is_far else -(-simd.FAR // (width * itemsize))
    room = np.zeros(n_rows * width + 16, dtype)
    start = (-room.ctypes.data % 64) // itemsize + shift
    target = room[start : start + n_rows * width].reshape(n_rows, width)
    source, again = rng.random((6, width)).astype(dtype), np.zeros((12, width), dtype)
    compiled(simd.stream_rows)(target, 4, source, 5)
    simd._stream_rows(again, 4, source, 5)
    np.testing.assert_array_equal(target[:12], again)
    assert np.count_nonzero(room) == np.count_nonzero(source[:5])
    np.testing.assert_array_equal(target[4:9], source[:5])
    compiled(simd.stream_rows)(target, 0, source, 0)
    np.testing.assert_array_equal(target[:12], again)


@pytest.mark.parametrize("n_rows", [7, simd.FAR // 64])
def test_prefetch_and_fence_change_nothing(rng, n_rows):
    factor = rng.random((n_rows, 8))
    before = factor.copy()
    for start, n in ((0, 7), (n_rows - 2, 32), (n_rows, 32), (3, 0)):  # some are not there
        compiled(simd.prefetch_rows)(factor, start, n)
        simd._prefetch_rows(factor, start, n)
    compiled(simd.fence)(factor)
    simd._fence(factor)
    np.testing.assert_array_equal(factor, before)


@DTYPES
def test_copy_rows_copies_only_the_given_rows(rng, dtype):
    source = pad_factor(rng.random((9, 20)), dtype)
    target, again = np.zeros((2, 12, source.shape[1]), dtype)
    compiled(simd.copy_rows)(target, 4, source, 2, 5)
    simd._copy_rows(again, 4, source, 2, 5)
    np.testing.assert_array_equal(target[4:9], source[2:7])
    assert not target[:4].any()
    assert not target[9:].any()
    np.testing.assert_array_equal(again, target)


@DTYPES
@pytest.mark.parametrize("n", [0, 1, 8, 13, 24])
def test_rows_are_loaded_and_copied_whole(rng, dtype, n):
    data = rng.random(40).astype(dtype)
    for load in (compiled(simd.load_row), simd._load_row):
        x = np.full(34, np.nan, dtype)
        load(x[1:33], data, 5, 5 + n)
        np.testing.assert_array_equal(x[1 : n + 1], data[5 : 5 + n])
        assert (x[n + 1 : 33] == 0).all()
        assert np.isnan(x[[0, 33]]).all()
    for copy in (compiled(simd.copy_values), simd._copy_values):
        target = np.full(34, np.nan, dtype)
        copy(target[1:33], x[1:33])
        np.testing.assert_array_equal(target, x)
