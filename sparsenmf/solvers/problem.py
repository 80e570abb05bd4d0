"""The problem: what is minimised, and X, which is checked, scaled and cut here and nowhere else."""

from __future__ import annotations

import weakref
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..data.arguments import check_alphas, check_integer, check_threads
from ..data.factors import padded_width
from ..data.named import names_of
from ..data.rows import is_tall, make_rows
from ..data.store import is_store
from ..data.typing import AlphaH, Frozen, Matrix, Missing, Vector
from ..data.typing import Loss as LossName
from ..data.validation import (
    NO_WEIGHTS,
    EntryWeights,
    check_missing,
    check_scale,
    check_weighted,
)
from ..kernels.compile.threads import resolve_threads
from ..kernels.transpose import transpose_rows
from .block_layouts import needs_both_sides
from .blocks import (
    BlockColumns,
    BlockRows,
    MemorySource,
    StoredColumns,
    columns_without_entries,
)
from .constraints import check_fixed, constrain
from .losses import Loss, check_loss, loss_name, make_loss
from .penalties import make_penalties
from .weights import Weights, check_scaling, check_weight_names


@dataclass(eq=False, frozen=True)
class Cut:
    """X as the row updates take it.

    Attributes
    ----------
    rows : Rows or BlockRows
    columns : Rows or StoredColumns
        The transpose of X; without entries where the rows come in blocks and no transpose is used.
    loss : Loss
    mean : float or None
        Of X, where a pass over the blocks has found it.
    """

    rows: Any
    columns: Any
    loss: Loss
    mean: float | None = None

    @property
    def in_blocks(self) -> bool:
        """Whether X is taken a block of rows at a time, without a transpose."""
        return isinstance(self.rows, BlockRows)

    @property
    def transpose(self) -> Any:
        """The transpose of X, for products with it."""
        whole = isinstance(self.columns, StoredColumns) or not self.in_blocks
        return self.columns if whole else BlockColumns(self.rows)


