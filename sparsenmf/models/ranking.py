"""The features of components in order: the heaviest first, or the most distinctive."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..data.arguments import check_integer, check_number
from ..data.factors import row_totals
from ..data.names import terms_of
from ..data.typing import TermOrder, Vocabulary
from .normalisation import component_masses

DISTINCTIVE = 0.2
"""The lambda of the most distinctive features.

Sievert and Shirley find 0.6 best for words without stop words. Where each component begins with
the same features (genes of all cells, words like "the"), these still come first with 0.3, and with
0.1 the rare ones do.
"""

TIE = 1e-9  # the least lambda: of features with the same lift, the heaviest comes first

FAINTEST = 1e-12  # the least share of a component, so that one that no sample has is ranked, too


class TopTerms:
    """The top terms of the rows of H."""

    def top_terms(
        self, vocabulary: Vocabulary | None = None, n: int = 10, *, by: TermOrder = "weight"
    ) -> list[list[str]]:
        """Return the top terms of each component.

        Parameters
        ----------
        vocabulary : sequence of n_features str, or dict of term -> column, optional
            Such as ``vectorizer.get_feature_names_out()`` or ``vectorizer.vocabulary_``.
            Default: the names of the features that the model keeps.
        n : int, default 10
            Terms with weight zero are left out, so a component may have fewer.
        by : {"weight", "distinctive"} or float, default "weight"
            "weight": the largest entries of the row of H first. "distinctive": first the terms
            that are frequent in the component and rarer elsewhere, which tells components apart
            where all begin with the same common terms. A number from 0 to 1 is the lambda of the
            relevance of Sievert and Shirley 2014 (LDAvis):
            ``lambda * log(p) + (1 - lambda) * log(p / q)``, where p is the term's share of the
            component (its row of H) and q its share of W H (of the mean component, where there is
            no W). p / q is the lift: 0 ranks by it alone and begins with rare terms, 1 is
            "weight", and "distinctive" is 0.2.

        Returns
        -------
        list of n_components lists of str

        Raises
        ------
        TypeError, ValueError
            If the vocabulary is not one of n_features terms, or if there is none and the model
            has no names.

        Examples
        --------
        >>> from sparsenmf import factorize
        >>> X = [[9, 5, 0], [9, 5, 0], [9, 0, 5], [9, 0, 5.0]]
        >>> model = factorize(X, 2, random_state=0)
        >>> sorted(model.top_terms(["the", "cat", "stock"], n=1))
        [['the'], ['the']]
        >>> sorted(model.top_terms(["the", "cat", "stock"], n=1, by="distinctive"))
        [['cat'], ['stock']]
        """
        n = check_integer(n, "n", least=1)
        terms = terms_of(self, vocabulary)
        return [[terms[j] for j in columns] for columns in top_features(self, n, by)]


def has_terms(model, vocabulary=None):
    """Return whether there are terms of the columns of H: a vocabulary, or names that it keeps."""
    return vocabulary is not None or model.feature_names is not None


def check_by(by) -> float:
    """Return the lambda that `by` stands for, or raise TypeError or ValueError."""
    words = {"weight": 1.0, "distinctive": DISTINCTIVE}
    if isinstance(by, str) and by in words:
        return words[by]
    try:
        return check_number(by, "by", most=1.0)
    except (TypeError, ValueError) as error:
        kind = ValueError if isinstance(by, str) else type(error)
        raise kind(
            f'by must be "weight", "distinctive" or a number from 0 to 1, not {by!r}'
        ) from None


def top_indices(weights, n):
    """Return the indices of the n largest weights, largest first, without zeros."""
    candidates = np.flatnonzero(weights > 0)
    if len(candidates) > n:  # so that a long row is not sorted as a whole
        least = np.partition(weights, -n)[-n]
        candidates = np.flatnonzero((weights >= least) & (weights > 0))
    return candidates[np.argsort(-weights[candidates], kind="stable")[:n]]


def top_features(model, n, by="weight"):
    """Return the columns of the first n features of each component; those of no weight left out.

    Parameters
    ----------
    model : Components
    n : int
    by : {"weight", "distinctive"} or float
        See `Components.top_terms`.

    Returns
    -------
    list of n_components ndarrays of int
    """
    if by == "weight":
        return [top_indices(weights, n) for weights in model.H]
    return [top_indices(scores, n) for scores in relevances(model, by)]


def relevances(model, by):
    """Yield exp(relevance) of all features for each component; see `Components.top_terms`."""
    # It is p(feature | component) / p(feature)^(1 - lambda).
    divisor = feature_shares(model) ** (1 - max(check_by(by), TIE))
    for weights, total in zip(model.H, row_totals(model.H), strict=True):
        yield weights.astype(np.float64) / (total or 1.0) / divisor


def feature_shares(model) -> NDArray[np.float64]:
    """Return the share of each feature in W H: p(feature), with which a component is compared.

    Without a W, as in `MiniBatchNMF`, all components count alike.
    """
    totals = row_totals(model.H)
    W = getattr(model, "W", None)
    masses = totals > 0 if W is None else component_masses(model)
    shares = np.maximum(masses / (masses.sum() or 1.0), FAINTEST)
    scale = np.divide(shares, totals, out=np.zeros_like(totals), where=totals > 0)
    result = np.zeros(model.n_features)
    for weights, factor in zip(model.H, scale, strict=True):  # a row at a time, for memory
        result += factor * weights.astype(np.float64)
    return np.maximum(result, np.finfo(float).tiny)
