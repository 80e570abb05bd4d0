"""Names put in order: columns of new samples as in a model, given factors as in X; and found."""

from __future__ import annotations

import warnings
from collections import defaultdict, deque
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from .containers import is_frame, read_frame
from .formats import index_type
from .named import names_of
from .names import feature_array
from .validation import check_weighted

SHOWN = 3  # names in a remark

PLAIN_MATRIX = "the columns of a plain matrix (X.to_numpy(), adata.X) are taken as they are"


class Match(NamedTuple):
    """Where the columns of a matrix are among the features of a model.

    Attributes
    ----------
    places : ndarray of shape (n_columns,), int
        The feature of each column; -1 for a column that is left out.
    n_features : int
        Features of the model.
    """

    places: np.ndarray
    n_features: int

    def apply(self, X, weights=None):
        """Return a checked CSR matrix, and weights of its entries, with columns as in the model."""
        columns = self.places[X.indices]
        keep = columns >= 0
        indptr = np.concatenate([[0], np.cumsum(keep)])[X.indptr]
        kind = index_type(max(X.nnz, X.shape[0], self.n_features))
        positions = np.flatnonzero(keep)
        # The positions are sorted by column in each row; values and weights follow them.
        arrays = positions, columns[keep].astype(kind), indptr.astype(kind)
        order = sp.csr_array(arrays, shape=(X.shape[0], self.n_features))
        order.sort_indices()
        arrays = X.data[order.data], order.indices, order.indptr
        return sp.csr_array(arrays, shape=order.shape), (
            None if weights is None else weights[order.data]
        )


def match_columns(X, model, *, strict=None, stacklevel=1):
    """Return how the columns of X become those of a model.

    Parameters
    ----------
    X : matrix, store, frame or AnnData
    model : Components
    strict : bool, optional
        Whether names that differ are an error, as the caller's `strict_names` says; None where it
        has no such parameter.
    stacklevel : int
        The stack level of the warning that says what was done: 1 is the caller.

    Returns
    -------
    Match or None
        None if X or the model has no names, or they are the same.

    Raises
    ------
    ValueError
        If `strict` and the names differ, or if they have none in common.
    """
    ours = feature_array(model.feature_names, model.n_features)
    theirs = None if ours is None else names_of(X)[0]
    if theirs is None or ours is None:
        return None
    if np.array_equal(theirs, ours):
        return None
    places, missing = find_places(theirs.tolist(), ours.tolist())
    if (places < 0).all():
        raise ValueError(
            f"X has no feature of the model: X has {_listed(theirs)}, the model {_listed(ours)}; "
            f"use the same identifiers, or pass X without names: {PLAIN_MATRIX}"
        )
    remarks = _describe(theirs, ours, places, missing, model.missing == "unknown")
    if strict:
        raise ValueError(
            f"X has other features than the model: {'; '.join(remarks)}. strict_names=False "
            f"matches them by name"
        )
    how = "" if strict is None else "strict_names=True makes this an error; "
    warnings.warn(
        f"the columns of X are matched to the model's features by name: {'; '.join(remarks)}. "
        f"{how}{PLAIN_MATRIX}",
        stacklevel=stacklevel + 1,
    )
    return Match(places, len(ours))


def align(X, model, *, stacklevel=1):
    """Return X as it is, or, if its names differ from the model's, with the model's columns."""
    match = match_columns(X, model, stacklevel=stacklevel + 1)
    if match is None:
        return X
    return match.apply(check_weighted(X, None, model.missing, model.H.dtype)[0])[0]


def order_factors(W, H, names):
    """Return a given W and H in the order of X's samples and features, where all have names.

    Parameters
    ----------
    W, H : matrix or None
        A frame has names: those of samples in the index of W, of features in the columns of H.
    names : (ndarray or None, ndarray or None)
        Of the features and of the samples of X.

    Raises
    ------
    ValueError
        If a frame has as many names as X, but others.
    """
    features, samples = names
    theirs = names_of(W)[1] if is_frame(W) else None
    if theirs is not None and samples is not None:
        places = order_of(theirs, samples, "W", "samples")
        W = W if places is None else read_frame(W, "W")[places]
    return W, order_H(H, features)


def order_H(H, features, name="H"):
    """Return H in the order of these features, where both have names; see `order_factors`."""
    theirs = names_of(H)[0] if is_frame(H) else None
    if theirs is None or features is None:
        return H
    places = order_of(theirs, features, name)
    return H if places is None else read_frame(H, name)[:, places]


