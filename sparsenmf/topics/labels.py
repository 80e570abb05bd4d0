"""Short names of topics and of documents."""

from __future__ import annotations

from ..data.arguments import check_integer
from ..data.names import check_names
from ..data.typing import Matrix, Names, TermOrder, Vocabulary
from ..models.factorization import Factorization
from .typical_documents import typical_documents

MAX_LABEL_TERMS = 10


def topic_labels(
    model: Factorization,
    vocabulary: Vocabulary | None = None,
    titles: Names | None = None,
    n_terms: int = 3,
    X: Matrix | None = None,
    *,
    by: TermOrder = "distinctive",
) -> list[str]:
    """Return a short label for each topic, made of its top terms.

    Parameters
    ----------
    model : Factorization
    vocabulary : sequence of str, or dict of term -> column, optional
        Default: the names of the features that the model keeps.
    titles : sequence of n_samples str, optional
        If given, the title of the most typical document follows the terms.
    n_terms : int, default 3
        Number of terms in a label. Topics with the same first terms get more, up to ten, until
        their labels differ.
    X : matrix of shape (n_samples, n_features), optional
        The matrix that the model was fitted to: typical documents are then measured, not
        estimated.
    by : {"weight", "distinctive"} or float, default "distinctive"
        Which terms are the top terms, as in `Factorization.top_terms`.

    Returns
    -------
    list of n_components str
        For example "court, judge, law", or "court, judge, law: The verdict of ...". The label of
        a topic without terms is "(empty)".

    Raises
    ------
    TypeError, ValueError
        If the length of vocabulary or titles is not that of the model's factors, or if there is
        no vocabulary and the model has no names.

    Examples
    --------
    >>> from sparsenmf import factorize, topic_labels
    >>> X = [[4, 2, 0, 0], [2, 1, 0, 0], [0, 0, 3, 1], [0, 0, 6.0, 2]]
    >>> terms = ["cat", "mouse", "stock", "market"]
    >>> model = factorize(X, 2, random_state=0)
    >>> topic_labels(model, terms, n_terms=2)
    ['stock, market', 'cat, mouse']
    """
    n_terms = check_integer(n_terms, "n_terms", least=1)
    terms = model.top_terms(vocabulary, max(n_terms, MAX_LABEL_TERMS), by=by)
    labels = [", ".join(listed[:n_terms]) for listed in terms]
    for n in range(n_terms + 1, MAX_LABEL_TERMS + 1):
        repeated = {label for label in labels if labels.count(label) > 1}
        labels = [
            ", ".join(listed[:n]) if label in repeated else label
            for listed, label in zip(terms, labels, strict=True)
        ]
    if titles is not None:
        titles = numbered_titles(model, titles)
        labels = [
            f"{label}: {titles[rows[0]]}" if len(rows) else label
            for label, rows in zip(labels, typical_documents(model, 1, X), strict=True)
        ]
    return [label or "(empty)" for label in labels]


def titles_of(model, titles=None) -> list[str | None]:
    """Return the titles given, or the names of samples that the model keeps; None if missing."""
    if titles is not None:
        return check_names(titles, model.n_samples, "titles")
    names = model.sample_names
    if names is None:
        return [None] * model.n_samples
    return [name or None for name in check_names(names, model.n_samples, "sample_names")]


def numbered_titles(model, titles) -> list[str]:
    """Return the titles as a list; a document without a title is "document 1", ..."""
    return [
        f"document {i}" if title is None else title
        for i, title in enumerate(titles_of(model, titles), 1)
    ]
