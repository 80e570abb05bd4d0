"""The two parts of multiplicative updates, for streams that add them up over batches.

The arrays that the kernels share are described in `kernels.coordinate_descent`.
"""

import numpy as np
from numba import prange

from .compile.interrupts import sparse_work
from .compile.jit import kernel
from .multiplicative import CHUNK, GROUP, POWER, UPDATE, sum_everywhere, sum_nonzeros


def parts_work(rows, side, divergence, *rest):
    """Return the work of a pass over all entries, where powers cost most."""
    entries = rows.n_rows * len(side.other)
    return sparse_work(rows, side.other) + entries * (POWER + side.other.shape[1])


@kernel(per_block=("rows", "statistics"), work=parts_work)
def sum_update_parts(rows, side, divergence, factor, numerators, denominators, statistics):
    """Set the numerators and denominators of the multiplicative update of each row.

    They are those of `multiplicative.update_rows_mu_beta`, penalty excluded, for any beta but 2
    and 1.

    Parameters
    ----------
    side : Side
        The summary is not looked at.
    divergence : Divergence
    numerators, denominators : ndarray of shape (n_rows, width), float64
        Overwritten.
    statistics : ndarray of shape (n_blocks,), float64
        Overwritten with the largest sum of each block.

    Notes
    -----
    Cost: 2 nnz * width + 2 n_rows * n_columns * width. Each turn of the parallel loop writes to
    its own rows and its own statistics.
    """
    other = side.other
    for block in prange(rows.blocks.shape[0]):
        first, last = rows.blocks[block, 0], rows.blocks[block, 1]
        lines, part = np.empty((2, CHUNK), other.dtype), np.empty(other.shape[1], other.dtype)
        largest = 0.0
        for group in range(first, last, GROUP):
            n = min(GROUP, last - group)
            for t in range(n):
                sum_nonzeros(
                    numerators[group + t], rows, group + t, factor, other, divergence, UPDATE,
                    lines, part,
                )  # fmt: skip
            below = denominators[group : group + n]
            sum_everywhere(below, factor, group, other, divergence, UPDATE, lines[0], part)
            for t in range(n):
                for r in range(other.shape[1]):
                    largest = max(largest, numerators[group + t, r], below[t, r])
        statistics[block] = largest
