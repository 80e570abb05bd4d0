"""Matrices with names, and the names that other packages' containers have."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import NamedMatrix, factorize
from sparsenmf.data.named import names_of

DENSE = np.array([[4.0, 1, 0], [0, 2, 4]])
FEATURES, SAMPLES = ["cat", "stock", "mouse"], ["a", "b"]


def named():
    return NamedMatrix(DENSE, feature_names=FEATURES, sample_names=SAMPLES)


def test_a_named_matrix_is_a_csr_array_with_its_names():
    X = named()
    assert isinstance(X, sp.csr_array)
    np.testing.assert_array_equal(X.toarray(), DENSE)
    features, samples = names_of(X)
    assert features.tolist() == FEATURES
    assert samples.tolist() == SAMPLES


@pytest.mark.parametrize(
    "operation",
    [
        lambda X: X[0],
        lambda X: X[:, 1],
        lambda X: X[1, 2],
        lambda X: X[[0, 1], [2, 0]],
        lambda X: X[[[0], [1]], [[2], [0]]],  # entries, in a column
        lambda X: X[X.toarray() > 1],
        lambda X: X[None, 0],
        lambda X: X @ np.ones((3, 2)),
        lambda X: X.sum(axis=1),
        lambda X: sp.vstack([X, X]),
        lambda X: X.reshape(3, 2),
        lambda X: X.tocoo().reshape(1, 6),
        lambda X: X[0] * 2,
        lambda X: sp.diags_array([1.0, 2]) @ X,  # scipy asks the left alone
    ],
)
def test_what_is_computed_is_what_scipy_gives_without_names(operation):
    expected, found = operation(sp.csr_array(DENSE)), operation(named())
    as_array = [x.toarray() if sp.issparse(x) else x for x in (expected, found)]
    np.testing.assert_array_equal(*as_array)
    assert names_of(found) == (None, None)


@pytest.mark.parametrize(
    ("part", "features", "samples"),
    [
        (lambda X: X[1:], FEATURES, ["b"]),
        (lambda X: X[::-1, ::2], ["cat", "mouse"], ["b", "a"]),
        (lambda X: X[[1, 0, 1]], FEATURES, ["b", "a", "b"]),
        (lambda X: X[np.array([False, True])], FEATURES, ["b"]),
        (lambda X: X[range(1)], FEATURES, ["a"]),
        (lambda X: X[[]], FEATURES, []),
        (lambda X: X[:, [2, 0]], ["mouse", "cat"], SAMPLES),
        (lambda X: X[:, [True, False, True]], ["cat", "mouse"], SAMPLES),
        (lambda X: X[:, X.sum(axis=0) > 3], ["cat", "mouse"], SAMPLES),
        (lambda X: X[:, []], [], SAMPLES),
        (lambda X: X[..., 1:], ["stock", "mouse"], SAMPLES),
        (lambda X: X[1:, ...], FEATURES, ["b"]),
        (lambda X: X[...], FEATURES, SAMPLES),
        (lambda X: X[np.ix_([1], [2, 0])], ["mouse", "cat"], ["b"]),
        (lambda X: X[np.ix_([True, False], [1])], ["stock"], ["a"]),
        (lambda X: X.T, SAMPLES, FEATURES),
        (lambda X: X.T[[2, 0], 1:], ["b"], ["mouse", "cat"]),
        (lambda X: X.transpose(copy=True).tocsr(), SAMPLES, FEATURES),
        (lambda X: X.T.T.tocsr(), FEATURES, SAMPLES),
        (lambda X: X.tocsc()[:, :1], ["cat"], SAMPLES),
        (lambda X: X.astype(np.float32).copy(), FEATURES, SAMPLES),
        (lambda X: X.sorted_indices(), FEATURES, SAMPLES),
        (lambda X: pickle.loads(pickle.dumps(X.T)), SAMPLES, FEATURES),
    ],
)
def test_parts_transposes_and_copies_keep_their_names(part, features, samples):
    X, expected = named(), part(sp.csr_array(DENSE))
    found = part(X)
    assert found.format == expected.format
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found.toarray(), expected.toarray())
    assert [names.tolist() for names in names_of(found)] == [features, samples]
    assert [found.feature_names.tolist(), found.sample_names.tolist()] == [features, samples]
    assert [names.tolist() for names in names_of(X)] == [FEATURES, SAMPLES]


def test_parts_of_a_matrix_with_names_of_one_side():
    X = NamedMatrix(DENSE, feature_names=FEATURES)
    assert X[1:, :2].feature_names.tolist() == ["cat", "stock"]
    assert X[1:].sample_names is None
    assert X.T.feature_names is None
    assert X.T.sample_names.tolist() == FEATURES
    X = NamedMatrix(DENSE)
    assert names_of(X[1:]) == names_of(X.T) == names_of(X.copy()) == (None, None)


def test_names_that_a_user_assigned_follow_the_columns():
    X = NamedMatrix(DENSE)
    X.feature_names = FEATURES
    assert X[:, ::-1].feature_names.tolist() == FEATURES[::-1]


def test_an_array_of_one_dimension_has_no_names():
    X = NamedMatrix(np.array([1.0, 0, 2]))
    assert names_of(X.copy()) == names_of(X[1:]) == (None, None)


def test_a_transpose_is_factorized_with_its_names():
    model = factorize(named().T, 1, max_iter=2)
    assert model.feature_names.tolist() == SAMPLES
    assert model.sample_names.tolist() == FEATURES


def test_names_must_fit():
    with pytest.raises(ValueError, match="vocabulary has 2 terms, but there are 3 features"):
        NamedMatrix(DENSE, feature_names=["cat", "mouse"])
    with pytest.raises(ValueError, match="sample_names has 3 names, but X has 2 rows"):
        NamedMatrix(DENSE, sample_names=["a", "b", "c"])


def test_numbers_of_samples_stay_numbers_and_missing_names_are_empty():
    assert NamedMatrix(DENSE, sample_names=[7, 3]).sample_names.dtype == np.int64
    assert NamedMatrix(DENSE, sample_names=["a", None]).sample_names.tolist() == ["a", ""]


def test_names_of_frames():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(DENSE, columns=FEATURES, index=SAMPLES)
    features, samples = names_of(frame)
    assert features.tolist() == FEATURES
    assert samples.tolist() == SAMPLES
    assert names_of(pd.DataFrame(DENSE)) == (None, None)


def test_names_of_polars_frames():
    pl = pytest.importorskip("polars")
    features, samples = names_of(pl.DataFrame(DENSE, schema=FEATURES))
    assert features.tolist() == FEATURES
    assert samples is None


def test_names_of_annotated_data():
    anndata, pd = pytest.importorskip("anndata"), pytest.importorskip("pandas")
    adata = anndata.AnnData(
        sp.csr_matrix(DENSE), obs=pd.DataFrame(index=SAMPLES), var=pd.DataFrame(index=FEATURES)
    )
    features, samples = names_of(adata)
    assert features.tolist() == FEATURES
    assert samples.tolist() == SAMPLES
    adata.raw = adata
    features, _ = names_of(adata.raw)
    assert features.tolist() == FEATURES
