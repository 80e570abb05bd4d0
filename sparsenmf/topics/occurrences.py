"""Counts of the documents, or windows of text, that contain two terms of a topic."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..data.names import as_text
from ..data.store import is_store
from ..data.validation import check_matrix

WINDOWS = {"umass": None, "npmi": 10, "uci": 10, "c_v": 110}
"""Default number of words in a window, by measure of coherence (Röder et al. 2015)."""

PORTION = 2**16  # occurrences, or texts, that are counted at once: this bounds the memory


def count_in_documents(X, topics, n_features):
    """Count the documents that contain two terms of a topic.

    Parameters
    ----------
    X : anything that `check_matrix` takes, or a store
    topics : list of arrays of int
        The columns of X that are the top terms of each topic.
    n_features : int
        The number of columns that X must have.

    Returns
    -------
    together : list of ndarray, float64
        For each topic a matrix of terms x terms; the diagonal counts the documents that contain
        a term.
    n_documents : int

    Raises
    ------
    TypeError, ValueError
        If X is not a valid matrix, or does not have n_features columns.
    """
    X = X if is_store(X) else check_matrix(X)
    if X.shape[1] != n_features:
        raise ValueError(
            f"X has {X.shape[1]} features, but the topics have {n_features}: "
            f"use the same vocabulary (vectorizer)"
        )
    union = _union(topics)
    places = [np.searchsorted(union, columns) for columns in topics]
    together = [np.zeros((len(columns), len(columns))) for columns in topics]
    parts = (X.rows(*block) for block in X.blocks()) if is_store(X) else (X,)
    for part in parts:
        _add(together, sp.csr_array(part)[:, union], places)
    return together, X.shape[0]


def count_in_texts(texts, topics, window, tokenizer=None):
    """Count the windows of text that contain two terms of a topic.

    A window slides over a text, one word at a time. A text that is shorter than the window is
    one window.

    Parameters
    ----------
    texts : sequence of sequences of str, or of str
    topics : list of lists of str
    window : int or None
        Number of words in a window; None for the whole text.
    tokenizer : callable, optional
        Splits a string into words.

    Returns
    -------
    together, n_windows
        See `count_in_documents`.

    Raises
    ------
    TypeError, ValueError
        If the texts are not sequences of words, or there are none.
    """
    terms = {term: place for place, term in enumerate(dict.fromkeys(itertools.chain(*topics)))}
    places = [np.array([terms[term] for term in topic], dtype=int) for topic in topics]
    together = [np.zeros((len(topic), len(topic))) for topic in topics]
    n_windows = 0
    for found, lengths in _portions(texts, terms, tokenizer):
        occurrences, weights = _windows(found, lengths, window, len(terms))
        _add(together, occurrences, places, weights)
        n_windows += int(_n_windows(lengths, window).sum())
    if not n_windows:
        raise ValueError("there are no texts")
    return together, n_windows


def _union(topics):
    """Return the columns of all topics, sorted."""
    return np.unique(np.concatenate([*topics, np.empty(0, dtype=int)]).astype(int))


def _add(together, occurrences, places, weights=None):
    """Add the counts of rows; row i stands for weights[i] documents, or for one."""
    occurrences = sp.csc_array(occurrences, dtype=np.float64)
    occurrences.data = np.ones_like(occurrences.data)
    for counts, columns in zip(together, places, strict=True):
        part = occurrences[:, columns]
        weighted = (
            part
            if weights is None
            else sp.csc_array((weights[part.indices], part.indices, part.indptr), shape=part.shape)
        )
        counts += (part.T @ weighted).toarray()


def _portions(texts, terms, tokenizer):
    """Yield the occurrences of terms as (text, position, term), and the lengths of the texts."""
    # To iterate over a frame or a dict would give its keys.
    keyed = hasattr(texts, "columns") or isinstance(texts, Mapping)
    if keyed or isinstance(texts, str | bytes) or not hasattr(texts, "__iter__"):
        raise TypeError(f"texts must be a sequence of texts, not a {type(texts).__name__}")
    found: list[Any] = []
    lengths: list[int] = []
    for number, text in enumerate(texts):
        words = _words(text, number, tokenizer)
        found += [(len(lengths), i, terms[word]) for i, word in enumerate(words) if word in terms]
        lengths.append(len(words))
        if len(found) >= PORTION or len(lengths) >= PORTION:
            yield _columns(found), np.array(lengths)
            found, lengths = [], []
    if lengths:
        yield _columns(found), np.array(lengths)


def _columns(found):
    return np.array(found, dtype=np.int64).reshape(-1, 3).T


def _words(text, number, tokenizer):
    if isinstance(text, str):
        if tokenizer is None:
            raise TypeError(
                f"texts[{number}] is a string: pass lists of words, or a tokenizer "
                f"(such as str.split, or vectorizer.build_analyzer())"
            )
        text = tokenizer(text)
    if not isinstance(text, list | tuple | np.ndarray):
        raise TypeError(f"texts[{number}] must be a list of words, not {text!r}")
    if len(text) and isinstance(text[0], bytes):
        return [as_text(word, f"texts[{number}]") for word in text]
    return text


def _n_windows(lengths, window):
    """Return the number of windows in texts of these lengths."""
    if window is None:
        return np.ones_like(lengths)
    return np.maximum(lengths - window + 1, 1)


def _windows(found, lengths, window, n_terms):
    """Return the terms in each window; consecutive windows with the same terms are one run.

    Returns
    -------
    occurrences : csr_array of shape (n_runs, n_terms)
        Nonzero where the windows of the run contain the term.
    weights : ndarray of shape (n_runs,), float64
        Number of windows in the run.
    """
    texts, places, terms = found
    n_windows = _n_windows(lengths, window)
    before = np.cumsum(n_windows) - n_windows  # number of windows in earlier texts
    size = lengths.max(initial=1) if window is None else window
    first = before[texts] + np.maximum(places - size + 1, 0)
    last = before[texts] + np.minimum(places, n_windows[texts] - 1) + 1
    # A run ends where a term enters or leaves the window.
    edges = np.unique(np.concatenate([first, last]))
    first, last = np.searchsorted(edges, first), np.searchsorted(edges, last)
    counts = last - first
    runs = np.arange(counts.sum()) + np.repeat(first - (np.cumsum(counts) - counts), counts)
    shape = (max(len(edges) - 1, 1), n_terms)
    ones = np.ones(len(runs))
    occurrences = sp.csr_array((ones, (runs, np.repeat(terms, counts))), shape=shape)
    return occurrences, np.diff(edges, append=edges[-1:] if len(edges) < 2 else []).astype(float)
