"""The estimator in scikit-learn's hands: its checks, pipelines, searches, frames, clones."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import RandomStarts, Seeds, Weights

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import NMF as SklearnNMF
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from sparsenmf import NMF, factorize

from .. import problems

# They compare fits of different numbers of rows from random starts, which therefore are
# different: `test_constraints.py` compares them from the same start.
OTHER_STARTS = {
    f"check_sample_weight_equivalence_on_{kind}_data": "a random start depends on the shape of X"
    for kind in ("dense", "sparse")
}


@parametrize_with_checks(
    [NMF(max_iter=500), NMF(2, beta_loss="kullback-leibler", max_iter=500)],
    expected_failed_checks=lambda estimator: OTHER_STARTS,
)
def test_scikit_learns_checks(estimator, check):
    """Run all checks but those above; only the array API's is skipped, as numba cannot take it."""
    check(estimator)


@pytest.fixture(scope="module")
def X():
    return problems.documents(400, 250, dtype=np.float64)


def test_is_the_factorization(X):
    options = {"alpha_W": 1e-4, "l1_ratio": 0.5, "tol": 1e-6, "max_iter": 300}
    estimator = NMF(6, random_state=3, **options).fit(X)
    model = factorize(X, 6, random_state=3, **options)
    np.testing.assert_array_equal(estimator.components_, model.H)
    np.testing.assert_array_equal(estimator.transform(X), model.transform(X))
    np.testing.assert_array_equal(estimator.objective_history_, model.objective_history)
    assert estimator.n_iter_ == model.n_iter
    assert estimator.n_components_ == 6
    assert estimator.reconstruction_err_ == model.error
    assert estimator.stop_reason_ == model.stop_reason == "converged"
    assert estimator.optimality_ == model.optimality
    assert estimator.n_features_in_ == 250


@pytest.mark.parametrize("beta_loss", ["frobenius", "kullback-leibler", 1.5])
def test_is_as_good_as_scikit_learns_from_the_same_start(X, beta_loss):
    rng = np.random.default_rng(0)
    W, H = rng.random((400, 6)) / 10, rng.random((6, 250)) / 10
    solver = "cd" if beta_loss == "frobenius" else "mu"
    options = {"init": "custom", "beta_loss": beta_loss, "max_iter": 400}
    theirs = SklearnNMF(6, solver=solver, tol=1e-6, **options)
    theirs.fit_transform(X, W=W.copy(), H=H.copy())
    ours = NMF(6, tol=1e-6, **options)
    ours.fit_transform(X, W=W, H=H)
    assert ours.reconstruction_err_ <= 1.01 * theirs.reconstruction_err_


@pytest.mark.parametrize("beta_loss", ["frobenius", "kullback-leibler"])
def test_fit_transform_is_fit_and_transform(X, beta_loss):
    estimator = NMF(5, beta_loss=beta_loss, random_state=0, max_iter=1000)
    W = estimator.fit_transform(X)
    found = estimator.transform(X)
    np.testing.assert_array_equal(found, clone(estimator).fit(X).transform(X))
    np.testing.assert_allclose(W, found, atol=0.02 * W.max())
    np.testing.assert_allclose(estimator.inverse_transform(W), W @ estimator.components_)
    np.testing.assert_array_equal(estimator.inverse_transform(sp.csr_array(W)).shape, X.shape)


def test_number_of_components_follows_the_start(X):
    rng = np.random.default_rng(0)
    W, H = rng.random((400, 4)), rng.random((4, 250))
    assert NMF(max_iter=2, tol=0).fit(X, H=H).n_components_ == 4
    assert NMF(max_iter=2, tol=0).fit(X, W=W).n_components_ == 4
    assert NMF(max_iter=1, tol=0).fit(X[:7]).n_components_ == 7
    assert NMF(None, max_iter=1, tol=0).fit(X[:7]).n_components_ == 7


def test_warns_where_it_did_not_converge(X):
    with pytest.warns(ConvergenceWarning, match="Maximum number of iterations 2 reached"):
        NMF(5, max_iter=2).fit(X)


def test_must_be_fitted_first(X):
    with pytest.raises(NotFittedError):
        NMF(5).transform(X)
    with pytest.raises(NotFittedError):
        NMF(5).inverse_transform(np.ones((1, 5)))


