"""Frames that are given as W, H or weights are matched with X by their names."""

import numpy as np
import pytest

pytest.importorskip("pandas")
pytest.importorskip("sklearn")

import pandas as pd

from sparsenmf import NMF, MiniBatchNMF, NamedMatrix, Weights, factorize, non_negative_factorization

from .. import problems

GENES = [f"g{j}" for j in range(12)]
CELLS = [f"c{i}" for i in range(60)]
COLUMNS = np.random.default_rng(1).permutation(12)
ROWS = np.random.default_rng(2).permutation(60)


@pytest.fixture(scope="module")
def X():
    return pd.DataFrame(problems.documents(60, 12, dtype=np.float64).toarray(), CELLS, GENES)


@pytest.fixture(scope="module")
def W():
    return pd.DataFrame(np.random.default_rng(3).random((60, 3)), CELLS)


@pytest.fixture(scope="module")
def H():
    return pd.DataFrame(np.random.default_rng(4).random((3, 12)), columns=GENES)


def of_factorize(X, W, H):
    return factorize(X, 3, W=W, H=H, max_iter=3).H


def of_named_matrix(X, W, H):
    named = NamedMatrix(X.to_numpy(), feature_names=GENES, sample_names=CELLS)
    return factorize(named, 3, W=W, H=H, max_iter=3).H


def of_NMF(X, W, H):
    return NMF(3, init="custom", max_iter=3, tol=0).fit(X, W=W, H=H).components_


def of_function(X, W, H):
    return non_negative_factorization(X, W, H, init="custom", max_iter=3, tol=0)[1]


def of_given_H(X, W, H):
    return non_negative_factorization(X, H=H, update_H=False)[0]


def of_batches(X, W, H):
    options = {"beta_loss": 1.5, "max_iter": 2, "tol": 0, "random_state": 0, "init": "custom"}
    return MiniBatchNMF(3, **options).fit(X, W=W, H=H).components_


def of_stream(X, W, H):
    batches = (X.iloc[i : i + 20] for i in (0, 20, 40))
    return MiniBatchNMF(3, random_state=0, init="custom").fit(batches, H=H).components_


def of_batch(X, W, H):
    return MiniBatchNMF(3, init="custom").partial_fit(X, H=H).components_


def of_own_start(X, W, H):
    model = MiniBatchNMF(3)
    model.components_ = H
    return model.partial_fit(X).components_


def of_replaced(X, W, H):
    model = MiniBatchNMF(3, random_state=0).partial_fit(X)
    model.components_ = H
    return model.components_


def of_own_dictionary(X, W, H):
    model = NMF(3)
    model.components_ = H
    return model.transform(X)


def of_own_batch_dictionary(X, W, H):
    model = MiniBatchNMF(3)
    model.components_ = H
    return model.transform(X)


def of_replaced_fit(X, W, H):
    model = NMF(3, random_state=0).fit(X)
    model.components_ = H
    return model.transform(X)


TAKERS = [
    of_factorize, of_named_matrix, of_NMF, of_function, of_given_H, of_batches, of_stream, of_batch,
    of_own_start, of_replaced, of_own_dictionary, of_own_batch_dictionary, of_replaced_fit,
]  # fmt: skip


@pytest.mark.filterwarnings(
    "ignore:Maximum number:UserWarning",
    "ignore:the columns of X are matched:UserWarning",  # said where H has another order than X
)
@pytest.mark.parametrize("take", TAKERS)
def test_a_frame_in_another_order_is_put_in_that_of_X(take, X, W, H):
    known = take(X, W.to_numpy(), H.to_numpy())
    given = W.iloc[ROWS], H.iloc[:, COLUMNS]
    before = [frame.copy() for frame in given]
    np.testing.assert_allclose(take(X, *given), known, rtol=1e-10, atol=1e-12)
    for frame, copy in zip(given, before, strict=True):
        pd.testing.assert_frame_equal(frame, copy)


