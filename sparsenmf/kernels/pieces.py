"""A long kernel call in pieces, so that Ctrl-C is seen between them.

Python looks at signals when a compiled function has returned, and a pass over a large
matrix takes seconds. So it is made in several calls, over some of the blocks of rows each.
Blocks do not depend on each other: the bits are the same however they are called.
"""

import time

LONG = 500_000_000
"""Multiply-adds for each thread, from which a call is cut: a tenth of a second to one."""

PROBE = 2  # blocks for each thread of the first piece, which tells how long others take

SECONDS = 0.25  # of a piece: what is lost at its end, where threads wait, is little


def in_pieces(run, args, per_block, work, n_threads):
    """Run a kernel whose first argument is a `Rows`, in one call or several.

    Parameters
    ----------
    run : callable
        A compilation of the kernel.
    args : tuple
    per_block : sequence of int
        Places of the arguments that have an entry for each block (or none at all).
    work : int
        Multiply-adds of the call.
    n_threads : int
        For which each piece has a block at least.
    """
    n_blocks = args[0].n_blocks
    start, step = 0, PROBE * n_threads if work >= LONG * n_threads else n_blocks
    while start < n_blocks:
        stop = start + step
        if n_blocks - stop < n_threads:  # too few to be worth a piece
            stop = n_blocks
        began = time.perf_counter()
        run(*_part(args, per_block, slice(start, stop)))
        seconds = max(time.perf_counter() - began, 1e-9)
        step = n_threads * max(1, int(step * SECONDS / seconds) // n_threads)
        start = stop


def _part(args, per_block, part):
    args = list(args)
    args[0] = args[0]._replace(blocks=args[0].blocks[part])
    for place in per_block:
        args[place] = args[place][part]
    return args


def sparse_work(rows, other, *rest):
    """Return the work of a pass over the nonzeros, with a gram matrix for each row."""
    width = other.shape[1]
    return (rows.nnz + rows.n_rows * width) * width
