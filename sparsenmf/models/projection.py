"""W of new samples for given components, some samples at a time."""

import numpy as np

from ..data.factors import empty_factor
from ..data.rows import make_rows
from ..data.store import is_store
from ..data.validation import check_matrix
from ..kernels.compile.threads import resolve_threads, threads_for
from ..solvers.losses import make_loss
from ..solvers.numerics import or_wider
from ..solvers.row_update import best_algorithm, row_update, solve
from ..solvers.weights import Scaling

PART_ROWS, PART_WORK = 2**14, 10**8
"""Samples, and multiply-adds of a sweep over them, that are solved together at most."""


def cut_parts(X, match, components):
    """Yield the first row, the one after the last, and rows of X that are solved together.

    They are few enough that Ctrl-C, which is seen between them, is heeded within a second.

    Parameters
    ----------
    X : csr_array or CsrStore
    match : Match or None
        How the columns of a store become those of the components.
    components : Components
    """
    weights = Scaling(None, components.feature_weight, components.beta)
    k, dtype = components.n_components, components.H.dtype
    everywhere = components.n_features if components.beta not in (1, 2) else 0
    blocks = X.blocks() if is_store(X) else [(0, X.shape[0])]
    for first, last in blocks:
        block = X.rows(first, last) if is_store(X) else X
        block = block if match is None else match.apply(block)[0]
        if block.dtype != dtype:
            block = check_matrix(block, dtype=dtype)
        entries = block.nnz // block.shape[0] + k + 100 * everywhere
        n_rows = int(np.clip(PART_WORK // (entries * k), 1, PART_ROWS))
        for start in range(0, block.shape[0], n_rows):
            stop = min(start + n_rows, block.shape[0])
            part = block if n_rows >= block.shape[0] else block[start:stop]
            yield first + start, first + stop, weights.scale_matrix(part)


def solve_part(X, entries, given, beta, tol, max_sweeps, n_threads, *, want_loss):
    """Return W, padded, its loss if it is wanted, and how many rows have not converged.

    Parameters
    ----------
    X : csr_array
    entries : EntryWeights
    given : Given
        The components, as `give` returns them.
    beta : float
    tol : float
    max_sweeps : int
    n_threads : int or None
    want_loss : bool

    Raises
    ------
    ValueError
        If the scale of X does not fit into the type of the components.
    """
    k, dtype = len(given.exact), given.Ht.dtype
    n_threads = threads_for(resolve_threads(n_threads), X.nnz * k)
    rows = make_rows(X, k, *entries)
    W = empty_factor((X.shape[0], k), dtype)
    with np.errstate(over="ignore", invalid="ignore"):  # an overflow is reported below
        loss = make_loss(beta, X.data, X.shape, *entries)
        update = row_update(loss, best_algorithm(beta), rows.plain, k, n_threads)
        value, unfinished = solve(update, rows, given, W, tol, max_sweeps, want_loss=want_loss)
    if not np.isfinite([W.max(), value]).all():
        raise ValueError(
            f"X has values up to {X.data.max():.3g}, which with this H are out of the range "
            f"of {dtype}: multiply X by a constant{or_wider(dtype, 'fit in')}"
        )
    return W, value, unfinished
