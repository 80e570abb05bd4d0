"""DataFrames of mixed, nullable and sparse columns are read; other columns are named."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import consensus, factorize, select_n_components, write_csr
from sparsenmf.data.validation import check_matrix, check_weighted

pd = pytest.importorskip("pandas")

NUMBERS = np.array([[1, 0, 2, 0], [0, 3, 0, 1], [4, 0, 0, 1], [0, 5, 1, 0], [2, 2, 0, 1]], float)


def frame(**changes):
    """Return the numbers in a frame whose columns have other types."""
    X = pd.DataFrame(NUMBERS, columns=list("abcd"))
    for label, column in changes.items():
        X[label] = column
    return X


def column(label):
    return pd.Series(NUMBERS[:, "abcd".index(label)])


def sparse(label, fill=0.0):
    values = column(label)
    return pd.arrays.SparseArray(values.where(values != 0, fill), fill_value=fill)


READ = {
    "floats, integers and booleans": lambda: frame(a=column("a").astype("i8"), d=column("d") > 0),
    "single and double": lambda: frame(b=column("b").astype("f4")),
    "small and large integers": lambda: frame().astype({"a": "i1", "b": "u2", "c": "i8"}),
    "nullable integers": lambda: frame().astype("Int64"),
    "nullable floats": lambda: frame().astype("Float32"),
    "nullable beside others": lambda: frame(
        a=column("a").astype("Int16"), d=(column("d") > 0).astype("boolean")
    ),
    "arrow": lambda: frame().astype("double[pyarrow]"),
    "arrow integers": lambda: frame(a=column("a").astype("int32[pyarrow]")),
    "objects": lambda: frame(c=column("c").astype(object)),
    "categories that are numbers": lambda: frame(d=column("d").astype("category")),
    "sparse beside dense": lambda: frame(a=sparse("a"), c=sparse("c"), d=column("d") > 0),
    "sparse of two types": lambda: frame().astype(
        {"a": pd.SparseDtype("i8", 0), **dict.fromkeys("bcd", pd.SparseDtype(float, 0.0))}
    ),
}


@pytest.mark.parametrize("name", READ)
def test_frame_is_the_numbers_in_it(name):
    if "arrow" in name:
        pytest.importorskip("pyarrow")
    X = READ[name]()
    before = X.copy()
    np.testing.assert_array_equal(check_matrix(X).toarray(), NUMBERS)
    pd.testing.assert_frame_equal(X, before)


def test_types_are_those_that_hold_all_columns():
    assert check_matrix(frame().astype("Int64")).dtype == np.float32  # as integers of NumPy
    assert check_matrix((frame() > 0).astype("boolean")).dtype == np.float32
    assert check_matrix(frame().astype("Float32")).dtype == np.float32
    assert check_matrix(frame(a=column("a").astype("Float32"))).dtype == np.float64


def test_large_integers_keep_their_value():
    X = pd.DataFrame({"a": [2**24 + 1, 1], "b": [0, 3]}, dtype="Int64")
    np.testing.assert_array_equal(check_matrix(X).toarray(), [[2**24 + 1, 0], [1, 3]])


def missing(kind):
    """Return a frame in which all zeros but one are missing values."""
    values = np.where(NUMBERS == 0, np.nan, NUMBERS)
    values[0, 1] = 0
    X = pd.DataFrame(values, columns=list("abcd"))
    if kind == "sparse":
        return X.astype(pd.SparseDtype(float, np.nan))
    if kind == "sparse beside dense":
        return X.astype({"a": pd.SparseDtype(float, np.nan)})
    if kind == "objects":
        return X.astype(object).where(X.notna(), None)
    return X if kind == "NaN" else X.astype(kind)


@pytest.mark.parametrize(
    "kind", ["NaN", "Int64", "Float64", "objects", "sparse", "sparse beside dense"]
)
def test_missing_values_of_a_frame_are_unknown_or_refused(kind):
    X = missing(kind)
    found, entries = check_weighted(X, None, "unknown")
    assert entries.absent == 0
    there = sp.csr_array((np.ones(found.nnz), found.indices, found.indptr), shape=found.shape)
    expected = NUMBERS > 0
    expected[0, 1] = True  # a zero is a value like others
    np.testing.assert_array_equal(there.toarray(), expected)
    np.testing.assert_array_equal(found.toarray(), NUMBERS)
    with pytest.raises(ValueError, match=r"missing value \(NaN\)|'a' has the fill value nan"):
        check_matrix(X)


def test_fill_value_of_one_is_named():
    with pytest.raises(ValueError, match=r"column 'b' has the fill value 1\.0"):
        check_matrix(frame(b=sparse("b", 1.0)))


REFUSED = {
    "text": (["x"] * 5, "'x' at row 0"),
    "one text": ([1.0, 2, 3, "oops", 5], "'oops' at row 3"),
    "string type": (pd.Series(["x"] * 5, dtype="string"), "'x' at row 0"),
    "text after missing": ([None, None, "late", 1.0, 2.0], "'late' at row 2"),
    "dates": (pd.date_range("2020", periods=5), "Timestamp"),
    "durations": (pd.timedelta_range("1s", periods=5), "Timedelta"),
    "categories": (pd.Categorical(list("uvuvu")), "'u' at row 0"),
    "complex": (np.full(5, 1j), "1j at row 0"),
    "intervals": (pd.interval_range(0.0, 5.0, periods=5), "Interval"),
    "lists": ([[1]] * 5, r"\[1\] at row 0"),
}


@pytest.mark.parametrize("others", ["dense", "sparse"])
@pytest.mark.parametrize("kind", REFUSED)
def test_column_without_numbers_is_named_everywhere(kind, others, tmp_path):
    values, found = REFUSED[kind]
    X = frame().astype(pd.SparseDtype(float, 0.0) if others == "sparse" else float)
    X["c"] = values
    model = factorize(NUMBERS, 2, random_state=0, max_iter=2)
    calls = [
        lambda: factorize(X, 2),
        lambda: factorize(X, 2, missing="unknown"),
        lambda: model.transform(X),
        lambda: model.loss(X),
        lambda: select_n_components(X, [1, 2]),
        lambda: consensus(X, 2),
        lambda: write_csr(tmp_path / "store", X),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=f"its column 'c' holds .*{found}.*drop the column"):
            call()


def test_duplicate_labels_and_labels_that_are_no_text():
    X = frame()
    X.columns = ["a", "a", 3, ("b", 1)]
    np.testing.assert_array_equal(check_matrix(X).toarray(), NUMBERS)
    X = X.astype({3: object})
    X.iloc[2, 2] = "text"
    with pytest.raises(TypeError, match="its column 3 holds 'text' at row 2"):
        check_matrix(X)


@pytest.mark.parametrize("name", ["nullable beside others", "sparse beside dense"])
def test_estimators_read_frames_as_factorize_does(name):
    estimators = pytest.importorskip("sparsenmf.models.estimators")
    from sparsenmf import MiniBatchNMF

    X = READ[name]()
    options = {"random_state": 0, "tol": 0.0, "max_iter": 5}
    model = estimators.NMF(2, **options).fit(X)
    expected = estimators.NMF(2, **options).fit(NUMBERS)
    np.testing.assert_array_equal(model.components_, expected.components_)
    np.testing.assert_array_equal(model.transform(X), expected.transform(NUMBERS))
    assert model.feature_names_in_.tolist() == list("abcd")
    with pytest.raises(ValueError, match="feature names"):
        model.transform(X[["b", "a", "c", "d"]])
    batch = MiniBatchNMF(2, random_state=0).partial_fit(X)
    np.testing.assert_array_equal(
        batch.components_, MiniBatchNMF(2, random_state=0).partial_fit(NUMBERS).components_
    )


def test_estimators_name_what_is_wrong_with_a_frame():
    estimators = pytest.importorskip("sparsenmf.models.estimators")
    from sparsenmf import MiniBatchNMF

    text = frame(c=list("vwxyz"))
    fitted = estimators.NMF(2, random_state=0, tol=0, max_iter=2).fit(frame())
    calls = [
        estimators.NMF(2).fit, MiniBatchNMF(2).fit, MiniBatchNMF(2).partial_fit, fitted.transform,
        fitted.reconstruction_error,
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(TypeError, match="its column 'c' holds 'v' at row 0"):
            call(text)
        with pytest.raises(ValueError, match=r"missing value \(NaN\) at row 0, column 3"):
            call(missing("Int64"))
        with pytest.raises(ValueError, match="its column 'a' has the fill value nan"):
            call(missing("sparse"))
    unknown = estimators.NMF(2, missing="unknown", random_state=0, tol=0, max_iter=5)
    expected = factorize(missing("NaN"), 2, missing="unknown", random_state=0, tol=0, max_iter=5)
    for kind in ("Int64", "sparse"):
        np.testing.assert_array_equal(unknown.fit(missing(kind)).components_, expected.H)


def test_frames_of_polars():
    pl = pytest.importorskip("polars")
    X = pl.DataFrame({"a": [1, 0], "b": [True, False], "c": [0.5, 2.0], "d": [3, None]})
    found, _ = check_weighted(X, None, "unknown")
    assert found.nnz == 7
    np.testing.assert_array_equal(found.toarray(), [[1, 1, 0.5, 3], [0, 0, 2, 0]])
    with pytest.raises(ValueError, match="missing value"):
        check_matrix(X)
    with pytest.raises(TypeError, match="its column 'e' holds 'x' at row 0"):
        check_matrix(X.with_columns(e=pl.lit("x")))
