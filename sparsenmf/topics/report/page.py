"""The report: its arguments are checked, its numbers computed, and its page written."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import platform
from importlib import resources
from string import Template
from typing import Any, Literal

import numpy as np

from ... import __version__
from ...data.arguments import check_integer
from ...data.names import check_names, terms_of
from ...data.outputs import check_outputs, check_path, open_whole
from ...data.typing import Matrix, Names, PathLike, TermOrder, Vocabulary
from ...models.factorization import Factorization
from ...models.ranking import check_by, top_features, top_indices
from ..labels import titles_of
from ..similarity import topic_layout, topic_similarity
from ..typical_documents import check_fitted_matrix, summarize_topics
from .figures import draw_history, draw_map
from .parts import (
    TERM_WIDTH,
    TITLE_WIDTH,
    Topic,
    facts_of,
    lay_out_facts,
    lay_out_index,
    lay_out_options,
    lay_out_topics,
    show,
    show_lines,
)
from .script import script_of_model
from .summary import summarize

N_SIMILAR = 3  # most similar topics that a topic links to
LEAST_SIMILAR = 0.1  # smallest cosine of similar topics
MANY = 100  # with more topics, the browser lays out only those in sight


def report(
    self: Factorization,
    path: PathLike,
    vocabulary: Vocabulary | None = None,
    documents: Names | None = None,
    *,
    titles: Names | None = None,
    title: str = "Topics",
    n_terms: int = 10,
    by: TermOrder | Literal["both"] = "both",
    n_documents: int = 3,
    n_characters: int = 240,
    details: dict[str, Any] | None = None,
    X: Matrix | None = None,
    vectorizer: Any = None,
    script: str | None = None,
) -> None:
    """Write a report about the topics as one HTML file, which any browser shows.

    The page begins with two sentences on what was found and a map of the topics (`topic_layout`).
    The heaviest and the most distinctive terms of each topic and its typical documents follow; a
    reader can search, filter and sort them. A script that fits the model again, the convergence
    and the options end the page. It loads nothing, and it works without JavaScript, on a phone and
    in print. Texts are shown as text: they never become markup.

    Parameters
    ----------
    path : str or path-like
        For example "topics.html". If writing fails, no partial file is left.
    vocabulary : sequence of n_features str, or dict of term -> column, optional
        As for `top_terms`. The page shows at most 80 characters of a term.
    documents : sequence of n_samples str, optional
        The texts of the documents. Default: "document 1", ...
    titles : sequence of n_samples str, optional
        The titles of the documents, shown above their texts. Default: the names of the samples
        that the model keeps.
    title : str, default "Topics"
        The title of the page.
    n_terms : int, default 10
        Number of top terms of each topic.
    by : {"both", "weight", "distinctive"} or float, default "both"
        Which terms are the top terms, as in `top_terms`: those of the largest weight, the most
        distinctive ones, or both, in two lists.
    n_documents : int, default 3
        Number of typical documents of each topic: those whose words match it best, see
        `sparsenmf.topics.typical_documents.typical_documents`.
    n_characters : int, default 240
        Number of characters that are shown of a document. With the defaults the page takes about
        5 KB for each topic, however many documents there are.
    details : dict of str -> value, optional
        Further rows for the numbers of the fit, such as ``{"Nonzeros": X.nnz}``.
    X : matrix of shape (n_samples, n_features), optional
        The matrix that the model was fitted to. Typical documents are then measured, not
        estimated; and for the Kullback-Leibler loss the page states how much the topics explain.
    vectorizer : sklearn.feature_extraction.text.TfidfVectorizer or another, optional
        The vectorizer that made X from texts: the script then begins with the texts.
    script : str, optional
        The script that fits the model again, shown as it is. Default: a script made from the
        options of the model.

    Raises
    ------
    OSError
        If the folder does not exist or cannot be written to.
    TypeError, ValueError
        If an argument has the wrong type, value or length.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sparsenmf import factorize
    >>> X = [[4, 2, 0, 0], [2, 1, 0, 0], [0, 0, 3, 1], [0, 0, 6.0, 2]]
    >>> model = factorize(X, 2, random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "topics.html")
    ...     model.report(path, ["cat", "mouse", "stock", "market"])
    ...     path.read_text().count("<article")
    2
    """
    model = self
    path = check_path(path, "path")
    if by != "both":
        check_by(by)
    check_outputs([("path", path)], [("W", model.W), ("H", model.H)])
    vocabulary = terms_of(model, vocabulary)
    if documents is None:
        documents = [None] * model.n_samples
    names = {
        "documents": check_names(documents, model.n_samples, "documents"),
        "titles": titles_of(model, titles),
    }
    if not isinstance(title, str):
        raise TypeError(f"title must be a string, not {title!r}")
    if details is not None and not isinstance(details, dict):
        raise TypeError(f"details must be a dict of names and values, not {details!r}")
    if not (script is None or isinstance(script, str)):
        raise TypeError(f"script must be a string, not {script!r}")
    for method in ("get_params", "fit_transform"):
        if vectorizer is not None and not hasattr(vectorizer, method):
            raise TypeError(
                f"vectorizer must be a scikit-learn vectorizer, such as TfidfVectorizer, "
                f"not {vectorizer!r}"
            )
    n_terms = check_integer(n_terms, "n_terms", least=1)
    n_documents = check_integer(n_documents, "n_documents", least=0)
    n_characters = check_integer(n_characters, "n_characters", least=10)

    details, X = details or {}, check_fitted_matrix(X, model)
    if script is None:
        script = script_of_model(model, vectorizer)
    summary = summarize_topics(model, n_documents, X)
    topics = make_topics(model, vocabulary, names, summary, n_terms, by, n_characters)
    page = lay_out(model, topics, summary, X, title, details, script, order_of(by))
    with open_whole(path) as file:
        file.write(page.encode())


def make_topics(model, vocabulary, names, summary, n_terms, by, n_characters):
    """Return a `Topic` for each topic; `names` has the documents and their titles."""
    listed = top_features(model, n_terms, "weight" if by == "both" else by)
    distinctive = top_features(model, n_terms, "distinctive") if by == "both" else listed
    similarity = topic_similarity(model.H)
    np.fill_diagonal(similarity, 0.0)
    topics = []
    for r, weights in enumerate(model.H):
        columns, total = listed[r], weights.sum(dtype=np.float64)
        near, rows = top_indices(similarity[r], N_SIMILAR), summary.documents[r]
        shown = [
            show_document(names["titles"][i], names["documents"][i], n_characters) for i in rows
        ]
        topics.append(
            Topic(
                number=r + 1,
                terms=[show_term(vocabulary[j]) for j in columns],
                distinctive=[show_term(vocabulary[j]) for j in distinctive[r]],
                shows_both=by == "both",
                weights=[float(weights[j] / total) for j in columns],
                share=float(summary.shares[r]),
                count=int(summary.counts[r]),
                rows=[i + 1 for i in rows],
                titles=[name for name, _ in shown],
                texts=[text for _, text in shown],
                matches=summary.matches[r],
                similar=[int(s) for s in near if similarity[r, s] >= LEAST_SIMILAR],
            )
        )
    return topics


def order_of(by):
    """Return the sentence that says what the top terms are; HTML."""
    distinctive = "the most distinctive ones, frequent in the topic and rarer elsewhere"
    if by == "weight":
        return "The top terms are those of the largest weight."
    if by == "both":
        return f"The top terms are those of the largest weight, and {distinctive}."
    if by == "distinctive":
        return f"The top terms are {distinctive}."
    return f"The top terms are those of the largest relevance, with lambda = {by:g}."


def show_term(term):
    """Return a term as shown."""
    return show(term, TERM_WIDTH) or "(blank)"


def show_document(title, text, n_characters):
    """Return title and text as shown; a title that only repeats the text is left out."""
    title = show(title or "", n_characters)
    if title and text and show(text, len(title)) == title:
        title = ""
    return title, show(text or "", n_characters)


def lay_out(model, topics, summary, X, title, details, script, order):
    """Return the HTML of the page."""
    files = resources.files(__package__)
    page, style, code = (
        files.joinpath(f"page.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js")
    )
    # The page may load nothing, and may run no script but this one.
    policy = (
        f"default-src 'none'; style-src {hash_of(style)}; script-src {hash_of(code)}; "
        f"base-uri 'none'; form-action 'none'"
    )
    return Template(page).substitute(
        policy=policy,
        version=__version__,
        style=style,
        script=code,
        title=show(title, TITLE_WIDTH, escape=True) or "Topics",
        lead=" ".join(summarize(model, X)),
        facts=lay_out_facts({**facts_of(model, summary), **details}),
        map=draw_map(topic_layout(model.H), topics),
        index=lay_out_index(topics),
        many="many" if len(topics) > MANY else "few",
        order=order,
        topics=lay_out_topics(topics),
        convergence=draw_history(model.time_history, model.objective_history),
        options=lay_out_options(model.options),
        again=show_lines(script.strip()),
        versions=versions_of(model),
    )


def hash_of(text):
    """Return the source by which a Content-Security-Policy allows an inline style or script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def versions_of(model):
    """Return a sentence with the versions that fitted the model and wrote the page."""
    made = show(model.options.get("sparsenmf", "an unknown version"), 30, escape=True)
    packages = [
        f"{name} {importlib.metadata.version(name)}" for name in ("numba", "numpy", "scipy")
    ]
    here = ", ".join([f"sparsenmf {__version__}", f"Python {platform.python_version()}", *packages])
    return f"Fitted by sparsenmf {made}. This page was written by {here}."
