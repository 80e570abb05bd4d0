"""Learning from batches: against the literal steps, the whole matrix, and scikit-learn."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("sklearn")

from sklearn.decomposition import MiniBatchNMF as SklearnMiniBatchNMF
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from sparsenmf import MiniBatchNMF, factorize
from sparsenmf.data.factors import pad_factor
from sparsenmf.data.validation import check_matrix
from sparsenmf.models.components import Components
from sparsenmf.models.passes import Plateau
from sparsenmf.models.stream import PRIOR, ROWS, Stream

from .. import problems, reference

LOSSES = pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
PENALTIES = {"alpha_W": 1e-3, "alpha_H": 5e-4, "l1_ratio": 0.3}


@parametrize_with_checks(
    [
        MiniBatchNMF(),
        MiniBatchNMF(2, beta_loss="kullback-leibler"),
        MiniBatchNMF(2, beta_loss=1.5, max_iter=1000, tol=1e-7),
    ]
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def X():
    return problems.documents(3000, 250, dtype=np.float32)


def loss_of(H, X, loss):
    """Return the full loss at the best W, which `factorize` finds with H frozen."""
    model = factorize(X, len(H), H=H, frozen_H=range(len(H)), loss=loss, tol=1e-9, max_iter=500)
    W, H = model.W.astype(float), model.H.astype(float)
    if loss == "frobenius":
        return reference.sparse_objective(X, W, H)
    return reference.divergence(X.toarray(), W, H, 1)


# The steps.


def expected_steps(batches, H, beta, forget_factor, window, alpha_W, alpha_H, l1_ratio):
    """Yield the steps that the docstring of `streaming` describes, dense and in float64."""
    H, (k, m) = H.astype(float), H.shape
    A, B, C, s = np.zeros((k, k)), np.zeros((m, k)), None, None
    weight = seen = 0
    for X in batches:
        seen += len(X)
        fade = forget_factor ** (len(X) / min(seen, window or seen))
        weight = fade * weight + len(X)
        l1, l2 = alpha_W * m * l1_ratio, alpha_W * m * (1 - l1_ratio)
        l1_H, l2_H = alpha_H * weight * l1_ratio, alpha_H * weight * (1 - l1_ratio)
        if beta == 2:
            gram = H @ H.T + l2 * np.eye(k)
            W = np.zeros((len(X), k))
            W, objective, _ = reference.update_rows(
                X, H.T, gram, l1, W, ROWS.sweeps, ROWS.tolerance
            )
            value = 0.5 * np.sum(X**2) + objective
            A, B = fade * A + W.T @ W, fade * B + X.T @ W
            gram = A + l2_H * np.eye(k)
            # Rows of B serve as "data" whose products with the unit matrix are themselves.
            H = reference.update_rows(B, np.eye(k), gram, l1_H, H.T, 2, 0.1)[0].T
        else:
            start = np.repeat(X.sum(axis=1, keepdims=True) / H.sum(), k, axis=1)
            W, objective, _ = reference.update_rows_kl(
                X, H.T, l1, l2, start, ROWS.sweeps, ROWS.tolerance
            )
            value = objective - X.sum()
            if C is None:
                s = PRIOR * W.sum(axis=0)
                C = H * s[:, None]
            Y = W @ H
            C = fade * C + H * (W.T @ np.divide(X, Y, out=np.zeros_like(X), where=X > 0))
            s = fade * s + W.sum(axis=0)
            base = (s + l1_H)[:, None]
            H = (np.sqrt(base**2 + 4 * l2_H * C) - base) / (2 * l2_H) if l2_H else C / base
        yield H, value / len(X)


@pytest.mark.parametrize("beta", [2, 1])
@pytest.mark.parametrize("penalties", [(0.0, 0.0, 0.0), (1e-3, 2e-3, 0.4)])
@pytest.mark.parametrize("window", [None, 60])
def test_steps_are_those_of_the_reference(beta, penalties, window, rng):
    batches = [
        sp.random_array((n, 30), density=0.3, rng=rng, dtype=float).toarray() for n in (40, 25, 50)
    ]
    H = rng.random((4, 30)) + 0.1
    alpha_W, alpha_H, l1_ratio = penalties
    stream = Stream(
        pad_factor(H.T, np.float64), 4, beta, alpha_W=alpha_W, alpha_H=alpha_H, l1_ratio=l1_ratio,
        forget_factor=0.3, window=window, n_threads=1,
    )  # fmt: skip
    expected = expected_steps(batches, H, beta, 0.3, window, *penalties)
    for X, (expected_H, expected_loss) in zip(batches, expected, strict=True):
        loss = stream.add(check_matrix(X))
        assert loss == pytest.approx(expected_loss, rel=1e-8)
        np.testing.assert_allclose(stream.Ht[:, :4].T, expected_H, rtol=1e-6, atol=1e-10)
    assert stream.n_seen == 115
    assert not stream.Ht[:, 4:].any()


# What comes out.


@pytest.mark.parametrize(
    ("loss", "after_one", "at_last"),
    [
        ("frobenius", 1.1, 1.01),
        # Like all multiplicative steps, these stay near saddle points for long.
        ("kullback-leibler", 1.2, 1.1),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_one_pass_comes_close_to_the_whole_matrix(X, loss, after_one, at_last, seed):
    best = factorize(X, 8, loss=loss, random_state=seed).error
    options = {"beta_loss": loss, "random_state": seed}
    small, whole = (
        MiniBatchNMF(8, init="random", max_iter=1, batch_size=size, **options).fit(X)
        for size in (250, 3000)
    )
    one_pass = MiniBatchNMF(8, max_iter=1, batch_size=250, **options).fit(X)
    many = MiniBatchNMF(8, max_iter=30, batch_size=250, **options).fit(X)
    assert small.reconstruction_err_ < whole.reconstruction_err_
    assert one_pass.reconstruction_err_ < after_one * best
    assert many.reconstruction_err_ < at_last * best


@LOSSES
def test_is_better_than_scikit_learns_after_the_same_passes(X, loss):
    ours = MiniBatchNMF(8, beta_loss=loss, max_iter=3, batch_size=250, random_state=0).fit(X)
    theirs = SklearnMiniBatchNMF(
        8, beta_loss=loss, init="random", max_iter=3, batch_size=250, random_state=0
    ).fit(X)
    assert loss_of(ours.components_, X, loss) < loss_of(theirs.components_, X, loss)


@LOSSES
def test_planted_components_are_found_from_a_stream(loss):
    X, _, H = problems.planted(2000, 60, 4, seed=3)
    model = MiniBatchNMF(4, beta_loss=loss, random_state=1, batch_size=100, tol=1e-7).fit(X)
    found = model.components_ / np.linalg.norm(model.components_, axis=1, keepdims=True)
    planted = H / np.linalg.norm(H, axis=1, keepdims=True)
    assert (found @ planted.T).max(axis=0).min() > 0.99


@LOSSES
def test_reconstruction_error_is_that_of_the_definition(X, loss):
    model = MiniBatchNMF(6, beta_loss=loss, random_state=0, max_iter=2).fit(X)
    expected = np.sqrt(2 * loss_of(model.components_, X, loss))
    assert model.reconstruction_err_ == pytest.approx(expected, rel=1e-4)
    W = model.transform(X)
    beta = 2 if loss == "frobenius" else 1
    direct = reference.divergence(X.toarray(), W, model.components_, beta)
    assert model._components.loss(X) == pytest.approx(direct, rel=1e-4)
    assert model.reconstruction_error(X) == pytest.approx(model.reconstruction_err_, rel=1e-9)


def test_components_measure_other_betas_too(X):
    model = factorize(X, 4, loss=1.5, random_state=0, max_iter=20)
    part = X[:50]
    components = Components(H=model.H, options=model.options)
    expected = reference.divergence(part.toarray(), components.transform(part), model.H, 1.5)
    assert components.loss(part) == pytest.approx(expected, rel=1e-4)


@LOSSES
def test_fit_transform_is_fit_and_transform(X, loss):
    options = {"beta_loss": loss, "random_state": 0, "max_iter": 2}
    W = MiniBatchNMF(6, **options).fit_transform(X)
    np.testing.assert_array_equal(W, MiniBatchNMF(6, **options).fit(X).transform(X))
    assert W.dtype == X.dtype


@LOSSES
def test_same_bits_at_any_thread_count(X, loss):
    found = [
        MiniBatchNMF(20, beta_loss=loss, random_state=0, max_iter=1, n_threads=n).fit(X)
        for n in (1, 2, 3)
    ]
    for model in found[1:]:
        np.testing.assert_array_equal(model.components_, found[0].components_)


# Streams.


@LOSSES
def test_batches_of_a_generator_a_list_like_and_partial_fit_are_the_same(X, loss):
    blocks = [X[start : start + 500] for start in range(0, 3000, 500)]
    options = {"beta_loss": loss, "random_state": 0}
    generator = MiniBatchNMF(5, **options).fit(block for block in blocks)
    assert (generator.n_iter_, generator.n_steps_, generator.n_samples_seen_) == (1, 6, 3000)
    assert not hasattr(generator, "reconstruction_err_")
    step = MiniBatchNMF(5, **options)
    for block in blocks:
        assert step.partial_fit(block) is step
    np.testing.assert_array_equal(step.components_, generator.components_)
    small = MiniBatchNMF(5, batch_size=100, **options).fit(iter(blocks))
    assert small.n_steps_ == 30


def test_batches_without_rows_are_passed_over_in_iterables(X):
    blocks = [X[:400], X[400:700]]
    wanted = MiniBatchNMF(5, random_state=0).fit(iter(blocks))
    for places in ([0], [1], [2], [0, 0, 1, 2]):
        more = blocks.copy()
        for place in sorted(places, reverse=True):
            more.insert(place, X[:0])
        found = MiniBatchNMF(5, random_state=0).fit(iter(more))
        np.testing.assert_array_equal(found.components_, wanted.components_)
        assert (found.n_steps_, found.n_samples_seen_) == (2, 700)
    with pytest.raises(ValueError, match="without a sample"):
        MiniBatchNMF(5).fit(iter([X[:0], X[:0]]))


def test_a_batch_without_rows_is_refused_by_partial_fit_as_by_scikit_learn(X):
    model = MiniBatchNMF(5, random_state=0).partial_fit(X[:400])
    before = model.components_.copy()
    for estimator in (model, SklearnMiniBatchNMF(5)):
        with pytest.raises(ValueError, match=r"Found array with 0 sample\(s\)"):
            estimator.partial_fit(X[:0])
    np.testing.assert_array_equal(model.components_, before)
    assert (model.n_steps_, model.n_samples_seen_) == (1, 400)


def test_fit_without_shuffling_is_a_stream_of_the_rows(X):
    blocks = (X[start : start + 500] for start in range(0, 3000, 500))
    options = {"random_state": 0, "max_iter": 1, "batch_size": 500}
    inside = MiniBatchNMF(5, shuffle=False, **options).fit(X)
    # In the first pass it makes no difference whether the window is known.
    np.testing.assert_array_equal(
        MiniBatchNMF(5, **options).fit(blocks).components_, inside.components_
    )


def test_says_when_it_stopped_too_early(X):
    with pytest.warns(ConvergenceWarning, match="Maximum number of iterations 2"):
        MiniBatchNMF(5, max_iter=2, tol=1e-9, random_state=0, batch_size=500).fit(X)


def test_without_memory_only_the_last_batch_counts(X):
    long = MiniBatchNMF(5, forget_factor=0, random_state=0)
    for block in (X[:1000], X[1000:2000], X[2000:]):
        long.partial_fit(block)
    H = MiniBatchNMF(5, forget_factor=0, random_state=0).fit(iter([X[:1000], X[1000:2000]]))
    short = MiniBatchNMF(5, forget_factor=0).partial_fit(X[2000:], H=H.components_)
    np.testing.assert_allclose(long.components_, short.components_, rtol=1e-3, atol=1e-5)


def test_iterables_are_read_once_in_every_pass(X):
    class Folder:
        opened = 0

        def __iter__(self):
            Folder.opened += 1
            return (X[start : start + 500] for start in range(0, 3000, 500))

    model = MiniBatchNMF(5, random_state=0, max_iter=3, tol=0, max_no_improvement=None)
    model.fit(Folder())
    assert Folder.opened == model.n_iter_ == 3
    assert model.n_samples_seen_ == 9000


def test_a_feature_that_comes_late_is_learned():
    rng = np.random.default_rng(0)
    early, late = rng.random((300, 20)), rng.random((600, 20))
    early[:, 10:] = 0
    for loss in ("frobenius", "kullback-leibler"):
        model = MiniBatchNMF(3, beta_loss=loss, random_state=0).partial_fit(early)
        for start in range(0, 600, 100):
            model.partial_fit(late[start : start + 100])
        rebuilt = model.transform(late) @ model.components_
        assert rebuilt[:, 10:].mean() > 0.8 * late[:, 10:].mean(), loss


def test_a_drifting_stream_is_followed():
    """After a change the old topics fade; without a forget factor they stay."""
    old, new = problems.planted(1000, 40, 3, seed=1)[0], problems.planted(4000, 40, 3, seed=2)[0]
    errors = []
    for forget_factor in (0.1, 1.0):
        model = MiniBatchNMF(3, random_state=0, forget_factor=forget_factor)
        for X in (old, new):
            for start in range(0, X.shape[0], 100):
                model.partial_fit(X[start : start + 100])
        errors.append(model.reconstruction_error(new) / sp.linalg.norm(new))
    assert errors[0] < 0.2 < errors[1]


def test_memory_does_not_grow_with_the_stream():
    """A stream of 1.2 million entries a batch: 40 batches take no more than 4 do."""
    code = """
