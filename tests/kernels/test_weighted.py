"""Coordinate descent with weighted entries, against its literal twins."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf.data.rows import make_rows
from sparsenmf.kernels.kullback_leibler import STRIP_ITEMS, update_rows_kl
from sparsenmf.kernels.operands import Side, Sweeps
from sparsenmf.kernels.transpose import transpose_rows
from sparsenmf.kernels.weighted import update_rows_weighted

from .. import reference
from ..weighted import ABSENT, WIDTHS, make_problem, run_kernel, stored


def descend(absent, max_sweeps, tolerance):
    def call(n_threads, rows, other, gram, penalty, factor, out, statistics):
        side, sweeps = Side(other, gram), Sweeps(max_sweeps, tolerance)
        options = (other.shape[1], factor, out, sweeps, statistics)
        update_rows_weighted(n_threads, rows, side, penalty, *options)

    return call, lambda other: [other.T @ other if absent else np.empty((0, 0), other.dtype)]


def descend_kl(max_sweeps, tolerance):
    def call(n_threads, rows, other, sums, penalty, factor, out, statistics):
        side, sweeps = Side(other, sums), Sweeps(max_sweeps, tolerance)
        update_rows_kl(n_threads, rows, side, penalty, factor, out, sweeps, True, statistics)

    return call, lambda other: [other.sum(axis=0, dtype=float)]


@ABSENT
@WIDTHS
@pytest.mark.parametrize("max_sweeps", [0, 1, 2, 5])
@pytest.mark.parametrize("penalty", [(0.0, 0.0), (0.3, 0.2)])
def test_update_rows_weighted_equals_reference(rng, absent, n_components, max_sweeps, penalty):
    # With many rows a block has whole lane tiles and a last, partial one; with few, only that.
    n_rows = 700 if n_components == 3 else 30
    X, weights, V, other, factor = make_problem(rng, n_components, absent, n_rows=n_rows)
    kernel, args = descend(absent, max_sweeps, 0.1)
    found = run_kernel(kernel, X, weights, absent, other, factor, args, options=penalty)
    expected = reference.update_rows_weighted(
        X.toarray(), V, other, *penalty, factor, max_sweeps, 0.1
    )
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-7, atol=1e-9)
    assert found[1] == pytest.approx(expected[1], rel=1e-9)
    assert found[2] == pytest.approx(expected[2], rel=1e-7, abs=1e-12)
    if max_sweeps == 0:
        np.testing.assert_array_equal(found[0], factor)


@ABSENT
@WIDTHS
@pytest.mark.parametrize("max_sweeps", [0, 1, 2, 5])
@pytest.mark.parametrize("penalty", [(0.0, 0.0), (0.3, 0.2)])
def test_update_rows_kl_with_weights_equals_reference(
    rng, absent, n_components, max_sweeps, penalty
):
    X, weights, V, other, factor = make_problem(rng, n_components, absent)
    kernel, args = descend_kl(max_sweeps, 0.1)
    found = run_kernel(kernel, X, weights, absent, other, factor, args, options=penalty)
    expected = reference.update_rows_kl(X.toarray(), other, *penalty, factor, max_sweeps, 0.1, V=V)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-6, atol=1e-8)
    assert found[1] == pytest.approx(expected[1], rel=1e-8)
    assert found[2] == pytest.approx(expected[2] if max_sweeps == 0 else 0.0, rel=1e-7)


@pytest.mark.parametrize(
    ("absent", "descent", "dtype"),
    [
        (0.0, "frobenius", np.float32),
        (1.0, "frobenius", np.float64),
        (0.0, "kullback-leibler", np.float64),
        (1.0, "kullback-leibler", np.float32),
    ],
)
def test_rows_too_long_for_the_scratch_are_gathered_in_parts(rng, absent, descent, dtype):
    n_components, n_columns = 60, 24000
    X, weights, V, other, factor = make_problem(
        rng, n_components, absent, n_rows=9, n_columns=n_columns, dtype=dtype
    )
    assert n_components * np.diff(X.indptr).max() > STRIP_ITEMS
    if descent == "frobenius":
        kernel, args = descend(absent, 3, 0.0)
        expected = reference.update_rows_weighted(X.toarray(), V, other, 0, 0, factor, 3, 0.0)
    else:
        kernel, args = descend_kl(3, 0.0)
        expected = reference.update_rows_kl(X.toarray(), other, 0, 0, factor, 3, 0.0, V=V)
    found = run_kernel(kernel, X, weights, absent, other, factor, args, options=(0, 0))
    tolerance = 1e-4 if dtype == np.float32 else 1e-8
    assert found[1] == pytest.approx(expected[1], rel=tolerance)


def test_weights_are_transposed_with_their_entries(rng):
    X, weights, *_ = make_problem(rng, 4, 0.0)
    rows = make_rows(X, 4, weights.data, 0.0)
    columns = transpose_rows(rows, X.shape[1], 4)
    expected = stored((weights.toarray() > -1) & pattern_of(X), weights.toarray()).T.tocsr()
    np.testing.assert_array_equal(columns.weights, expected.data)
    assert columns.absent == 0


def pattern_of(X):
    return sp.csr_array((np.ones(X.nnz), X.indices, X.indptr), shape=X.shape).toarray() > 0
