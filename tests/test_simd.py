"""Each vector primitive, compiled, against its Python meaning (which runs with the JIT off)."""

import numba
import numpy as np
import pytest

from sparsenmf.kernels import jit, short_rows, simd, strips, tiles, vector_code
from sparsenmf.rows import pad_factor, padded_width

from . import reference

# Rounding of a sum of n products: n * eps in the worst case, sqrt(n) * eps as a rule.
TOLERANCE = {np.float32: 2e-5, np.float64: 1e-12}
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
WIDTHS = pytest.mark.parametrize("n_components", [1, 3, 8, 20, 50, 65, 130])


def compiled(primitive, n_arguments):
    """The LLVM code behind a primitive, as a function that Python can call."""
    names = ", ".join("abcdefgh"[:n_arguments])
    scope = {"primitive": primitive}
    exec(f"def call({names}):\n    primitive({names})", scope)
    return numba.njit(**jit.OPTIONS)(scope["call"])


@DTYPES
@pytest.mark.parametrize("nnz", [0, 1, 2, 7, 40])
@WIDTHS
def test_gather_rows_equals_its_meaning(rng, dtype, nnz, n_components):
    other = pad_factor(rng.random((30, n_components)), dtype)
    data, indices = rng.random(nnz + 3).astype(dtype), rng.integers(30, size=nnz + 3)
    total = np.full(other.shape[1], np.nan, dtype)
    for kind in (np.int32, np.int64):
        compiled(simd.gather_rows, 6)(total, data, indices.astype(kind), 2, 2 + nnz, other)
        expected = data[2 : 2 + nnz].astype(float) @ other[indices[2 : 2 + nnz]]
        np.testing.assert_allclose(total, expected, rtol=TOLERANCE[dtype])
    again = np.full_like(total, np.nan)
    simd._gather_rows(again, data, indices, 2, 2 + nnz, other)
    np.testing.assert_allclose(again, total, rtol=TOLERANCE[dtype])


@DTYPES
def test_panels_cover_rows_of_every_width(rng, dtype):
    data, indices = rng.random(9).astype(dtype), rng.integers(30, size=9).astype(np.int32)
    gather, scatter = compiled(simd.gather_rows, 6), compiled(simd.scatter_row, 7)
    for n_vectors in range(1, 2 * vector_code.PANEL + 3):
        width = n_vectors * vector_code.lanes(np.dtype(dtype).itemsize)
        other, total = rng.random((30, width)).astype(dtype), np.full(width, np.nan, dtype)
        gather(total, data, indices, 0, 9, other)
        np.testing.assert_allclose(total, data @ other[indices], rtol=TOLERANCE[dtype])
        sums, expected = np.ones((2, 30, width), dtype)
        scatter(sums, data, indices, 0, 9, other, 4)
        np.add.at(expected, indices, np.outer(data, other[4]))
        np.testing.assert_allclose(sums, expected, rtol=TOLERANCE[dtype])


@DTYPES
@WIDTHS
def test_add_gram_equals_its_meaning(rng, dtype, n_components):
    rows = pad_factor(rng.random((50, n_components)), dtype)
    width = rows.shape[1]
    total, again = np.ones((2, width, width))
    compiled(simd.add_gram, 4)(rows, 3, 47, total)
    simd._add_gram(rows, 3, 47, again)
    wide = rows[3:47].astype(float)
    for result in (total, again):
        np.testing.assert_allclose(
            np.triu(result), np.triu(1 + wide.T @ wide), rtol=TOLERANCE[dtype]
        )


@DTYPES
def test_copy_rows_copies_just_these(rng, dtype):
    source = pad_factor(rng.random((9, 20)), dtype)
    target, again = np.zeros((2, 12, source.shape[1]), dtype)
    compiled(simd.copy_rows, 5)(target, 4, source, 2, 5)
    simd._copy_rows(again, 4, source, 2, 5)
    np.testing.assert_array_equal(target[4:9], source[2:7])
    assert not target[:4].any()
    assert not target[9:].any()
    np.testing.assert_array_equal(again, target)


