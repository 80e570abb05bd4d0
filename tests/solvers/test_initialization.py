"""Starts: NNDSVD against its definition, the randomized SVD against LAPACK."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import CoordinateDescent, factorize
from sparsenmf.data.rows import make_rows
from sparsenmf.solvers.initialization import initialize_factors
from sparsenmf.solvers.svd import orthonormalizer, truncated_svd

from .. import problems, reference


def sides(X, n_components):
    return make_rows(X, n_components), make_rows(X.T.tocsr(), n_components)


@pytest.fixture
def X():
    """Return a matrix whose singular values lie apart, so that its vectors are well defined."""
    X, _, _ = problems.planted(200, 150, 8, noise=0.5)
    return X


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 2e-4), (np.float64, 1e-8)])
def test_truncated_svd_equals_lapack(X, rng, dtype, tolerance):
    X = X.astype(dtype)
    U, S, V = truncated_svd(*sides(X, 6), 6, rng, n_iter=12)
    expected = np.linalg.svd(X.toarray().astype(float))
    np.testing.assert_allclose(S, expected.S[:6], rtol=tolerance)
    np.testing.assert_allclose(np.abs(np.sum(U * expected.U[:, :6], axis=0)), 1, atol=tolerance)
    np.testing.assert_allclose(np.abs(np.sum(V.T * expected.Vh[:6], axis=1)), 1, atol=tolerance)
    assert U.dtype == V.dtype == dtype


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_truncated_svd_finds_values_of_very_different_size(rng, dtype):
    U, V = (np.linalg.qr(rng.standard_normal((n, 40)))[0] for n in (90, 70))
    values = np.geomspace(1, 1e-5, 40)
    X = sp.csr_array(((U * values) @ V.T).astype(dtype))
    _, S, _ = truncated_svd(*sides(X, 20), 20, rng)
    np.testing.assert_allclose(S, values[:20], rtol=1e-4)


def test_orthonormalizer_makes_columns_orthonormal_and_drops_dependent_ones(rng):
    factor = rng.standard_normal((50, 6)) * [1, 10, 1e3, 1, 0, 1]
    factor[:, 3] = factor[:, 0] - 2 * factor[:, 2]
    T = orthonormalizer(factor.T @ factor)
    np.testing.assert_array_equal(T, np.triu(T))
    kept = np.diag([1, 1, 1, 0, 0, 1])
    np.testing.assert_allclose((factor @ T).T @ (factor @ T), kept, atol=1e-9)


def test_svd_explains_as_much_as_scikit_learns(rng):
    extmath = pytest.importorskip("sklearn.utils.extmath")
    X = problems.documents(1500, 900)
    _, S, _ = truncated_svd(*sides(X, 20), 20, rng)
    _, S_ref, _ = extmath.randomized_svd(X, 20, random_state=0)
    assert (S**2).sum() >= 0.999 * (S_ref**2).sum()


def test_nndsvd_equals_its_definition(X, rng):
    W, Ht = initialize_factors(*sides(X, 5), 5, "nndsvd", rng)
    expected_W, expected_H = reference.nndsvd(X.toarray(), 5)
    np.testing.assert_allclose(W[:, :5], expected_W, atol=1e-2 * expected_W.max())
    np.testing.assert_allclose(Ht[:, :5].T, expected_H, atol=1e-2 * expected_H.max())
    assert (W == 0).any()


def fill_of(X):
    """The mean of X, in the unit of the factors."""
    return X.mean() / np.sqrt(X.data.mean())


def test_nndsvda_fills_zeros_with_the_mean(X, rng):
    W, Ht = initialize_factors(*sides(X, 5), 5, "nndsvda", rng)
    for factor in (W[:, :5], Ht[:, :5]):
        assert factor.min() > 0
        assert np.isclose(factor, fill_of(X), rtol=1e-12).any()


def test_nndsvda_of_zeros_and_ones_fills_as_scikit_learn_does(X, rng):
    X = X.sign()
    _initialize_nmf = pytest.importorskip("sklearn.decomposition._nmf")._initialize_nmf
    theirs, _ = _initialize_nmf(X, 5, init="nndsvda", random_state=0)
    zeros = initialize_factors(*sides(X, 5), 5, "nndsvd", rng)[0][:, :5] == 0
    W, _ = initialize_factors(*sides(X, 5), 5, "nndsvda", rng)
    assert zeros.any()
    np.testing.assert_allclose(W[:, :5][zeros], theirs[theirs == X.mean()][0])


def test_nndsvdar_fills_zeros_with_small_random_values(X, rng):
    W, _ = initialize_factors(*sides(X, 5), 5, "nndsvdar", rng)
    zeros = initialize_factors(*sides(X, 5), 5, "nndsvd", np.random.default_rng(0))[0][:, :5] == 0
    filled = W[:, :5][zeros]
    assert (filled > 0).all()
    assert filled.mean() == pytest.approx(fill_of(X) / 100 * np.sqrt(2 / np.pi), rel=0.2)


def test_random_start_follows_scikit_learns_scale(rng):
    X = problems.documents(1500, 900)
    W, Ht = initialize_factors(*sides(X, 9), 9, "random", rng)
    scale = np.sqrt(X.mean() / 9)
    for factor in (W, Ht):
        assert not factor[:, 9:].any()
        assert factor[:, :9].mean() == pytest.approx(scale * np.sqrt(2 / np.pi), rel=0.05)


def test_rank_below_n_components_leaves_components_out(rng):
    X = problems.odd_matrices()["equal rows"]
    model = factorize(X, 3, init="nndsvd", random_state=0)
    assert model.relative_error < 1e-6


def test_nndsvd_starts_lower_than_random():
    X = problems.documents(1500, 900)
    random, svd = (
        factorize(X, 10, init=init, random_state=0, max_iter=1).objective
        for init in ("random", "nndsvd")
    )
    assert svd < random


NNDSVD = ("nndsvd", "nndsvda", "nndsvdar")

SIZES = {
    np.float32: (1e-14, 1e-12, 1e-9, 1e-5, 1e5, 5e9, 1e10, 1e14),
    np.float64: (1e-99, 1e-90, 1e-50, 1e-12, 1e12, 1e50, 1e90, 1e99),
}


@pytest.mark.parametrize("init", ["random", *NNDSVD])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(8, 7), (60, 9), (9, 60)])
@pytest.mark.filterwarnings("error")
def test_the_start_of_a_multiple_of_X_is_that_of_X(init, dtype, shape):
    X = np.random.default_rng(3).random(shape) * (np.random.default_rng(4).random(shape) < 0.7)

    def start(size, **options):
        scaled = sp.csr_array((X * size).astype(dtype))
        rng = np.random.default_rng(0)
        W, Ht = initialize_factors(*sides(scaled, 3), 3, init, rng, **options)
        return [factor.astype(float) / np.sqrt(size) for factor in (W, Ht)]

    for options in ({}, {"solver": "mu"}, {"beta": 1.0}, {"beta": 0.5, "solver": "mu"}):
        expected = start(1.0, **options)
        for size in SIZES[dtype]:
            for factor, other in zip(start(size, **options), expected, strict=True):
                atol = (1e-4 if dtype == np.float32 else 1e-9) * other.max()
                np.testing.assert_allclose(factor, other, atol=atol)


@pytest.mark.parametrize("init", NNDSVD)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "options", [{}, {"solver": CoordinateDescent(low_memory=True)}, {"missing": "unknown"}]
)
@pytest.mark.filterwarnings("error")
def test_a_fit_of_a_multiple_of_X_is_as_good(init, dtype, options):
    B = np.random.default_rng(3).random((8, 7))
    best = np.linalg.svd(B)[1][2:]
    best = np.sqrt((best**2).sum()) / np.linalg.norm(B)  # no factors of rank two are nearer
    for size in SIZES[dtype]:
        X = (B * size).astype(dtype)
        model = factorize(X, 2, init=init, random_state=0, **options)
        error = np.linalg.norm(B - (model.W / size).astype(float) @ model.H) / np.linalg.norm(B)
        assert best <= error < 0.35, size
        assert model.relative_error == pytest.approx(error, rel=1e-4), size


def structures():
    """Yield X and n_components, where singular vectors of X have zeros that rounding hides."""
    rng = np.random.default_rng(0)
    yield np.array([[3.0, 1, 0, 0], [0, 0, 2, 5]]), 1
    yield np.diag([3.0, 1, 2, 5]), 1
    yield np.eye(6)[rng.integers(0, 6, 40)], 1  # one-hot
    yield np.kron(np.eye(3), rng.random((4, 5)) + 0.1), 1
    yield np.vstack([np.eye(5), np.zeros((2, 5))]), 1


def rank_one(X):
    """Return the Kullback-Leibler loss of the best component, the outer product of the sums."""
    Y = np.outer(X.sum(axis=1), X.sum(axis=0)) / X.sum()
    return np.sum(X[X > 0] * np.log(X[X > 0] / Y[X > 0]))


@pytest.mark.parametrize("init", NNDSVD)
@pytest.mark.parametrize("solver", ["cd", "mu"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_zeros_that_rounding_hides_are_filled(init, solver, dtype):
    for X, n_components in structures():
        options = {"loss": "kullback-leibler", "solver": solver, "init": init, "random_state": 0}
        model = factorize(X.astype(dtype), n_components, **options)
        assert model.objective == pytest.approx(rank_one(X), rel=1e-3)


@pytest.mark.parametrize("beta", [0.5, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("init", NNDSVD)
def test_no_entry_of_a_start_for_multiplicative_updates_is_next_to_zero(beta, init):
    for X, n_components in structures():
        for k in (n_components, min(3, *X.shape)):
            rng, X = np.random.default_rng(0), sp.csr_array(X)
            for factor in initialize_factors(*sides(X, k), k, init, rng, beta=beta, solver="mu"):
                assert factor[:, :k].min() > 1e-9 * factor.max()


@pytest.mark.parametrize("beta", [0.5, 1.5])
def test_other_losses_end_as_low_from_nndsvd_as_from_random_starts(beta):
    for X, n_components in structures():
        best = min(
            factorize(X, n_components, loss=beta, random_state=seed).objective for seed in range(5)
        )
        for init in NNDSVD:
            model = factorize(X, n_components, loss=beta, init=init, random_state=0)
            assert model.objective <= best * 1.01
