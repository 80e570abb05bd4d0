"""Multiplicative updates on the rows of a factor, for the beta divergences.

Each row w of a factor, given sparse rows x and the other factor B, with y = w B':

    w_r <- w_r (numerator_r / denominator_r)^gamma
    numerator_r   = sum over the nonzeros of x y^(beta - 2) b_r
    denominator_r = sum over all entries of y^(beta - 1) b_r  + l1 + l2 w_r

(Févotte & Idier 2011, "Algorithms for nonnegative matrix factorization with the
beta-divergence", Neural Computation 23(9), table 2: no step raises the objective).
Denominators are w B'B for beta = 2 and the column sums of B for beta = 1, so that only
nonzeros are visited. For any other beta all n_rows x n_columns entries of y are.

The arrays that the kernels share are described in `kernels.coordinate_descent`.
"""

import numpy as np
from numba import prange

from .compile.interrupts import side_work, sparse_work
from .compile.jit import inner, kernel
from .entries import allow, whole_vectors
from .gram import GRAM_CHUNK
from .kullback_leibler import sum_divergence
from .losses import divergence_at, everywhere, power
from .vector.gather import dot_rows, gather_rows, scatter_row
from .vector.rows import add_gram, clear_gram, copy_values, load_row
from .vector.strips import FLOOR

CHUNK = 256  # nonzeros, or columns, that stay in cache between their two uses
GROUP = 32  # rows that are multiplied with a chunk of columns while it is in cache

POWER_FLOOR = 1e-10
"""`FLOOR` of losses other than Kullback-Leibler, which raise it to powers."""

POWER = 100  # multiply-adds that take as long as raising a number to a power

UPDATE, OBJECTIVE, RESIDUAL, UPDATE_AND_OBJECTIVE = range(4)


@kernel(per_block=("rows", "gram_partials", "statistics"), work=side_work)
def update_rows_mu(rows, side, penalty, earlier, factor, out, gram_partials, statistics):
    """Multiplicative update of each row, Frobenius loss (Lee & Seung 2001).

    Parameters
    ----------
    side : Side
        The summary is ndarray of shape (width, width), dtype of the factors: other' other.
    earlier : ndarray of shape (n_parts or 0, n_rows, width), dtype of the factors
        Partial products x_i B with other columns.
    out : ndarray like `factor`
        May be `factor` itself.
    statistics : ndarray of shape (n_blocks, 2), float64
        Overwritten with each block's sum of the row objectives without their constant,
        and zero.

    Notes
    -----
    Cost: nnz * width + 2 n_rows * width**2. Each turn of the parallel loop writes to its
    own rows, its own gram partial and its own statistics.
    """
    other, gram = side
    for block in prange(rows.blocks.shape[0]):
        first, last = rows.blocks[block, 0], rows.blocks[block, 1]
        width = other.shape[1]
        places = np.arange(width).astype(np.int32)
        row, cross = np.empty(width, other.dtype), np.empty(width, other.dtype)
        product, movable = np.empty(width, other.dtype), np.empty(width, np.bool_)
        objective, least = 0.0, smallest(factor)
        if gram_partials.shape[0] > 0:
            clear_gram(gram_partials[block])
        for chunk in range(first, last, GRAM_CHUNK):
            chunk_end = min(chunk + GRAM_CHUNK, last)
            for i in range(chunk, chunk_end):
                copy_values(row, factor[i])
                l1, l2 = allow(movable, penalty, i)
                gather_rows(
                    cross, rows.data, rows.indices, rows.indptr[i], rows.indptr[i + 1], other
                )
                add_parts(cross, earlier, i)
                gather_rows(product, row, places, 0, width, gram)
                for r in range(width):
                    if movable[r]:
                        denominator = product[r] + l1 + l2 * row[r]
                        row[r] = multiplied(row[r], cross[r], denominator, 1.0, least)
                gather_rows(product, row, places, 0, width, gram)
                for r in range(width):
                    w = np.float64(row[r])
                    objective += w * (0.5 * product[r] - cross[r] + l1 + 0.5 * l2 * w)
                copy_values(out[i], row)
            if gram_partials.shape[0] > 0:
                add_gram(out, chunk, chunk_end, gram_partials[block])
        statistics[block, 0], statistics[block, 1] = objective, 0.0