@DTYPES
def test_extrapolate_moves_just_these_rows(rng, dtype):
    current, previous = (pad_factor(rng.random((9, 20)), dtype) for _ in range(2))
    expected, again = previous.copy(), previous.copy()
    simd._extrapolate(expected, current, 2, 7, dtype(0.8))
    compiled(simd.extrapolate, 5)(again, current, 2, 7, dtype(0.8))
    np.testing.assert_allclose(again, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
    assert (expected[2:7] == 0).any()
    np.testing.assert_array_equal(again[[0, 1, 7, 8]], previous[[0, 1, 7, 8]])


@DTYPES
@pytest.mark.parametrize("n_components", [3, 8, 20])
def test_transpose_equals_its_meaning(rng, dtype, n_components):
    n_tile, width = tiles.tile_rows(dtype), padded_width(n_components, dtype)
    source = rng.random((n_tile, width)).astype(dtype)
    target, again = np.zeros((2, width, n_tile), dtype)
    compiled(tiles.transpose, 3)(target, source, dtype(-0.5))
    tiles._transpose(again, source, dtype(-0.5))
    np.testing.assert_array_equal(target, source.T - dtype(0.5))
    np.testing.assert_array_equal(again, target)


@DTYPES
@pytest.mark.parametrize("depth", [4, 20, 52])
@pytest.mark.parametrize("primitive", ["sweep_tile", "measure_tile"])
def test_sweep_of_a_tile_equals_reference(rng, dtype, depth, primitive):
    n_tile, width = tiles.tile_rows(dtype), padded_width(depth, dtype)
    other = rng.random((90, depth)) * (rng.random((90, depth)) < 0.5)
    other[:, 2] = 0  # the diagonal vanishes: this coordinate stays
    gram = other.T @ other
    inverse = np.divide(1, np.diag(gram), out=np.zeros(depth), where=np.diag(gram) > 0)
    tile = rng.random((width, n_tile)) * (rng.random((width, n_tile)) < 0.5)
    cross = rng.normal(size=(width, n_tile)) * depth
    active = np.arange(n_tile) % 3 > 0
    moved, change, objective = reference.sweep_tile(tile[:depth], cross[:depth], gram, active)
    if primitive == "measure_tile":
        moved = tile[:depth]
        objective = (0.5 * moved * (gram @ moved) - cross[:depth] * moved).sum(axis=0)
        change = reference.sweep_tile(moved, cross[:depth], gram, active, move=False)[1]
    function = getattr(tiles, primitive)
    for run in (compiled(function, 7), getattr(tiles, f"_{primitive}")):
        result = tile.astype(dtype)
        sums = np.full((2, n_tile), np.nan, dtype)
        arrays = (cross, gram, inverse, active)
        run(result, *(array.astype(dtype) for array in arrays), *sums)
        scale = max(1, np.abs(moved).max())
        np.testing.assert_allclose(result[:depth], moved, atol=TOLERANCE[dtype] * scale)
        np.testing.assert_array_equal(result[depth:], tile[depth:].astype(dtype))
        still = result[:depth, ~active]
        np.testing.assert_array_equal(still, tile[:depth, ~active].astype(dtype))
        rtol = 50 * TOLERANCE[dtype]
        for values, expected in zip(sums, (change, objective), strict=True):
            np.testing.assert_allclose(values, expected, rtol, rtol * np.abs(expected).max())


@DTYPES
@WIDTHS
@pytest.mark.parametrize("nnz", [1, 7, 8, 40])
def test_gathered_strips_and_products(rng, dtype, n_components, nnz):
    other = pad_factor(rng.random((50, n_components)), dtype)
    row = pad_factor(rng.random((1, n_components)), dtype)[0]
    indices = rng.integers(0, 50, nnz + 6).astype(np.int32)
    n = -(-nnz // 8) * 8
    found = np.full((other.shape[1], n), np.nan, dtype)
    compiled(strips.gather_strips, 6)(found, 0, indices, 3, 3 + nnz, other)
    np.testing.assert_array_equal(found[:, :nnz], other[indices[3 : 3 + nnz]].T)
    assert not found[:, nnz:].any()
    products = np.full(n, np.nan, dtype)
    compiled(simd.dot_rows, 6)(products, row, indices, 3, 3 + nnz, other)
    np.testing.assert_allclose(products[:nnz], row @ found[:, :nnz], rtol=TOLERANCE[dtype])


@DTYPES
def test_move_and_sum(rng, dtype):
    tile, x, y = rng.random((3, 16)).astype(dtype), rng.random(16), rng.random(16)
    x[11:], y[11:], tile[:, 11:] = 0, 1, 0
    x, y = x.astype(dtype), y.astype(dtype)
    step = dtype(-0.9)  # some y fall below the floor
    expected = np.maximum(y + step * tile[2], strips.FLOOR * x)
    ratio = tile[0] / expected
    sums = np.empty(2, dtype)
    compiled(strips.move_and_sum, 7)(sums, tile, 2, step, 0, x, y)
    np.testing.assert_allclose(y, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
    assert (y > 0).all()
    np.testing.assert_allclose(sums, [(x * ratio).sum(), (x * ratio**2).sum()], rtol=1e-3)


@DTYPES
def test_logarithms_are_exact_over_the_whole_range(dtype):
    x = np.full(4096, 3.0, dtype)
    x[4000:] = 0
    ratios = np.concatenate([np.logspace(-30, 9, 3000), np.linspace(0.99, 1.01, 1096)])
    y = (3 / ratios).astype(dtype)
    call = compiled(strips.sum_log_ratios, 3)
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
    """Any number of components: the last vector of them is seldom a whole one."""
    n_lanes = tiles.tile_rows(dtype)
    other = pad_factor(rng.random((30, height)), dtype)
    lengths = rng.integers(0, 6, 40)
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    indices = rng.integers(30, size=indptr[-1] + 1).astype(np.int32)
    chosen = rng.integers(-1, 40, n_lanes)
    size = max(int(lengths[chosen].max()), 1) * n_lanes
    strips, again = np.full((2, height, size), np.nan, dtype)
    arguments = chosen, indices, indptr.astype(np.int64), other
    compiled(short_rows.gather_columns, 5)(strips, *arguments)
    short_rows._gather_columns(again, *arguments)
    np.testing.assert_array_equal(strips, again)
    for t, i in enumerate(chosen):
        for p in range(lengths[i] if i >= 0 else 0):
            np.testing.assert_array_equal(
                strips[:, p * n_lanes + t], other[indices[indptr[i] + p], :height]
            )