def order_of(theirs, ours, name, side="features"):
    """Return where each of X's names is among those of a factor; None if they need no order.

    Raises
    ------
    ValueError
        If there are as many names, but others.
    """
    theirs, ours = np.asarray(theirs, str), np.asarray(ours, str)
    if len(theirs) != len(ours) or np.array_equal(theirs, ours):  # its shape will be told
        return None
    places, left = find_places(ours.tolist(), theirs.tolist())
    if left.size:
        raise ValueError(
            f"{name} has other {side} than X: {_listed(theirs[left])} in {name}, "
            f"{_listed(ours[places < 0])} in X; use the same names, or pass {name}.to_numpy(), "
            f"which is taken as it is"
        )
    return places


def find_places(theirs, ours):
    """Return the place of each of their names in ours, or -1, and the places that are left.

    A name that is there several times is matched in order.
    """
    there: defaultdict[str, deque[int]] = defaultdict(deque)
    for place, name in enumerate(ours):
        there[name].append(place)
    places = np.full(len(theirs), -1, np.int64)
    for column, name in enumerate(theirs):
        if there.get(name):
            places[column] = there[name].popleft()
    left = sorted(place for waiting in there.values() for place in waiting)
    return places, np.array(left, np.int64)


def _describe(theirs, ours, places, missing, unknown):
    """Return what differs, as parts of a sentence."""
    remarks, found = [], places[places >= 0]
    if (np.diff(found) < 0).any():
        remarks.append("they are in another order, and put in the model's")
    if missing.size:
        counts = "are unknown" if unknown else "count as zero"
        remarks.append(
            f"{missing.size:,} of the model's {len(ours):,} features are not in X and {counts} "
            f"({_listed(ours[missing])})"
        )
    if (left_out := places < 0).any():
        remarks.append(
            f"{left_out.sum():,} of X's {len(theirs):,} columns are not in the model and are left "
            f"out ({_listed(theirs[left_out])})"
        )
    repeated = (_repeated(ours) | _repeated(theirs)) & set(theirs[places >= 0].tolist())
    if repeated:
        remarks.append(
            f"names that are there more than once are matched in the order in which they come "
            f"({_listed(sorted(repeated))})"
        )
    return remarks


def _repeated(names):
    unique, counts = np.unique(names, return_counts=True)
    return set(unique[counts > 1].tolist())


def _listed(names):
    shown = ", ".join(repr(str(name)) for name in names[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown}, ..."


def check_places(places, name, size, names=None):
    """Return rows or columns, given by numbers or by names, as an array of integers.

    Parameters
    ----------
    places : int, str, or array-like of them
        Numbers are positions, also where the names are numbers: these are looked up as texts.
    name : {"samples", "features"}
        What they are, for the errors.
    size : int
        How many there are.
    names : array-like of size str or int, optional
        Their names.

    Raises
    ------
    TypeError
        If they are neither integers nor texts, or texts where there are no names.
    IndexError
        If an integer does not lie in [0, size).
    ValueError
        If a name is not among the names, or more than once.
    """
    given = np.asarray(places)
    if given.size and given.dtype.kind in "UTO":
        texts = np.asarray(places, object)
        if all(isinstance(text, str) for text in texts.flat):
            return _find_names(texts, name, names)
    if given.dtype.kind not in "iu" and given.size:
        raise TypeError(f"{name} must be integers or names, each a str, not {given.dtype}")
    if given.size and not (given.min() >= 0 and given.max() < size):
        advice = "" if names is None else "; a name that is a number is looked up as a text"
        raise IndexError(
            f"{name} must lie in [0, {size}), but span [{given.min()}, {given.max()}]{advice}"
        )
    return given.astype(np.intp)


def _find_names(wanted, name, names):
    """Return the position of each wanted name."""
    attribute = f"model.{name.removesuffix('s')}_names"
    if names is None:
        raise TypeError(
            f"{name} must be integers, as this model has no names of them: pass their positions, "
            f"or assign {attribute}"
        )
    names = np.asarray(names, str)
    found, where = np.unique(wanted.astype(str), return_inverse=True)
    order = np.argsort(names, kind="stable")
    first, last = (np.searchsorted(names, found, side, order) for side in ("left", "right"))
    for odd, problem in ((last == first, "not in"), (last > first + 1, "more than once in")):
        if odd.any():
            raise ValueError(f"{name} has {_listed(found[odd])}, {problem} {attribute}")
    return order[first][where.reshape(wanted.shape)].astype(np.intp)
