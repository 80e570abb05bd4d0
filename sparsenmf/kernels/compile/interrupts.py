"""Interruptible calls of kernels over blocks of rows, which are complete or raise an error.

Python handles signals only after a compiled function has returned, and a pass over a large
matrix takes seconds. So a long pass is made in several calls, over some of the blocks of rows
each, and Ctrl-C is handled between them. Blocks do not depend on each other, so the bits do not
depend on the number of calls.

A block ends early if there is no memory for its scratch arrays, and numba's threads lose the
error. So every block must have written its statistics.
"""

import numpy as np

from ...data import clock
from ...data.rows import Rows

LONG = 500_000_000
"""Multiply-adds of a thread above which a call is cut: a tenth of a second to one."""

PROBE = 2  # blocks for each thread in the first of several calls, which tells how long others take

UNWRITTEN = np.finfo(np.float64).min  # a value that no statistics have

NO_MEMORY = "there is no memory for the scratch arrays of a kernel: use fewer threads"

SECONDS = 0.25  # of a call: long beside the time that threads wait at its end


def call_interruptibly(run, args, per_block, work, n_threads):
    """Run a kernel whose first argument is a `Rows`, in one call or several.

    Parameters
    ----------
    run : callable
        A compilation of the kernel.
    args : tuple
    per_block : sequence of int
        Positions of the arguments that have an entry for each block (or none at all). Each
        block writes to the last of them, if that has fewer than three axes.
    work : int
        Multiply-adds of the call.
    n_threads : int
        Each call has at least a block for each of them.

    Raises
    ------
    MemoryError
        If there was no memory for the scratch arrays of a block.
    """
    n_blocks, written = args[0].n_blocks, args[per_block[-1]]
    written = written[: n_blocks if written.ndim < 3 else 0]
    written.fill(UNWRITTEN)
    start, step = 0, PROBE * n_threads if work >= LONG * n_threads else n_blocks
    while start < n_blocks:
        stop = start + step
        if n_blocks - stop < n_threads:  # too few for a call of their own
            stop = n_blocks
        began = clock.seconds()
        try:
            run(*(args if stop - start >= n_blocks else _part(args, per_block, start, stop)))
        except SystemError as error:  # "returned a result with an exception set"
            raise MemoryError(NO_MEMORY) from error
        seconds = max(clock.seconds() - began, 1e-9)
        step = n_threads * max(1, int(step * SECONDS / seconds) // n_threads)
        start = stop
    if (written == UNWRITTEN).any():
        raise MemoryError(NO_MEMORY)


def _part(args, per_block, start, stop):
    args = list(args)
    for place in per_block:
        args[place] = _of_blocks(args[place], slice(start, stop))
    return args


def _of_blocks(value, part):
    return value._replace(blocks=value.blocks[part]) if isinstance(value, Rows) else value[part]


def sparse_work(rows, other, *rest):
    """Return the work of a pass over the nonzeros, with a gram matrix for each row."""
    width = other.shape[1]
    return (rows.nnz + rows.n_rows * width) * width


def side_work(rows, side, *rest):
    """Return the work of a pass over the nonzeros that updates a factor."""
    return sparse_work(rows, side.other)
