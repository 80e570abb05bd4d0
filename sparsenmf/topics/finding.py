"""From texts to topics: weigh the words, factorize the matrix, keep the terms and the titles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from ..data.arguments import check_integer, check_n_components
from ..data.names import check_names
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
from ..models.factorization import Factorization
from ..models.factorize import factorize
from ..solvers.constraints import Seeds
from ..solvers.loop import check_progress
from .bridges import show_topics, to_pyldavis
from .coherence import topic_coherence
from .quality import LabelAgreement, label_agreement, quality_table
from .tables import document_table, format_topics, term_table, topic_labels, topic_table
from .trends import topics_over
from .weighting import WORDS, check_texts, weigh_texts


@dataclass(repr=False, eq=False)
class Topics:
    """The topics of a collection of texts.

    Attributes
    ----------
    model : Factorization
        The factorization of the matrix of texts x terms. Topic r of the tables is
        ``model.H[r - 1]``.
    terms : ndarray of str
        The terms of the columns of ``model.H``.
    titles : sequence of str
        The titles of the texts, which are the rows of ``model.W``.
    vectorizer : sklearn.feature_extraction.text.CountVectorizer or TfidfVectorizer
        The fitted vectorizer: ``model.transform(vectorizer.transform(texts))`` returns the
        topics of new texts.
    X : csr_matrix of shape (n_texts, n_terms), or None
        The matrix that the model was fitted to.
    texts : list of str, or None
        The texts of the fit; the list is kept, not copied.
    options : dict
        The arguments of `find_topics`, without texts and titles.
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
        """Return the top terms of a topic (the first is 1) as (term, weight) pairs."""
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
        """Return the coherence of each topic: how often its top terms occur together in texts.

        Parameters
        ----------
        texts : sequence of str
            The texts of the fit, or others.
        measure : {"npmi", "umass", "uci", "c_v"}, default "npmi"
            "c_v" counts terms in windows of 110 words of the whole text, stop words included;
            the others count the documents that contain them.
        n_terms : int, default 10
            Number of top terms of each topic.

        Returns
        -------
        ndarray of shape (n_topics,)
            See `sparsenmf.topic_coherence`.

        Raises
        ------
        TypeError, ValueError
            As `sparsenmf.topic_coherence`, and if the measure is "c_v" and the vectorizer makes
            terms of several words.
        """
        options = self._coherence_input(texts, measure)
        return topic_coherence(self.model, vocabulary=self.terms, n_terms=n_terms, **options)

    def quality_table(
        self, texts: Iterable[str], measure: Measure = "npmi", n_terms: int = 10
    ) -> dict[str, list[Any]]:
        """See `sparsenmf.quality_table`; `coherence` describes texts and measure."""
        options = self._coherence_input(texts, measure)
        return quality_table(self.model, self.terms, n_terms=n_terms, **options)

    def _coherence_input(self, texts, measure):
        """Return the arguments of `topic_coherence` for texts: a matrix, or texts to split."""
        if measure != "c_v":
            return {"X": self.vectorizer.transform(check_texts(texts)), "measure": measure}
        if tuple(self.vectorizer.ngram_range) != (1, 1):
            raise ValueError('"c_v" counts single words, but there are terms of several words')
        prepare, split = self.vectorizer.build_preprocessor(), self.vectorizer.build_tokenizer()
        return {"texts": texts, "measure": measure, "tokenizer": lambda text: split(prepare(text))}

    def report(self, path: PathLike, documents: Names | None = None, **options: Any) -> None:
        """Write an HTML page about the topics; see `Factorization.report`.

        Parameters
        ----------
        path : str or path-like
            Where the page is written.
        documents : sequence of str, optional
            The texts that the page shows. Default: the texts of the fit.
        **options : Any
            Passed on to `Factorization.report`: titles, title, n_terms, n_documents,
            n_characters, details, X, script.
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
    ngrams : (int, int), default (1, 1)
        Smallest and largest number of words in a term.
    max_terms : int, optional
        Keep only this many terms, the most frequent ones.
    token_pattern : str, optional
        Regular expression of a word. Default: three letters or more.
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
        "token_pattern": token_pattern,
    }
    X, vectorizer = weigh_texts(texts, **weighing)
    titles = [None] * len(texts) if titles is None else check_names(titles, len(texts), "titles")
    titles = [
        shorten(x) if title is None else title for x, title in zip(texts, titles, strict=True)
    ]
    terms = vectorizer.get_feature_names_out()
    fit = {**factorize_options, "seeds": Seeds.of(factorize_options.get("seeds"), terms)}
    model = factorize(X, check_n_components(n_topics, X.shape), **cast(Any, fit))
    options = {"n_topics": n_topics, **weighing, **factorize_options}
    return Topics(model, terms, titles, vectorizer, X, texts, options)
