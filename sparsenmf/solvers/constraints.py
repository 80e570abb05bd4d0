"""What a user fixes beforehand: components that stay as they are, and words for topics."""

import numbers

import numpy as np

from ..data.arguments import check_choice
from ..data.names import as_text, check_vocabulary

SEEDINGS = ("start", "support")

FAINT = 0.01
"""What a seeded component has at first of the other features, as a share of a random
start: not nothing, which multiplicative updates could not change."""


def check_frozen(frozen, name, given, n_components):
    """Return which components of a factor are frozen, as a mask.

    Parameters
    ----------
    frozen : sequence of int or of bool, or None
    name : str
        "frozen_W" or "frozen_H".
    given : int
        Components that the user's start of the factor has.
    n_components : int

    Raises
    ------
    TypeError, ValueError
        If it does not name components whose values are given.
    """
    mask = np.zeros(n_components, bool)
    if frozen is None:
        return mask
    listed = np.asarray(frozen)
    if listed.ndim != 1 or (listed.size and listed.dtype.kind not in "biu"):
        raise TypeError(f"{name} must be a sequence of component numbers or a mask, not {frozen!r}")
    if listed.dtype.kind == "b":
        if len(listed) not in (given, n_components):
            raise ValueError(
                f"{name} has {len(listed)} flags, but there are {n_components} components"
            )
        listed = np.flatnonzero(listed)
    factor = name[-1]
    for r in listed.tolist():
        if not 0 <= r < given:
            raise ValueError(
                f"{name} names component {r}, but {factor} gives values for {given} component"
                f"{'s' * (given != 1)}: pass {factor} with all that is to be frozen"
            )
    mask[listed.astype(np.intp)] = True
    return mask


def check_seeds(seeds, vocabulary, seeding, shape):
    """Return the columns of each seeded component, a dict of int -> ndarray of int.

    Parameters
    ----------
    seeds : dict of component or name -> features, or None
        Names are numbered in their order.
    vocabulary : sequence or dict of terms, or None
    seeding : str
    shape : (n_components, n_features)

    Raises
    ------
    TypeError, ValueError
        If there are more topics than components, a feature is unknown, or a topic has none.
    """
    check_choice(seeding, "seeding", SEEDINGS)
    if seeds is None:
        return {}
    if not isinstance(seeds, dict):
        raise TypeError(f"seeds must be a dict of topic -> features, not {seeds!r}")
    n_components, n_features = shape
    places = None
    if vocabulary is not None:
        places = {term: j for j, term in enumerate(check_vocabulary(vocabulary, n_features))}
    numbered = all(_is_integer(topic) for topic in seeds)
    found = {}
    for position, (topic, features) in enumerate(seeds.items()):
        r = int(topic) if numbered else position
        if not 0 <= r < n_components:
            raise ValueError(f"seeds has topic {topic!r}, but there are {n_components} components")
        if isinstance(features, str):
            raise TypeError(f"seeds[{topic!r}] must be a sequence of features, not {features!r}")
        columns = [_column(feature, topic, places, n_features) for feature in features]
        if not columns:
            raise ValueError(f"seeds[{topic!r}] has no features")
        found[r] = np.unique(np.array(columns, np.intp))
    return found


def _is_integer(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool | np.bool_)


def _column(feature, topic, places, n_features):
    if isinstance(feature, str | bytes):
        feature = as_text(feature, f"seeds[{topic!r}]")
        if places is None:
            raise ValueError(
                f"seeds[{topic!r}] has the term {feature!r}: pass the vocabulary, which says "
                f"what column that is"
            )
        if feature not in places:
            raise ValueError(f"seeds[{topic!r}] has {feature!r}, which is not in the vocabulary")
        return places[feature]
    if not _is_integer(feature):
        raise TypeError(f"seeds[{topic!r}] must have terms or column numbers, not {feature!r}")
    if not 0 <= feature < n_features:
        raise ValueError(f"seeds[{topic!r}] has column {feature} of {n_features}")
    return int(feature)


def plant_seeds(Ht, seeds, seeding):
    """Set the start of the seeded components, in place, and return the support.

    Each keeps the length it had, on its own features; of the others it has a little, or,
    with "support", nothing.

    Returns
    -------
    ndarray of shape (n_features, width), bool, or None
        Entries that may differ from zero; None: all.
    """
    support = np.ones(Ht.shape, bool) if seeds and seeding == "support" else None
    for r, columns in seeds.items():
        length = np.sqrt(np.einsum("j,j->", Ht[:, r], Ht[:, r], dtype=np.float64))
        Ht[:, r] *= Ht.dtype.type(FAINT if seeding == "start" else 0.0)
        Ht[columns, r] = length / np.sqrt(len(columns))
        if support is not None:
            support[:, r] = False
            support[columns, r] = True
    return support


def constrain(penalty, frozen, support=None):
    """Return the penalty with these components frozen and this support."""
    free = penalty.free.copy()
    free[: len(frozen)] = ~frozen
    return penalty._replace(free=free, support=penalty.support if support is None else support)
