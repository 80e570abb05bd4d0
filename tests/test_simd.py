"""Each vector primitive, compiled, against its Python meaning (which runs with the JIT off)."""

import numba
import numpy as np
import pytest

from sparsenmf.data.factors import pad_factor, padded_width
from sparsenmf.kernels import weighted_short_rows as short_rows
from sparsenmf.kernels.compile import jit
from sparsenmf.kernels.vector import gather, strips, tiles, vector_code
from sparsenmf.kernels.vector import rows as simd

from . import reference

# Rounding of a sum of n products: n * eps in the worst case, sqrt(n) * eps as a rule.
TOLERANCE = {np.float32: 2e-5, np.float64: 1e-12}
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
WIDTHS = pytest.mark.parametrize("n_components", [1, 3, 8, 20, 50, 65, 130])


def compiled(primitive, n_arguments):
    """The LLVM code behind a primitive, as a function that Python can call."""
    names = ", ".join("abcdefghi"[:n_arguments])
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
        compiled(gather.gather_rows, 6)(total, data, indices.astype(kind), 2, 2 + nnz, other)
        expected = data[2 : 2 + nnz].astype(float) @ other[indices[2 : 2 + nnz]]
        np.testing.assert_allclose(total, expected, rtol=TOLERANCE[dtype])
    again = np.full_like(total, np.nan)
    gather._gather_rows(again, data, indices, 2, 2 + nnz, other)
    np.testing.assert_allclose(again, total, rtol=TOLERANCE[dtype])


@DTYPES
def test_panels_cover_rows_of_every_width(rng, dtype):
    data, indices = rng.random(9).astype(dtype), rng.integers(30, size=9).astype(np.int32)
    gathers, scatter = compiled(gather.gather_rows, 6), compiled(gather.scatter_row, 7)
    for n_vectors in range(1, 2 * vector_code.PANEL + 3):
        width = n_vectors * vector_code.lanes(np.dtype(dtype).itemsize)
        other, total = rng.random((30, width)).astype(dtype), np.full(width, np.nan, dtype)
        gathers(total, data, indices, 0, 9, other)
        np.testing.assert_allclose(total, data @ other[indices], rtol=TOLERANCE[dtype])
        sums, expected = np.ones((2, 30, width), dtype)
        scatter(sums, data, indices, 0, 9, other, 4)
        np.add.at(expected, indices, np.outer(data, other[4]))
        np.testing.assert_allclose(sums, expected, rtol=TOLERANCE[dtype])


@DTYPES
@pytest.mark.parametrize("n_components", [5, 10, 20, 30])
def test_a_last_turn_that_is_not_whole_reads_no_further(rng, dtype, n_components):
    """Behind the row there is what must not be read: values that show, and rows there are none."""
    other = pad_factor(rng.random((30, n_components)), dtype)
    total = np.empty(other.shape[1], dtype)
    gathers = compiled(gather.gather_rows, 6)
    for nnz in range(20):
        data = np.append(rng.random(nnz), np.full(9, np.nan)).astype(dtype)
        indices = np.append(rng.integers(30, size=nnz), np.full(9, 2**31 - 1)).astype(np.int32)
        gathers(total, data, indices, 0, nnz, other)
        expected = data[:nnz].astype(float) @ other[indices[:nnz]]
        np.testing.assert_allclose(total, expected, rtol=TOLERANCE[dtype])


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")
def test_loops_are_not_unrolled(rng):
    sums = compiled(gather.gather_rows, 6)
    sums(np.empty(104), rng.random(5), np.arange(5), 0, 5, rng.random((5, 104)))
    copy_rows = simd.copy_rows

    @numba.njit
    def copy(target):  # sixteen vectors, as LLVM can tell
        copy_rows(target, 0, np.empty((8, 8)), 0, 8)

    copy(np.empty((9, 8)))
    # One for each vector of the widest panel; and in each step of a copy one, beside what
    # comes before and after the loop.
    for call, instruction, most in ((sums, "vfmadd", vector_code.PANEL), (copy, "vmovup", 15)):
        (assembly,) = call.inspect_asm().values()
        if instruction not in assembly:
            pytest.skip("this machine has other instructions")
        assert max(part.count(instruction) for part in assembly.split("\n.LBB")) <= most


