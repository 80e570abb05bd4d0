"""Topics of texts: weigh their words, factorize, and keep what belongs together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from ..data.arguments import check_choice, check_flag, check_integer
from ..data.names import by_position, check_names
from ..data.progress import tell
from ..data.texts import shorten
from ..data.typing import (
    GroupValues,
    Matrix,
    Measure,
    Names,
    PathLike,
    Period,
    TopicOptions,
    Unpack,
)
from ..data.validation import check_matrix
from ..models.factorization import Factorization
from ..models.factorize import factorize
from ..solvers.constraints import Seeds
from .bridges import show_topics, to_pyldavis
from .coherence import topic_coherence
from .quality import LabelAgreement, label_agreement, quality_table
from .tables import document_table, format_topics, term_table, topic_labels, topic_table
from .trends import topics_over

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
        Of the texts, the rows of ``model.W``.
    vectorizer : sklearn.feature_extraction.text.CountVectorizer or TfidfVectorizer
        Fitted: ``model.transform(vectorizer.transform(texts))`` are the topics of new texts.
    X : csr_matrix of shape (n_texts, n_terms), or None
        The weights of the words that the model was fitted to.
    texts : list of str, or None
        Those of the fit: not copied, but kept.
    options : dict
        What `find_topics` was called with, texts and titles excepted.
    """

    model: Factorization
    terms: NDArray[Any]
    titles: list[str]
    vectorizer: Any
    X: Matrix | None = None
    texts: Any = None
    options: dict[str, Any] = field(default_factory=dict)

    def topic_table(self, n_terms: int = 10, n_documents: int = 2) -> dict[str, list[Any]]:
        """See `sparsenmf.topic_table`."""
        return topic_table(self.model, self.terms, self.titles, n_terms, n_documents, self.X)

    def term_table(self, n_terms: int | None = None) -> dict[str, list[Any]]:
        """See `sparsenmf.term_table`."""
        return term_table(self.model, self.terms, n_terms)

    def document_table(self, all_topics: bool = False) -> dict[str, Any]:
        """See `sparsenmf.document_table`."""
        return document_table(self.model, self.titles, all_topics)

    def labels(self, n_terms: int = 3) -> list[str]:
        """See `sparsenmf.topic_labels`."""
        return topic_labels(self.model, self.terms, n_terms=n_terms)

    def show_topics(self, n_terms: int = 10) -> list[tuple[int, list[tuple[str, float]]]]:
        """See `sparsenmf.show_topics`."""
        return show_topics(self.model, self.terms, n_terms)

    def get_topic(self, topic: int, n_terms: int = 10) -> list[tuple[str, float]]:
        """Return one topic, from 1, as (term, weight) pairs, heaviest first."""
        number = check_integer(topic, "topic", least=1)
        if number > self.model.n_components:
            raise ValueError(f"topic is {number}, but there are {self.model.n_components}")
        return self.show_topics(n_terms)[number - 1][1]

    def to_pyldavis(self, X: Matrix | None = None) -> dict[str, Any]:
        """See `sparsenmf.to_pyldavis`."""
        return to_pyldavis(self.model, self.terms, X)

    def topics_over(
        self, groups: Names, bin: Period | None = None, values: GroupValues = "share"
    ) -> dict[str, list[Any]]:
        """See `sparsenmf.topics_over`."""
        return topics_over(self.model, groups, bin=bin, values=values)

    def label_agreement(self, labels: Names) -> LabelAgreement:
        """See `sparsenmf.label_agreement`."""
        return label_agreement(self.model, labels)

    def coherence(
        self, texts: Iterable[str], measure: Measure = "npmi", n_terms: int = 10
    ) -> NDArray[np.float64]:
        """Measure how much the top terms of each topic occur together in texts.

        Parameters
        ----------
        texts : sequence of str
            Those of the fit, or others.
        measure : {"npmi", "umass", "uci", "c_v"}, default "npmi"
            By the documents that hold terms, "c_v" by windows of 110 words, none left out.
        n_terms : int, default 10

        Returns
        -------
        ndarray of shape (n_topics,)
            See `sparsenmf.topic_coherence`.

        Raises
        ------
        TypeError, ValueError
            As there, and if "c_v" is to count terms of several words.
        """
        options = self._counts(texts, measure)
        return topic_coherence(self.model, vocabulary=self.terms, n_terms=n_terms, **options)

    def quality_table(
        self, texts: Iterable[str], measure: Measure = "npmi", n_terms: int = 10
    ) -> dict[str, list[Any]]:
        """See `sparsenmf.quality_table`; texts and measure as in `coherence`."""
        options = self._counts(texts, measure)
        return quality_table(self.model, self.terms, n_terms=n_terms, **options)

    def _counts(self, texts, measure):
        """Return what coherence is measured by: documents x terms, or words in their order."""
        if measure != "c_v":
            return {"X": self.vectorizer.transform(_check_texts(texts)), "measure": measure}
        if tuple(self.vectorizer.ngram_range) != (1, 1):
            raise ValueError('"c_v" looks for single words, and there are terms of several words')
        prepare, split = self.vectorizer.build_preprocessor(), self.vectorizer.build_tokenizer()
        return {"texts": texts, "measure": measure, "tokenizer": lambda text: split(prepare(text))}

    def report(self, path: PathLike, documents: Names | None = None, **options: Any) -> None:
        """Write a page about the topics; see `Factorization.report`.

        Parameters
        ----------
        path : str or path-like
        documents : sequence of str, optional
            Default: the texts of the fit.
        **options : Any
            titles, title, n_terms, n_documents, n_characters, details, X, script.
        """
        from .report.script import script_of_topics

        documents = self.texts if documents is None else documents
        given = {"titles": self.titles, "X": self.X, **options}
        if self.options:
            given.setdefault("script", script_of_topics(self.model, self.options))
        self.model.report(path, self.terms, documents, **given)

    def _repr_html_(self):
        from .report.notebook import show_model

        return show_model(self.model, self.terms)

    def __repr__(self):
        return f"{format_topics(self.topic_table())}\n{self.model!r}"


