"""The story of a distributed fit: place X, draw the start, alternate, collect."""

from __future__ import annotations

import inspect
import os
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from distributed import Client, get_client
from numpy.typing import NDArray

from ..data import clock
from ..data.arguments import (
    check_alphas,
    check_integer,
    check_n_components,
    check_random_state,
    check_threads,
)
from ..data.factors import padded_width
from ..data.typing import AlphaH, Callback, FloatArray, Frozen, Matrix, PathLike, RandomState
from ..data.validation import check_factor, check_scale
from ..kernels.compile.threads import available_cores, resolve_threads, threads_for
from ..models.algorithms import CoordinateDescent
from ..models.factorization import Factorization
from ..models.factorize import factorize as factorize_here
from ..solvers.alternation import Alternation
from ..solvers.blocks import columns_without_entries
from ..solvers.constraints import check_fixed, constrain
from ..solvers.initialization import draw_start
from ..solvers.loop import Loop, check_progress, observe
from ..solvers.losses import Loss
from ..solvers.penalties import make_penalties
from ..solvers.row_update import row_update
from ..solvers.start import made_with
from ..solvers.stopping import check_stopping
from ..solvers.weights import Scaling
from . import tasks
from .descent import OnWorkers, RemoteFactor, RemotePenalty, RemoteRows, conclude
from .placement import Crew, place_blocks