@DTYPES
def test_clear_gram_clears_all_of_it(dtype):
    for clear in (compiled(simd.clear_gram, 1), simd._clear_gram):
        around = np.full((5, 8, 8), np.nan, dtype)
        clear(around[2])
        assert (around[2] == 0).all()
        assert np.isnan(around[[0, 1, 3, 4]]).all()


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
@pytest.mark.parametrize("far", [1, 2**40])
@pytest.mark.parametrize("shift", [0, 1])
def test_send_rows_writes_just_these(rng, dtype, far, shift, monkeypatch):
    """Near or far, and to what does not lie on a vector's boundary."""
    monkeypatch.setattr(simd, "FAR", far)
    width = 3 * vector_code.lanes(np.dtype(dtype).itemsize)
    room = np.zeros(12 * width + 16, dtype)
    start = (-room.ctypes.data % 64) // room.itemsize + shift
    target = room[start : start + 12 * width].reshape(12, width)
    source, again = rng.random((6, width)).astype(dtype), np.zeros((12, width), dtype)
    compiled(simd.send_rows, 4)(target, 4, source, 5)
    simd._send_rows(again, 4, source, 5)
    np.testing.assert_array_equal(target, again)
    assert room.sum() == pytest.approx(source[:5].sum(), rel=1e-5)
    np.testing.assert_array_equal(target[4:9], source[:5])
    compiled(simd.send_rows, 4)(target, 0, source, 0)
    np.testing.assert_array_equal(target, again)


@pytest.mark.parametrize("far", [1, 2**40])
def test_to_ask_for_rows_changes_nothing(rng, far, monkeypatch):
    monkeypatch.setattr(simd, "FAR", far)
    factor = rng.random((7, 8))
    before = factor.copy()
    for start, n in ((0, 7), (5, 32), (7, 32), (3, 0)):  # some are not there
        compiled(simd.ask_rows, 3)(factor, start, n)
        simd._ask_rows(factor, start, n)
    compiled(simd.settle_stores, 1)(factor)
    simd._settle_stores(factor)
    np.testing.assert_array_equal(factor, before)


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
@pytest.mark.parametrize("n", [0, 1, 8, 13, 24])
def test_rows_are_loaded_and_copied_whole(rng, dtype, n):
    data = rng.random(40).astype(dtype)
    for load in (compiled(simd.load_row, 4), simd._load_row):
        x = np.full(34, np.nan, dtype)
        load(x[1:33], data, 5, 5 + n)
        np.testing.assert_array_equal(x[1 : n + 1], data[5 : 5 + n])
        assert (x[n + 1 : 33] == 0).all()
        assert np.isnan(x[[0, 33]]).all()
    for copy in (compiled(simd.copy_values, 2), simd._copy_values):
        target = np.full(34, np.nan, dtype)
        copy(target[1:33], x[1:33])
        np.testing.assert_array_equal(target, x)


