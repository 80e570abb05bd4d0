"""A matrix in memory with the weights of its rows, columns and entries, and parts of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..data.typing import Missing
from ..solvers.problem import Problem
from ..solvers.weights import Weights


@dataclass(frozen=True, eq=False)
class WeightedMatrix:
    """X, and how much its rows, columns and entries count.

    Attributes
    ----------
    X : scipy.sparse.csr_array
    entries : scipy.sparse.csr_array or None
        Weights of the stored entries, which are those of X; None if each counts once.
    samples, features : ndarray of float64, or None
        Weights of the rows and of the columns; None if each counts once.
    missing : "zero" or "unknown"
        What an entry that is not stored means.
    """

    X: sp.csr_array
    entries: sp.csr_array | None = None
    samples: np.ndarray | None = None
    features: np.ndarray | None = None
    missing: Missing = "zero"

    @classmethod
    def of(cls, problem: Problem) -> WeightedMatrix:
        """Return the matrix of a problem in memory, with its weights."""
        X, scaling, entries = problem.X, problem.scaling, problem.entries.weights
        if entries is not None:
            entries = sp.csr_array((entries, X.indices, X.indptr), shape=X.shape)
        return cls(X, entries, scaling.samples, scaling.features, problem.missing)

    @property
    def shape(self) -> tuple[int, int]:
        """Of X."""
        return self.X.shape

    @property
    def unknown(self) -> bool:
        """Whether entries that are not stored are unknown."""
        return self.missing == "unknown"

    @property
    def options(self) -> dict[str, Any]:
        """The weights and what is missing, as `factorize` takes them."""
        weights = Weights(samples=self.samples, features=self.features, entries=self.entries)
        return {"weights": weights, "missing": self.missing}

    def take(self, rows=None, columns=None) -> WeightedMatrix:
        """Return the part with these rows and columns, given in order; None stands for all."""
        return WeightedMatrix(
            _part(self.X, rows, columns),
            None if self.entries is None else _part(self.entries, rows, columns),
            _some(self.samples, rows),
            _some(self.features, columns),
            self.missing,
        )

    def without_weightless(self) -> WeightedMatrix:
        """Return the part whose rows and columns have a weight above zero."""
        kept = [None if w is None else np.flatnonzero(w) for w in (self.samples, self.features)]
        return self if all(places is None for places in kept) else self.take(*kept)

    def transposed(self) -> WeightedMatrix:
        """Return X' with its weights."""
        X, entries = (None if x is None else sp.csr_array(x.T) for x in (self.X, self.entries))
        return WeightedMatrix(X, entries, self.features, self.samples, self.missing)

    def weights_at(self, i, j):
        """Return the weights of the entries (i, j) by their rows and columns, or None for ones."""
        if self.samples is None and self.features is None:
            return None
        samples = 1.0 if self.samples is None else self.samples[i]
        return samples * (1.0 if self.features is None else self.features[j])


def rows_of(X):
    """Return the row of each stored entry."""
    return np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))


def _part(X, rows, columns):
    X = X if rows is None else X[rows]
    return X if columns is None else X[:, columns]


def _some(weights, places):
    return weights if weights is None or places is None else weights[places]