@dataclass(eq=False, kw_only=True)
class DistributedFactorization:
    """X is about W @ H, with W on the workers.

    Attributes
    ----------
    W : dask.array.Array of shape (n_samples, n_components)
        A block for each block of X, on the workers.
    H : ndarray of shape (n_components, n_features)
        And all else, see `Factorization`.
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

    def to_factorization(self) -> Factorization:
        """Return the model of one machine, with all of W in the memory of this one."""
        return Factorization(**{**vars(self), "W": np.ascontiguousarray(self.W.compute())})


def factorize(
    X: Any,
    n_components: int,
    *,
    H: Matrix | None = None,
    alpha_W: float = 0.0,
    alpha_H: AlphaH = "same",
    l1_ratio: float = 0.0,
    tol: float = 1e-5,
    max_iter: int = 200,
    solver: Literal["cd"] | CoordinateDescent = "cd",
    time_limit: float | None = None,
    n_threads: int | None = None,
    random_state: RandomState = None,
    frozen_H: Frozen | None = None,
    block_nnz: int | None = None,
    scratch: PathLike | None = None,
    client: Client | None = None,
    progress: bool | Callback = False,
    **others: Any,
) -> DistributedFactorization:
    """Factorize a matrix that is spread over the workers of a Dask cluster.

    The objective of `sparsenmf.factorize` for the Frobenius loss, by the same coordinate
    descent: on the same start, the same iterates up to rounding.

    Parameters
    ----------
    X : dask array, dask bag, list, or store
        A dask array of CSR blocks with whole rows; a bag of CSR matrices; a list of delayed
        CSR blocks or of futures of them; or what `open_csr` opened, in a folder that
        every worker sees. Checked on the workers, which keep it. Delayed blocks and stores
        are read again when a worker is lost; data that were scattered cannot be.
    n_components : int
    H : ndarray of shape (n_components, n_features), optional
        The start of H, or of its first components. Default: at random. W always starts at
        random, drawn on the workers, from a seed for each block.
    alpha_W, alpha_H, l1_ratio, tol, max_iter, time_limit : optional
        As for `sparsenmf.factorize`.
    solver : "cd" or CoordinateDescent, default "cd"
        With `max_sweeps` and `extrapolate`; W is on the workers in any case.
    n_threads : int, optional
        For the update of H, which is done here. The workers' tasks take one thread each, and
        there are as many at a time as the workers have threads.
    random_state : int, numpy.random.Generator or RandomState, optional
    frozen_H : sequence of int or mask, optional
        Components whose row of H stays exactly as given.
    block_nnz : int, optional
        Entries of a block of a store. Default: two blocks a thread of the cluster, but
        at most 2**24. With the same blocks, the result has the same bits on any
        number of workers.
    scratch : str or path-like, optional
        A folder that every worker sees. W is written there every 10 iterations, and the last
        one stays. Without it, a lost block of W is made again from the first iteration on, for
        which the scheduler keeps each H: ``n_components * n_features`` numbers an iteration,
        for as long as W lives.
    client : distributed.Client, optional
        Default: the active one; without one, a local cluster with a process for each
        core, which lives, and holds W, until this process ends.
    progress : bool or callable, default False
        True: show a progress bar (tqdm's, if installed). A callable is called after each
        iteration with an `IterationState`, whose W is a dask array; a true return value stops.
    **others : Any
        None: what `sparsenmf.factorize` takes beside these is refused by name.

    Returns
    -------
    DistributedFactorization
        With W as a dask array, H, and the history. Ctrl-C ends the run and returns what has been
        reached.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be, or is not for clusters.
    RuntimeError
        If data are lost that nobody can make again, or the tasks were cancelled.
    """
    _refuse(others)
    started = clock.seconds()
    alpha_W, alpha_H, l1_ratio = check_alphas(alpha_W, alpha_H, l1_ratio)
    stopping = check_stopping(tol, max_iter, time_limit, started)
    rng = check_random_state(random_state)
    descent = _check_solver(solver)
    options = {
        "solver": "cd",
        "loss": "frobenius",
        "init": "random" if H is None else "custom",
        "alpha_W": alpha_W,
        "alpha_H": alpha_H,
        "l1_ratio": l1_ratio,
        "tol": stopping.tol,
        "max_iter": stopping.max_iter,
        "extrapolate": descent.extrapolate,
        **made_with(random_state, rng),
    }
    if block_nnz is not None:
        block_nnz = check_integer(block_nnz, "block_nnz", least=1)
    if scratch is not None and not isinstance(scratch, str | os.PathLike):
        raise TypeError(f"scratch must be a path, not {scratch!r}")
    n_components = check_integer(n_components, "n_components", least=1)
    n_threads = resolve_threads(check_threads(n_threads))
    check_progress(progress)

    crew = Crew(_active_client() if client is None else client)
    try:
        rows, loss, mean, dtype = _place(crew, place_blocks(X, crew, block_nnz), n_components)
        rows.scratch = None if scratch is None else os.fspath(scratch)
        n_components = check_n_components(n_components, rows.shape)
        if H is not None:
            words = "n_components x n_features"
            H = check_factor(H, "H", (n_components, rows.shape[1]), words, dtype)
        given = 0 if H is None else len(H)
        fixed = check_fixed(frozen_H, "frozen_H").mask(given, n_components)
        W, Ht = _draw(crew, rows, n_components, mean, dtype, rng, H)
        penalty_W, penalty_H = make_penalties(
            rows.shape, alpha_W, alpha_H, l1_ratio, padded_width(n_components, dtype)
        )
        n_threads = threads_for(n_threads, rows.nnz * W.shape[1])
        layout = OnWorkers(
            row_update(loss, "cd", True, n_components, n_threads),
            rows,
            columns_without_entries(rows.shape[1], n_components, dtype),
            RemotePenalty(penalty_W),
            constrain(penalty_H, fixed),
        )
        settings = {"max_sweeps": descent.max_sweeps, "extrapolate": descent.extrapolate}
        run = Alternation(layout, W, Ht, **settings)
        del W
        options["max_sweeps"] = run.most_sweeps
        loop = Loop(run, stopping, Scaling(None, None, 2.0))
        observe(loop, progress)
        return _conclude(run, crew, stopping, loop.stop_reason, options)
    except BaseException:  # Ctrl-C too: the traceback would hold on to futures, and they to data
        crew.cancel()
        raise


def _check_solver(solver):
    """Return the `CoordinateDescent` that a user asked for."""
    solver = CoordinateDescent() if isinstance(solver, str) and solver == "cd" else solver
    if not isinstance(solver, CoordinateDescent):
        raise ValueError(f'solver must be "cd" or a CoordinateDescent, not {solver!r}')
    if solver.low_memory or solver.W_path is not None:
        raise ValueError("low_memory and W_path are not for clusters, where W is on the workers")
    return solver


def _refuse(others):
    for name in others:
        if name in inspect.signature(factorize_here).parameters:
            raise TypeError(
                f"{name} is not for clusters: there is the Frobenius loss by coordinate descent, "
                f"from a random start or from H; see sparsenmf.factorize for one machine"
            )
        raise TypeError(f"factorize() got an unexpected keyword argument {name!r}")


def _active_client():
    try:
        return get_client()
    except ValueError:  # there is none
        return Client(n_workers=available_cores(), threads_per_worker=1, dashboard_address=":0")


def _place(crew, parts, n_components):
    """Check the blocks where they are; return them as rows, the loss, X's mean and type."""
    names = [f"X (block {b})" for b in range(len(parts))]
    checked = crew.map(tasks.check_block, parts, names)
    facts = crew.gather(crew.map(tasks.survey_block, checked))
    crew.settle(checked)
    for name, fact in zip(names, facts, strict=True):
        if fact.shape[1] != facts[0].shape[1]:
            raise ValueError(
                f"{name} has {fact.shape[1]} columns, but block 0 has {facts[0].shape[1]}"
            )
    dtype = np.result_type(*(fact.dtype for fact in facts))
    check_scale(sp.csr_array(np.array([[max(fact.top for fact in facts)]], dtype)))
    blocks = crew.map(tasks.cut_block, checked, dtype=dtype, n_components=n_components)
    heights, nnz = [fact.shape[0] for fact in facts], sum(fact.nnz for fact in facts)
    rows = RemoteRows(crew, blocks, heights, facts[0].shape[1], nnz)
    half = sum(fact.half_squares for fact in facts)
    mean = sum(fact.total for fact in facts) / (rows.shape[0] * rows.shape[1])
    return rows, Loss(2.0, half, half, 0.0), mean, dtype


def _draw(crew, rows, n_components, mean, dtype, rng, H):
    """Return the start: W drawn on the workers, block by block, and H here."""
    entropy = int.from_bytes(rng.bytes(16), "little")  # of a Generator and a RandomState alike
    seeds = np.random.SeedSequence(entropy).spawn(len(rows.heights))
    options = {"n_components": n_components, "mean": mean, "dtype": dtype}
    blocks = crew.map(tasks.draw_block, seeds, rows.heights, **options)
    W = RemoteFactor(rows.heights, padded_width(n_components, dtype), dtype, blocks)
    _, Ht = draw_start((1, rows.shape[1]), n_components, mean, dtype, rng, H=H)
    return W, Ht


def _conclude(run, crew, stopping, reason, options):
    optimality = run.optimality()
    objective = run.current.objective
    fit = objective - run.penalty_W.value(run.current.W) - run.penalty_H.value(run.current.Ht)
    W, H = conclude(run, crew)
    history = np.array(stopping.history)
    return DistributedFactorization(
        W=W,
        H=H,
        objective_history=history[:, 0].copy(),
        time_history=history[:, 1].copy(),
        stop_reason=reason,
        optimality=optimality,
        x_norm=float(np.sqrt(2 * run.loss.scale)),
        error=float(np.sqrt(max(2 * fit, 0.0))),
        options=options,
    )
