"""Measures of topics: diversity, exclusivity and size."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.arguments import check_choice, check_integer
from ..data.names import terms_of
from ..data.typing import (
    CoherenceOptions,
    IntArray,
    Matrix,
    SizeBy,
    TermLists,
    Unpack,
    Vocabulary,
)
from ..models.components import Components
from ..models.factorization import Factorization
from ..models.normalisation import component_masses
from .coherence import topic_coherence
from .tables import document_mass
from .top_terms import check_topics, top_columns
from .weighting import check_texts

SIZES = ("total", "documents", "terms")


def topic_diversity(topics: Components | TermLists, n_terms: int = 25) -> float:
    """Return the share of distinct terms among the top terms of all topics.

    The measure of Dieng, Ruiz and Blei 2020, "Topic modeling in embedding spaces", TACL 8.

    Parameters
    ----------
    topics : Components, or list of lists of str
        A model, or the top terms of each topic, largest weight first.
    n_terms : int, default 25
        Number of top terms of each topic; 25 as in the paper.

    Returns
    -------
    float
        1 if no two topics share a term, 1 / n_topics if all have the same terms, NaN if there
        are no terms.

    Raises
    ------
    TypeError, ValueError
        If topics are neither a model nor lists of terms, or if n_terms is not a positive integer.

    Examples
    --------
    >>> from sparsenmf import topic_diversity
    >>> topic_diversity([["cat", "mouse"], ["stock", "cat"]])
    0.75
    """
    n_terms = check_integer(n_terms, "n_terms", least=1)
    if hasattr(topics, "H"):
        lists = [columns.tolist() for columns in top_columns(topics, n_terms)]
    else:
        lists = [terms[:n_terms] for terms in check_topics(topics)]
    terms = [term for listed in lists for term in listed]
    return len(set(terms)) / len(terms) if terms else float("nan")


def topic_exclusivity(model: Components, n_terms: int = 10) -> NDArray[np.float64]:
    """Return the exclusivity of each topic: how much its top terms belong to it alone.

    Each row of H is scaled to sum to one. A term's exclusivity is its weight in the topic divided
    by the sum of its weights in all topics; a topic's is the mean over its top terms. This is the
    exclusivity of Bischof and Airoldi 2012 ("Summarizing topical content with word frequency and
    exclusivity", ICML), without their term for frequency.

    Parameters
    ----------
    model : Components
        For example a Factorization.
    n_terms : int, default 10
        Number of top terms of each topic.

    Returns
    -------
    ndarray of shape (n_components,), float64
        Between 0 and 1; 1 if no other topic contains the top terms. NaN for a topic that is
        zero.

    Raises
    ------
    TypeError, ValueError
        If n_terms is not a positive integer.

    Examples
    --------
    >>> from sparsenmf import factorize, topic_exclusivity
    >>> X = [[4, 2, 0, 0], [2, 1, 0, 0], [0, 0, 3, 1], [0, 0, 6.0, 2]]
    >>> model = factorize(X, 2, random_state=0)
    >>> topic_exclusivity(model, n_terms=2).round(2)
    array([1., 1.])
    """
    n_terms = check_integer(n_terms, "n_terms", least=1)
    totals = model.H.sum(axis=1, dtype=np.float64)
    scale = np.divide(1.0, totals, out=np.zeros_like(totals), where=totals > 0)
    everywhere = scale @ model.H
    shares = [
        model.H[r, columns] * scale[r] / everywhere[columns]
        for r, columns in enumerate(top_columns(model, n_terms))
    ]
    return np.array([share.mean() if len(share) else np.nan for share in shares])


def topic_sizes(model: Factorization, by: SizeBy = "total") -> NDArray[np.float64]:
    """Return the size of each topic, as a share of all topics.

    Parameters
    ----------
    model : Factorization
    by : {"total", "documents", "terms"}, default "total"
        - "total": share of the sum of W H, ``sum(W[:, r]) * sum(H[r]) / sum(W @ H)``.
        - "documents": share of the documents whose strongest topic it is, that is, for which
          ``W[i, r] * sum(H[r])`` is largest.
        - "terms": share of the terms whose strongest topic it is, that is, for which
          ``sum(W[:, r]) * H[r, j]`` is largest.

    Returns
    -------
    ndarray of shape (n_components,), float64
        The shares sum to 1, or to 0 if W H is zero. Documents and terms that have no topic are
        not counted.

    Raises
    ------
    ValueError
        If `by` is none of these.

    Examples
    --------
    >>> from sparsenmf import factorize, topic_sizes
    >>> X = [[4, 2, 0, 0], [2, 1, 0, 0], [0, 0, 3, 1], [0, 0, 6.0, 2]]
    >>> model = factorize(X, 2, random_state=0)
    >>> topic_sizes(model).round(2)
    array([0.57, 0.43])
    """
    check_choice(by, "by", SIZES)
    if by == "documents":
        strongest = dominant_topics(model)
        sizes = np.bincount(strongest[strongest >= 0], minlength=model.n_components).astype(float)
    elif by == "terms":
        mass = model.W.sum(axis=0, dtype=np.float64)[:, None] * model.H
        strongest = mass.argmax(axis=0)[mass.any(axis=0)]
        sizes = np.bincount(strongest, minlength=model.n_components).astype(float)
    else:
        sizes = component_masses(model)
    return sizes / (sizes.sum() or 1.0)


def dominant_topics(model: Factorization) -> IntArray:
    """Return the strongest topic of each document.

    Parameters
    ----------
    model : Factorization

    Returns
    -------
    ndarray of shape (n_samples,), int
        The row r of H with the largest ``W[i, r] * sum(H[r])``, the first if several are equal;
        -1 for a document without topics.
    """
    mass = document_mass(model)
    return np.where(mass.any(axis=1), mass.argmax(axis=1), -1)


def quality_table(
    model: Factorization,
    vocabulary: Vocabulary | None = None,
    X: Matrix | None = None,
    *,
    n_terms: int = 10,
    **coherence_options: Unpack[CoherenceOptions],
) -> dict[str, list[Any]]:
    """Return a table of the size, coherence and exclusivity of each topic.

    Parameters
    ----------
    model : Factorization
    vocabulary : sequence of str, or dict of term -> column, optional
        Default: the names of the features that the model keeps.
    X : matrix of shape (any, n_features), optional
        Matrix of documents x terms that the coherence is computed from. Alternatively pass
        ``texts=...``, see `topic_coherence`.
    n_terms : int, default 10
        Number of top terms of each topic.
    **coherence_options : Any
        Passed on to `topic_coherence`: texts, measure, window, tokenizer, epsilon.

    Returns
    -------
    dict of str -> list
        Columns "topic" (the first is 1), "share" (of the sum of W H), "coherence",
        "exclusivity" and "terms".

    Raises
    ------
    TypeError, ValueError
        As `topic_coherence`, and if there is no vocabulary and the model has no names.

    Examples
    --------
    >>> from sparsenmf import factorize, quality_table
    >>> X = [[4, 2, 0, 0], [2, 1, 0, 0], [0, 0, 3, 1], [0, 0, 6.0, 2]]
    >>> terms = ["cat", "mouse", "stock", "market"]
    >>> model = factorize(X, 2, random_state=0)
    >>> table = quality_table(model, terms, X, n_terms=2)
    >>> sorted(table)
    ['coherence', 'exclusivity', 'share', 'terms', 'topic']
    """
    vocabulary = terms_of(model, vocabulary)
    coherence = topic_coherence(model, X, vocabulary, n_terms=n_terms, **coherence_options)
    return {
        "topic": list(range(1, model.n_components + 1)),
        "share": topic_sizes(model).tolist(),
        "coherence": coherence.tolist(),
        "exclusivity": topic_exclusivity(model, n_terms).tolist(),
        "terms": model.top_terms(vocabulary, n_terms),
    }


def coherence_input(vectorizer, texts, measure):
    """Return the arguments of `topic_coherence` for texts: a matrix, or texts to split."""
    if measure != "c_v":
        return {"X": vectorizer.transform(check_texts(texts)), "measure": measure}
    if tuple(vectorizer.ngram_range) != (1, 1) or vectorizer.analyzer != "word":
        raise ValueError('"c_v" counts single words, but the terms are not single words')
    prepare, split = vectorizer.build_preprocessor(), vectorizer.build_tokenizer()
    return {"texts": texts, "measure": measure, "tokenizer": lambda text: split(prepare(text))}
