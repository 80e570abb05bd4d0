"""Coordinate descent (HALS) on the rows of a factor, Frobenius loss.

Given sparse rows x_i and the other factor B, each row w of this factor minimises

    1/2 ||x_i - w B'||^2 + l1 sum(w) + l2/2 ||w||^2,   w >= 0

one coordinate at a time (Cichocki & Phan 2009, "Fast local algorithms for large
scale nonnegative matrix and tensor factorizations", algorithm 2), with several
sweeps over a row while it is in cache (Gillis & Glineur 2012, "Accelerated
multiplicative updates and hierarchical ALS algorithms for NMF", section 4). Rows are
updated in lane tiles (see `kernels.vector.tiles`); each stops on its own.

Arrays shared by the kernels
----------------------------
rows : Rows
    CSR arrays of this side, cut into blocks (see `sparsenmf.data.rows`).
factor, other : ndarray of shape (n_rows, width), (n_columns, width)
    Factors with padded rows: width is a multiple of the vector length. Columns
    beyond n_components are zero and stay zero.
side : Side
    The other factor B, and a summary of it (see `kernels.operands`).
penalty : Penalty
    L1 and L2 weights, and which entries may move (see `sparsenmf.solvers.penalties`).
gram_partials : ndarray of shape (n_blocks or 0, width, width), float64
    Receives each block's share of factor' factor, upper triangle only. With no
    blocks (shape[0] == 0) the gram matrix is not wanted.
"""

import numpy as np
from numba import prange

from .compile.interrupts import side_work
from .compile.jit import inner, kernel
from .gram import GRAM_CHUNK
from .vector.gather import gather_batch
from .vector.rows import add_gram, clear_gram, copy_rows, fence, prefetch_rows, stream_rows
from .vector.tiles import TILE_BYTES, descend_tile, invert_diagonal, measure_tile, transpose

FAR = 1e18
"""Step, for each unit of slope, of a coordinate without curvature."""

OUT_OF_REACH = -0.125
"""The product x_i B of an entry that must stay zero, as a share of the largest number: no sum of
the gradient outweighs it."""


@kernel(per_block=("rows", "gram_partials", "statistics"), work=side_work)
def update_rows(rows, side, penalty, earlier, factor, out, sweeps, gram_partials, statistics):
    """Improve each row of `factor` by coordinate descent and write it to `out`.

    Parameters
    ----------
    side : Side
        The summary is ndarray of shape (depth, depth), dtype of the factors: other' other, with L2
        (one weight for all rows) added on the diagonal. The first depth columns of the factor
        are updated; depth is `tiles.sweep_depth` of n_components.
    earlier : Earlier
        The first part of the products is replaced by the total.
    out : ndarray like `factor`
        May be `factor` itself.
    sweeps : Sweeps
        The tolerance has the dtype of the factors. With max_sweeps = 0 nothing is written to
        `out`, and the rows are measured as they are.
    statistics : ndarray of shape (n_blocks, 2), float64
        Overwritten with each block's sum of the row objectives without their constant
        1/2 ||x_i||^2 and, if measured, of the squared KKT residuals: of
        gram[r, r] * step**2 over the steps that each coordinate would take on its own, and
        of twice what it would gain where gram[r, r] is zero.

    Notes
    -----
    Cost: nnz * width for the gather, then n_rows * depth**2 for each sweep, and half of
    that for the gram matrix. Each turn of the parallel loop writes to its own rows, its
    own gram partial and its own statistics.
    """
    (other, gram), (products, fade), (max_sweeps, tolerance, _, wanted) = side, earlier, sweeps
    measuring = wanted or max_sweeps == 0
    for block in prange(rows.blocks.shape[0]):
        n_tile, width = TILE_BYTES // other.itemsize, other.shape[1]
        room, inverse = aligned((n_tile + GRAM_CHUNK, width), other), np.zeros_like(gram[0])
        buffer, held = room[:n_tile], room[n_tile:]  # a lane tile, and a chunk to be written
        scratch = aligned((2 * width + 4, n_tile), other)
        tile, cross, sums = scratch[:width], scratch[width : 2 * width], scratch[2 * width :]
        found, left = sums[:2], sums[:2] if max_sweeps == 0 else sums[2:]  # rounded otherwise
        set_rates(inverse, gram, penalty)
        objective, residual, zero = 0.0, 0.0, other.dtype.type(0)
        differ = penalty.l1.shape[0] > 1 or penalty.support.shape[0] > 0
        shift = zero if differ else other.dtype.type(-penalty.l1[0])
        if gram_partials.shape[0] > 0:
            clear_gram(gram_partials[block])
        for chunk in range(rows.blocks[block, 0], rows.blocks[block, 1], GRAM_CHUNK):
            chunk_end = min(chunk + GRAM_CHUNK, rows.blocks[block, 1])
            for i in range(chunk, chunk_end, n_tile):
                n = min(n_tile, chunk_end - i)
                prefetch_rows(factor, i + n_tile, n_tile)
                gather_batch(buffer, rows.data, rows.indices, rows.indptr, i, n, other)
                add_earlier(buffer, products, fade, i, n)
                if differ:
                    restrict_rows(buffer, penalty.l1, penalty.support, i, n)
                transpose(cross, buffer, shift)
                whole = n == n_tile
                copy_rows(buffer, 0, factor, i, 0 if whole else n)
                transpose(tile, factor[i : i + n_tile] if whole else buffer, zero)
                descend_tile(tile, cross, gram, inverse, n, max_sweeps, tolerance, found)
                if measuring:
                    measure_tile(tile, cross, gram, inverse, n, left)
                    add_flat(left[0], tile, cross, gram, penalty)
                transpose(held[i - chunk : i - chunk + n_tile], tile, zero)
                for t in range(n):
                    objective, residual = objective + found[1, t], residual + left[0, t]
            if gram_partials.shape[0] > 0:
                add_gram(held, 0, chunk_end - chunk, gram_partials[block])
            stream_rows(out, chunk, held, chunk_end - chunk if max_sweeps > 0 else 0)
        fence(out)
        statistics[block, 0], statistics[block, 1] = objective, residual if measuring else 0.0


