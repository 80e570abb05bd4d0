"""The time and the memory that a selection will take, from a few iterations."""

import functools
from dataclasses import dataclass

import numpy as np

from ..data import clock
from ..models.memory import estimate_memory
from .fits import fit_candidate

MAX_ITER = 200  # the default of `factorize`

PROBE_ITERATIONS = 5

IMPORTED = 12 * 2**20
"""Bytes that the imports of "stability" take, mostly scipy.optimize (measured)."""


@dataclass(frozen=True)
class SelectionForecast:
    """The time and the memory that a selection will take.

    Attributes
    ----------
    n_fits : int
        Number of fits if every candidate is tried.
    seconds : float
        Duration if every fit takes max_iter iterations. It is interpolated between fits and
        scores of a few iterations, with the fewest and with the most components. Fits that
        converge take less; models after more iterations take longer to score.
    memory : int
        Peak memory in bytes, without X; with the sample of its rows, if there is one.
    """

    n_fits: int
    seconds: float
    memory: int

    def __str__(self):
        size = f"{self.memory / 2**20:,.0f} MiB beyond X"
        return f"{self.n_fits} fits, about {self.seconds:.1f} s if none converges, {size}"


def forecast(scorer, candidates, options, copied=0):
    """Return the `SelectionForecast` of candidates, from fits of the fewest and the most.

    Parameters
    ----------
    scorer : Blocks, Entries, KnownEntries or Halves
    candidates : list of int
    options : dict
        Of each fit.
    copied : int
        Bytes of the sample of X.
    """
    ends = sorted({candidates[0], candidates[-1]})
    costs = [_time_candidate(scorer, k, options) for k in ends]
    seconds = scorer.n_folds * float(np.interp(candidates, ends, costs).sum())
    part, most = scorer.training(0), candidates[-1]
    X = part.X
    starts = scorer.n_folds * most * X.shape[1] * X.dtype.itemsize
    memory = estimate_memory(X, most, **part.options).total + bytes_of(part)
    memory += copied + scorer.scratch + starts + IMPORTED
    n_fits = scorer.n_fits * scorer.n_folds * len(candidates)
    return SelectionForecast(n_fits, seconds, memory)


def bytes_of(matrix):
    """Return the size of the entries of a `WeightedMatrix`."""
    X = matrix.X
    return X.nnz * ((2 if matrix.entries is not None else 1) * X.dtype.itemsize + 4)


def _time_candidate(scorer, k, options):
    """Return the seconds of one fold with max_iter iterations, from a few iterations."""
    fit = functools.partial(fit_candidate, n_components=k, start=None, **{**options, "tol": 0.0})
    # The first turn compiles or loads the kernels; the second one is timed.
    for n_iter in (1, PROBE_ITERATIONS):
        started = clock.seconds()
        _, model = scorer.score(0, functools.partial(fit, rng=0, max_iter=n_iter))
        once = clock.seconds() - started  # this includes the score
    times = model.time_history
    iteration = scorer.n_fits * (times[-1] - times[0]) / max(1, len(times) - 1)
    return once + max(0, options.get("max_iter", MAX_ITER) - PROBE_ITERATIONS) * iteration
