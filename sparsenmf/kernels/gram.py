"""Gram matrices, summed row by row while the rows are in cache.

Only the upper triangle is meant to be read: `sum_partials` mirrors it.
"""

import numpy as np

from .jit import inner
from .simd import add_outer_row, list_nonzero

GRAM_CHUNK = 128
"""Rows whose products are summed in the factor's own precision before they are added
to the float64 gram matrix: float32 sums this short lose less than the data's rounding."""


def sum_partials(partials):
    """Add the blocks' upper triangles in block order and mirror the sum."""
    upper = np.triu(partials.sum(axis=0))
    return upper + np.triu(upper, 1).T


@inner
def add_gram(row, i, gram_sum, gram_partial, listed):
    """Add row' row to the block's gram matrix, upper triangle; `listed` is scratch."""
    for t in range(list_nonzero(row, listed)):
        add_outer_row(gram_sum, listed[t], row[listed[t]], row)
    if i % GRAM_CHUNK == GRAM_CHUNK - 1:
        move_gram(gram_sum, gram_partial)


@inner
def clear_gram(gram_partial):
    """Set a block's gram matrix to zero."""
    for r in range(gram_partial.shape[0]):
        for s in range(gram_partial.shape[1]):
            gram_partial[r, s] = 0


@inner
def move_gram(gram_sum, gram_partial):
    """Add the short sums to the float64 ones and start them anew."""
    for r in range(gram_sum.shape[0]):
        for s in range(gram_sum.shape[1]):
            gram_partial[r, s] += gram_sum[r, s]
            gram_sum[r, s] = 0