@pytest.mark.parametrize("Estimator", [NMF, MiniBatchNMF])
def test_a_dictionary_with_names_finds_them_in_any_frame(Estimator, X, H):
    model = Estimator(3)
    model.components_ = H
    with pytest.warns(UserWarning, match="they are in another order, and put in the model's"):
        W = model.transform(X.iloc[:, COLUMNS])
    np.testing.assert_array_equal(W, model.transform(X))
    with pytest.raises(ValueError, match="X has no feature of the model"):
        model.transform(X.add_prefix("mouse-"))


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_other_names_are_refused_and_plain_arrays_taken(kind, X, W, H):
    other = H.rename(columns={"g3": "x3"})
    if kind == "polars":
        other = pytest.importorskip("polars").from_pandas(other)
    with pytest.raises(ValueError, match=r"H has other features than X: 'x3' in H, 'g3' in X; .*"):
        factorize(X, 3, H=other)
    factorize(X, 3, H=other.to_numpy(), max_iter=1)
    with pytest.raises(ValueError, match=r"W has other samples than X: 'x' in W, 'c5' in X; .*"):
        factorize(X, 3, W=W.rename(index={"c5": "x"}))
    factorize(X, 3, W=W.reset_index(drop=True), max_iter=1)  # numbers are no names


@pytest.mark.parametrize("side", ["samples", "features"])
def test_weights_with_names_in_another_order_are_refused(side):
    """They were once taken by their positions: other samples and features were weighted."""
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(np.arange(1.0, 13).reshape(4, 3), list("abcd"), ["u", "v", "w"])
    index = X.index if side == "samples" else X.columns
    values = np.arange(1.0, len(index) + 1)
    expected = factorize(X, 1, weights=Weights(**{side: values}), random_state=0)
    for same in (pd.Series(values, index), pd.Series(values), list(values)):
        found = factorize(X, 1, weights=Weights(**{side: same}), random_state=0)
        np.testing.assert_array_equal(found.H, expected.H)
    for other in (pd.Series(values, index[::-1]), pd.Series(values, index + "!")):
        with pytest.raises(ValueError, match=f"weights has other {side} than X, or another order"):
            factorize(X, 1, weights=Weights(**{side: other}))
        if side == "samples":
            with pytest.raises(ValueError, match="weights has other samples"):
                NMF(1).fit(X, sample_weight=other)
    factorize(X.to_numpy(), 1, weights=Weights(**{side: pd.Series(values, index)}), max_iter=2)


def test_components_that_were_set_are_named_in_the_error(X, H):
    other = H.rename(columns={"g3": "x3"})
    batches = MiniBatchNMF(3, random_state=0).partial_fit(X)
    with pytest.raises(ValueError, match="components_ has other features than X: 'x3'"):
        batches.components_ = other
    model = NMF(3, random_state=0).fit(X)
    model.components_ = other
    with pytest.raises(ValueError, match="components_ has other features than X: 'x3'"):
        model.transform(X)


def test_names_that_are_there_twice_are_matched_in_order(X, H):
    twice = [*GENES[:10], "g0", "g1"]
    X, H = X.set_axis(twice, axis=1), H.set_axis(twice, axis=1)
    order = [11, *range(10), 10]  # the second g1 comes first now
    first = H.iloc[:, order]
    swapped = H.to_numpy()[:, [0, 11, *range(2, 11), 1]]
    np.testing.assert_array_equal(
        factorize(X, 3, H=first, random_state=0, max_iter=2).H,
        factorize(X, 3, H=swapped, random_state=0, max_iter=2).H,
    )


@pytest.mark.parametrize("side", ["features", "samples"])
def test_weights_of_entries_in_another_order_are_refused(side, X):
    weights = X.iloc[ROWS] if side == "samples" else X.iloc[:, COLUMNS]
    weights = weights * 0 + 1
    full = X + 1  # all entries are stored
    for fit in (lambda w: factorize(full, 3, weights=w), lambda w: NMF(3).fit(full, weights=w)):
        with pytest.raises(ValueError, match=f"weights has other {side} than X, or another order"):
            fit(weights)
    factorize(full, 3, weights=weights.to_numpy(), max_iter=1)
    factorize(full, 3, weights=X * 0 + 1, max_iter=1)
