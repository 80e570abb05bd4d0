"""Sweeps over lane tiles, compiled, against their Python reference."""

import numpy as np
import pytest

from sparsenmf.data.factors import padded_width
from sparsenmf.kernels.vector import tiles

from ... import reference
from ..sides import DTYPES, TOLERANCE
from .compiling import compiled


@DTYPES
@pytest.mark.parametrize("n_components", [3, 8, 20])
def test_transpose_equals_its_reference(rng, dtype, n_components):
    n_tile, width = tiles.tile_rows(dtype), padded_width(n_components, dtype)
    source = rng.random((n_tile, width)).astype(dtype)
    target, again = np.zeros((2, width, n_tile), dtype)
    compiled(tiles.transpose)(target, source, dtype(-0.5))
    tiles._transpose(again, source, dtype(-0.5))
    np.testing.assert_array_equal(target, source.T - dtype(0.5))
    np.testing.assert_array_equal(again, target)


def make_tile(rng, dtype, depth):
    """Return a lane tile, its products, a gram matrix with one zero component, and inverses."""
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
def test_sweeps_over_a_lane_tile_equal_reference(rng, dtype, depth, max_sweeps):
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
    for run in (compiled(tiles.descend_tile), tiles._descend_tile):
        result, sums = tile.astype(dtype), np.full((2, n_tile), np.nan, dtype)
        arrays = (array.astype(dtype) for array in (cross, gram, inverse))
        run(result, *arrays, n, max_sweeps, dtype(tolerance), sums)
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
def test_measuring_a_lane_tile_equals_reference(rng, dtype, depth):
    tile, cross, gram, inverse = make_tile(rng, dtype, depth)
    n_tile = tile.shape[1]
    n, there = n_tile - 3, tile[:depth]
    active = np.arange(n_tile) < n
    change = reference.sweep_tile(there, cross[:depth], gram, active, move=False)[1]
    objective = (0.5 * there * (gram @ there) - cross[:depth] * there).sum(axis=0)
    for run in (compiled(tiles.measure_tile), tiles._measure_tile):
        result, sums = tile.astype(dtype), np.full((2, n_tile), np.nan, dtype)
        run(result, *(array.astype(dtype) for array in (cross, gram, inverse)), n, sums)
        np.testing.assert_array_equal(result, tile.astype(dtype))
        compare_sums(sums, (change, objective), dtype)


def compare_sums(found, expected, dtype):
    rtol = 50 * TOLERANCE[dtype]
    for values, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(values, wanted, rtol, rtol * np.abs(wanted).max())


@DTYPES
def test_the_diagonal_is_inverted_where_it_is_free_and_large_enough(rng, dtype):
    gram = rng.random((12, 12)).astype(dtype) + dtype(0.5)
    gram[3, 3], gram[5, 5] = 0, np.finfo(dtype).smallest_subnormal
    free = np.append(np.arange(12) % 4 > 0, np.ones(4, bool))
    diagonal = np.diag(gram).copy()
    expected = np.divide(1, diagonal, np.zeros(12, dtype), where=free[:12] & (diagonal > 0.1))
    for run in (compiled(tiles.invert_diagonal), tiles._invert_diagonal):
        inverse = np.full(12, np.nan, dtype)
        run(inverse, gram, free)
        np.testing.assert_array_equal(inverse, expected)
