"""Weights, frozen and seeded components, normalised factors."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import CoordinateDescent, Factorization, Seeds, Weights, factorize

from .. import problems, reference

LOSSES = pytest.mark.parametrize(
    ("loss", "solver"),
    [
        ("frobenius", "cd"),
        ("frobenius", "mu"),
        ("kullback-leibler", "cd"),
        ("kullback-leibler", "mu"),
        (1.5, "mu"),
        (3.0, "mu"),
    ],
)
PENALTIES = pytest.mark.parametrize(
    "penalties", [{}, {"alpha_W": 2e-3, "alpha_H": 1e-3, "l1_ratio": 0.4}], ids=["plain", "penalty"]
)


def make_problem(seed=0, shape=(40, 30), k=4, dtype=float):
    rng = np.random.default_rng(seed)
    X = sp.random_array(shape, density=0.3, rng=rng, dtype=float).toarray().astype(dtype)
    W, H = rng.random((shape[0], k)) + 0.1, rng.random((k, shape[1])) + 0.1
    return X, W.astype(dtype), H.astype(dtype)


# Weights.


@LOSSES
@PENALTIES
def test_integer_weights_are_repetitions(loss, solver, penalties, rng):
    X, W, H = make_problem()
    samples, features = rng.integers(1, 4, 40), rng.integers(1, 4, 30)
    options = {"loss": loss, "solver": solver, "max_iter": 25, "tol": 0, **penalties}
    weighted = factorize(
        X, 4, W=W, H=H, weights=Weights(samples=samples, features=features), **options
    )
    i, j = np.repeat(np.arange(40), samples), np.repeat(np.arange(30), features)
    repeated = factorize(X[i][:, j], 4, W=W[i], H=H[:, j], **options)
    np.testing.assert_allclose(weighted.objective_history, repeated.objective_history, rtol=1e-9)
    # Each component's part of W H, in an order of their own.
    parts = [
        np.einsum("ir,rj->rij", *pair)
        for pair in ((weighted.W[i], weighted.H[:, j]), (repeated.W, repeated.H))
    ]
    parts = [part[np.argsort(part.sum(axis=(1, 2)))] for part in parts]
    np.testing.assert_allclose(*parts, rtol=1e-5, atol=1e-8)
    assert weighted.error == pytest.approx(repeated.error, rel=1e-9)
    assert weighted.x_norm == pytest.approx(repeated.x_norm, rel=1e-12)
    assert weighted.optimality == pytest.approx(repeated.optimality, rel=1e-4)


@LOSSES
def test_objective_is_the_weighted_divergence(loss, solver, rng):
    X, W, H = make_problem(1)
    samples, features = rng.random(40) * 3, rng.random(30)
    model = factorize(
        X, 4, W=W, H=H, loss=loss, solver=solver, max_iter=10,
        weights=Weights(samples=samples, features=features),
    )  # fmt: skip
    total = 0.0
    for i in range(40):
        for j in range(30):
            entry = (X[i : i + 1, j : j + 1], model.W[i : i + 1], model.H[:, j : j + 1])
            total += samples[i] * features[j] * reference.divergence(*entry, model.beta)
    assert model.objective == pytest.approx(total, rel=1e-7)


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
def test_weight_zero_is_absence(loss):
    X, W, H = make_problem(2)
    samples, features = np.ones(40), np.ones(30)
    samples[[3, 17]], features[[0, 29]] = 0, 0
    i, j = samples > 0, features > 0
    options = {"loss": loss, "alpha_W": 1e-3, "l1_ratio": 0.5, "max_iter": 200, "tol": 1e-9}
    weighted = factorize(
        X, 4, W=W, H=H, weights=Weights(samples=samples, features=features), **options
    )
    smaller = factorize(X[i][:, j], 4, W=W[i], H=H[:, j], **options)
    np.testing.assert_allclose(weighted.W[i], smaller.W, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(weighted.H[:, j], smaller.H, rtol=1e-6, atol=1e-9)
    assert not weighted.H[:, ~j].any()
    np.testing.assert_array_equal(weighted.W[~i], weighted.transform(X[~i]))
    assert weighted.W[~i].any()
    np.testing.assert_allclose(weighted.transform(X), smaller.transform(X[:, j]), rtol=1e-6)


def test_weights_of_one_change_no_bit():
    X, W, H = make_problem(dtype=np.float32)
    plain = factorize(X, 4, W=W, H=H, max_iter=5)
    weighted = factorize(
        X, 4, W=W, H=H, max_iter=5, weights=Weights(samples=np.ones(40), features=np.ones(30))
    )
    np.testing.assert_array_equal(weighted.W, plain.W)
    np.testing.assert_array_equal(weighted.H, plain.H)
    assert weighted.feature_weight is None


def test_transform_uses_the_feature_weights_and_so_does_a_saved_model(tmp_path, rng):
    X, _, _ = make_problem(3)
    features = rng.random(30) + 0.1
    model = factorize(
        X, 4, weights=Weights(features=features), random_state=0, tol=1e-9, max_iter=2000
    )
    np.testing.assert_allclose(model.transform(X), model.W, atol=2e-3)
    scaled = model.H * np.sqrt(features)
    solved = factorize(
        X * np.sqrt(features), 4, H=scaled, frozen_H=range(4), tol=1e-12, max_iter=2000
    )
    np.testing.assert_allclose(model.transform(X, tol=1e-9), solved.W, rtol=1e-4, atol=1e-6)
    model.save(tmp_path / "model.npz")
    again = Factorization.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(again.feature_weight, features)
    np.testing.assert_array_equal(again.transform(X), model.transform(X))


def test_callback_sees_the_factors_of_x_itself(rng):
    X, W, H = make_problem()
    samples, features = rng.random(40) + 0.1, rng.random(30) + 0.1
    seen = []
    model = factorize(
        X, 4, W=W, H=H, frozen_H=[0], weights=Weights(samples=samples, features=features),
        progress=lambda state: seen.append((state.W, state.H)),
        max_iter=3,
    )  # fmt: skip
    np.testing.assert_array_equal(seen[-1][0], model.W)
    np.testing.assert_allclose(seen[-1][1], model.H, rtol=1e-12)


# Frozen components.


@LOSSES
@PENALTIES
@pytest.mark.parametrize("weigh", [False, True])
def test_frozen_components_stay_to_the_bit_and_the_rest_is_learned(loss, solver, penalties, weigh):
    X, W, H = make_problem(4, dtype=np.float32)
    weights = {
        "weights": Weights(samples=np.linspace(0.1, 3, 40), features=np.linspace(2, 0.3, 30))
    }
    model = factorize(
        X, 4, W=W, H=H, frozen_H=[2, 0], frozen_W=[False, True, False, False],
        loss=loss, solver=solver, max_iter=30, **penalties, **(weights if weigh else {}),
    )  # fmt: skip
    np.testing.assert_array_equal(model.H[[0, 2]], H[[0, 2]])
    np.testing.assert_array_equal(model.W[:, 1], W[:, 1])
    for r in (0, 2, 3):
        assert not np.allclose(model.W[:, r], W[:, r])
    for r in (1, 3):
        assert not np.allclose(model.H[r], H[r])
    assert (np.diff(model.objective_history) <= 1e-6 * model.objective_history[0]).all()


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
def test_frozen_sweeps_are_those_of_the_reference(loss):
    X, W, H = make_problem(5)
    model = factorize(
        X,
        4,
        W=W,
        H=H,
        frozen_H=[1],
        loss=loss,
        max_iter=1,
        solver=CoordinateDescent(max_sweeps=1, extrapolate=False),
    )
    free = np.array([True, False, True, True])
    step = {"frobenius": reference.update_rows, "kullback-leibler": reference.update_rows_kl}[loss]
    if loss == "frobenius":
        new_W = step(X, H.T, H @ H.T, 0, W, 1, 0.1)[0]
        new_H = step(X.T, new_W, new_W.T @ new_W, 0, H.T, 1, 0.1, free=free)[0].T
    else:
        new_W = step(X, H.T, 0, 0, W, 1, 0.1)[0]
        new_H = step(X.T, new_W, 0, 0, H.T, 1, 0.1, free=free)[0].T
    new_H[free & ~new_W.any(axis=0)] = 0  # of a component that explains nothing
    np.testing.assert_allclose(model.W, new_W, rtol=1e-10)
    np.testing.assert_allclose(model.H, new_H, rtol=1e-9)


def test_all_of_h_frozen_is_transform():
    X, _, _ = make_problem(6)
    model = factorize(X, 4, random_state=0)
    again = factorize(X, 4, H=model.H, frozen_H=range(4), tol=1e-12, max_iter=500)
    np.testing.assert_allclose(again.W, model.transform(X, tol=1e-10), rtol=1e-4, atol=1e-7)
    assert again.optimality < 1e-5


def test_known_topics_may_be_given_alone():
    X, _, H = problems.planted()
    model = factorize(X, 5, H=H[:2], frozen_H=[0, 1], random_state=1, tol=1e-9, max_iter=2000)
    np.testing.assert_array_equal(model.H[:2], H[:2])
    assert model.relative_error < 0.01


def test_only_free_components_count_in_the_optimality():
    X, W, H = make_problem(7)
    model = factorize(X, 4, W=W, H=H, frozen_H=[0, 1], tol=0, max_iter=3000)
    assert model.optimality < 1e-5
    assert reference.optimality(X, model.W, model.H) > 1e-3


# Seeds.

TERMS = [f"term{j}" for j in range(30)]


@LOSSES
@PENALTIES
def test_support_is_all_a_component_may_have(loss, solver, penalties):
    X, _, _ = make_problem(8)
    seeds = {"first": ["term3", "term7"], "second": ["term11"]}
    model = factorize(
        X, 4, seeds=Seeds(seeds, vocabulary=TERMS, strength="support"), random_state=0,
        loss=loss, solver=solver, max_iter=30, **penalties,
    )  # fmt: skip
    assert set(np.flatnonzero(model.H[0])) <= {3, 7}
    assert set(np.flatnonzero(model.H[1])) <= {11}
    assert model.H[0].any()
    assert model.H[1].any()
    assert (model.H[2:] > 0).sum() > 20
    assert np.isfinite(model.objective_history).all()
    assert np.isfinite(model.optimality)
    assert (np.diff(model.objective_history) <= 1e-9 * model.objective_history[0]).all()


def test_support_costs_nothing_outside_of_it():
    """The objective is that of the factors, and stationary for the entries that may move."""
    X, _, _ = make_problem(9, dtype=np.float32)
    model = factorize(X, 3, seeds=Seeds({1: [3, 7, 9]}, strength="support"), random_state=0, tol=0)
    assert model.objective == pytest.approx(reference.objective(X, model.W, model.H), rel=1e-5)
    assert model.optimality < 1e-3


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
@pytest.mark.parametrize("seed", range(3))
def test_seeds_decide_which_component_a_topic_becomes(loss, seed):
    X, _, H = problems.planted()
    names = [str(j) for j in range(X.shape[1])]
    wanted = [3, 0, 4]
    # The features that tell a planted topic best from the others.
    shares = H / np.maximum(H.sum(axis=0), 1e-30)
    seeds = {f"topic {r}": [names[j] for j in np.argsort(-shares[r])[:3]] for r in wanted}
    model = factorize(X, 5, seeds=Seeds(seeds, vocabulary=names), loss=loss, random_state=seed)
    similar = model.H @ H.T / np.outer(*(np.linalg.norm(F, axis=1) for F in (model.H, H)))
    assert similar.argmax(axis=1)[:3].tolist() == wanted


def test_seeds_by_number_and_dict_vocabulary_are_the_same():
    X, _, _ = make_problem(10)
    options = {"random_state": 0, "max_iter": 5}
    by_number = factorize(X, 4, seeds={2: [5, 1]}, **options)
    vocabulary = {f"term{j}": j for j in range(30)}
    by_name = factorize(X, 4, seeds=Seeds({2: ["term1", 5]}, vocabulary=vocabulary), **options)
    np.testing.assert_array_equal(by_number.H, by_name.H)
    assert not np.array_equal(by_number.H, factorize(X, 4, **options).H)


# Refusals.


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"weights": Weights(samples=[1, 2])}, ValueError, "weights.samples must have shape"),
        (
            {"weights": Weights(samples=-np.ones(40))},
            ValueError,
            "weights.samples must be finite, not neg",
        ),
        ({"weights": Weights(samples=np.zeros(40))}, ValueError, "not all zero"),
        (
            {"weights": Weights(features=["a"] * 30)},
            TypeError,
            "weights.features must hold real numbers",
        ),
        (
            {"weights": Weights(features=np.full(30, np.nan))},
            ValueError,
            "weights.features must be finite",
        ),
        ({"frozen_H": [0]}, ValueError, "H gives values for 0 components"),
        ({"frozen_H": [2], "H": np.ones((2, 30))}, ValueError, "for 2 components: pass H"),
        ({"frozen_H": [-1], "H": np.ones((2, 30))}, ValueError, "component -1"),
        ({"frozen_H": [0.5], "H": np.ones((2, 30))}, TypeError, "frozen_H must be a sequence"),
        ({"frozen_H": 0, "H": np.ones((2, 30))}, TypeError, "frozen_H must be a sequence"),
        ({"frozen_H": [True], "H": np.ones((2, 30))}, ValueError, "frozen_H has 1 flags"),
        ({"frozen_W": [0]}, ValueError, "W gives values for 0 components"),
        ({"H": np.ones((5, 30))}, ValueError, "H has shape"),
        ({"H": np.ones((2, 29))}, ValueError, "H has shape"),
        ({"H": np.ones((0, 30))}, ValueError, "H has shape"),
        ({"H": np.ones(30)}, ValueError, "H has shape"),
        ({"seeds": [[1]]}, TypeError, "seeds must be a dict"),
        ({"seeds": {0: [1]}, "H": np.ones((4, 30))}, ValueError, "pass seeds or H, not both"),
        ({"seeds": {4: [1]}}, ValueError, "seeds has topic 4, but there are 4 components"),
        ({"seeds": {0: []}}, ValueError, r"seeds\[0\] has no features"),
        ({"seeds": {0: [30]}}, ValueError, "has column 30 of 30"),
        ({"seeds": {0: [1.5]}}, TypeError, "terms or column numbers"),
        ({"seeds": {0: "word"}}, TypeError, "must be a sequence of features"),
        ({"seeds": {0: ["word"]}}, ValueError, "pass Seeds"),
        ({"seeds": Seeds({0: ["word"]}, vocabulary=TERMS)}, ValueError, "not in the vocabulary"),
        ({"seeds": Seeds({0: ["word"]}, vocabulary=TERMS[1:])}, ValueError, "vocabulary has 29"),
        ({"seeds": Seeds({0: [1]}, strength="soft")}, ValueError, "seeds.strength must be one of"),
    ],
)
def test_impossible_options_are_refused_by_name(options, error, message):
    X, _, _ = make_problem()
    with pytest.raises(error, match=message):
        factorize(X, 4, **options)


def test_weights_are_refused_where_the_loss_has_no_scale():
    with pytest.raises(ValueError, match="weights of samples and features need a loss"):
        factorize(np.ones((4, 3)), 2, loss="itakura-saito", weights=Weights(samples=[1, 2, 3, 4]))


# Normalised factors.


@pytest.mark.parametrize("by", ["H", "W", "both"])
def test_normalized_factors_sum_to_one_and_have_the_same_product(by):
    X, _, _ = make_problem(11)
    model = factorize(X, 4, random_state=0)
    model.W += 1e-3
    model.W[5] = 0
    model.H[3] = 0
    W, H, scale = model.normalize(by)
    np.testing.assert_allclose(scale[:, None] * (W @ H), model.W @ model.H, rtol=1e-12)
    if by == "W":
        np.testing.assert_allclose(W.sum(axis=0), 1)
    else:
        np.testing.assert_allclose(H.sum(axis=1), [1, 1, 1, 0])
    if by == "both":
        np.testing.assert_allclose(np.delete(W.sum(axis=1), 5), 1)
        assert not W[5].any()
        assert scale[5] == 0
    else:
        assert (scale == 1).all()
    with pytest.raises(ValueError, match="by must be one of"):
        model.normalize("rows")
