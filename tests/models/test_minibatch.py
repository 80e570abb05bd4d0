"""Learning from batches: against the literal steps, the whole matrix, and scikit-learn."""

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("sklearn")

from sklearn.decomposition import MiniBatchNMF as SklearnMiniBatchNMF
from sklearn.utils.estimator_checks import parametrize_with_checks

from sparsenmf import MiniBatchNMF, factorize
from sparsenmf.data.factors import pad_factor
from sparsenmf.data.validation import check_matrix
from sparsenmf.models.components import Components
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
