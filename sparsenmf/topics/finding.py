"""From texts to topics: weigh the words, factorize the matrix, keep the terms and the titles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, cast

import numpy as np

from ..data.arguments import check_n_components
from ..data.named import NamedMatrix
from ..data.names import check_names
from ..data.progress import tell
from ..data.texts import shorten
from ..data.typing import Names, TopicOptions, Unpack
from ..models.factorize import factorize
from ..solvers.constraints import Seeds
from ..solvers.loop import check_progress
from .text_model import Topics as Topics
from .weighting import check_texts, weigh_texts


def find_topics(
    texts: Iterable[str],
    n_topics: int,
    *,
    titles: Names | None = None,
    weighting: Literal["tfidf", "counts"] = "tfidf",
    min_df: float = 5,
    max_df: float = 0.5,
    stop_words: Literal["english"] | Iterable[str] | None = "english",
    ngrams: int | tuple[int, int] = (1, 1),
    max_terms: int | None = None,
    analyzer: Literal["word", "char", "char_wb"] = "word",
    token_pattern: str | None = None,
    min_length: int | None = None,
    lowercase: bool = True,
    **factorize_options: Unpack[TopicOptions],
) -> Topics:
    """Find the topics of texts: weigh their words, and factorize the matrix of texts x terms.

    Parameters
    ----------
    texts : sequence of str
        The texts, one string each.
    n_topics : int
        Number of topics.
    titles : sequence of str, optional
        A title for each text. Default: the beginning of the text.
    weighting : {"tfidf", "counts"}, default "tfidf"
        "tfidf" weighs a term by (1 + log(count)) times its inverse document frequency, and
        scales each row to length 1. "counts" goes with ``loss="kullback-leibler"``.
    min_df : int or float, default 5
        Drop terms that fewer texts contain; a float is a fraction of the texts.
    max_df : int or float, default 0.5
        Drop terms that more texts contain: they do not tell texts apart.
    stop_words : "english", None or iterable of str, default "english"
        Words to leave out.
    ngrams : int or (int, int), default (1, 1)
        Smallest and largest number of words, or characters, in a term; a single number is both.
    max_terms : int, optional
        Keep only this many terms, the most frequent ones.
    analyzer : {"word", "char", "char_wb"}, default "word"
        What terms are made of: words or, as for texts in Chinese that are not segmented, any
        characters, or those within words.
    token_pattern : str, optional
        Regular expression of a word. Default: letters, digits and combining marks of any script.
    min_length : int, optional
        Number of characters that a word has at least, combining marks included. Default: 2.
    lowercase : bool, default True
        Whether upper and lower case are one. Stop words are lower case or, if not, capitalised,
        too.
    **factorize_options : Any
        Passed on to `factorize`: loss, seeds, random_state, n_threads, progress, ...

    Returns
    -------
    Topics
        The factorization, its terms, and tables of topics, terms and documents.

    Raises
    ------
    ImportError
        If scikit-learn is not installed.
    TypeError, ValueError
        If an argument has the wrong type or value, or if no term is left.

    Notes
    -----
    Texts are brought into Unicode's normal form C. There is a warning if they seem to be in a
    script without spaces and not to be segmented into words.

    Examples
    --------
    >>> from sparsenmf import find_topics
    >>> texts = ["the cat sat", "a cat and a mouse", "stocks fell", "stocks rose today"]
    >>> topics = find_topics(texts, 2, min_df=1, random_state=0)
    >>> sorted(topics.topic_table(n_terms=1)["terms"])
    [['cat'], ['stocks']]
    """
    texts = check_texts(texts)
    if check_progress(factorize_options.get("progress", False)) is True:
        tell(f"weighing the words of {len(texts):,} texts")
    if stop_words is not None and not isinstance(stop_words, str):
        stop_words = list(stop_words)  # an iterator can be read only once
    weighing = {
        "weighting": weighting,
        "min_df": min_df,
        "max_df": max_df,
        "stop_words": stop_words,
        "ngrams": ngrams,
        "max_terms": max_terms,
        "analyzer": analyzer,
        "token_pattern": token_pattern,
        "min_length": min_length,
        "lowercase": lowercase,
    }
    X, vectorizer = weigh_texts(texts, **weighing)
    given = [None] * len(texts) if titles is None else check_names(titles, len(texts), "titles")
    shown = [shorten(x) if title is None else title for x, title in zip(texts, given, strict=True)]
    terms = vectorizer.get_feature_names_out()
    fit = {**factorize_options, "seeds": Seeds.of(factorize_options.get("seeds"), terms)}
    # Beginnings of texts, which `read_texts` gives those without titles, are no names to keep.
    are_names = any(title != shorten(text) for title, text in zip(shown, texts, strict=True))
    named = NamedMatrix(X, feature_names=terms, sample_names=shown if are_names else None)
    model = factorize(named, check_n_components(n_topics, X.shape), **cast(Any, fit))
    if weighting == "tfidf":
        model.idf = vectorizer.idf_.astype(np.float64)
    options = {"n_topics": n_topics, **weighing, **factorize_options}
    return Topics(model, terms, shown, vectorizer, X, texts, options)
