"""Products of sparse rows with a dense factor."""

import numpy as np
from numba import prange

from .gram import add_gram, clear_gram, move_gram
from .jit import kernel
from .simd import gather_rows


@kernel
def multiply_rows(rows, other, out, gram_partials):
    """Set out[i] = x_i other for each sparse row x_i, and sum the gram matrix of out.

    `other` (n_columns, width) and `out` (n_rows, width) have padded rows; `out` is
    overwritten. `gram_partials` is as in `kernels.coordinate_descent`. Each turn of
    the parallel loop writes to its own rows and its own gram partial.
    """
    width = out.shape[1]
    for block in prange(rows.blocks.shape[0]):
        total = np.empty(width, out.dtype)
        listed = np.empty(2 * width, np.int32)
        gram_sum = np.zeros((width, width), out.dtype)
        if gram_partials.shape[0] > 0:
            clear_gram(gram_partials[block])
        for i in range(rows.blocks[block, 0], rows.blocks[block, 1]):
            gather_rows(total, rows.data, rows.indices, rows.indptr[i], rows.indptr[i + 1], other)
            for r in range(width):
                out[i, r] = total[r]
            if gram_partials.shape[0] > 0:
                add_gram(total, i, gram_sum, gram_partials[block], listed)
        if gram_partials.shape[0] > 0:
            move_gram(gram_sum, gram_partials[block])


@kernel
def measure_rows(rows, factor, other, sums):
    """sums[block] = sum over the stored entries of (x - y)^2 - y^2, y = factor[i] . other[j].

    All in float64. Together with the sum of y^2 over all entries, which the gram
    matrices give, this is the squared error without the cancellation of
    ||x||^2 - 2 <x, y> + ||y||^2 in single precision. Stored entries must be unique.
    """
    for block in prange(rows.blocks.shape[0]):
        total = 0.0
        for i in range(rows.blocks[block, 0], rows.blocks[block, 1]):
            for p in range(rows.indptr[i], rows.indptr[i + 1]):
                y = 0.0
                for r in range(factor.shape[1]):
                    y += np.float64(factor[i, r]) * np.float64(other[rows.indices[p], r])
                x = np.float64(rows.data[p])
                total += (x - y) * (x - y) - y * y
        sums[block] = total
