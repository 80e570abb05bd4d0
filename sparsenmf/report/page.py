"""The page: what is checked, measured and put together, and that it is written whole."""

import base64
import hashlib
import importlib.metadata
import platform
from importlib import resources
from string import Template

import numpy as np

from .. import __version__
from ..arguments import check_integer, check_path
from ..names import check_names, check_vocabulary
from ..outputs import check_outputs
from ..similarity import topic_layout, topic_similarity
from ..storage import open_whole
from ..survey import survey
from ..toplists import heaviest
from .figures import draw_history, draw_map
from .parts import (
    Topic,
    code_of,
    facts_of,
    lay_out_facts,
    lay_out_index,
    lay_out_options,
    lay_out_topics,
    lead_of,
)
from .safe import TERM_WIDTH, TITLE_WIDTH, show

N_SIMILAR = 3  # topics that each topic is compared with
MANY = 100  # topics from which on the browser lays out only those that are in sight
LEAST_SIMILAR = 0.1  # cosine below which they are not


def write_report(
    model, path, vocabulary, documents, title, n_terms, n_documents, n_characters, details, X=None
):
    """Write the page of a `Factorization`; see `Factorization.report`."""
    path = check_path(path, "path")
    check_outputs([("path", path)], [("W", model.W), ("H", model.H)])
    vocabulary = check_vocabulary(vocabulary, model.n_features)
    if documents is not None:
        documents = check_names(documents, model.n_samples, "documents")
    if not isinstance(title, str):
        raise TypeError(f"title must be a string, not {title!r}")
    if details is not None and not isinstance(details, dict):
        raise TypeError(f"details must be a dict of names and values, not {details!r}")
    n_terms = check_integer(n_terms, "n_terms", least=1)
    n_documents = check_integer(n_documents, "n_documents", least=0)
    n_characters = check_integer(n_characters, "n_characters", least=10)

    found = survey(model, n_documents, X)
    topics = make_topics(model, vocabulary, documents, found, n_terms, n_characters)
    page = lay_out(model, topics, found, title, details or {})
    with open_whole(path) as file:
        file.write(page.encode())


def make_topics(model, vocabulary, documents, found, n_terms, n_characters):
    """Return what is shown of each topic, a list of `Topic`."""
    similarity = topic_similarity(model.H)
    np.fill_diagonal(similarity, 0.0)
    topics = []
    for r, weights in enumerate(model.H):
        columns, total = heaviest(weights, n_terms), weights.sum(dtype=np.float64)
        near = heaviest(similarity[r], N_SIMILAR)
        texts = [None if documents is None else documents[i] for i in found.documents[r]]
        topics.append(
            Topic(
                number=r + 1,
                terms=[show(vocabulary[j], TERM_WIDTH) or "(blank)" for j in columns],
                weights=[float(weights[j] / total) for j in columns],
                share=float(found.shares[r]),
                count=int(found.counts[r]),
                rows=[i + 1 for i in found.documents[r]],
                texts=["" if text is None else show(text, n_characters) for text in texts],
                matches=found.matches[r],
                similar=[int(s) for s in near if similarity[r, s] >= LEAST_SIMILAR],
            )
        )
    return topics


def lay_out(model, topics, found, title, details):
    """Return the page as text."""
    files = resources.files(__package__)
    page, style, script = (
        files.joinpath(f"page.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js")
    )
    # Nothing may be loaded, and nothing runs but this very script.
    policy = (
        f"default-src 'none'; style-src {hash_of(style)}; script-src {hash_of(script)}; "
        f"base-uri 'none'; form-action 'none'"
    )
    return Template(page).substitute(
        policy=policy,
        version=__version__,
        style=style,
        script=script,
        title=show(title, TITLE_WIDTH, escape=True) or "Topics",
        lead=lead_of(model),
        facts=lay_out_facts({**facts_of(model, found), **details}),
        map=draw_map(topic_layout(model.H), topics),
        index=lay_out_index(topics),
        many="many" if len(topics) > MANY else "few",
        topics=lay_out_topics(topics),
        convergence=draw_history(model.time_history, model.objective_history),
        options=lay_out_options(model.options),
        code=code_of(model, details),
        versions=versions_of(model),
    )


def hash_of(text):
    """Return the name of an inline style or script in a Content-Security-Policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def versions_of(model):
    """Return the software that made the model, as far as it is known, and this page."""
    made = show(model.options.get("sparsenmf", "an unknown version"), 30, escape=True)
    packages = [
        f"{name} {importlib.metadata.version(name)}" for name in ("numba", "numpy", "scipy")
    ]
    here = ", ".join([f"sparsenmf {__version__}", f"Python {platform.python_version()}", *packages])
    return f"Fitted by sparsenmf {made}. This page was written by {here}."
