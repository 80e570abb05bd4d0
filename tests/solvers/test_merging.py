"""Merging components: those that are alike become one, and nothing of W H gets lost."""

import numpy as np
import pytest

from sparsenmf.data.factors import pad_factor
from sparsenmf.solvers.merging import group_components, merge_components, merge_squares

DTYPES = [np.float32, np.float64]


def merge(W, Ht, n_kept, dtype=np.float64):
    factors = [pad_factor(np.asarray(factor, dtype), np.dtype(dtype)) for factor in (W, Ht)]
    grams = [np.sqrt(factor).T @ np.sqrt(factor) for factor in (W, Ht)]
    merged = merge_components(factors, grams, n_kept)
    assert not any(factor[:, n_kept:].any() for factor in merged)
    return [factor[:, :n_kept] for factor in merged]


@pytest.fixture
def factors():
    rng = np.random.default_rng(0)
    return rng.gamma(0.3, size=(60, 5)), rng.gamma(0.3, size=(40, 5))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("side", [0, 1])
def test_a_component_that_is_there_twice_becomes_one(factors, side, dtype):
    rng = np.random.default_rng(1)
    more = [np.column_stack([factor, rng.gamma(0.3, size=len(factor))]) for factor in factors]
    more[side][:, 5] = 7 * more[side][:, 2]  # one profile, whatever the scale
    W_new, Ht_new = merge(*more, 5, dtype)
    assert W_new.dtype == Ht_new.dtype == dtype
    np.testing.assert_allclose(W_new @ Ht_new.T, more[0] @ more[1].T, rtol=1e-5)


@pytest.mark.parametrize("n_kept", [1, 2, 3, 5])
def test_rows_and_columns_keep_their_sums(factors, n_kept):
    W, Ht = factors
    before, (W_new, Ht_new) = W @ Ht.T, merge(*factors, n_kept)
    assert W_new.shape == (60, n_kept)
    for axis in (0, 1):
        sums = (W_new @ Ht_new.T).sum(axis=axis)
        np.testing.assert_allclose(sums, before.sum(axis=axis))


@pytest.mark.parametrize("scale", [1e-60, 1e60])
def test_scale_does_not_matter(factors, scale):
    W, Ht = factors
    rates = np.array([1, 2, 4, 8, 16])
    for one, other in zip(merge(W, Ht, 3), merge(W * scale * rates, Ht / rates, 3), strict=True):
        np.testing.assert_allclose(other, one * np.sqrt(scale))


def test_components_of_zeros_go_first(factors):
    W, Ht = factors
    W[:, [1, 3]] = 0
    W_new, Ht_new = merge(W, Ht, 3)
    np.testing.assert_allclose(W_new @ Ht_new.T, W @ Ht.T)
    empty = merge(np.zeros((6, 4)), np.zeros((5, 4)), 2)
    assert not any(factor.any() for factor in empty)


def test_the_smaller_of_equally_different_components_is_merged():
    likeness = np.full((4, 4), 0.5)
    np.fill_diagonal(likeness, 1.0)
    groups = group_components(np.array([9.0, 1.0, 8.0, 2.0]), [likeness, likeness], 3)
    assert sorted(map(sorted, groups)) == [[0], [1, 3], [2]]


def test_likeness_in_one_factor_is_enough():
    alike = np.eye(3)
    alike[0, 2] = alike[2, 0] = 0.9
    for likenesses in ([np.eye(3), alike], [alike, np.eye(3)]):
        assert group_components(np.ones(3), likenesses, 2) == [[0, 2], [1]]


