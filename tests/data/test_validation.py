"""A matrix gives the same result in any format, dtype, order and storage."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsenmf import factorize
from sparsenmf.data.formats import as_csr
from sparsenmf.data.validation import check_matrix

from ..problems import SPARSE, dense_of, small_integers
from ..strategies import csr_matrices

NATIVE = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8", "longdouble"]
FOREIGN = ["f2", ">f4", ">f8", ">i4"]  # scipy.sparse refuses most ways to store these


def factors(X):
    model = factorize(X, 2, random_state=0, max_iter=3)
    return model.W, model.H


def assert_same_factors(X, dense):
    """Assert that X gives the same bits as `dense` in canonical CSR form, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = factors(X)
    for F, expected in zip(found, factors(sp.csr_array(dense)), strict=True):
        assert F.dtype == expected.dtype
        np.testing.assert_array_equal(F, expected)


def content_arrays(X):
    """The arrays of a sparse matrix, by name."""
    return {name: value for name, value in vars(X).items() if isinstance(value, np.ndarray)}


def content(X):
    """Return everything that a matrix consists of, as bytes and names that can be compared."""
    if isinstance(X, np.ndarray):
        return X.dtype, X.shape, X.tobytes()
    if not sp.issparse(X):  # a DataFrame
        return tuple(X.columns), content(X.to_numpy())
    parts = content_arrays(X)
    arrays = {name: (a.dtype, a.shape, str(a.tolist()), id(a)) for name, a in parts.items()}
    facts = {name: repr(value) for name, value in vars(X).items() if name not in parts}
    return X.format, arrays, facts


# Accepted: any format, type, order and storage.


@pytest.mark.parametrize("kind", ["array", "matrix"])
@pytest.mark.parametrize("form", SPARSE)
def test_any_sparse_format_gives_the_same_factors(form, kind):
    dense = small_integers().astype(float)
    X = getattr(sp, f"{form}_{kind}")(dense)
    before = content(X)
    assert_same_factors(X, dense)
    assert content(X) == before


def stored_as(dtype):
    """The ways to store a matrix of a data type, big-endian and half-precision included."""
    dense = small_integers().astype(dtype)
    wide = sp.csr_array(small_integers().astype(float))
    compressed, by_columns = wide.copy(), wide.tocsc()
    compressed.data, by_columns.data = (X.data.astype(dtype) for X in (compressed, by_columns))
    ways = [dense, np.asfortranarray(dense), compressed, by_columns]
    if dtype in NATIVE:
        ways += [sp.csr_array(dense).asformat(form) for form in SPARSE]
    return ways


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "bsr", "dia"])
def test_arrays_with_gaps_give_the_same_factors(form):
    dense = small_integers().astype(np.float32)
    X = sp.csr_array(dense).asformat(form)
    for name, array in content_arrays(X).items():
        setattr(X, name, np.repeat(array, 2, axis=-1)[..., ::2])
    assert_same_factors(X, dense)


@pytest.mark.parametrize("dtype", NATIVE + FOREIGN)
def test_any_data_type_gives_the_same_factors_in_every_storage(dtype):
    is_wide = np.dtype(dtype).kind == "f" and np.dtype(dtype).itemsize >= 8
    expected = small_integers().astype(dtype).astype(np.float64 if is_wide else np.float32)
    for X in stored_as(dtype):
        before = content(X)
        assert_same_factors(X, expected)
        assert content(X) == before


@pytest.mark.parametrize(("top", "dtype"), [(2**24 - 1, np.float32), (2**24 + 1, np.float64)])
@pytest.mark.parametrize("form", SPARSE)
def test_integers_keep_their_value_or_get_double_precision(form, top, dtype):
    X = check_matrix(sp.csr_array([[top, 0], [0, 3]]).asformat(form))
    assert X.dtype == dtype
    np.testing.assert_array_equal(X.toarray(), [[top, 0], [0, 3]])


@settings(max_examples=60, deadline=None)
@given(csr_matrices(), st.sampled_from(["csr", "csc", "coo"]))
def test_order_duplicates_zeros_and_index_types_do_not_matter(X, form):
    if form == "csc":  # the same arrays, read as columns
        X = sp.csc_array((X.data, X.indices, X.indptr), shape=X.shape[::-1])
    if form == "coo":
        X = X.tocoo()
    before = content(X)
    Y = check_matrix(X)
    assert content(X) == before
    assert sp.csr_array((Y.data, Y.indices, Y.indptr), shape=Y.shape).has_canonical_format
    for side in (Y, Y.T.tocsr()):  # one compiled kernel, half the traffic
        assert side.indices.dtype == np.int32
    np.testing.assert_array_equal(Y.toarray(), dense_of(X))


@settings(max_examples=200, deadline=None)
@given(csr_matrices(), st.booleans())
def test_whether_a_matrix_is_canonical_is_what_scipy_says(X, ordered):
    if ordered:
        X.sum_duplicates()
    arrays = X.data.copy(), X.indices.copy(), X.indptr.copy()
    expected = sp.csr_array(arrays, shape=X.shape).has_canonical_format
    assert as_csr(X, "X").has_canonical_format == expected
    as_columns = sp.csc_array(arrays, shape=X.shape[::-1])
    if expected:
        assert as_csr(as_columns, "X").has_canonical_format


@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
@pytest.mark.parametrize(
    ("dtype", "value", "times"), [("uint8", 1, 300), ("int8", 100, 3), ("int32", 2**24 - 1, 3)]
)
def test_duplicates_are_summed_without_overflow(form, dtype, value, times):
    data, zeros = np.full(times, value, dtype), np.zeros(times, np.int32)
    if form == "coo":
        X = sp.coo_array((data, (zeros, zeros)), shape=(2, 2))
    else:
        X = getattr(sp, f"{form}_array")((data, zeros, [0, times, times]), shape=(2, 2))
    assert check_matrix(X).toarray().tolist() == [[value * times, 0], [0, 0]]


