"""A run: the loop over the iterations of a problem, and its result."""

from __future__ import annotations

from typing import Any

from ..solvers.alternation import Alternation
from ..solvers.loop import Loop
from ..solvers.problem import Problem
from ..solvers.start import Start
from ..solvers.stopping import Stopping
from .factorization import Factorization
from .result import Finish, conclude


class Run(Loop):
    """A factorization on its way: iterate over it, then take its result.

    A solver makes it: ``CoordinateDescent().start(problem, start)``. Each turn of a loop over a
    run is one iteration; the loop ends when the run has converged, or at a limit. A loop may
    also be left; another loop over the run then goes on from there. Between two turns, ``state()``
    has numbers and arrays from which ``restore()`` goes on.

    Attributes
    ----------
    stop_reason : str or None
        Why the loop ended, as in `Factorization`; None while there is no reason.
    options : dict
        Loss, penalties and settings.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from sparsenmf import CoordinateDescent, Problem, initialize
    >>> solver = CoordinateDescent()
    >>> problem = Problem(sp.random_array((100, 80), density=0.1, rng=0), 5)
    >>> run = solver.start(problem, initialize(problem, solver, random_state=0), max_iter=30)
    >>> objectives = [state.objective for state in run]
    >>> model = run.result()
    >>> model.n_iter == len(objectives)
    True
    """

    def __init__(
        self,
        problem: Problem,
        start: Start,
        alternation: Alternation,
        stopping: Stopping,
        settings: dict[str, Any],
        W_path: Any = None,
    ) -> None:
        super().__init__(alternation, stopping, problem.scaling)
        limits = {"tol": stopping.tol, "max_iter": stopping.max_iter}
        self.options: dict[str, Any] = {**problem.options, **start.options, **limits, **settings}
        self.given = start.given_W, start.given_H
        self.keeps_order, self.W_path = start.keeps_order, W_path
        self.finish = Finish(
            problem, start.fixed_W, start.given_W, start.fixed_H, start.given_H, self.options,
            start.feature_names,
        )  # fmt: skip

    def result(self) -> Factorization:
        """Return the factorization that has been reached; the run is over.

        Raises
        ------
        RuntimeError
            If no iteration has ended yet, or the result has been taken.
        """
        if self.alternation is None or not self.stopping.history:
            raise RuntimeError("a run has one result, once its first iteration has ended")
        alternation, self.alternation = self.alternation, None
        return conclude(self, alternation)
