"""What is computed from a matrix with names: where they travel, and where they are dropped."""

import operator
import types

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import NamedMatrix, factorize
from sparsenmf.data.named import ENTRY_BY_ENTRY, names_of

DENSE = np.array([[0.5, 0.75, 0], [0, 0.25, 0.75]])
FEATURES, SAMPLES = ["cat", "stock", "mouse"], ["a", "b"]
FORMATS = ["csr", "csc", "coo"]


def named(features=FEATURES, samples=SAMPLES, dense=DENSE):
    return NamedMatrix(dense, feature_names=features, sample_names=samples)


def check(found, expected, features, samples):
    """The numbers, the format and the type are scipy's, and the names those given."""
    assert found.format == expected.format
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found.toarray(), expected.toarray())
    assert [None if names is None else names.tolist() for names in names_of(found)] == [
        features,
        samples,
    ]


ALONE = {
    name: operator.methodcaller(name)
    for name in ENTRY_BY_ENTRY
    if not name.startswith("__")
    and name not in ("astype", "power", "multiply", "maximum", "minimum")
}

WITH_NUMBERS = {
    "twice": lambda X: X * 2,
    "twice from the left": lambda X: np.float64(2) * X,
    "a third": lambda X: X / 3,
    "minus": lambda X: -X,
    "absolute": abs,
    "rounded": lambda X: round(X, 1),
    "squared": lambda X: X**2,
    "power": lambda X: X.power(2),
    "single": lambda X: X.astype(np.float32),
    "nothing added": lambda X: X + 0,
    "NumPy's own": np.log1p,
    "what is large": lambda X: X > 0.3,
    "what is not zero": lambda X: X != 0,
    "at least zero": lambda X: X.maximum(0),
    "rows by weights": lambda X: X * np.array([[2.0], [3]]),
    "rows by weights from the left": lambda X: np.array([[2.0], [3]]) * X,
    "columns by weights": lambda X: X.multiply(np.array([1.0, 2, 3])),
    "columns by a sparse row": lambda X: X * sp.csr_array([[1.0, 2, 3]]),
    "rows by a sparse column": lambda X: X * sp.csr_array([[1.0], [2]]),
    "entries by entries": lambda X: X * DENSE,
    "by columns a diagonal": lambda X: X @ sp.diags_array([1.0, 2, 3]),
    "times a diagonal in rows": lambda X: X @ sp.diags_array([1.0, 0, 3]).tocsc(),
    "steps": lambda X: np.sqrt((X * 2).tocsc() / np.array([[1.0], [2]])).tocsr(),
}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", [*ALONE, *WITH_NUMBERS])
def test_names_travel_where_rows_and_columns_stay(name, form):
    operation = {**ALONE, **WITH_NUMBERS}[name]
    X, plain = named().asformat(form), sp.csr_array(DENSE).asformat(form)
    check(operation(X), operation(plain), FEATURES, SAMPLES)
    assert [names.tolist() for names in names_of(X)] == [FEATURES, SAMPLES]
    assert names_of(operation(NamedMatrix(DENSE).asformat(form))) == (None, None)
    one = operation(named(samples=None).asformat(form))
    assert one.feature_names.tolist() == FEATURES
    assert one.sample_names is None


def test_a_diagonal_from_the_left_keeps_the_names():
    D = sp.diags_array([1.0, 2]).tocsr()
    check(D @ named(), D @ sp.csr_array(DENSE), FEATURES, SAMPLES)
    check(D.dot(named()), D @ sp.csr_array(DENSE), FEATURES, SAMPLES)


