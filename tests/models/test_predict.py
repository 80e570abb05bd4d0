"""`Factorization.predict`: entries of W @ H, asked for by positions and by names."""

import numpy as np
import pytest

from sparsenmf import Factorization, NamedMatrix, factorize

USERS, ITEMS = ["ann", "bob", "eve", "bob"], ["tea", "milk", "7"]


@pytest.fixture(scope="module")
def model():
    X = NamedMatrix(np.arange(1.0, 13).reshape(4, 3), feature_names=ITEMS, sample_names=USERS)
    return factorize(X, 2, random_state=0, max_iter=3)


@pytest.mark.parametrize(
    ("samples", "features", "rows", "columns"),
    [
        ("eve", "milk", 2, 1),
        ("eve", 1, 2, 1),
        (2, "milk", 2, 1),
        ("ann", ITEMS, 0, [0, 1, 2]),
        (["eve", "ann"], ["7", "tea"], [2, 0], [2, 0]),
        (np.array([["ann"], ["eve"]]), np.array(["7", "tea", "7"], object), [[0], [2]], [2, 0, 2]),
        (("eve", "ann"), np.str_("tea"), [2, 0], 0),
        (3, 2, 3, 2),
        ([], "tea", [], 0),
        (np.uint8([0, 3]), range(2), [0, 3], [0, 1]),
    ],
)
def test_rows_and_columns_are_given_by_positions_or_names(model, samples, features, rows, columns):
    found = model.predict(samples, features)
    i, j = np.asarray(rows, int), np.asarray(columns, int)
    expected = (model.W @ model.H)[i, j]
    assert found.shape == expected.shape
    assert found.dtype == model.H.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_names_of_other_packages_are_taken(model):
    pd = pytest.importorskip("pandas")
    expected = model.predict([0, 2], [1, 0])
    for wrap in (pd.Series, pd.Index, pd.Categorical, lambda names: pd.array(names, "string")):
        found = model.predict(wrap(["ann", "eve"]), wrap(["milk", "tea"]))
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("samples", "features", "message"),
    [
        ("joe", 0, r"samples has 'joe', not in model\.sample_names"),
        (["ann", "z", "y", "z"], 0, r"samples has 'y', 'z', not in model\.sample_names"),
        (0, "coffee", r"features has 'coffee', not in model\.feature_names"),
        (0, list("abcd"), r"features has 'a', 'b', 'c', \.\.\., not in"),
        ("bob", 0, r"samples has 'bob', more than once in model\.sample_names"),
        (0, "Tea", "features has 'Tea', not in"),
    ],
)
def test_names_that_are_unknown_or_not_unique_are_named(model, samples, features, message):
    with pytest.raises(ValueError, match=message):
        model.predict(samples, features)


@pytest.mark.parametrize(
    "odd", [1.0, [0.5], [True], b"ann", ["ann", None], np.array(["ann", 1], object)]
)
def test_what_is_neither_a_number_nor_a_name_is_refused(model, odd):
    with pytest.raises(TypeError, match="samples must be integers or names, each a str, not"):
        model.predict(odd, 0)


def test_a_list_of_numbers_and_names_is_refused(model):
    """NumPy would make the text "2" of the number 2."""
    with pytest.raises(TypeError, match="features must be integers or names"):
        model.predict(0, ["tea", 2])


def test_positions_out_of_range_are_refused(model):
    with pytest.raises(IndexError, match=r"samples must lie in \[0, 4\), but span \[-1, 2\]"):
        model.predict([2, -1], 0)
    with pytest.raises(IndexError, match="a name that is a number is looked up as a text"):
        model.predict(0, 7)


def test_a_model_without_names_takes_positions_alone(model):
    plain = factorize(np.eye(3), 1, max_iter=2)
    with pytest.raises(TypeError, match=r"no names of them: .* or assign model\.feature_names"):
        plain.predict(0, "tea")
    plain.feature_names = list("abc")
    assert plain.predict(0, "b") == plain.predict(0, 1)
    plain.feature_names = ["a"]
    with pytest.raises(ValueError, match="1 terms, but there are 3 features"):
        plain.predict(0, "a")


def test_numbered_samples_are_found_as_texts_and_numbers_are_positions():
    numbered = NamedMatrix(np.diag([1.0, 2, 3]), sample_names=[2, 0, 1])
    model = factorize(numbered, 3, random_state=0)
    assert model.predict("2", 0) == model.predict(0, 0) != model.predict(2, 0)


def test_a_model_that_was_saved_finds_its_names(model, tmp_path):
    model.save(tmp_path / "model.npz")
    loaded = Factorization.load(tmp_path / "model.npz")
    assert loaded.predict("eve", "7") == model.predict(2, 2)
