"""Matrices of texts x terms: counts of words, and their tf-idf weights, by scikit-learn."""

import numpy as np

from ..data.arguments import check_choice
from ..data.names import by_position
from ..data.validation import check_matrix

WEIGHTINGS = ("tfidf", "counts")

WORDS = r"\b[^\W\d_]{3,}\b"
"""Words of three letters or more, in any alphabet."""


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
    """Return the matrix of texts x terms in float32, and the fitted vectorizer.

    See `find_topics` for the parameters and errors.
    """
    sklearn_text = _import_sklearn()
    check_choice(weighting, "weighting", WEIGHTINGS)
    texts = check_texts(texts)
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
        # Stop words are split as texts are: "don't" becomes "don".
        words = [part for word in words for part in split(word.lower())]
        vectorizer.set_params(stop_words=words)
    try:
        return vectorizer.fit_transform(texts), vectorizer
    except ValueError as error:
        raise ValueError(
            f"{len(texts):,} texts with min_df={min_df} and max_df={max_df} leave no terms: {error}"
        ) from error


def check_texts(texts) -> list[str]:
    """Return texts as a list; an iterator is read to its end."""
    return by_position(list(texts) if hasattr(texts, "__next__") else texts, "texts", "strings")


def weigh_counts(X):
    """Return the tf-idf weights of a matrix of counts, by the formula of `find_topics`.

    Parameters
    ----------
    X : matrix of shape (n_samples, n_features)
        Anything that `factorize` takes.

    Returns
    -------
    scipy.sparse matrix of the same shape, float32 or float64

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