class Problem:
    """A matrix X, and the objective of its approximation by W H.

    ``loss(X, W H)
    + alpha_W * n_features * (l1_ratio * sum(W) + (1 - l1_ratio) / 2 * ||W||_F^2)
    + alpha_H * n_samples * (l1_ratio * sum(H) + (1 - l1_ratio) / 2 * ||H||_F^2)``

    Parameters
    ----------
    X : matrix of shape (n_samples, n_features)
    n_components : int
    loss, alpha_W, alpha_H, l1_ratio, weights, missing, frozen_W, frozen_H, n_threads : optional
        As in `factorize`.

    Attributes
    ----------
    shape : (n_samples, n_features)
    dtype : dtype
        float32 or float64.
    n_components, n_threads : int
    beta : float
        The beta of the loss.
    feature_names, sample_names : ndarray or None
        Of X, where it has names.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be; the message names it.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from sparsenmf import CoordinateDescent, Problem, initialize
    >>> X = sp.random_array((100, 80), density=0.1, rng=0)
    >>> problem, solver = Problem(X, 5), CoordinateDescent()
    >>> run = solver.start(problem, initialize(problem, solver, random_state=0))
    >>> for state in run:
    ...     if state.n_iter == 20:
    ...         break
    >>> run.result().n_iter
    20
    """

    def __init__(
        self,
        X: Matrix,
        n_components: int,
        *,
        loss: LossName = "frobenius",
        alpha_W: float = 0.0,
        alpha_H: AlphaH = "same",
        l1_ratio: float = 0.0,
        weights: Weights | Vector | Matrix | None = None,
        missing: Missing = "zero",
        frozen_W: Frozen | None = None,
        frozen_H: Frozen | None = None,
        n_threads: int | None = None,
    ) -> None:
        weights = Weights.of(weights)
        self.is_stored = is_store(X)
        if self.is_stored:
            if weights.entries is not None or check_missing(missing):
                raise TypeError(NO_WEIGHTS.format("X"))
            self.X, self.entries = X, EntryWeights(None, 1.0)
        else:
            self.X, self.entries = check_weighted(X, weights.entries, missing)
        self.shape, self.dtype, self.missing = self.X.shape, self.X.dtype, missing
        self.feature_names, self.sample_names = names_of(X)
        self.n_components: int = check_integer(n_components, "n_components", least=1)
        self.beta: float = check_loss(loss, self.X, unknown=not self.entries.absent)
        check_weight_names((self.feature_names, self.sample_names), weights)
        self.scaling = check_scaling(weights, self.shape, self.beta, plain=self.entries.plain)
        self.alphas = check_alphas(alpha_W, alpha_H, l1_ratio)
        self.fixed_W = check_fixed(frozen_W, "frozen_W")
        self.fixed_H = check_fixed(frozen_H, "frozen_H")
        self.n_threads: int = resolve_threads(check_threads(n_threads))
        self._cut: weakref.ref[Cut] | None = None
        self._cut_how = False, False

    @property
    def options(self) -> dict[str, Any]:
        """The settings of the problem, as a result records them."""
        names = ("alpha_W", "alpha_H", "l1_ratio")
        options = {"loss": loss_name(self.beta), **dict(zip(names, self.alphas, strict=True))}
        return options if self.entries.absent else {**options, "missing": self.missing}

    @property
    def has_both_sides(self) -> bool:
        """Whether X is a store that has its transpose."""
        return self.is_stored and self.X.transposed is not None

    def uses_gram_descent(self, solver: Any) -> bool:
        """Return whether the solver is coordinate descent for the plain Frobenius loss."""
        return self.beta == 2 and solver.name == "cd" and self.entries.plain

    def cut(self, solver: Any) -> Cut:
        """Return X as a solver takes it: scaled, cut into blocks, and transposed where needed.

        It is kept for as long as a start or a run has it.
        """
        tall = self.uses_gram_descent(solver) and is_tall(self.shape, self.X.nnz)
        in_blocks = self.is_stored or solver.low_memory or tall
        if in_blocks:
            solver.check(self)
        how = in_blocks, in_blocks and needs_both_sides(solver.name, self.beta)
        known = None if self._cut is None else self._cut()
        if known is None or self._cut_how != how:
            known = self._cut_rows(both_sides=how[1]) if in_blocks else self._transpose()
            self._cut, self._cut_how = weakref.ref(known), how
        return known

    def _cut_rows(self, *, both_sides):
        source, scaling = self.X, self.scaling
        if self.is_stored:
            check_scale(source)
        else:
            X, scaling = scaling.scale_matrix(source), scaling._replace(samples=None, features=None)
            check_scale(X)
            source = MemorySource(X)
        rows = BlockRows(source, scaling, self.n_components)
        loss, mean = rows.find_loss(self.beta)
        if both_sides:
            turned = scaling._replace(samples=scaling.features, features=scaling.samples)
            columns = StoredColumns(source.transposed, turned, self.n_components)
        else:
            columns = columns_without_entries(self.shape[1], self.n_components, self.dtype)
        return Cut(rows, columns, loss, mean)

    def _transpose(self):
        X = self.scaling.scale_matrix(self.X)
        check_scale(X)
        rows = make_rows(X, self.n_components, *self.entries)
        columns = transpose_rows(rows, self.shape[1], self.n_components, self.n_threads)
        return Cut(rows, columns, make_loss(self.beta, X.data, X.shape, *self.entries))

    def penalties(self, fixed_W, fixed_H, support):
        """Return the penalties of W and H, with their constraints.

        Parameters
        ----------
        fixed_W, fixed_H : ndarray of shape (n_components,), bool
        support : ndarray or None
            Entries of H' that may differ from zero.
        """
        alpha_W, alpha_H, l1_ratio = self.alphas
        penalty_W, penalty_H = make_penalties(
            self.scaling.sizes(self.shape), alpha_W, alpha_H, l1_ratio,
            padded_width(self.n_components, self.dtype),
        )  # fmt: skip
        return (
            constrain(penalty_W.weigh(self.scaling.samples, self.beta), fixed_W),
            constrain(penalty_H.weigh(self.scaling.features, self.beta), fixed_H, support),
        )

    def take_rows(self, rows: np.ndarray) -> Problem:
        """Return the problem of some rows, given in order, in memory; no component is fixed."""
        part = copy(self)
        part._cut, part.is_stored, part.sample_names = None, False, None
        if self.is_stored:
            runs = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
            part.X = sp.vstack([self.X.rows(run[0], run[-1] + 1) for run in runs], format="csr")
        else:
            part.X = self.X[rows]
        if self.entries.weights is not None:
            arrays = self.entries.weights, self.X.indices, self.X.indptr
            weights = sp.csr_array(arrays, shape=self.shape, copy=False)[rows]
            part.entries = self.entries._replace(weights=weights.data)
        if self.scaling.samples is not None:
            part.scaling = self.scaling._replace(samples=self.scaling.samples[rows])
        part.shape = part.X.shape
        part.fixed_W, part.fixed_H = (check_fixed(None, name) for name in ("frozen_W", "frozen_H"))
        return part

    def rows(self, start: int, stop: int) -> Any:
        """Return rows of X as they were passed, without weights."""
        return self.X.rows(start, stop) if self.is_stored else self.X[start:stop]
