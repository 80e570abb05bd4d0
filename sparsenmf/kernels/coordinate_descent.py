"""Coordinate descent (HALS) on the rows of a factor, Frobenius loss.

Given sparse rows x_i and the other factor B, each row w of this factor minimises

    1/2 ||x_i - w B'||^2 + l1 sum(w) + l2/2 ||w||^2,   w >= 0

one coordinate at a time (Cichocki & Phan 2009, "Fast local algorithms for large
scale nonnegative matrix and tensor factorizations", algorithm 2), with several
sweeps over a row while it is in cache (Gillis & Glineur 2012, "Accelerated
multiplicative updates and hierarchical ALS algorithms for NMF", section 4).

Arrays shared by the kernels
----------------------------
rows : Rows
    CSR arrays of this side, cut into blocks (see `sparsenmf.rows`).
factor, other : ndarray of shape (n_rows, width), (n_columns, width)
    Factors with padded rows: width is a multiple of the vector length, columns
    beyond n_components are zero and stay zero.
gram_partials : ndarray of shape (n_blocks or 0, width, width), float64
    Receives each block's share of factor' factor, upper triangle only. With no
    blocks at all (shape[0] == 0) the gram matrix is not wanted.
"""

import numpy as np
from numba import prange

from .gram import add_gram, clear_gram, move_gram
from .jit import inner, kernel
from .simd import add_row, dot_difference, gather_rows, list_moving, list_nonzero, step_length


@kernel
def update_rows(
    rows, other, gram, l1, factor, out, max_sweeps, tolerance, gram_partials, statistics
):
    """Improve each row of `factor` by coordinate descent and write it to `out`.

    Parameters
    ----------
    gram : ndarray of shape (width, width), dtype of the factors
        other' other, with l2 added on the diagonal.
    l1 : float, dtype of the factors
    out : ndarray like `factor`
        May be `factor` itself.
    max_sweeps : int
        0 leaves the rows as they are and only measures.
    tolerance : float, dtype of the factors
        A row is done when a sweep moved it less than this fraction of its first
        sweep, in the metric of the gram diagonal.
    statistics : ndarray of shape (n_blocks, 2), float64
        Overwritten with each block's sum of the row objectives without their constant
        1/2 ||x_i||^2 and, with max_sweeps = 0, of the rows' squared step lengths
        (`simd.step_length`).

    Notes
    -----
    Cost: nnz * width for the gather, then the number of coordinates that move
    times width. Each turn of the parallel loop writes to its own rows, its own
    gram partial and its own statistics.
    """
    width = other.shape[1]
    for block in prange(rows.blocks.shape[0]):
        cross = np.empty(width, other.dtype)
        gradient = np.empty(width, other.dtype)
        row = np.empty(width, other.dtype)
        listed = np.empty(2 * width, np.int32)
        diagonal = np.empty(width, other.dtype)
        inverse = np.empty(width, other.dtype)
        invert_diagonal(gram, diagonal, inverse)
        gram_sum = np.zeros((width, width), other.dtype)
        if gram_partials.shape[0] > 0:
            clear_gram(gram_partials[block])
        objective, residual = 0.0, 0.0
        for i in range(rows.blocks[block, 0], rows.blocks[block, 1]):
            gather_rows(cross, rows.data, rows.indices, rows.indptr[i], rows.indptr[i + 1], other)
            start_row(factor, i, cross, l1, gram, row, gradient, listed)
            if max_sweeps > 0:
                sweep_row(row, gradient, gram, inverse, listed, max_sweeps, tolerance)
            else:
                residual += step_length(row, gradient, inverse, diagonal)
            objective += 0.5 * dot_difference(row, gradient, cross)
            for r in range(width):
                out[i, r] = row[r]
            if gram_partials.shape[0] > 0:
                add_gram(row, i, gram_sum, gram_partials[block], listed)
        if gram_partials.shape[0] > 0:
            move_gram(gram_sum, gram_partials[block])
        statistics[block, 0] = objective
        statistics[block, 1] = residual


@kernel
def extrapolate_rows(current, previous, beta, blocks, gram_partials):
    """Set previous <- max(0, current + beta * (current - previous)) and sum its gram matrix.

    The momentum step of Ang & Gillis 2019 ("Accelerating nonnegative matrix
    factorization algorithms using extrapolation", equation 7), projected. With
    beta = 0 it copies. `gram_partials` must have one entry for each block.
    """
    width = current.shape[1]
    for block in prange(blocks.shape[0]):
        row = np.empty(width, current.dtype)
        listed = np.empty(2 * width, np.int32)
        gram_sum = np.zeros((width, width), current.dtype)
        clear_gram(gram_partials[block])
        for i in range(blocks[block, 0], blocks[block, 1]):
            for r in range(width):
                value = current[i, r] + beta * (current[i, r] - previous[i, r])
                row[r] = max(value, row.dtype.type(0))
                previous[i, r] = row[r]
            add_gram(row, i, gram_sum, gram_partials[block], listed)
        move_gram(gram_sum, gram_partials[block])


@inner
def invert_diagonal(gram, diagonal, inverse):
    """Split the gram diagonal into values and inverses; a vanishing one counts as zero.

    The coordinate of a component that is zero in the other factor has no effect
    on the fit: an inverse of zero keeps it where it is.
    """
    tiny = np.finfo(gram.dtype).tiny
    for r in range(gram.shape[0]):
        diagonal[r] = gram[r, r]
        inverse[r] = 1 / gram[r, r] if gram[r, r] > tiny else 0


@inner
def start_row(factor, i, cross, l1, gram, row, gradient, listed):
    """Copy row i, fold the L1 penalty into cross, and set gradient = gram row - cross."""
    for r in range(row.shape[0]):
        row[r] = factor[i, r]
        cross[r] -= l1
        gradient[r] = -cross[r]
    for t in range(list_nonzero(row, listed)):
        add_row(gradient, row[listed[t]], gram, listed[t])


@inner
def sweep_row(row, gradient, gram, inverse, listed, max_sweeps, tolerance):
    """Run coordinate descent sweeps on one row, keeping its gradient up to date.

    Most coordinates are zero and stay zero. Those that can move are listed first,
    without a branch, and then all of them are moved, without a branch: mispredicted
    branches cost more than the arithmetic. A coordinate that is not listed because only
    the sweep itself makes its gradient negative is taken up by the next sweep; where
    there is none, all are listed, as in the textbook.
    """
    zero = row.dtype.type(0)
    first = zero
    for sweep in range(max_sweeps):
        if max_sweeps > 1:
            n_listed = list_moving(row, gradient, listed)
        else:
            n_listed = row.shape[0]
            for r in range(n_listed):
                listed[r] = r
        change = zero
        for t in range(n_listed):
            r = listed[t]
            value = max(row[r] - gradient[r] * inverse[r], zero)
            step = value - row[r]
            row[r] = value
            change += step * step * gram[r, r]
            add_row(gradient, step, gram, r)
        if sweep == 0:
            first = change
        if change <= tolerance * tolerance * first:
            break
