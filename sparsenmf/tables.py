"""Tables of topics, terms and documents: a factorization as people read it."""

import textwrap
from typing import Any

import numpy as np

from .factorization import Factorization
from .labels import check_labels, check_vocabulary
from .texts import shorten
from .validation import check_flag, check_integer

INDENT = 13  # columns of the printed topics that hold number and share


def topic_table(self, n_terms=10, n_documents=2):
        """See `sparsenmf.topic_table`."""
        return topic_table(self.model, self.terms, self.titles, n_terms, n_documents)

    def term_table(self, n_terms=None):
        """See `sparsenmf.term_table`."""
        return term_table(self.model, self.terms, n_terms)

    def document_table(self, all_topics=False):
        """See `sparsenmf.document_table`."""
        return document_table(self.model, self.titles, all_topics)

    def __repr__(self):
        return f"{format_topics(self.topic_table())}\n{self.model!r}"


def find_topics(
    texts: Any,
    n_topics: int,
    *,
    titles: Any = None,
    weighting: str = "tfidf",
    min_df: float = 5,
    max_df: float = 0.5,
    stop_words: Any = "english",
    ngrams: tuple[int, int] = (1, 1),
    max_terms: int | None = None,
    token_pattern: str = WORDS,
    **factorize_options: Any,
) -> Topics:
    r"""Find the topics of texts: weigh their words, and factorize the matrix of texts x terms.

    Parameters
    ----------
    texts : sequence of str
    n_topics : int
    titles : sequence of str, optional
        Default: the beginnings of the texts.
    weighting : {"tfidf", "counts"}, default "tfidf"
        "tfidf": 1 + log(count), times how rare the term is, rows of length 1. "counts" go
        with ``loss="kullback-leibler"``.
    min_df : int or float, default 5
        Drop terms of fewer texts; a float is a fraction of them.
    max_df : int or float, default 0.5
        Drop terms of more texts, which say nothing about one of them.
    stop_words : "english", None or iterable of str, default "english"
        Words to leave out.
    ngrams : (int, int), default (1, 1)
        Least and greatest number of words that make a term.
    max_terms : int, optional
        Keep the most frequent ones only.
    token_pattern : str, optional
        What a word is, as a regular expression. Default: three letters or more.
    **factorize_options
        Passed on to `factorize`: loss, random_state, n_threads, progress, ...

    Returns
    -------
    Topics
        The factorization, the terms, and tables of topics, terms and documents.

    Raises
    ------
    ImportError
        If scikit-learn is not installed.
    TypeError, ValueError
        If an argument is not what it should be, or no terms are left.

    Examples
    --------
    >>> from sparsenmf import find_topics
    >>> texts = ["the cat sat", "a cat and a mouse", "stocks fell", "stocks rose today"]
    >>> topics = find_topics(texts, 2, min_df=1, random_state=0)
    >>> sorted(topics.topic_table(n_terms=1)["terms"])
    [['cat'], ['stocks']]
    """
    X, vectorizer = weigh_texts(
        texts, weighting, min_df, max_df, stop_words, ngrams, max_terms, token_pattern
    )
    if titles is None:
        titles = [shorten(text) for text in texts]
    check_labels(titles, X.shape[0], "titles")
    model = factorize(X, n_topics, **factorize_options)
    return Topics(model, vectorizer.get_feature_names_out(), titles, vectorizer)


def weigh_texts(
    texts,
    weighting="tfidf",
    min_df=5,
    max_df=0.5,
    stop_words="english",
    ngrams=(1, 1),
    max_terms=None,
    token_pattern=WORDS,
):
    """Return the matrix of texts x terms, float32, and the fitted vectorizer.

    Parameters and errors as in `find_topics`.
    """
    sklearn_text = _import_sklearn()
    check_choice(weighting, "weighting", WEIGHTINGS)
    if isinstance(texts, str):
        raise TypeError("texts must be a sequence of strings, not one string")
    texts = list(texts)
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"texts[{i}] must be a string, not {text!r}")
    kind, options = sklearn_text.CountVectorizer, {}
    if weighting == "tfidf":
        kind, options = sklearn_text.TfidfVectorizer, {"sublinear_tf": True}
    vectorizer = kind(
        min_df=min_df,
        max_df=max_df,
        ngram_range=tuple(ngrams),
        max_features=max_terms,
        token_pattern=token_pattern,
        dtype=np.float32,
        **options,
    )
    if stop_words is not None:
        words = sklearn_text.ENGLISH_STOP_WORDS if stop_words == "english" else stop_words
        if isinstance(words, str):
            raise ValueError(f'stop_words must be "english", None or a list, not {stop_words!r}')
        # As they come out of a text: "don't" is "don".
        tokenize = vectorizer.build_tokenizer()
        vectorizer.set_params(stop_words=[part for word in words for part in tokenize(word.lower())])
    try:
        return vectorizer.fit_transform(texts), vectorizer
    except ValueError as error:
        raise ValueError(
            f"{len(texts):,} texts with min_df={min_df} and max_df={max_df} leave no terms: {error}"
        ) from error


