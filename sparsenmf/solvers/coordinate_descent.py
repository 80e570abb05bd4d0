"""Alternating coordinate descent with extrapolation and restart, Frobenius loss.

One iteration improves all rows of W given Ht, then all rows of Ht given W, by the
same kernel. Between iterations Ht is extrapolated,

    Ht <- max(0, Ht_k + beta_k (Ht_k - Ht_{k-1}))

in the manner of Ang & Gillis 2019 ("Accelerating nonnegative matrix factorization
algorithms using extrapolation", Neural Computation 31(2)): beta grows while the
objective falls; when it does not, the iterate is rejected, the last one is taken up
again and beta is lowered. Three things differ from their algorithm, all for the better
in our measurements: only Ht is extrapolated (given Ht, W is all but determined by it,
so a momentum of its own made iterations be rejected), the objective is that of the
pair (W, Ht) which is kept, and a rejected iterate is rolled back, not kept. So
the objective never rises, and it costs no second copy of W for the momentum.
"""

from typing import NamedTuple

import numpy as np

from ..kernels.coordinate_descent import extrapolate_rows, update_rows
from ..kernels.gram import sum_grams
from ..kernels.products import measure_rows
from ..kernels.threads import threads_for
from ..kernels.tiles import sweep_depth
from ..rows import empty_factor

FIRST_BETA, GROWTH, SHRINKAGE, CAP_GROWTH = 0.5, 1.1, 0.75, 1.05

SWEEP_TOLERANCE = 0.1
"""Inner sweeps on a row end when one moves it less than this share of the first."""

RESOLUTION = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-12}
"""Objective, relative to ||X||^2 / 2, below which rounding of the factors' products
shows in it, so that it is computed anew from the residuals in float64."""


class Iterate(NamedTuple):
    """A pair of factors and its own objective, never that of another pair."""

    W: np.ndarray
    Ht: np.ndarray
    objective: float


class Momentum:
    """The schedule of beta (Ang & Gillis 2019, section 3.2)."""

    def __init__(self, cap):
        self.beta, self.cap = min(FIRST_BETA, cap), cap

    def grow(self):
        self.beta = min(self.cap, GROWTH * self.beta)
        self.cap = min(1.0, CAP_GROWTH * self.cap)

    def shrink(self):
        self.cap, self.beta = self.beta, SHRINKAGE * self.beta


