"""X on the workers of a cluster, and what is minimised on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from ..data.arguments import check_alphas, check_integer, check_threads
from ..data.factors import padded_width
from ..data.validation import EntryWeights, check_scale
from ..kernels.compile.threads import resolve_threads
from ..solvers.constraints import check_fixed, constrain
from ..solvers.losses import add_losses, check_beta, check_loss, loss_name
from ..solvers.penalties import make_penalties
from ..solvers.problem import Problem
from . import tasks
from .names import gather_names
from .placement import place_blocks
from .remote import RemotePenalty, RemoteRows


class RemoteProblem:
    """X is about W H, as a `Problem` says, with X on the workers.

    The arguments are checked first, and X when it is placed.

    Parameters
    ----------
    n_components, loss, alpha_W, alpha_H, l1_ratio, frozen_H, n_threads
        As in `factorize`.

    Attributes
    ----------
    rows : RemoteRows
    total_loss : Loss
        With the constants of the whole of X.
    mean : float
        Of X.
    shape, dtype, nnz
        Of X.
    names : (ndarray or None, ndarray or None)
        Of features and samples.
    """

    entries = EntryWeights(None, 1.0)
    is_stored = True  # its rows are looked at in blocks
    rows: RemoteRows
    total_loss: Any
    mean: float
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    nnz: int
    names: tuple[Any, Any]

    def __init__(self, n_components, loss, alpha_W, alpha_H, l1_ratio, frozen_H, n_threads):
        self.n_components = check_integer(n_components, "n_components", least=1)
        self.beta = check_beta(loss)
        self.alphas = check_alphas(alpha_W, alpha_H, l1_ratio)
        self.fixed_H = check_fixed(frozen_H, "frozen_H")
        self.n_threads = resolve_threads(check_threads(n_threads))

    @property
    def options(self) -> dict[str, Any]:
        """The settings of the problem, as a result records them."""
        return {"loss": loss_name(self.beta), **self._penalty_options}

    @property
    def X(self) -> RemoteRows:
        """The rows, under the name that they have in a `Problem`."""
        return self.rows

    @property
    def _penalty_options(self):
        return dict(zip(("alpha_W", "alpha_H", "l1_ratio"), self.alphas, strict=True))

    def uses_gram_descent(self, solver: Any) -> bool:
        """Return whether the solver is coordinate descent for the Frobenius loss."""
        return self.beta == 2 and solver.name == "cd"

    def place(self, crew: Any, X: Any, block_nnz: int | None) -> None:
        """Place X on the workers, check its blocks there, and cut them into rows.

        Raises
        ------
        TypeError, ValueError
            If X is no matrix for a cluster; the message names the block.
        """
        parts = place_blocks(X, crew, block_nnz)
        self.names = gather_names(crew, X, parts)
        blocks, facts = _check_blocks(crew, parts, self.beta)
        crew.pin(blocks)
        self.dtype = np.result_type(*(fact.dtype for fact in facts))
        largest = max(fact.top for fact in facts)
        check_scale(sp.csr_array(np.array([[largest]], self.dtype)))
        rows = crew.map(tasks.cut_block, blocks, dtype=self.dtype, n_components=self.n_components)
        heights, self.nnz = [fact.shape[0] for fact in facts], sum(fact.nnz for fact in facts)
        self.rows = RemoteRows(crew, rows, heights, facts[0].shape[1], self.nnz)
        self.shape = self.rows.shape
        self.mean = sum(fact.total for fact in facts) / (self.shape[0] * self.shape[1])
        check_loss(loss_name(self.beta), self.rows)
        self.total_loss = add_losses([fact.loss for fact in facts], self.mean, self.dtype)

    def take_rows(self, rows: np.ndarray) -> Problem:
        """Return the problem of some rows, given in order, in the memory of this process."""
        X = sp.vstack(self.rows.take(rows), format="csr")
        return Problem(
            X, self.n_components, loss=self.beta, n_threads=self.n_threads, **self._penalty_options
        )

    def penalties(self, fixed_H: np.ndarray) -> tuple[RemotePenalty, Any]:
        """Return the penalties of W and H, with the constraints of H."""
        (alpha_W, alpha_H, l1_ratio), k = self.alphas, self.n_components
        penalty_W, penalty_H = make_penalties(
            self.shape, alpha_W, alpha_H, l1_ratio, padded_width(k, self.dtype)
        )
        return RemotePenalty(penalty_W), constrain(penalty_H, fixed_H)


def _check_blocks(crew, parts, beta):
    """Check blocks on their workers; return those that have rows, and their `Facts`."""
    names = [f"X (block {b})" for b in range(len(parts))]
    checked = crew.map(tasks.check_block, parts, names)
    facts = crew.gather(crew.map(tasks.describe_block, checked, beta=beta))
    for name, fact in zip(names, facts, strict=True):
        if fact.shape[1] != facts[0].shape[1]:
            raise ValueError(
                f"{name} has {fact.shape[1]} columns, but block 0 has {facts[0].shape[1]}"
            )
    some = [b for b, fact in enumerate(facts) if fact.shape[0]]
    if not some:
        raise ValueError("X has no rows: there must be at least one")
    return [checked[b] for b in some], [facts[b] for b in some]
