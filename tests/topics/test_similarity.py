"""Similarity of components, and the hierarchy and layout that are made of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsenmf.topics.similarity import topic_hierarchy, topic_layout, topic_order, topic_similarity


def cosines(H):
    """The cosines by their definition."""
    result = np.zeros((len(H), len(H)))
    for r, one in enumerate(H):
        for s, other in enumerate(H):
            length = np.sqrt((one**2).sum()) * np.sqrt((other**2).sum())
            result[r, s] = 1.0 if r == s else (one @ other) / length if length else 0.0
    return result


def make_components(rng, k=6, m=30):
    H = rng.random((k, m)) * (rng.random((k, m)) < 0.3)
    H[:, 0] = 0.1
    return H


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_similarity_is_that_of_the_definition(rng, dtype):
    H = make_components(rng).astype(dtype)
    H[2] = 0
    before = H.copy()
    found = topic_similarity(H)
    np.testing.assert_allclose(found, cosines(H.astype(float)), atol=1e-14)
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_array_equal(H, before)
    assert found[2].tolist() == [0, 0, 1, 0, 0, 0]


@given(st.integers(0, 10**6), st.integers(1, 9))
def test_similarity_ignores_scales_and_follows_the_order(seed, k):
    rng = np.random.default_rng(seed)
    H = make_components(rng, k)
    found = topic_similarity(H)
    assert ((found >= 0) & (found <= 1)).all()
    scaled = topic_similarity(H * rng.uniform(0.1, 10, (k, 1)))
    np.testing.assert_allclose(scaled, found, atol=1e-12)
    order = rng.permutation(k)
    np.testing.assert_allclose(topic_similarity(H[order]), found[np.ix_(order, order)], atol=1e-12)


def test_hierarchy_merges_the_pairs_that_were_planted(rng):
    base = make_components(rng, 3)
    H = np.vstack([base, base + 1e-3 * rng.random(base.shape)])
    tree = topic_hierarchy(H)
    assert {frozenset(pair) for pair in tree[:3, :2].astype(int).tolist()} == {
        frozenset((r, r + 3)) for r in range(3)
    }
    order = topic_order(H).tolist()
    assert sorted(order) == list(range(6))
    assert all(abs(order.index(r) - order.index(r + 3)) == 1 for r in range(3))


@pytest.mark.parametrize(
    ("method", "merge"), [("average", np.mean), ("complete", np.max), ("single", np.min)]
)
def test_heights_are_distances_between_groups(rng, method, merge):
    H = make_components(rng)
    distances, groups = 1 - cosines(H), [[r] for r in range(6)]
    for a, b, height, size in topic_hierarchy(H, method):
        one, other = groups[int(a)], groups[int(b)]
        assert height == pytest.approx(merge(distances[np.ix_(one, other)]))
        groups.append(one + other)
        assert size == len(groups[-1])
    assert sorted(groups[-1]) == list(range(6))


def test_layout_keeps_distances_that_fit_into_the_plane():
    # Two that are orthogonal to each other, one between: distances of a triangle.
    H = np.array([[1.0, 0], [0, 1.0], [1.0, 1.0]])
    places = topic_layout(H)
    between = np.linalg.norm(places[:, None] - places[None], axis=2)
    # Not quite Euclidean (1 > 2 (1 - 1/sqrt 2)): the long side on one axis, the middle on it.
    assert between[0, 1] == pytest.approx(1.0)
    assert between[0, 2] == pytest.approx(between[1, 2])
    np.testing.assert_allclose(places.mean(axis=0), 0, atol=1e-12)
    three = topic_layout(np.eye(3))
    sides = np.linalg.norm(three[:, None] - three[None], axis=2)
    np.testing.assert_allclose(sides, 1 - np.eye(3), atol=1e-12)


def test_layout_is_classical_scaling(rng):
    H = make_components(rng, 7)
    squares = (1 - cosines(H)) ** 2
    centre = np.eye(7) - 1 / 7
    values, vectors = np.linalg.eigh(-0.5 * centre @ squares @ centre)
    places = topic_layout(H)
    for axis in (0, 1):
        expected = vectors[:, -1 - axis] * np.sqrt(values[-1 - axis])
        flip = np.sign(expected[np.abs(expected).argmax()])
        np.testing.assert_allclose(places[:, axis], flip * expected, atol=1e-10)
    np.testing.assert_array_equal(topic_layout(H), places)


@pytest.mark.parametrize("H", [np.ones((1, 3)), np.zeros((1, 3))])
def test_one_component(H):
    assert topic_similarity(H).tolist() == [[1]]
    assert topic_hierarchy(H).shape == (0, 4)
    assert topic_order(H).tolist() == [0]
    assert topic_layout(H).tolist() == [[0, 0]]


def test_equal_and_empty_components_have_places():
    assert not topic_layout(np.ones((4, 3))).any()
    places = topic_layout(np.vstack([np.zeros(3), np.eye(3)[:2]]))
    assert np.isfinite(places).all()


@pytest.mark.parametrize(
    ("H", "error", "message"),
    [
        (["a"], TypeError, "H must be an array of numbers"),
        (np.ones(3), ValueError, r"components x features, but its shape is \(3,\)"),
        (np.ones((0, 3)), ValueError, r"\(0, 3\)"),
        (-np.ones((2, 3)), ValueError, "H must be finite and not negative"),
        (np.full((2, 3), np.nan), ValueError, "H must be finite and not negative"),
    ],
)
def test_bad_components_are_refused(H, error, message):
    for function in (topic_similarity, topic_hierarchy, topic_layout, topic_order):
        with pytest.raises(error, match=message):
            function(H)


def test_unknown_method_is_refused():
    with pytest.raises(ValueError, match="method must be one of 'average'"):
        topic_hierarchy(np.ones((2, 2)), "ward")
