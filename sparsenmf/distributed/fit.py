"""A distributed fit: place X, make the start, alternate, and collect the result."""

from __future__ import annotations

import inspect
import os
from typing import Any

from distributed import Client, get_client

from ..data import clock
from ..data.arguments import check_integer, check_random_state, refuse_meant
from ..data.typing import AlphaH, Callback, Frozen, Init, Matrix, PathLike, RandomState
from ..data.typing import Loss as LossName
from ..data.typing import Solver as SolverName
from ..kernels.compile.threads import available_cores
from ..models.algorithms import CoordinateDescent, MultiplicativeUpdate, named_solver
from ..models.factorize import factorize as factorize_here
from ..solvers.loop import check_progress, observe
from ..solvers.sampled import NNDSVD
from ..solvers.stopping import check_stopping
from .placement import Crew
from .problem import RemoteProblem
from .run import DistributedFactorization, RemoteRun
from .start import check_init, initialize


def factorize(
    X: Any,
    n_components: int,
    *,
    loss: LossName = "frobenius",
    init: Init | NNDSVD | None = None,
    H: Matrix | None = None,
    alpha_W: float = 0.0,
    alpha_H: AlphaH = "same",
    l1_ratio: float = 0.0,
    tol: float = 1e-5,
    max_iter: int = 200,
    solver: SolverName | CoordinateDescent | MultiplicativeUpdate | None = None,
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

    It minimises the objective of `sparsenmf.factorize` by the same updates. From the same start,
    the iterates are the same up to rounding.

    Parameters
    ----------
    X : dask array, dask bag, list, or store
        A dask array of CSR blocks with whole rows; a bag of CSR matrices; a list of delayed
        CSR blocks or of futures of them; or a store that `open_csr` opened, in a folder that
        every worker can read. The workers check and keep it. If a worker is lost, delayed blocks
        and stores are read again; scattered data cannot be recovered.
    n_components : int
    loss : {"frobenius", "kullback-leibler", "itakura-saito"} or float, default "frobenius"
        As for `sparsenmf.factorize`. For losses other than the first two, workers visit all entries
        of W H, and also hold the transpose of their blocks.
    init : {"auto", "random", "custom"} or NNDSVD, optional
        "auto", the default without H: for the Frobenius loss by "cd" of 100,000 rows or more,
        ``NNDSVD(sample=...)`` of 20,000 rows or 5%, but at most 2**26 nonzeros; for the loss
        "kullback-leibler" ``NNDSVD(scaled=True, sample=...)`` of as many, but at most half of the
        rows, or of all rows if X and the factors have no more than 2**22 entries; else random. The
        rows of a sample are taken on the workers, and a few iterations on them run here; W is then
        found from their H. The rows do not depend on the blocks, and are those that
        `sparsenmf.factorize` takes of the matrix in memory with the same share and `random_state`.
        A random W is drawn on the workers, from a seed for each block.
    H : ndarray of shape (n_components, n_features), optional
        The start of H for ``init="custom"``, or of its first components. W starts at random.
    alpha_W, alpha_H, l1_ratio, tol, max_iter, time_limit : optional
        As for `sparsenmf.factorize`.
    solver : {"cd", "mu"}, CoordinateDescent or MultiplicativeUpdate, optional
        Coordinate descent, for the Frobenius loss, or multiplicative updates, for all. Default:
        "cd" for the Frobenius loss, else "mu". W is on the workers in any case.
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
        and the last one stays; for losses other than the Frobenius norm the next W, too. Without
        it, a lost block of W is computed again from the first iteration on. The scheduler therefore
        keeps the H of every iteration, which has ``n_components * n_features`` numbers, as long as
        W lives.
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
    Two blocks of counts on a cluster of one worker, and their topics:

    >>> import numpy as np
    >>> from dask import delayed
    >>> from distributed import Client
    >>> from sparsenmf.distributed import factorize
    >>> pets, law = [4, 3, 2, 0, 0, 0], [0, 0, 0, 4, 3, 2]
    >>> blocks = [delayed(np.array([pets, law] * 50)), delayed(np.array([law, pets, pets] * 20))]
    >>> with Client(processes=False, n_workers=1, dashboard_address=":0") as client:
    ...     there = factorize(blocks, 2, loss="kullback-leibler", random_state=0, client=client)
    ...     model = there.to_factorization()
    >>> model.W.shape
    (160, 2)
    >>> model.top_terms(["cat", "dog", "bird", "court", "judge", "jury"], 3)
    [['cat', 'dog', 'bird'], ['court', 'judge', 'jury']]
    """
    _refuse(others)
    began = clock.seconds()
    stopping = check_stopping(tol, max_iter, time_limit, began)
    problem = RemoteProblem(n_components, loss, alpha_W, alpha_H, l1_ratio, frozen_H, n_threads)
    solver = _check_solver(solver, problem.beta)
    init, block_nnz, scratch = check_init(init), _check_block(block_nnz), _check_folder(scratch)
    check_random_state(random_state)
    check_progress(progress)
    crew = Crew(_active_client() if client is None else client)
    try:
        problem.place(crew, X, block_nnz)
        problem.rows.scratch = scratch
        # No name for the start: it would keep the first W on the workers.
        run = RemoteRun(
            problem, solver, initialize(problem, solver, init, H, random_state), stopping
        )
        observe(run, progress)
        return run.result()
    except BaseException:  # Ctrl-C too: the traceback would hold on to futures, and they to data
        crew.cancel()
        raise


def _check_solver(solver, beta):
    """Return the solver that a user asked for, or the one of a loss."""
    solver = named_solver(("cd" if beta == 2 else "mu") if solver is None else solver, beta)
    if solver.low_memory or solver.W_path is not None:
        raise ValueError("low_memory and W_path are not for clusters, where W is on the workers")
    if solver.name == "cd" and beta != 2:
        raise ValueError(
            'solver="cd" on clusters minimises loss="frobenius" alone, because for other losses it '
            'looks at X from both sides: take solver="mu", the default for them'
        )
    return solver


def _check_block(block_nnz):
    return None if block_nnz is None else check_integer(block_nnz, "block_nnz", least=1)


def _check_folder(scratch):
    if scratch is not None and not isinstance(scratch, str | os.PathLike):
        raise TypeError(f"scratch must be a path, not {scratch!r}")
    return None if scratch is None else os.fspath(scratch)


def _refuse(others):
    refuse_meant("factorize", others)
    for name in others:
        if name in inspect.signature(factorize_here).parameters:
            raise TypeError(
                f"{name} is not available on clusters, where W starts at random or from a sample "
                f"of X, and all entries count alike; sparsenmf.factorize takes it"
            )
        raise TypeError(f"factorize() got an unexpected keyword argument {name!r}")


def _active_client():
    try:
        return get_client()
    except ValueError:  # there is no active client
        return Client(n_workers=available_cores(), threads_per_worker=1, dashboard_address=":0")