def beta_work(rows, side, penalty, divergence, *rest):
    """Return the work of a pass; for any beta but 1 over all entries, where powers cost most."""
    entries = 0 if divergence.beta == 1 else rows.n_rows * len(side.other)
    return sparse_work(rows, side.other) + entries * (POWER + side.other.shape[1])


@kernel(per_block=("rows", "statistics"), work=beta_work)
def update_rows_mu_beta(rows, side, penalty, divergence, earlier, factor, out, mode, statistics):
    """Multiplicative update of each row, or what it would come to; any beta but 2.

    Parameters
    ----------
    side : Side
        The summary is ndarray of shape (width,), float64: the sums of the columns of B, which are
        the denominators of beta = 1.
    divergence : Divergence
    earlier : ndarray of shape (n_parts or 0, n_rows, width), dtype of the factors
        Partial numerators from other columns, as `scatter_ratios` sums them.
    out : ndarray like `factor`
        May be `factor` itself. Only updates write to it.
    mode : `UPDATE`, `OBJECTIVE`, `RESIDUAL` or `UPDATE_AND_OBJECTIVE`
    statistics : ndarray of shape (n_blocks, 2), float64
        Overwritten with each block's divergence before the update, but for the constant of
        `losses.make_loss` (`OBJECTIVE`), and its sum of the decreases that the updates promise
        to first order (else). The divergence is the sum of `everywhere` over all entries and of
        `divergence_at`, the rest, over the nonzeros; for beta = 1 of y and x log(x / y).

    Notes
    -----
    Cost: 2 nnz * width, and 2 n_rows * n_columns * width for beta other than 1. Each turn
    of the parallel loop writes to its own rows and statistics.
    """
    other, sums = side
    for block in prange(rows.blocks.shape[0]):
        first, last = rows.blocks[block, 0], rows.blocks[block, 1]
        width, beta = other.shape[1], divergence.beta
        lines, part = np.empty((2, CHUNK), other.dtype), np.empty(width, other.dtype)
        numerators, denominators = np.empty((GROUP, width)), np.empty((GROUP, width))
        movable = np.empty(width, np.bool_)
        objective, residual, least = 0.0, 0.0, smallest(factor)
        for group in range(first, last, GROUP):
            n = min(GROUP, last - group)
            for t in range(n):
                copy_values(denominators[t], sums)
                objective += sum_nonzeros(
                    numerators[t], rows, group + t, factor, other, divergence, mode, lines, part
                )
                add_parts(numerators[t], earlier, group + t)
            if beta != 1:
                objective += sum_everywhere(
                    denominators[:n], factor, group, other, divergence, mode, lines[0], part
                )
            for t in range(n):
                l1, l2 = allow(movable, penalty, group + t)
                for r in range(width):
                    w = np.float64(factor[group + t, r])
                    denominator = denominators[t, r] + l1 + l2 * w
                    new = w
                    if movable[r]:
                        gamma = divergence.gamma
                        new = multiplied(w, numerators[t, r], denominator, gamma, least)
                    if mode in (UPDATE, UPDATE_AND_OBJECTIVE):
                        out[group + t, r] = new
                    objective += w * ((sums[r] if beta == 1 else 0.0) + l1 + 0.5 * l2 * w)
                    residual += (denominator - numerators[t, r]) * (w - new)
        statistics[block, 0], statistics[block, 1] = objective, residual


@kernel(per_block=("parts", "sums"))
def scatter_ratios(rows, parts, factor, other, sums):
    """Add the numerators that the rows come to for the columns, Kullback-Leibler loss.

    sums[part, j] += x_ij / y_ij factor[i], with y = factor[i] . other[j], over the nonzeros
    of the part's rows. Parts and sums are as in `kernels.products.scatter_rows`. Each turn
    of the parallel loop writes to its own sums.
    """
    for part in prange(parts.shape[0]):
        x, y = np.empty(CHUNK, other.dtype), np.empty(CHUNK, other.dtype)
        for i in range(parts[part, 0], parts[part, 1]):
            for start in range(rows.indptr[i], rows.indptr[i + 1], CHUNK):
                stop = min(start + CHUNK, rows.indptr[i + 1])
                n = stop - start
                load_row(x, rows.data, start, stop)
                dot_rows(y[: whole_vectors(n, y)], factor[i], rows.indices, start, stop, other)
                for p in range(n):
                    y[p] = x[p] / max(y[p], y.dtype.type(FLOOR) * x[p])
                scatter_row(sums[part], y, rows.indices[start:stop], 0, n, factor, i)


