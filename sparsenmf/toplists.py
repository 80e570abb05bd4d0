"""The top terms of topics: of a model, or as lists that any model has made."""

import numpy as np

from .arguments import check_vocabulary


def heaviest(weights, n):
    """Return the places of the n greatest weights that are not zero, greatest first."""
    candidates = np.flatnonzero(weights > 0)
    if len(candidates) > n:  # not all of a long row need to be sorted
        least = np.partition(weights, -n)[-n]
        candidates = np.flatnonzero((weights >= least) & (weights > 0))
    return candidates[np.argsort(-weights[candidates], kind="stable")[:n]]


def top_columns(topics, n_terms, vocabulary=None):
    """Return the columns of the top terms of each topic.

    Parameters
    ----------
    topics : Components, or list of lists of str
    n_terms : int
    vocabulary : sequence of str, or dict of term -> column, optional
        Needed for lists.

    Returns
    -------
    list of ndarray of int
        Heaviest first. Of a model, without terms whose weight is zero.

    Raises
    ------
    TypeError, ValueError
        If the lists are none, or a term is not in the vocabulary.
    """
    if hasattr(topics, "H"):
        return [heaviest(weights, n_terms) for weights in topics.H]
    topics = check_topics(topics)
    if vocabulary is None:
        raise ValueError("lists of terms need the vocabulary: the terms of the columns")
    n_features = len(vocabulary) if hasattr(vocabulary, "__len__") else 0
    listed = check_vocabulary(vocabulary, n_features)
    vocabulary = {str(term): column for column, term in enumerate(listed)}
    for number, terms in enumerate(topics):
        for term in terms:
            if term not in vocabulary:
                raise ValueError(f"topics[{number}] has {term!r}, which is not in the vocabulary")
    return [np.array([vocabulary[term] for term in terms[:n_terms]], int) for terms in topics]


def check_topics(topics):
    """Return lists of terms as lists of str, or raise if they are not that."""
    kinds = (list, tuple, np.ndarray)
    if not isinstance(topics, kinds) or len(topics) == 0:
        raise TypeError(f"topics must be a model or a list of lists of terms, not {topics!r}")
    for number, terms in enumerate(topics):
        if not isinstance(terms, kinds) or not all(isinstance(term, str) for term in terms):
            raise TypeError(f"topics[{number}] must be a list of terms, not {terms!r}")
        if len(set(terms)) < len(terms):
            raise ValueError(f"topics[{number}] has a term more than once: {terms!r}")
    return [[str(term) for term in terms] for terms in topics]
