"""Many runs that belong together: their seeds, when to end them, the best of them.

Each run has a seed of its own, spawned from the user's, so that no result depends on how
many runs there are beside it, or on their order.
"""

import numbers
from dataclasses import dataclass, replace

import numpy as np

from ..data import clock
from ..data.arguments import (
    check_flag,
    check_integer,
    check_number,
    check_random_state,
    draw_seed,
    shown,
)
from ..data.progress import open_progress


class Generators:
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
        self._done, self._started = 0, clock.seconds()
        self.stop_reason: str | None = None

    @property
    def seconds(self):
        """Since the beginning, but for compiling."""
        return clock.seconds() - self._started

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


NOT_FOR_PARTS = ("W", "H", "frozen_W", "frozen_H", "seeds")


def check_options(options, taken=NOT_FOR_PARTS):
    """Raise TypeError if there are options that make no sense for parts of X, or many runs."""
    for name in taken:
        if options.get(name) is not None:
            raise TypeError(f"{name} cannot be passed on to these fits")
    if options.get("checkpoint") is not None:
        raise TypeError(
            "checkpoint is for one run of factorize: these are many fits, each of another "
            "problem or from another start, and none may go on from another's state"
        )


def is_random(init):
    """Return whether an `init` is random, as it is in these fits by default."""
    return init is None or (isinstance(init, str) and init == "random")


def check_random_init(options):
    """Raise ValueError where all starts would be the same."""
    if not is_random(init := options.get("init")):
        raise ValueError(f'init must be "random" for starts that differ, not {shown(init)}')


@dataclass(frozen=True)
class RandomStarts:
    """Several random starts, for ``factorize(X, k, init=RandomStarts(5))``.

    Parameters
    ----------
    n : int
        Starts, each with a seed of its own. The model that ends lowest is returned; its
        `restart_objectives` are those of all. The time limit is for all of them.

    Raises
    ------
    TypeError, ValueError
        If n is not a number of starts.

    Examples
    --------
    >>> from sparsenmf import RandomStarts, factorize
    >>> X = [[4.0, 2, 0], [2.0, 1, 3], [0.0, 1, 1]]
    >>> len(factorize(X, 2, init=RandomStarts(3), random_state=0).restart_objectives)
    3
    """

    n: int

    def __post_init__(self):
        object.__setattr__(self, "n", check_integer(self.n, "RandomStarts.n", least=1))


def keep_best(fit, arguments):
    """Return the best model of several random starts, with the objectives of all.

    Parameters
    ----------
    fit : callable
        `factorize`.
    arguments : dict
        What it was called with.
    """
    n_restarts = arguments.pop("init").n
    kept = {
        "W_path": getattr(arguments["solver"], "W_path", None),
        "checkpoint": arguments["checkpoint"],
    }
    for name, path in kept.items():
        if path is not None:
            raise ValueError(f"{name} is for one run, not for RandomStarts({n_restarts})")
    if arguments["W"] is not None or arguments["H"] is not None:
        raise ValueError('W and H are only used with init="custom", not with RandomStarts')
    random_state, limit = arguments.pop("random_state"), arguments.pop("time_limit")
    if random_state is None:
        random_state = draw_seed()
    seeds, made_with = Generators(random_state), {"n_restarts": n_restarts}
    if isinstance(random_state, numbers.Integral):
        made_with["random_state"] = int(random_state)
    progress = arguments["progress"]
    if progress is True:  # one bar for all of them
        arguments["progress"] = False
    options = {"time_limit": limit, "progress": progress is True}
    runs, best = Runs("restarts", n_restarts, **options), None
    objectives: list[float] = []
    try:
        while len(objectives) < n_restarts and not runs.stop_reason:
            left = None if limit is None else max(limit - runs.seconds, 1e-3)
            rng = seeds.generator(len(objectives))
            try:
                model = fit(**arguments, init="random", random_state=rng, time_limit=left)
            except KeyboardInterrupt:  # before this run had anything to return
                if best is None:
                    raise
                runs.stop_reason = "interrupted"
                break
            objectives.append(model.objective)
            if best is None or model.objective < best.objective:
                best = model
            runs.finish(model)
            if model.stop_reason in ("interrupted", "callback"):
                runs.stop_reason = model.stop_reason
    finally:
        runs.close()
    assert best is not None  # no run without a model gets here
    reason = runs.stop_reason if len(objectives) < n_restarts else None
    return replace(
        best,
        options={**best.options, **made_with},
        stop_reason=reason or best.stop_reason,
        restart_objectives=np.array(objectives),
    )
