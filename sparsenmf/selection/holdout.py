"""Held-out losses: of blocks of X, and of single entries of X.

The cost of both is proportional to the nonzeros of X, and neither makes X dense.

*Blocks* (Owen & Perry 2009, "Bi-cross-validation of the SVD and the nonnegative matrix
factorization", Annals of Applied Statistics 3(2), section 5). Some rows and some columns are
held out:

    X = [ A  B ]      D is factorized. The W of A is fitted to B, given the H of D, and the H of
        [ C  D ]      A is fitted to C, given the W of D. The loss is that of A.

*Entries*. The fit does not know the held-out entries. They are zero at first; then each round
replaces them by the predictions W H, and fits again. Every round lowers the loss of the known
entries (Dempster, Laird & Rubin 1977, "Maximum likelihood from incomplete data via the EM
algorithm", JRSS B 39(1); the same majorisation holds for any divergence that is nonnegative, and
zero for equal arguments). Zeros and nonzeros are held out at the same rate: a higher rate for
nonzeros would tell the fit something about the held-out entries.
"""

from itertools import pairwise

import numpy as np
import scipy.sparse as sp

from ..models.components import Components

CHUNK = 2**16  # entries of X that are predicted at once, to bound temporary arrays

FLOOR = 1e-3
"""Smallest prediction of a nonzero for Kullback-Leibler, relative to the mean of X. A zero would
make the loss infinite."""

LARGEST_SHARE = 0.1  # of the entries that are held out, at most as many as X has nonzeros

ROUNDS, ROUND_ITERATIONS, ROUND_TOL = 5, 10, 1e-2
"""Most rounds of predictions, iterations in each, and the relative change that ends them."""


class Blocks:
    """Bi-cross-validation: each fold holds out one part of the rows and one of the columns.

    Parameters
    ----------
    X : scipy.sparse.csr_array
    n_folds : int
        Number of parts of the rows, and of the columns.
    beta : 2 or 1
        2 for the Frobenius loss, 1 for Kullback-Leibler.
    seeds : Generators
    """

    n_fits = 1  # for each fold

    def __init__(self, X, n_folds, beta, seeds):
        self.X, self.n_folds, self.beta, self.seeds = X, n_folds, beta, seeds
        rng = seeds.generator(0)
        self._parts = [rng.permutation(size) % n_folds for size in X.shape]
        self.floor = FLOOR * float(X.sum(dtype=np.float64)) / (X.shape[0] * X.shape[1])

    @property
    def most_components(self):
        """The most components that the matrix of a fold allows."""
        return min(len(part) - int(np.bincount(part).max()) for part in self._parts)

    @property
    def scratch(self):
        """Bytes that a fold takes besides the matrix that is factorized: the other blocks."""
        return self.X.nnz * (self.X.dtype.itemsize + 4)

    def split(self, fold):
        """Return the blocks A, B, C and D."""
        held = [np.flatnonzero(part == fold) for part in self._parts]
        kept = [np.flatnonzero(part != fold) for part in self._parts]
        above, below = self.X[held[0]], self.X[kept[0]]
        return above[:, held[1]], above[:, kept[1]], below[:, held[1]], below[:, kept[1]]

    def training(self, fold):
        """Return the matrix that is factorized."""
        return self.split(fold)[3]

    def score(self, fold, fit):
        """Return the relative loss of A, and the model of D.

        Parameters
        ----------
        fold : int
        fit : callable
            Takes a matrix, and optionally W, H and max_iter; returns the model.
        """
        A, B, C, D = self.split(fold)
        if A.nnz == 0:
            raise ValueError(
                f"n_repeats={self.n_folds} holds out a block of {A.shape[0]} x {A.shape[1]} "
                f"without a nonzero: choose a smaller number"
            )
        model = fit(D)
        n_threads = fit.keywords.get("n_threads")
        W = model.transform(B, n_threads=n_threads)
        H = other_side(model).transform(sp.csr_array(C.T), n_threads=n_threads).T
        loss = block_loss(A, W, H, self.beta, self.floor)
        return loss / norm_of(A.data, self.beta), model


