"""Multiplicative updates of rows, against their literal twins."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf.data.factors import pad_factor, padded_width
from sparsenmf.data.rows import make_rows
from sparsenmf.kernels import multiplicative
from sparsenmf.kernels.gram import add_grams
from sparsenmf.kernels.operands import Divergence, Side
from sparsenmf.solvers.numerics import exact_gram
from sparsenmf.solvers.penalties import make_penalty
from sparsenmf.solvers.row_update.divergences import exponent

from .. import reference
from .sides import DTYPES, TOLERANCE, WIDTHS, make_problem, tall_rows


@DTYPES
@WIDTHS
@pytest.mark.parametrize("n_threads", [1, 2])
def test_scatter_ratios_equals_reference(dtype, n_components, n_threads, rng):
    X, other, factor = make_problem(rng, n_components, dtype, n_rows=40, n_columns=700)
    X[3] = 1 + np.arange(700)  # a row of several chunks
    factor[7] = 0  # and one that predicts nothing where there is something
    rows = make_rows(sp.csr_array(X), n_components)
    start = rng.random((3, 700, padded_width(n_components, dtype))).astype(dtype)
    sums, W, Ht = start.copy(), pad_factor(factor, dtype), pad_factor(other, dtype)
    parts = np.array([[0, 5], [5, 5], [5, 40]])
    multiplicative.scatter_ratios(n_threads, rows, parts, W, Ht, sums)
    for p in range(3):
        part = slice(*parts[p])
        expected = start[p] + reference.scatter_ratios(X[part], W[part], Ht)
        np.testing.assert_allclose(sums[p], expected, rtol=TOLERANCE[dtype] * 20)


def run_multiplicative(X, other, factor, earlier, beta, mode=multiplicative.UPDATE, n_threads=1):
    dtype, width = X.dtype.type, padded_width(other.shape[1], X.dtype)
    rows = tall_rows(X, other.shape[1])
    padded, start = pad_factor(other, dtype), pad_factor(factor, dtype)
    earlier = np.array([pad_factor(part, dtype) for part in earlier], dtype)
    earlier = earlier.reshape(-1, *start.shape)
    out, statistics = np.full_like(start, np.nan), np.full((rows.n_blocks, 2), np.nan)
    penalty = make_penalty(0.05, 0.3, width)
    if beta == 2:
        gram, partials = exact_gram(padded).astype(dtype), np.full((2, width, width), np.nan)
        multiplicative.update_rows_mu(
            n_threads, rows, Side(padded, gram), penalty, earlier, start, out, partials, statistics
        )
        expected = exact_gram(out)
        atol = TOLERANCE[dtype] * expected.max()
        np.testing.assert_allclose(add_grams(partials), expected, atol=atol)
    else:
        multiplicative.update_rows_mu_beta(
            n_threads, rows, Side(padded, padded.sum(axis=0, dtype=float)), penalty,
            Divergence(beta, exponent(beta), 0.0), earlier, start, out, mode, statistics,
        )  # fmt: skip
    assert not np.nan_to_num(out[:, other.shape[1] :]).any()
    return out[:, : other.shape[1]], statistics.sum(axis=0)


@DTYPES
@WIDTHS
@pytest.mark.parametrize("beta", [1.0, 2.0])
def test_multiplicative_updates_add_products_with_other_columns(dtype, n_components, beta, rng):
    X, other, factor = make_problem(rng, n_components, dtype, n_rows=500)
    expected = reference.update_rows_mu(X, other, beta, 0.05, 0.3, factor)
    if beta == 2:
        pieces = [X[:, part].astype(float) @ other[part] for part in (slice(0, 40), slice(40, 90))]
    else:
        pieces = [
            reference.scatter_ratios(X.T[part], other[part], factor)
            for part in (slice(0, 40), slice(40, 90))
        ]
    runs = {
        "all from its rows": run_multiplicative(X, other, factor, [], beta),
        "all from elsewhere": run_multiplicative(0 * X, other, factor, pieces, beta),
        "half": run_multiplicative(
            np.where(np.arange(90) < 40, X, 0), other, factor, pieces[1:], beta
        ),
    }
    for out, _ in runs.values():
        tolerance = TOLERANCE[dtype] * 20
        np.testing.assert_allclose(out, expected, rtol=tolerance, atol=tolerance)


@DTYPES
@pytest.mark.parametrize("beta", [0.5, 1.0])
def test_an_update_may_measure_what_it_has_found(dtype, beta, rng):
    X, other, factor = make_problem(rng, 6, dtype, n_rows=200)
    factor += dtype(0.1)
    other += dtype(0.1)
    runs = {
        mode: run_multiplicative(X, other, factor, [], beta, mode)
        for mode in (
            multiplicative.UPDATE, multiplicative.OBJECTIVE, multiplicative.UPDATE_AND_OBJECTIVE
        )
    }  # fmt: skip
    (updated, _), (untouched, objective), (out, statistics) = runs.values()
    assert np.isnan(untouched).all()
    expected = reference.update_rows_mu(X, other, beta, 0.05, 0.3, factor)
    np.testing.assert_allclose(updated, expected, rtol=TOLERANCE[dtype] * 20)
    np.testing.assert_array_equal(out, updated)
    assert statistics[0] == objective[0] != 0
    if beta == 1:
        wide = factor.astype(float)
        expected = reference.divergence(X, wide, other.T, 1) + X.sum(dtype=float)
        expected += 0.05 * wide.sum() + 0.15 * (wide**2).sum()
        assert statistics[0] == pytest.approx(expected, rel=1e-5)
