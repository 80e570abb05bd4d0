"""What W and H say of the topics: their sizes, top terms and typical documents."""

from typing import NamedTuple

import numpy as np

from .normalized import CHUNK


class Survey(NamedTuple):
    """What W says of the topics.

    Attributes
    ----------
    shares : ndarray of shape (n_components,), float64
        Of the sum of W H.
    counts : ndarray of shape (n_components,), int
        Documents in which a topic is the strongest.
    documents : list of n_components lists of int
        Rows of W that are typical of a topic, that have much of it and little of others.
    parts : list of n_components lists of float
        The topic's share of each of these documents.
    """

    shares: np.ndarray
    counts: np.ndarray
    documents: list[list[int]]
    parts: list[list[float]]


def survey(model, n_documents):
    """Look over W once, some rows at a time, and return a `Survey`."""
    k = model.n_components
    weights = model.H.sum(axis=1)
    shares, counts = np.zeros(k), np.zeros(k, np.int64)
    kind = [("topic", int), ("row", int), ("score", model.W.dtype), ("part", model.W.dtype)]
    best = np.empty(0, kind)  # of each topic the first n_documents, topic after topic
    # What a score must exceed to be there; of equal ones the earlier document stays.
    least = np.full(k, 0 if n_documents else np.inf, model.W.dtype)
    for start in range(0, model.n_samples, CHUNK):
        W = model.W[start : start + CHUNK]
        mass = W * weights
        total = mass.sum(axis=1, keepdims=True)
        shares += mass.sum(axis=0, dtype=np.float64)
        counts += np.bincount(mass.argmax(axis=1)[total[:, 0] > 0], minlength=k)
        score = W * mass / np.maximum(total, 1e-30)
        i, r = np.nonzero(score > least)
        found = np.empty(len(i), kind)
        found["topic"], found["row"], found["score"] = r, start + i, score[i, r]
        found["part"] = mass[i, r] / total[i, 0]
        best = np.concatenate([best, found])
        best = best[np.lexsort((best["row"], -best["score"], best["topic"]))]
        rank = np.arange(len(best)) - np.searchsorted(best["topic"], best["topic"])
        last = best[rank == n_documents - 1]
        least[last["topic"]] = last["score"]
        best = best[rank < n_documents]
    groups = np.split(best, np.searchsorted(best["topic"], np.arange(1, k)))
    return Survey(
        shares / (shares.sum() or 1.0),
        counts,
        [group["row"].tolist() for group in groups],
        [group["part"].tolist() for group in groups],
    )
