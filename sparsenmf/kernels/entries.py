"""Steps that kernels share, on one sparse row.

Arrays with a value for each entry are padded to a whole number of vectors, so that passes over
them (`kernels.vector.strips`) have no remainder.
"""

import numpy as np

from .compile.jit import inner
from .vector.vector_code import VECTOR_BYTES


@inner
def whole_vectors(n, like):
    """Return n, rounded up to a multiple of the lanes of a vector."""
    lanes = VECTOR_BYTES // like.itemsize
    return -(-n // lanes) * lanes


@inner
def longest_row(indptr, first, last):
    """Return the length of the longest row."""
    longest = 0
    for i in range(first, last):
        longest = max(longest, indptr[i + 1] - indptr[i])
    return longest


@inner
def allow(movable, penalty, i):
    """Set which coordinates of row i may move, and return its L1 and L2 weights."""
    for r in range(movable.shape[0]):
        outside = penalty.support.shape[0] > 0 and not penalty.support[i, r]
        movable[r] = penalty.free[r] and not outside
    l1 = penalty.l1[i if penalty.l1.shape[0] > 1 else 0]
    l2 = penalty.l2[i if penalty.l2.shape[0] > 1 else 0]
    return l1, l2


@inner
def weigh_row(x, excess, rows, start, stop):
    """Set x to v x and excess to v - absent for a row's entries, and both to zero beyond."""
    for p in range(x.shape[0]):
        x[p] = excess[p] = 0
    for p in range(stop - start):
        v = rows.weights[start + p] if rows.weights.shape[0] > 0 else x.dtype.type(1)
        x[p], excess[p] = v * rows.data[start + p], v - x.dtype.type(rows.absent)


@inner
def clear_unknown(row, movable, rows, i):
    """Set a row of which nothing is known to zero, so that it does not depend on the start."""
    if rows.absent == 0 and rows.indptr[i] == rows.indptr[i + 1]:
        for r in range(row.shape[0]):
            row[r] = 0 if movable[r] else row[r]


@inner
def sum_squares(y, first, step, rows, start, stop):
    """Return the sum of v (x - y)^2 - absent y^2 over the entries of a row.

    The products y of the entries are at first, first + step, ... of a flat array.
    """
    total = 0.0
    for p in range(start, stop):
        product = np.float64(y[first + (p - start) * step])
        v = np.float64(rows.weights[p]) if rows.weights.shape[0] > 0 else 1.0
        rest = np.float64(rows.data[p]) - product
        total += v * rest * rest - rows.absent * product * product
    return total
