"""Products of sparse rows with a dense factor, and of dense rows with small matrices."""

import numpy as np
from numba import prange

from ..data.factors import zeros
from ..data.rows import ROW_GROUP
from .compile.interrupts import sparse_work
from .compile.jit import kernel
from .gram import GRAM_CHUNK, add_grams
from .vector.gather import gather_batch, gather_rows, scatter_batch
from .vector.rows import add_gram, clear_gram, prefetch_rows


@kernel(per_block=("rows", "gram_partials"), work=sparse_work)
def multiply_rows(rows, other, out, gram_partials):
    """Set out[i] = x_i other for each sparse row x_i, and sum the gram matrix of out.

    `other` (n_columns, width) and `out` (n_rows, width) have padded rows; `out` is
    overwritten. `gram_partials` is as in `kernels.coordinate_descent`. Each turn of
    the parallel loop writes to its own rows and its own gram partial.
    """
    for block in prange(rows.blocks.shape[0]):
        first, last = rows.blocks[block, 0], rows.blocks[block, 1]
        if gram_partials.shape[0] > 0:
            clear_gram(gram_partials[block])
        for chunk in range(first, last, GRAM_CHUNK):
            chunk_end = min(chunk + GRAM_CHUNK, last)
            n, part = chunk_end - chunk, out[chunk:chunk_end]
            gather_batch(part, rows.data, rows.indices, rows.indptr, chunk, n, other)
            if gram_partials.shape[0] > 0:
                add_gram(out, chunk, chunk_end, gram_partials[block])


def multiply_with_gram(rows, other, out, n_threads):
    """Set out[i] = x_i other for each sparse row x_i, and return the gram matrix of out."""
    width = out.shape[1]
    partials = zeros((rows.n_blocks, width, width), np.float64)
    multiply_rows(n_threads, rows, other, out, partials)
    return add_grams(partials)


@kernel(per_block=("parts", "sums"))
def scatter_rows(rows, parts, factor, sums):
    """Add X' factor to sums, each part of the rows to an array of its own.

    `parts` (n_parts, 2) has the first row of each part and the row after its last one. Part p is
    added, in order, to sums[p] of `sums` (n_parts, n_columns, width). This is for matrices that
    come a block at a time, or have far more rows than columns: they need no transpose, and sums[p]
    stays in cache where W would not. Each turn of the parallel loop writes to its own sums.
    """
    for part in prange(parts.shape[0]):
        for i in range(parts[part, 0], parts[part, 1], ROW_GROUP):
            n = min(ROW_GROUP, parts[part, 1] - i)
            prefetch_rows(factor, i + ROW_GROUP, ROW_GROUP)
            scatter_batch(sums[part], rows.data, rows.indices, rows.indptr, i, n, factor)


@kernel(per_block=("blocks",))
def rotate_rows(factor, blocks, matrix, places):
    """Set factor[i] <- factor[i] matrix, in place.

    `matrix` (width, width) is of the factor's type, zero in the padding; `places` is
    arange(width). A dense row is a sparse row that has all columns, so `gather_rows`
    serves here too. The threads of a BLAS would go on spinning beside ours.
    """
    for block in prange(blocks.shape[0]):
        row = np.empty(factor.shape[1], factor.dtype)
        for i in range(blocks[block, 0], blocks[block, 1]):
            for c in range(row.shape[0]):  # numba's assignment of a slice compiles for seconds
                row[c] = factor[i, c]
            gather_rows(factor[i], row, places, 0, row.shape[0], matrix)


@kernel(per_block=("blocks",))
def take_columns(factor, blocks, order, scale, out):
    """Set out[i, c] = factor[i, order[c]] * scale[order[c]].

    `out` (n_rows, n_taken) need not be padded. Each turn of the parallel loop writes to its
    own rows.
    """
    for block in prange(blocks.shape[0]):
        # Through a buffer: if reads of one matrix alternate with writes to the other, the machine
        # takes loads for those of recent stores, and waits: up to four times as long.
        row = np.empty(factor.shape[1], out.dtype)
        for i in range(blocks[block, 0], blocks[block, 1]):
            for c in range(row.shape[0]):
                row[c] = factor[i, c] * scale[c]
            for c in range(order.shape[0]):
                out[i, c] = row[order[c]]


@kernel(per_block=("rows", "sums"), work=sparse_work)
def measure_rows(rows, factor, other, sums):
    """sums[block] = sum over the stored entries of v (x - y)^2 - absent y^2.

    All in float64; y = factor[i] . other[j], v its weight. Together with the sum of absent y^2
    over all entries, which the gram matrices give, this is the squared error without the
    cancellation of ||x||^2 - 2 <x, y> + ||y||^2 in single precision. Stored entries must be
    unique.
    """
    for block in prange(rows.blocks.shape[0]):
        total = 0.0
        for i in range(rows.blocks[block, 0], rows.blocks[block, 1]):
            for p in range(rows.indptr[i], rows.indptr[i + 1]):
                y = 0.0
                for r in range(factor.shape[1]):
                    y += np.float64(factor[i, r]) * np.float64(other[rows.indices[p], r])
                x = np.float64(rows.data[p])
                v = np.float64(rows.weights[p]) if rows.weights.shape[0] > 0 else 1.0
                total += v * (x - y) * (x - y) - rows.absent * y * y
        sums[block] = total
