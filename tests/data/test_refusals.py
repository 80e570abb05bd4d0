"""Matrices that are refused: the error says what is wrong, where, and what to do."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import factorize, write_csr
from sparsenmf.data.validation import check_matrix

from ..grouped import grouped
from ..problems import SPARSE, small_integers

# Refused: values, shapes and types.

BAD_VALUES = [
    (np.nan, r"X has a missing value \(NaN\) at row 7, column 4"),
    (np.inf, "X has an infinite value at row 7, column 4"),
    (-0.5, r"X has a negative value \(-0.5\) at row 7, column 4"),
    (-np.inf, "X has an infinite value at row 7, column 4"),
]


@pytest.mark.parametrize("form", ["dense", "DataFrame", *SPARSE])
@pytest.mark.parametrize(("value", "message"), BAD_VALUES)
def test_bad_value_is_refused_with_its_place(form, value, message):
    dense = small_integers().astype(float)
    dense[7, 4] = value
    if form == "DataFrame":
        X = pytest.importorskip("pandas").DataFrame(dense)
    else:
        X = dense if form == "dense" else getattr(sp, f"{form}_array")(dense)
    with pytest.raises(ValueError, match=message):
        factorize(X, 2)


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (np.zeros((0, 3)), ValueError, "X is empty: its shape is 0 x 3"),
        (sp.csr_array((3, 0)), ValueError, "X is empty: its shape is 3 x 0"),
        (np.ones(3), ValueError, "X must have two dimensions"),
        ([1, 2, 3], ValueError, "X must have two dimensions"),
        (np.ones((2, 2, 2)), ValueError, "X must have two dimensions"),
        (sp.coo_array(np.ones(3)), ValueError, "X must have two dimensions"),
        (np.ones((3, 3)) * 1j, TypeError, "X must hold real numbers .* not complex128"),
        (sp.csr_array(np.ones((3, 3)) * 1j), TypeError, "X must hold real numbers .* complex128"),
        (np.array([[1, None]]), TypeError, "X must hold real numbers .* not object"),
        (np.array([["a", "b"]]), TypeError, "X must hold real numbers .* not <U1"),
        ("matrix.npz", TypeError, "X must hold real numbers"),
        (None, TypeError, "X must hold real numbers"),
        ([[1, 2], [3]], TypeError, "X cannot be read as a matrix"),
        (np.ma.array(np.ones((3, 3)), mask=np.eye(3)), TypeError, "X is a masked array"),
        (np.array([["1e400", "1"]], np.longdouble), ValueError, "X has an infinite value at row 0"),
    ],
    ids=repr,
)
def test_what_is_not_a_matrix_of_numbers_is_refused(X, error, message):
    with pytest.raises(error, match=message):
        factorize(X, 1)


@pytest.mark.parametrize("form", ["csr", "coo"])
def test_duplicates_that_add_up_to_infinity_are_refused(form):
    data = np.full(2, 3e38, np.float32)
    place = ([0, 0], [0, 0]) if form == "coo" else None
    X = sp.csr_array((data, [1, 1], [0, 2, 2])) if place is None else sp.coo_array((data, place))
    with pytest.raises(ValueError, match="X has an infinite value at row 0"):
        factorize(X, 1)


def test_data_frame_with_missing_or_no_values_is_refused():
    pd = pytest.importorskip("pandas")
    sparse = pd.DataFrame({"a": [1.0, np.nan], "b": [np.nan, 2.0]}).astype(pd.SparseDtype(float))
    for X in (sparse, pd.DataFrame({"a": ["x", "y"]}), pd.DataFrame()):
        with pytest.raises((TypeError, ValueError), match=r"X (is empty|cannot|must hold)"):
            factorize(X, 1)


def start(shape, value=1.0, place=None, dtype=float):
    factor = np.ones(shape, dtype)
    if place is not None:
        factor[place] = value
    return factor


OPTIONS = [
    ({"n_components": 0}, ValueError, "n_components must be at least 1, not 0"),
    ({"n_components": -1}, ValueError, "n_components must be at least 1, not -1"),
    ({"n_components": 2.5}, TypeError, "n_components must be an integer, not 2.5"),
    ({"n_components": True}, TypeError, "n_components must be an integer, not True"),
    ({"n_components": "3"}, TypeError, "n_components must be an integer, not '3'"),
    ({"n_components": 6, "init": "nndsvd"}, ValueError, "init = 'nndsvd' can only be used when"),
    ({"n_components": 6, "init": "nndsvdar"}, ValueError, "X is 7 x 5 and has no 6 singular"),
    ({"init": "svd"}, ValueError, r"init must be one of 'auto', .*an NNDSVD\(...\).* not 'svd'"),
    ({"init": start((7, 2))}, ValueError, r"init must be .*, not an array of shape \(7, 2\)$"),
    ({"n_components": start((7, 2))}, TypeError, r"an integer, not an array of shape \(7, 2\)$"),
    ({"tol": list(range(99))}, TypeError, r"tol must be a number, not \[0, 1, 2, .*\.\.\.$"),
    ({"solver": "als"}, ValueError, "solver must be one of 'cd'.* not 'als'"),
    ({"loss": "poisson"}, ValueError, "loss must be one of 'frobenius'.* not 'poisson'"),
    ({"init": "random", "W": start((7, 2))}, ValueError, 'only used with init="custom"'),
    ({"init": "nndsvd", "H": start((2, 5))}, ValueError, "not with init='nndsvd'"),
    ({"init": "custom"}, ValueError, 'init="custom" needs W or H'),
    ({"W": start((2, 7))}, ValueError, r"W has shape \(2, 7\), but .* is 7 x 2"),
    ({"W": start((6, 2))}, ValueError, r"W has shape \(6, 2\), but .* is 7 x 2"),
    ({"H": start((2, 4))}, ValueError, r"H has shape \(2, 4\), but .* is 2 x 5"),
    ({"W": start(7)}, ValueError, r"W has shape \(7,\), but .* is 7 x 2"),
    ({"H": start((5, 2))}, ValueError, r"H has shape \(5, 2\), but .* is 2 x 5"),
    ({"W": start((7, 2), -1, (3, 1))}, ValueError, "W has a negative value .* row 3, column 1"),
    ({"H": start((2, 5), np.nan, (1, 4))}, ValueError, "H has a missing value .* row 1, column 4"),
    (
        {"W": start((7, 2), np.inf, (0, 1))},
        ValueError,
        "W has an infinite value at row 0, column 1",
    ),
    ({"W": start((7, 2), 1e300, (0, 1))}, ValueError, "W .*float32"),
    ({"W": sp.csr_array((7, 2))}, TypeError, r"W must be a dense array: pass W.toarray\(\)"),
    ({"H": sp.csr_array((2, 5))}, TypeError, r"H must be a dense array: pass H.toarray\(\)"),
    ({"W": start((7, 2), dtype=complex)}, TypeError, "W must hold real numbers"),
    ({"H": start((2, 5), dtype=object)}, TypeError, "H must hold real numbers"),
    ({"W": np.ma.array(start((7, 2)), mask=True)}, TypeError, "W is a masked array"),
    ({"tol": -1e-3}, ValueError, "tol must be >= 0 and finite, not -0.001"),
    ({"tol": np.nan}, ValueError, "tol must be .* not nan"),
    ({"tol": "low"}, TypeError, "tol must be a number, not 'low'"),
    ({"max_iter": 0}, ValueError, "max_iter must be at least 1, not 0"),
    ({"max_iter": 10.0}, TypeError, "max_iter must be an integer, not 10.0"),
    (
        {"max_sweeps": 0},
        ValueError,
        "max_sweeps must be at least 1, not 0",
    ),
    ({"time_limit": 0}, ValueError, "time_limit must be > 0 and finite, not 0"),
    ({"time_limit": np.inf}, ValueError, "time_limit must be > 0 and finite, not inf"),
    ({"alpha_W": -0.1}, ValueError, "alpha_W must be >= 0 and finite, not -0.1"),
    ({"alpha_H": -0.1}, ValueError, "alpha_H must be >= 0 and finite, not -0.1"),
    ({"alpha_H": "equal"}, TypeError, "alpha_H must be a number.* not 'equal'"),
    ({"l1_ratio": 1.5}, ValueError, "l1_ratio must be >= 0 and <= 1, not 1.5"),
    (
        {"extrapolate": 1},
        TypeError,
        "extrapolate must be True or False, not 1",
    ),
    ({"n_threads": 0}, ValueError, "n_threads must be at least 1, not 0"),
    ({"n_threads": 1.0}, TypeError, "n_threads must be an integer, not 1.0"),
    ({"progress": "yes"}, TypeError, "progress must be True or False, not 'yes'"),
    ({"random_state": -1}, ValueError, "random_state must be at least 0, not -1"),
    ({"random_state": "x"}, TypeError, "random_state must be an integer, not 'x'"),
]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    OPTIONS,
    ids=[" ".join(o) + f" {m[:24]}" for o, _, m in OPTIONS],
)
def test_wrong_option_is_refused_by_name(options, error, message):
    with pytest.raises(error, match=message):
        factorize(np.ones((7, 5), np.float32), **grouped({"n_components": 2, **options}))


def test_small_index_types_do_not_overflow_in_blocks():
    X = sp.bsr_array(np.ones((12, 24)), blocksize=(4, 6))
    expected = X.toarray()
    X.indptr, X.indices = X.indptr.astype(np.int8), X.indices.astype(np.int8)  # 12 * 24 > 127
    np.testing.assert_array_equal(check_matrix(X).toarray(), expected)


def test_diagonals_may_leave_the_matrix():
    data = np.array([[1.0, 2, 3, 4, 5], [6, 7, 0, 9, 10], [11, 12, 13, 14, 15]])
    X = sp.dia_array((data, [0, 2, -1]), shape=(3, 4))
    np.testing.assert_array_equal(check_matrix(X).toarray(), X.toarray())
    X.offsets = np.array([2**62, -(2**62), 1])
    expected = sp.dia_array((data[2:], [1]), shape=(3, 4)).toarray()
    np.testing.assert_array_equal(check_matrix(X).toarray(), expected)


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "bsr", "dia"])
@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i2", "f2"])
def test_foreign_byte_orders_and_half_precision_in_any_format(form, dtype):
    X = sp.csr_array(small_integers()).asformat(form)
    X.data = X.data.astype(dtype)
    np.testing.assert_array_equal(check_matrix(X).toarray(), small_integers())


def test_masked_values_are_refused():
    X = sp.csr_array(np.eye(6))
    X.data = np.ma.masked_array(X.data, [True] + [False] * 5)
    with pytest.raises(TypeError, match="X has masked values"):
        check_matrix(X)


def test_masked_index_arrays_are_checked_without_their_mask():
    """`min` of a masked array leaves out the masked values, here the negative indices."""
    X = sp.coo_array(np.eye(6))
    X.coords = (X.row, np.ma.masked_array(X.col - 3, [True] * 3 + [False] * 3))
    with pytest.raises(ValueError, match="X is corrupt"):
        check_matrix(X)


def test_values_that_a_cast_makes_zero_are_dropped():
    X = check_matrix(sp.csr_array([[1e-300, 0.0], [0.0, 2.0]]), dtype=np.float32)
    assert X.data.tolist() == [2.0]
    kept = check_matrix(sp.csr_array([[1e-300, 2.0]]), dtype=np.float32, keep_zeros=True)
    assert kept.data.tolist() == [0.0, 2.0]


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler", 1.5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_new_samples_out_of_range_are_refused(loss, dtype, rng, tmp_path):
    """Their products would overflow or vanish; W was once NaN, or the loss zero."""
    X = rng.random((6, 5))
    model = factorize(X.astype(dtype), 2, loss=loss, random_state=0, max_iter=3)
    for scale in (1e-200, 1e-120, 1e-30, 1e30, 1e120, 1e200):
        single = dtype == np.float32
        if 1e-90 < scale < 1e90 and not single:
            assert np.isfinite(model.loss(X * scale))
            continue
        if single and scale < 1e-50:  # nothing is left of it
            assert (model.transform(X * scale) == 0).all()
            continue
        with pytest.raises(ValueError, match="X has values up to"):
            model.transform(X * scale)
        with pytest.raises(ValueError, match="X has values up to"):
            model.loss(X * scale)
    store = write_csr(tmp_path / "store", X * 1e30)
    if dtype == np.float32:
        with pytest.raises(ValueError, match="X has values up to"):
            model.transform(store)


def test_the_loss_of_nothing_is_finite():
    """The smallest product whose powers are summed was once zero, which gave 0 * inf."""
    X = np.random.default_rng(0).random((6, 5))
    model = factorize(X, 2, loss=0.5, random_state=0, max_iter=3)
    assert model.loss(sp.csr_array((3, 5))) == 0


def test_components_whose_products_overflow_are_refused():
    X = np.random.default_rng(0).random((6, 5))
    model = factorize(X, 2, random_state=0, max_iter=3)
    model.H[0, 0] = 1e200
    with pytest.raises(OverflowError, match="overflow float64"):
        model.transform(X)


def test_estimators_have_the_matrix_checked_first():
    """scikit-learn converts a matrix before it checks it, which once ended the process."""
    estimators = pytest.importorskip("sparsenmf.models.estimators")
    from sparsenmf import MiniBatchNMF

    X = sp.dia_array(np.eye(6))
    X.offsets = np.arange(100, dtype=np.int32)
    model = MiniBatchNMF(2, random_state=0, max_iter=2, tol=0).fit(np.eye(6))
    for call in (
        estimators.NMF(2).fit, MiniBatchNMF(2).fit, model.partial_fit, model.transform,
        model.inverse_transform,
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"X is corrupt \(dia format\)"):
            call(X)


def test_every_batch_of_a_stream_must_be_in_range():
    pytest.importorskip("sklearn")
    from sparsenmf import MiniBatchNMF

    model = MiniBatchNMF(2, random_state=0, max_iter=2).partial_fit(np.eye(6))
    with pytest.raises(ValueError, match="X has values up to"):
        model.partial_fit(np.eye(6) * 1e200)
    with pytest.raises(ValueError, match="X has values up to"):
        model.fit(iter([np.eye(6), np.eye(6) * 1e200]))
    assert np.isfinite(model.components_).all()