class CoordinateDescent:
    """The state of one run.

    Parameters
    ----------
    rows, columns : Rows
        X and its transpose.
    W, Ht : ndarray
        Padded start; overwritten.
    penalty_W, penalty_H : Penalty
    half_norm : float
        ||X||^2 / 2, in float64.
    n_components : int
        Columns of the factors that are not padding.
    max_sweeps : int
        Inner sweeps over a row in each iteration.
    extrapolate : bool
        Without it, and with one sweep, the iterates are those of plain cyclic HALS.
    n_threads : int

    Attributes
    ----------
    current : Iterate
        The last accepted iterate. Replaced as a whole, so that it is consistent
        whenever the run is interrupted.
    stalled : bool
        A step without momentum no longer lowered the objective: rounding is all
        that is left.
    """

    def __init__(
        self,
        rows,
        columns,
        W,
        Ht,
        penalty_W,
        penalty_H,
        half_norm,
        n_components,
        *,
        max_sweeps=2,
        extrapolate=True,
        n_threads=1,
    ):
        self.rows, self.columns = rows, columns
        self.penalty_W, self.penalty_H = penalty_W, penalty_H
        self.half_norm = half_norm
        self.max_sweeps = max_sweeps
        self.n_threads = threads_for(n_threads, len(rows.data) * W.shape[1])
        self.momentum = Momentum(cap=1.0 if extrapolate else 0.0)
        self.stalled = False
        width = W.shape[1]
        self._depth = sweep_depth(n_components)
        most = max(rows.n_blocks, columns.n_blocks)
        self._partials = np.zeros((most, width, width))
        self._statistics = np.zeros((most, 2))
        self.current = Iterate(W, Ht, np.inf)
        self._spare = (empty_factor(W.shape, W.dtype), empty_factor(Ht.shape, Ht.dtype))
        self._beta = 0.0
        self._extrapolate()

    def iterate(self):
        """Run one iteration."""
        W, Ht, objective = self.current
        W_new, Ht_new = self._spare
        _, _, gram_W = self._update(
            self.rows, Ht_new, self._gram_Ht, self.penalty_W, W, W_new, want_gram=True
        )
        fit, _, _ = self._update(self.columns, W_new, gram_W, self.penalty_H, Ht_new, Ht_new)
        fit = self._resolve(self.half_norm + fit, W_new, Ht_new)
        new = Iterate(W_new, Ht_new, fit + self.penalty_W.value(W_new))
        _check_overflow(new.objective, W.dtype)
        if new.objective < objective:
            self._spare = (W, Ht)
            self.current = new
            self._accelerate()
        elif self._beta == 0:
            self.stalled = True
        else:
            self.momentum.shrink()
            self._beta = 0.0
        self._extrapolate()

    def optimality(self):
        """Return the squared optimality residual of the current iterate.

        The squared length, in units of X, of the steps that all coordinates of
        both factors would take on their own. Costs two products.
        """
        W, Ht, _ = self.current
        self._beta = 0.0
        self._extrapolate()
        _, residual_W, gram_W = self._update(
            self.rows,
            Ht,
            self._gram_Ht,
            self.penalty_W,
            W,
            self._spare[0],
            max_sweeps=0,
            want_gram=True,
        )
        _, residual_Ht, _ = self._update(
            self.columns, W, gram_W, self.penalty_H, Ht, self._spare[1], max_sweeps=0
        )
        return residual_W + residual_Ht

    def _accelerate(self):
        if self._beta > 0:
            self.momentum.grow()
        self._beta = self.momentum.beta

    def _extrapolate(self):
        """Make the spare Ht the extrapolated current one, with its gram matrix."""
        Ht, spare = self.current.Ht, self._spare[1]
        partials = self._partials[: self.columns.n_blocks]
        beta = Ht.dtype.type(self._beta)
        extrapolate_rows(self.n_threads, Ht, spare, beta, self.columns.blocks, partials)
        self._gram_Ht = self._sum(partials)

    def _update(self, rows, other, gram, penalty, factor, out, *, want_gram=False, max_sweeps=None):
        """Update one factor; return its objective, its residual, and its gram matrix."""
        dtype = factor.dtype
        gram = penalty.fold_into(gram[: self._depth, : self._depth])
        with np.errstate(over="ignore"):
            gram = gram.astype(dtype, order="C")
        _check_overflow(gram.max(), dtype)
        partials = self._partials[: rows.n_blocks if want_gram else 0]
        statistics = self._statistics[: rows.n_blocks]
        update_rows(
            self.n_threads,
            rows,
            other,
            gram,
            dtype.type(penalty.l1),
            factor,
            out,
            self.max_sweeps if max_sweeps is None else max_sweeps,
            dtype.type(SWEEP_TOLERANCE),
            partials,
            statistics,
        )
        fit, residual = statistics.sum(axis=0).tolist()
        return fit, residual, self._sum(partials) if want_gram else None

    def _sum(self, partials):
        """Add the blocks' gram matrices; on several threads where there is enough to add."""
        gram = np.empty(partials.shape[1:])
        sum_grams(threads_for(self.n_threads, partials.size), partials, gram)
        return gram

    def _resolve(self, fit, W, Ht):
        """Return the fit of (W, Ht), from residuals where the fast one is all rounding."""
        resolution = RESOLUTION[W.dtype] * self.half_norm
        penalty = self.penalty_H.value(Ht)
        if fit - penalty > resolution:
            return fit
        sums = np.zeros(self.rows.n_blocks)
        measure_rows(self.n_threads, self.rows, W, Ht, sums)
        everywhere = np.einsum("rs,rs->", exact_gram(W), exact_gram(Ht))
        return max(0.5 * float(sums.sum() + everywhere), 0.0) + penalty


def _check_overflow(value, dtype):
    if not np.isfinite(value):
        raise OverflowError(
            f"the factors overflow {dtype}: start from smaller W and H, or use float64"
        )


def exact_gram(factor, chunk=4096):
    """Return factor' factor in float64, without BLAS and without a float64 copy."""
    gram = np.zeros((factor.shape[1], factor.shape[1]))
    for start in range(0, len(factor), chunk):
        part = factor[start : start + chunk].astype(np.float64)
        gram += np.einsum("ir,is->rs", part, part)
    return gram