def test_pickles_and_clones(X):
    estimator = NMF(5, random_state=0, n_threads=1).fit(X)
    again = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(again.transform(X), estimator.transform(X))
    assert clone(estimator).get_params() == estimator.get_params()
    assert not hasattr(clone(estimator), "factorization_")


TEXTS = [
    "the cat sat on the mat and purred",
    "my cat chased a mouse across the mat",
    "a mouse hid from the cat",
    "stocks fell as the market opened",
    "the market rallied and stocks rose",
    "investors sold stocks when the market fell",
] * 4


def test_in_a_pipeline_and_a_search():
    pipeline = make_pipeline(TfidfVectorizer(), NMF(random_state=0), LogisticRegression())
    labels = np.tile(np.repeat([0, 1], 3), 4)
    search = GridSearchCV(pipeline, {"nmf__n_components": [2, 3]}, cv=2, n_jobs=2)
    search.fit(TEXTS, labels)
    assert search.best_score_ == 1
    names = search.best_estimator_[:-1].get_feature_names_out()
    assert list(names[:2]) == ["nmf0", "nmf1"]


def test_in_a_column_transformer_with_frames():
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame(rng.random((30, 5)), columns=list("abcde"))
    transformer = ColumnTransformer([("topics", NMF(2, random_state=0), ["a", "b", "c"])])
    found = transformer.set_output(transform="pandas").fit_transform(frame)
    assert list(found.columns) == ["topics__nmf0", "topics__nmf1"]
    assert list(NMF(2, random_state=0).fit(frame).feature_names_in_) == list("abcde")


