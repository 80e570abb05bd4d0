"""Calls of `factorize` that end or raise KeyboardInterrupt: their models can be compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ..models.factorization import Factorization
from ..models.factorize import factorize
from ..models.restarts import Generators

FitCallback: TypeAlias = Callable[[Factorization], object]


def complete_fit(X, n_components, **options):
    """Return the model of `factorize`; raise KeyboardInterrupt if Ctrl-C ended the run.

    An interrupted run cannot be compared with complete ones. Without a start it begins at random.
    """
    if options.get("W") is None and options.get("H") is None and options.get("init") is None:
        options["init"] = "random"
    model = factorize(X, n_components, **options)
    if model.stop_reason == "interrupted":
        raise KeyboardInterrupt
    return model


def fit_candidate(matrix, *, start, rng, W=None, H=None, **options):
    """Return the model of a fit that begins with W and H, or with `start` as H, or at random.

    Parameters
    ----------
    matrix : WeightedMatrix
    start : ndarray or None
    rng : numpy.random.Generator or int
    W, H : ndarray, optional
    **options
        As in `factorize`.
    """
    if H is None:
        H = start
    if H is not None:
        options["init"] = "custom"
    return complete_fit(matrix.X, W=W, H=H, random_state=rng, **matrix.options, **options)


def fit_restarts(X, n_components, n_restarts, random_state, runs, options):
    """Yield the models of random starts, until all are done or `runs` has a reason to stop.

    Raises
    ------
    KeyboardInterrupt
        If Ctrl-C comes before the first model is finished. Later, it only ends the sequence.
    """
    seeds = random_state if isinstance(random_state, Generators) else Generators(random_state)
    done = 0
    try:
        while done < n_restarts and not runs.stop_reason:
            rng = seeds.generator(done)
            model = complete_fit(X, n_components, random_state=rng, **options)
            done += 1
            runs.finish(model)
            yield model
    except KeyboardInterrupt:
        runs.stop_reason = "interrupted"
        if not done:
            raise
    finally:
        runs.close()