@pytest.mark.parametrize(
    "operation",
    [
        operator.add,
        operator.sub,
        operator.mul,
        operator.gt,
        operator.ne,
        lambda X, Y: X.maximum(Y),
        lambda X, Y: X.multiply(Y),
    ],
)
def test_two_matrices_keep_the_names_that_they_agree_on(operation):
    plain, other = sp.csr_array(DENSE), sp.csr_array(DENSE[:, ::-1])
    expected = operation(plain, other)

    def named_other(features, samples):
        return named(features, samples, DENSE[:, ::-1])

    check(operation(named(), other), expected, FEATURES, SAMPLES)
    if isinstance(operation, types.BuiltinFunctionType):  # of a method scipy asks the left alone
        check(operation(plain, named_other(FEATURES, SAMPLES)), expected, FEATURES, SAMPLES)
    check(operation(named(), named_other(FEATURES, SAMPLES)), expected, FEATURES, SAMPLES)
    check(operation(named(), named_other(FEATURES, ["b", "a"])), expected, FEATURES, None)
    check(operation(named(), named_other(FEATURES[::-1], SAMPLES)), expected, None, SAMPLES)
    both = operation(named(samples=None), named_other(None, SAMPLES))
    check(both, expected, FEATURES, SAMPLES)


def test_what_is_broadcast_brings_no_name_along_that_axis():
    column = named(["weight"], SAMPLES, [[2.0], [3]])
    check(named() * column, sp.csr_array(DENSE) * sp.csr_array([[2.0], [3]]), FEATURES, SAMPLES)
    for found in (column * named(), column * sp.csr_array(DENSE)):
        features, samples = names_of(found)
        assert samples.tolist() == SAMPLES
        assert features is None or features.tolist() == FEATURES
    row = named(FEATURES, ["mean"], [[1.0, 2, 3]])
    check(row * sp.csr_array(DENSE), sp.csr_array(DENSE) * sp.csr_array([[1.0, 2, 3]]), FEATURES,
          None)  # fmt: skip


@pytest.mark.parametrize("form", FORMATS)
def test_a_product_has_the_rows_of_the_left_and_the_columns_of_the_right(form):
    plain = sp.csr_array(DENSE).asformat(form)
    X = named().asformat(form)
    check(X @ X.T, plain @ plain.T, SAMPLES, SAMPLES)
    check(X.T @ X, plain.T @ plain, FEATURES, FEATURES)
    square = sp.csr_array(np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]]))  # turns columns
    check(X @ square, plain @ square, None, SAMPLES)
    check(X @ named(["u", "v", "w"], FEATURES, square), plain @ square, ["u", "v", "w"], SAMPLES)


def test_rows_that_a_product_mixes_lose_their_names():
    swap = sp.csr_array(np.array([[0.0, 1], [1, 0]]))
    check(swap @ named(), swap @ sp.csr_array(DENSE), FEATURES, None)


def test_changes_in_place_keep_the_names():
    X = named()
    X *= 2
    X /= 4
    X += named()
    X.data[0] = 0
    X.eliminate_zeros()
    assert [names.tolist() for names in names_of(X)] == [FEATURES, SAMPLES]


def test_a_square_matrix_in_coordinates_turns_its_names_with_its_axes():
    X = named(["a", "b"], ["c", "d"], np.eye(2)).tocoo()
    check(X.transpose((1, 0)), X, ["c", "d"], ["a", "b"])
    if _keeps_axes():
        check(X.transpose((0, 1)), X, ["a", "b"], ["c", "d"])


def _keeps_axes():
    """Whether this scipy takes (0, 1), with which the matrix stays as it is."""
    try:
        sp.coo_array(np.eye(2)).transpose((0, 1))
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    "operation", [np.log1p, lambda X: X * np.ones((2, 1)), lambda X: X.tocoo()]
)
def test_what_is_computed_is_factorized_with_its_names(operation):
    model = factorize(operation(named()), 1, max_iter=2)
    assert model.feature_names.tolist() == FEATURES
    assert model.sample_names.tolist() == SAMPLES


CHANGEABLE = ["lil", "dok"]


