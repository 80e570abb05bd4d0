"""A sample of the rows, where all of X would not fit into memory or take too long."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..data.arguments import check_number
from ..data.store import is_store
from ..data.typing import IntArray, Matrix
from ..models.restarts import Generators
from ..solvers.problem import Problem
from ..solvers.sampled import sample_rows

SAMPLE_NNZ = 2**22
"""Nonzeros that a sample has by default."""

SAMPLE_ROWS, ROWS_EACH = 20_000, 200
"""Rows that it has at least, and for each component: see `default_rows`."""

MOST_NNZ = 2**26  # nonzeros that it has at most, 512 MiB in float32

KEY = (2, 0, 0)  # of the generator of a sample, which nothing else has


@dataclass(frozen=True, eq=False)
class Sample:
    """The rows of X that were looked at, where these were not all.

    Attributes
    ----------
    rows : ndarray of int
        Their numbers, sorted.
    n_rows : int
        How many rows X has.
    """

    rows: IntArray
    n_rows: int

    def __str__(self):
        return f"a sample of {len(self.rows):,} of {self.n_rows:,} rows"

    __repr__ = __str__


def take_sample(
    problem: Problem, share: float | None, n_components: int, seeds: Generators
) -> tuple[Problem, Sample | None]:
    """Return the problem of a sample of the rows, in memory, and which rows these are.

    Parameters
    ----------
    problem : Problem
    share : float or None
        Share of the rows, above 0 and at most 1. None: all rows of a matrix in memory, and as many
        rows of a store as `default_rows` says.
    n_components : int
        The most that will be looked for.
    seeds : Generators

    Returns
    -------
    part : Problem
        The problem itself for all rows of a matrix in memory.
    sample : Sample or None
        None for all rows.
    """
    n_rows = problem.shape[0]
    if share is not None:
        share = check_number(share, "sample", most=1.0, open_below=True)
    elif problem.is_stored:
        share = default_rows(problem.X, n_components) / n_rows
    rows = np.arange(n_rows)
    if share is not None and share < 1:
        rows = sample_rows(problem.X, share, n_components, seeds.generator(*KEY))
    if len(rows) < n_rows:
        return problem.take_rows(rows), Sample(rows, n_rows)
    return (problem.take_rows(rows) if problem.is_stored else problem), None


def default_rows(X, n_components):
    """Return how many rows of a store are a sample.

    On planted counts of ten topics with 63 nonzeros a row, 20 rows for each topic gave 8 to 11, and
    50 rows ten in all draws; of rows with 9 nonzeros, 20,000 gave 4 and 8. So there are four times
    as many rows for each component, and many nonzeros where rows have few. The size does not grow
    with the store, so that a selection takes minutes.
    """
    each = max(X.nnz, 1) / X.shape[0]
    enough = max(SAMPLE_NNZ / each, SAMPLE_ROWS, ROWS_EACH * n_components)
    return min(X.shape[0], max(1, int(min(enough, MOST_NNZ / each))))


def check_in_memory(X: Matrix) -> None:
    """Raise TypeError for a Dask array, which NumPy would load and make dense."""
    if not is_store(X) and type(X).__module__.partition(".")[0] == "dask":
        raise TypeError(
            "X is a Dask collection: pass a sample of its rows in memory, such as X[rows].compute()"
            ", or write its blocks with write_csr and pass the store"
        )
