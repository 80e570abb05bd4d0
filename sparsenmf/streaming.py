"""Factorization of a stream: one batch of samples at a time, in bounded memory.

For each batch X_b the two steps of an iteration: W_b from H, then H from sums over all
batches, of which earlier ones fade (Mairal, Bach, Ponce & Sapiro 2010, "Online learning
for matrix factorization and sparse coding", JMLR 11, algorithms 1 and 2):

    Frobenius loss     A <- f A + W_b' W_b and B <- f B + X_b' W_b; H by coordinate descent
                       on 1/2 <A, H H'> - <B', H>
    Kullback-Leibler   C <- f C + H * W_b' (X_b / (W_b H)) and s <- f s + sums of W_b's
                       columns; H = C / s, which minimises the bound that multiplicative
                       updates rest on (Cappé & Moulines 2009, "On-line
                       expectation-maximization algorithm for latent data models")

with f = forget_factor ** (samples of the batch / samples of the window), where the window
is what has been seen so far, but at most one pass over the data where that is known.
"""

import numpy as np

from .arguments import (
    check_alphas,
    check_choice,
    check_integer,
    check_number,
    check_threads,
)
from .initialization import INITS, initialize
from .kernels.coordinate_descent import extrapolate_rows, update_rows
from .kernels.gram import add_grams
from .kernels.multiplicative import UPDATE, scale_rows_beta
from .kernels.threads import resolve_threads, threads_for
from .kernels.tiles import sweep_depth
from .kernels.transpose import transpose_rows
from .losses import check_loss, make_loss
from .penalties import make_penalties, make_penalty
from .rows import empty_factor, make_rows
from .solvers.projection import Frozen, project
from .sources import is_store
from .validation import check_factor

TOLERANCE, MAX_SWEEPS = 1e-2, 50
"""When rows of W_b are done: H will be another one for the next batch."""

H_SWEEPS, H_TOLERANCE = 2, 0.1

PRIOR = 1e-2
"""What the start of H counts in the Kullback-Leibler sums, in first batches: without it,
features that are not in the first batch would be zero for ever."""


