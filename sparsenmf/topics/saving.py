"""Topics of texts in a file: a factorization, and the settings of the vectorizer as JSON."""

from __future__ import annotations

import json
import zipfile

import numpy as np

from ..data.archive import check_members, is_archive, not_whole
from ..data.damage import DAMAGE, Damaged
from ..models.factorization import Factorization
from .weighting import make_vectorizer
from .words import compose, compose_lower

MEMBER = "texts.json"

FORMAT = 1

KEPT = ("analyzer", "token_pattern", "lowercase")
"""Parameters of a vectorizer that have the same names in `make_vectorizer`."""

NOT_OURS = (
    "the vectorizer is not one of find_topics, and cannot be written in plain form: save the model "
    "(topics.model.save) and keep the vectorizer yourself"
)


def save_topics(topics, path):
    """Write topics to a file; see `Topics.save`."""
    given = topics.vectorizer.get_params() if hasattr(topics.vectorizer, "get_params") else {}
    ours = given.get("preprocessor") in (compose, compose_lower) and given.get("tokenizer") is None
    if not ours or not isinstance(given["analyzer"], str):
        raise ValueError(NOT_OURS)
    stop_words = given["stop_words"]
    record = {
        "format": FORMAT,
        "weighting": "tfidf" if "sublinear_tf" in given else "counts",
        "ngrams": list(given["ngram_range"]),
        **{name: given[name] for name in KEPT},
        "stop_words": None if stop_words is None else list(stop_words),
        "terms": [str(term) for term in topics.terms],
        "titles": [str(title) for title in topics.titles],
    }
    topics.model._save(path, {MEMBER: json.dumps(record, indent=1)})


def is_text_model(path):
    """Return whether a file is a saved model of texts, though it may be damaged."""
    return is_archive(path, MEMBER)


def load_topics(path):
    """Return the model, the terms, the titles and the vectorizer of a file; see `Topics.load`."""
    model = Factorization.load(path)
    with open(path, "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                check_members(archive, (zipfile.ZIP_STORED,))
                there = MEMBER in archive.namelist()
                record = json.loads(archive.read(MEMBER)) if there else None
        except DAMAGE as error:
            raise not_whole(path, "saved model of texts", error) from error
    if record is None:
        raise ValueError(
            f"{path} is a factorization of a matrix, not a model of texts: Factorization.load "
            f"reads it; sparsenmf topics --save, and Topics.save, write models of texts"
        )
    try:
        return _restore(record, model)
    except DAMAGE as error:
        raise not_whole(path, "saved model of texts", error) from error


def _restore(record, model):
    """Return the parts of a `Topics` from what a file holds."""
    if record["format"] != FORMAT:
        raise ValueError(
            f"it has format {record['format']}, and this sparsenmf reads format {FORMAT}: upgrade "
            f"sparsenmf"
        )
    terms, titles, stop_words = record["terms"], record["titles"], record["stop_words"]
    for listed, n in ((terms, model.n_features), (titles, model.n_samples), (stop_words, None)):
        if listed is None and n is None:
            continue
        if not isinstance(listed, list) or not all(isinstance(x, str) for x in listed):
            raise Damaged("its terms, titles or stop words are not texts")
        if n not in (None, len(listed)) or (listed is terms and len(set(terms)) != n):
            raise Damaged("its terms or titles do not fit the factors")
    given = {name: record[name] for name in KEPT}
    if given["analyzer"] != "word":
        given["token_pattern"] = None
    vectorizer = make_vectorizer(record["weighting"], None, record["ngrams"], **given)
    vectorizer.set_params(stop_words=stop_words)  # split already
    vectorizer.vocabulary_ = {term: j for j, term in enumerate(terms)}
    vectorizer.fixed_vocabulary_ = False
    if record["weighting"] == "tfidf":
        if model.idf is None:
            raise Damaged("its inverse document frequencies are missing")
        vectorizer.idf_ = model.idf.astype(vectorizer.dtype)
    return model, np.array(terms, object), titles, vectorizer
