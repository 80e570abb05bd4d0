"""A run on a cluster, and its result."""

from __future__ import annotations

from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Any

import numpy as np
from distributed.client import ClosedClientError, futures_of
from numpy.typing import NDArray

from ..data.typing import FloatArray
from ..kernels.compile.threads import threads_for
from ..models.factorization import Factorization
from ..solvers.alternation import Alternation
from ..solvers.blocks import columns_without_entries
from ..solvers.loop import Loop
from ..solvers.row_update import row_update
from ..solvers.scale import order_components
from ..solvers.stopping import Stopping
from ..solvers.weights import Scaling
from . import tasks
from .layouts import choose_layout
from .problem import RemoteProblem
from .start import RemoteStart


@dataclass(eq=False, kw_only=True)
class DistributedFactorization:
    """X is about W @ H, with W on the workers.

    Attributes
    ----------
    W : dask.array.Array of shape (n_samples, n_components)
        It has a block for each block of X, on the workers. ``client.compute(model.W).result()``
        where the client that has it is not the active one.
    H : ndarray of shape (n_components, n_features)
        See `Factorization` for this and all other attributes.
    """

    W: Any
    H: FloatArray
    objective_history: NDArray[np.float64]
    time_history: NDArray[np.float64]
    stop_reason: str
    optimality: float
    x_norm: float
    error: float
    options: dict[str, Any]
    feature_names: NDArray[Any] | None = None
    sample_names: NDArray[Any] | None = None

    def to_factorization(self) -> Factorization:
        """Return a `Factorization`, with all of W in the memory of this machine.

        Raises
        ------
        RuntimeError
            If W is lost, because its client was closed or its tasks were cancelled.
        """
        try:
            # By the client that has W, which need not be the active one.
            clients = {future.client for future in futures_of(self.W)}
            W = self.W.compute(scheduler=clients.pop()) if clients else self.W.compute()
        except (CancelledError, ClosedClientError) as error:
            raise RuntimeError(
                "W is lost with its client, which is closed, or with its tasks, which were "
                "cancelled: call to_factorization() before"
            ) from error
        return Factorization(**{**vars(self), "W": np.ascontiguousarray(W)})


class RemoteRun(Loop):
    """A factorization on its way, on a cluster.

    Parameters
    ----------
    problem : RemoteProblem
    solver : CoordinateDescent or MultiplicativeUpdate
    start : RemoteStart
    stopping : Stopping
    """

    def __init__(
        self, problem: RemoteProblem, solver: Any, start: RemoteStart, stopping: Stopping
    ) -> None:
        k, rows = problem.n_components, problem.rows
        n_threads = threads_for(problem.n_threads, problem.nnz * start.W.shape[1])
        update = row_update(problem.total_loss, solver.name, True, k, n_threads)
        columns = columns_without_entries(problem.shape[1], k, problem.dtype)
        layout = choose_layout(problem.beta)(
            update, rows, columns, *problem.penalties(start.fixed_H)
        )
        run = Alternation(
            layout, start.W, start.Ht, informative=start.informative, **solver.momentum
        )
        super().__init__(run, stopping, Scaling(None, None, problem.beta))
        self.names, self.crew = problem.names, rows.crew
        limits = {"tol": stopping.tol, "max_iter": stopping.max_iter}
        settings = {**solver.settings, "max_sweeps": run.most_sweeps}
        self.options = {**problem.options, **start.options, **limits, **settings}

    def result(self) -> DistributedFactorization:
        """Return the factorization that has been reached."""
        run, history = self.alternation, np.array(self.stopping.history)
        optimality, (W, Ht, objective) = run.optimality(), run.current
        fit = objective - run.penalty_W.value(W) - run.penalty_H.value(Ht)
        W, H = self._conclude()
        return DistributedFactorization(
            W=W,
            H=H,
            objective_history=history[:, 0].copy(),
            time_history=history[:, 1].copy(),
            stop_reason=self.stop_reason or "callback",
            optimality=optimality,
            x_norm=float(np.sqrt(2 * run.loss.scale)),
            error=float(np.sqrt(max(2 * fit, 0.0))),
            options=self.options,
            feature_names=self.names[0],
            sample_names=self.names[1],
        )

    def _conclude(self):
        """Return W as a dask array, and H, with ordered and balanced components."""
        run, crew = self.alternation, self.crew
        (W, Ht, _), squares = run.current, run.squares_W()[: run.n_components]
        sums, penalties = None, (run.penalty_W.penalty, run.penalty_H)
        if run.penalty_H.free.all():
            sums = sum(crew.gather(crew.map(tasks.sum_columns_of_block, W.blocks)))
            sums = sums[: len(squares)]
        order, scale, H = order_components(
            sums, squares, len(W), Ht, penalties, balanced=run.balanced
        )
        return W.as_array(order, scale, crew), H
