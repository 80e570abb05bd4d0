"""The story of the package on one page: problem, start, run, result."""

from __future__ import annotations

from ..data import clock
from ..data.outputs import check_outputs
from ..data.typing import (
    AlphaH,
    Callback,
    Frozen,
    Init,
    Loss,
    Matrix,
    Missing,
    PathLike,
    RandomState,
    SeedWords,
    Vector,
)
from ..data.typing import Solver as SolverName
from ..solvers.constraints import Seeds
from ..solvers.loop import check_progress, observe
from ..solvers.problem import Problem
from ..solvers.sampled import NNDSVD
from ..solvers.start import initialize
from ..solvers.stopping import check_stopping
from ..solvers.weights import Weights
from .algorithms import Solver, check_solver
from .announcing import announced
from .checkpoint import Checkpoint, CheckpointFile
from .factorization import Factorization
from .restarts import RandomStarts, keep_best


@announced
def factorize(
    X: Matrix,
    n_components: int,
    *,
    loss: Loss = "frobenius",
    max_iter: int = 200,
    random_state: RandomState = None,
    alpha_W: float = 0.0,
    alpha_H: AlphaH = "same",
    l1_ratio: float = 0.0,
    weights: Weights | Vector | Matrix | None = None,
    missing: Missing = "zero",
    init: Init | NNDSVD | RandomStarts | None = None,
    W: Matrix | None = None,
    H: Matrix | None = None,
    frozen_W: Frozen | None = None,
    frozen_H: Frozen | None = None,
    seeds: Seeds | SeedWords | None = None,
    solver: SolverName | Solver | None = None,
    tol: float = 1e-5,
    time_limit: float | None = None,
    n_threads: int | None = None,
    checkpoint: Checkpoint | PathLike | None = None,
    progress: bool | Callback = False,
) -> Factorization:
    """Factorize a non-negative sparse matrix: X is about W @ H, with W and H >= 0.

    Parameters
    ----------
    X : scipy.sparse matrix or array, ndarray, or pandas DataFrame, \
of shape (n_samples, n_features)
        Non-negative and finite: documents x terms, cells x genes, users x items. X may also be a
        matrix on disk that `open_csr` opened, an AnnData, a PyData sparse array, or a sparse
        matrix of pyarrow's. Names of features and samples (columns and index of a DataFrame,
        var_names and obs_names, those of a `NamedMatrix`) are kept in the result. Any format,
        index type and order; duplicates are summed. X is never made dense and never written to.
        float32 and float64 keep their precision (large problems in float64 have their first
        iterations in single); integers and booleans become float32 where that is exact (below
        2**24), else float64.
    n_components : int
        Number of components. More than min(n_samples, n_features) of them are for known ones, such
        as a sample and signatures: ``factorize(x, 8, H=S, frozen_H=range(8))``. A start by NNDSVD
        has no more.
    loss : {"frobenius", "kullback-leibler", "itakura-saito"} or float, \
default "frobenius"
        The divergence of X from W H. "frobenius", ``1/2 ||X - W H||_F^2``, is for data with errors
        of equal size (tf-idf); "kullback-leibler", ``sum(x log(x / y) - x + y)``, for counts;
        "itakura-saito", ``sum(x / y - log(x / y) - 1)``, for powers (spectrograms; not for data
        with zeros). A float is the beta of a beta divergence (2, 1 and 0, to 1e-12, are those
        three). Any beta but 2 and 1 costs ``n_samples * n_features * n_components`` operations in
        each half of an iteration, however sparse X is.
    max_iter : int, default 200
        The most iterations. A run ends before when it has converged, see `tol`.
    random_state : int, numpy.random.Generator or RandomState, optional
        An int makes the result repeatable.

    Returns
    -------
    Factorization
        W, H, the objective after each iteration, and why the run stopped. Ctrl-C ends the run
        within a second and returns what has been reached, with ``stop_reason == "interrupted"``
        (and an optimality of NaN where measuring it would take long). Before the first iteration
        has ended there is nothing to return, and KeyboardInterrupt is raised.

    Other Parameters
    ----------------
    What is minimised:
    alpha_W : float, default 0
        Weight of the penalty on W.
    alpha_H : float or "same", default "same"
        Weight of the penalty on H; "same" means alpha_W.
    l1_ratio : float between 0 and 1, default 0
        Share of L1 in the penalties; the rest is L2.
    weights : array-like, scipy.sparse matrix or Weights, optional
        How much samples, features and entries of X count, see `Weights`. An array of shape
        (n_samples,) weighs the samples, a matrix the stored entries.
    missing : {"zero", "unknown"}, default "zero"
        What an entry means that is not stored. With "unknown" only the stored entries count,
        stored zeros and the zeros of a dense array among them (ratings); NaN is unknown, too.
        The penalties are the same. A sample without a single entry gets a W of zero.

    Where it starts:
    init : {"auto", "random", "nndsvd", "nndsvda", "nndsvdar", "custom"}, NNDSVD \
or RandomStarts, optional
        Default: "custom" if W or H is given, else "auto". "auto" is, for the Kullback-Leibler loss,
        ``NNDSVD(scaled=True)``, from 20,000 samples or 5% of a store that is not small; but
        "random" with seeds, weights of entries or unknown ones, or more components than samples or
        features.
        For the Frobenius loss on large matrices (from 100,000 samples, and 1,000 for each
        component) it is ``NNDSVD(sample=...)`` of as many, and "random" otherwise. "nndsvda" fills
        zeros with mean(X) / sqrt(mean of its nonzeros), "nndsvdar" with random numbers of a
        hundredth of that; for "mu", which cannot leave zero, "nndsvd" is "nndsvda". Random starts
        for other losses are scaled so that the sum of W H is that of X. On a store, an NNDSVD start
        of all samples takes nine passes over it. ``RandomStarts(5)`` keeps the best of five runs.
    W : ndarray of shape (n_samples, n_components), optional
        The start of W for ``init="custom"``. Copied.
    H : ndarray of shape (n_components, n_features), optional
        The start of H for ``init="custom"``. Copied. Either may be left out, or have fewer
        components: what is not given is drawn at random. If W is informative rather than random,
        H is fitted to it before the first iteration (Frobenius loss, "cd" with momentum). Where X
        has names, frames are put in its order by theirs: the columns of H, the index of W.

    What is known beforehand:
    frozen_W, frozen_H : sequence of int or mask, optional
        Components whose column of W, or row of H, stays exactly as given, while all else is
        learned: known topics beside new ones. W or H must be passed, and may have these
        components only, the first ones.
    seeds : dict of topic -> features, or Seeds, optional
        Words to begin topics with: ``Seeds({"sports": ["team", "match"]}, vocabulary)``, or
        columns, ``{0: [17, 4], 3: [8]}``.

    How it is minimised:
    solver : {"cd", "mu"}, CoordinateDescent or MultiplicativeUpdate, optional
        Coordinate descent, for the first two losses, or multiplicative updates, for all; the
        objects have settings, such as ``CoordinateDescent(max_sweeps=1)`` or ``low_memory=True``.
        Default: "cd" where there is one: it needs a fraction of the iterations. But "mu" for
        the Kullback-Leibler loss of a store without its transpose, which "cd" needs there
        (``write_csr(..., both_sides=True)``).

    When it stops:
    tol : float, default 1e-5
        Stop when the objective fell by less than ``tol`` times itself over the last
        five iterations. 0 goes on until rounding is all that is left.
    time_limit : float, optional
        Seconds; checked after each iteration. Compiling the kernels does not count.

    What it takes, and what it shows:
    n_threads : int, optional
        Default: the environment variable ``SPARSENMF_NUM_THREADS`` if set, else all cores that
        the process may use, but 1 in other threads than the main one and in child processes.
        The result does not depend on it.
    checkpoint : str, path-like or Checkpoint, optional
        A file for the state of the run: ``Checkpoint(path, every=10, resume=True)`` goes on
        from it.
    progress : bool or callable, default False
        True: say what is done and show a progress bar (tqdm's, if installed), on stderr. A
        callable is called after each iteration with an `IterationState`; a true return value
        stops the run.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be; the message names it.

    See Also
    --------
    Problem, initialize : For a loop of your own over the iterations.

    Notes
    -----
    The objective is scikit-learn's, so that the same alpha means the same:

    ``loss(X, W H)
    + alpha_W * n_features * (l1_ratio * sum(W) + (1 - l1_ratio) / 2 * ||W||_F^2)
    + alpha_H * n_samples * (l1_ratio * sum(H) + (1 - l1_ratio) / 2 * ||H||_F^2)``

    For beta <= 1 the loss is infinite where X is positive and no W H can be, as beside frozen
    zeros: W H counts as 1e-15 X there.

    Components are ordered by their share of the sum of W H, heaviest first; with frozen or
    seeded ones they stay in their places. The first one is topic 1 of all tables and pictures.
    What the objective does not tell, the scale between W and H, is chosen so that the entries
    of both are of about the same size, but for frozen components and runs without momentum.

    An iteration costs about ``4 * nnz * n_components`` multiply-adds. Memory beyond X:
    its transpose, and twice the factors (see `estimate_memory`).

    The same input and seed give the same bits at any number of threads on the same
    kind of machine.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from sparsenmf import factorize
    >>> X = sp.random_array((100, 80), density=0.1, rng=0)
    >>> model = factorize(X, 5, random_state=0)
    >>> model.W.shape, model.H.shape
    ((100, 5), (5, 80))
    """
    arguments, began = dict(locals()), clock.seconds()
    if isinstance(init, RandomStarts):
        if init.n > 1:
            return keep_best(factorize, arguments)
        init = "random"
    check_progress(progress)
    problem = Problem(
        X, n_components, loss=loss, alpha_W=alpha_W, alpha_H=alpha_H, l1_ratio=l1_ratio,
        weights=weights, missing=missing, frozen_W=frozen_W, frozen_H=frozen_H,
        n_threads=n_threads,
    )  # fmt: skip
    solver = check_solver(solver, problem)
    checkpoint = Checkpoint.of(checkpoint)
    check_files(arguments, solver, checkpoint)
    check_stopping(tol, max_iter, time_limit, began)
    start = initialize(problem, solver, init, W=W, H=H, seeds=seeds, random_state=random_state)
    run = solver.start(
        problem, start, tol=tol, max_iter=max_iter, time_limit=time_limit, began=began
    )
    saved = CheckpointFile(checkpoint)
    saved.open(run, problem, start, solver.low_memory)
    del start  # its memory is the run's
    observe(run, progress, saved)
    return run.result()


def check_files(arguments, solver, checkpoint):
    """Raise ValueError if a file that is written is also read, or written twice.

    Parameters
    ----------
    arguments : dict
        Those of `factorize`.
    solver : Solver
    checkpoint : Checkpoint or None
    """
    weights = Weights.of(arguments["weights"])
    read = {name: arguments[name] for name in ("X", "W", "H")}
    read |= {f"weights.{name}": value for name, value in vars(weights).items()}
    path = None if checkpoint is None else checkpoint.path
    check_outputs([("W_path", solver.W_path), ("checkpoint", path)], read.items())