@kernel(per_block=("blocks", "gram_partials"))
def extrapolate_rows(current, previous, momentum, least, blocks, gram_partials):
    """Extrapolate a factor into `previous`, and sum the gram matrix of the result.

    previous <- max(least * current, current + momentum * (current - previous)): the step of
    Ang & Gillis 2019 ("Accelerating nonnegative matrix factorization algorithms using
    extrapolation", equation 7), projected. Without momentum it copies. If both are one array, that
    stays as it is. With least > 0, no positive entry becomes zero.
    """
    one = current.ctypes.data == previous.ctypes.data
    for block in prange(blocks.shape[0]):
        first, last = blocks[block, 0], blocks[block, 1]
        if gram_partials.shape[0] > 0:
            clear_gram(gram_partials[block])
        for chunk in range(first, last, GRAM_CHUNK):
            chunk_end = min(chunk + GRAM_CHUNK, last)
            prefetch_rows(current, chunk_end, GRAM_CHUNK)
            for i in range(chunk, chunk if one else chunk_end):
                for r in range(current.shape[1]):
                    now = current[i, r]
                    previous[i, r] = max(now + momentum * (now - previous[i, r]), least * now)
            if gram_partials.shape[0] > 0:
                add_gram(previous, chunk, chunk_end, gram_partials[block])


@inner
def add_earlier(cross, products, fade, i, n):
    """Add rows i to i + n of each part of the earlier products, and keep the total in the first.

    `cross` is (at least n, width); `products` (n_parts, n_rows, width) count `fade` times.
    """
    n_parts = products.shape[0]
    for t in range(n if n_parts > 0 else 0):
        for r in range(cross.shape[1]):
            for part in range(n_parts):
                cross[t, r] += fade * products[part, i + t, r]
            products[0, i + t, r] = cross[t, r]


@inner
def restrict_rows(cross, l1, support, i, n):
    """Subtract each row's L1 weight from its products, and hold entries at zero.

    `l1` has one weight for all rows or one for each; `support` (0 or n_rows, width) says whether
    an entry may be positive.
    """
    never = cross.dtype.type(OUT_OF_REACH * np.finfo(cross.dtype).max)
    for t in range(n):
        weight = cross.dtype.type(l1[i + t] if l1.shape[0] > 1 else l1[0])
        for r in range(cross.shape[1]):
            held = support.shape[0] > 0 and not support[i + t, r]
            cross[t, r] = never if held else cross[t, r] - weight


@inner
def set_rates(inverse, gram, penalty):
    """Set the step that each coordinate takes for each unit of slope.

    Where there is no curvature, the component is zero in the other factor, and only an L1 penalty
    depends on the coordinate: it goes to zero, however far that is.
    """
    invert_diagonal(inverse, gram, penalty.free)
    for r in range(inverse.shape[0] if penalty.l1[0] > 0 else 0):  # for one row, or for none
        if penalty.free[r] and gram[r, r] <= np.finfo(gram.dtype).tiny:
            inverse[r] = FAR


@inner
def add_flat(change, tile, cross, gram, penalty):
    """Add twice what coordinates without curvature would gain by a step to zero.

    This corresponds to curvature * step**2 of the others.
    """
    for r in range(gram.shape[0] if penalty.l1[0] > 0 else 0):
        if penalty.free[r] and gram[r, r] <= np.finfo(gram.dtype).tiny:
            for t in range(change.shape[0]):
                change[t] -= 2 * min(cross[r, t], 0) * tile[r, t]


@inner
def aligned(shape, like):
    """Return an array of zeros that starts on a cache line."""
    size, step = shape[0] * shape[1], 64 // like.itemsize
    buffer = np.zeros(size + step, like.dtype)
    start = (-buffer.ctypes.data % 64) // like.itemsize
    return buffer[start : start + size].reshape(shape)
