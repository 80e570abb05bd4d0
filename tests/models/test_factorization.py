"""What a caller may rely on of a Factorization: its numbers, transform, terms."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import nnls

from sparsenmf import Weights, factorize
from sparsenmf.models.components import Components

from .. import problems


@pytest.fixture(scope="module", params=[np.float32, np.float64], ids=["float32", "float64"])
def X(request):
    return problems.documents(1200, 300, dtype=request.param)


@pytest.fixture(scope="module")
def model(X):
    return factorize(X, 20, random_state=0, max_iter=5, alpha_W=1e-6, l1_ratio=0.5)


# Numbers.


def test_relative_error_is_that_of_the_dense_definition(X, model):
    wide = X.toarray().astype(float)
    residual = wide - model.W.astype(float) @ model.H.astype(float)
    expected = np.linalg.norm(residual) / np.linalg.norm(wide)
    assert model.relative_error == pytest.approx(expected, rel=1e-12 if X.dtype == float else 1e-5)


def test_relative_error_of_an_exact_factorization_is_that_of_the_dense_definition():
    X, W, H = problems.planted(dtype=np.float32)
    model = factorize(X, 5, W=W, H=H, max_iter=2)
    residual = X.toarray().astype(float) - model.W.astype(float) @ model.H.astype(float)
    expected = np.linalg.norm(residual) / np.linalg.norm(X.toarray().astype(float))
    assert expected < 1e-6
    # Its square is about the rounding error of ||X||^2 in float64.
    assert model.relative_error == pytest.approx(expected, rel=0.1)


def test_repr_tells_sizes_and_result(model):
    text = repr(model)
    for part in ("1,200 x 300", "20 components", str(model.H.dtype), "5 iterations"):
        assert part in text
    assert f"{model.relative_error:.4f}" in text
    assert "iteration limit" in text


# Transform.


def test_transform_of_a_row_does_not_depend_on_the_others(X, model):
    assert X.nnz * 20 > 200_000  # in parallel: the row alone is not
    together = model.transform(X, n_threads=2)
    for i in (0, 1, 599, 1199):
        np.testing.assert_array_equal(model.transform(X[[i]])[0], together[i])
    np.testing.assert_array_equal(model.transform(X[::-1])[::-1], together)


@pytest.mark.parametrize(("alpha_W", "l1_ratio"), [(0, 0), (0.01, 0), (0.01, 1), (0.02, 0.3)])
def test_transform_solves_non_negative_least_squares(alpha_W, l1_ratio, rng):
    X = sp.random_array((40, 30), density=0.3, rng=rng, format="csr")
    model = factorize(X, 4, alpha_W=alpha_W, l1_ratio=l1_ratio, random_state=0, max_iter=20)
    new = sp.random_array((10, 30), density=0.3, rng=rng, format="csr")
    found = model.transform(new, tol=1e-10)
    l1, l2 = alpha_W * 30 * l1_ratio, alpha_W * 30 * (1 - l1_ratio)
    # 1/2 w G w' - c w' + const, G = H H' + l2 I, c = x H' - l1: as |w L - c L'^-1|^2 / 2.
    L = np.linalg.cholesky(model.H @ model.H.T + l2 * np.eye(4))
    cross = new @ model.H.T - l1
    for w, c in zip(found, cross, strict=True):
        best = nnls(L.T, np.linalg.solve(L, c))[0]
        np.testing.assert_allclose(w, best, rtol=1e-6, atol=1e-9)
        values = [0.5 * np.sum((L.T @ v) ** 2) - c @ v for v in (w, best)]
        assert values[0] == pytest.approx(values[1], rel=1e-10, abs=1e-14)
    assert (found == 0).any()
    assert (found > 0).any()


def test_transform_takes_the_precision_of_the_model(X, model):
    other = np.float32 if X.dtype == float else np.float64
    assert model.transform(X.astype(other)).dtype == model.H.dtype


def test_transform_of_no_rows_with_entries_is_zero(model):
    np.testing.assert_array_equal(model.transform(sp.csr_array((3, 300))), np.zeros((3, 20)))


def test_transform_refuses_another_vocabulary(X, model):
    with pytest.raises(ValueError, match=r"X has 299 features, .* has 300: .*vocabulary"):
        model.transform(X[:, :299])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"tol": -1}, ValueError, "tol must be >= 0"),
        ({"max_sweeps": 0}, ValueError, "max_sweeps must be at least 1"),
        ({"n_threads": 1.5}, TypeError, "n_threads must be an integer"),
    ],
)
def test_transform_refuses_wrong_options(X, model, options, error, message):
    with pytest.raises(error, match=message):
        model.transform(X, **options)


def test_transform_refuses_what_single_precision_cannot_hold():
    model = factorize(problems.documents(60, 40), 3, random_state=0, max_iter=2)
    with pytest.raises(ValueError, match=r"X .*float32"):
        model.transform(np.full((1, 40), 1e300))


# Edited components.


def as_factorization(X, loss):
    model = factorize(X, 4, loss=loss, random_state=0, max_iter=10)
    return model, model.H


def as_estimator(X, loss):
    pytest.importorskip("sklearn")
    from sparsenmf import NMF

    model = NMF(4, beta_loss=loss, random_state=0, max_iter=10, tol=0).fit(X)
    return model, model.components_


def measure(model, X):
    return model.loss(X) if hasattr(model, "loss") else model.reconstruction_error(X)


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
@pytest.mark.parametrize("fit", [as_factorization, as_estimator])
def test_an_edited_component_counts_at_once(fit, loss, rng):
    X = rng.random((30, 12))
    model, H = fit(X, loss)
    before = model.transform(X), measure(model, X)
    H[0] = 0
    assert not model.transform(X)[:, 0].any()  # what has no effect is not used
    assert measure(model, X) > before[1]
    H[:] *= 2
    W = model.transform(X)
    fresh = Components(H=H.copy(), options={"loss": loss})
    np.testing.assert_array_equal(W, fresh.transform(X))
    H[1, 3] = -1
    with pytest.raises(ValueError, match=r"H has been changed .*non-negative"):
        model.transform(X)


@pytest.mark.parametrize("name", ["feature_weight", "alpha_W", "l1_ratio"])
def test_other_changes_count_too(name, rng):
    X = rng.random((30, 12))
    model = factorize(
        X, 4, random_state=0, max_iter=10, alpha_W=0.01, alpha_H=0, l1_ratio=0.5,
        weights=Weights(features=1 + rng.random(12)),
    )  # fmt: skip
    before = model.transform(X)
    if name == "feature_weight":
        model.feature_weight[:6] *= 50
    else:
        model.options[name] *= 1.9
    assert np.abs(model.transform(X) - before).max() > 1e-3


# Terms.


@pytest.mark.parametrize(
    "vocabulary",
    [
        ["ant", "bee", "cat", "dog"],
        ("ant", "bee", "cat", "dog"),
        np.array(["ant", "bee", "cat", "dog"]),
        np.array(["ant", "bee", "cat", "dog"], object),
        {"dog": 3, "ant": 0, "cat": 2, "bee": 1},
    ],
    ids=["list", "tuple", "array", "array of objects", "dict"],
)
def test_top_terms_are_the_heaviest_of_any_vocabulary(vocabulary):
    topics = problems.small_model().top_terms(vocabulary, n=3)
    assert topics == [["bee", "dog", "cat"], ["cat"]]  # none of weight zero
    assert {type(term) for topic in topics for term in topic} == {str}
    assert problems.small_model().top_terms(vocabulary, n=1) == [["bee"], ["cat"]]


def test_top_terms_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="vocabulary has 2 terms, but there are 4 features"):
        problems.small_model().top_terms(["ant", "bee"])
    with pytest.raises(ValueError, match="n must be at least 1"):
        problems.small_model().top_terms(["ant", "bee", "cat", "dog"], n=0)


def test_predict_is_entries_of_the_product(rng):
    X, _, _ = problems.planted(60, 40, 3)
    model = factorize(X, 3, random_state=0)
    rows, columns = rng.integers(0, 60, (50, 60)), rng.integers(0, 40, (50, 60))
    found = model.predict(rows, columns)
    np.testing.assert_allclose(found, (model.W @ model.H)[rows, columns], rtol=1e-12)
    one = model.predict(3, [4, 5])
    np.testing.assert_allclose(one, model.W[3] @ model.H[:, [4, 5]], rtol=1e-12)
    assert float(model.predict(3, 4)) == one[0]
    assert model.predict([], []).shape == (0,)
    with pytest.raises(IndexError, match=r"samples must lie in \[0, 60\), but span \[-1, 2\]"):
        model.predict([2, -1], 0)
    with pytest.raises(IndexError, match="features must lie in"):
        model.predict(0, 40)
    with pytest.raises(TypeError, match="features must be integers"):
        model.predict(0, [0.5])
