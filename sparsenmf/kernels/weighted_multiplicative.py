"""Multiplicative updates where entries of X have weights of their own, or are unknown.

The problem is that of `kernels.weighted`, for every beta divergence.
"""

import numpy as np
from numba import prange

from .compile.interrupts import side_work
from .compile.jit import inner, kernel
from .entries import allow, weigh_row, whole_vectors
from .losses import divergence_at, everywhere, power
from .multiplicative import (
    CHUNK,
    OBJECTIVE,
    UPDATE,
    beta_work,
    floor_share,
    multiplied,
    smallest,
    sum_everywhere,
)
from .vector.gather import dot_rows, gather_rows
from .vector.strips import FLOOR
from .weighted import multiply_gram


def weighted_work(rows, side, penalty, divergence, *rest):
    """Return the work of a pass: over all entries only where absent ones have powers."""
    everywhere = rows.absent and divergence.beta not in (1, 2)
    return beta_work(rows, side, penalty, divergence) if everywhere else side_work(rows, side)


@kernel(per_block=("rows", "statistics"), work=weighted_work)
def update_rows_mu_weighted(rows, side, penalty, divergence, factor, out, mode, statistics):
    """Multiplicative update of each row, or what it would come to; any beta.

    Parameters
    ----------
    side : Side
        The summary is a pair: the sums of the columns of B, ndarray of shape (width,), float64,
        for beta = 1; and other' other, ndarray of shape (width, width), dtype of the factors, for
        beta = 2. It has shape (0, 0) if absent entries do not count.
    divergence, mode, statistics
        As in `kernels.multiplicative.update_rows_mu_beta`, but for beta = 2 the divergence has no
        constant.
    out : ndarray like `factor`
        May be `factor` itself. Only `UPDATE` writes to it.

    Notes
    -----
    Cost: 3 nnz * width; where absent entries count, and beta is neither 1 nor 2, that of
    `update_rows_mu_beta`. Each turn of the parallel loop writes to its own rows and statistics.
    """
    other, (sums, gram) = side
    for block in prange(rows.blocks.shape[0]):
        width, places = other.shape[1], np.arange(other.shape[1]).astype(np.int32)
        lines, part = np.empty((3, CHUNK), other.dtype), np.empty(width, other.dtype)
        terms, movable, beta = np.empty((2, width)), np.empty(width, np.bool_), divergence.beta
        numerators, denominators = terms[0], terms[1]
        objective, residual, least = 0.0, 0.0, smallest(factor)
        for i in range(rows.blocks[block, 0], rows.blocks[block, 1]):
            l1, l2 = allow(movable, penalty, i)
            if beta == 2 or beta == 1 or rows.absent == 0:
                multiply_gram(part, factor[i], places, gram)
                for r in range(width):
                    product = np.float64(part[r]) if gram.shape[0] > 0 else 0.0
                    denominators[r] = product + (rows.absent * sums[r] if beta == 1 else 0.0)
                    weight = 0.5 if beta == 2 else 1.0
                    objective += weight * factor[i, r] * denominators[r]
            else:
                objective += sum_everywhere(
                    terms[1:], factor, i, other, divergence, mode, lines[0], part
                )
            objective += sum_weighted(terms, rows, i, factor, other, divergence, mode, lines, part)
            for r in range(width):
                w = np.float64(factor[i, r])
                denominator, new = denominators[r] + l1 + l2 * w, w
                if movable[r]:
                    new = multiplied(w, numerators[r], denominator, divergence.gamma, least)
                if mode == UPDATE:
                    out[i, r] = new
                objective += w * (l1 + 0.5 * l2 * w)
                residual += (denominator - numerators[r]) * (w - new)
        statistics[block, 0], statistics[block, 1] = objective, residual


@inner
def sum_weighted(terms, rows, i, factor, other, divergence, mode, lines, part):
    """Sum a row over its entries: numerators, corrected denominators, or the divergence."""
    numerators, denominators, beta, objective = terms[0], terms[1], divergence.beta, 0.0
    least = 0.0 if beta == 2 else divergence.floor
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
        gather_rows(part, x, rows.indices[start:stop], 0, stop - start, other)
        for r in range(numerators.shape[0]):
            numerators[r] += part[r]
        add_excess(denominators, excess, rows.indices, start, stop, other)
    return objective


@inner
def multiply_exactly(factor, i, other, j):
    """Return factor[i] . other[j] in double precision.

    What an entry of weight zero takes away is large. (Rows are passed by number: numba counts the
    references to a view, atomically.)
    """
    total = 0.0
    for r in range(factor.shape[1]):
        total += np.float64(factor[i, r]) * np.float64(other[j, r])
    return total


@inner
def add_excess(denominators, excess, indices, start, stop, other):
    """Add the excess of the entries to denominators that are sums over all columns.

    In double precision: an entry of weight zero takes away its share of those sums, which may be
    nearly all of them.
    """
    for p in range(stop - start):
        rate = np.float64(excess[p])
        if rate != 0:
            for r in range(denominators.shape[0]):
                denominators[r] += rate * other[indices[start + p], r]


@inner
def entry_loss(x, y, v, absent, beta):
    """Return the loss of a stored entry, less that of a zero in its place if zeros count."""
    if beta == 2:
        return 0.5 * (v * (x - y) * (x - y) - absent * y * y)
    if beta == 1:
        ratio = x * np.log(x / max(y, FLOOR * x)) if x > 0 else 0.0
        return v * ratio + (v - absent) * y
    at_nonzero = v * divergence_at(x, y, beta) if x > 0 else 0.0
    return at_nonzero + (v - absent) * everywhere(y, beta)
