"""What a user knows beforehand: fixed components, and words with which topics begin."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..data.arguments import check_choice
from ..data.names import as_text, check_vocabulary
from ..data.typing import Seeding, SeedWords, Vocabulary

STRENGTHS = ("start", "support")

FAINT = 0.01
"""A seeded component begins with this share of a random start in the other features, which is not
zero, because multiplicative updates could not change that."""


class Fixed(NamedTuple):
    """The components of a factor that a user fixes.

    Attributes
    ----------
    name : str
        "frozen_W" or "frozen_H".
    components : ndarray of int
    n_flags : int or None
        Length of the mask that named them, if it was one.
    """

    name: str
    components: np.ndarray
    n_flags: int | None

    def mask(self, given, n_components):
        """Return the fixed components as a mask of shape (n_components,).

        Parameters
        ----------
        given : int
            Components that the user's start of the factor has.
        n_components : int

        Raises
        ------
        ValueError
            If it does not name components whose values are given.
        """
        if self.n_flags not in (None, given, n_components):
            raise ValueError(
                f"{self.name} has {self.n_flags} flags, but there are {n_components} components"
            )
        mask, factor = np.zeros(n_components, bool), self.name[-1]
        for r in self.components.tolist():
            if not 0 <= r < given:
                raise ValueError(
                    f"{self.name} names component {r}, but {factor} gives values for {given} "
                    f"component{'s' * (given != 1)}: pass {factor} with all that is to be frozen"
                )
            mask[r] = True
        return mask


def check_fixed(frozen, name):
    """Return the components that a user fixes, a `Fixed`.

    Parameters
    ----------
    frozen : sequence of int or of bool, or None
    name : str
        "frozen_W" or "frozen_H".

    Raises
    ------
    TypeError
        If it is neither numbers nor a mask.
    """
    listed = np.asarray(() if frozen is None else frozen)
    if listed.ndim != 1 or (listed.size and listed.dtype.kind not in "biu"):
        raise TypeError(f"{name} must be a sequence of component numbers or a mask, not {frozen!r}")
    if listed.dtype.kind == "b":
        return Fixed(name, np.flatnonzero(listed), len(listed))
    return Fixed(name, listed.astype(np.intp), None)


@dataclass(frozen=True, eq=False)
class Seeds:
    """Words to begin topics with, for ``factorize(X, k, seeds=...)``.

    Parameters
    ----------
    topics : dict of topic -> features
        ``{"sports": ["team", "match"], "law": ["court"]}`` with a vocabulary, or
        ``{0: [17, 4], 3: [8]}``. Integer topics are the numbers of components; others are
        numbered in the order of the dict. Features are terms or columns.
    vocabulary : sequence of n_features str, or dict of term -> column, optional
        The columns of the terms. Default: the names of X's features. A term that names several
        columns means all of them.
    strength : {"start", "support"}, default "start"
        "start": a component starts from its seeds. "support": it never has other features.

    Examples
    --------
    >>> from sparsenmf import Seeds, factorize
    >>> X = [[4.0, 2, 0], [2.0, 1, 0], [0.0, 0, 3]]
    >>> seeds = Seeds({"pets": ["cat"]}, vocabulary=["cat", "mouse", "stock"])
    >>> factorize(X, 2, seeds=seeds, random_state=0).top_terms(seeds.vocabulary)[0]
    ['cat', 'mouse']
    """

    topics: SeedWords
    vocabulary: Vocabulary | None = None
    strength: Seeding = "start"

    @classmethod
    def of(cls, seeds: Any, vocabulary: Vocabulary | None = None) -> Seeds:
        """Return `Seeds` for what a user passed, with this vocabulary if they have none."""
        if seeds is None:
            return cls({})
        if not isinstance(seeds, cls):
            seeds = cls(seeds)
        if seeds.vocabulary is None:
            seeds = cls(seeds.topics, vocabulary, seeds.strength)
        return seeds


def check_seeds(seeds, shape):
    """Return the columns of each seeded component, a dict of int -> ndarray of int.

    Parameters
    ----------
    seeds : Seeds
    shape : (n_components, n_features)

    Raises
    ------
    TypeError, ValueError
        If there are more topics than components, a feature is unknown, or a topic has none.
    """
    check_choice(seeds.strength, "seeds.strength", STRENGTHS)
    seeds, vocabulary = seeds.topics, seeds.vocabulary
    if not isinstance(seeds, dict):
        raise TypeError(f"seeds must be a dict of topic -> features, not {seeds!r}")
    n_components, n_features = shape
    places: dict[str, list[int]] | None = None
    if vocabulary is not None:
        places = {}
        for j, term in enumerate(check_vocabulary(vocabulary, n_features)):
            places.setdefault(term, []).append(j)
    numbered = all(_is_integer(topic) for topic in seeds)
    found = {}
    for position, (topic, features) in enumerate(seeds.items()):
        r = int(topic) if numbered else position
        if not 0 <= r < n_components:
            raise ValueError(f"seeds has topic {topic!r}, but there are {n_components} components")
        if isinstance(features, str):
            raise TypeError(f"seeds[{topic!r}] must be a sequence of features, not {features!r}")
        columns = [j for x in features for j in _columns(x, topic, places, n_features)]
        if not columns:
            raise ValueError(f"seeds[{topic!r}] has no features")
        found[r] = np.unique(np.array(columns, np.intp))
    return found


def _is_integer(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool | np.bool_)


def _columns(feature, topic, places, n_features):
    """Return the columns of a term, or the column that a number is."""
    if isinstance(feature, str | bytes):
        feature = as_text(feature, f"seeds[{topic!r}]")
        if places is None:
            raise ValueError(
                f"seeds[{topic!r}] has the term {feature!r}, but X has no feature names: pass "
                f"Seeds(seeds, vocabulary), whose vocabulary says what column that is"
            )
        if feature not in places:
            raise ValueError(f"seeds[{topic!r}] has {feature!r}, which is not in the vocabulary")
        return places[feature]
    if not _is_integer(feature):
        raise TypeError(f"seeds[{topic!r}] must have terms or column numbers, not {feature!r}")
    if not 0 <= feature < n_features:
        raise ValueError(f"seeds[{topic!r}] has column {feature} of {n_features}")
    return [int(feature)]


def plant_seeds(Ht, seeds, strength):
    """Set the start of the seeded components in place, and return the support.

    Each component keeps its length, now on its own features. The other features get a little, or,
    with "support", nothing.

    Returns
    -------
    ndarray of shape (n_features, width), bool, or None
        Entries that may differ from zero. None: all of them.
    """
    support = np.ones(Ht.shape, bool) if seeds and strength == "support" else None
    for r, columns in seeds.items():
        length = np.sqrt(np.einsum("j,j->", Ht[:, r], Ht[:, r], dtype=np.float64))
        Ht[:, r] *= Ht.dtype.type(FAINT if strength == "start" else 0.0)
        Ht[columns, r] = length / np.sqrt(len(columns))
        if support is not None:
            support[:, r] = False
            support[columns, r] = True
    return support


def constrain(penalty, fixed, support=None):
    """Return the penalty with these components fixed, a mask, and this support."""
    free = penalty.free.copy()
    free[: len(fixed)] = ~fixed
    return penalty._replace(free=free, support=penalty.support if support is None else support)
