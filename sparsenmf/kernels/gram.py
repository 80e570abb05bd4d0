"""Gram matrices, summed chunk by chunk while the rows are in cache.

Only the upper triangle is meant to be read: `sum_partials` mirrors it.
"""

import numpy as np

from .jit import inner

GRAM_CHUNK = 128
"""Rows whose products are summed in the factor's own precision before they are added
to the float64 gram matrix: float32 sums this short lose less than the data's rounding."""


def sum_partials(partials):
    """Add the blocks' upper triangles in block order and mirror the sum."""
    upper = np.triu(partials.sum(axis=0))
    return upper + np.triu(upper, 1).T


@inner
def clear_gram(gram_partial):
    """Set a block's gram matrix to zero."""
    for r in range(gram_partial.shape[0]):
        for s in range(gram_partial.shape[1]):
            gram_partial[r, s] = 0
