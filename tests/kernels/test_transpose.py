"""The transpose of sparse rows, against its literal twin."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf.data.rows import make_rows
from sparsenmf.kernels import transpose

from .. import reference
from .sides import DTYPES, make_problem


@DTYPES
@pytest.mark.parametrize("kind", [np.int32, np.int64])
@pytest.mark.parametrize("cuts", [[0, 70], [0, 30, 70], [0, 0, 1, 69, 70]])
def test_move_entries_equals_reference(rng, dtype, kind, cuts):
    X = sp.csr_array(make_problem(rng, 3, dtype)[0])
    X.indices = X.indices.astype(kind)
    rows = make_rows(X, 3)
    data, indices = np.full(X.nnz, np.nan, dtype), np.full(X.nnz, -1, kind)
    indptr = np.append(0, np.full(X.shape[1], -1))
    heads = np.zeros((len(cuts) - 1, X.shape[1]), np.int64)
    transpose.move_entries(2, rows, np.array(cuts), heads, data, indices, indptr)
    expected = reference.transpose(X.data, X.indices, X.indptr, X.shape[1])
    for array, wanted in zip((data, indices, indptr), expected, strict=True):
        np.testing.assert_array_equal(array, wanted)


@pytest.mark.parametrize("shape", [(3000, 400), (400, 3000), (1, 50), (50, 1), (1, 1)])
def test_transpose_rows_is_the_same_on_any_number_of_threads(rng, shape):
    X = sp.csr_array(sp.random_array(shape, density=0.3, rng=rng))
    expected = make_rows(X.T.tocsr(), 4)
    for n_threads in (1, 2, 3):
        columns = transpose.transpose_rows(make_rows(X, 4), shape[1], 4, n_threads)
        for array, wanted in zip(columns[:-1], expected[:-1], strict=True):
            np.testing.assert_array_equal(array, wanted)
            assert array.dtype == wanted.dtype
            assert not array.flags.writeable
