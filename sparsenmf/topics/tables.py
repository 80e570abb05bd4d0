"""Tables of topics, terms and documents: a factorization as people read it."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np

from ..data.arguments import check_flag, check_integer
from ..data.names import check_names, check_vocabulary, component_names
from ..data.texts import shorten
from ..data.typing import Matrix, Names, Vocabulary
from ..models.factorization import Factorization
from .top_terms import heaviest
from .typical_documents import summarize_topics, typical_documents

MOST_TERMS = 10  # in a label

INDENT = 13  # columns of the printed topics that hold number and share


def topic_table(
    model: Factorization,
    vocabulary: Vocabulary,
    titles: Names | None = None,
    n_terms: int = 10,
    n_documents: int = 2,
    X: Matrix | None = None,
) -> dict[str, list[Any]]:
    """Tabulate topics, heaviest first.

    Parameters
    ----------
    model : Factorization
    vocabulary : sequence of str, or dict of term -> column
        As in `Factorization.top_terms`.
    titles : sequence of n_samples str, optional
        Default: "document 1", ...
    n_terms : int, default 10
        Heaviest terms of each topic.
    n_documents : int, default 2
        Typical documents of each: those whose words match it best.
    X : matrix of shape (n_samples, n_features), optional
        What the model was fitted to, see `typical_documents`.

    Returns
    -------
    dict of str -> list
        Columns for `pandas.DataFrame` or `sparsenmf.files.write_table`: "topic" (from 1),
        "share" of the sum of W H, "terms" (a list for each topic), "documents" (titles).

    Raises
    ------
    TypeError, ValueError
        If vocabulary or titles do not fit.

    Examples
    --------
    >>> from sparsenmf import factorize, topic_table
    >>> X = [[4, 2, 0, 0], [2, 1, 0, 0], [0, 0, 3, 1], [0, 0, 6.0, 2]]
    >>> terms = ["cat", "mouse", "stock", "market"]
    >>> model = factorize(X, 2, random_state=0)
    >>> table = topic_table(model, terms, n_terms=2)
    >>> table["topic"], table["terms"]
    ([1, 2], [['stock', 'market'], ['cat', 'mouse']])
    """
    n_documents = check_integer(n_documents, "n_documents", least=0)
    titles = _titles(model, titles)
    terms = model.top_terms(vocabulary, n_terms)
    summary = summarize_topics(model, n_documents, X)
    return {
        "topic": list(range(1, len(terms) + 1)),
        "share": summary.shares.tolist(),
        "terms": terms,
        "documents": [[titles[i] for i in rows] for rows in summary.documents],
    }


def term_table(
    model: Factorization, vocabulary: Vocabulary, n_terms: int | None = None
) -> dict[str, list[Any]]:
    """Tabulate the terms of each topic, heaviest first.

    Parameters
    ----------
    model : Factorization
    vocabulary : sequence of str, or dict of term -> column
    n_terms : int, optional
        Of each topic. Default: all whose weight is not zero.

    Returns
    -------
    dict of str -> list
        Columns "topic" (from 1), "term" and "weight", a row for each entry of H.

    Raises
    ------
    TypeError, ValueError
        If the vocabulary does not fit.

    Examples
    --------
    >>> from sparsenmf import factorize, term_table
    >>> X = [[4, 2, 0, 0], [2, 1, 0, 0], [0, 0, 3, 1], [0, 0, 6.0, 2]]
    >>> terms = ["cat", "mouse", "stock", "market"]
    >>> model = factorize(X, 2, random_state=0)
    >>> table = term_table(model, terms, n_terms=2)
    >>> table["topic"], table["term"]
    ([1, 1, 2, 2], ['stock', 'market', 'cat', 'mouse'])
    """
    vocabulary = check_vocabulary(vocabulary, model.n_features)
    n = model.n_features if n_terms is None else check_integer(n_terms, "n_terms", least=1)
    table: dict[str, list[Any]] = {"topic": [], "term": [], "weight": []}
    for r, weights in enumerate(model.H):
        order = heaviest(weights, n)
        table["topic"] += [r + 1] * len(order)
        table["term"] += [vocabulary[j] for j in order]
        table["weight"] += list(weights[order])
    return table


def document_table(
    model: Factorization, titles: Names | None = None, all_topics: bool = False
) -> dict[str, Any]:
    """Tabulate documents and their topics, in their order.

    Parameters
    ----------
    model : Factorization
    titles : sequence of n_samples str, optional
        Default: "document 1", ...
    all_topics : bool, default False
        Also the share of each topic.

    Returns
    -------
    dict of str -> sequence
        Columns "document" (from 1), "title", "topic" (the strongest, from 1; None for a
        document without any), "share" (its part of the document's row of W H), and, for
        all topics, "topic_1", "topic_2", ...: their shares.

    Raises
    ------
    TypeError, ValueError
        If the titles do not fit.

    Examples
    --------
    >>> from sparsenmf import document_table, factorize
    >>> X = [[4, 2, 0, 0], [2, 1, 0, 0], [0, 0, 3, 1], [0, 0, 6.0, 2]]
    >>> model = factorize(X, 2, random_state=0)
    >>> table = document_table(model)
    >>> table["title"], table["topic"]
    (['document 1', 'document 2', 'document 3', 'document 4'], [2, 2, 1, 1])
    """
    check_flag(all_topics, "all_topics")
    titles = _titles(model, titles)
    mass = document_mass(model)
    total = mass.sum(axis=1, keepdims=True)
    shares = np.divide(mass, total, out=np.zeros_like(mass), where=total > 0)
    strongest = shares.argmax(axis=1)
    table = {
        "document": list(range(1, len(shares) + 1)),
        "title": titles,
        "topic": [
            r + 1 if some else None for r, some in zip(strongest.tolist(), total > 0, strict=True)
        ],
        "share": np.take_along_axis(shares, strongest[:, None], axis=1)[:, 0],
    }
    if all_topics:
        table |= dict(zip(component_names(model.n_components), shares.T, strict=True))
    return table


def topic_labels(
    model: Factorization,
    vocabulary: Vocabulary,
    titles: Names | None = None,
    n_terms: int = 3,
    X: Matrix | None = None,
) -> list[str]:
    """Return a short label for each topic: its heaviest terms.

    Parameters
    ----------
    model : Factorization
    vocabulary : sequence of str, or dict of term -> column
    titles : sequence of n_samples str, optional
        If given, the title of the most typical document follows.
    n_terms : int, default 3
        Where two topics begin with the same terms, they get as many more as it takes to
        tell them apart (up to ten).
    X : matrix of shape (n_samples, n_features), optional
        What the model was fitted to, see `typical_documents`.

    Returns
    -------
    list of n_components str
        Such as "court, judge, law", or "court, judge, law: The verdict of ...". A topic
        that is zero is "(empty)".

    Raises
    ------
    TypeError, ValueError
        If vocabulary or titles do not fit.

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
    terms = model.top_terms(vocabulary, max(n_terms, MOST_TERMS))
    labels = [", ".join(listed[:n_terms]) for listed in terms]
    for n in range(n_terms + 1, MOST_TERMS + 1):
        twice = {label for label in labels if labels.count(label) > 1}
        labels = [
            ", ".join(listed[:n]) if label in twice else label
            for listed, label in zip(terms, labels, strict=True)
        ]
    if titles is not None:
        titles = _titles(model, titles)
        labels = [
            f"{label}: {titles[rows[0]]}" if len(rows) else label
            for label, rows in zip(labels, typical_documents(model, 1, X), strict=True)
        ]
    return [label or "(empty)" for label in labels]


def format_topics(table, width=100):
    """Return a `topic_table` as text for people, of at most `width` columns."""
    indent = " " * INDENT
    blocks = []
    for topic, share, terms, documents in zip(*table.values(), strict=True):
        lines = textwrap.wrap(", ".join(terms), width - INDENT) or [""]
        lines[0] = f"{topic:3d}. {share:6.1%}  {lines[0]}"
        lines += [shorten(f"- {title}", width - INDENT) for title in documents]
        blocks.append(f"\n{indent}".join(lines) + "\n")
    return "\n".join(blocks)


def document_mass(model):
    """Return the sums of W[i, r] * H[r]: unlike W, they can be compared between topics."""
    return model.W * model.H.sum(axis=1)


def _titles(model, titles) -> list[str]:
    """Return the titles as a list; documents without one have a number."""
    if titles is None:
        titles = [None] * model.n_samples
    else:
        titles = check_names(titles, model.n_samples, "titles")
    return [f"document {i}" if title is None else title for i, title in enumerate(titles, 1)]
