"""Factorization of a stream: one batch of samples at a time, in bounded memory.

For each batch X_b the two steps of an iteration: W_b from H, then H from sums over all
batches, of which earlier ones fade (Mairal, Bach, Ponce & Sapiro 2010, "Online learning
for matrix factorization and sparse coding", JMLR 11, algorithms 1 and 2):

    Frobenius loss     `stream_sums.learn_squares`
    Kullback-Leibler   `stream_sums.learn_counts`
    any other          `stream_sums.learn_beta`

with f = forget_factor ** (samples of the batch / samples of the window), where the window
is what has been seen so far, but at most one pass over the data where that is known.

H is drawn from the first batch that is not empty. Features that no component has are drawn when a
row has no others (for Kullback-Leibler, whose multiplicative steps cannot leave zero, when any row
has them). A component that no row has used yet keeps its start.

A new feature, where names may grow, is zero in H and in the sums at first, as if all samples before
it had zeros there.
"""

from copy import copy

import numpy as np

from ..data.factors import copy_columns, empty_factor, pad_factor
from ..data.rows import make_rows
from ..data.validation import check_factor
from ..kernels.compile.threads import threads_for
from ..kernels.transpose import transpose_rows
from ..solvers.blocks import columns_without_entries
from ..solvers.losses import Loss, loss_name, make_loss
from ..solvers.numerics import or_wider
from ..solvers.penalties import make_penalties
from ..solvers.row_update import Pass, row_update
from .components import Components
from .stream_sums import (
    draw_features,
    hold,
    learn_beta,
    learn_counts,
    learn_squares,
    pad_rows,
)

ROWS = Pass(sweeps=50, tolerance=1e-2)
"""When rows of W_b are done. More sweeps would be wasted: H changes before the next batch."""

PRIOR = 1e-2
"""Weight of a component's start in the Kullback-Leibler sums, relative to the first batch that has
the component. With a weight of zero, features that are not in that batch would stay zero."""


