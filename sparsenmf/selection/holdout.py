"""Losses of data that a fit has not seen: blocks of X, and single entries of X.

Both cost what X has nonzeros, and neither makes anything dense.

*Blocks* (Owen & Perry 2009, "Bi-cross-validation of the SVD and the nonnegative matrix
factorization", Annals of Applied Statistics 3(2), section 5). Some rows and some columns are
held out:

    X = [ A  B ]      D is factorized; the rows of B, given the H of D, and the columns of C,
        [ C  D ]      given its W, tell the factors of A.

*Entries*. The held-out ones are unknown to the fit: it begins with nothing there, and then
puts its own predictions W H in their place, again and again. Each round lowers the loss of
the entries that are known (Dempster, Laird & Rubin 1977, "Maximum likelihood from incomplete
data via the EM algorithm", JRSS B 39(1); for a divergence, which is never negative and zero
between equals, it is the same majorisation). All entries are held out at the same rate, zero
or not: a rate of their own for the nonzeros would say something about what is unknown.
"""

from itertools import pairwise

import numpy as np
import scipy.sparse as sp

from ..models.components import Components

CHUNK = 2**16  # entries of X looked at together: no temporary as long as X times n_components

FLOOR = 1e-3
"""Smallest prediction of a nonzero for Kullback-Leibler, relative to the mean of X: a zero
there would make the whole loss infinite."""

LARGEST_SHARE = 0.1  # of the entries that are held out; of a sparser X, as many as it has nonzeros

ROUNDS, ROUND_ITERATIONS, SETTLED = 5, 10, 1e-2
"""Predictions are put in at most so often, after so many iterations each, until they change
by no more than this fraction."""


class Blocks:
    """Bi-cross-validation: each part of the rows is held out once, and of the columns.

    Parameters
    ----------
    X : scipy.sparse.csr_array
    n_folds : int
        Parts.
    beta : 2 or 1
    seeds : Generators
    """

    direction = 1  # to be minimised
    n_fits = 1  # of a fold

    def __init__(self, X, n_folds, beta, seeds):
        self.X, self.n_folds, self.beta, self.seeds = X, n_folds, beta, seeds
        rng = seeds.generator(0)
        self._parts = [rng.permutation(size) % n_folds for size in X.shape]
        self.floor = FLOOR * float(X.sum(dtype=np.float64)) / (X.shape[0] * X.shape[1])

    @property
    def most_components(self):
        """Of a fit."""
        return min(len(part) - int(np.bincount(part).max()) for part in self._parts)

    @property
    def scratch(self):
        """Bytes of a fold beside the matrix that is factorized: the other blocks."""
        return self.X.nnz * (self.X.dtype.itemsize + 4)

    def split(self, fold):
        """Return A, B, C and D."""
        held = [np.flatnonzero(part == fold) for part in self._parts]
        kept = [np.flatnonzero(part != fold) for part in self._parts]
        above, below = self.X[held[0]], self.X[kept[0]]
        return above[:, held[1]], above[:, kept[1]], below[:, held[1]], below[:, kept[1]]

    def training(self, fold):
        """Return what is factorized."""
        return self.split(fold)[3]

    def score(self, fold, fit):
        """Return the loss of A, relative to its size, and the model of D.

        Parameters
        ----------
        fold : int
        fit : callable
            Of a matrix, and perhaps of W, H and max_iter; returns the model.
        """
        A, B, C, D = self.split(fold)
        if A.nnz == 0:
            raise ValueError(
                f"n_repeats={self.n_folds} leaves a held-out block of {A.shape[0]} x {A.shape[1]} "
                f"without a nonzero: choose fewer"
            )
        model = fit(D)
        n_threads = fit.keywords.get("n_threads")
        W = model.transform(B, n_threads=n_threads)
        H = other_side(model).transform(sp.csr_array(C.T), n_threads=n_threads).T
        loss = block_loss(A, W, H, self.beta, self.floor)
        return loss / norm_of(A.data, self.beta), model


