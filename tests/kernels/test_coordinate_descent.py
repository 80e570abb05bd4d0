"""Coordinate descent on rows, and momentum, against their literal twins."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf.data.factors import empty_factor, pad_factor
from sparsenmf.data.rows import make_rows
from sparsenmf.kernels import coordinate_descent
from sparsenmf.kernels.gram import add_grams
from sparsenmf.kernels.operands import Earlier, Side, Sweeps
from sparsenmf.kernels.vector import tiles
from sparsenmf.solvers.numerics import exact_gram
from sparsenmf.solvers.penalties import make_penalty

from .. import reference
from .sides import DTYPES, TOLERANCE, WIDTHS, make_problem
from .vector.compiling import compiled


def run_update(
    X, other, factor, *, l1=0.0, l2=0.0, earlier=None, fade=0.0,
    max_sweeps=2, tolerance=0.1, measure=False, n_threads=1, want_gram=True,
):  # fmt: skip
    dtype = X.dtype.type
    rows = make_rows(sp.csr_array(X), other.shape[1])
    padded = pad_factor(other, dtype)
    depth = tiles.sweep_depth(other.shape[1])
    gram = (exact_gram(padded) + l2 * np.eye(padded.shape[1]))[:depth, :depth].copy()
    out = empty_factor(factor.shape, dtype)
    partials = np.full((rows.n_blocks if want_gram else 0, *2 * padded.shape[1:]), np.nan)
    statistics = np.full((rows.n_blocks, 2), np.nan)
    start = pad_factor(factor, dtype)
    coordinate_descent.update_rows(
        n_threads,
        rows,
        Side(padded, gram.astype(dtype)),
        make_penalty(l1, l2, padded.shape[1]),
        Earlier(np.empty((0, *start.shape), dtype) if earlier is None else earlier, dtype(fade)),
        start,
        out,
        Sweeps(max_sweeps, dtype(tolerance), residual=measure),
        partials,
        statistics,
    )
    np.testing.assert_array_equal(start[:, : factor.shape[1]], factor)
    assert max_sweeps or not out.any()  # with no sweeps nothing is written
    return out if max_sweeps else start, statistics.sum(axis=0), partials


@DTYPES
@pytest.mark.parametrize("max_sweeps", [0, 2])
def test_coordinates_without_curvature_feel_the_penalty(dtype, max_sweeps, rng):
    """The other factor's component is zero: zero is best with L1; without, any value is as good."""
    X, other, factor = make_problem(rng, 6, dtype)
    other[:, 2] = 0
    for l1 in (0.0, 0.05):
        out, statistics, _ = run_update(X, other, factor, max_sweeps=max_sweeps, l1=l1)
        wide = other.astype(float)
        gram, penalty = wide.T @ wide, dtype(l1)
        expected = reference.update_rows(X, wide, gram, penalty, factor, max_sweeps, 0.1)
        np.testing.assert_allclose(out[:, :6], expected[0], rtol=1e-3, atol=1e-5)
        np.testing.assert_array_equal(out[:, 2], 0 if l1 and max_sweeps else factor[:, 2])
        residual = expected[2] if max_sweeps == 0 else 0.0
        np.testing.assert_allclose(statistics, [expected[1], residual], rtol=1e-4)


