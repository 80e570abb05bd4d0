"""Sums of gathered rows, compiled, against their Python reference."""

import numpy as np
import pytest

from sparsenmf.data.factors import pad_factor
from sparsenmf.kernels.vector import gather, vector_code

from ..sides import DTYPES, TOLERANCE, WIDTHS
from .compiling import compiled


@DTYPES
@pytest.mark.parametrize("nnz", [0, 1, 2, 7, 40])
@WIDTHS
def test_gather_rows_equals_its_reference(rng, dtype, nnz, n_components):
    other = pad_factor(rng.random((30, n_components)), dtype)
    data, indices = rng.random(nnz + 3).astype(dtype), rng.integers(30, size=nnz + 3)
    total = np.full(other.shape[1], np.nan, dtype)
    for kind in (np.int32, np.int64):
        compiled(gather.gather_rows)(total, data, indices.astype(kind), 2, 2 + nnz, other)
        expected = data[2 : 2 + nnz].astype(float) @ other[indices[2 : 2 + nnz]]
        np.testing.assert_allclose(total, expected, rtol=TOLERANCE[dtype])
    again = np.full_like(total, np.nan)
    gather._gather_rows(again, data, indices, 2, 2 + nnz, other)
    np.testing.assert_allclose(again, total, rtol=TOLERANCE[dtype])


@DTYPES
def test_panels_cover_rows_of_every_width(rng, dtype):
    data, indices = rng.random(9).astype(dtype), rng.integers(30, size=9).astype(np.int32)
    gathers, scatter = compiled(gather.gather_rows), compiled(gather.scatter_row)
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
def test_the_last_partial_step_does_not_read_beyond_the_row(rng, dtype, n_components):
    """Reading beyond the row would show: there are NaN, and indices that are out of range."""
    other = pad_factor(rng.random((30, n_components)), dtype)
    total = np.empty(other.shape[1], dtype)
    gathers = compiled(gather.gather_rows)
    for nnz in range(20):
        data = np.append(rng.random(nnz), np.full(9, np.nan)).astype(dtype)
        indices = np.append(rng.integers(30, size=nnz), np.full(9, 2**31 - 1)).astype(np.int32)
        gathers(total, data, indices, 0, nnz, other)
        expected = data[:nnz].astype(float) @ other[indices[:nnz]]
        np.testing.assert_allclose(total, expected, rtol=TOLERANCE[dtype])


def sparse_rows(rng, dtype):
    """CSR arrays of 40 rows, some of them empty, and 30 columns."""
    indptr = np.concatenate([[0], np.cumsum(rng.integers(0, 20, 40))])
    return rng.random(indptr[-1]).astype(dtype), rng.integers(30, size=indptr[-1]), indptr


@DTYPES
@WIDTHS
def test_a_batch_is_gathered_like_single_rows(rng, dtype, n_components):
    other = pad_factor(rng.random((30, n_components)), dtype)
    data, indices, indptr = sparse_rows(rng, dtype)
    of_row = compiled(gather.gather_rows)
    for n, i in ((8, 0), (5, 35), (1, 39)):  # the last rows have nothing behind them
        expected = np.zeros((8, other.shape[1]), dtype)
        for t in range(n):
            of_row(expected[t], data, indices, indptr[i + t], indptr[i + t + 1], other)
        found, again = np.full((2, *expected.shape), np.nan, dtype)
        compiled(gather.gather_batch)(found, data, indices, indptr, i, n, other)
        np.testing.assert_array_equal(found, expected)
        gather._gather_batch(again, data, indices, indptr, i, n, other)
        np.testing.assert_allclose(again, expected, rtol=TOLERANCE[dtype])


@DTYPES
@WIDTHS
def test_a_batch_is_scattered_like_single_rows(rng, dtype, n_components):
    factor = pad_factor(rng.random((40, n_components)), dtype)
    data, indices, indptr = sparse_rows(rng, dtype)
    of_row = compiled(gather.scatter_row)
    for n, i in ((8, 0), (5, 35), (0, 40)):  # the last rows have nothing behind them
        expected, found, again = np.zeros((3, 30, factor.shape[1]), dtype)
        for t in range(i, i + n):
            of_row(expected, data, indices, indptr[t], indptr[t + 1], factor, t)
        compiled(gather.scatter_batch)(found, data, indices, indptr, i, n, factor)
        np.testing.assert_array_equal(found, expected)
        gather._scatter_batch(again, data, indices, indptr, i, n, factor)
        np.testing.assert_allclose(again, expected, rtol=TOLERANCE[dtype])
