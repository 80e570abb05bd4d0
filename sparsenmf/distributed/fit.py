"""A distributed fit: place X, draw the start, alternate, and collect the result."""

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
from .names import gather_names
from .placement import Crew, place_blocks


@dataclass(eq=False, kw_only=True)
class DistributedFactorization:
    """X is about W @ H, with W on the workers.

    Attributes
    ----------
    W : dask.array.Array of shape (n_samples, n_components)
        It has a block for each block of X, on the workers.
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
        """Return a `Factorization`, with all of W in the memory of this machine."""
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

    It minimises the objective of `sparsenmf.factorize` for the Frobenius loss, by the same
    coordinate descent. From the same start, the iterates are the same up to rounding.

    Parameters
    ----------
    X : dask array, dask bag, list, or store
        A dask array of CSR blocks with whole rows; a bag of CSR matrices; a list of delayed
        CSR blocks or of futures of them; or a store that `open_csr` opened, in a folder that
        every worker can read. The workers check and keep it. If a worker is lost, delayed blocks
        and stores are read again; scattered data cannot be recovered.
    n_components : int
    H : ndarray of shape (n_components, n_features), optional
        The start of H, or of its first components. Default: at random. W always starts at
        random, drawn on the workers, from a seed for each block.
    alpha_W, alpha_H, l1_ratio, tol, max_iter, time_limit : optional
        As for `sparsenmf.factorize`.
    solver : "cd" or CoordinateDescent, default "cd"
        With `max_sweeps` and `extrapolate`; W is on the workers in any case.
    n_threads : int, optional
        Threads of this process, which updates H. The tasks of the workers take one thread each,
        and as many run at a time as the workers have threads.
    random_state : int, numpy.random.Generator or RandomState, optional
    frozen_H : sequence of int or mask, optional
        Components whose row of H stays as given.
    block_nnz : int, optional
        Entries in a block of a store. Default: as many as give two blocks for each thread of the
        cluster, at most 2**24. With the same blocks, the result has the same bits on any number
        of workers.
    scratch : str or path-like, optional
        A folder that every worker can read and write. W is written there every 10 iterations,
        and the last one stays. Without it, a lost block of W is computed again from the first
        iteration on. The scheduler therefore keeps the H of every iteration, which has
        ``n_components * n_features`` numbers, as long as W lives.
    client : distributed.Client, optional
        Default: the active one; without one, a local cluster with a process for each
        core, which lives, and holds W, until this process ends.
    progress : bool or callable, default False
        True: show a progress bar (tqdm's, if installed). A callable is called after each
        iteration with an `IterationState`, whose W is a dask array; a true return value stops.
    **others : Any
        There are none: other parameters of `sparsenmf.factorize` raise TypeError with their name.

    Returns
    -------
    DistributedFactorization
        W as a dask array, H, and the history. Ctrl-C ends the run and returns the last iterate.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value, or is not available on clusters.
    RuntimeError
        If data were lost that cannot be computed again, or if the tasks were cancelled.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from dask import delayed
    >>> from distributed import Client
    >>> from sparsenmf.distributed import factorize
    >>> blocks = [sp.random_array((50, 40), density=0.2, rng=i, format="csr") for i in (0, 1)]
    >>> with Client(processes=False, n_workers=1, dashboard_address=":0") as client:
    ...     model = factorize([delayed(block) for block in blocks], 3, client=client)
    ...     model.to_factorization().W.shape
    (100, 3)
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
        parts = place_blocks(X, crew, block_nnz)
        rows, loss, mean, dtype = _place(crew, parts, n_components)
        names = gather_names(crew, X, parts)
        del parts
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
        return _conclude(run, crew, stopping, loop.stop_reason, options, names)
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
                f"{name} is not available on clusters, which minimise the Frobenius loss by "
                f"coordinate descent, from a random start or from H; sparsenmf.factorize takes it"
            )
        raise TypeError(f"factorize() got an unexpected keyword argument {name!r}")


def _active_client():
    try:
        return get_client()
    except ValueError:  # there is no active client
        return Client(n_workers=available_cores(), threads_per_worker=1, dashboard_address=":0")


def _place(crew, parts, n_components):
    """Check the blocks on their workers; return the rows, the loss, and X's mean and dtype."""
    names = [f"X (block {b})" for b in range(len(parts))]
    checked = crew.map(tasks.check_block, parts, names)
    facts = crew.gather(crew.map(tasks.describe_block, checked))
    crew.pin(checked)
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
    entropy = int.from_bytes(rng.bytes(16), "little")  # works for a Generator and a RandomState
    seeds = np.random.SeedSequence(entropy).spawn(len(rows.heights))
    options = {"n_components": n_components, "mean": mean, "dtype": dtype}
    blocks = crew.map(tasks.draw_block, seeds, rows.heights, **options)
    W = RemoteFactor(rows.heights, padded_width(n_components, dtype), dtype, blocks)
    _, Ht = draw_start((1, rows.shape[1]), n_components, mean, dtype, rng, H=H)
    return W, Ht


def _conclude(run, crew, stopping, reason, options, names):
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
        feature_names=names[0],
        sample_names=names[1],
    )
