"""Streams of losses that have only multiplicative updates: any beta divergence."""

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("sklearn")

from sklearn.decomposition import MiniBatchNMF as SklearnMiniBatchNMF
from sklearn.exceptions import ConvergenceWarning

from sparsenmf import NMF, MiniBatchNMF
from sparsenmf.data.factors import pad_factor
from sparsenmf.data.validation import check_matrix
from sparsenmf.models.stream import PRIOR, Stream
from sparsenmf.solvers.row_update.divergences import exponent

from .. import problems, reference

BETAS = pytest.mark.parametrize("beta", [-0.5, 0, 0.5, 1.5, 2.5])
PENALTIES = [{}, {"alpha_W": 1e-3, "alpha_H": 2e-3, "l1_ratio": 0.4}]


def positive(rng, shape=(60, 12), rank=3):
    return rng.random((shape[0], rank)) @ rng.random((rank, shape[1])) + 0.05 * rng.random(shape)


def loss_of(model, X, beta):
    return reference.divergence(X, model.transform(X), model.components_, beta)


@BETAS
@pytest.mark.parametrize("penalties", PENALTIES)
@pytest.mark.parametrize("forget_factor", [0.0, 0.3, 1.0])
def test_steps_are_those_of_the_reference(beta, penalties, forget_factor, rng):
    """The reference updates W once from given rows, and H from the sums; dense and literal."""
    H, k = rng.random((3, 12)) + 0.1, 3
    options = {"alpha_W": 0.0, "alpha_H": "same", "l1_ratio": 0.0, **penalties}
    stream = Stream(pad_factor(H.T, float), k, beta, forget_factor=forget_factor, **options)
    alpha_W, alpha_H, l1_ratio = options["alpha_W"], options["alpha_H"], options["l1_ratio"]
    alpha_H = alpha_W if alpha_H == "same" else alpha_H
    A = B = weight = seen = 0
    gamma = exponent(beta)
    for n in (20, 35, 20):
        X, W = positive(rng, (n, 12)), rng.random((n, 3)) + 0.1
        found = W.copy()
        stream.add(check_matrix(X), found)
        seen += n
        fade = forget_factor ** (n / seen)
        weight = fade * weight + n
        l1, l2 = alpha_W * 12 * l1_ratio, alpha_W * 12 * (1 - l1_ratio)
        W = reference.update_rows_mu(X, H.T, beta, l1, l2, W)
        numerators, denominators = reference.update_parts(X.T, W, H.T, beta)
        prior = PRIOR * denominators if seen == n else 0
        A = fade * (A + H.T ** (1 / gamma) * prior) + H.T ** (1 / gamma) * numerators
        B = fade * (B + prior) + denominators
        base = B + alpha_H * weight * (l1_ratio + (1 - l1_ratio) * H.T)
        H = ((A / base) ** gamma).T
        np.testing.assert_allclose(found, W, rtol=1e-9)
        np.testing.assert_allclose(stream.Ht[:, :3].T, H, rtol=1e-8)


@pytest.mark.parametrize(
    ("beta", "dtype"),
    [*((beta, np.float32) for beta in (-0.5, 0, 0.5, 1.5, 2.5)), (0.5, np.float64)],
)
def test_a_fit_comes_close_to_the_whole_matrix(beta, dtype):
    X = positive(np.random.default_rng(3), (300, 20), 4).astype(dtype)
    one, whole = (
        loss_of(NMF(k, beta_loss=beta, random_state=0, max_iter=1000).fit(X), X.astype(float), beta)
        for k in (1, 4)
    )
    options = {"beta_loss": beta, "random_state": 0, "max_iter": 300, "batch_size": 60}
    model = MiniBatchNMF(4, **options).fit(X)
    assert model.components_.dtype == dtype
    assert loss_of(model, X.astype(float), beta) - whole < 0.03 * (one - whole)


@BETAS
def test_is_no_worse_than_scikit_learns_after_the_same_passes(beta):
    X = positive(np.random.default_rng(4), (400, 20), 4)
    options = {"beta_loss": beta, "random_state": 0, "max_iter": 20, "batch_size": 50, "tol": 0}
    options["max_no_improvement"] = None
    ours = MiniBatchNMF(4, **options).fit(X)
    theirs = SklearnMiniBatchNMF(4, init="random", **options).fit(X)
    H = theirs.components_
    ours_of_theirs = MiniBatchNMF(4, beta_loss=beta)
    ours_of_theirs.components_ = H
    assert loss_of(ours, X, beta) < 1.02 * loss_of(ours_of_theirs, X, beta)


@BETAS
def test_batches_of_a_stream_and_partial_fit_are_the_same(beta):
    X = positive(np.random.default_rng(5), (200, 15), 3)
    blocks = [X[i : i + 50] for i in range(0, 200, 50)]
    options = {"beta_loss": beta, "random_state": 0}
    model, step = MiniBatchNMF(3, **options).fit(iter(blocks)), MiniBatchNMF(3, **options)
    for block in blocks:
        step.partial_fit(block)
    np.testing.assert_array_equal(step.components_, model.components_)
    first = loss_of(model, X, beta)
    for _ in range(15):
        for block in blocks:
            step.partial_fit(block)
    assert loss_of(step, X, beta) < first