import resource, sys
import scipy.sparse as sp
from sparsenmf import MiniBatchNMF
model = MiniBatchNMF(10, random_state=0)
block = sp.random_array((20000, 3000), density=0.02, rng=0, dtype="f4", format="csr")
for step in range(44):
    model.partial_fit(block[step:])
    if step == 3:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / before)
"""
    pytest.importorskip("resource")
    printed = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=300
    ).stdout
    assert float(printed) < 1.1


def test_goes_on_after_pickling_and_after_fit(X):
    blocks = [X[:1000], X[1000:2000], X[2000:]]
    model = MiniBatchNMF(5, random_state=0).fit(iter(blocks[:1]))
    copy = pickle.loads(pickle.dumps(model))
    for block in blocks[1:]:
        model.partial_fit(block)
        copy.partial_fit(block)
    np.testing.assert_array_equal(copy.components_, model.components_)
    assert model.n_samples_seen_ == 3000


def test_fit_begins_anew(X):
    model = MiniBatchNMF(5, random_state=0, max_iter=1)
    first = model.fit(X).components_
    np.testing.assert_array_equal(model.fit(X).components_, first)


@pytest.mark.parametrize(
    ("tol", "patience", "reached"),
    [
        (0.0, None, [False] * 6),
        (0.0, 6, [False, False, False, True, True, False]),
        (0.2, None, [False, False, True, True, True, False]),
    ],
)
def test_plateau_compares_whole_passes(tol, patience, reached):
    plateau = Plateau(tol, patience)
    losses = [5.0, 4.0, 4.5, 4.5, 4.5, 3.0]
    assert [plateau.reached(loss, 3) for loss in losses] == reached


def test_progress_is_shown(X, capfd):
    MiniBatchNMF(4, verbose=1, max_iter=1, random_state=0).fit(X)
    assert "3/3" in capfd.readouterr().err


@pytest.mark.parametrize("n_rows", [20, 100])
@LOSSES
def test_the_automatic_start_is_the_default_one(X, loss, n_rows):
    options = {"n_components": 5, "beta_loss": loss, "random_state": 0}
    default, automatic, other = (
        MiniBatchNMF(**options, init=init).partial_fit(X[:n_rows]).components_
        for init in (None, "auto", "nndsvdar")
    )
    np.testing.assert_array_equal(automatic, default)
    assert not np.array_equal(automatic, other)


# Refusals.


@pytest.mark.parametrize(
    ("options", "call", "error", "message"),
    [
        ({"beta_loss": "itakura-saito"}, {}, ValueError, "is infinite where X is zero"),
        ({"beta_loss": "poisson"}, {}, ValueError, "must be one of"),
        ({"batch_size": 0}, {}, ValueError, "batch_size must be at least 1"),
        ({"forget_factor": -1}, {}, ValueError, "forget_factor must be >= 0 and <= 1"),
        ({"forget_factor": 1.5}, {}, ValueError, "forget_factor must be >= 0 and <= 1"),
        ({"shuffle": 1}, {}, TypeError, "shuffle must be True or False"),
        ({"n_components": 300, "init": "nndsvd"}, {}, ValueError, "can only be used when n_comp"),
        ({"init": "custom"}, {}, ValueError, "needs H"),
        ({}, {"H": np.ones((5, 249))}, ValueError, "wrong second dimension .* Expected 250"),
        ({}, {"H": np.ones((6, 250))}, ValueError, "wrong first dimension .* Expected 5"),
        ({}, {"H": np.zeros((5, 250))}, ValueError, "full of zeros"),
        ({}, {"H": -np.ones((5, 250))}, ValueError, "Negative values .* NMF .input H"),
        ({"init": "custom"}, {"H": np.ones((5, 250))}, TypeError, "the same dtype as X. Got H.dty"),
        ({"new_features": "add"}, {}, ValueError, "new_features must be one of 'error', 'grow'"),
        ({"max_no_improvement": 0}, {}, ValueError, "max_no_improvement must be at least 1"),
        ({"max_iter": 0}, {}, ValueError, "max_iter must be at least 1"),
        ({"n_threads": 0}, {}, ValueError, "n_threads must be at least 1"),
        ({"tol": -1}, {}, ValueError, "tol must be >= 0"),
    ],
)
def test_impossible_options_are_refused_by_name(X, options, call, error, message):
    with pytest.raises(error, match=message):
        MiniBatchNMF(**{"n_components": 5, **options}).fit(X, **call)


def test_other_refusals(X):
    with pytest.raises(ValueError, match="without a sample"):
        MiniBatchNMF(5).fit(iter([]))
    with pytest.raises(ValueError, match="nndsvd' needs a first batch of at least"):
        MiniBatchNMF(5, init="nndsvd").partial_fit(X[:3])
    with pytest.raises(ValueError, match="features"):
        MiniBatchNMF(5).partial_fit(X).partial_fit(X[:, :100])
    with pytest.raises(NotFittedError):
        MiniBatchNMF(5).transform(X)


def test_a_change_of_the_components_is_refused(X):
    model = MiniBatchNMF(3, random_state=0).partial_fit(X)
    before = model.transform(X)
    with pytest.raises(ValueError, match="read-only"):
        model.components_[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        model.components_[:] *= 2
    np.testing.assert_array_equal(model.transform(X), before)
    model.components_.copy()[0] = 0  # a copy is the caller's


def test_a_masked_batch_is_refused_and_a_fitted_model_keeps_what_it_knows():
    X = np.ones((20, 6))
    masked = np.ma.array(X, mask=np.eye(20, 6, dtype=bool))
    model = MiniBatchNMF(2, random_state=0)
    for call in (model.fit, model.partial_fit, lambda X: model.fit(iter([X])), model.fit_transform):
        with pytest.raises(TypeError, match="X is a masked array: fill"):
            call(masked)
    model.partial_fit(X)
    for call in (model.partial_fit, model.transform, model.reconstruction_error):
        with pytest.raises(TypeError, match="X is a masked array: fill"):
            call(masked)
    assert model.n_samples_seen_ == 20
