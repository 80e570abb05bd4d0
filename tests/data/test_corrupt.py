"""Corrupt index arrays are refused, or harmless."""

import re

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sparsenmf import factorize
from sparsenmf.data.formats import INT32_MAX
from sparsenmf.data.validation import check_matrix

from ..problems import dense_of, small_integers
from ..strategies import csr_matrices

# Refused: what the index arrays of a sparse matrix must not be.


@settings(max_examples=300, deadline=None)
@given(data=st.data(), form=st.sampled_from(["csr", "csc", "coo"]))
def test_corrupt_index_arrays_are_refused_or_harmless(data, form):
    X = data.draw(csr_matrices(dtypes=(np.float64,))).asformat(form)
    if form == "coo":
        X.coords = tuple(index.copy() for index in X.coords)
    arrays = {"row": X.row, "col": X.col} if form == "coo" else vars(X)
    name = data.draw(st.sampled_from(["row", "col"] if form == "coo" else ["indices", "indptr"]))
    array = arrays[name]
    how = data.draw(st.sampled_from(["change", "swap", "cut", "extend"]))
    where = data.draw(st.integers(0, max(len(array) - 1, 0)))
    wrong = st.one_of(st.integers(-3, 40), st.sampled_from([-(2**31), INT32_MAX, X.nnz, X.nnz + 1]))
    if how in ("change", "swap"):
        assume(len(array))
        array[where] = data.draw(wrong) if how == "change" else array[-1 - where]
    else:
        array = array[:where] if how == "cut" else np.append(array, array[:1] + array[-1:])
        if form == "coo":
            X.coords = (array, X.col) if name == "row" else (X.row, array)
        else:
            setattr(X, name, array)
    try:
        expected = dense_of(X)
    except IndexError:
        with pytest.raises(ValueError, match="X is corrupt"):
            check_matrix(X)
    else:
        np.testing.assert_array_equal(check_matrix(X).toarray(), expected)


@pytest.mark.parametrize("form", ["csr", "csc"])
@pytest.mark.parametrize("edge", ["first", "last"])
@pytest.mark.parametrize("row", [1, 2, 4, 5])
def test_one_index_out_of_range_at_the_edge_of_a_row(form, edge, row):
    """Where indices ascend, only the first and last index of each row are checked."""
    lengths = [0, 3, 1, 0, 2, 3, 0]
    indptr = np.cumsum([0, *lengths])
    indices = np.concatenate([np.arange(length) + 1 for length in lengths])
    shape = (7, 5) if form == "csr" else (5, 7)
    make = getattr(sp, f"{form}_array")
    assert check_matrix(make((np.ones(9), indices, indptr), shape=shape)).nnz == 9
    bad = indices.copy()
    bad[indptr[row] if edge == "first" else indptr[row + 1] - 1] = -1 if edge == "first" else 5
    X = make((np.ones(9), indices, indptr), shape=shape)
    X.indices = bad
    with pytest.raises(ValueError, match="indices must lie in"):
        check_matrix(X)


CORRUPTIONS = {
    "index too large": ("indices", lambda a: a + 9, "indices must lie in .* but span"),
    "negative index": ("indices", lambda a: a - 5, "indices must lie in .* but span"),
    "hump": ("indptr", lambda a: a + (np.arange(len(a)) == 2) * 1000, "indptr falls from"),
    "a fall by one": (
        "indptr",
        lambda a: np.where(np.arange(len(a)) == 2, a[1] - 1, a),
        "indptr falls",
    ),
    "first not zero": ("indptr", lambda a: a + 1, r"indptr\[0\] is 1"),
    "indptr too short": ("indptr", lambda a: a[:-1], "indptr has shape"),
    "indptr too long": ("indptr", lambda a: np.append(a, a[-1]), "indptr has shape"),
    "negative indptr": ("indptr", lambda a: -a, "indptr falls from"),
    "floats": ("indices", lambda a: a + 0.5, "indptr and indices must be integers"),
    "too few indices": (
        "indices",
        lambda a: a[:3],
        "indptr ends at 56, but only 3 entries are stored",
    ),
    "too few data": ("data", lambda a: a[:3], "indptr ends at 56, but only 3 entries are stored"),
}


@pytest.mark.parametrize("form", ["csr", "csc"])
@pytest.mark.parametrize("case", CORRUPTIONS)
def test_corrupt_compressed_matrix_is_refused(case, form):
    name, change, message = CORRUPTIONS[case]
    X = getattr(sp, f"{form}_array")(small_integers()[:9].astype(float))
    setattr(X, name, change(getattr(X, name)))
    with pytest.raises(ValueError, match=re.escape(f"X is corrupt ({form} format): ") + message):
        factorize(X, 2)


@pytest.mark.parametrize("form", ["csr", "csc"])
def test_an_index_just_beyond_the_matrix_is_refused(form):
    X = getattr(sp, f"{form}_array")(small_integers()[:9].astype(float))
    n_minor = X.shape[form == "csr"]
    X.indices[-1] = n_minor
    with pytest.raises(ValueError, match=rf"indices must lie in \[0, {n_minor}\), but span"):
        factorize(X, 2)


def corrupt(form, change):
    X = getattr(sp, f"{form}_array")(np.eye(6))
    change(X)
    return X


@pytest.mark.parametrize(
    "X",
    [
        corrupt("coo", lambda X: setattr(X, "coords", (X.row + 1, X.col))),
        corrupt("coo", lambda X: setattr(X, "coords", (X.row, X.col - 1))),
        corrupt("coo", lambda X: setattr(X, "data", X.data[:2])),
        corrupt("lil", lambda X: X.rows.__setitem__(1, [100_000])),
        corrupt("lil", lambda X: X.rows.__setitem__(1, [-2])),
        corrupt("lil", lambda X: X.data.__setitem__(1, [1.0] * 1000)),
        corrupt("dok", lambda X: X._dict.__setitem__((1, 1000), 2.0)),
        corrupt("bsr", lambda X: X.indices.__setitem__(1, 9)),
        corrupt("bsr", lambda X: X.indptr.__setitem__(1, 1000)),
        corrupt("bsr", lambda X: setattr(X, "data", X.data[..., 0])),
        corrupt("bsr", lambda X: setattr(X, "indptr", X.indptr + 0.5)),
        corrupt("coo", lambda X: setattr(X, "data", X.data[:, None])),
        corrupt("coo", lambda X: setattr(X, "data", X.data.sum())),
        corrupt("coo", lambda X: setattr(X, "coords", (X.row + 0.5, X.col))),
        corrupt("csr", lambda X: setattr(X, "data", X.data[:, None])),
        corrupt("csc", lambda X: setattr(X, "indices", X.indices[:, None])),
        # scipy's own conversion of these writes outside of its arrays.
        corrupt("dia", lambda X: setattr(X, "offsets", np.arange(100, dtype=np.int32))),
        corrupt("dia", lambda X: setattr(X, "data", np.ones((50, 6)))),
        corrupt("dia", lambda X: setattr(X, "data", X.data[0])),
        corrupt("dia", lambda X: setattr(X, "offsets", np.int32(0))),
        corrupt("dia", lambda X: setattr(X, "offsets", X.offsets + 0.5)),
    ],
    ids=lambda X: X.format,
)
def test_corrupt_matrix_of_another_format_is_refused(X):
    with pytest.raises(ValueError, match="X is corrupt"):
        factorize(X, 2)
