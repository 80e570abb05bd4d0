"""Arrays that kernels work on: aligned, padded, cut into blocks, and summed."""

import threading

import numpy as np
import pytest

from sparsenmf.data import rows as rows_module
from sparsenmf.data.factors import empty_factor, padded_width
from sparsenmf.data.worker_threads import side_by_side
from sparsenmf.kernels.gram import GRAM_CHUNK
from sparsenmf.kernels.vector import tiles, vector_code


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "shape", [(0, 3), (5, 24), (2100, 1), (700_000, 1), (30_000, 56), (3, 4096)]
)
def test_sums_of_columns_and_of_squares_equal_their_definitions(rng, dtype, shape):
    array = (rng.random(shape) * 10.0 ** rng.integers(-6, 6, shape[1])).astype(dtype)
    rtol = 2e-7 if dtype == np.float32 else 1e-13
    exact = array.astype(np.longdouble)
    for found, expected in ((rows_module.sum_squares, exact**2), (rows_module.sum_columns, exact)):
        np.testing.assert_allclose(found(array), expected.sum(axis=0).astype(float), rtol)


@pytest.mark.parametrize("n_bytes", [1, 1000, rows_module.LARGE_PAGE, 5_000_001])
@pytest.mark.parametrize("refused", [False, True])
def test_working_arrays_are_zero_and_aligned(n_bytes, refused, monkeypatch):
    if refused:

        def refuse(*arguments, **options):
            raise OSError("Cannot allocate memory")

        monkeypatch.setattr(rows_module.mmap, "mmap", refuse)
    array = rows_module.zeros((n_bytes,), np.uint8)
    assert array.shape == (n_bytes,)
    assert not array.any()
    assert array.ctypes.data % rows_module.CACHE_LINE == 0
    array[:] = 7
    assert not rows_module.zeros((n_bytes,), np.uint8).any()  # whatever was freed before
    assert (array == 7).all()


def test_no_memory_is_a_memory_error():
    with pytest.raises(MemoryError):
        rows_module.zeros((2**60,), np.uint8)


@pytest.mark.parametrize("scale", [1e-24, 1e-13, 1e16, 1e25])
def test_sum_squares_keeps_what_single_precision_cannot_hold(rng, scale):
    array = (rng.random((5000, 8)) * scale).astype(np.float32)
    expected = (array.astype(float) ** 2).sum(axis=0)
    np.testing.assert_allclose(rows_module.sum_squares(array), expected, rtol=1e-12)


def test_padding_is_whole_vectors():
    assert rows_module.VECTOR_BYTES == vector_code.VECTOR_BYTES
    assert rows_module.TILE_ROWS % tiles.tile_rows(np.float32) == 0
    assert rows_module.BLOCK_ROWS % rows_module.TILE_ROWS == GRAM_CHUNK % rows_module.TILE_ROWS == 0
    assert padded_width(20, np.float32) == 24
    assert padded_width(20, np.float64) == 20
    assert empty_factor((10, 20), np.float32).ctypes.data % 64 == 0


@pytest.mark.parametrize("n_components", [2, 200])
def test_blocks_cover_all_rows_once_and_share_the_work(rng, n_components):
    counts = rng.zipf(1.3, 5000).clip(max=2000)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    blocks = rows_module.make_blocks(indptr, n_components)
    covered = np.concatenate([np.arange(start, stop) for start, stop in blocks])
    np.testing.assert_array_equal(np.sort(covered), np.arange(5000))
    costs = counts + rows_module.row_work(n_components)
    work = [costs[start:stop].sum() for start, stop in blocks]
    uneven = counts.max() + rows_module.TILE_ROWS * np.mean(costs)
    assert max(work) <= np.mean(work) + 2 * uneven
    # Neighbours in the list lie apart in the rows, so that threads share all kinds.
    assert (np.abs(np.diff(blocks[:, 0])) > 500).all()


def test_blocks_are_whole_tiles_where_rows_are_many():
    blocks = rows_module.make_blocks(np.arange(20_001) * 50, 20)
    starts = np.sort(blocks[:, 0])
    assert len(blocks) == 64
    assert (starts[1:-1] % rows_module.TILE_ROWS == 0).all()


@pytest.mark.parametrize("n_rows", [100_000, 100_001, 100_031])
def test_blocks_of_very_many_rows_share_the_work(rng, n_rows):
    counts = rng.zipf(1.5, n_rows).clip(max=200)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    blocks = rows_module.make_blocks(indptr, 20)
    starts, stops = np.sort(blocks, axis=0).T
    assert (starts[0], stops[-1]) == (0, n_rows)
    np.testing.assert_array_equal(starts[1:], stops[:-1])
    work = indptr[stops] - indptr[starts] + (stops - starts) * rows_module.row_work(20)
    assert work.max() < 1.2 * work.mean()


@pytest.mark.parametrize("n_rows", [1, 2, 3, 5, 64, 65])
def test_blocks_of_few_rows(n_rows):
    blocks = rows_module.make_blocks(np.arange(n_rows + 1) * 3, 4)
    covered = np.concatenate([np.arange(start, stop) for start, stop in blocks])
    np.testing.assert_array_equal(np.sort(covered), np.arange(n_rows))


@pytest.mark.parametrize("n_rows", [1, 63, 64, 1000])
def test_even_blocks_cover_all_rows_in_order(n_rows):
    blocks = rows_module.even_blocks(n_rows)
    assert blocks[0, 0] == 0
    assert blocks[-1, 1] == n_rows
    np.testing.assert_array_equal(blocks[1:, 0], blocks[:-1, 1])
    sizes = np.diff(blocks, axis=1)
    assert sizes.max() - sizes.min() <= 1


def test_sums_are_a_power_of_two_that_their_columns_are_worth():
    assert rows_module.count_parts(0, 50) == 2
    assert rows_module.count_parts(5_000_000, 20_000) == 4
    assert rows_module.count_parts(10**9, 20_000) == 8


@pytest.mark.parametrize("n", [0, 1, 5, 1000])
@pytest.mark.parametrize("n_threads", [1, 2, 3, 64])
def test_slices_side_by_side_make_up_the_whole(n, n_threads):
    counts, names = np.zeros(n, int), set()

    def look(part):
        counts[part] += 1
        names.add(threading.current_thread().name)

    side_by_side(look, n, n_threads, 10)
    assert (counts == 1).all()
    assert len(names) <= max(1, min(n_threads, n // 10))
    if n == 1000 and n_threads < 64:
        assert len(names) == n_threads


@pytest.mark.parametrize("which", [0, 1])
def test_an_error_on_any_of_the_threads_is_raised(which):
    def fail(part):
        if part.start == which * 50:
            raise ValueError(f"slice {which}")

    with pytest.raises(ValueError, match=f"slice {which}"):
        side_by_side(fail, 100, 2, 10)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("width", [3, 20])
def test_large_factors_are_made_and_filled_by_threads_too(rng, n_threads, width, monkeypatch):
    monkeypatch.setattr(rows_module, "WORTH", 2**12)
    given = rng.random((5001, width)).astype(np.float32)
    factor = rows_module.pad_factor(given, np.float32, n_threads=n_threads)
    np.testing.assert_array_equal(factor[:, :width], given)
    assert not factor[:, width:].any()
    assert not empty_factor((5001, width), np.float64, n_threads=n_threads).any()
