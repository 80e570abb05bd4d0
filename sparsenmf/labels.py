"""Names of what is factorized: a term for each column of X, a title for each row."""


def check_vocabulary(vocabulary, n_features):
    """Return the terms of the columns as a sequence.

    Parameters
    ----------
    vocabulary : sequence of n_features str, or dict of term -> column
    n_features : int

    Raises
    ------
    TypeError, ValueError
        If it is not one of n_features terms.
    """
    if isinstance(vocabulary, dict):
        if sorted(vocabulary.values()) != list(range(n_features)):
            raise ValueError(f"vocabulary must map its terms to the columns 0 to {n_features - 1}")
        vocabulary = sorted(vocabulary, key=vocabulary.__getitem__)
    if not hasattr(vocabulary, "__len__") or isinstance(vocabulary, str):
        raise TypeError(f"vocabulary must be a sequence of terms or a dict, not {vocabulary!r}")
    if len(vocabulary) != n_features:
        raise ValueError(f"vocabulary has {len(vocabulary)} terms, but H has {n_features} features")
    return vocabulary


def check_labels(labels, n, name):
    """Return the names of n samples as a sequence, or raise if they are not that."""
    if not hasattr(labels, "__len__") or isinstance(labels, str):
        raise TypeError(f"{name} must be a sequence of {n} names, not {labels!r}")
    if len(labels) != n:
        raise ValueError(f"{name} has {len(labels)} names, but W has {n} rows")
    return labels