@pytest.mark.parametrize("name", ["NMF", "MiniBatchNMF"])
def test_without_scikit_learn_the_error_says_what_to_install(name):
    code = (
        "import sys\n"
        "sys.modules['sklearn'] = None\n"
        "import sparsenmf\n"
        "try:\n"
        f"    sparsenmf.{name}\n"
        "except ImportError as error:\n"
        "    assert 'pip install \"sparsenmf[sklearn]\"' in str(error), error\n"
        "else:\n"
        "    raise AssertionError\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# Weights, frozen and seeded components.


def test_constraints_are_those_of_factorize(X):
    rng = np.random.default_rng(1)
    samples, features, H = rng.random(400), rng.random(250), rng.random((2, 250))
    options = {"frozen_H": [1], "random_state": 0, "max_iter": 20}
    estimator = NMF(6, **options)
    weights = Weights(features=features)
    W = estimator.fit_transform(X, H=H, sample_weight=samples, weights=weights)
    both = Weights(samples=samples, features=features)
    model = factorize(X, 6, H=H, weights=both, **options)
    with pytest.raises(ValueError, match="pass the weights of samples once"):
        estimator.fit(X, H=H, sample_weight=samples, weights=both)
    np.testing.assert_array_equal(W, model.W)
    np.testing.assert_array_equal(estimator.components_, model.H)
    np.testing.assert_array_equal(estimator.components_[1], H[1])
    np.testing.assert_array_equal(estimator.transform(X), model.transform(X))


def test_seeds_are_columns_of_a_frame_or_terms_of_a_vocabulary(X):
    pd = pytest.importorskip("pandas")
    terms = [f"term{j}" for j in range(250)]
    frame = pd.DataFrame(X.toarray(), columns=terms)
    options = {"seeds": Seeds({"a": ["term3", "term9"]}, strength="support"), "random_state": 0}
    by_frame = NMF(4, max_iter=5, **options).fit(frame)
    named = Seeds(options["seeds"].topics, terms, "support")
    by_vocabulary = NMF(4, max_iter=5, seeds=named, random_state=0).fit(X)
    np.testing.assert_array_equal(by_frame.components_, by_vocabulary.components_)
    assert set(np.flatnonzero(by_frame.components_[0])) <= {3, 9}
    assert by_frame.components_[0].any()
    with pytest.raises(ValueError, match="pass Seeds"):
        NMF(4, **options).fit(X)


def test_sample_weights_are_routed_through_a_pipeline(X):
    import sklearn

    weights = np.random.default_rng(0).random(400)
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(NMF(4, random_state=0).set_fit_request(sample_weight=True))
        pipeline.fit(X, sample_weight=weights)
    weighted = NMF(4, random_state=0).fit(X, sample_weight=weights)
    np.testing.assert_array_equal(pipeline[0].components_, weighted.components_)
    plain = NMF(4, random_state=0).fit(X)
    assert not np.array_equal(plain.components_, weighted.components_)


def test_unknown_entries_and_restarts():
    rng = np.random.default_rng(0)
    X = rng.random((40, 3)) @ rng.random((3, 30))
    X[rng.random(X.shape) < 0.5] = np.nan
    options = {"missing": "unknown", "random_state": 0, "max_iter": 20, "init": RandomStarts(3)}
    with pytest.warns(ConvergenceWarning):
        estimator = NMF(3, **options).fit(X)
    model = factorize(X, 3, **options)
    np.testing.assert_array_equal(estimator.components_, model.H)
    assert len(estimator.factorization_.restart_objectives) == 3
    np.testing.assert_array_equal(estimator.transform(X), model.transform(X))
    assert estimator.reconstruction_error(X) <= model.error * (1 + 1e-6)
    ones = sp.csr_array(np.ones((40, 30)))
    with pytest.raises(ValueError, match="NaN"):
        NMF(3).fit(X)
    weighted = NMF(3, random_state=0, max_iter=500).fit(np.ones((40, 30)), weights=ones)
    assert weighted.reconstruction_err_ < 1e-2


def masked_problem():
    """A matrix of rank 2, and the same one with nonsense under a mask."""
    rng = np.random.default_rng(0)
    W, H = rng.random((30, 2)), rng.random((2, 9))
    mask = rng.random((30, 9)) < 0.2
    return W @ H, np.ma.array(np.where(mask, 1e3, W @ H), mask=mask)


@pytest.mark.parametrize("shape_as", [lambda X: X, list], ids=["array", "list of rows"])
@pytest.mark.parametrize("dtype", [float, np.float32])
def test_what_is_masked_is_unknown(shape_as, dtype):
    X, masked = masked_problem()
    model = NMF(2, missing="unknown", tol=1e-12, max_iter=2000, random_state=0)
    W = model.fit_transform(shape_as(masked.astype(dtype)))
    # The masked entries are predicted, and only a fit that ignored them can do that.
    np.testing.assert_allclose(W @ model.components_, X, atol=1e-3)
    assert model.factorization_.error < 1e-3
    np.testing.assert_allclose(model.transform(shape_as(masked)) @ model.components_, X, atol=1e-3)
    np.testing.assert_allclose(
        model.factorization_.transform(shape_as(masked)) @ model.components_, X, atol=1e-3
    )
    assert model.reconstruction_error(shape_as(masked)) < 1e-3
    assert masked.data.max() == 1e3  # the caller's array is as it was


def test_a_mask_is_refused_where_what_is_absent_is_zero():
    X, masked = masked_problem()
    fitted = NMF(2, random_state=0).fit(X)
    calls = [
        NMF(2).fit,
        NMF(2).fit_transform,
        fitted.transform,
        fitted.reconstruction_error,
        fitted.factorization_.transform,
        fitted.factorization_.loss,
        lambda X: factorize(X, 2),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=r"X is a masked array: fill .*or pass missing="):
            call(masked)
    with pytest.raises(TypeError, match="X is a masked array"):
        fitted.inverse_transform(np.ma.array(np.ones((1, 2)), mask=[[True, False]]))


@pytest.mark.parametrize("name", ["samples", "features"])
def test_masked_weights_are_refused(name):
    X, _ = masked_problem()
    weights = np.ma.array(np.ones(X.shape[name == "features"]), mask=False)
    weights[0] = np.ma.masked
    for fit in (lambda w: factorize(X, 2, weights=w), lambda w: NMF(2).fit(X, weights=w)):
        with pytest.raises(TypeError, match=f"weights.{name} is a masked array"):
            fit(Weights(**{name: weights}))
    if name == "samples":
        with pytest.raises(TypeError, match="sample_weight is a masked array"):
            NMF(2).fit(X, sample_weight=weights)
