"""Multiplicative updates where entries of X have weights of their own, or are unknown.

The problem is that of `kernels.observed`, for every beta divergence.
"""

import numpy as np
from numba import prange

from .compile.interrupts import sparse_work
from .compile.jit import inner, kernel
from .entries import allow, weigh_row, whole_vectors
from .multiplicative import (
    CHUNK,
    OBJECTIVE,
    UPDATE,
    beta_work,
    divergence,
    everywhere,
    floor_share,
    power,
    scaled,
    smallest,
    sum_everywhere,
)
from .vector.gather import dot_rows, gather_rows
from .vector.strips import FLOOR
from .weighted import multiply_gram


def observed_work(rows, other, gram, sums, beta, *rest):
    """Return the work of a pass: over all entries only where what is absent has powers."""
    everywhere = rows.absent and beta not in (1, 2)
    return beta_work(rows, other, sums, beta) if everywhere else sparse_work(rows, other)


@kernel(per_block=("statistics",), work=observed_work)
def scale_rows_observed(
    rows, other, gram, sums, beta, gamma, floor, penalty, factor, out, mode, statistics
):
    """Multiplicative update of each row, or what it would come to; any beta.

    Parameters
    ----------
    gram : ndarray of shape (width, width) or (0, 0), dtype of the factors
        other' other, for beta = 2, if what is absent counts.
    sums : ndarray of shape (width,), float64
        Sums of the columns of `other`, for beta = 1.
    beta, gamma, floor, mode, statistics
        As in `kernels.multiplicative.scale_rows_beta`; the divergence of beta = 2 is a whole one.
    out : ndarray like `factor`
        May be `factor` itself. Written to by `UPDATE` only.

    Notes
    -----
    Cost: 3 nnz * width; where what is absent counts, and beta is neither 1 nor 2, that of
    `scale_rows_beta`. Each turn of the parallel loop writes to its own rows and statistics.
    """
    for block in prange(rows.blocks.shape[0]):
        width, places = other.shape[1], np.arange(other.shape[1]).astype(np.int32)
        lines, sizes = np.empty((3, CHUNK), other.dtype), np.empty((2, width), other.dtype)
        numerators, denominators = np.empty(width), np.empty((1, width))
        movable = np.empty(width, np.bool_)
        objective, residual, least = 0.0, 0.0, smallest(factor)
        for i in range(rows.blocks[block, 0], rows.blocks[block, 1]):
            l1, l2 = allow(movable, penalty, i)
            if beta == 2 or beta == 1 or rows.absent == 0:
                multiply_gram(sizes[0], factor[i], places, gram)
                for r in range(width):
                    product = np.float64(sizes[0, r]) if gram.shape[0] > 0 else 0.0
                    denominators[0, r] = product + (rows.absent * sums[r] if beta == 1 else 0.0)
                    weight = 0.5 if beta == 2 else 1.0
                    objective += weight * factor[i, r] * denominators[0, r]
            else:
                objective += sum_everywhere(
                    denominators, factor, i, 1, other, beta, floor, mode, lines[0], sizes[0]
                )
            objective += sum_observed(
                numerators, denominators[0], rows, i, factor, other, beta, floor, mode, lines, sizes
            )
            for r in range(width):
                w = np.float64(factor[i, r])
                denominator = denominators[0, r] + l1 + l2 * w
                new = scaled(w, numerators[r], denominator, gamma, least) if movable[r] else w
                if mode == UPDATE:
                    out[i, r] = new
                objective += w * (l1 + 0.5 * l2 * w)
                residual += (denominator - numerators[r]) * (w - new)
        statistics[block, 0], statistics[block, 1] = objective, residual


@inner
def sum_observed(numerators, denominators, rows, i, factor, other, beta, floor, mode, lines, sizes):
    """Sum a row over its entries: numerators, corrected denominators, or the divergence."""
    objective, least = 0.0, 0.0 if beta == 2 else floor
    for r in range(numerators.shape[0]):
        numerators[r] = 0
    for start in range(rows.indptr[i], rows.indptr[i + 1], CHUNK):
        stop = min(start + CHUNK, rows.indptr[i + 1])
        n = whole_vectors(stop - start, other)
        x, excess, y = lines[0, :n], lines[1, :n], lines[2, :n]
        weigh_row(x, excess, rows, start, stop)
        dot_rows(y, factor[i], rows.indices, start, stop, other)
        for p in range(stop - start):
            x_p, y_p = np.float64(rows.data[start + p]), np.float64(y[p])
            if mode == OBJECTIVE:
                v = np.float64(excess[p]) + rows.absent
                y_p = multiply_exactly(factor, i, other, rows.indices[start + p])
                objective += entry_loss(x_p, y_p, v, rows.absent, beta)
                continue
            y_p = max(y_p, floor_share(beta) * x_p, least)
            x[p] = x[p] * power(y_p, beta - 2) if x[p] > 0 else 0.0
            excess[p] = excess[p] * power(y_p, beta - 1) if excess[p] != 0 else 0.0
        if mode == OBJECTIVE:
            continue
        gather_rows(sizes[0], x, rows.indices[start:stop], 0, stop - start, other)
        for r in range(numerators.shape[0]):
            numerators[r] += sizes[0, r]
        add_excess(denominators, excess, rows.indices, start, stop, other)
    return objective


@inner
def multiply_exactly(factor, i, other, j):
    """Return factor[i] . other[j] in double precision.

    What an entry of weight zero takes away is large. (Rows by number: a view would be counted,
    atomically.)
    """
    total = 0.0
    for r in range(factor.shape[1]):
        total += np.float64(factor[i, r]) * np.float64(other[j, r])
    return total


@inner
def add_excess(denominators, excess, indices, start, stop, other):
    """Add to denominators what entries have beyond what the sums over all columns have of them.

    In double precision: an entry of weight zero takes away what it has in those sums, which may be
    nearly all of them.
    """
    for p in range(stop - start):
        rate = np.float64(excess[p])
        if rate != 0:
            for r in range(denominators.shape[0]):
                denominators[r] += rate * other[indices[start + p], r]


@inner
def entry_loss(x, y, v, absent, beta):
    """Return what a stored entry adds to what `y` counts as a zero entry, where that counts."""
    if beta == 2:
        return 0.5 * (v * (x - y) * (x - y) - absent * y * y)
    if beta == 1:
        ratio = x * np.log(x / max(y, FLOOR * x)) if x > 0 else 0.0
        return v * ratio + (v - absent) * y
    at_nonzero = v * divergence(x, y, beta) if x > 0 else 0.0
    return at_nonzero + (v - absent) * everywhere(y, beta)
