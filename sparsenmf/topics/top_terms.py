"""The top terms of each topic, from a model or from lists of terms."""

import numpy as np

from ..data.names import as_text, by_position, check_vocabulary
from ..models.ranking import top_features


def top_columns(topics, n_terms, vocabulary=None):
    """Return the columns of the top terms of each topic.

    Parameters
    ----------
    topics : Components, or list of lists of str
    n_terms : int
    vocabulary : sequence of str, or dict of term -> column, optional
        Lists of terms need it.

    Returns
    -------
    list of ndarray of int
        Largest weight first. Terms of a model whose weight is zero are left out.

    Raises
    ------
    TypeError, ValueError
        If topics are not lists of terms, or if a term is not in the vocabulary.
    """
    if hasattr(topics, "H"):
        return top_features(topics, n_terms)
    topics = check_topics(topics)
    if vocabulary is None:
        raise ValueError("lists of terms need the vocabulary: the terms of the columns")
    vocabulary = {term: column for column, term in enumerate(check_vocabulary(vocabulary))}
    for number, terms in enumerate(topics):
        for term in terms:
            if term not in vocabulary:
                raise ValueError(f"topics[{number}] has {term!r}, which is not in the vocabulary")
    return [np.array([vocabulary[term] for term in terms[:n_terms]], int) for terms in topics]


def check_topics(topics):
    """Return lists of terms as lists of str; raise TypeError or ValueError for anything else."""
    what = f"topics must be a model or a list of lists of terms, not a {type(topics).__name__}"
    if isinstance(topics, np.ndarray) and topics.ndim == 2:  # a row for each topic
        topics = list(topics)
    try:
        topics = by_position(topics, "topics")
    except TypeError:
        raise TypeError(what) from None
    if not topics:
        raise TypeError(f"{what} without any")
    return [_check_terms(terms, f"topics[{number}]") for number, terms in enumerate(topics)]


def _check_terms(terms, name):
    try:
        terms = by_position(terms, name)
    except TypeError:
        raise TypeError(f"{name} must be a list of terms, not {terms!r}") from None
    if not all(isinstance(term, str | bytes) for term in terms):
        raise TypeError(f"{name} must be a list of terms, not {terms!r}")
    terms = [as_text(term, name) for term in terms]
    if len(set(terms)) < len(terms):
        raise ValueError(f"{name} has a term more than once: {terms!r}")
    return terms
