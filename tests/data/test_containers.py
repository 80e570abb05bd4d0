"""AnnData, PyData sparse, pyarrow and pandas: from and to the objects of the real packages."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import (
    consensus,
    estimate_memory,
    factorize,
    forecast_selection,
    select_n_components,
    to_pyldavis,
    write_csr,
)
from sparsenmf.data.validation import check_matrix

from ..corpus import TERMS, make_counts


@pytest.fixture(scope="module")
def X():
    return sp.random_array((40, 30), density=0.2, rng=0, format="csr")


@pytest.fixture(scope="module")
def model():
    return factorize(make_counts(), 3, random_state=0, alpha_W=0.01)


def as_anndata(X):
    return pytest.importorskip("anndata").AnnData(sp.csr_matrix(X))


def as_anndata_on_disk(X, path):
    anndata = pytest.importorskip("anndata")
    as_anndata(X).write_h5ad(path / "X.h5ad")
    return anndata.read_h5ad(path / "X.h5ad", backed="r")


def as_pyarrow(kind):
    def convert(X, path):
        pyarrow = pytest.importorskip("pyarrow")
        if kind == "SparseCOOTensor":
            return pyarrow.SparseCOOTensor.from_scipy(sp.coo_matrix(X))
        if kind == "SparseCSCMatrix":
            return pyarrow.SparseCSCMatrix.from_scipy(sp.csc_matrix(X))
        return pyarrow.SparseCSRMatrix.from_scipy(sp.csr_matrix(X))

    return convert


def as_pydata(kind):
    return lambda X, path: getattr(pytest.importorskip("sparse"), kind).from_scipy_sparse(X)


CONTAINERS = {
    "AnnData": lambda X, path: as_anndata(X),
    "AnnData, CSC": lambda X, path: as_anndata(sp.csc_matrix(X)),
    "AnnData, dense": lambda X, path: pytest.importorskip("anndata").AnnData(X.toarray()),
    "AnnData view": lambda X, path: as_anndata(sp.vstack([X, X]))[:40],
    "AnnData on disk": as_anndata_on_disk,
    "sparse.COO": as_pydata("COO"),
    "sparse.GCXS": as_pydata("GCXS"),
    "pyarrow.SparseCSRMatrix": as_pyarrow("SparseCSRMatrix"),
    "pyarrow.SparseCSCMatrix": as_pyarrow("SparseCSCMatrix"),
    "pyarrow.SparseCOOTensor": as_pyarrow("SparseCOOTensor"),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize("name", CONTAINERS)
def test_container_is_the_matrix_in_it(name, dtype, X, tmp_path):
    X = (X * 100).astype(dtype)
    container = CONTAINERS[name](X, tmp_path)
    found, expected = check_matrix(container), check_matrix(X)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found.toarray(), expected.toarray())


def test_container_is_factorized_and_transformed(X):
    adata, expected = as_anndata(X), factorize(X, 3, random_state=0)
    found = factorize(adata, 3, random_state=0)
    np.testing.assert_array_equal(found.W, expected.W)
    np.testing.assert_array_equal(found.transform(adata), expected.transform(X))


def test_containers_that_are_no_matrix_are_refused():
    sparse = pytest.importorskip("sparse")
    with pytest.raises(ValueError, match=r"X cannot be read as a sparse matrix: .*fill"):
        check_matrix(sparse.COO.from_numpy(np.ones((3, 3)), fill_value=1))
    with pytest.raises(ValueError, match="X must have two dimensions, not 3"):
        check_matrix(sparse.zeros((3, 3, 3)))
    anndata = pytest.importorskip("anndata")
    with pytest.raises(TypeError, match="X must hold real numbers"):
        check_matrix(anndata.AnnData(shape=(3, 3)))
    with pytest.raises(ValueError, match=r"negative value .* at row 1, column 0"):
        check_matrix(anndata.AnnData(np.array([[1.0, 2], [-3, 4]])))


def test_frame_with_columns_named_like_attributes_is_a_frame():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(np.eye(4), columns=["obsm", "varm", "to_scipy", "X"])
    np.testing.assert_array_equal(check_matrix(frame).toarray(), np.eye(4))


def test_no_package_is_imported_for_the_sake_of_another():
    code = (
        "import sys, scipy.sparse as sp\n"
        "from sparsenmf.data.validation import check_matrix\n"
        "check_matrix(sp.eye_array(3))\n"
        "loaded = {'anndata', 'sparse', 'pyarrow', 'pandas'} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_frames_are_the_factors(model):
    pytest.importorskip("pandas")
    H, W = model.to_frame(labels=TERMS), model.to_frame("W")
    np.testing.assert_array_equal(H.to_numpy(), model.H)
    np.testing.assert_array_equal(W.to_numpy(), model.W)
    assert list(H.columns) == TERMS
    assert list(H.index) == list(W.columns) == ["topic_1", "topic_2", "topic_3"]
    assert list(model.to_frame().columns) == list(range(20))
    by_column = dict(zip(TERMS, range(20), strict=True))
    assert model.to_frame(labels=by_column).equals(H)
    titles = [f"d{i}" for i in range(80)]
    assert list(model.to_frame("W", labels=titles).index) == titles
    top = H.loc["topic_2"].nlargest(4).index
    assert list(top) == model.top_terms(TERMS, 4)[1]


def test_frames_refuse_what_does_not_fit(model, monkeypatch):
    pytest.importorskip("pandas")
    with pytest.raises(ValueError, match='which must be "W" or "H"'):
        model.to_frame("h")
    with pytest.raises(ValueError, match="vocabulary has 2 terms"):
        model.to_frame(labels=["a", "b"])
    with pytest.raises(ValueError, match="labels has 20 names, but W has 80 rows"):
        model.to_frame("W", labels=TERMS)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r'pip install "sparsenmf\[frames\]"'):
        model.to_frame()


def test_anndata_survives_its_file(model, tmp_path):
    anndata = pytest.importorskip("anndata")
    given = anndata.AnnData(sp.csr_matrix(make_counts().astype(np.float32)))
    given.var_names = TERMS
    adata = model.to_anndata(given)
    assert adata is given
    adata.write_h5ad(tmp_path / "cells.h5ad")
    found = anndata.read_h5ad(tmp_path / "cells.h5ad")
    np.testing.assert_array_equal(found.obsm["X_nmf"], model.W)
    np.testing.assert_array_equal(found.varm["nmf"], model.H.T)
    assert list(found.var_names) == TERMS
    record = found.uns["nmf"]
    assert dict(record["options"]) == model.options
    np.testing.assert_array_equal(record["objective_history"], model.objective_history)
    np.testing.assert_array_equal(record["time_history"], model.time_history)
    for name in ("stop_reason", "optimality", "x_norm", "error"):
        assert record[name] == getattr(model, name)


def test_new_anndata_has_the_factors_and_copies_of_them(model, tmp_path):
    pytest.importorskip("anndata")
    adata = model.to_anndata()
    assert adata.shape == (80, 20)
    adata.write_h5ad(tmp_path / "new.h5ad")
    before = model.W.copy(), model.H.copy()
    adata.obsm["X_nmf"][:] = 0
    adata.varm["nmf"][:] = 0
    np.testing.assert_array_equal(model.W, before[0])
    np.testing.assert_array_equal(model.H, before[1])


def test_options_without_a_value_are_left_out(model, tmp_path):
    anndata = pytest.importorskip("anndata")
    other = factorize(make_counts(), 3, random_state=0)
    other.options["nothing"] = None
    other.to_anndata().write_h5ad(tmp_path / "new.h5ad")
    assert "nothing" not in anndata.read_h5ad(tmp_path / "new.h5ad").uns["nmf"]["options"]


def test_anndata_of_another_shape_is_refused(model, monkeypatch):
    anndata = pytest.importorskip("anndata")
    adata = anndata.AnnData(np.ones((80, 3)))
    with pytest.raises(ValueError, match=r"adata is 80 x 3, but .* 80 x 20"):
        model.to_anndata(adata)
    assert not adata.obsm
    monkeypatch.setitem(sys.modules, "anndata", None)
    with pytest.raises(ImportError, match=r'pip install "sparsenmf\[h5ad\]"'):
        model.to_anndata()


ANNDATA = {
    "raw": lambda adata, path: adata.raw,
    "raw on disk": lambda adata, path: on_disk(adata, path).raw,
    "X on disk": lambda adata, path: on_disk(adata, path).X,
    "X of raw on disk": lambda adata, path: on_disk(adata, path).raw.X,
    "layer on disk": lambda adata, path: on_disk(adata, path).layers["counts"],
    "view on disk": lambda adata, path: on_disk(adata, path)[:40],
}


def on_disk(adata, path):
    adata.write_h5ad(path / "X.h5ad")
    return pytest.importorskip("anndata").read_h5ad(path / "X.h5ad", backed="r")


@pytest.mark.parametrize("name", ANNDATA)
def test_parts_of_an_anndata_are_the_matrix_in_them(name, X, tmp_path):
    adata = as_anndata(X)
    adata.raw = adata
    adata.layers["counts"] = adata.X
    part = ANNDATA[name](adata, tmp_path)
    np.testing.assert_array_equal(check_matrix(part).toarray(), X.toarray())
    estimators = pytest.importorskip("sparsenmf.models.estimators")
    options = {"random_state": 0, "tol": 0, "max_iter": 3}
    model = estimators.NMF(2, **options).fit(part)
    expected = estimators.NMF(2, **options).fit(X)
    np.testing.assert_array_equal(model.components_, expected.components_)
    np.testing.assert_array_equal(model.transform(part), expected.transform(X))


def stored(X, path):
    return write_csr(path / "store", X)


NO_MATRIX = {
    "None": (lambda X, path: None, "is None: pass a matrix"),
    "AnnData": (
        lambda X, path: pytest.importorskip("anndata").AnnData(shape=X.shape),
        "is an AnnData without X: pass one of its layers",
    ),
    "path": (lambda X, path: path / "X.npz", r"X\.npz': read a file with read_matrix"),
    "blocks": (lambda X, path: [X, X], "a list of matrices, such as csr_.*: stack them with"),
    "arrays": (lambda X, path: (X.toarray(), X.toarray()), "ndarray: stack them.* write_csr"),
    "texts": (lambda X, path: ["the cat", "the mat"], "a list of texts: pass them to find_topics"),
    "store": (stored, r"is a store: .* pass store\.rows\(0, store\.shape\[0\]\)"),
}


@pytest.mark.parametrize("name", NO_MATRIX)
def test_objects_that_only_resemble_a_matrix_are_refused_by_name(name, X, tmp_path, model):
    make, message = NO_MATRIX[name]
    X = make(X, tmp_path)
    calls = {}
    try:
        from sparsenmf import NMF, MiniBatchNMF
    except ImportError:
        pass
    else:
        calls |= {"NMF": lambda: NMF(2).fit(X), "batch": lambda: MiniBatchNMF(2).partial_fit(X)}
    if name != "store":
        calls |= {"factorize": lambda: factorize(X, 2), "transform": lambda: model.transform(X)}
        calls |= {
            "select": lambda: select_n_components(X, [1, 2]),
            "forecast": lambda: forecast_selection(X, [1, 2]),
            "consensus": lambda: consensus(X, 2),
        }
    if name not in ("path", "None", "texts"):
        calls["pyLDAvis"] = lambda: to_pyldavis(model, TERMS, X)
    for call in calls.values():
        with pytest.raises(TypeError, match=f"X must hold real numbers .*{message}"):
            call()


def test_stores_are_blocks_of_rows(X, tmp_path):
    part = stored(X, tmp_path)
    both = write_csr(tmp_path / "both", [part, X, part])
    np.testing.assert_array_equal(sp.vstack(list(both)).toarray(), np.tile(X.toarray(), (3, 1)))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([[1, None], [2, 3]], r"not object, such as None at \[0, 1\]"),
        (np.array([[1, 2], ["a", 3]], object), r"not object, such as 'a' at \[1, 0\]"),
        (np.array([["1", "2"]]), r"not <U1, such as '1' at \[0, 0\]: texts must be counted"),
        (np.eye(2) * 1j, "not complex128: take its absolute values"),
        (np.zeros((2, 2), "M8[s]"), r"not datetime64\[s\]: turn dates into numbers"),
        ([sp.eye_array(2), sp.eye_array(2)], "is a list of matrices, such as dia_array"),
        ({"a": [1, 2]}, "is of the type dict: pass a matrix"),
        (iter([1, 2]), "is of the type list_iterator"),
    ],
)
def test_arrays_of_something_else_are_named(X, message):
    with pytest.raises(TypeError, match=f"X must hold real numbers .*{message}"):
        check_matrix(X)


def test_objects_that_are_numbers_are_numbers():
    X = np.array([[1, 0.5], [True, np.float32(2)]], object)
    np.testing.assert_array_equal(check_matrix(X).toarray(), [[1, 0.5], [1, 2]])


def test_memory_is_estimated_for_what_holds_a_sparse_matrix(X):
    adata = as_anndata(X)
    assert estimate_memory(adata, 3) == estimate_memory(adata.X, 3)
    coo = pytest.importorskip("sparse").COO(X)
    assert estimate_memory(coo, 3) == estimate_memory(X.tocoo(), 3)
    with pytest.raises(TypeError, match="for others pass shape and nnz"):
        estimate_memory(X.toarray(), 3)


def test_columns_of_a_pyarrow_table_have_names(X):
    pyarrow = pytest.importorskip("pyarrow")
    names = [f"g{j}" for j in range(30)]
    table = pyarrow.table(dict(zip(names, X.toarray().T, strict=True)))
    model = factorize(table, 2, random_state=0, max_iter=3)
    assert model.feature_names.tolist() == names
    np.testing.assert_array_equal(model.W, factorize(X, 2, random_state=0, max_iter=3).W)
    with pytest.warns(UserWarning, match="another order"):
        W = model.transform(table.select(names[::-1]))
    np.testing.assert_array_equal(W, model.transform(X))


def test_an_anndata_of_another_size_is_refused_with_what_to_do(model):
    adata = as_anndata(sp.csr_matrix((model.n_samples, model.n_features + 1)))
    with pytest.raises(
        ValueError, match=r"such as adata\[:, model.feature_names\].copy\(\) .*obsm"
    ):
        model.to_anndata(adata)
