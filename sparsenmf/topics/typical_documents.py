"""What W and H say of the topics: their sizes, top terms and typical documents."""

from typing import NamedTuple

import numpy as np

from ..data.factors import CHUNK, row_totals
from ..data.store import is_store
from ..data.validation import check_weighted


class Survey(NamedTuple):
    """What W says of the topics.

    Attributes
    ----------
    shares : ndarray of shape (n_components,), float64
        Of the sum of W H.
    counts : ndarray of shape (n_components,), int
        Documents in which a topic is the strongest.
    documents : list of n_components lists of int
        Rows of W that are typical of a topic: their words match it best, see `_matches`.
    matches : list of n_components lists of float
        How well the words of each of these documents match the topic, at most 1.
    """

    shares: np.ndarray
    counts: np.ndarray
    documents: list[list[int]]
    matches: list[list[float]]


def survey(model, n_documents, X=None):
    """Look over W once, some rows at a time, and return a `Survey`.

    Parameters
    ----------
    model : Factorization
    n_documents : int
    X : what the model was fitted to, or a store, optional
        See `typical_documents`.

    Raises
    ------
    TypeError, ValueError
        If X has another shape than the model, or cannot be its X.
    """
    X = check_survey_matrix(X, model)
    k = model.n_components
    weights = row_totals(model.H)
    totals, counts = np.zeros(k), np.zeros(k, np.int64)
    kind = [("topic", int), ("row", int), ("match", float)]
    best = np.empty(0, kind)  # of each topic the first n_documents, topic after topic
    # What a match must exceed to be there; of equal ones the earlier document stays.
    least = np.full(k, 0.0 if n_documents else np.inf)
    measure = _measure(model, X)
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
    return Survey(
        sizes / (sizes.sum() or 1.0),
        counts,
        [group["row"].tolist() for group in groups],
        [group["match"].tolist() for group in groups],
    )


def check_survey_matrix(X, model):
    """Return the X of a model as rows can be taken from it, or None for None.

    Raises
    ------
    TypeError, ValueError
        If X has another shape than the model, or cannot be its X.
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


def _measure(model, X):
    """Return the function that measures how well documents match topics."""
    if X is not None:
        return lambda *rows: _matches(X, model.H, *rows)
    if model.sample_norms is None:  # nothing is known of the words
        largest = model.W.max(axis=0).astype(np.float64)
        return lambda start, W, shares, *rest: shares * W / np.where(largest > 0, largest, 1)
    H = model.H.astype(np.float64)
    gram = H @ H.T
    lengths = np.sqrt(gram.diagonal())
    return lambda *rows: _likely_matches(model.sample_norms, gram, lengths, *rows)


def _matches(X, H, start, W, shares, total, least):
    """Return for rows of W what part of W H is the topic's and is in X.

    ``sum_j min(X[i, j], W[i, r] * H[r, j]) / sum_j (W H)[i, j]``: of all that the model says of
    a document, what is this topic and is borne out by the document's words. A document of one
    word bears out one of the topic's terms. Zero where it is not above `least`.
    """
    stop = start + len(W)
    part = X.rows(start, stop) if is_store(X) else X[start:stop]
    match = np.zeros(W.shape)
    for r in range(W.shape[1]):
        rows = np.flatnonzero(shares[:, r] > least[r])  # a match is no larger than the share
        if not len(rows):
            continue
        entries = part[rows]
        owners = np.repeat(np.arange(len(rows)), np.diff(entries.indptr))
        fit = W[rows, r].astype(np.float64)[owners] * H[r, entries.indices]
        common = np.bincount(owners, np.minimum(entries.data, fit), minlength=len(rows))
        match[rows, r] = common / total[rows]
    return match


def _likely_matches(norms, gram, lengths, start, W, shares, total, least):
    """Return how well rows of W can match, as far as the norms of X's rows tell.

    The share, times what of W H fits into the row's sum, times the row's cosine with the
    topic: for the Frobenius loss (W H H')[i, r] is <X[i], H[r]> where W[i, r] > 0.
    """
    cosines = (W @ gram) / np.where(lengths > 0, lengths, 1)
    sums, sizes = norms[start : start + len(W)].T.astype(np.float64)
    room = np.minimum(1, sums / np.where(total > 0, total, 1))
    cosines /= np.where(sizes > 0, sizes, 1)[:, None]
    return shares * room[:, None] * np.minimum(1, cosines)