@BETAS
@pytest.mark.parametrize("fresh_restarts", [False, True])
def test_fit_transform_is_about_fit_and_transform(beta, fresh_restarts):
    X = positive(np.random.default_rng(6), (150, 15), 3)
    options = {"beta_loss": beta, "random_state": 0, "fresh_restarts": fresh_restarts, "tol": 1e-7}
    model = MiniBatchNMF(3, batch_size=50, **options)
    W = model.fit_transform(X)
    assert W.shape == (150, 3)
    fitted, best = reference.divergence(X, W, model.components_, beta), loss_of(model, X, beta)
    one = loss_of(NMF(1, beta_loss=beta).fit(X), X, beta)
    assert fitted - best < (0.1 if not fresh_restarts else 1e-6) * one
    assert model.reconstruction_err_ == pytest.approx(
        np.sqrt(2 * loss_of(model, X, beta)), rel=1e-3
    )


def test_drawn_components_come_heaviest_first_and_given_ones_stay_in_their_order():
    X = positive(np.random.default_rng(7), (120, 15), 3)
    options = {"beta_loss": 1.5, "random_state": 0, "max_iter": 20, "tol": 0}
    model = MiniBatchNMF(3, **options)
    W = model.fit_transform(X)
    shares = W.sum(axis=0) * model.components_.sum(axis=1)
    assert (np.diff(shares) <= 0).all()
    once = MiniBatchNMF(3, **{**options, "max_iter": 1})
    for order in ([0, 1, 2], [2, 0, 1]):
        once.fit(X, H=model.components_[order], W=W[:, order])
        cosines = problems.cosines(once.components_, model.components_[order])
        assert (cosines.argmax(axis=1) == [0, 1, 2]).all()


def test_same_bits_at_any_thread_count():
    X = sp.random_array((3000, 200), density=0.1, rng=0, dtype=np.float32, format="csr")
    found = [
        MiniBatchNMF(10, beta_loss=1.5, random_state=0, max_iter=1, n_threads=n).fit(X).components_
        for n in (1, 2, 3)
    ]
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])


@BETAS
@pytest.mark.parametrize("penalties", PENALTIES)
def test_components_that_are_assigned_stay_where_samples_are_theirs(beta, penalties):
    rng = np.random.default_rng(8)
    X, H = positive(rng, (50, 8)), rng.random((3, 8)) + 0.1
    model = MiniBatchNMF(3, beta_loss=beta, random_state=0, **penalties)
    for _ in range(3):
        model.partial_fit(X)
    model.components_ = H
    np.testing.assert_array_equal(model.components_, H)
    Y = (rng.random((5, 3)) + 0.1) @ H
    model.partial_fit(Y)
    assert np.abs(model.components_ - H).max() < 0.1 * H.max()


@pytest.mark.parametrize("beta", [0.5, 1.5])
def test_a_feature_that_comes_late_is_learned(beta):
    rng = np.random.default_rng(9)
    early, late = rng.random((100, 10)), rng.random((400, 10))
    early[:, 6:] = 0
    model = MiniBatchNMF(3, beta_loss=beta, random_state=0)
    for _ in range(3):
        model.partial_fit(early)
    for _ in range(5):
        for start in range(0, 400, 100):
            model.partial_fit(late[start : start + 100])
    rebuilt = model.transform(late) @ model.components_
    assert rebuilt[:, 6:].mean() > 0.8 * late[:, 6:].mean()


@pytest.mark.parametrize("beta", [0.5, 1.5])
def test_a_stream_may_begin_with_an_empty_batch(beta):
    X = positive(np.random.default_rng(10))
    model = MiniBatchNMF(3, beta_loss=beta, random_state=0)
    for block in (np.zeros((2, 12)), X, X, X):
        model.partial_fit(block)
    assert model.components_.any(axis=1).all()


@pytest.mark.parametrize("kind", ["matrix", "batches", "partial_fit"])
def test_zeros_are_refused_where_the_divergence_of_zero_is_infinite(kind):
    X = positive(np.random.default_rng(11))
    bad = X.copy()
    bad[3, 3] = 0
    calls = {
        "matrix": lambda model: model.fit(bad),
        "batches": lambda model: model.fit(iter([X, bad])),
        "partial_fit": lambda model: model.partial_fit(X).partial_fit(sp.csr_array(bad)),
    }
    with pytest.raises(ValueError, match="When beta_loss <= 0 and X contains zeros"):
        calls[kind](MiniBatchNMF(3, beta_loss="itakura-saito", random_state=0))


def test_says_when_passes_were_too_few():
    X = positive(np.random.default_rng(12))
    with pytest.warns(ConvergenceWarning, match="Maximum number of iterations 1 reached") as caught:
        MiniBatchNMF(3, beta_loss=1.5, max_iter=1, random_state=0).fit(X)
    assert caught[0].filename == __file__
    for loss in (1, 2):
        with pytest.warns(ConvergenceWarning, match="iterations 1 reached") as caught:
            MiniBatchNMF(3, beta_loss=loss, max_iter=1, random_state=0).fit(X)
        assert caught[0].filename == __file__
