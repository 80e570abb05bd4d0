"""How the rows of H see X: through a transpose, or through sums over blocks of rows."""

from typing import Any, NamedTuple

import numpy as np

from ..data.rows import begins_in_single, is_tall, make_rows
from ..data.store import is_store
from ..data.validation import check_scale
from ..kernels.compile.threads import threads_for
from ..kernels.transpose import transpose_rows
from .alternation import Alternation
from .blocks import (
    BlockColumns,
    BlockRows,
    Blocks,
    MemorySource,
    RatioBlocks,
    columns_without_entries,
)
from .initialization import draws, initialize, leads
from .layout import Layout
from .losses import make_loss
from .mixed_precision import MixedPrecision, fits_single
from .row_update import RowUpdate, row_update

BLOCK_LAYOUTS: dict[tuple[str, float], type[Layout]] = {
    ("cd", 2.0): Blocks,
    ("mu", 2.0): Blocks,
    ("mu", 1.0): RatioBlocks,
}
"""By solver and beta: those that take X in blocks of rows."""


class Arrangement(NamedTuple):
    """X as a solver wants it, with the start.

    Attributes
    ----------
    run : type
        `Alternation`, or what has its methods.
    layout : type
        `Layout`, or derived from it.
    update : RowUpdate
    rows, columns : Rows, or BlockRows and empty Rows
    W, Ht : ndarray
        Padded start.
    W_leads : bool
        Whether H is fitted to W before the first iteration.
    """

    run: type[Alternation]
    layout: type[Layout]
    update: RowUpdate
    rows: Any
    columns: Any
    W: np.ndarray
    Ht: np.ndarray
    W_leads: bool

    def start(self, penalty_W, penalty_H, **options):
        """Return the run from this start, for these penalties."""
        layout = self.layout(self.update, self.rows, self.columns, penalty_W, penalty_H)
        return self.run(layout, self.W, self.Ht, **options)


def arrange(
    X, entries, weights, n_components, beta, solver, init, rng,
    *, W, H, low_memory, W_folder=None, may_round=False, n_threads,
):  # fmt: skip
    """Return the arrangement for a checked matrix, or for a store on disk.

    Whether the start may be rounded, for a run in double precision that begins in single, is
    what may_round says.

    Raises
    ------
    ValueError
        If blocks are wanted where there are none.
    """
    stored = is_store(X)
    if stored or low_memory:
        check_blocks(beta, solver, entries, "a store" if stored else "low_memory=True")
    start = {
        "W": weights.scale_W(W),
        "H": weights.scale_H(H),
        "beta": beta,
        "solver": solver,
        "n_threads": n_threads,
    }
    descends = beta == 2 and solver == "cd" and entries.plain
    tall = descends and is_tall(X.shape, X.nnz)
    W_leads = descends and leads(init, W, H, n_components)
    if stored or low_memory or tall:
        source, part = X, weights
        if stored:
            check_scale(X)
        else:
            X, part = weights.scale_matrix(X), weights._replace(samples=None, features=None)
            check_scale(X)
            source = MemorySource(X)
        rows = BlockRows(source, part, n_components)
        columns = columns_without_entries(X.shape[1], n_components, X.dtype)
        loss, mean = rows.survey(beta, want_mean=draws(W, H, X.shape, n_components))
        run, dtype = Alternation, rows.dtype
        may_round = may_round and not (stored or low_memory)
        worth = may_round and begins_in_single(dtype, X.nnz, n_components)
        if worth and fits_single(loss, start["W"], start["H"], n_threads=n_threads):
            run, dtype = MixedPrecision, np.float32
        W, Ht = initialize(
            rows, BlockColumns(rows), n_components, init, rng,
            **start, mean=mean, dtype=dtype, W_folder=W_folder,
        )  # fmt: skip
        n_threads = threads_for(n_threads, rows.nnz * W.shape[1])
        update = row_update(loss, solver, True, n_components, n_threads)
        layout = BLOCK_LAYOUTS[solver, beta]
        return Arrangement(run, layout, update, rows, columns, W, Ht, W_leads)
    if W_folder is not None:
        raise ValueError("W_path is for a store, or with low_memory=True")
    X = weights.scale_matrix(X)
    check_scale(X)
    rows = make_rows(X, n_components, *entries)
    columns = transpose_rows(rows, X.shape[1], n_components, n_threads)
    loss = make_loss(beta, X.data, X.shape, *entries)
    W, Ht = initialize(rows, columns, n_components, init, rng, **start)
    n_threads = threads_for(n_threads, rows.nnz * W.shape[1])
    update = row_update(loss, solver, rows.plain, n_components, n_threads)
    run = MixedPrecision if descends else Alternation
    return Arrangement(run, Layout, update, rows, columns, W, Ht, W_leads)


def check_blocks(beta, solver, entries, what):
    """Raise if there is no solver for a loss that takes X in blocks of rows."""
    if not entries.plain:
        raise ValueError(
            f'{what} is for entries that count alike: not with weights, nor missing="unknown"'
        )
    if (solver, beta) in BLOCK_LAYOUTS:
        return
    if beta == 1:
        raise ValueError(
            f'{what} and loss="kullback-leibler" need solver="mu", which is what they have by '
            f'default, or MiniBatchNMF: solver="cd" looks at X from both sides'
        )
    raise ValueError(
        f'{what} needs loss="frobenius" or "kullback-leibler": any other looks at all entries '
        f"of W H, from both sides"
    )


def default_solver(beta, *, in_blocks):
    """Return the solver of a loss: coordinate descent where there is one."""
    if in_blocks and beta == 1:
        return "mu"
    return "cd" if beta in (1, 2) else "mu"
