"""Properties that hold for any matrix: symmetries, bounds, agreement of the paths."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsenmf import CoordinateDescent, factorize

from .. import reference
from ..strategies import problems

# Each example runs a whole factorization: fewer of them, and no deadline for a compilation.
thorough = settings(max_examples=30, deadline=None, derandomize=True)


def start(X, n_components, seed=0):
    rng = np.random.default_rng(seed)
    return (
        rng.random((X.shape[0], n_components)).astype(X.dtype),
        rng.random((n_components, X.shape[1])).astype(X.dtype),
    )


def tolerance(dtype):
    return 1e-4 if dtype == np.float32 else 1e-9


@thorough
@given(problems())
def test_factors_are_finite_nonnegative_and_the_objective_is_theirs(problem):
    X, n_components = problem
    model = factorize(X, n_components, max_iter=8, random_state=0, n_threads=2)
    for factor in (model.W, model.H):
        assert np.isfinite(factor).all()
        assert (factor >= 0).all()
    assert (np.diff(model.objective_history) <= 0).all()
    expected = reference.objective(X.toarray(), model.W, model.H)
    norm = np.linalg.norm(X.toarray().astype(float)) ** 2
    assert model.objective == pytest.approx(expected, abs=tolerance(X.dtype) * norm + 1e-30)
    assert model.relative_error <= 1 + tolerance(X.dtype)


@thorough
@given(problems(), st.randoms(use_true_random=False))
def test_order_of_rows_and_columns_does_not_matter(problem, random):
    X, n_components = problem
    rows = random.sample(range(X.shape[0]), X.shape[0])
    columns = random.sample(range(X.shape[1]), X.shape[1])
    W, H = start(X, n_components)
    options = {"max_iter": 2, "solver": CoordinateDescent(extrapolate=False), "tol": 0}
    model = factorize(X, n_components, W=W, H=H, **options)
    moved = factorize(
        X.toarray()[rows][:, columns], n_components, W=W[rows], H=H[:, columns], **options
    )
    assert moved.objective == pytest.approx(
        model.objective, abs=tolerance(X.dtype) * model.x_norm**2 + 1e-30
    )


@thorough
@given(problems())
def test_dense_and_sparse_input_agree(problem):
    X, n_components = problem
    sparse, dense = (
        factorize(data, n_components, max_iter=3, random_state=0)
        for data in (X.tocoo(), X.toarray())
    )
    np.testing.assert_allclose(sparse.W, dense.W, atol=tolerance(X.dtype) * (1 + dense.W.max()))
    assert sparse.objective == pytest.approx(
        dense.objective, abs=tolerance(X.dtype) * dense.x_norm**2 + 1e-30
    )


@thorough
@given(problems())
def test_single_precision_stays_near_double(problem):
    X, n_components = problem
    W, H = start(X.astype(np.float64), n_components)
    # One plain sweep is continuous in the data; which coordinates a second one skips is not.
    options = {
        "W": W,
        "H": H,
        "max_iter": 1,
        "solver": CoordinateDescent(max_sweeps=1, extrapolate=False),
    }
    single = factorize(X.astype(np.float32), n_components, **options)
    double = factorize(X.astype(np.float64), n_components, **options)
    assert single.objective == pytest.approx(double.objective, abs=1e-4 * double.x_norm**2 + 1e-25)


@thorough
@given(problems())
def test_a_row_is_transformed_on_its_own(problem):
    X, n_components = problem
    model = factorize(X, n_components, max_iter=3, random_state=0)
    together = model.transform(X)
    canonical = X.tocsr()
    canonical.sum_duplicates()
    for i in {0, X.shape[0] - 1}:
        np.testing.assert_array_equal(model.transform(canonical[[i]])[0], together[i])


@thorough
@given(problems())
def test_transform_satisfies_the_kkt_conditions(problem):
    X, n_components = problem
    X = X.astype(np.float64)
    model = factorize(X, n_components, max_iter=10, random_state=0)
    W = model.transform(X, tol=1e-9, max_sweeps=100_000)
    gram = model.H @ model.H.T
    cross = X.toarray() @ model.H.T
    scale = np.linalg.norm(X.toarray()) ** 2 + 1e-30
    left = sum(reference.step_length(w, gram @ w - c, gram) for w, c in zip(W, cross, strict=True))
    assert left <= 1e-10 * scale


@thorough
@given(problems())
def test_input_is_never_written_to(problem):
    X, n_components = problem
    before = [array.copy() for array in (X.data, X.indices, X.indptr)]
    factorize(X, n_components, max_iter=2)
    for array, copy in zip((X.data, X.indices, X.indptr), before, strict=True):
        np.testing.assert_array_equal(array, copy)