class Stream:
    """H, and the sums over batches that it is found from.

    Parameters
    ----------
    Ht : ndarray of shape (n_features, width)
        Padded start; overwritten.
    n_components : int
    beta : 2 or 1
    alpha_W, alpha_H, l1_ratio : float
    forget_factor : float
        In (0, 1].
    window : int or None
        Samples of one pass, where that is known.
    n_threads : int

    Attributes
    ----------
    n_seen : int
        Samples so far.
    relative_error : float
        Of the last batch, before H learned from it.
    """

    def __init__(
        self, Ht, n_components, beta, *,
        alpha_W=0.0, alpha_H="same", l1_ratio=0.0, forget_factor=0.7, window=None, n_threads=1,
    ):  # fmt: skip
        self.Ht, self.n_components, self.beta = Ht, n_components, beta
        self.penalties = alpha_W, alpha_H, l1_ratio
        self.forget_factor, self.window, self.n_threads = forget_factor, window, n_threads
        self.n_seen, self.relative_error = 0, float("nan")
        width = Ht.shape[1]
        self._weight = 0.0  # of all samples in the sums
        self._cross = np.zeros((1, *Ht.shape), Ht.dtype) if beta == 2 else np.zeros(Ht.shape)
        self._gram, self._sums = np.zeros((width, width)), np.zeros(width)
        self._other = self._summarize()

    def add(self, X):
        """Learn from a batch, a checked CSR matrix of Ht's precision.

        Returns
        -------
        float
            The loss of the batch, before H learned from it, for each sample.

        Raises
        ------
        ValueError
            If its values are out of the range of Ht's type. Then, and after Ctrl-C, all is
            as it was before.
        """
        before = dict(self.__dict__)  # no array in it is written to
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                value = self._learn(X)
            sums = (value, self.Ht.max(), self._gram.max(), self._cross.max(), *self._other[1])
            if not np.isfinite(sums).all():
                raise ValueError(
                    f"X has values up to {X.data.max():.3g}, which with this H are out of the "
                    f"range of {X.dtype}: leave such batches out, scale them, or use float64"
                )
        except BaseException:  # Ctrl-C too: a batch is learned as a whole or not at all
            self.__dict__.update(before)
            raise
        return value

    def _learn(self, X):
        n_samples, n_features = X.shape
        rows = make_rows(X, self.n_components)
        threads = threads_for(self.n_threads, X.nnz * self.n_components)
        columns = transpose_rows(rows, n_features, self.n_components, threads)
        W = empty_factor((n_samples, self.n_components), X.dtype)
        self.n_seen += n_samples
        window = min(self.n_seen, self.window or self.n_seen)
        fade = self.forget_factor ** (n_samples / window)
        self._weight = fade * self._weight + n_samples
        penalty_W, penalty_H = make_penalties(
            (self._weight, n_features), *self.penalties, W.shape[1]
        )
        loss = make_loss(self.beta, X.data, X.shape)
        learn = self._learn_frobenius if self.beta == 2 else self._learn_kullback_leibler
        value = learn(rows, columns, W, loss, penalty_W, penalty_H, fade, threads)
        self.relative_error = loss.relative(value)
        return value / n_samples

    def _learn_frobenius(self, rows, columns, W, loss, penalty_W, penalty_H, fade, threads):
        width, depth, dtype = W.shape[1], sweep_depth(self.n_components), W.dtype.type
        partials = np.zeros((max(rows.n_blocks, columns.n_blocks), width, width))
        gram, sums = self._other
        gram = penalty_W.fold_into(gram)[:depth, :depth].astype(dtype, order="C")
        value = project(
            rows, Frozen(self.Ht, gram, sums, penalty_W), W, loss, TOLERANCE, MAX_SWEEPS,
            threads, partials=partials[: rows.n_blocks],
        )  # fmt: skip
        self._gram = fade * self._gram + add_grams(partials[: rows.n_blocks])
        gram = penalty_H.fold_into(self._gram)[:depth, :depth].astype(dtype, order="C")
        partials = partials[: columns.n_blocks]
        cross, Ht = self._cross.copy(), empty_factor(self.Ht.shape, self.Ht.dtype)
        update_rows(
            threads_for(self.n_threads, self.Ht.size * width), columns, W, gram, penalty_H,
            cross, dtype(fade), self.Ht, Ht, H_SWEEPS, dtype(H_TOLERANCE),
            False, partials, np.empty((columns.n_blocks, 2)),
        )  # fmt: skip
        self._cross, self.Ht = cross, Ht
        self._other = add_grams(partials), sums
        return value

    def _learn_kullback_leibler(self, rows, columns, W, loss, penalty_W, penalty_H, fade, threads):
        value = project(
            rows, Frozen(self.Ht, np.empty((0, 0)), self._other[1], penalty_W), W, loss,
            TOLERANCE, MAX_SWEEPS, threads, want_loss=True,
        )  # fmt: skip
        totals = W.sum(axis=0, dtype=np.float64)
        if not self._sums.any():
            self._sums = PRIOR * totals
            self._cross = self.Ht * self._sums
        counts = np.empty_like(self.Ht)
        # One multiplicative update with denominators of one: its numerators times H.
        ones = np.ones_like(totals)
        scale_rows_beta(
            threads, columns, W, ones, 1.0, 1.0, 0.0, make_penalty(0, 0, len(ones)),
            np.empty((0, *W.shape), W.dtype), self.Ht, counts, UPDATE,
            np.empty((columns.n_blocks, 2)),
        )  # fmt: skip
        self._cross = fade * self._cross
        self._cross += counts
        self._sums = fade * self._sums + totals
        base, l2 = self._sums + penalty_H.l1, penalty_H.l2
        Ht = self.Ht.copy()
        if l2:  # l2 h^2 + base h = c
            root = np.sqrt(base**2 + 4 * l2 * self._cross)
            Ht[:] = 2 * self._cross / np.maximum(base + root, np.finfo(float).tiny)
        else:
            np.divide(self._cross, base, out=Ht, where=base > 0, casting="same_kind")
        self.Ht = Ht
        self._other = self._other[0], self.Ht.sum(axis=0, dtype=np.float64)
        return value

    def _summarize(self):
        """Return the gram matrix of Ht and the sums of its columns."""
        width, beta = self.Ht.shape[1], self.Ht.dtype.type(0)
        partials = np.zeros((1, width, width))
        block = np.array([[0, len(self.Ht)]])
        block.flags.writeable = False  # as in `Rows`: another kernel would be compiled for it
        extrapolate_rows(1, self.Ht, np.zeros_like(self.Ht), beta, beta, block, partials)
        return add_grams(partials), self.Ht.sum(axis=0, dtype=np.float64)


