"""Hypothesis strategies: sparse matrices as users bring them, tidy or not."""

import numpy as np
import scipy.sparse as sp
from hypothesis import strategies as st

MAX_SIDE = 30

DTYPES = (np.float32, np.float64)

INDEX_DTYPES = (np.int32, np.int64)


@st.composite
def csr_matrices(
    draw, *, min_side=1, max_side=MAX_SIDE, dtypes=DTYPES, index_dtypes=INDEX_DTYPES, tidy=False
):
    """Draw a csr_array of non-negative floats between 0 and about 1000.

    Shape, density and the variants shrink; the entries come from a drawn seed. With
    `tidy` the matrix is canonical: sorted, without duplicates and explicit zeros.
    """
    shape = (draw(st.integers(min_side, max_side)), draw(st.integers(min_side, max_side)))
    density = draw(st.sampled_from([0.0, 0.05, 0.3, 1.0]))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    dense = _values(draw, rng, shape) * (rng.random(shape) < density)
    if draw(st.booleans()):  # empty rows and columns
        dense[rng.random(shape[0]) < 0.3] = 0
        dense[:, rng.random(shape[1]) < 0.3] = 0
    row, column = np.nonzero(dense)
    value = dense[row, column]
    if not tidy and draw(st.booleans()):
        row, column, value = _add_zeros(rng, shape, row, column, value)
    if not tidy and draw(st.booleans()):
        row, column, value = _split_entries(rng, row, column, value)
    order = np.argsort(row, kind="stable")
    if not tidy and draw(st.booleans()):  # in any order within a row
        order = np.lexsort((rng.random(len(row)), row))
    dtype, index_dtype = (draw(st.sampled_from(choices)) for choices in (dtypes, index_dtypes))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=shape[0]))])
    return sp.csr_array(
        (
            value[order].astype(dtype),
            column[order].astype(index_dtype),
            indptr.astype(index_dtype),
        ),
        shape=shape,
    )


def _values(draw, rng, shape):
    """Counts, or weights like tf-idf's on several scales.

    All are multiples of 1/64 below 2**10: halves of them and sums of a few are exact
    in float32, so that a matrix equals its dense form bit for bit.
    """
    if draw(st.booleans()):
        return rng.integers(1, 10, shape).astype(float)
    return rng.integers(1, 2**6, shape) / 2**6 * draw(st.sampled_from([1.0, 16.0, 1024.0]))


def _add_zeros(rng, shape, row, column, value):
    """Store some zeros; they may fall on entries, as duplicates that change nothing."""
    n = int(rng.integers(1, 6))
    return (
        np.append(row, rng.integers(0, shape[0], n)),
        np.append(column, rng.integers(0, shape[1], n)),
        np.append(value, np.zeros(n)),
    )


def _split_entries(rng, row, column, value):
    """Store about a third of the entries as two halves."""
    split = rng.random(len(row)) < 0.3
    value = np.where(split, value / 2, value)
    return tuple(np.append(array, array[split]) for array in (row, column, value))


@st.composite
def problems(draw, *, max_components=8, **options):
    """Draw (X, n_components) with 1 <= n_components <= min(X.shape)."""
    X = draw(csr_matrices(**options))
    return X, draw(st.integers(1, min(*X.shape, max_components)))
