"""Products with sparse rows, against NumPy's."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf.data.factors import pad_factor, padded_width
from sparsenmf.data.rows import even_blocks, make_rows
from sparsenmf.kernels import products
from sparsenmf.kernels.gram import add_grams
from sparsenmf.solvers.numerics import exact_gram

from .. import reference
from .sides import DTYPES, TOLERANCE, WIDTHS, make_problem, tall_rows


@DTYPES
@WIDTHS
@pytest.mark.parametrize("n_threads", [1, 2])
def test_scatter_rows_is_the_product_with_the_transpose(dtype, n_components, n_threads, rng):
    X, _, factor = make_problem(rng, n_components, dtype)
    rows = make_rows(sp.csr_array(X), n_components)
    start = rng.random((3, 90, padded_width(n_components, dtype))).astype(dtype)
    sums, padded = start.copy(), pad_factor(factor, dtype)
    parts = np.array([[0, 20], [20, 20], [20, 70]])
    products.scatter_rows(n_threads, rows, parts, padded, sums)
    for p in range(3):
        part = slice(*parts[p])
        expected = start[p] + X[part].astype(float).T @ padded[part].astype(float)
        np.testing.assert_allclose(sums[p], expected, rtol=TOLERANCE[dtype] * 10)


@DTYPES
@WIDTHS
def test_multiply_rows_equals_the_product(rng, dtype, n_components):
    X, other, _ = make_problem(rng, n_components, dtype, n_rows=500)
    other -= dtype(0.2)  # singular vectors have both signs
    rows, padded = tall_rows(X, n_components), pad_factor(other, dtype)
    for n_threads in (1, 2):
        out = np.full((len(X), padded.shape[1]), np.nan, dtype)
        partials = np.full((rows.n_blocks, *2 * out.shape[1:]), np.nan)
        products.multiply_rows(n_threads, rows, padded, out, partials)
        expected = X.astype(float) @ other
        atol = TOLERANCE[dtype] * np.abs(expected).max()
        np.testing.assert_allclose(out[:, :n_components], expected, atol=atol)
        gram = exact_gram(out)
        atol = TOLERANCE[dtype] * gram.max()
        np.testing.assert_allclose(add_grams(partials), gram, atol=atol)
        assert not out[:, n_components:].any()


@DTYPES
@WIDTHS
def test_rotate_rows_equals_the_product(rng, dtype, n_components):
    X, _, factor = make_problem(rng, n_components, dtype)
    blocks = make_rows(sp.csr_array(X), n_components).blocks
    matrix = rng.standard_normal((n_components, n_components)).astype(dtype)
    width = padded_width(n_components, dtype)
    padded = np.pad(matrix, (0, width - n_components))
    for n_threads in (1, 2):
        out = pad_factor(factor, dtype)
        places = np.arange(width, dtype=np.int32)
        products.rotate_rows(n_threads, out, blocks, padded, places)
        expected = factor.astype(float) @ matrix
        atol = TOLERANCE[dtype] * np.abs(expected).max()
        np.testing.assert_allclose(out[:, :n_components], expected, atol=atol)
        assert not out[:, n_components:].any()


@DTYPES
@WIDTHS
def test_take_columns_equals_numpys(rng, dtype, n_components):
    factor = pad_factor(rng.random((1000, n_components)), dtype)
    order, scale = rng.permutation(n_components), 2.0 ** rng.integers(-3, 4, factor.shape[1])
    expected = factor[:, order] * scale[order].astype(dtype)
    for n_threads in (1, 2):
        out = np.full((1000, n_components), np.nan, dtype)
        blocks = even_blocks(1000)
        products.take_columns(n_threads, factor, blocks, order, scale.astype(dtype), out)
        np.testing.assert_array_equal(out, expected)


@DTYPES
def test_measure_rows_gives_the_exact_residual(rng, dtype):
    X, other, factor = make_problem(rng, 7, dtype)
    rows = make_rows(sp.csr_array(X), 7)
    W, Ht = pad_factor(factor, dtype), pad_factor(other, dtype)
    sums = np.full(rows.n_blocks, np.nan)
    products.measure_rows(2, rows, W, Ht, sums)
    total = sums.sum() + (exact_gram(W) * exact_gram(Ht)).sum()
    expected = 2 * reference.objective(X, factor, other.T)
    assert total == pytest.approx(expected, rel=1e-12)
