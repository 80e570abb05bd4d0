"""Components that users set, and estimators in code that was written for scikit-learn."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import nnls

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from sparsenmf import NMF, MiniBatchNMF, factorize, non_negative_factorization

from .. import problems

ESTIMATORS = pytest.mark.parametrize("Estimator", [NMF, MiniBatchNMF])


@pytest.fixture
def X():
    return problems.documents(120, 40, dtype=np.float64)


@pytest.fixture
def H():
    return np.random.default_rng(0).random((4, 40))


# Attributes that are set.


@ESTIMATORS
def test_an_own_dictionary_is_what_transform_uses(Estimator, X, H):
    model = Estimator(n_components=4)
    model.components_ = H
    model.n_components_, model.n_iter_, model.reconstruction_err_ = 4, 0, 0.0
    W = model.transform(X)
    for row, x in zip(W, X.toarray(), strict=True):
        np.testing.assert_allclose(row, nnls(H.T, x)[0], atol=1e-8)
    np.testing.assert_allclose(model.inverse_transform(W), W @ H)
    assert (model.n_components_, model.n_iter_, model.reconstruction_err_) == (4, 0, 0.0)
    assert list(model.get_feature_names_out())[3] == f"{Estimator.__name__.lower()}3"
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).transform(X), W)
    with pytest.raises(NotFittedError):
        clone(model).transform(X)


@ESTIMATORS
@pytest.mark.parametrize("loss", ["kullback-leibler", 1.5])
def test_its_objective_is_that_of_the_estimator(Estimator, X, H, loss):
    options = {"beta_loss": loss, "alpha_W": 1e-3, "l1_ratio": 0.5}
    model = Estimator(**options)
    model.components_ = H
    fixed = {"H": H, "frozen_H": range(4), "loss": loss, "alpha_W": 1e-3, "l1_ratio": 0.5}
    found = factorize(X, 4, tol=1e-9, max_iter=2000, random_state=0, **fixed)
    np.testing.assert_allclose(model.transform(X), found.W, atol=5e-3 * found.W.max())


@ESTIMATORS
@pytest.mark.parametrize("dtype", [np.float32, np.float64, int])
@pytest.mark.parametrize("as_given", [np.asarray, np.ndarray.tolist, np.asfortranarray])
def test_a_dictionary_of_any_numbers_is_taken(Estimator, X, dtype, as_given):
    H = np.random.default_rng(0).integers(1, 9, (4, 40))
    model, wide = Estimator(), Estimator()
    model.components_ = as_given(H.astype(dtype))
    wide.components_ = H.astype(float)
    W = model.transform(X.astype(np.float32))
    np.testing.assert_allclose(W, wide.transform(X), atol=1e-5)
    single = dtype is np.float32 and as_given is not np.ndarray.tolist
    assert W.dtype == (np.float32 if single else np.float64)


@ESTIMATORS
def test_components_of_a_fit_are_replaced(Estimator, X, H):
    model = Estimator(4, random_state=0).fit(X)
    before = model.transform(X)
    model.components_ = 2 * model.components_
    np.testing.assert_allclose(2 * model.transform(X), before, atol=1e-10)
    model.components_ = H
    own = Estimator()
    own.components_ = H
    np.testing.assert_array_equal(model.transform(X), own.transform(X))
    again = clone(model).fit(X)
    model.fit(X)  # forgets them
    np.testing.assert_array_equal(model.components_, again.components_)
    np.testing.assert_array_equal(model.transform(X), before)


def test_an_edit_in_place_counts(X):
    model = NMF(4, random_state=0).fit(X)
    before = model.transform(X)
    model.components_ *= 4
    np.testing.assert_allclose(4 * model.transform(X), before, atol=1e-10)
    model.components_ = np.random.default_rng(0).random((3, 40))
    first = model.transform(X)
    model.components_ *= 4
    np.testing.assert_allclose(4 * model.transform(X), first, atol=1e-10)
    assert model.n_components_ == 3


@ESTIMATORS
def test_a_number_of_components_that_is_set_must_be_that_of_the_dictionary(Estimator, X, H):
    model = Estimator()
    model.n_components_ = 5
    model.components_ = H
    with pytest.raises(ValueError, match="n_components_ was set to 5, but components_ has 4 rows"):
        model.transform(X)
    model.n_components_ = 4
    assert model.transform(X).shape == (120, 4)


@ESTIMATORS
def test_invalid_dictionaries_are_refused(Estimator, X, H):
    def use(H):  # it is refused when it is set, or used
        model = Estimator()
        model.components_ = H
        model.transform(X)

    for bad, message in [(-H, "negative"), (H[0], "two dimensions, n_comp"), (H * np.nan, "NaN")]:
        with pytest.raises(ValueError, match=message):
            use(bad)
    with pytest.raises(TypeError, match="components_ must"):
        use(sp.csr_array(H))
    with pytest.raises(TypeError, match="components_ must hold real numbers"):
        use(H.astype(str))
    model = Estimator()
    model.components_ = H[:, :30]
    with pytest.raises(ValueError, match="X has 40 features"):
        model.transform(X)


def test_a_stream_goes_on_from_a_dictionary(X, H):
    for options in ({}, {"init": "random"}, {"beta_loss": 1}, {"beta_loss": 1.5}):
        own, given = (MiniBatchNMF(4, random_state=0, **options) for _ in range(2))
        own.components_ = H
        own.partial_fit(X)
        given.set_params(init=None).partial_fit(X, H=H)
        np.testing.assert_array_equal(own.components_, given.components_)


@ESTIMATORS
def test_the_error_of_an_unfitted_estimator_names_it(Estimator, X):
    class Topics(Estimator):
        def __init__(self, n_components=3):
            super().__init__(n_components)

    model, name = Topics(), "This Topics instance is not fitted yet"
    calls = [
        lambda: model.transform(X),
        lambda: model.inverse_transform(np.ones((1, 3))),
        lambda: model.reconstruction_error(X),
        lambda: model.n_components_,
        model.get_feature_names_out,
    ]
    for call in calls:
        with pytest.raises(NotFittedError, match=name):
            call()
    assert not hasattr(model, "components_")


# Starts.


@ESTIMATORS
@pytest.mark.parametrize("init", ["random", "nndsvd", "nndsvda", "nndsvdar"])
def test_a_start_that_is_not_used_is_warned_of(Estimator, init, X, H):
    options = {"init": init, "random_state": 0, "max_iter": 500}
    plain = Estimator(4, **options).fit(X)
    with pytest.warns(RuntimeWarning, match="When init!='custom', provided W or H") as caught:
        model = Estimator(4, **options).fit(X, H=H)
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(model.components_, plain.components_)


def test_frozen_components_need_their_start_whatever_init_says(X, H):
    with pytest.raises(ValueError, match='only used with init="custom"'):
        NMF(4, init="random", frozen_H=[0]).fit(X, H=H)


@ESTIMATORS
@pytest.mark.parametrize("name", ["W", "H"])
def test_starts_of_zeros_and_other_ones_are_refused_in_scikit_learns_words(Estimator, name, X, H):
    W = np.random.default_rng(0).random((120, 4))
    good = {"W": W, "H": H}
    for change, message in [
        (lambda A: 0 * A, rf"Array passed to NMF \(input {name}\) is full of zeros"),
        (lambda A: -A, rf"Negative values in data passed to NMF \(input {name}\)"),
        (lambda A: np.vstack([A, A]), "Array with wrong first dimension passed to NMF"),
        (lambda A: np.hstack([A, A]), "Array with wrong second dimension passed to NMF"),
    ]:
        with pytest.raises(ValueError, match=message):
            Estimator(4, init="custom").fit(X, **{**good, name: change(good[name])})
    with pytest.raises(TypeError, match=f"{name}.dtype = float32"):
        Estimator(4, init="custom").fit(X, **{**good, name: good[name].astype(np.float32)})


@pytest.mark.parametrize("solver", ["cd", "mu"])
@pytest.mark.parametrize("name", ["W", "H"])
def test_factorize_refuses_a_start_of_zeros(solver, name, X):
    zeros = {"W": np.zeros((120, 4)), "H": np.zeros((4, 40))}[name]
    with pytest.raises(ValueError, match=f"{name} is full of zeros"):
        factorize(X, 4, solver=solver, **{name: zeros})


@ESTIMATORS
def test_numpys_global_seed_counts(Estimator, X):
    found = []
    for seed in (3, 3, 4):
        np.random.seed(seed)
        found.append(Estimator(4, max_iter=3, tol=0).fit(X).components_)
        found.append(Estimator(4, max_iter=3, tol=0).fit(X).components_)
    np.testing.assert_array_equal(found[0], found[2])
    np.testing.assert_array_equal(found[1], found[3])
    assert not np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[4])
    np.random.seed(3)
    state = np.random.get_state()[1].copy()
    Estimator(4, max_iter=3, tol=0, random_state=0).fit(X)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_the_seed_that_was_drawn_repeats_the_fit(X):
    model = NMF(4, max_iter=5, tol=0).fit(X)
    seed = model.factorization_.options["random_state"]
    again = NMF(4, max_iter=5, tol=0, random_state=seed).fit(X)
    np.testing.assert_array_equal(again.components_, model.components_)


# The function.


def test_the_function_is_the_estimator(X):
    options = {"beta_loss": 1, "random_state": 0, "alpha_W": 1e-4, "l1_ratio": 0.5, "tol": 1e-4}
    W, H, n_iter = non_negative_factorization(X, None, None, 4, **options)
    model = NMF(4, **options)
    np.testing.assert_array_equal(W, model.fit_transform(X))
    np.testing.assert_array_equal(H, model.components_)
    assert n_iter == model.n_iter_
    fixed, same, n_iter = non_negative_factorization(X, H=H, update_H=False, **options)
    np.testing.assert_array_equal(fixed, model.transform(X))
    np.testing.assert_array_equal(same, H)
    assert n_iter == 1


def test_the_function_takes_a_start_by_position(X, H):
    W = np.random.default_rng(1).random((120, 4))
    given = W.copy(), H.copy()
    found = non_negative_factorization(X, W, H, init="custom", max_iter=500)
    model = NMF(init="custom", max_iter=500)
    np.testing.assert_array_equal(found[0], model.fit_transform(X, W=W, H=H))
    np.testing.assert_array_equal(given[0], W)
    np.testing.assert_array_equal(given[1], H)


def test_the_function_says_what_it_does_not_use_or_take(X, H):
    for given in ({"H": H}, {"W": np.ones((120, 4))}):
        with pytest.warns(RuntimeWarning, match="provided W or H are ignored") as caught:
            non_negative_factorization(X, n_components=4, random_state=0, **given)
        assert caught[0].filename == __file__
    with pytest.warns(RuntimeWarning, match="the provided initial W is not used") as caught:
        non_negative_factorization(X, np.ones((120, 4)), H, update_H=False)
    assert caught[0].filename == __file__
    with pytest.warns(ConvergenceWarning, match="iterations 2 reached") as caught:
        non_negative_factorization(X, n_components=4, random_state=0, max_iter=2)
    assert caught[0].filename == __file__
    with pytest.raises(ValueError, match="update_H=False needs H"):
        non_negative_factorization(X, update_H=False)
    with pytest.raises(ValueError, match=r"wrong first dimension .* Expected 3, but got 4"):
        non_negative_factorization(X, H=H, n_components=3, update_H=False)
    with pytest.raises(ValueError, match="X has 40 features"):
        non_negative_factorization(X, H=H[:, :30], update_H=False)
    with pytest.raises(TypeError, match="H should have the same dtype as X"):
        non_negative_factorization(X, H=H.astype(np.float32), update_H=False)
    with pytest.raises(TypeError, match="update_H must be True or False"):
        non_negative_factorization(X, H=H, update_H=1)


# More components than samples or features.


@pytest.mark.parametrize(
    ("loss", "solver"),
    [
        ("frobenius", "cd"),
        ("frobenius", "mu"),
        ("kullback-leibler", "cd"),
        ("kullback-leibler", "mu"),
        (1.5, "mu"),
    ],
)
@pytest.mark.parametrize("options", [{}, {"missing": "unknown"}])
def test_known_signatures_against_one_sample(loss, solver, options):
    rng = np.random.default_rng(0)
    S = rng.random((8, 96))
    w = rng.random((1, 8)) * [[1, 1, 0, 1, 1, 0, 1, 1]]
    forms = [sp.csr_array(w @ S)]
    if (loss, solver, options) == ("frobenius", "cd", {}):  # no solver sees the form
        forms.append(w @ S)
    for x in forms:
        found = factorize(
            x, 8, H=S, frozen_H=range(8), loss=loss, solver=solver, tol=1e-12, max_iter=20000,
            random_state=0, **options,
        )  # fmt: skip
        np.testing.assert_allclose(found.W, w, atol=2e-3)
        np.testing.assert_array_equal(found.H, S)


@pytest.mark.parametrize("shape", [(30, 6), (6, 30), (1, 5), (5, 1)])
@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler", 1.5])
def test_more_components_than_the_smaller_side(shape, loss):
    X = np.random.default_rng(1).random(shape) + 0.1
    k = 2 * min(shape) + 3
    models = [
        NMF(k, beta_loss=loss, random_state=0, max_iter=2000),
        MiniBatchNMF(k, beta_loss=loss, random_state=0, max_iter=500),
        MiniBatchNMF(k, beta_loss=loss, random_state=0, batch_size=2, max_iter=50),
    ]
    for model in models:
        W = model.fit_transform(X)
        assert W.shape == (shape[0], k)
        assert model.components_.shape == (k, shape[1])
        assert model.transform(X).shape == W.shape
    one = factorize(X, 1, loss=loss).error
    assert models[0].reconstruction_err_ <= max(0.2 * one, 1e-2)
    W, H, _ = non_negative_factorization(X, n_components=k, beta_loss=loss, random_state=0)
    assert W.shape[1] == len(H) == k


@pytest.mark.parametrize("init", ["nndsvd", "nndsvda", "nndsvdar"])
@pytest.mark.parametrize("shape", [(30, 6), (6, 30)])
def test_a_start_from_the_svd_has_at_most_that_many_components(init, shape):
    X = np.random.default_rng(1).random(shape)
    message = "can only be used when n_components <= min.*take init=.random., or fewer components"
    for fit in (
        lambda: factorize(X, 7, init=init),
        lambda: NMF(7, init=init).fit(X),
        lambda: non_negative_factorization(X, n_components=7, init=init),
    ):
        with pytest.raises(ValueError, match=message):
            fit()
    with pytest.raises(ValueError, match=r"can only be used when|needs a first batch of"):
        MiniBatchNMF(7, init=init).fit(X)


# Frames.


@ESTIMATORS
@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_frames_stay_frames(Estimator, kind):
    package = pytest.importorskip(kind)
    names = [f"term{j}" for j in range(5)]
    X = np.random.default_rng(0).random((20, 5))
    frame = package.DataFrame(dict(zip(names, X.T, strict=True)))
    if kind == "pandas":
        frame.index = [f"d{i}" for i in range(20)]
    model = Estimator(2, random_state=0).set_output(transform=kind)
    W = model.fit_transform(frame)
    assert type(W) is type(frame)
    prefix = Estimator.__name__.lower()
    assert list(W.columns) == [f"{prefix}0", f"{prefix}1"]
    back = model.inverse_transform(W)
    assert type(back) is type(frame)
    assert list(back.columns) == names
    if kind == "pandas":
        assert list(back.index) == list(W.index) == list(frame.index)
    np.testing.assert_allclose(back.to_numpy(), W.to_numpy() @ model.components_)
    plain = model.inverse_transform(W.to_numpy())
    assert isinstance(plain, np.ndarray)
    with pytest.raises(ValueError, match="has 2 components: pass what transform returns"):
        model.inverse_transform(frame)


@ESTIMATORS
def test_metadata_is_routed(Estimator, X, H):
    import sklearn
    from sklearn.pipeline import make_pipeline

    with sklearn.config_context(enable_metadata_routing=True):
        step = Estimator(4, random_state=0).set_fit_request(H=True)
        pipeline = make_pipeline(step).fit(X, H=H)
        with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError, match="H"):
            make_pipeline(Estimator(4)).fit(X, H=H)
    direct = Estimator(4, random_state=0).fit(X, H=H)
    np.testing.assert_array_equal(pipeline[0].components_, direct.components_)
    assert not np.array_equal(direct.components_, Estimator(4, random_state=0).fit(X).components_)