@DTYPES
@pytest.mark.parametrize("least", [0.0, 0.1])
def test_extrapolate_moves_just_these_rows(rng, dtype, least):
    current, previous = (pad_factor(rng.random((9, 20)), dtype) for _ in range(2))
    expected, again = previous.copy(), previous.copy()
    simd._extrapolate(expected, current, 2, 7, dtype(0.8), dtype(least))
    compiled(simd.extrapolate, 6)(again, current, 2, 7, dtype(0.8), dtype(least))
    np.testing.assert_allclose(again, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
    moved = expected[2:7, :20]
    assert (moved == 0).any() == (least == 0)
    assert (moved >= dtype(least) * current[2:7, :20]).all()
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


def make_tile(rng, dtype, depth):
    """A tile with its products, a gram matrix of which one component is zero, and inverses."""
    n_tile, width = tiles.tile_rows(dtype), padded_width(depth, dtype)
    other = rng.random((90, depth)) * (rng.random((90, depth)) < 0.5)
    other[:, 2] = 0  # the diagonal vanishes: this coordinate stays
    gram = other.T @ other
    inverse = np.divide(1, np.diag(gram), out=np.zeros(depth), where=np.diag(gram) > 0)
    tile = rng.random((width, n_tile)) * (rng.random((width, n_tile)) < 0.5)
    cross = rng.normal(size=(width, n_tile)) * depth
    return tile, cross, gram, inverse


@DTYPES
@pytest.mark.parametrize("depth", [4, 20, 52])
@pytest.mark.parametrize("max_sweeps", [1, 2, 30])
def test_sweeps_over_a_tile_equal_reference(rng, dtype, depth, max_sweeps):
    tile, cross, gram, inverse = make_tile(rng, dtype, depth)
    n_tile, tolerance = tile.shape[1], 0.03
    n = n_tile - 3
    moved, active, limit = tile[:depth], np.arange(n_tile) < n, None
    for _ in range(max_sweeps):
        moved, change, objective = reference.sweep_tile(moved, cross[:depth], gram, active)
        limit = tolerance**2 * change if limit is None else limit
        active &= change > limit
    if depth > 4:
        assert active[:n].any() == (max_sweeps < 30)
    for run in (compiled(tiles.settle_tile, 9), tiles._settle_tile):
        result, sums = tile.astype(dtype), np.full((2, n_tile), np.nan, dtype)
        arrays = (array.astype(dtype) for array in (cross, gram, inverse))
        run(result, *arrays, n, max_sweeps, dtype(tolerance), *sums)
        scale = max(1, np.abs(moved).max())
        np.testing.assert_allclose(result[:depth], moved, atol=TOLERANCE[dtype] * scale)
        np.testing.assert_array_equal(result[depth:], tile[depth:].astype(dtype))
        np.testing.assert_array_equal(result[:, n:], tile[:, n:].astype(dtype))
        if max_sweeps < 30:  # where all are done, they are a few digits of rounding
            compare_sums(sums, (change, objective), dtype)
        else:
            compare_sums(sums[1:], (objective,), dtype)


@DTYPES
@pytest.mark.parametrize("depth", [4, 20, 52])
def test_measuring_a_tile_equals_reference(rng, dtype, depth):
    tile, cross, gram, inverse = make_tile(rng, dtype, depth)
    n_tile = tile.shape[1]
    n, there = n_tile - 3, tile[:depth]
    active = np.arange(n_tile) < n
    change = reference.sweep_tile(there, cross[:depth], gram, active, move=False)[1]
    objective = (0.5 * there * (gram @ there) - cross[:depth] * there).sum(axis=0)
    for run in (compiled(tiles.measure_tile, 7), tiles._measure_tile):
        result, sums = tile.astype(dtype), np.full((2, n_tile), np.nan, dtype)
        run(result, *(array.astype(dtype) for array in (cross, gram, inverse)), n, *sums)
        np.testing.assert_array_equal(result, tile.astype(dtype))
        compare_sums(sums, (change, objective), dtype)


def compare_sums(found, expected, dtype):
    rtol = 50 * TOLERANCE[dtype]
    for values, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(values, wanted, rtol, rtol * np.abs(wanted).max())


@DTYPES
def test_the_diagonal_is_inverted_where_it_may(rng, dtype):
    gram = rng.random((12, 12)).astype(dtype) + dtype(0.5)
    gram[3, 3], gram[5, 5] = 0, np.finfo(dtype).smallest_subnormal
    free = np.append(np.arange(12) % 4 > 0, np.ones(4, bool))
    diagonal = np.diag(gram).copy()
    expected = np.divide(1, diagonal, np.zeros(12, dtype), where=free[:12] & (diagonal > 0.1))
    for run in (compiled(tiles.invert_diagonal, 3), tiles._invert_diagonal):
        inverse = np.full(12, np.nan, dtype)
        run(inverse, gram, free)
        np.testing.assert_array_equal(inverse, expected)


def sparse_rows(rng, dtype):
    """CSR arrays of 40 rows, some of them empty, and 30 columns."""
    indptr = np.concatenate([[0], np.cumsum(rng.integers(0, 20, 40))])
    return rng.random(indptr[-1]).astype(dtype), rng.integers(30, size=indptr[-1]), indptr


@DTYPES
@WIDTHS
def test_a_tile_is_gathered_as_its_rows_are(rng, dtype, n_components):
    other = pad_factor(rng.random((30, n_components)), dtype)
    data, indices, indptr = sparse_rows(rng, dtype)
    of_row = compiled(gather.gather_rows, 6)
    for n, i in ((8, 0), (5, 35), (1, 39)):  # the last rows have nothing behind them
        expected = np.zeros((8, other.shape[1]), dtype)
        for t in range(n):
            of_row(expected[t], data, indices, indptr[i + t], indptr[i + t + 1], other)
        found, again = np.full((2, *expected.shape), np.nan, dtype)
        compiled(gather.gather_tile, 7)(found, data, indices, indptr, i, n, other)
        np.testing.assert_array_equal(found, expected)
        gather._gather_tile(again, data, indices, indptr, i, n, other)
        np.testing.assert_allclose(again, expected, rtol=TOLERANCE[dtype])


@DTYPES
@WIDTHS
def test_a_tile_is_scattered_as_its_rows_are(rng, dtype, n_components):
    factor = pad_factor(rng.random((40, n_components)), dtype)
    data, indices, indptr = sparse_rows(rng, dtype)
    of_row = compiled(gather.scatter_row, 7)
    for n, i in ((8, 0), (5, 35), (0, 40)):  # the last rows have nothing behind them
        expected, found, again = np.zeros((3, 30, factor.shape[1]), dtype)
        for t in range(i, i + n):
            of_row(expected, data, indices, indptr[t], indptr[t + 1], factor, t)
        compiled(gather.scatter_tile, 7)(found, data, indices, indptr, i, n, factor)
        np.testing.assert_array_equal(found, expected)
        gather._scatter_tile(again, data, indices, indptr, i, n, factor)
        np.testing.assert_allclose(again, expected, rtol=TOLERANCE[dtype])


@DTYPES
@pytest.mark.parametrize("n_parts", [1, 3])
def test_earlier_products_are_added(rng, dtype, n_parts):
    crosses = rng.random((8, 24)).astype(dtype)
    sums = rng.random((n_parts, 30, 24)).astype(dtype)
    total = crosses.copy()
    total[:5] += 0.3 * sums[:, 11:16].sum(axis=0)
    for run in (compiled(simd.add_earlier, 5), simd._add_earlier):
        found, left = crosses.copy(), sums.copy()
        run(found, left, dtype(0.3), 11, 5)
        np.testing.assert_allclose(found, total, rtol=TOLERANCE[dtype])
        np.testing.assert_array_equal(left[0, 11:16], found[:5])
        left[0, 11:16] = sums[0, 11:16]
        np.testing.assert_array_equal(left, sums)


@DTYPES
@pytest.mark.parametrize("by_row", [False, True])
@pytest.mark.parametrize("supported", [False, True])
def test_rows_are_restricted(rng, dtype, by_row, supported):
    crosses, support = rng.random((8, 24)).astype(dtype), rng.random((30, 24)) < 0.7
    l1, out = rng.random(30 if by_row else 1), -0.1 * np.finfo(dtype).max
    expected = crosses.copy()
    expected[:5] -= (l1[11:16, None] if by_row else l1[0]).astype(dtype)
    for run in (compiled(simd.restrict_rows, 5), simd._restrict_rows):
        found = crosses.copy()
        run(found, l1, support if supported else support[:0], 11, 5)
        kept = support[11:16] | (not supported)
        np.testing.assert_allclose(found[:5][kept], expected[:5][kept], rtol=TOLERANCE[dtype])
        assert (found[:5][~kept] < out).all()
        np.testing.assert_array_equal(found[5:], crosses[5:])


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
    compiled(gather.dot_rows, 6)(products, row, indices, 3, 3 + nnz, other)
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
    for call in (compiled(strips.move_and_sum, 7), strips._move_and_sum):
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
        for call in (compiled(strips.smallest_positive, 2), strips._smallest_positive):
            total = np.full(2, np.nan, dtype)
            call(total, numbers)
            assert total[0] == expected


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