@inner
def add_parts(total, parts, i):
    """Add row i of each part, in order."""
    for part in range(parts.shape[0]):
        for r in range(total.shape[0]):
            total[r] += parts[part, i, r]


@inner
def multiplied(w, numerator, denominator, gamma, least):
    """Return the updated coordinate; one without effect becomes zero."""
    if w == 0 or not denominator > 0:
        return w * 0
    ratio = numerator / denominator
    new = w * (ratio if gamma == 1 else ratio**gamma)
    return new if new > least else new * 0


@inner
def smallest(factor):
    """Return the number below which entries become zero: denormal numbers are slow.

    Where X is as small as it may be, entries of the factors are about 1e-8 and 1e-50.
    """
    return 1e-37 if factor.itemsize == 4 else 1e-150


@inner
def sum_nonzeros(numerators, rows, i, factor, other, divergence, mode, lines, part):
    """Sum a row's numerators over its nonzeros, and return its divergence there (by mode)."""
    x, y, beta, objective = lines[0], lines[1], divergence.beta, 0.0
    for r in range(numerators.shape[0]):
        numerators[r] = 0
    for start in range(rows.indptr[i], rows.indptr[i + 1], CHUNK):
        stop = min(start + CHUNK, rows.indptr[i + 1])
        n = stop - start
        load_row(x, rows.data, start, stop)
        products = y[: whole_vectors(n, y)]
        dot_rows(products, factor[i], rows.indices, start, stop, other)
        measured = mode in (OBJECTIVE, UPDATE_AND_OBJECTIVE)
        if measured and beta == 1:
            objective += sum_divergence(x[: products.shape[0]], products, part)
        elif measured:
            for p in range(n):
                objective += divergence_at(np.float64(x[p]), np.float64(y[p]), beta)
        if mode == OBJECTIVE:
            continue
        floor = y.dtype.type(divergence.floor)
        for p in range(n):
            y_p = max(y[p], y.dtype.type(floor_share(beta)) * x[p], floor)
            y[p] = x[p] / y_p if beta == 1 else x[p] * power(np.float64(y_p), beta - 2)
        gather_rows(part, y, rows.indices[start:stop], 0, n, other)
        for r in range(part.shape[0]):
            numerators[r] += part[r]
    return objective


@inner
def floor_share(beta):
    """Return the smallest y that is told from zero in an update, as a share of its x."""
    return FLOOR if beta == 1 else POWER_FLOOR


@inner
def sum_everywhere(denominators, factor, first, other, divergence, mode, y, part):
    """Sum the denominators of some rows over all columns, and return `everywhere`, by mode.

    A chunk of columns is multiplied with all of these rows while it is in cache.
    """
    places, beta, objective = np.arange(CHUNK), divergence.beta, 0.0
    if mode == OBJECTIVE and beta <= 0:
        return objective
    for t in range(denominators.shape[0]):
        for r in range(denominators.shape[1]):
            denominators[t, r] = 0
    for start in range(0, other.shape[0], CHUNK):
        columns = other[start : start + CHUNK]
        n = columns.shape[0]
        for t in range(denominators.shape[0]):
            dot_rows(y[: whole_vectors(n, y)], factor[first + t], places, 0, n, columns)
            if mode in (OBJECTIVE, UPDATE_AND_OBJECTIVE):
                for p in range(n):
                    objective += everywhere(np.float64(y[p]), beta)
            if mode == OBJECTIVE:
                continue
            for p in range(n):
                y[p] = power(max(np.float64(y[p]), divergence.floor), beta - 1)
            gather_rows(part, y, places, 0, n, columns)
            for r in range(part.shape[0]):
                denominators[t, r] += part[r]
    return objective
