"""The interface of row updates: what a pass is asked to do, and what it returns."""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np

from ...data.factors import zeros
from ...kernels.products import scatter_rows

SWEEP_TOLERANCE = 0.1
"""Inner sweeps on a row end when a sweep moves it less than this share of the first."""


class Pass(NamedTuple):
    """How a pass updates rows, and what it returns beside them.

    Attributes
    ----------
    sweeps : int
        The most inner sweeps over a row, for updates that sweep.
    tolerance : float
        Sweeps over a row end when a sweep moves it by less than this share of the first sweep.
    earlier : ndarray of shape (n_parts, n_rows, width), or None
        Partial products with other columns of X: see `RowUpdate.scatter`.
    fade : float
        The weight of these products.
    objective, summary, residual : bool
        What the `Step` must hold. It may hold more if that costs nothing.
    """

    sweeps: int = 2
    tolerance: float = SWEEP_TOLERANCE
    earlier: np.ndarray | None = None
    fade: float = 1.0
    objective: bool = True
    summary: bool = False
    residual: bool = False


class Step(NamedTuple):
    """The result of an update, apart from the rows.

    Attributes
    ----------
    objective : float or None
        The objective of the rows, with their penalty, without the loss's constant. None if not
        computed.
    residual : float
        How much single coordinates could still gain, if measured.
    summary : object
        The summary of the new rows, if asked for.
    """

    objective: float | None
    residual: float = 0.0
    summary: Any = None


class RowUpdate(ABC):
    """How the rows of a factor are improved, for one loss and algorithm.

    It holds scratch memory for the kernels, so two threads must not share it.

    Parameters
    ----------
    loss : Loss
    n_components : int
        Columns of the factors that are not padding.
    n_threads : int

    Attributes
    ----------
    plain_first : bool
        Whether the first iteration of an alternation has one sweep, and no momentum follows it.
    measures_updated : bool
        Whether `update` can measure the rows that it has just updated.
    exact_errors : bool
        Whether a small objective is computed again from the residuals, in float64.
    subtracts : bool
        Whether the objective is a sum over all entries, less most of it at those of small weight.
    """

    plain_first = measures_updated = exact_errors = subtracts = False

    def __init__(self, loss, n_components, n_threads=1):
        self.loss, self.n_components, self.n_threads = loss, n_components, n_threads
        self._memory = np.empty((0, 0, 0))

    def worthwhile_sweeps(self, n_rows, nnz):
        """Return how many inner sweeps are worth their time in an iteration."""
        return 2

    # Optional, not abstract: most updates can leave any start.
    def prepare(self, columns, Ht, penalty_W, penalty_H):  # noqa: B027 - a hook, empty on purpose
        """Change a start of H from which no iteration could recover."""

    @abstractmethod
    def summarize(self, factor, rows):
        """Return what an update of the other factor needs to know about this factor as a whole.

        Parameters
        ----------
        factor : ndarray of shape (n_rows, width)
        rows : Rows
            The rows of X that belong to the factor; their blocks cut it.
        """

    @abstractmethod
    def summary_from(self, gram, sums, absent):
        """Return the summary of a factor whose gram matrix and column sums are known."""

    @abstractmethod
    def extrapolate(self, factor, spare, momentum, rows):
        """Extrapolate a factor into `spare`, which holds the one before; return its summary."""

    @abstractmethod
    def update(self, rows, other, summary, penalty, factor, out, how):
        """Improve the rows of `factor`, and write them to `out`.

        Parameters
        ----------
        rows : Rows
        other : ndarray of shape (n_columns, width)
        summary : object
            The summary of `other`.
        penalty : Penalty
        factor, out : ndarray of shape (n_rows, width)
            May be the same array.
        how : Pass

        Returns
        -------
        Step
        """

    def approach(self, rows, other, summary, penalty, out, how):
        """Set the rows of `out`, zero on entry, near their best fit; return the `Step`."""
        return self.update(rows, other, summary, penalty, out, out, how)

    def measure(self, rows, other, summary, penalty, factor, how):
        """Return the `Step` of rows that do not move: how far they are from optimal."""
        how = how._replace(sweeps=0, objective=False)
        return self.update(rows, other, summary, penalty, factor, factor, how)

    def squares(self, summary):
        """Return the squared lengths of a factor's columns, if its summary has them."""
        return None

    def scatter(self, rows, parts, factor, other, sums):
        """Add the products of these rows, transposed, with their factor to `sums`, in parts."""
        scatter_rows(self.n_threads, rows, parts, factor, sums)

    def _grams(self, n_blocks, width):
        """Return memory for the gram matrices of `n_blocks` blocks."""
        if len(self._memory) < n_blocks or self._memory.shape[1] != width:
            self._memory = zeros((n_blocks, width, width), np.float64)
        return self._memory[:n_blocks]


def parts_of(how, factor):
    """Return the partial products of a pass as kernels take them; without any, no parts."""
    return np.empty((0, 0, factor.shape[1]), factor.dtype) if how.earlier is None else how.earlier


def no_gram():
    """Return the empty array that stands for a gram matrix that is not needed."""
    return np.empty((0, 0))
