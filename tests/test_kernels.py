"""Each kernel against its literal NumPy twin, and bit equality of all its compilations."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf.data.factors import empty_factor, pad_factor, padded_width
from sparsenmf.data.rows import even_blocks, make_rows
from sparsenmf.kernels import coordinate_descent, multiplicative, products, transpose
from sparsenmf.kernels.gram import add_grams, multiply_factor
from sparsenmf.kernels.vector import tiles
from sparsenmf.solvers.numerics import exact_gram
from sparsenmf.solvers.penalties import make_penalty
from sparsenmf.solvers.row_update.divergences import exponent

from . import reference

# Rounding of a sum of n products: n * eps in the worst case, sqrt(n) * eps as a rule.
TOLERANCE = {np.float32: 2e-5, np.float64: 1e-12}
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
WIDTHS = pytest.mark.parametrize("n_components", [1, 3, 8, 20, 50, 65, 130])


def make_problem(rng, n_components, dtype, n_rows=70, n_columns=90):
    X = sp.random_array((n_rows, n_columns), density=0.15, rng=rng, dtype=float).toarray()
    X[[0, 13]] = 0
    X[:, 5] = 0
    other = rng.random((n_columns, n_components)) * (rng.random((n_columns, n_components)) < 0.6)
    factor = rng.random((n_rows, n_components)) * (rng.random((n_rows, n_components)) < 0.5)
    return X.astype(dtype), other.astype(dtype), factor.astype(dtype)


def tall_rows(X, n_components):
    """`Rows` in two blocks only, of several tiles and chunks if there are some hundred rows."""
    middle = len(X) // 3
    blocks = np.array([[middle, len(X)], [0, middle]])
    return make_rows(sp.csr_array(X), n_components)._replace(blocks=blocks)


def run_update(
    X, other, factor, *, l1=0.0, l2=0.0, sums=None, fade=0.0,
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
        padded,
        gram.astype(dtype),
        make_penalty(l1, l2, padded.shape[1]),
        np.empty((0, *start.shape), dtype) if sums is None else sums,
        dtype(fade),
        start,
        out,
        max_sweeps,
        dtype(tolerance),
        measure,
        partials,
        statistics,
    )
    np.testing.assert_array_equal(start[:, : factor.shape[1]], factor)
    assert max_sweeps or not out.any()  # with no sweeps nothing is written
    return out if max_sweeps else start, statistics.sum(axis=0), partials


@DTYPES
@pytest.mark.parametrize("max_sweeps", [0, 2])
def test_coordinates_without_curvature_feel_the_penalty(dtype, max_sweeps, rng):
    """A component that is zero in the other factor: zero is best with L1, else all is alike."""
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
def test_update_rows_adds_what_other_columns_came_to(dtype, fade, n_parts, rng):
    X, other, factor = make_problem(rng, 6, dtype)
    earlier = rng.random((n_parts, 70, 6)).astype(dtype)
    sums = np.stack([pad_factor(part, dtype) for part in earlier])
    out, _, _ = run_update(X, other, factor, sums=sums, fade=fade, l1=0.05)
    total = fade * earlier.astype(float).sum(axis=0) + X.astype(float) @ other.astype(float)
    wide = other.astype(float)
    # Data that the unit matrix leaves as they are.
    expected, _, _ = reference.update_rows(total, np.eye(6), wide.T @ wide, 0.05, factor, 2, 0.1)
    tolerance = TOLERANCE[dtype] * 10
    np.testing.assert_allclose(sums[0, :, :6], total, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(out[:, :6], expected, rtol=tolerance, atol=tolerance)


@DTYPES
@WIDTHS
@pytest.mark.parametrize("n_threads", [1, 2])
def test_scatter_rows_is_the_product_with_the_transpose(dtype, n_components, n_threads, rng):
    X, _, factor = make_problem(rng, n_components, dtype)
    rows = make_rows(sp.csr_array(X), n_components)
    start = rng.random((3, 90, padded_width(n_components, dtype))).astype(dtype)
    sums, padded = start.copy(), pad_factor(factor, dtype)
    parts = np.array([0, 20, 20, 70])
    products.scatter_rows(n_threads, rows, parts, padded, sums)
    for p in range(3):
        part = slice(parts[p], parts[p + 1])
        expected = start[p] + X[part].astype(float).T @ padded[part].astype(float)
        np.testing.assert_allclose(sums[p], expected, rtol=TOLERANCE[dtype] * 10)


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
    parts = np.array([0, 5, 5, 40])
    multiplicative.scatter_ratios(n_threads, rows, parts, W, Ht, sums)
    for p in range(3):
        part = slice(parts[p], parts[p + 1])
        expected = start[p] + reference.scatter_ratios(X[part], W[part], Ht)
        np.testing.assert_allclose(sums[p], expected, rtol=TOLERANCE[dtype] * 20)


def run_multiplicative(X, other, factor, earlier, beta, mode=multiplicative.UPDATE, n_threads=1):
    dtype, width = X.dtype.type, padded_width(other.shape[1], X.dtype)
    rows = tall_rows(X, other.shape[1])
    padded, start = pad_factor(other, dtype), pad_factor(factor, dtype)
    earlier = np.array([pad_factor(part, dtype) for part in earlier]).reshape(-1, *start.shape)
    out, statistics = np.full_like(start, np.nan), np.full((rows.n_blocks, 2), np.nan)
    penalty = make_penalty(0.05, 0.3, width)
    if beta == 2:
        gram, partials = exact_gram(padded).astype(dtype), np.full((2, width, width), np.nan)
        multiplicative.scale_rows(
            n_threads, rows, padded, gram, penalty, earlier, start, out, partials, statistics
        )
        expected = exact_gram(out)
        atol = TOLERANCE[dtype] * expected.max()
        np.testing.assert_allclose(add_grams(partials), expected, atol=atol)
    else:
        multiplicative.scale_rows_beta(
            n_threads, rows, padded, padded.sum(axis=0, dtype=float), beta, exponent(beta), 0.0,
            penalty, earlier, start, out, mode, statistics,
        )  # fmt: skip
    assert not np.nan_to_num(out[:, other.shape[1] :]).any()
    return out[:, : other.shape[1]], statistics.sum(axis=0)


@DTYPES
@WIDTHS
@pytest.mark.parametrize("beta", [1.0, 2.0])
def test_multiplicative_updates_add_what_other_columns_came_to(dtype, n_components, beta, rng):
    X, other, factor = make_problem(rng, n_components, dtype, n_rows=500)
    expected = reference.scale_rows(X, other, beta, 0.05, 0.3, factor)
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
    expected = reference.scale_rows(X, other, beta, 0.05, 0.3, factor)
    np.testing.assert_allclose(updated, expected, rtol=TOLERANCE[dtype] * 20)
    np.testing.assert_array_equal(out, updated)
    assert statistics[0] == objective[0] != 0
    if beta == 1:
        wide = factor.astype(float)
        expected = reference.divergence(X, wide, other.T, 1) + X.sum(dtype=float)
        expected += 0.05 * wide.sum() + 0.15 * (wide**2).sum()
        assert statistics[0] == pytest.approx(expected, rel=1e-5)


@DTYPES
@WIDTHS
def test_multiply_factor_equals_the_product(rng, dtype, n_components):
    factor = pad_factor(rng.random((500, n_components)), dtype)
    expected = exact_gram(factor)
    for n_threads in (1, 2):
        partials = np.full((3, *2 * factor.shape[1:]), np.nan)
        multiply_factor(n_threads, factor, np.array([[170, 500], [3, 170], [0, 3]]), partials)
        np.testing.assert_allclose(add_grams(partials), expected, rtol=TOLERANCE[dtype])


def test_add_grams_adds_the_upper_triangles(rng):
    partials = rng.random((5, 12, 12))
    expected = np.triu(partials.sum(axis=0))
    expected += np.triu(expected, 1).T
    np.testing.assert_allclose(add_grams(partials), expected, rtol=1e-15)
    assert not add_grams(partials[:0]).any()


@DTYPES
@WIDTHS
@pytest.mark.parametrize(("max_sweeps", "measure"), [(0, False), (1, False), (2, True), (4, False)])
def test_update_rows_equals_reference(rng, dtype, n_components, max_sweeps, measure):
    # With many rows a block has several tiles, whole ones and the rest; with few, a rest only.
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
    # Rounding may decide whether a row gets one more sweep: compare where both agree.
    close = np.isclose(out[:, :n_components], expected, atol=50 * TOLERANCE[dtype] * scale)
    assert close.all(axis=1).mean() >= (0.95 if max_sweeps == 4 and dtype == np.float32 else 1)
    rtol = 5e-3 if dtype == np.float32 else 1e-9
    atol = TOLERANCE[dtype] * abs(sums[0])  # a single coordinate has nothing left to do
    np.testing.assert_allclose(statistics, sums, rtol, atol)
    assert not out[:, n_components:].any()


@DTYPES
def test_to_measure_changes_nothing_else(rng, dtype):
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
def test_a_row_does_not_depend_on_its_tile(rng, dtype):
    """Bit for bit: rows that need more sweeps never move their neighbours."""
    X, other, factor = make_problem(rng, 7, dtype, n_rows=40)
    together, _, _ = run_update(X, other, factor, max_sweeps=50, tolerance=1e-3)
    for i in range(len(X)):
        alone, _, _ = run_update(X[[i]], other, factor[[i]], max_sweeps=50, tolerance=1e-3)
        np.testing.assert_array_equal(alone[0], together[i])


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


@DTYPES
@pytest.mark.parametrize("kind", [np.int32, np.int64])
@pytest.mark.parametrize("cuts", [[0, 70], [0, 30, 70], [0, 0, 1, 69, 70]])
def test_move_entries_equals_reference(rng, dtype, kind, cuts):
    X = sp.csr_array(make_problem(rng, 3, dtype)[0])
    X.indices = X.indices.astype(kind)
    rows = make_rows(X, 3)
    data, indices = np.full(X.nnz, np.nan, dtype), np.full(X.nnz, -1, kind)
    indptr = np.append(0, np.full(X.shape[1], -1))
    heads = np.zeros((len(cuts) - 1, X.shape[1]), np.int64)
    transpose.move_entries(2, rows, np.array(cuts), heads, data, indices, indptr)
    expected = reference.transpose(X.data, X.indices, X.indptr, X.shape[1])
    for array, wanted in zip((data, indices, indptr), expected, strict=True):
        np.testing.assert_array_equal(array, wanted)


@pytest.mark.parametrize("shape", [(3000, 400), (400, 3000), (1, 50), (50, 1), (1, 1)])
def test_transpose_rows_is_the_same_on_any_number_of_threads(rng, shape):
    X = sp.csr_array(sp.random_array(shape, density=0.3, rng=rng))
    expected = make_rows(X.T.tocsr(), 4)
    for n_threads in (1, 2, 3):
        columns = transpose.transpose_rows(make_rows(X, 4), shape[1], 4, n_threads)
        for array, wanted in zip(columns[:-1], expected[:-1], strict=True):
            np.testing.assert_array_equal(array, wanted)
            assert array.dtype == wanted.dtype
            assert not array.flags.writeable


def test_a_block_that_ends_early_is_an_error():
    """As one does for whose scratch arrays there is no memory, if its thread loses the error."""
    from sparsenmf.kernels.compile.interrupts import in_pieces

    rows = make_rows(sp.random_array((600, 40), density=0.1, rng=0, format="csr"), 3)
    marks = np.zeros((rows.n_blocks, 2))

    def run(part, marks):
        marks[:-1] = 0

    with pytest.raises(MemoryError, match="no memory for the scratch arrays"):
        in_pieces(run, (rows, marks), (1,), 0, 2)

    def fail(part, marks):
        marks[:-1] = 0
        raise SystemError("returned a result with an exception set")

    with pytest.raises(MemoryError, match="no memory for the scratch arrays"):
        in_pieces(fail, (rows, marks), (1,), 0, 2)
