"""The state of a streaming estimator with threads, after errors, and after an edit of H."""

import copy
import pickle
import threading
from functools import partial

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sparsenmf import MiniBatchNMF

from .. import problems, reference

LOSSES = ["frobenius", "kullback-leibler"]


def loss_of(model, X, loss):
    beta = 2 if loss == "frobenius" else 1
    return reference.divergence(X, model.transform(X), model.components_, beta)


# Threads.


def run_together(*calls):
    """Call all at the same time, each in a thread; return the errors."""
    barrier, errors = threading.Barrier(len(calls)), []

    def run(call):
        barrier.wait()
        try:
            call()
        except ValueError as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


@pytest.mark.parametrize("loss", LOSSES)
def test_threads_learn_one_after_the_other(loss):
    """All batches are the same, so the sums are those of one thread in any order."""
    X = problems.documents(400, 100)
    alone = MiniBatchNMF(5, beta_loss=loss, random_state=0, n_threads=1)
    shared = clone(alone)
    for _ in range(24):
        alone.partial_fit(X)
    bad = X.copy()
    bad.data[0] = -1

    def learn():
        for _ in range(6):
            shared.partial_fit(X)

    def fail():
        for _ in range(6):
            with pytest.raises(ValueError, match="Negative"):
                shared.partial_fit(bad)

    def use():
        for _ in range(6):
            if hasattr(shared, "_stream"):
                assert np.isfinite(shared.transform(X)).all()

    assert not run_together(*[learn] * 4, fail, use)
    assert (shared.n_samples_seen_, shared.n_steps_) == (24 * 400, 24)
    np.testing.assert_array_equal(shared.components_, alone.components_)


def test_a_batch_that_fails_while_it_is_learned_takes_nothing_away():
    X = problems.documents(200, 60)
    model = MiniBatchNMF(4, beta_loss="kullback-leibler", random_state=0, n_threads=1)
    model.partial_fit(X)
    stream, H = model._stream, model.components_
    sums = {name: copy.copy(value) for name, value in vars(stream).items()}

    class Full(RuntimeError):
        pass

    def fail(*_):
        raise Full

    stream._learn_kullback_leibler = fail  # after the rows of W
    with pytest.raises(Full):
        model.partial_fit(X)
    del stream._learn_kullback_leibler
    for name, value in sums.items():
        if name != "_rng":
            np.testing.assert_equal(vars(stream)[name], value)
    np.testing.assert_array_equal(model.components_, H)
    assert model.n_steps_ == 1


def test_a_first_batch_that_fails_is_not_the_end_of_another():
    X = problems.documents(200, 60)
    bad = X.copy()
    bad.data[0] = np.nan
    for _ in range(10):
        model = MiniBatchNMF(4, random_state=0, n_threads=1)
        calls = [partial(model.partial_fit, X)] * 2 + [partial(model.partial_fit, bad)] * 3
        assert len(run_together(*calls)) == 3
        assert (model.n_samples_seen_, model.n_steps_) == (400, 2)


def test_copies_have_locks_of_their_own():
    X = problems.documents(200, 60)
    model = MiniBatchNMF(4, random_state=0).partial_fit(X)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), copy.copy(model)):
        np.testing.assert_array_equal(other.components_, model.components_)
        with model._learning():  # another thread's work on the copy does not wait for it
            assert not run_together(partial(other.partial_fit, X))
        assert (other.n_samples_seen_, model.n_samples_seen_) == (400, 200)
    assert not hasattr(clone(model), "_stream")


# A fit that fails.


def test_a_fit_that_learns_nothing_leaves_the_model_as_it_was():
    X = problems.documents(200, 60)
    model = MiniBatchNMF(4, random_state=0, max_iter=2).fit(X)
    before, W = model.reconstruction_err_, model.transform(X)

    def broken():
        raise RuntimeError("no line")
        yield

    D = np.random.default_rng(0).random((40, 6))
    bad = D.copy()
    bad[3, 3] = np.nan
    for data in (bad, iter([]), iter([bad]), np.ones((3, 2, 2))):
        with pytest.raises(ValueError, match=r"NaN|without a sample|dim"):
            model.fit(data)
    with pytest.raises(RuntimeError, match="no line"):
        model.fit(broken())
    with pytest.raises(ValueError, match="batch_size"):
        model.set_params(batch_size=0).fit(D)
    np.testing.assert_array_equal(model.transform(X), W)
    assert (model.reconstruction_err_, model.n_features_in_, model.n_iter_) == (before, 60, 2)


# Edited components.


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("penalties", [{}, {"alpha_H": 1e-3}, {"alpha_H": 1e-3, "l1_ratio": 1.0}])
def test_components_that_are_assigned_count(loss, penalties):
    """Transform uses them, and the next batch leaves them as they are if they explain it."""
    rng = np.random.default_rng(5)
    X, H = rng.random((50, 8)), rng.random((3, 8))
    model = MiniBatchNMF(3, beta_loss=loss, random_state=0, **penalties)
    for _ in range(5):
        model.partial_fit(X)
    given = H.copy()
    model.components_ = given
    given[:] = 0  # what is the caller's may change
    np.testing.assert_array_equal(model.components_, H)
    W = rng.random((30, 3))
    Y = W @ H
    assert loss_of(model, Y, loss) < 1e-6 * Y.sum()
    np.testing.assert_allclose(model.transform(Y), W, atol=1e-2)
    model.partial_fit(Y[:5])
    moved = np.abs(model.components_ - H).max() / H.max()
    assert moved < (0.02 if not penalties else 0.1)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_removed_component_stays_removed(loss):
    X = problems.documents(400, 60, dtype=np.float64)
    model = MiniBatchNMF(4, beta_loss=loss, random_state=0, max_iter=3).fit(X)
    H = model.components_.copy()
    H[1] = 0
    model.components_ = H
    assert not model.transform(X)[:, 1].any()
    model.partial_fit(X)
    assert not model.transform(X)[:, 1].any()
    np.testing.assert_array_equal(model.components_.any(axis=1), [True, False, True, True])


def test_an_edit_in_place_and_what_is_no_h_are_refused():
    X = problems.documents(200, 60)
    model = MiniBatchNMF(4, random_state=0)
    with pytest.raises(NotFittedError, match="This MiniBatchNMF instance is not fitted"):
        model.components_  # noqa: B018 - the access is what is tested
    model.partial_fit(X)
    for one in (model, pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        with pytest.raises(ValueError, match="read-only"):
            one.components_[0] = 0
        with pytest.raises(ValueError, match="read-only"):
            one.components_ *= 2
    before = model.components_.astype(float)
    for H, message in [
        (np.ones((4, 59)), "components_ has shape"),
        (np.ones((3, 60)), "must have n_components = 4 rows"),
        (-before, "negative"),
        (before * np.nan, "NaN"),
        (before * 1e39, "too large for float32"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.components_ = H
    np.testing.assert_array_equal(model.components_, before)