@DTYPES
@pytest.mark.parametrize("fade", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("n_parts", [1, 3])
def test_update_rows_adds_products_with_other_columns(dtype, fade, n_parts, rng):
    X, other, factor = make_problem(rng, 6, dtype)
    earlier = rng.random((n_parts, 70, 6)).astype(dtype)
    sums = np.stack([pad_factor(part, dtype) for part in earlier])
    out, _, _ = run_update(X, other, factor, earlier=sums, fade=fade, l1=0.05)
    total = fade * earlier.astype(float).sum(axis=0) + X.astype(float) @ other.astype(float)
    wide = other.astype(float)
    # With the unit matrix as the other factor, the totals are both the data and the products.
    expected, _, _ = reference.update_rows(total, np.eye(6), wide.T @ wide, 0.05, factor, 2, 0.1)
    tolerance = TOLERANCE[dtype] * 10
    np.testing.assert_allclose(sums[0, :, :6], total, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(out[:, :6], expected, rtol=tolerance, atol=tolerance)


@DTYPES
@WIDTHS
@pytest.mark.parametrize(("max_sweeps", "measure"), [(0, False), (1, False), (2, True), (4, False)])
def test_update_rows_equals_reference(rng, dtype, n_components, max_sweeps, measure):
    # With many rows a block has whole lane tiles and a last, partial one; with few, only that.
    n_rows = 700 if n_components == 3 else 70
    X, other, factor = make_problem(rng, n_components, dtype, n_rows=n_rows)
    l1, l2 = 0.05, 0.3
    out, statistics, _ = run_update(
        X, other, factor, l1=l1, l2=l2, max_sweeps=max_sweeps, measure=measure
    )
    wide = other.astype(float)
    gram = wide.T @ wide + l2 * np.eye(n_components)
    expected, *sums = reference.update_rows(
        X.astype(float), wide, gram, l1, factor, max_sweeps, 0.1, measure=measure
    )
    scale = max(1.0, np.abs(expected).max())
    # Rounding may decide whether a row gets one more sweep, so compare rows where both agree.
    close = np.isclose(out[:, :n_components], expected, atol=50 * TOLERANCE[dtype] * scale)
    assert close.all(axis=1).mean() >= (0.95 if max_sweeps == 4 and dtype == np.float32 else 1)
    rtol = 5e-3 if dtype == np.float32 else 1e-9
    atol = TOLERANCE[dtype] * abs(sums[0])  # a single coordinate has nothing left to do
    np.testing.assert_allclose(statistics, sums, rtol, atol)
    assert not out[:, n_components:].any()


@DTYPES
def test_measuring_changes_nothing_else(rng, dtype):
    X, other, factor = make_problem(rng, 20, dtype)
    (out, (value, none), _), (same, (again, residual), _) = (
        run_update(X, other, factor, measure=measure) for measure in (False, True)
    )
    np.testing.assert_array_equal(same, out)
    assert (again, none) == (value, 0)
    _, (_, alone), _ = run_update(X, other, out[:, :20], max_sweeps=0)
    assert residual == alone > 0


@DTYPES
@WIDTHS
def test_update_rows_sums_the_gram_matrix(rng, dtype, n_components):
    X, other, factor = make_problem(rng, n_components, dtype, n_rows=700)
    out, _, partials = run_update(X, other, factor)
    expected = out.astype(float).T @ out.astype(float)
    np.testing.assert_allclose(
        add_grams(partials), expected, rtol=TOLERANCE[dtype], atol=1e-6 * expected.max()
    )


@DTYPES
def test_update_rows_reports_the_objective_of_what_it_wrote(rng, dtype):
    X, other, factor = make_problem(rng, 6, dtype)
    out, statistics, _ = run_update(X, other, factor)
    W, H = out[:, :6].astype(float), other.T.astype(float)
    fit = statistics[0] + 0.5 * np.linalg.norm(X.astype(float)) ** 2
    assert fit == pytest.approx(reference.objective(X, W, H), rel=TOLERANCE[dtype])


def test_update_rows_leaves_a_component_that_is_zero_in_the_other_factor(rng):
    X, other, factor = make_problem(rng, 5, np.float64)
    other[:, 2] = 0
    out, statistics, _ = run_update(X, other, factor)
    np.testing.assert_array_equal(out[:, 2], factor[:, 2])
    assert np.isfinite(statistics).all()


@DTYPES
@pytest.mark.parametrize("n_components", [3, 20, 50])
def test_update_rows_gives_the_same_bits_in_every_compilation(rng, dtype, n_components):
    X, other, factor = make_problem(rng, n_components, dtype, n_rows=500, n_columns=400)
    runs = [run_update(X, other, factor, l1=0.01, n_threads=n) for n in (1, 2, 3)]
    for out, statistics, partials in runs[1:]:
        np.testing.assert_array_equal(out, runs[0][0])
        np.testing.assert_array_equal(statistics, runs[0][1])
        np.testing.assert_array_equal(np.triu(partials), np.triu(runs[0][2]))


@DTYPES
def test_a_row_does_not_depend_on_its_neighbours_in_a_lane_tile(rng, dtype):
    """Neighbours in a lane tile that need more sweeps do not change a bit of it."""
    X, other, factor = make_problem(rng, 7, dtype, n_rows=40)
    together, _, _ = run_update(X, other, factor, max_sweeps=50, tolerance=1e-3)
    for i in range(len(X)):
        alone, _, _ = run_update(X[[i]], other, factor[[i]], max_sweeps=50, tolerance=1e-3)
        np.testing.assert_array_equal(alone[0], together[i])


@DTYPES
@pytest.mark.parametrize("n_parts", [1, 3])
def test_earlier_products_are_added(rng, dtype, n_parts):
    crosses = rng.random((8, 24)).astype(dtype)
    sums = rng.random((n_parts, 30, 24)).astype(dtype)
    total = crosses.copy()
    total[:5] += 0.3 * sums[:, 11:16].sum(axis=0)
    for run in (compiled(coordinate_descent.add_earlier), coordinate_descent.add_earlier):
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
    for run in (compiled(coordinate_descent.restrict_rows), coordinate_descent.restrict_rows):
        found = crosses.copy()
        run(found, l1, support if supported else support[:0], 11, 5)
        kept = support[11:16] | (not supported)
        np.testing.assert_allclose(found[:5][kept], expected[:5][kept], rtol=TOLERANCE[dtype])
        assert (found[:5][~kept] < out).all()
        np.testing.assert_array_equal(found[5:], crosses[5:])


@DTYPES
@pytest.mark.parametrize("beta", [0.0, 0.7])
def test_extrapolate_rows_equals_definition(rng, dtype, beta):
    current, previous = (pad_factor(rng.random((300, 11)), dtype) for _ in range(2))
    expected = np.maximum(0, current + dtype(beta) * (current - previous))
    blocks = np.array([[0, 10], [10, 10], [155, 300], [10, 155]])
    runs = []
    for n_threads in (1, 2, 3):
        partials, result = np.full((4, *2 * current.shape[1:]), np.nan), previous.copy()
        coordinate_descent.extrapolate_rows(
            n_threads, current, result, dtype(beta), dtype(0), blocks, partials
        )
        runs.append((result, add_grams(partials)))
    result, gram = runs[0]
    np.testing.assert_allclose(result, expected, atol=1e-6 if dtype == np.float32 else 1e-15)
    assert (result[:, :11] == 0).any() == (beta > 0)
    np.testing.assert_allclose(gram, exact_gram(result), rtol=TOLERANCE[dtype])
    for other_result, other_gram in runs[1:]:
        np.testing.assert_array_equal(other_result, result)
        np.testing.assert_array_equal(other_gram, gram)


def test_a_block_that_ends_early_is_an_error():
    """That happens when there is no memory for scratch arrays and the thread loses the error."""
    from sparsenmf.kernels.compile.interrupts import call_interruptibly

    rows = make_rows(sp.random_array((600, 40), density=0.1, rng=0, format="csr"), 3)
    marks = np.zeros((rows.n_blocks, 2))

    def run(part, marks):
        marks[:-1] = 0

    with pytest.raises(MemoryError, match="no memory for the scratch arrays"):
        call_interruptibly(run, (rows, marks), (1,), 0, 2)

    def fail(part, marks):
        marks[:-1] = 0
        raise SystemError("returned a result with an exception set")

    with pytest.raises(MemoryError, match="no memory for the scratch arrays"):
        call_interruptibly(fail, (rows, marks), (1,), 0, 2)