@pytest.mark.parametrize("form", CHANGEABLE)
@pytest.mark.parametrize("source", FORMATS)
def test_names_go_through_formats_that_can_be_changed(source, form):
    X = named().asformat(source).asformat(form)
    X[0, 2] = 0.25
    X[1, 0] = 0
    dense = DENSE.copy()
    dense[0, 2], dense[1, 0] = 0.25, 0
    expected = sp.csr_array(dense)
    for back in (*FORMATS, *CHANGEABLE):
        check(X.asformat(back), expected.asformat(back), FEATURES, SAMPLES)
    check(X.copy(), expected.asformat(form), FEATURES, SAMPLES)
    check(X.T, expected.asformat(form).T, SAMPLES, FEATURES)
    check(X * 2, expected.asformat(form) * 2, FEATURES, SAMPLES)
    check(X[:, [2, 0]], expected.asformat(form)[:, [2, 0]], ["mouse", "cat"], SAMPLES)
    assert X[0, 2] == 0.25
    assert factorize(X, 1, random_state=0).top_terms(n=1) is not None
    assert factorize(X, 1, random_state=0).sample_names.tolist() == SAMPLES


def test_what_a_format_does_not_compute_is_not_there():
    for form in CHANGEABLE:
        assert not hasattr(named().asformat(form), "log1p")
        assert not hasattr(sp.csr_array(DENSE).asformat(form), "log1p")


@pytest.mark.parametrize("form", [*FORMATS, *CHANGEABLE])
@pytest.mark.parametrize("shape", [(2, 3), (2, 2), (1, 3), (1, 1), (3, 3), (2, 5), (3, 2), (1, 5)])
@pytest.mark.parametrize("as_one", [True, False])
def test_resizing_cuts_names_and_drops_those_of_what_grows(shape, form, as_one):
    X, expected = named().asformat(form).copy(), sp.csr_array(DENSE).asformat(form).copy()
    for matrix in (X, expected):
        matrix.resize(shape) if as_one else matrix.resize(*shape)
    features = FEATURES[: shape[1]] if shape[1] <= 3 else None
    samples = SAMPLES[: shape[0]] if shape[0] <= 2 else None
    check(X, expected, features, samples)
    check(X.tocsr() * 2, expected.tocsr() * 2, features, samples)
    check(X.tocsr()[:1], expected.tocsr()[:1], features, samples and samples[:1])


def test_resizing_knows_assigned_names():
    X = named(None, None)
    X.feature_names = {"stock": 1, "cat": 0, "mouse": 2}
    X.resize(2, 2)
    assert X.feature_names.tolist() == ["cat", "stock"]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("dense", [DENSE[:, :2], np.eye(2), np.array([[0, 1.0], [0, 0]])])
def test_scipys_exchange_of_axes_exchanges_names(dense, form):
    X = named(FEATURES[:2], SAMPLES, dense).asformat(form)
    for exchange in (lambda Y: sp.permute_dims(Y, (1, 0)), lambda Y: sp.swapaxes(Y, 0, 1)):
        found = exchange(X.copy())
        assert [names.tolist() for names in names_of(found)] == [SAMPLES, FEATURES[:2]]
        np.testing.assert_array_equal(found.toarray(), dense.T)
        found.sum_duplicates()  # other arrays, of the same rows and columns
        found.eliminate_zeros()
        assert [names.tolist() for names in names_of(found)] == [SAMPLES, FEATURES[:2]]
    same = np.arange(2)
    Y = NamedMatrix(np.eye(2), feature_names=FEATURES[:2]).tocoo()
    Y.coords = same, same
    Y.coords = Y.coords[::-1]  # an exchange, or none: nobody can tell
    assert names_of(Y) == (None, None)


@pytest.mark.parametrize("stack", [sp.vstack, sp.hstack, sp.block_diag])
def test_stacks_have_no_names_rather_than_wrong_ones(stack):
    assert names_of(stack([named(), named()])) == (None, None)
    assert factorize(stack([named(), named()]), 1, random_state=0).feature_names is None