class Stream:
    """H, and the sums over batches that it is found from.

    Parameters
    ----------
    Ht : ndarray of shape (n_features, width)
        Padded start, as far as it is known before the first batch that is not empty.
    n_components : int
    beta : float
    start : callable, optional
        Takes the first batch that is not empty, as `Rows`, and its transpose; returns W and Ht.
        Default: Ht is the whole start.
    rng : numpy.random.Generator or RandomState, optional
        For features that come later.
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
        The relative error of the last batch, before H learned from it.
    """

    def __init__(
        self, Ht, n_components, beta, *, start=None, rng=None,
        alpha_W=0.0, alpha_H="same", l1_ratio=0.0, forget_factor=0.7, window=None, n_threads=1,
    ):  # fmt: skip
        self.Ht, self.n_components, self.beta = Ht, n_components, beta
        self._start, self._rng = start, rng or np.random.default_rng(0)
        self.penalties = alpha_W, alpha_H, l1_ratio
        self.forget_factor, self.window, self.n_threads = forget_factor, window, n_threads
        self.n_seen, self.relative_error = 0, float("nan")
        width = Ht.shape[1]
        self._weight = 0.0  # of all samples in the sums
        self._cross = np.zeros((1, *Ht.shape), Ht.dtype) if beta == 2 else np.zeros(Ht.shape)
        self._gram = np.zeros((width, width))
        self._sums = np.zeros(width if beta in (1, 2) else Ht.shape)
        self._summaries = self._summarize()

    def components(self, Ht, feature_names=None):
        """Return an H that it had, read-only, with its `transform`."""
        names = "alpha_W", "alpha_H", "l1_ratio"
        options = {"loss": loss_name(self.beta), **dict(zip(names, self.penalties, strict=True))}
        H = Ht[:, : self.n_components].T.copy()
        H.flags.writeable = False  # the sums that it is found from would not know of a change
        return Components(H=H, options=options, feature_names=feature_names)

    def begin(self, X):
        """Draw the start from a whole checked matrix; return its W, of the rows of X."""
        rows = make_rows(X, self.n_components)
        threads = threads_for(self.n_threads, X.nnz * self.n_components)
        W, self.Ht = self._start(rows, transpose_rows(rows, X.shape[1], self.n_components, threads))
        self._start, self._summaries = None, self._summarize()
        return W[:, : self.n_components]

    def widen(self, n_features):
        """Return a stream that knows more features, which nothing seen so far had."""
        more, after = n_features - len(self.Ht), copy(self)
        after.Ht = pad_rows(self.Ht, more)
        after._cross = pad_rows(self._cross, more, axis=self._cross.ndim - 2)
        if self.beta not in (1, 2):
            after._sums = pad_rows(self._sums, more)
        after._summaries = after._summarize()
        return after

    def reorder(self, order):
        """Put the components in another order."""
        places = np.concatenate([order, np.arange(len(order), self.Ht.shape[1])])
        self._gram = self._gram[np.ix_(places, places)]
        self.Ht, self._cross, self._sums = (
            np.ascontiguousarray(array[..., places]) for array in (self.Ht, self._cross, self._sums)
        )
        self._summaries = self._summarize()

    def add(self, X, W=None):
        """Learn from a batch, a checked CSR matrix of Ht's precision.

        Parameters
        ----------
        X : csr_array
        W : ndarray of shape (n_samples, n_components), optional
            Rows to go on from by one update, which writes to them: for losses that have only
            multiplicative updates, whose rows converge slowly. Default: each row's best fit.

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
        after = copy(self)  # no array in it is written to
        too_large = ValueError(
            f"X has values up to {X.data.max(initial=0):.3g}, which with this H are out of the "
            f"range of {X.dtype}: leave such batches out, scale them{or_wider(X.dtype, 'use')}"
        )
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                value, found = after._learn(X, W)
        except OverflowError as error:
            raise too_large from error
        sums = (value, after.Ht.max(), after._gram.max(), after._cross.max(), *after._summaries[1])
        if not np.isfinite(sums).all():
            raise too_large
        self.__dict__.update(after.__dict__)
        if W is not None:
            W[:] = found[:, : self.n_components]
        return value

    def replace(self, H):
        """Continue from another H, as if the batches before had led to it.

        Raises
        ------
        TypeError, ValueError
            If it is not a finite non-negative matrix of this shape, or out of the range of its
            type.
        """
        shape = self.n_components, len(self.Ht)
        H = check_factor(H, "components_", shape, "n_components x n_features", self.Ht.dtype)
        if len(H) != self.n_components:
            raise ValueError(f"components_ must have n_components = {shape[0]} rows, not {len(H)}")
        Ht = pad_factor(H.T, self.Ht.dtype)
        kept = Ht.any(axis=0)  # a component that is removed has had no part in anything
        gram = self._gram * np.outer(kept, kept)
        sums = self._sums * (kept if self.beta in (1, 2) else Ht > 0)
        cross = hold(Ht, gram, sums, self._penalties()[1], self.beta)
        with np.errstate(over="ignore"):
            cross = cross.astype(self._cross.dtype).reshape(self._cross.shape)
        if not np.isfinite(cross.max()):
            raise ValueError(
                f"components_ has values up to {H.max():.3g}, out of the range of {H.dtype}"
            )
        self.Ht, self._cross, self._start = Ht, cross, None
        self._gram, self._sums = gram, sums
        self._summaries = self._summarize()

    def _learn(self, X, known):
        n_samples, n_features = X.shape
        rows = make_rows(X, self.n_components)
        threads = threads_for(self.n_threads, X.nnz * self.n_components)
        columns = transpose_rows(rows, n_features, self.n_components, threads)
        W = empty_factor((n_samples, self.n_components), X.dtype)
        self.n_seen += n_samples
        window = min(self.n_seen, self.window or self.n_seen)
        fade = self.forget_factor ** (n_samples / window)
        self._weight = fade * self._weight + n_samples
        penalty_W, penalty_H = self._penalties()
        loss = make_loss(self.beta, X.data, X.shape)
        update = row_update(loss, self._solver, True, self.n_components, threads)
        if self._start is not None and X.nnz:
            (_, self.Ht), self._start = self._start(rows, columns), None
            self._summaries = self._summarize()
        if known is not None:
            copy_columns(known, W)
            self._draw_features(X, W)
            value, summary = self._improve_rows(update, rows, W, penalty_W)
        else:
            value, summary = self._find_rows(update, rows, W, penalty_W)
            if self._draw_features(X, W):
                W[:] = 0
                value, summary = self._find_rows(update, rows, W, penalty_W)
        if self.beta == 2:
            self._learn_frobenius(columns, W, summary, penalty_H, fade)
        elif self.beta == 1:
            self._learn_kullback_leibler(columns, W, penalty_H, fade)
        else:
            self._learn_beta(columns, W, loss, penalty_H, fade)
        self.relative_error = loss.relative(value)
        return value / n_samples, W

    @property
    def _solver(self):
        return "cd" if self.beta in (1, 2) else "mu"

    def _penalties(self):
        """Return the penalties of W and of H, for as many samples as the sums count."""
        return make_penalties((self._weight, len(self.Ht)), *self.penalties, self.Ht.shape[1])

    def _find_rows(self, update, rows, W, penalty):
        """Set W, zero on entry, to the best fit of the rows; return its loss and its summary."""
        summary = update.summary_from(*self._summaries, rows.absent)
        how = ROWS._replace(summary=self.beta == 2)
        step = update.approach(rows, self.Ht, summary, penalty, W, how)
        return update.loss.constant + step.objective, step.summary

    def _improve_rows(self, update, rows, W, penalty):
        """Improve W by one update; return its loss and no summary."""
        summary = update.summary_from(*self._summaries, rows.absent)
        step = update.update(rows, self.Ht, summary, penalty, W, W, Pass())
        return update.loss.constant + step.objective, None

    def _draw_features(self, X, W):
        """Draw the features of a batch that no component has, and return whether there are any."""
        drawn = draw_features(X, W, self.Ht, self.n_components, self.beta, self._rng)
        if drawn is None:
            return False
        self.Ht = drawn
        self._summaries = self._summarize()
        return True

    def _learn_frobenius(self, columns, W, gram, penalty, fade):
        update, sums = self._update_of_H("cd"), (self._cross, self._gram)
        self.Ht, (self._cross, self._gram), gram = learn_squares(
            update, columns, W, self.Ht, sums, gram, penalty, fade
        )
        self._summaries = gram, self._summaries[1]

    def _update_of_H(self, solver):
        """Return how H is updated, for a loss without the constants, which depend on one batch."""
        threads = threads_for(self.n_threads, self.Ht.size * self.Ht.shape[1])
        return row_update(Loss(self.beta, 0.0, 0.0, 0.0), solver, True, self.n_components, threads)

    def _learn_kullback_leibler(self, columns, W, penalty, fade):
        update, sums = self._update_of_H("mu"), (self._cross, self._sums)
        self.Ht, (self._cross, self._sums) = learn_counts(
            update, columns, W, self.Ht, sums, PRIOR, penalty, fade
        )
        self._summaries = self._summaries[0], self.Ht.sum(axis=0, dtype=np.float64)

    def _learn_beta(self, columns, W, loss, penalty, fade):
        threads = threads_for(self.n_threads, self.Ht.size * len(W))
        update = row_update(loss, "mu", True, self.n_components, threads)
        parts, sums = update.parts(columns, W, self.Ht), (self._cross, self._sums)
        self.Ht, (self._cross, self._sums) = learn_beta(
            parts, self.Ht, sums, PRIOR, penalty, fade, self.beta
        )
        self._summaries = self._summaries[0], self.Ht.sum(axis=0, dtype=np.float64)

    def _summarize(self):
        """Return the gram matrix of Ht and the sums of its columns."""
        gram = None
        if self.beta == 2:
            features = columns_without_entries(len(self.Ht), self.n_components, self.Ht.dtype)
            gram = self._update_of_H("cd").summarize(self.Ht, features)
        return gram, self.Ht.sum(axis=0, dtype=np.float64)
