"""Matrices of texts x terms: counts of words, and their tf-idf weights, by scikit-learn."""

from __future__ import annotations

import re
import warnings

import numpy as np

from ..data.arguments import check_choice, check_flag, check_integer
from ..data.named import NamedMatrix, names_of
from ..data.names import by_position, is_missing
from ..data.tfidf import check_counts, inverse_frequencies, weigh
from ..data.validation import check_matrix
from .words import compose, compose_lower, remark_on_spaces, word_pattern

WEIGHTINGS = ("tfidf", "counts")

ANALYZERS = ("word", "char", "char_wb")

SHOWN = 100  # characters of what is no text

STOP_WORDS = 'stop_words must be "english", None or a list of words, not {!r}'


def weigh_texts(
    texts,
    weighting="tfidf",
    min_df=5,
    max_df=0.5,
    stop_words="english",
    ngrams=(1, 1),
    max_terms=None,
    **options,
):
    """Return the matrix of texts x terms in float32, and the fitted vectorizer.

    See `find_topics` for the parameters and errors; `options` are those of `make_vectorizer`.
    """
    texts = check_strings(texts)
    if not texts:
        raise ValueError("there are no texts")
    vectorizer = make_vectorizer(weighting, stop_words, ngrams, **options)
    vectorizer.set_params(min_df=min_df, max_df=max_df, max_features=max_terms)
    by_words = vectorizer.analyzer == "word"
    remark = remark_on_spaces(texts) if by_words and options.get("token_pattern") is None else None
    try:
        weighed = vectorizer.fit_transform(texts)
    except ValueError as error:
        raise ValueError(
            f"{len(texts):,} texts with min_df={min_df} and max_df={max_df} leave no terms: "
            f"{remark or error}"
        ) from error
    if remark:
        warnings.warn(remark, stacklevel=3)
    return weighed, vectorizer


def make_vectorizer(
    weighting="tfidf",
    stop_words="english",
    ngrams=(1, 1),
    *,
    analyzer="word",
    token_pattern=None,
    min_length=None,
    lowercase=True,
):
    """Return a vectorizer of scikit-learn, not yet fitted.

    See `find_topics` for the parameters and errors.
    """
    sklearn_text = _import_sklearn()
    check_choice(weighting, "weighting", WEIGHTINGS)
    check_choice(analyzer, "analyzer", ANALYZERS)
    kind, options = sklearn_text.CountVectorizer, {}
    if weighting == "tfidf":
        kind, options = sklearn_text.TfidfVectorizer, {"sublinear_tf": True}
    if analyzer == "word":
        options["token_pattern"] = _check_pattern(token_pattern, min_length)
    elif token_pattern is not None or min_length is not None:
        raise ValueError("token_pattern and min_length are for analyzer='word'")
    vectorizer = kind(
        ngram_range=_check_ngrams(ngrams),
        analyzer=analyzer,
        lowercase=check_flag(lowercase, "lowercase"),
        preprocessor=compose_lower if lowercase else compose,
        dtype=np.float32,
        **options,
    )
    if isinstance(stop_words, str) and stop_words != "english":
        raise ValueError(STOP_WORDS.format(stop_words))
    if analyzer != "word":
        if stop_words not in ("english", None):
            raise ValueError("stop_words are for analyzer='word'")
    elif stop_words is not None:
        words = sklearn_text.ENGLISH_STOP_WORDS if stop_words == "english" else stop_words
        vectorizer.set_params(stop_words=_split_words(vectorizer, words))
    return vectorizer


def _check_pattern(token_pattern, min_length):
    """Return the regular expression of a word."""
    if token_pattern is None:
        n = 2 if min_length is None else check_integer(min_length, "min_length", least=1)
        return word_pattern(n)
    if min_length is not None:
        raise ValueError("token_pattern says what a word is: leave min_length out")
    try:
        re.compile(token_pattern)
    except (TypeError, re.error) as error:
        raise ValueError(
            f"token_pattern is not a regular expression: {token_pattern!r} ({error})"
        ) from error
    return token_pattern


def _check_ngrams(ngrams):
    """Return the smallest and the largest number of words in a term; a number is both."""
    pair = (ngrams, ngrams) if isinstance(ngrams, int | np.integer) else tuple(ngrams)
    if len(pair) != 2:
        raise ValueError(f"ngrams must be one number or two, not {ngrams!r}")
    least, most = (check_integer(n, "ngrams", least=1) for n in pair)
    if least > most:
        raise ValueError(f"ngrams go from {least} to {most}: the smaller number comes first")
    return least, most


def _split_words(vectorizer, words):
    """Return stop words, split as texts are: "don't" becomes "don"."""
    prepare, split = vectorizer.build_preprocessor(), vectorizer.build_tokenizer()
    words = list(words)
    if not vectorizer.lowercase:  # a sentence begins with a capital letter
        words += [word.capitalize() for word in words]
    return list(dict.fromkeys(part for word in words for part in split(prepare(word))))


def check_strings(texts) -> list[str]:
    """Return texts as a list of str; an iterator is read to its end."""
    texts = check_texts(texts)
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            shown = repr(text)
            shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."
            raise TypeError(f"texts[{i}] must be a string, not {shown}: {_advice(text)}")
    return texts


def _advice(text):
    """Return what to do about a text that is none."""
    if is_missing(text):
        return 'leave it out, or put "" in its place'
    if isinstance(text, bytes | bytearray):
        return "decode it"
    return "join its words by spaces" if isinstance(text, list | tuple) else "take str() of it"


def check_texts(texts) -> list[str]:
    """Return texts as a list; an iterator is read to its end."""
    return by_position(list(texts) if hasattr(texts, "__next__") else texts, "texts", "strings")


def weigh_counts(X):
    """Return the tf-idf weights of a matrix of counts; see `weights_and_idf`."""
    return weights_and_idf(X)[0]


def weights_and_idf(X):
    """Return the tf-idf weights of a matrix of counts, and the inverse document frequencies.

    The formula is that of `find_topics`. A model of the weights that has the frequencies as its
    `idf` weighs counts by itself in `transform`.

    Parameters
    ----------
    X : matrix of shape (n_samples, n_features)
        Anything that `factorize` takes. Names are kept.

    Returns
    -------
    weighed : NamedMatrix of the same shape, float32 or float64
    idf : ndarray of shape (n_features,), float64

    Raises
    ------
    ValueError
        If X has numbers that are no counts.
    """
    features, samples = names_of(X)
    X = check_matrix(X)
    check_counts(X)
    idf = inverse_frequencies(X)
    return NamedMatrix(weigh(X, idf), feature_names=features, sample_names=samples), idf


def _import_sklearn():
    try:
        from sklearn.feature_extraction import text
    except ImportError as error:
        raise ImportError(
            'topics of texts need scikit-learn: pip install "sparsenmf[text]"'
        ) from error
    return text
