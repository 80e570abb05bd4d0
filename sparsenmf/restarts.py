"""Many runs that belong together: their seeds, when to end them, the best of them.

Each run has a seed of its own, spawned from the user's, so that no result depends on how
many runs there are beside it, or on their order.
"""

import time
from typing import Any, NamedTuple

import numpy as np

from ._factorize import factorize
from .arguments import check_flag, check_integer, check_number, check_random_state
from .factorization import Factorization
from .progress import open_progress
from .validation import check_matrix


class Seeds:
    """Generators by number, from a user's `random_state`."""

    def __init__(self, random_state):
        source = check_random_state(random_state)
        if isinstance(random_state, np.random.RandomState | np.random.Generator):
            random_state = int.from_bytes(source.bytes(16), "little")
        self._entropy = np.random.SeedSequence(random_state).entropy

    def generator(self, *key):
        """Return the generator of this key of integers, always the same."""
        return np.random.default_rng(np.random.SeedSequence(self._entropy, spawn_key=key))


class Runs:
    """What a sequence of runs shares: a progress display, and what may end it early.

    Parameters
    ----------
    name : str
        What the display calls it.
    total : int
        Runs that are planned.
    progress : bool
    time_limit : float or None
        Seconds, looked at between runs.
    callback : callable or None
        Called after each run with its model; a true return value ends the sequence.

    Attributes
    ----------
    stop_reason : str or None
        "time_limit", "callback" or "interrupted"; None while there is no reason.
    """

    def __init__(self, name, total, *, progress=False, time_limit=None, callback=None):
        if time_limit is not None:
            time_limit = check_number(time_limit, "time_limit", open_below=True)
        if callback is not None and not callable(callback):
            raise TypeError(f"callback must be callable, not {callback!r}")
        self._time_limit, self._callback = time_limit, callback
        self._progress = open_progress(check_flag(progress, "progress"), total, name, "run")
        self._done, self._started = 0, time.perf_counter()
        self.stop_reason: str | None = None

    @property
    def seconds(self):
        """Since the beginning."""
        return time.perf_counter() - self._started

    def finish(self, model):
        """Note that a run is done, and look whether to go on."""
        self._done += 1
        self._progress.update(self._done, model.relative_error)
        if self._callback is not None and self._callback(model):
            self.stop_reason = "callback"
        elif self._time_limit is not None and self.seconds >= self._time_limit:
            self.stop_reason = "time_limit"

    def close(self):
        """End the display."""
        self._progress.close()


TAKEN = ("W", "H", "frozen_W", "frozen_H", "seeds", "sample_weight", "feature_weight")


def check_options(options, taken=TAKEN):
    """Raise TypeError if there are options that make no sense for parts of X, or many runs."""
    for name in taken:
        if options.get(name) is not None:
            raise TypeError(f"{name} cannot be passed on to these fits")


def check_random_init(options):
    """Raise ValueError where all starts would be the same."""
    if options.get("init") not in (None, "random"):
        raise ValueError(f'init must be "random" for starts that differ, not {options["init"]!r}')


def fit_whole(X, n_components, **options):
    """Return a model as `factorize` does, but raise KeyboardInterrupt where that came.

    Half a run cannot be compared with whole ones.
    """
    model = factorize(X, n_components, **options)
    if model.stop_reason == "interrupted":
        raise KeyboardInterrupt
    return model


def fit_restarts(X, n_components, n_restarts, random_state, runs, options):
    """Yield the models of random starts, until they are done or `runs` has a reason to end.

    Raises
    ------
    KeyboardInterrupt
        If it comes before the first model is finished; later, it ends the sequence.
    """
    seeds = random_state if isinstance(random_state, Seeds) else Seeds(random_state)
    done = 0
    try:
        while done < n_restarts and not runs.stop_reason:
            rng = seeds.generator(done)
            model = fit_whole(X, n_components, random_state=rng, **options)
            done += 1
            runs.finish(model)
            yield model
    except KeyboardInterrupt:
        runs.stop_reason = "interrupted"
        if not done:
            raise
    finally:
        runs.close()


class BestOf(NamedTuple):
    """The best of several runs.

    Attributes
    ----------
    model : Factorization
    objectives : ndarray of float
        Of all runs that were finished, in their order.
    stop_reason : str
        "done", "time_limit", "callback" or "interrupted".
    """

    model: Factorization
    objectives: np.ndarray
    stop_reason: str

    @property
    def spread(self):
        """By how much the worst objective is above the best, relative to that."""
        low = self.objectives.min()
        return float(np.ptp(self.objectives) / low) if low else 0.0


def best_of(
    X: Any,
    n_components: int,
    n_restarts: int,
    *,
    random_state: Any = None,
    time_limit: float | None = None,
    callback: Any = None,
    progress: bool = False,
    **factorize_options: Any,
) -> BestOf:
    """Factorize from several random starts, and keep the one with the lowest objective.

    Parameters
    ----------
    X : scipy.sparse matrix or array, ndarray, or DataFrame, of shape (n_samples, n_features)
    n_components : int
    n_restarts : int
        Each with a seed of its own: run r is the same whatever `n_restarts` is.
    random_state : int, numpy.random.Generator or RandomState, optional
    time_limit : float, optional
        Seconds for all, looked at between runs.
    callback : callable, optional
        Called after each run with its model; a true return value ends the sequence.
    progress : bool, default False
        Show a progress bar.
    **factorize_options : Any
        Passed on to `factorize`.

    Returns
    -------
    BestOf
        Ctrl-C keeps the best of what is finished; before that, KeyboardInterrupt is raised.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from sparsenmf import best_of
    >>> X = sp.random_array((100, 80), density=0.1, rng=0)
    >>> best = best_of(X, 5, n_restarts=4, random_state=0)
    >>> bool(best.model.objective == best.objectives.min())
    True
    """
    X = check_matrix(X)
    n_restarts = check_integer(n_restarts, "n_restarts", least=1)
    options = {"time_limit": time_limit, "callback": callback, "progress": progress}
    runs = Runs("restarts", n_restarts, **options)
    best, objectives = None, []
    for model in fit_restarts(X, n_components, n_restarts, random_state, runs, factorize_options):
        objectives.append(model.objective)
        if best is None or model.objective < best.objective:
            best = model
    assert best is not None  # a sequence without a model has raised
    return BestOf(best, np.array(objectives), runs.stop_reason or "done")
