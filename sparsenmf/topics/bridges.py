"""Topics in the formats of other packages: gensim's lists and pyLDAvis's distributions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data.arguments import check_integer
from ..data.names import terms_of
from ..data.typing import Matrix, TermOrder, Vocabulary
from ..data.validation import check_matrix
from ..models.components import Components
from ..models.factorization import Factorization
from ..models.ranking import top_features


def show_topics(
    model: Components,
    vocabulary: Vocabulary | None = None,
    n_terms: int = 10,
    *,
    by: TermOrder = "weight",
) -> list[tuple[int, list[tuple[str, float]]]]:
    """Return the top terms of each topic with their weights, in gensim's format.

    Parameters
    ----------
    model : Components
        For example a Factorization.
    vocabulary : sequence of str, or dict of term -> column, optional
        Default: the names of the features that the model keeps.
    n_terms : int, default 10
        Number of terms of each topic. Terms whose weight is zero are left out.
    by : {"weight", "distinctive"} or float, default "weight"
        Which terms, and their order, as in `Factorization.top_terms`.

    Returns
    -------
    list of (int, list of (str, float))
        The number of each topic (the first is 1, as in the tables), and its (term, weight) pairs.

    Raises
    ------
    TypeError, ValueError
        If the vocabulary does not have n_features terms, or if there is none and the model has no
        names.

    Examples
    --------
    >>> from sparsenmf import factorize, show_topics
    >>> X = [[4, 2, 0, 0], [2, 1, 0, 0], [0, 0, 3, 1], [0, 0, 6.0, 2]]
    >>> terms = ["cat", "mouse", "stock", "market"]
    >>> model = factorize(X, 2, random_state=0)
    >>> [[term for term, _ in topic] for _, topic in show_topics(model, terms, 2)]
    [['stock', 'market'], ['cat', 'mouse']]
    """
    n_terms = check_integer(n_terms, "n_terms", least=1)
    terms, columns = terms_of(model, vocabulary), top_features(model, n_terms, by)
    return [
        (r + 1, [(terms[j], float(model.H[r, j])) for j in listed])
        for r, listed in enumerate(columns)
    ]


def to_pyldavis(
    model: Factorization, vocabulary: Vocabulary | None = None, X: Matrix | None = None
) -> dict[str, Any]:
    """Return the arguments of ``pyLDAvis.prepare`` (extra `pyldavis`).

    Parameters
    ----------
    model : Factorization
    vocabulary : sequence of str, or dict of term -> column, optional
        Default: the names of the features that the model keeps.
    X : matrix of shape (n_samples, n_features), optional
        The counts of terms in documents, which give the lengths of the documents and the
        frequencies of the terms. Default: W H, which is the right choice for a model of tf-idf
        weights.

    Returns
    -------
    dict of str -> ndarray or list
        "topic_term_dists" (topics x terms) and "doc_topic_dists" (documents x topics) in float64,
        whose rows sum to one; "doc_lengths", "vocab" and "term_frequency". pyLDAvis requires
        distributions, so topics that are zero, documents without topics, and terms without
        topics or occurrences in X are left out.

    Raises
    ------
    TypeError, ValueError
        If the shape of vocabulary or X is not that of the model, if there is no vocabulary and the
        model has no names, or if no document has a topic.

    Notes
    -----
    ``pyLDAvis.prepare(**to_pyldavis(model, vocabulary), sort_topics=False)`` keeps the order of
    the topics. "doc_topic_dists" is as large as W in float64.

    Examples
    --------
    >>> from sparsenmf import factorize, to_pyldavis
    >>> X = [[4, 2, 0, 0], [2, 1, 0, 0], [0, 0, 3, 1], [0, 0, 6.0, 2]]
    >>> terms = ["cat", "mouse", "stock", "market"]
    >>> model = factorize(X, 2, random_state=0)
    >>> sorted(to_pyldavis(model, terms, X))
    ['doc_lengths', 'doc_topic_dists', 'term_frequency', 'topic_term_dists', 'vocab']
    """
    vocabulary = terms_of(model, vocabulary)
    H = model.H.astype(np.float64)
    topics = model.W.any(axis=0) & H.any(axis=1)
    mass = model.W * H.sum(axis=1)
    lengths = mass.sum(axis=1)
    frequency = model.W.sum(axis=0, dtype=np.float64) @ H
    documents, terms = lengths > 0, frequency > 0
    if X is not None:
        X = check_matrix(X)
        if X.shape != (model.n_samples, model.n_features):
            raise ValueError(
                f"X is {X.shape[0]} x {X.shape[1]}, but this factorization is of "
                f"{model.n_samples} x {model.n_features}"
            )
        lengths = np.asarray(X.sum(axis=1, dtype=np.float64)).ravel()
        frequency = np.asarray(X.sum(axis=0, dtype=np.float64)).ravel()
        documents, terms = documents & (lengths > 0), terms & (frequency > 0)
    topics &= H[:, terms].any(axis=1)
    documents &= mass[:, topics].any(axis=1)
    if not documents.any():
        raise ValueError("no document has a topic: there is nothing to show")
    H = H[np.ix_(topics, terms)]
    mass = mass[np.ix_(documents, topics)]
    return {
        "topic_term_dists": H / H.sum(axis=1, keepdims=True),
        "doc_topic_dists": mass / mass.sum(axis=1, keepdims=True),
        "doc_lengths": lengths[documents],
        "vocab": [vocabulary[j] for j in np.flatnonzero(terms)],
        "term_frequency": frequency[terms],
    }