class Entries:
    """Held-out entries, drawn at random without regard to what they are.

    Parameters
    ----------
    X : scipy.sparse.csr_array
    n_folds : int
        Draws, independent of each other.
    beta : 2 or 1
    seeds : Generators
    """

    direction = 1  # to be minimised
    n_fits = 1  # of a fold

    def __init__(self, X, n_folds, beta, seeds):
        self.X, self.n_folds, self.beta, self.seeds = X, n_folds, beta, seeds
        self.n_entries = X.shape[0] * X.shape[1]
        self.floor = FLOOR * float(X.sum(dtype=np.float64)) / self.n_entries

    @property
    def most_components(self):
        """Of a fit."""
        return min(self.X.shape)

    @property
    def scratch(self):
        """Bytes of a fold beside the matrix that is factorized."""
        return 64 * self._n_drawn

    def draw(self, fold):
        """Return the places ``i * n_features + j`` of the held-out entries, in order.

        Every entry is as likely as any other, so that their mean loss estimates that of all
        without bias; the number of entries that were drawn twice does not matter.
        """
        return np.unique(self.seeds.generator(0, fold).integers(self.n_entries, size=self._n_drawn))

    @property
    def _n_drawn(self):
        return max(1, int(min(LARGEST_SHARE * self.n_entries, self.X.nnz)))

    def training(self, fold):
        """Return X with room for predictions where entries are held out: explicit zeros."""
        return self._hide(self.draw(fold))[0]

    def _chunks(self, places):
        """Yield rows of X at a time: slices of X's entries and of these places, and both.

        Entries and places as ``i * n_features + j``, in order.
        """
        X, n_features = self.X, self.X.shape[1]
        cuts = np.searchsorted(X.indptr, np.arange(0, X.nnz, CHUNK))
        cuts = np.unique(np.concatenate([[0], cuts, [X.shape[0]]]))
        for first, last in pairwise(cuts.tolist()):
            inside = slice(X.indptr[first], X.indptr[last])
            i = np.repeat(np.arange(first, last), np.diff(X.indptr[first : last + 1]))
            there = slice(*np.searchsorted(places, [first * n_features, last * n_features]))
            yield inside, there, i * n_features + X.indices[inside], places[there]

    def _values(self, places):
        """Return what X has at these places, float64."""
        values = np.zeros(len(places))
        for inside, there, stored, held in self._chunks(places):
            if len(stored):
                found = np.minimum(np.searchsorted(stored, held), len(stored) - 1)
                values[there] = np.where(stored[found] == held, self.X.data[inside][found], 0.0)
        return values

    def _hide(self, places):
        """Return X without the entries at these places, and where in its data they would be."""
        X, most, n_features = self.X, self.X.nnz + len(places), self.X.shape[1]
        data, indices = np.zeros(most, X.dtype), np.empty(most, X.indices.dtype)
        counts, slots = np.zeros(X.shape[0], np.int64), np.empty(len(places), np.int64)
        size = 0
        for inside, there, stored, held in self._chunks(places):
            known = ~np.isin(stored, held, assume_unique=True)
            merged = np.concatenate([stored[known], held])
            order = np.argsort(merged, kind="stable")
            n_known = len(merged) - len(held)
            end = size + len(merged)
            data[size:end] = np.append(X.data[inside][known], np.zeros(len(held), X.dtype))[order]
            rows, indices[size:end] = np.divmod(merged[order], n_features)
            if len(rows):
                counts[rows[0] : rows[-1] + 1] += np.bincount(rows - rows[0])
            slots[there] = size + np.flatnonzero(order >= n_known)
            size = end
        arrays = (data[:size], indices[:size], np.concatenate([[0], np.cumsum(counts)]))
        return sp.csr_array(arrays, shape=X.shape), slots

    def estimate(self, W, H, places):
        """Return the loss of X from W H over all entries, as those at these places tell it."""
        i, j = np.divmod(places, self.X.shape[1])
        losses = entry_losses(self._values(places), predict(W, H, i, j), self.beta, self.floor)
        return self.n_entries * float(losses.mean())

    def score(self, fold, fit):
        """Return the estimated loss, relative to the size of X, and the model; see `Blocks`."""
        places = self.draw(fold)
        i, j = np.divmod(places, self.X.shape[1])
        hidden, slots = self._hide(places)
        model = fit(hidden)
        before = np.zeros(len(places))
        for _ in range(ROUNDS):
            y = predict(model.W, model.H, i, j)
            if np.linalg.norm(y - before) <= SETTLED * np.linalg.norm(y):
                break
            before, hidden.data[slots] = y, y
            model = fit(hidden, W=model.W, H=model.H, max_iter=ROUND_ITERATIONS)
        return self.estimate(model.W, model.H, places) / norm_of(self.X.data, self.beta), model


def predict(W, H, i, j):
    """Return the entries (i, j) of W H, float64."""
    Ht = np.ascontiguousarray(H.T)
    y = np.empty(len(i))
    for start in range(0, len(i), CHUNK):
        part = slice(start, start + CHUNK)
        y[part] = np.einsum("pr,pr->p", W[i[part]], Ht[j[part]], dtype=np.float64)
    return y


def entry_losses(x, y, beta, floor):
    """Return the loss of each entry x from its prediction y."""
    if beta == 2:
        return 0.5 * (x - y) ** 2
    y = np.maximum(y, floor)
    logs = np.log(np.divide(x, y, out=np.ones_like(y), where=x > 0))
    return x * logs - x + y


def block_loss(X, W, H, beta, floor):
    """Return the loss of a sparse X from W H, over all its entries, in float64.

    Parameters
    ----------
    X : scipy.sparse.csr_array
    W, H : ndarray
    beta : 2 or 1
    floor : float
        For Kullback-Leibler, the smallest prediction of a nonzero, as in `score_floor`.
    """
    x, wide = X.data.astype(np.float64), (W.astype(np.float64), H.astype(np.float64))
    if beta == 2:
        cross = np.einsum("ir,ir->", X @ wide[1].T, wide[0])
        grams = np.einsum("ir,is->rs", wide[0], wide[0]), np.einsum("rj,sj->rs", wide[1], wide[1])
        return max(float(0.5 * (x @ x) - cross + 0.5 * np.einsum("rs,rs->", *grams)), 0.0)
    i = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    y = predict(W, H, i, X.indices)
    total = float(wide[0].sum(axis=0) @ wide[1].sum(axis=1))
    # What the floor adds to a prediction is part of the total, too.
    lifted = np.maximum(y, floor)
    return float(np.sum(x * np.log(x / lifted) - x)) + total + float(np.sum(lifted - y))


def norm_of(x, beta):
    """Return the loss's natural unit: half the squared norm, or the sum, of the entries."""
    x = x.astype(np.float64)
    return float(0.5 * (x @ x) if beta == 2 else x.sum())


def other_side(model):
    """Return the W of a model as the components of X's transpose, penalty included."""
    options = model.options
    alpha_H = options["alpha_H"]
    alpha = options["alpha_W"] if alpha_H == "same" else alpha_H
    return Components(H=np.ascontiguousarray(model.W.T), options={**options, "alpha_W": alpha})
