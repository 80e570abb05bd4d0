"""Matrices with names, and the names that other packages' containers have."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import NamedMatrix
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
        lambda X: X.T.T.tocsr(),
        lambda X: X[1:],
        lambda X: X[:, [2, 0]],
        lambda X: X @ np.ones((3, 2)),
        lambda X: 2 * X + X.multiply(X),
        lambda X: X.astype(np.float32).copy(),
        lambda X: X.sum(axis=1),
        lambda X: sp.vstack([X, X]),
        abs,
    ],
)
def test_operations_give_what_scipy_gives_without_names(operation):
    expected, found = operation(sp.csr_array(DENSE)), operation(named())
    as_array = [x.toarray() if sp.issparse(x) else x for x in (expected, found)]
    np.testing.assert_array_equal(*as_array)
    assert names_of(found) == (None, None)


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