def test_stored_zeros_do_not_change_a_bit(rng):
    dense = rng.integers(1, 9, (200, 150)) * (rng.random((200, 150)) < 0.1) / 3
    row, column = np.nonzero((dense > 0) | (rng.random(dense.shape) < 0.02))
    X = sp.csr_array(sp.coo_array((dense[row, column], (row, column)), shape=dense.shape))
    assert not X.data.all()
    before = content(X)
    assert_same_factors(X, dense)
    assert content(X) == before


@pytest.mark.parametrize("form", ["csr", "csc"])
def test_unused_room_behind_the_entries_is_ignored(form):
    dense = small_integers().astype(float)
    X = getattr(sp, f"{form}_array")(dense)
    X.data, X.indices = np.append(X.data, [np.nan, -1]), np.append(X.indices, [99, -7])
    assert_same_factors(X, dense)


def untidy(form):
    """Return a matrix with unsorted indices, duplicates and a stored zero, and its dense form."""
    arrays = ([2.0, 1.0, 3.0, 0.0, 5.0, 1.0, 4.0], [3, 0, 3, 1, 2, 2, 0], [0, 3, 4, 7])
    if form == "csr":
        return sp.csr_array(arrays, shape=(3, 4))
    return sp.csc_array(arrays, shape=(4, 3))


@pytest.mark.parametrize("memory_mapped", [False, True])
@pytest.mark.parametrize("tidy", [False, True])
@pytest.mark.parametrize("form", ["csr", "csc"])
def test_read_only_arrays_are_accepted(form, tidy, memory_mapped, tmp_path):
    X = untidy(form)
    dense = X.toarray()
    if tidy:
        X.sum_duplicates()
    for name in ("data", "indices", "indptr"):
        array = getattr(X, name)
        if memory_mapped:
            np.save(tmp_path / f"{name}.npy", array)
            array = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
        array.flags.writeable = False
        setattr(X, name, array)
    before = content(X)
    assert_same_factors(X, dense)
    assert content(X) == before


@pytest.mark.parametrize("order", ["C", "F", "reversed", "read-only", "mapped", "matrix", "list"])
def test_dense_input_gives_the_same_factors(order, tmp_path):
    dense = small_integers().astype(float)
    np.save(tmp_path / "X.npy", dense)
    read_only = dense.copy()
    read_only.flags.writeable = False
    X = {
        "C": dense,
        "F": np.asfortranarray(dense),
        "reversed": dense[::-1].copy()[::-1],
        "read-only": read_only,
        "mapped": np.load(tmp_path / "X.npy", mmap_mode="r"),
        "matrix": sp.csr_matrix(dense).todense(),
        "list": dense.tolist(),
    }[order]
    assert_same_factors(X, dense)
    np.testing.assert_array_equal(np.asarray(X), small_integers())


@pytest.mark.parametrize("kind", ["dense", "sparse", "both", "integers", "booleans"])
def test_data_frame_gives_the_same_factors(kind):
    pd = pytest.importorskip("pandas")
    dense = small_integers().astype(float)
    X = pd.DataFrame(dense).add_prefix("term ")
    if kind == "sparse":
        X = X.astype(pd.SparseDtype(float, 0))
    elif kind == "both":
        X = X.astype({"term 3": pd.SparseDtype(float, 0)})
    elif kind in ("integers", "booleans"):
        dtype = int if kind == "integers" else bool
        X = X.astype(pd.SparseDtype(dtype, dtype(0)))
        dense = dense.astype(dtype)
    before = content(X)
    assert_same_factors(X, dense)
    assert content(X) == before


def test_numpy_scalars_are_as_good_as_python_numbers():
    X = small_integers()
    options = {"n_threads": np.int64(1), "tol": np.float32(0), "alpha_W": np.int8(0)}
    model = factorize(
        X, np.int32(2), random_state=np.int64(0), max_iter=np.int8(3), progress=np.False_, **options
    )
    for F, expected in zip((model.W, model.H), factors(X), strict=True):
        np.testing.assert_array_equal(F, expected)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("place", [(0, 0), (4999, 1), (9000, 2), (9000, 0)])
@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_a_bad_value_is_found_wherever_it_is_in_a_dense_array(order, place, value):
    array = np.ones((9001, 3), order=order)
    array[place] = value
    with pytest.raises(ValueError, match=f"row {place[0]}, column {place[1]}"):
        check_matrix(array)


@pytest.mark.parametrize("length", [2, 100])
@pytest.mark.parametrize("place", ["first", "end", "begin", "last"])
@pytest.mark.parametrize("index", [-1, 200, -(2**31)])
def test_an_index_out_of_range_is_found_in_short_rows_and_in_long_ones(length, place, index):
    indices = np.tile(np.arange(length, dtype=np.int32), 50)
    indices[{"first": 0, "end": 25 * length - 1, "begin": 25 * length, "last": -1}[place]] = index
    X = sp.csr_array((50, 200))
    X.indptr = np.arange(51, dtype=np.int32) * length
    X.indices, X.data = indices, np.ones(50 * length)
    with pytest.raises(ValueError, match=r"indices must lie in \[0, 200\)"):
        check_matrix(X)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.longdouble, np.int8])
def test_a_negative_zero_and_the_largest_numbers_are_good(dtype):
    array = np.ones((3, 4), dtype)
    array[1, 2] = -np.zeros((), dtype)
    array[2, 1] = np.iinfo(dtype).max if dtype == np.int8 else np.finfo(np.float16).max
    np.testing.assert_array_equal(check_matrix(array).toarray(), array)
