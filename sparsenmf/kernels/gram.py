"""Gram matrices, summed chunk by chunk while the rows are in cache.

Only the upper triangle of a block's sum is meant to be read: `sum_grams` mirrors it.
"""

import numpy as np
from numba import prange

from .jit import inner, kernel
from .simd import add_gram

GRAM_CHUNK = 128
"""Rows whose products are summed in the factor's own precision before they are added
to the float64 gram matrix: float32 sums this short lose less than the data's rounding."""


@kernel
def sum_grams(partials, gram):
    """Set gram to the sum of the blocks' upper triangles, in block order, mirrored.

    Each turn of the parallel loop writes one row's part of the triangle and its image.
    """
    for r in prange(gram.shape[0]):
        total = np.zeros(gram.shape[0])
        for block in range(partials.shape[0]):
            for s in range(r, gram.shape[0]):
                total[s] += partials[block, r, s]
        for s in range(r, gram.shape[0]):
            gram[r, s] = gram[s, r] = total[s]


@kernel
def multiply_factor(factor, blocks, gram_partials):
    """Set gram_partials[block] to the block's share of factor' factor, upper triangle only."""
    for block in prange(blocks.shape[0]):
        clear_gram(gram_partials[block])
        for chunk in range(blocks[block, 0], blocks[block, 1], GRAM_CHUNK):
            chunk_end = min(chunk + GRAM_CHUNK, blocks[block, 1])
            add_gram(factor, chunk, chunk_end, gram_partials[block])


@kernel
def sum_columns(factor, blocks, partials):
    """partials[block] = sum of the block's rows of `factor`, in float64.

    Each turn of the parallel loop writes one row of `partials` (n_blocks, width).
    """
    for block in prange(blocks.shape[0]):
        for r in range(factor.shape[1]):
            partials[block, r] = 0
        for i in range(blocks[block, 0], blocks[block, 1]):
            for r in range(factor.shape[1]):
                partials[block, r] += np.float64(factor[i, r])


@inner
def clear_gram(gram_partial):
    """Set a block's gram matrix to zero."""
    for r in range(gram_partial.shape[0]):
        for s in range(gram_partial.shape[1]):
            gram_partial[r, s] = 0