class Entries:
    """Held-out entries, drawn uniformly from all entries of X.

    Parameters
    ----------
    X : scipy.sparse.csr_array
    n_folds : int
        Number of independent draws.
    beta : 2 or 1
        2 for the Frobenius loss, 1 for Kullback-Leibler.
    seeds : Generators
    """

    n_fits = 1  # for each fold

    def __init__(self, X, n_folds, beta, seeds):
        self.X, self.n_folds, self.beta, self.seeds = X, n_folds, beta, seeds
        self.n_entries = X.shape[0] * X.shape[1]
        self.floor = FLOOR * float(X.sum(dtype=np.float64)) / self.n_entries

    @property
    def most_components(self):
        """The most components that the matrix of a fold allows."""
        return min(self.X.shape)

    @property
    def scratch(self):
        """Bytes that a fold takes besides the matrix that is factorized."""
        return 64 * self._n_drawn

    def draw(self, fold):
        """Return the sorted positions ``i * n_features + j`` of the held-out entries.

        Every entry is equally likely, so their mean loss is an unbiased estimate of that of all
        entries. Repeated draws do not matter.
        """
        return np.unique(self.seeds.generator(0, fold).integers(self.n_entries, size=self._n_drawn))

    @property
    def _n_drawn(self):
        return max(1, int(min(LARGEST_SHARE * self.n_entries, self.X.nnz)))

    def training(self, fold):
        """Return X with explicit zeros, which make room for predictions, at held-out entries."""
        return self._hide(self.draw(fold))[0]

    def _chunks(self, places):
        """Yield, for some rows at a time, what X stores there and which places are held out.

        Yields
        ------
        inside, there : slice
            Of the stored entries of X, and of the places.
        stored, held : ndarray of int
            Their positions ``i * n_features + j``, sorted.
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
        """Return the entries of X at these places in float64."""
        values = np.zeros(len(places))
        for inside, there, stored, held in self._chunks(places):
            if len(stored):
                found = np.minimum(np.searchsorted(stored, held), len(stored) - 1)
                values[there] = np.where(stored[found] == held, self.X.data[inside][found], 0.0)
        return values

    def _hide(self, places):
        """Return X with explicit zeros at these places, and their indices in its data."""
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
        """Return the loss of all entries of X, estimated from those at these places."""
        i, j = np.divmod(places, self.X.shape[1])
        losses = entry_losses(self._values(places), predict(W, H, i, j), self.beta, self.floor)
        return self.n_entries * float(losses.mean())

    def score(self, fold, fit):
        """Return the relative loss of X, estimated from held-out entries, and the model."""
        places = self.draw(fold)
        i, j = np.divmod(places, self.X.shape[1])
        hidden, slots = self._hide(places)
        model = fit(hidden)
        before = np.zeros(len(places))
        for _ in range(ROUNDS):
            y = predict(model.W, model.H, i, j)
            if np.linalg.norm(y - before) <= ROUND_TOL * np.linalg.norm(y):
                break
            before, hidden.data[slots] = y, y
            model = fit(hidden, W=model.W, H=model.H, max_iter=ROUND_ITERATIONS)
        return self.estimate(model.W, model.H, places) / norm_of(self.X.data, self.beta), model


def predict(W, H, i, j):
    """Return the entries (i, j) of W H in float64."""
    Ht = np.ascontiguousarray(H.T)
    y = np.empty(len(i))
    for start in range(0, len(i), CHUNK):
        part = slice(start, start + CHUNK)
        y[part] = np.einsum("pr,pr->p", W[i[part]], Ht[j[part]], dtype=np.float64)
    return y


def entry_losses(x, y, beta, floor):
    """Return the loss of each entry x, given its prediction y."""
    if beta == 2:
        return 0.5 * (x - y) ** 2
    y = np.maximum(y, floor)
    logs = np.log(np.divide(x, y, out=np.ones_like(y), where=x > 0))
    return x * logs - x + y


def block_loss(X, W, H, beta, floor):
    """Return the loss of all entries of a sparse X, given W H, in float64.

    Parameters
    ----------
    X : scipy.sparse.csr_array
    W, H : ndarray
    beta : 2 or 1
    floor : float
        The smallest prediction of a nonzero, for Kullback-Leibler.
    """
    x, wide = X.data.astype(np.float64), (W.astype(np.float64), H.astype(np.float64))
    if beta == 2:
        cross = np.einsum("ir,ir->", X @ wide[1].T, wide[0])
        grams = np.einsum("ir,is->rs", wide[0], wide[0]), np.einsum("rj,sj->rs", wide[1], wide[1])
        return max(float(0.5 * (x @ x) - cross + 0.5 * np.einsum("rs,rs->", *grams)), 0.0)
    i = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    y = predict(W, H, i, X.indices)
    total = float(wide[0].sum(axis=0) @ wide[1].sum(axis=1))
    # The floor raises predictions, and so their sum.
    lifted = np.maximum(y, floor)
    return float(np.sum(x * np.log(x / lifted) - x)) + total + float(np.sum(lifted - y))


def norm_of(x, beta):
    """Return the unit of the relative loss: half the squared norm of the entries, or their sum."""
    x = x.astype(np.float64)
    return float(0.5 * (x @ x) if beta == 2 else x.sum())


def other_side(model):
    """Return W' as the components of X', with the penalty that H had."""
    options = model.options
    alpha_H = options["alpha_H"]
    alpha = options["alpha_W"] if alpha_H == "same" else alpha_H
    return Components(H=np.ascontiguousarray(model.W.T), options={**options, "alpha_W": alpha})