def find_topics(
    texts: Iterable[str],
    n_topics: int,
    *,
    titles: Names | None = None,
    weighting: Literal["tfidf", "counts"] = "tfidf",
    min_df: float = 5,
    max_df: float = 0.5,
    stop_words: Literal["english"] | Iterable[str] | None = "english",
    ngrams: tuple[int, int] = (1, 1),
    max_terms: int | None = None,
    token_pattern: str = WORDS,
    **factorize_options: Unpack[TopicOptions],
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
    **factorize_options : Any
        Passed on to `factorize`: loss, seeds, random_state, n_threads, progress, ...

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
    texts = _check_texts(texts)
    if check_flag(factorize_options.get("progress", False), "progress"):
        tell(f"weighing the words of {len(texts):,} texts")
    if stop_words is not None and not isinstance(stop_words, str):
        stop_words = list(stop_words)  # which may be read once only
    weighing = {
        "weighting": weighting,
        "min_df": min_df,
        "max_df": max_df,
        "stop_words": stop_words,
        "ngrams": ngrams,
        "max_terms": max_terms,
        "token_pattern": token_pattern,
    }
    X, vectorizer = weigh_texts(texts, **weighing)
    titles = [None] * len(texts) if titles is None else check_names(titles, len(texts), "titles")
    titles = [
        shorten(x) if title is None else title for x, title in zip(texts, titles, strict=True)
    ]
    terms = vectorizer.get_feature_names_out()
    fit = {**factorize_options, "seeds": Seeds.of(factorize_options.get("seeds"), terms)}
    model = factorize(X, n_topics, **cast(Any, fit))
    options = {"n_topics": n_topics, **weighing, **factorize_options}
    return Topics(model, terms, titles, vectorizer, X, texts, options)


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
    texts = _check_texts(texts)
    if not texts:
        raise ValueError("there are no texts")
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
        split = vectorizer.build_tokenizer()
        # As they come out of a text: "don't" is "don".
        words = [part for word in words for part in split(word.lower())]
        vectorizer.set_params(stop_words=words)
    try:
        return vectorizer.fit_transform(texts), vectorizer
    except ValueError as error:
        raise ValueError(
            f"{len(texts):,} texts with min_df={min_df} and max_df={max_df} leave no terms: {error}"
        ) from error


def _check_texts(texts) -> list[str]:
    """Return texts as a list; an iterator, which find_topics reads once, is one too."""
    return by_position(list(texts) if hasattr(texts, "__next__") else texts, "texts", "strings")


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


def _import_sklearn():
    try:
        from sklearn.feature_extraction import text
    except ImportError as error:
        raise ImportError(
            'topics of texts need scikit-learn: pip install "sparsenmf[text]"'
        ) from error
    return text
