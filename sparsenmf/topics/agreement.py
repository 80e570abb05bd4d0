"""Agreement of topics with known labels."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.names import check_labels, is_missing
from ..data.typing import Names
from ..models.factorization import Factorization
from .quality import dominant_topics


class LabelAgreement(NamedTuple):
    """How well the strongest topics of documents agree with labels.

    Attributes
    ----------
    nmi : float
        Mutual information, normalized by the arithmetic mean of the entropies. 1 if topics and
        labels are the same partition, 0 if they are independent or if there is only one topic.
    purity : float
        Share of the documents whose label is the most frequent one of their topic. It rises with
        the number of topics.
    table : ndarray of shape (n_topics + 1, n_labels), int64
        Number of documents of each topic and label; the last row counts documents without topics.
    labels : list
        The labels of the table's columns, in the order in which they first appear.
    """

    nmi: float
    purity: float
    table: NDArray[np.int64]
    labels: list[Any]


def label_agreement(model: Factorization, labels: Names) -> LabelAgreement:
    """Measure how well the strongest topic of each document agrees with its label.

    The measures are those of Manning, Raghavan and Schütze 2008, "Introduction to information
    retrieval", section 16.3.

    Parameters
    ----------
    model : Factorization
    labels : sequence of n_samples labels
        None and NaN stand for an unknown label; these documents are left out.

    Returns
    -------
    LabelAgreement
        The measures nmi and purity, and the table of topics x labels that they are computed
        from. Documents without topics count as one more topic.

    Raises
    ------
    ImportError
        If scikit-learn is not installed.
    TypeError, ValueError
        If there are not n_samples labels, or if all are unknown.

    Examples
    --------
    >>> from sparsenmf import factorize, label_agreement
    >>> X = [[4, 2, 0, 0], [2, 1, 0, 0], [0, 0, 3, 1], [0, 0, 6.0, 2]]
    >>> model = factorize(X, 2, random_state=0)
    >>> label_agreement(model, ["pets", "pets", "money", "money"]).nmi
    1.0
    """
    try:
        from sklearn.metrics import normalized_mutual_info_score
    except ImportError as error:
        raise ImportError(
            'label_agreement needs scikit-learn: pip install "sparsenmf[sklearn]"'
        ) from error
    labels = check_labels(labels, model.n_samples, "labels")
    codes, names = encode(labels)
    known = codes >= 0
    if not known.any():
        raise ValueError("labels has no label that is known: all are None or NaN")
    topics, codes = dominant_topics(model)[known], codes[known]
    table = np.zeros((model.n_components + 1, len(names)), dtype=np.int64)
    np.add.at(table, (topics, codes), 1)  # -1, a document without topics, is the last row
    purity = table.max(axis=1).sum() / len(codes)
    return LabelAgreement(
        float(normalized_mutual_info_score(codes, topics)), float(purity), table, names
    )


def encode(labels):
    """Return integer codes of labels, -1 for None, NaN and NaT, and the label of each code."""
    numbers: dict[Any, int] = {}
    codes = np.empty(len(labels), dtype=np.int64)
    for i, label in enumerate(labels):
        if isinstance(label, bytes):
            label = label.decode(errors="replace")
        elif isinstance(label, np.generic) and not isinstance(label, np.datetime64):
            label = label.item()
        codes[i] = -1 if is_missing(label) else numbers.setdefault(label, len(numbers))
    return codes, list(numbers)