def open_stream(
    X, n_components, *, init, H, beta_loss, alpha_W, alpha_H, l1_ratio, forget_factor, window,
    n_threads, rng,
):  # fmt: skip
    """Return a `Stream` that starts to the scale of its first batch, X, which it has not seen.

    Parameters are those of `sparsenmf.MiniBatchNMF`, checked here; X has been.
    """
    beta = check_loss(beta_loss, "mu", X)
    if beta not in (1, 2):
        raise ValueError(
            f'beta_loss must be "frobenius" or "kullback-leibler" (2 or 1) for batches, '
            f"not {beta_loss!r}"
        )
    n_components = check_integer(n_components, "n_components", least=1)
    if n_components > X.shape[1]:
        raise ValueError(f"n_components is {n_components}, but X has {X.shape[1]} features")
    init = init or ("random" if H is None else "custom")
    check_choice(init, "init", INITS)
    if (init == "custom") != (H is not None):
        raise ValueError('H is used with init="custom", and init="custom" needs H')
    if init.startswith("nndsvd") and n_components > X.shape[0]:
        raise ValueError(
            f"init={init!r} needs a first batch of at least n_components = {n_components} "
            f'samples, not {X.shape[0]}: take init="random", or larger batches'
        )
    if H is not None:
        shape = (n_components, X.shape[1])
        H = check_factor(H, "H", shape, "n_components x n_features", X.dtype)
    alpha_W, alpha_H, l1_ratio = check_alphas(alpha_W, alpha_H, l1_ratio)
    rows = make_rows(X, n_components)
    columns = transpose_rows(rows, X.shape[1], n_components)
    solver = "cd" if beta == 2 else "mu"
    _, Ht = initialize(rows, columns, n_components, init, rng, H=H, beta=beta, solver=solver)
    return Stream(
        Ht, n_components, beta,
        alpha_W=alpha_W, alpha_H=alpha_H, l1_ratio=l1_ratio,
        forget_factor=check_number(forget_factor, "forget_factor", most=1.0),
        window=window, n_threads=resolve_threads(check_threads(n_threads)),
    )  # fmt: skip


class Plateau:
    """Whether a smoothed loss has not fallen for some batches (as scikit-learn judges it)."""

    def __init__(self, patience):
        if patience is not None:
            patience = check_integer(patience, "max_no_improvement", least=1)
        self._patience, self._smoothed, self._lowest, self._since = patience, None, np.inf, 0

    def reached(self, loss, share):
        """Note the loss of a batch that is this share of a pass."""
        weight = min(1.0, 2 * share)
        last = loss if self._smoothed is None else self._smoothed
        self._smoothed = (1 - weight) * last + weight * loss
        self._since = 0 if self._smoothed < self._lowest else self._since + 1
        self._lowest = min(self._lowest, self._smoothed)
        return self._patience is not None and self._since >= self._patience


def is_stream(X):
    """Return whether X is an iterable of batches, not a matrix."""
    matrix = hasattr(X, "shape") or isinstance(X, list | tuple | str | dict)
    return is_store(X) or (hasattr(X, "__iter__") and not matrix)
