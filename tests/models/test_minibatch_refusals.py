"""What `MiniBatchNMF` refuses, and says so."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.exceptions import NotFittedError

from sparsenmf import MiniBatchNMF

from .. import problems


@pytest.fixture(scope="module")
def X():
    return problems.documents(3000, 250, dtype=np.float32)


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
