"""Whole runs of `factorize`, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ..models.factorization import Factorization
from ..models.factorize import factorize
from ..models.restarts import Generators

FitCallback: TypeAlias = Callable[[Factorization], object]


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
    seeds = random_state if isinstance(random_state, Generators) else Generators(random_state)
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
