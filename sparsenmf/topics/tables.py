"""Tables of topics, terms and documents."""

from __future__ import annotations

import textwrap
from functools import partial
from typing import Any, Literal

import numpy as np

from ..data.arguments import check_flag, check_integer
from ..data.names import component_names, terms_of
from ..data.texts import shorten
from ..data.typing import Matrix, Names, TermOrder, Vocabulary
from ..models.components import Components
from ..models.factorization import Factorization
from ..models.ranking import relevances, top_indices
from .labels import numbered_titles
from .labels import topic_labels as topic_labels
from .typical_documents import summarize_topics

INDENT = 13  # characters that number and share take in printed topics


def topic_table(
    model: Factorization,
    vocabulary: Vocabulary | None = None,
    titles: Names | None = None,
    n_terms: int = 10,
    n_documents: int = 2,
    X: Matrix | None = None,
    *,
    by: TermOrder | Literal["both"] = "both",
) -> dict[str, list[Any]]:
    """Return a table of the topics, heaviest first.

    Parameters
    ----------
    model : Factorization
    vocabulary : sequence of str, or dict of term -> column, optional
        Default: the names of the features that the model keeps.
    titles : sequence of n_samples str, optional
        Default: the names of the samples that the model keeps, or "document 1", ...
    n_terms : int, default 10
        Number of top terms of each topic.
    n_documents : int, default 2
        Number of typical documents of each topic: those whose words match it best.
    X : matrix of shape (n_samples, n_features), optional
        The matrix that the model was fitted to: typical documents are then measured, not
        estimated.
    by : {"both", "weight", "distinctive"} or float, default "both"
        Which terms are the top terms, as in `Factorization.top_terms`: those of the largest
        weight, the most distinctive ones, or both, in two columns.

    Returns
    -------
    dict of str -> list
        Columns for `pandas.DataFrame` or `sparsenmf.data.files.write_table`: "topic" (the first
        is 1), "share" (of the sum of W H), "terms" (a list for each topic), with both also
        "distinctive" (a list for each topic), and "documents" (a list of titles for each topic).

    Raises
    ------
    TypeError, ValueError
        If the length of vocabulary or titles is not that of the model's factors, or if there is
        no vocabulary and the model has no names.

    Examples
    --------
    >>> from sparsenmf import factorize, topic_table
    >>> X = [[4, 2, 0, 0], [2, 1, 0, 0], [0, 0, 3, 1], [0, 0, 6.0, 2]]
    >>> terms = ["cat", "mouse", "stock", "market"]
    >>> model = factorize(X, 2, random_state=0)
    >>> table = topic_table(model, terms, n_terms=2)
    >>> table["topic"], table["terms"]
    ([1, 2], [['stock', 'market'], ['cat', 'mouse']])
    >>> list(table)
    ['topic', 'share', 'terms', 'distinctive', 'documents']
    """
    n_documents = check_integer(n_documents, "n_documents", least=0)
    titles = numbered_titles(model, titles)
    terms = terms_in_columns(model, vocabulary, n_terms, by)
    summary = summarize_topics(model, n_documents, X)
    return {
        "topic": list(range(1, model.n_components + 1)),
        "share": summary.shares.tolist(),
        **terms,
        "documents": [[titles[i] for i in rows] for rows in summary.documents],
    }


def terms_in_columns(model, vocabulary, n_terms, by):
    """Return the columns of top terms: "terms", and "distinctive" if `by` is "both"."""
    if by != "both":
        return {"terms": model.top_terms(vocabulary, n_terms, by=by)}
    orders = {"terms": "weight", "distinctive": "distinctive"}
    return {name: model.top_terms(vocabulary, n_terms, by=by) for name, by in orders.items()}


def term_table(
    model: Components,
    vocabulary: Vocabulary | None = None,
    n_terms: int | None = None,
    *,
    by: TermOrder = "weight",
) -> dict[str, list[Any]]:
    """Return a table of the terms of each topic, with their weights and relevances.

    Parameters
    ----------
    model : Components
        For example a Factorization.
    vocabulary : sequence of str, or dict of term -> column, optional
        Default: the names of the features that the model keeps.
    n_terms : int, optional
        Number of terms of each topic. Default: all terms whose weight is not zero.
    by : {"weight", "distinctive"} or float, default "weight"
        The order of the terms, as in `Factorization.top_terms`.

    Returns
    -------
    dict of str -> list
        Columns "topic" (the first is 1), "term", "weight" (the entry of H) and "relevance", with
        a row for each term of a topic. The largest relevances in a topic are those of the most
        distinctive terms, or, if `by` is a number, those for this lambda.

    Raises
    ------
    TypeError, ValueError
        If the vocabulary does not have n_features terms, or if there is none and the model has no
        names.

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
    terms = terms_of(model, vocabulary)
    n = model.n_features if n_terms is None else check_integer(n_terms, "n_terms", least=1)
    table: dict[str, list[Any]] = {"topic": [], "term": [], "weight": [], "relevance": []}
    scores_of = relevances(model, "distinctive" if by == "weight" else by)
    for r, (weights, scores) in enumerate(zip(model.H, scores_of, strict=True)):
        order = top_indices(weights if by == "weight" else scores, n)
        table["topic"] += [r + 1] * len(order)
        table["term"] += [terms[j] for j in order]
        table["weight"] += list(weights[order])
        table["relevance"] += np.log(scores[order]).tolist()
    return table


def document_table(
    model: Factorization, titles: Names | None = None, all_topics: bool = False
) -> dict[str, Any]:
    """Return a table of the documents and their topics.

    Parameters
    ----------
    model : Factorization
    titles : sequence of n_samples str, optional
        Default: the names of the samples that the model keeps, or "document 1", ...
    all_topics : bool, default False
        Whether to add a column with the share of each topic.

    Returns
    -------
    dict of str -> sequence
        Columns "document" (the first is 1), "title", "topic" (the number of the strongest topic;
        None for a document without topics), "share" (the strongest topic's share of the
        document's row of W H), and, with `all_topics`, "topic_1", "topic_2", ... with the share
        of each topic.

    Raises
    ------
    TypeError, ValueError
        If there are not n_samples titles.

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
    titles = numbered_titles(model, titles)
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


def format_topics(table, width=100):
    """Return a `topic_table` as text, at most `width` characters wide."""
    indent, room = " " * INDENT, width - INDENT
    wrap = partial(textwrap.wrap, width=room, break_on_hyphens=False)  # genes such as HLA-DRA
    blocks = []
    for row in zip(*table.values(), strict=True):
        topic = dict(zip(table, row, strict=True))
        lines = wrap(", ".join(topic["terms"])) or [""]
        lines[0] = f"{topic['topic']:3d}. {topic['share']:6.1%}  {lines[0]}"
        if topic.get("distinctive"):
            lines += wrap(f"distinctive: {', '.join(topic['distinctive'])}")
        lines += [shorten(f"- {title}", room) for title in topic["documents"]]
        blocks.append(f"\n{indent}".join(lines) + "\n")
    return "\n".join(blocks)


def document_mass(model):
    """Return the sum of each W[i, r] * H[r], which can be compared between topics, unlike W."""
    return model.W * model.H.sum(axis=1)
