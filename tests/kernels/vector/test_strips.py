"""Strips of gathered components, compiled, against their Python reference."""

import numpy as np
import pytest

from sparsenmf.data.factors import pad_factor
from sparsenmf.kernels.vector import gather, short_rows, strips, tiles

from ..sides import DTYPES, TOLERANCE, WIDTHS
from .compiling import compiled


@DTYPES
@WIDTHS
@pytest.mark.parametrize("nnz", [1, 7, 8, 40])
def test_gathered_strips_and_products(rng, dtype, n_components, nnz):
    other = pad_factor(rng.random((50, n_components)), dtype)
    row = pad_factor(rng.random((1, n_components)), dtype)[0]
    indices = rng.integers(0, 50, nnz + 6).astype(np.int32)
    n = -(-nnz // 8) * 8
    found = np.full((other.shape[1], n), np.nan, dtype)
    compiled(strips.gather_strips)(found, 0, indices, 3, 3 + nnz, other)
    np.testing.assert_array_equal(found[:, :nnz], other[indices[3 : 3 + nnz]].T)
    assert not found[:, nnz:].any()
    products = np.full(n, np.nan, dtype)
    compiled(gather.dot_rows)(products, row, indices, 3, 3 + nnz, other)
    np.testing.assert_allclose(products[:nnz], row @ found[:, :nnz], rtol=TOLERANCE[dtype])
    assert (products[nnz:] == 1).all()
    again = np.full(n, np.nan, dtype)
    gather._dot_rows(again, row, indices, 3, 3 + nnz, other)
    np.testing.assert_allclose(again, products, rtol=TOLERANCE[dtype])


@DTYPES
def test_move_and_sum(rng, dtype):
    tile, x, y = rng.random((3, 16)).astype(dtype), rng.random(16), rng.random(16)
    x[11:], y[11:], tile[:, 11:] = 0, 1, 0
    x[3:5] = np.finfo(dtype).smallest_subnormal  # whose floor is zero, as their y
    y[3:5], tile[2, 3:5], tile[0, 4] = 0, 0, 0
    x, y = x.astype(dtype), y.astype(dtype)
    step = dtype(-0.9)  # some y fall below the floor
    expected = np.maximum(y + step * tile[2], strips.FLOOR * x)
    steep = strips.STEEP[y.itemsize]
    ratio = np.full(16, steep)
    ratio[expected > 0] = np.minimum(tile[0, expected > 0] / expected[expected > 0], steep)
    wide = x.astype(float) * ratio
    for call in (compiled(strips.move_and_sum), strips._move_and_sum):
        moved, sums = y.copy(), np.empty(2, dtype)
        call(sums, tile, 2, step, 0, x, moved)
        np.testing.assert_allclose(moved, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
        np.testing.assert_allclose(sums, [wide.sum(), (wide * ratio).sum()], rtol=1e-3)
        assert (moved[:3] > 0).all()


@DTYPES
def test_smallest_positive(rng, dtype):
    x = rng.random(32).astype(dtype)
    x[[3, 30]] = 0
    empty, zeros = np.zeros(0, dtype), np.zeros(8, dtype)
    for numbers, expected in [(x, x[x > 0].min()), (zeros, np.inf), (empty, np.inf)]:
        for call in (compiled(strips.smallest_positive), strips._smallest_positive):
            total = np.full(2, np.nan, dtype)
            call(total, numbers)
            assert total[0] == expected


@DTYPES
def test_logarithms_are_exact_over_the_whole_range(dtype):
    x = np.full(4096, 3.0, dtype)
    x[4000:] = 0
    ratios = np.concatenate([np.logspace(-30, 9, 3000), np.linspace(0.99, 1.01, 1096)])
    y = (3 / ratios).astype(dtype)
    call = compiled(strips.sum_log_ratios)
    total = np.empty(1, dtype)
    for start in range(0, 4096, 8):
        part = slice(start, start + 8)
        call(total, x[part], y[part])
        ratio = x[part].astype(float) / y[part].astype(float)
        terms = x[part] * np.log(np.where(x[part] > 0, ratio, 1))
        eps = np.finfo(dtype).eps
        assert total[0] == pytest.approx(terms.sum(), abs=8 * eps * (np.abs(terms).sum() + 24))


@DTYPES
@pytest.mark.parametrize("height", [1, 3, 4, 5, 7, 8, 9, 13])
def test_gathered_columns_of_short_rows(rng, dtype, height):
    """Try many numbers of components: the last vector is usually a partial one."""
    n_lanes = tiles.tile_rows(dtype)
    other = pad_factor(rng.random((30, height)), dtype)
    lengths = rng.integers(0, 6, 40)
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    indices = rng.integers(30, size=indptr[-1] + 1).astype(np.int32)
    chosen = rng.integers(-1, 40, n_lanes)
    size = max(int(lengths[chosen].max()), 1) * n_lanes
    strips, again = np.full((2, height, size), np.nan, dtype)
    arguments = chosen, indices, indptr.astype(np.int64), other
    compiled(short_rows.gather_columns)(strips, *arguments)
    short_rows._gather_columns(again, *arguments)
    np.testing.assert_array_equal(strips, again)
    for t, i in enumerate(chosen):
        for p in range(lengths[i] if i >= 0 else 0):
            np.testing.assert_array_equal(
                strips[:, p * n_lanes + t], other[indices[indptr[i] + p], :height]
            )