def weigh_counts(X):
    """Return tf-idf weights of a matrix of counts, as `find_topics` weighs texts.

    Parameters
    ----------
    X : what `factorize` takes

    Returns
    -------
    scipy.sparse matrix, float32 or float64
        Of the same shape.

    Raises
    ------
    ImportError
        If scikit-learn is not installed.
    """
    sklearn_text = _import_sklearn()
    return sklearn_text.TfidfTransformer(sublinear_tf=True).fit_transform(check_matrix(X))


def topic_table(
    model: Factorization,
    vocabulary: Any,
    titles: Any = None,
    n_terms: int = 10,
    n_documents: int = 2,
) -> dict[str, list]:
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
        Typical documents of each: those that have much of it and little of others.

    Returns
    -------
    dict of str -> list
        Columns for `pandas.DataFrame` or `sparsenmf.files.write_table`: "topic" (from 1),
        "share" of the sum of W H, "terms" (a list for each topic), "documents" (titles).

    Raises
    ------
    TypeError, ValueError
        If vocabulary or titles do not fit.
    """
    n_documents = check_integer(n_documents, "n_documents", least=0)
    titles = _titles(model, titles)
    terms = model.top_terms(vocabulary, n_terms)
    mass = _mass(model)
    shares = mass.sum(axis=0, dtype=np.float64)
    typical = model.W * mass / np.maximum(mass.sum(axis=1, keepdims=True), 1e-30)
    documents = [
        [titles[i] for i in _heaviest(typical[:, r], n_documents)] for r in range(len(terms))
    ]
    return {
        "topic": list(range(1, len(terms) + 1)),
        "share": (shares / (shares.sum() or 1.0)).tolist(),
        "terms": terms,
        "documents": documents,
    }


def term_table(
    model: Factorization, vocabulary: Any, n_terms: int | None = None
) -> dict[str, list]:
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
    """
    vocabulary = check_vocabulary(vocabulary, model.n_features)
    n = model.n_features if n_terms is None else check_integer(n_terms, "n_terms", least=1)
    table: dict[str, list] = {"topic": [], "term": [], "weight": []}
    for r, weights in enumerate(model.H):
        order = _heaviest(weights, n)
        table["topic"] += [r + 1] * len(order)
        table["term"] += [str(vocabulary[j]) for j in order]
        table["weight"] += list(weights[order])
    return table


def document_table(
    model: Factorization, titles: Any = None, all_topics: bool = False
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
    """
    check_flag(all_topics, "all_topics")
    titles = _titles(model, titles)
    mass = _mass(model)
    total = mass.sum(axis=1, keepdims=True)
    shares = np.divide(mass, total, out=np.zeros_like(mass), where=total > 0)
    strongest = shares.argmax(axis=1)
    table = {
        "document": list(range(1, len(shares) + 1)),
        "title": [str(title) for title in titles],
        "topic": [
            r + 1 if some else None for r, some in zip(strongest.tolist(), total > 0, strict=True)
        ],
        "share": np.take_along_axis(shares, strongest[:, None], axis=1)[:, 0],
    }
    if all_topics:
        table |= {f"topic_{r + 1}": column for r, column in enumerate(shares.T)}
    return table


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


def _mass(model):
    """Return the sums of W[i, r] * H[r]: unlike W, they can be compared between topics."""
    return model.W * model.H.sum(axis=1)


def _heaviest(weights, n):
    """Return the places of the n greatest weights that are not zero, greatest first."""
    order = np.argsort(-weights, kind="stable")[:n]
    return order[weights[order] > 0]


def _titles(model, titles):
    if titles is None:
        return [f"document {i}" for i in range(1, model.n_samples + 1)]
    return check_labels(titles, model.n_samples, "titles")
