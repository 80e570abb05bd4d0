"""Names of features and samples as lists of texts, in the order of columns or rows."""

import datetime
import numbers
import os
from collections.abc import KeysView, Mapping, Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .typing import Vocabulary

PLAIN = (numbers.Number, np.number, np.datetime64, datetime.date, os.PathLike)
"""Types of names other than texts, which are printed: identifiers, dates, paths."""


NO_TERMS = (
    "this model has no feature names: pass the vocabulary, such as "
    "vectorizer.get_feature_names_out(), or fit a DataFrame, an AnnData or a NamedMatrix"
)

LONG_NAME, LONG_NAMES = 200, 2**24
"""Characters of a name of a sample, and of an array of names, from which on names are cut: each
takes the room of the longest one, and a text among them would take gigabytes."""


def check_vocabulary(vocabulary, n_features=None) -> list[str]:
    """Return the terms in the order of their columns, a list of str.

    Parameters
    ----------
    vocabulary : sequence of n_features terms, or dict of term -> column
        A list, a tuple, a one-dimensional array, or a column or an index of a frame, which is
        read by position.
    n_features : int, optional
        Default: any number.

    Raises
    ------
    TypeError, ValueError
        If these are not n_features terms.
    """
    if isinstance(vocabulary, Mapping):
        columns = list(vocabulary.values())
        n_features = len(columns) if n_features is None else n_features
        if set(map(type, columns)) & {str, bytes} or sorted(columns) != list(range(n_features)):
            raise ValueError(f"vocabulary must map its terms to the columns 0 to {n_features - 1}")
        vocabulary = sorted(vocabulary, key=vocabulary.__getitem__)
    elif isinstance(vocabulary, KeysView):
        raise TypeError(
            "vocabulary must be a sequence of terms or a dict, not the keys of a dict, whose order "
            "need not be that of the columns: pass the dict itself"
        )
    terms = _as_texts(by_position(vocabulary, "vocabulary", "terms or a dict"), "vocabulary")
    for place, term in enumerate(terms):
        if term is None:
            raise ValueError(f"vocabulary[{place}] is missing: each column needs a term")
    if n_features not in (None, len(terms)):
        raise ValueError(f"vocabulary has {len(terms)} terms, but there are {n_features} features")
    return terms


def check_names(names, n, name, *, owner="W has {} rows") -> list[Any]:
    """Return n names as a list of str, with None where one is missing.

    Raises
    ------
    TypeError, ValueError
        If the names are not a sequence of n names.
    """
    return _as_texts(check_labels(names, n, name, owner=owner), name)


def check_labels(labels, n, name, *, owner="W has {} rows") -> list[Any]:
    """Return n labels of any type as a list, or raise if these are not n labels in order."""
    labels = by_position(labels, name, f"{n} names")
    if len(labels) != n:
        raise ValueError(f"{name} has {len(labels)} names, but {owner.format(n)}")
    return labels


def component_names(n_components):
    """Return the names of components in tables, which begin with "topic_1"."""
    return [f"topic_{number}" for number in range(1, n_components + 1)]


def by_position(values, name, what="values"):
    """Return the items of a one-dimensional sequence as a list, in their order.

    Raises
    ------
    TypeError
        If it has no order, as a set, no length, as a generator, or several dimensions.
    """
    no_order = isinstance(values, Mapping) or (
        isinstance(values, Set) and not isinstance(values, KeysView)
    )
    if no_order or isinstance(values, str | bytes | bytearray) or not hasattr(values, "__len__"):
        shown = f"{type(values).__name__}: {values!r}"
        raise TypeError(f"{name} must be a sequence of {what}, not a {shown[:200]}")
    shape = getattr(values, "shape", (0,))
    if len(shape) != 1:
        raise TypeError(
            f"{name} must be a sequence of {what}, not a {type(values).__name__} of shape "
            f"{tuple(shape)}: pass one column"
        )
    if hasattr(values, "to_pylist"):  # pyarrow's items are not Python objects
        return values.to_pylist()
    return list(values)


def is_missing(value):
    """Return whether a value is missing: None, NaN, NaT, NA or masked."""
    if value is None or type(value).__name__ in ("NAType", "NaTType", "MaskedConstant"):
        return True
    return isinstance(value, float | np.floating | np.datetime64) and value != value


def _as_texts(values, name):
    return [as_text(value, f"{name}[{place}]") for place, value in enumerate(values)]


def as_text(value, place):
    """Return a name as a str, or None if it is missing; bytes are decoded as UTF-8."""
    if isinstance(value, str):
        return str(value)
    if is_missing(value):
        return None
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise ValueError(f"{place} is not UTF-8 ({error}): decode it first") from None
    if isinstance(value, PLAIN) and not isinstance(value, bool):
        return str(value)
    raise TypeError(f"{place} must be a text, not {value!r}")


def feature_array(names, n_features) -> NDArray[Any] | None:
    """Return names of features as an array of str, or None if there are none."""
    if names is None or _is_ready(names, "U", n_features):
        return names
    return np.array(check_vocabulary(names, n_features), str)


def sample_array(names, n_samples) -> NDArray[Any] | None:
    """Return names of samples as an array of str, or of int where all are; None if there are none.

    A missing name becomes an empty text. Where names are whole texts, they are cut.
    """
    if names is None or _is_ready(names, "Ui", n_samples):
        return names
    labels = check_labels(names, n_samples, "sample_names", owner="X has {} rows")
    if labels and all(isinstance(x, int | np.integer) and not isinstance(x, bool) for x in labels):
        return np.array(labels, np.int64)
    found = (as_text(label, f"sample_names[{i}]") for i, label in enumerate(labels))
    texts = ["" if text is None else text for text in found]
    longest = max(map(len, texts), default=0)
    if longest > LONG_NAME and longest * len(texts) > LONG_NAMES:
        texts = [
            text if len(text) <= LONG_NAME else f"{text[: LONG_NAME - 3]}..." for text in texts
        ]
    return np.array(texts, str)


def _is_ready(names, kinds, n):
    """Return whether names are an array as a model keeps it."""
    kind = names.dtype.kind if type(names) is np.ndarray else "O"
    return kind in kinds and names.shape == (n,)


def terms_of(model: Any, vocabulary: Vocabulary | None = None) -> list[str]:
    """Return the terms of a model's columns: the vocabulary, by default its own feature names.

    Raises
    ------
    TypeError, ValueError
        If it has no names and there is no vocabulary, or these are not n_features terms.
    """
    if vocabulary is None:
        vocabulary = model.feature_names
    if vocabulary is None:
        raise ValueError(NO_TERMS)
    return check_vocabulary(vocabulary, model.n_features)
