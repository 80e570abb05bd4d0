"""Batches whose features have names, which may differ from those of earlier batches."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from ..data.containers import is_frame
from ..data.formats import index_type
from ..data.named import names_of


class Arrival(NamedTuple):
    """Where the columns of a batch are among all features, of which some may be new.

    Attributes
    ----------
    names : ndarray of shape (n_features,), str, or None
        Those known before the batch, then the new ones, in the order of its columns.
    places : ndarray of shape (n_columns,), int64, or None
        None if the columns are the features as they are.
    """

    names: np.ndarray | None
    places: np.ndarray | None = None

    def place(self, X):
        """Return a checked CSR matrix with its columns among all features."""
        if self.places is None or self.names is None:
            return X
        kind = index_type(max(X.nnz, X.shape[0], len(self.names)))
        arrays = X.data, self.places[X.indices].astype(kind), X.indptr.astype(kind)
        placed = sp.csr_array(arrays, shape=(X.shape[0], len(self.names)))
        if not np.all(self.places[1:] > self.places[:-1]):
            placed = placed.sorted_indices()  # a copy: the values are the caller's
        return placed


def arrive(X, known, *, first, grows):
    """Return the `Arrival` of a batch.

    Parameters
    ----------
    X : matrix
    known : ndarray of str, or None
        The names of all features before the batch.
    first : bool
        Whether there is no batch before.
    grows : bool
        Whether there may be new ones.

    Raises
    ------
    ValueError
        Unless `grows`, if the names differ from those before. Otherwise if a name is there twice,
        or the batches before had none.
    """
    names = names_of(X)[0]
    if names is None or (known is None and not first and not grows):
        return Arrival(known)
    if grows:
        _check_names(names, known is not None or first)
    if first:
        return Arrival(names)
    if grows:
        return _match(names, known)
    if not is_frame(X) and not np.array_equal(names, known):  # scikit-learn looks at frames
        raise ValueError(
            "X has other names of features than the batches before, or another order: "
            'new_features="grow" matches them by name'
        )
    return Arrival(known)


def _match(names, known):
    counts = {name: place for place, name in enumerate(known.tolist())}
    places = [counts.setdefault(name, len(counts)) for name in names.tolist()]
    return Arrival(np.array(list(counts)), np.array(places, np.int64))


def _check_names(names, may_have_some):
    if not may_have_some:
        raise ValueError(
            "X has names of features, but the batches before had none: pass all batches with "
            "names, or none"
        )
    unique, counts = np.unique(names, return_counts=True)
    if len(unique) < len(names):
        raise ValueError(
            f"X has several columns of the name {str(unique[counts > 1][0])!r}: "
            f'new_features="grow" needs names that tell features apart; add them up, or rename them'
        )
