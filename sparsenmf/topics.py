"""Topics of texts: weigh their words, factorize, and keep what belongs together."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ._factorize import factorize
from .factorization import Factorization
from .labels import check_labels
from .tables import document_table, format_topics, term_table, topic_table
from .texts import shorten
from .validation import check_choice, check_matrix

WEIGHTINGS = ("tfidf", "counts")

WORDS = r"\b[^\W\d_]{3,}\b"
"""Words of three letters or more, in any alphabet."""


@dataclass(repr=False, eq=False)
class Topics:
    """Topics of a collection of texts.

    Attributes
    ----------
    model : Factorization
        Of the matrix of texts x terms. Topic r of the tables is ``model.H[r - 1]``.
    terms : ndarray of str
        The columns of ``model.H``.
    titles : sequence of str
        The rows of ``model.W``.
    vectorizer : sklearn.feature_extraction.text.CountVectorizer or TfidfVectorizer
        Fitted: ``model.transform(vectorizer.transform(texts))`` are the topics of new texts.
    """

    model: Factorization
    terms: np.ndarray
    titles: Any
    vectorizer: Any

    def _import_sklearn():
    try:
        from sklearn.feature_extraction import text
    except ImportError as error:
        raise ImportError(
            "topics of texts need scikit-learn: pip install 'sparsenmf[text]'"
        ) from error
    return text
