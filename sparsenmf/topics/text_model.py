"""The topics of a collection of texts: a model, its terms, and what makes new texts a matrix."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..data.arguments import check_integer
from ..data.typing import (
    FloatArray,
    GroupValues,
    Matrix,
    Measure,
    Names,
    PathLike,
    Period,
    Self,
    TermOrder,
)
from ..models.factorization import Factorization
from .agreement import LabelAgreement, label_agreement
from .bridges import show_topics, to_pyldavis
from .coherence import topic_coherence
from .labels import topic_labels
from .quality import coherence_input, quality_table
from .saving import load_topics, save_topics
from .tables import document_table, format_topics, term_table, topic_table
from .trends import topics_over
from .weighting import check_strings


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
        The fitted vectorizer, with which `transform` makes new texts a matrix.
    X : csr_matrix of shape (n_texts, n_terms), or None
        The matrix that the model was fitted to.
    texts : list of str, or None
        The texts of the fit; the list is kept, not copied.
    options : dict
        The arguments of `find_topics`, without texts and titles.

    Examples
    --------
    >>> import os, tempfile
    >>> from sparsenmf import Topics, find_topics
    >>> texts = ["the cat sat", "a cat and a mouse", "stocks fell", "stocks rose today"]
    >>> topics = find_topics(texts, 2, min_df=1, random_state=0)
    >>> path = os.path.join(tempfile.mkdtemp(), "topics.npz")
    >>> topics.save(path)
    >>> W = Topics.load(path).transform(["the mouse and the cat", "stocks"])
    >>> [topics.labels(1)[r] for r in W.argmax(axis=1)]
    ['cat', 'stocks']
    """

    model: Factorization
    terms: NDArray[Any]
    titles: list[str]
    vectorizer: Any
    X: Matrix | None = None
    texts: Any = None
    options: dict[str, Any] = field(default_factory=dict)

    def transform(
        self,
        texts: Iterable[str],
        *,
        tol: float = 1e-5,
        max_sweeps: int = 1000,
        n_threads: int | None = None,
    ) -> FloatArray:
        """Return the W of new texts: their words are weighed as those of the fit, H held fixed.

        Parameters
        ----------
        texts : sequence of str
        tol : float, default 1e-5
        max_sweeps : int, default 1000
        n_threads : int, optional
            As in `Factorization.transform`.

        Returns
        -------
        ndarray of shape (n_texts, n_topics), dtype of ``model.H``
            Zero for a text without any of the terms. There is a warning if these are more than
            half of the texts.

        Raises
        ------
        TypeError, ValueError
            If texts is not a sequence of strings, or is empty.
        """
        texts = check_strings(texts)
        if not texts:
            raise ValueError("there are no texts")
        X = self.vectorizer.transform(texts)
        n_empty = int((np.diff(X.indptr) == 0).sum())
        if 2 * n_empty > len(texts):
            warnings.warn(
                f"{n_empty:,} of {len(texts):,} texts have none of the model's terms, such as "
                f"{', '.join(map(repr, self.terms[:3]))}: their weights are zero",
                stacklevel=2,
            )
        return self.model.transform(X, tol=tol, max_sweeps=max_sweeps, n_threads=n_threads)

    def share_table(self, W: FloatArray, titles: Names | None = None) -> dict[str, Any]:
        """Return the table of new texts, as `document_table` with all topics is for the fit's.

        Parameters
        ----------
        W : ndarray of shape (n_texts, n_topics)
            What `transform` returned.
        titles : sequence of n_texts str, optional
            Default: "document 1", ...

        Returns
        -------
        dict of str -> sequence
            Columns "document", "title", "topic" and "share" of the strongest topic, and "topic_1",
            "topic_2", ... with the share of each topic.
        """
        titles = [None] * len(W) if titles is None else titles
        return document_table(replace(self.model, W=W), titles, all_topics=True)

    def save(self, path: PathLike) -> None:
        """Write the topics to a file that `load` reads, without pickle.

        It is a file of `Factorization.save`, which `Factorization.load` reads, too. In addition it
        has the terms, the titles, and the settings of the vectorizer as JSON. The texts and their
        matrix are not in it.

        Parameters
        ----------
        path : str or path-like
            Used as it is: no suffix is added.

        Raises
        ------
        OSError, ValueError
            As `Factorization.save`, and if the vectorizer is not one of `find_topics`.
        """
        save_topics(self, path)

    @classmethod
    def load(cls, path: PathLike) -> Self:
        """Read topics that `save`, or ``sparsenmf topics --save``, wrote; they have no texts.

        Parameters
        ----------
        path : str or path-like

        Raises
        ------
        OSError
            If the file cannot be opened.
        ValueError
            If it is not a saved model of texts, is damaged, or is of a newer format.
        ImportError
            If scikit-learn is not installed.
        """
        return cls(*load_topics(path))

    def topic_table(
        self,
        n_terms: int = 10,
        n_documents: int = 2,
        *,
        by: TermOrder | Literal["both"] = "both",
    ) -> dict[str, list[Any]]:
        """See `sparsenmf.topic_table`."""
        return topic_table(self.model, self.terms, self.titles, n_terms, n_documents, self.X, by=by)

    def term_table(
        self, n_terms: int | None = None, *, by: TermOrder = "weight"
    ) -> dict[str, list[Any]]:
        """See `sparsenmf.term_table`."""
        return term_table(self.model, self.terms, n_terms, by=by)

    def document_table(self, all_topics: bool = False) -> dict[str, Any]:
        """See `sparsenmf.document_table`."""
        return document_table(self.model, self.titles, all_topics)

    def labels(self, n_terms: int = 3, *, by: TermOrder = "distinctive") -> list[str]:
        """See `sparsenmf.topic_labels`."""
        return topic_labels(self.model, self.terms, n_terms=n_terms, by=by)

    def show_topics(
        self, n_terms: int = 10, *, by: TermOrder = "weight"
    ) -> list[tuple[int, list[tuple[str, float]]]]:
        """See `sparsenmf.show_topics`."""
        return show_topics(self.model, self.terms, n_terms, by=by)

    def get_topic(
        self, topic: int, n_terms: int = 10, *, by: TermOrder = "weight"
    ) -> list[tuple[str, float]]:
        """Return the top terms of a topic (the first is 1) as (term, weight) pairs."""
        number = check_integer(topic, "topic", least=1)
        if number > self.model.n_components:
            raise ValueError(f"topic is {number}, but there are {self.model.n_components}")
        return self.show_topics(n_terms, by=by)[number - 1][1]

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
        options = coherence_input(self.vectorizer, texts, measure)
        return topic_coherence(self.model, vocabulary=self.terms, n_terms=n_terms, **options)

    def quality_table(
        self, texts: Iterable[str], measure: Measure = "npmi", n_terms: int = 10
    ) -> dict[str, list[Any]]:
        """See `sparsenmf.quality_table`; `coherence` describes texts and measure."""
        options = coherence_input(self.vectorizer, texts, measure)
        return quality_table(self.model, self.terms, n_terms=n_terms, **options)

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
