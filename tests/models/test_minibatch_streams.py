"""Streams of batches: where they come from, how long they go on, and what they remember."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("sklearn")

from sklearn.decomposition import MiniBatchNMF as SklearnMiniBatchNMF
from sklearn.exceptions import ConvergenceWarning

from sparsenmf import MiniBatchNMF
from sparsenmf.models.passes import Plateau

from .. import problems

LOSSES = pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])


@pytest.fixture(scope="module")
def X():
    return problems.documents(3000, 250, dtype=np.float32)


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
