"""Coherence of topics: how often their top terms occur together.

It depends only on the number of documents (or windows of text) that contain each pair of top
terms, a matrix of n_terms x n_terms for each topic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..data.arguments import check_choice, check_integer, check_number
from ..data.names import check_vocabulary
from ..data.typing import Matrix, Measure, TermLists, Vocabulary
from ..models.components import Components
from .occurrences import WINDOWS, count_in_documents, count_in_texts
from .top_terms import check_topics, top_columns

MEASURES = ("umass", "npmi", "uci", "c_v")


def topic_coherence(
    topics: Components | TermLists,
    X: Matrix | None = None,
    vocabulary: Vocabulary | None = None,
    *,
    texts: Iterable[str] | Iterable[Sequence[str]] | None = None,
    measure: Measure = "npmi",
    n_terms: int = 10,
    window: int | Literal["default"] | None = "default",
    tokenizer: Callable[[str], Sequence[str]] | None = None,
    epsilon: float = 1e-12,
) -> NDArray[np.float64]:
    """Return the coherence of each topic: how often its top terms occur together.

    Parameters
    ----------
    topics : Factorization, or list of lists of str
        A model, or the top terms of any model's topics, largest weight first.
    X : scipy.sparse matrix or array, ndarray, or DataFrame, of shape (any, n_features), optional
        Documents x terms, or a store that `open_csr` opened: counts or weights, nonzero where
        the document contains the term. It need not be the X of the fit.
    vocabulary : sequence of str, or dict of term -> column, optional
        The terms of the columns. Required for lists of terms with X. Default: the names of the
        features that the model keeps, which a model with texts needs.
    texts : sequence of sequences of str, or of str with a tokenizer, optional
        The words of each text in their order, instead of X. They are counted in sliding windows.
    measure : {"npmi", "umass", "uci", "c_v"}, default "npmi"
        - "umass": the mean of log((p(v, u) + epsilon) / p(u)) over all pairs of terms in which
          u ranks above v (Mimno et al. 2011, who take the sum, with ``epsilon=1 / n_samples``).
        - "uci": the mean of log((p(v, u) + epsilon) / (p(v) p(u))) (Newman et al. 2010).
        - "npmi": the same, with each logarithm divided by -log(p(v, u) + epsilon); from -1 to 1
          (Bouma 2009; Aletras and Stevenson 2013).
        - "c_v": each term has a vector, its npmi with every term of the topic; the mean cosine
          between these vectors and their sum (Röder et al. 2015). It requires texts.
        - p(v) is the share of the documents (or windows) that contain the term v, and p(v, u)
          the share that contain both.
    n_terms : int, default 10
        Number of top terms of each topic.
    window : int or None, optional
        Number of words in a window, for texts; None takes each text as a whole. Default, as in
        Röder et al.: 110 for "c_v", 10 for "npmi" and "uci", None for "umass".
    tokenizer : callable, optional
        Splits a string into words. Required if the texts are strings.
    epsilon : float, default 1e-12
        Keeps the logarithm finite for terms that never occur together.

    Returns
    -------
    ndarray of shape (n_topics,), float64
        Higher is better; the mean is the coherence of the model. NaN for a topic of fewer than
        two terms. A pair counts 0 if one of its terms occurs in no document, or if both occur in
        every document.

    Raises
    ------
    TypeError, ValueError
        If arguments do not fit together, or if a top term is not in the vocabulary.

    Notes
    -----
    The values are those of gensim's ``CoherenceModel``, with two exceptions: where gensim divides
    by zero, and where a window contains a term twice. Gensim forgets such a term as soon as its
    first occurrence leaves the window.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsenmf import topic_coherence
    >>> X = np.array([[1, 1, 0, 0], [2, 1, 0, 0], [0, 0, 1, 1], [0, 3, 0, 1]])
    >>> terms = ["court", "judge", "oven", "flour"]
    >>> topic_coherence([["court", "judge"], ["oven", "flour"], ["court", "flour"]], X, terms)
    array([ 0.4150375 ,  0.5       , -0.94982833])
    """
    check_choice(measure, "measure", MEASURES)
    n_terms = check_integer(n_terms, "n_terms", least=2)
    epsilon = check_number(epsilon, "epsilon", most=1.0, open_below=True)
    if (X is None) == (texts is None):
        raise ValueError("coherence needs X or texts, and not both")
    if vocabulary is not None:
        vocabulary = check_vocabulary(vocabulary, getattr(topics, "n_features", None))
    if texts is None:
        if measure == "c_v":
            raise ValueError('"c_v" counts terms in windows of text: pass texts instead of X')
        if window != "default" or tokenizer is not None:
            raise ValueError("window and tokenizer are for texts, not for X")
        columns = top_columns(topics, n_terms, vocabulary)
        n_features = getattr(topics, "n_features", None) or len(vocabulary or ())
        found = count_in_documents(X, columns, n_features)
    else:
        window = WINDOWS[measure] if window == "default" else window
        if window is not None:
            window = check_integer(window, "window", least=2)
        terms = _top_terms(topics, n_terms, vocabulary)
        found = count_in_texts(texts, terms, window, tokenizer)
    together, n_documents = found
    score = {"umass": _umass, "npmi": _npmi_mean, "uci": _uci, "c_v": _c_v}[measure]
    return np.array(
        [score(counts / n_documents, epsilon) if len(counts) > 1 else np.nan for counts in together]
    )


def _top_terms(topics, n_terms, vocabulary):
    if not hasattr(topics, "H"):
        return [terms[:n_terms] for terms in check_topics(topics)]
    return topics.top_terms(vocabulary, n_terms)


def _umass(joint, epsilon):
    """Return the mean log conditional probability of a term, given one that ranks above it."""
    below, above = np.tril_indices(len(joint), -1)
    single = joint.diagonal()[above]
    return np.log(_ratio(joint[below, above] + epsilon, single)).mean()


def _pmi(joint, epsilon):
    """Return the pointwise mutual information of all pairs, 0 for terms that do not occur."""
    single = joint.diagonal()
    return np.log(_ratio(joint + epsilon, np.outer(single, single)))


def _npmi(joint, epsilon):
    information = -np.log(joint + epsilon)
    # Terms that occur in every document would give 0 / 0.
    everywhere = joint == 1
    return np.where(everywhere, 0.0, _pmi(joint, epsilon) / np.where(everywhere, 1, information))


def _uci(joint, epsilon):
    return _pmi(joint, epsilon)[np.triu_indices(len(joint), 1)].mean()


def _npmi_mean(joint, epsilon):
    return _npmi(joint, epsilon)[np.triu_indices(len(joint), 1)].mean()


def _c_v(joint, epsilon):
    vectors = _npmi(joint, epsilon)
    total = vectors.sum(axis=0)
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(total)
    return np.divide(vectors @ total, lengths, out=np.zeros(len(joint)), where=lengths > 0).mean()


def _ratio(values, by):
    """Return values / by, and 1 where `by` is zero."""
    return np.divide(values, by, out=np.ones_like(values), where=by > 0)
