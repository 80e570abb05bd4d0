"""Rows: cut into blocks of about equal work."""

import numpy as np
import pytest

from sparsenmf.data import factors
from sparsenmf.data import rows as rows_module
from sparsenmf.data.factors import empty_factor, padded_width
from sparsenmf.kernels.gram import GRAM_CHUNK
from sparsenmf.kernels.vector import tiles, vector_code


def test_padding_is_whole_vectors():
    assert factors.VECTOR_BYTES == vector_code.VECTOR_BYTES
    assert rows_module.ROW_GROUP % tiles.tile_rows(np.float32) == 0
    assert rows_module.BLOCK_ROWS % rows_module.ROW_GROUP == GRAM_CHUNK % rows_module.ROW_GROUP == 0
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
    uneven = counts.max() + rows_module.ROW_GROUP * np.mean(costs)
    assert max(work) <= np.mean(work) + 2 * uneven
    # Neighbours in the list lie apart in the rows, so that threads share all kinds.
    assert (np.abs(np.diff(blocks[:, 0])) > 500).all()


def test_blocks_of_many_rows_consist_of_whole_row_tiles():
    blocks = rows_module.make_blocks(np.arange(20_001) * 50, 20)
    starts = np.sort(blocks[:, 0])
    assert len(blocks) == 64
    assert (starts[1:-1] % rows_module.ROW_GROUP == 0).all()


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


def test_the_number_of_partial_sums_is_a_power_of_two_and_bounded():
    assert rows_module.count_parts(0, 50) == 2
    assert rows_module.count_parts(5_000_000, 20_000) == 4
    assert rows_module.count_parts(10**9, 20_000) == 8
