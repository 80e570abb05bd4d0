"""Batches whose features have names, and may be others than those before."""

import numpy as np
import scipy.sparse as sp

from ..data.formats import index_type
from ..data.named import names_of


class BatchNames:
    """Where the columns of a batch are among all features, of which some may be new.

    Attributes
    ----------
    names : ndarray of shape (n_features,), object
        Those known before the batch, then the new ones, in the order of its columns.
    places : ndarray of shape (n_columns,), int64
    """

    def __init__(self, arriving, known):
        counts = {name: place for place, name in enumerate(known)}
        self.places = np.array([counts.setdefault(name, len(counts)) for name in arriving])
        self.names = np.array(list(counts), object)

    @classmethod
    def of(cls, X, known, *, first):
        """Return the places of a batch, or None if it has no names and needs none.

        Parameters
        ----------
        X : matrix
        known : sequence of str, or None
            The names of all features before the batch.
        first : bool
            Whether there is no batch before.

        Raises
        ------
        ValueError
            If a name is there twice, or the batches before had none.
        """
        arriving = names_of(X)[0]
        if arriving is None:
            return None
        if known is None and not first:
            raise ValueError(
                "X has names of features, but the batches before had none: pass all batches with "
                "names, or none"
            )
        names = [str(name) for name in arriving]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(
                f"X has two columns of the name {twice!r}: new_features='grow' needs names that "
                f"tell features apart; add them up, or rename one"
            )
        return cls(names, [] if first else list(map(str, known)))

    def place(self, X):
        """Return a checked CSR matrix with its columns among all features."""
        kind = index_type(max(X.nnz, X.shape[0], len(self.names)))
        arrays = X.data, self.places[X.indices].astype(kind), X.indptr.astype(kind)
        placed = sp.csr_array(arrays, shape=(X.shape[0], len(self.names)))
        if not np.all(self.places[1:] > self.places[:-1]):
            placed = placed.sorted_indices()  # a copy: the values are the caller's
        return placed
