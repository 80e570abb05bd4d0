"""A run: a solver, iterated until there is a reason to stop."""

from ..data.progress import IterationState, open_progress

SOLVERS = ("cd", "mu")


def alternate(run, stopping, weights, callback, progress, checkpoint):
    """Iterate until there is a reason to stop, and return it.

    Parameters
    ----------
    run : Alternation
    stopping : Stopping
    weights : Weights
        For the factors that a callback may look at.
    callback : callable or None
    progress : bool
    checkpoint : Checkpoint
    """
    display = open_progress(progress, stopping.max_iter)
    try:
        reason = _iterate(run, stopping, weights, callback, display, checkpoint)
    except KeyboardInterrupt:
        if not stopping.history:
            raise
        run.settle()
        # The iterate may be newer than the last record: the two must agree.
        stopping.history[-1] = (run.current.objective, stopping.history[-1][1])
        reason = "interrupted"
    finally:
        display.close()
    checkpoint.save()
    return reason


def _iterate(run, stopping, weights, callback, display, checkpoint):
    if stopping.history and (reason := stopping.reason(run.stalled)):
        return reason  # the run that goes on was at its end
    while True:
        run.ends = stopping.may_end()
        run.iterate()
        stopping.record(run.current.objective)
        checkpoint.tick()
        display.update(len(stopping.history), run.loss.relative(run.current.objective))
        if callback is not None and callback(IterationState(run, stopping, weights)):
            return "callback"
        reason = stopping.reason(run.stalled)
        if reason:
            return reason
