"""Starts: NNDSVD against its definition, the randomized SVD against LAPACK."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import factorize
from sparsenmf.initialization import initialize, orthonormalizer, truncated_svd
from sparsenmf.rows import make_rows

from . import problems, reference


def sides(X, n_components):
    return make_rows(X, n_components), make_rows(X.T.tocsr(), n_components)


@pytest.fixture
def X():
    """A matrix with separated singular values, so that singular vectors are well defined."""
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
    W, Ht = initialize(*sides(X, 5), 5, "nndsvd", rng)
    expected_W, expected_H = reference.nndsvd(X.toarray(), 5)
    np.testing.assert_allclose(W[:, :5], expected_W, atol=1e-2 * expected_W.max())
    np.testing.assert_allclose(Ht[:, :5].T, expected_H, atol=1e-2 * expected_H.max())
    assert (W == 0).any()


def test_nndsvda_fills_zeros_with_the_mean(X, rng):
    W, Ht = initialize(*sides(X, 5), 5, "nndsvda", rng)
    mean = X.mean()
    for factor in (W[:, :5], Ht[:, :5]):
        assert factor.min() > 0
        assert (factor == mean).any()


def test_nndsvdar_fills_zeros_with_small_random_values(X, rng):
    W, _ = initialize(*sides(X, 5), 5, "nndsvdar", rng)
    zeros = initialize(*sides(X, 5), 5, "nndsvd", np.random.default_rng(0))[0][:, :5] == 0
    filled = W[:, :5][zeros]
    assert (filled > 0).all()
    assert filled.mean() == pytest.approx(X.mean() / 100 * np.sqrt(2 / np.pi), rel=0.2)


def test_random_start_follows_scikit_learns_scale(rng):
    X = problems.documents(1500, 900)
    W, Ht = initialize(*sides(X, 9), 9, "random", rng)
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
