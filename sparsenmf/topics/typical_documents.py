"""The size of each topic, and the documents that are typical of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.arguments import check_integer
from ..data.factors import CHUNK, row_totals
from ..data.store import is_store
from ..data.typing import Matrix
from ..data.validation import check_weighted
from ..models.factorization import Factorization


class TopicSummary(NamedTuple):
    """The size of each topic, and its typical documents.

    Attributes
    ----------
    shares : ndarray of shape (n_components,), float64
        Each topic's share of the sum of W H.
    counts : ndarray of shape (n_components,), int
        The number of documents whose strongest topic it is.
    documents : list of n_components lists of int
        The rows of W that are most typical of the topic, see `typical_documents`.
    matches : list of n_components lists of float
        How well each of these documents matches the topic, at most 1.
    """

    shares: np.ndarray
    counts: np.ndarray
    documents: list[list[int]]
    matches: list[list[float]]


def typical_documents(
    model: Factorization, n: int = 2, X: Matrix | None = None
) -> list[NDArray[np.int_]]:
    """Return the documents that are most typical of each topic, the most typical first.

    Parameters
    ----------
    model : Factorization
        The topics are the rows of its H, the documents the rows of its W.
    n : int, default 2
        Number of documents for each topic.
    X : matrix of shape (n_samples, n_features), optional
        The matrix that the model was fitted to, or a store of it. Without X, typical documents
        are estimated from the sums and lengths of X's rows, which the model keeps.

    Returns
    -------
    list of n_components ndarrays of at most n int
        Rows of W. Documents that do not contain the topic are left out.

    Raises
    ------
    TypeError, ValueError
        If n is not an integer or is negative, or if X does not belong to the model.

    Notes
    -----
    A document matches topic r by ``sum_j min(X[i, j], W[i, r] * H[r, j]) / sum_j (W H)[i, j]``:
    the part of the model's row that belongs to the topic and that the document's own words
    confirm. A document of a single word matches poorly, because the model gives it the other
    words of the topic, too.

    Without X the match is estimated by a product of three factors: the topic's share of the row
    of W H; the part of this row's sum that the row of X covers; and the cosine between the row
    of X and the topic (exact for the Frobenius loss; for others, the cosine of their fit).

    Examples
    --------
    >>> from sparsenmf import factorize
    >>> from sparsenmf.topics.typical_documents import typical_documents
    >>> X = [[4, 2, 0, 0], [2, 1, 0, 0], [0, 0, 3, 1], [0, 0, 6.0, 2]]
    >>> model = factorize(X, 2, random_state=0)
    >>> [sorted(rows.tolist()) for rows in typical_documents(model, 2, X)]
    [[2, 3], [0, 1]]
    """
    n = check_integer(n, "n", least=0)
    return [np.array(rows, int) for rows in summarize_topics(model, n, X).documents]


def summarize_topics(model, n_documents, X=None):
    """Return the `TopicSummary` of a model, in one pass over chunks of W.

    Parameters
    ----------
    model : Factorization
    n_documents : int
        Number of typical documents for each topic.
    X : matrix or store of shape (n_samples, n_features), optional
        See `typical_documents`.

    Raises
    ------
    TypeError, ValueError
        If X does not belong to the model.
    """
    X = check_fitted_matrix(X, model)
    k = model.n_components
    weights = row_totals(model.H)
    totals, counts = np.zeros(k), np.zeros(k, np.int64)
    kind = [("topic", int), ("row", int), ("match", float)]
    best = np.empty(0, kind)  # the best n_documents of each topic so far, sorted by topic
    # A new match must be greater than this; of equal matches the earlier document stays.
    least = np.full(k, 0.0 if n_documents else np.inf)
    measure = _match_function(model, X)
    for start in range(0, model.n_samples, CHUNK):
        W = model.W[start : start + CHUNK]
        totals += W.sum(axis=0, dtype=np.float64)
        mass = W * weights
        total = mass.sum(axis=1)
        counts += np.bincount(mass.argmax(axis=1)[total > 0], minlength=k)
        if not n_documents:
            continue
        shares = mass / np.where(total > 0, total, 1)[:, None]
        match = measure(start, W, shares, total, least)
        i, r = np.nonzero(match > least)
        found = np.empty(len(i), kind)
        found["topic"], found["row"], found["match"] = r, start + i, match[i, r]
        best = np.concatenate([best, found])
        best = best[np.lexsort((best["row"], -best["match"], best["topic"]))]
        rank = np.arange(len(best)) - np.searchsorted(best["topic"], best["topic"])
        last = best[rank == n_documents - 1]
        least[last["topic"]] = last["match"]
        best = best[rank < n_documents]
    groups = np.split(best, np.searchsorted(best["topic"], np.arange(1, k)))
    sizes = totals * weights
    return TopicSummary(
        sizes / (sizes.sum() or 1.0),
        counts,
        [group["row"].tolist() for group in groups],
        [group["match"].tolist() for group in groups],
    )


def check_fitted_matrix(X, model):
    """Return the X that a model was fitted to as a CSR matrix or a store; None stays None.

    Raises
    ------
    TypeError, ValueError
        If X is not a valid matrix, or its shape is not that of the model.
    """
    if X is None:
        return None
    if not is_store(X):
        X, _ = check_weighted(X, None, model.missing)
    if X.shape != (model.n_samples, model.n_features):
        raise ValueError(
            f"X is {X.shape[0]} x {X.shape[1]}, but this factorization is of "
            f"{model.n_samples} x {model.n_features}"
        )
    return X


def _match_function(model, X):
    """Return the function that measures how well documents match topics."""
    if X is not None:
        return lambda *rows: _matches(X, model.H, *rows)
    if model.sample_norms is None:  # nothing is known of X
        largest = model.W.max(axis=0).astype(np.float64)
        return lambda start, W, shares, *rest: shares * W / np.where(largest > 0, largest, 1)
    H = model.H.astype(np.float64)
    gram = H @ H.T
    lengths = np.sqrt(gram.diagonal())
    return lambda *rows: _estimated_matches(model.sample_norms, gram, lengths, *rows)


def _matches(X, H, start, W, shares, total, least):
    """Return the matches of rows of W with topics, see `typical_documents`.

    Matches that cannot exceed `least` are left at zero.
    """
    stop = start + len(W)
    part = X.rows(start, stop) if is_store(X) else X[start:stop]
    match = np.zeros(W.shape)
    for r in range(W.shape[1]):
        rows = np.flatnonzero(shares[:, r] > least[r])  # the share bounds the match
        if not len(rows):
            continue
        entries = part[rows]
        owners = np.repeat(np.arange(len(rows)), np.diff(entries.indptr))
        fit = W[rows, r].astype(np.float64)[owners] * H[r, entries.indices]
        common = np.bincount(owners, np.minimum(entries.data, fit), minlength=len(rows))
        match[rows, r] = common / total[rows]
    return match


def _estimated_matches(norms, gram, lengths, start, W, shares, total, least):
    """Return the matches of rows of W, estimated from the sums and lengths of X's rows.

    For the Frobenius loss, (W H H')[i, r] is the inner product of X[i] and H[r] wherever
    W[i, r] > 0, which gives the cosine.
    """
    cosines = (W @ gram) / np.where(lengths > 0, lengths, 1)
    sums, sizes = norms[start : start + len(W)].T.astype(np.float64)
    covered = np.minimum(1, sums / np.where(total > 0, total, 1))
    cosines /= np.where(sizes > 0, sizes, 1)[:, None]
    return shares * covered[:, None] * np.minimum(1, cosines)
