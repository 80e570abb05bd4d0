"""A run: the solver that a loss wants, iterated until there is a reason to stop."""

from ..progress import IterationState, open_progress
from .coordinate_descent import CoordinateDescent
from .kullback_leibler import KullbackLeibler
from .multiplicative import MultiplicativeBeta, MultiplicativeFrobenius

SOLVERS = ("cd", "mu")


def choose_solver(solver, beta):
    """Return the class of a solver for a loss."""
    if solver == "mu":
        return MultiplicativeFrobenius if beta == 2 else MultiplicativeBeta
    return CoordinateDescent if beta == 2 else KullbackLeibler


def alternate(run, stopping, weights, callback, progress):
    """Iterate until there is a reason to stop, and return it.

    Parameters
    ----------
    run : Alternation
    stopping : Stopping
    weights : Weights
        For the factors that a callback may look at.
    callback : callable or None
    progress : bool
    """
    display = open_progress(progress, stopping.max_iter)
    try:
        while True:
            run.iterate()
            stopping.record(run.current.objective)
            n_iter = len(stopping.history)
            display.update(n_iter, run.loss.relative(run.current.objective))
            if callback is not None and callback(IterationState(run, stopping, weights)):
                return "callback"
            reason = stopping.reason(run.stalled)
            if reason:
                return reason
    except KeyboardInterrupt:
        if not stopping.history:
            raise
        # The iterate may be newer than the last record: the two must agree.
        stopping.history[-1] = (run.current.objective, stopping.history[-1][1])
        return "interrupted"
    finally:
        display.close()