@pytest.mark.parametrize(
    ("of_one", "of_other", "merged"),
    [
        ((0.8, 0.0), (0.7, 0.7), [2, 3]),  # the larger cosine alone says the first pair
        ((0.8, 0.0), (0.5, 0.35), [0, 1]),  # the sum of both cosines says the second pair
        ((1.0, 0.0), (0.9, 0.9), [0, 1]),  # one profile for both: nothing is lost
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_what_differs_in_both_factors_counts(of_one, of_other, merged, order):
    likenesses = np.tile(np.eye(4), (2, 1, 1))
    for (r, s), likeness in (((0, 1), of_one), ((2, 3), of_other)):
        likenesses[:, r, s] = likenesses[:, s, r] = likeness
    groups = group_components(np.ones(4), likenesses[::order], 3)
    assert merged in groups


# For the Frobenius loss.


def merge_for_squares(W, Ht, n_kept, dtype=np.float64):
    factors = [pad_factor(np.asarray(factor, dtype), np.dtype(dtype)) for factor in (W, Ht)]
    merged = merge_squares(factors, [factor.T @ factor for factor in (W, Ht)], n_kept)
    assert not any(factor[:, n_kept:].any() for factor in merged)
    assert all((factor >= 0).all() for factor in merged)
    return [factor[:, :n_kept] for factor in merged]


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_pair_that_loses_least_becomes_its_best_approximation(factors, dtype):
    """By the definition: the SVD of the sum of each two components."""
    W, Ht = factors
    pairs = [(i, j) for i in range(5) for j in range(i + 1, 5)]
    svds = [np.linalg.svd(W[:, p] @ Ht[:, p].T) for p in map(list, pairs)]
    U, S, Vt = svds[np.argmin([S[1] for _, S, _ in svds])]
    best = pairs[np.argmin([S[1] for _, S, _ in svds])]
    others = [r for r in range(5) if r not in best]
    expected = S[0] * np.outer(U[:, 0], Vt[0]) + W[:, others] @ Ht[:, others].T
    W_new, Ht_new = merge_for_squares(W, Ht, 4, dtype)
    assert W_new.dtype == Ht_new.dtype == dtype
    np.testing.assert_allclose(
        W_new @ Ht_new.T, expected, rtol=1e-4 if dtype == np.float32 else 1e-9
    )


@pytest.mark.parametrize("side", [0, 1])
def test_what_differs_on_one_side_alone_becomes_one_without_loss(factors, side):
    rng = np.random.default_rng(1)
    more = [np.column_stack([factor, rng.gamma(0.3, size=(len(factor), 2))]) for factor in factors]
    more[side][:, 5], more[side][:, 6] = 7 * more[side][:, 2], 0.1 * more[side][:, 2]
    W_new, Ht_new = merge_for_squares(*more, 5)
    np.testing.assert_allclose(W_new @ Ht_new.T, more[0] @ more[1].T, rtol=1e-9)


@pytest.mark.parametrize("scale", [1e-60, 1e60])
def test_scale_does_not_matter_for_squares(factors, scale):
    W, Ht = factors
    rates = np.array([1e-9, 2, 4e9, 8, 16])
    W_new, Ht_new = merge_for_squares(W * scale * rates, Ht / rates, 3)
    one, other = merge_for_squares(W, Ht, 3)
    np.testing.assert_allclose(W_new @ Ht_new.T, one @ other.T * scale)


def test_squares_of_zeros_and_of_strangers(factors):
    W, Ht = factors
    W[:, [1, 3]] = 0
    Ht[:, 0] = 0
    W_new, Ht_new = merge_for_squares(W, Ht, 2)
    np.testing.assert_allclose(W_new @ Ht_new.T, W @ Ht.T)
    assert not np.array(merge_for_squares(np.zeros((5, 4)), np.zeros((5, 4)), 2)).any()
    W_new, Ht_new = merge_for_squares(np.eye(3), np.diag([3.0, 1.0, 2.0]), 2)
    np.testing.assert_allclose(W_new @ Ht_new.T, np.diag([3.0, 0.0, 2.0]))  # the smallest goes


def test_all_can_become_one(factors):
    W_new, Ht_new = merge_for_squares(*factors, 1)
    assert W_new.shape == (60, 1)
    assert np.isfinite(W_new @ Ht_new.T).all()
