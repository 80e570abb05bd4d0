"""Gram matrices, summed chunk by chunk while the rows are in cache.

Only the upper triangle of a block's sum is valid: `add_grams` mirrors it.
"""

import functools

import numpy as np
from numba import prange

from .compile.jit import kernel
from .vector.rows import add_gram, clear_gram

GRAM_CHUNK = 128
"""Rows whose products are summed in the factor's own precision before they are added
to the float64 gram matrix: float32 sums this short lose less than the data's rounding."""


def add_grams(partials):
    """Return the sum of the blocks' upper triangles, in block order, mirrored.

    NumPy adds them as fast as a kernel would, and needs no compilation.
    """
    gram = partials.sum(axis=0)
    return np.where(_below_diagonal(len(gram)), gram.T, gram)


@functools.cache
def _below_diagonal(n):
    return np.tri(n, k=-1, dtype=bool)


@kernel(per_block=("blocks", "gram_partials"))
def multiply_factor(factor, blocks, gram_partials):
    """Set gram_partials[block] to the block's share of factor' factor, upper triangle only."""
    for block in prange(blocks.shape[0]):
        clear_gram(gram_partials[block])
        for chunk in range(blocks[block, 0], blocks[block, 1], GRAM_CHUNK):
            chunk_end = min(chunk + GRAM_CHUNK, blocks[block, 1])
            add_gram(factor, chunk, chunk_end, gram_partials[block])


@kernel(per_block=("blocks", "partials"))
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
