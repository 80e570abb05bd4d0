"""The story of the package on one page: check, initialize, alternate, stop."""

from typing import Any

import numpy as np

from . import clock
from ._result import conclude, made_with
from .announcing import announced
from .arguments import (
    check_alphas,
    check_choice,
    check_flag,
    check_integer,
    check_n_components,
    check_number,
    check_random_state,
    check_sweeps,
    check_threads,
)
from .checkpoint import check_checkpoint
from .constraints import check_frozen, check_seeds, constrain, plant_seeds
from .entries import STORED, Entries, check_entries, check_missing
from .factorization import Factorization
from .finishing import RowFinish
from .initialization import check_start
from .kernels.threads import resolve_threads
from .losses import check_loss, loss_name
from .outputs import check_run_outputs
from .penalties import make_penalties
from .rows import padded_width
from .runs import keep_best
from .solvers.arrangement import arrange, default_solver
from .solvers.running import SOLVERS, alternate
from .sources import is_store
from .stopping import Stopping
from .weights import check_weights


@announced
def factorize(
    X: Any,
    n_components: int,
    *,
    init: str | None = None,
    W: Any = None,
    H: Any = None,
    solver: str | None = None,
    loss: str | float = "frobenius",
    alpha_W: float = 0.0,
    alpha_H: float | str = "same",
    l1_ratio: float = 0.0,
    tol: float = 1e-5,
    max_iter: int = 200,
    max_sweeps: int | None = None,
    extrapolate: bool = True,
    time_limit: float | None = None,
    n_threads: int | None = None,
    random_state: Any = None,
    n_restarts: int = 1,
    sample_weight: Any = None,
    feature_weight: Any = None,
    missing: str = "zero",
    weights: Any = None,
    frozen_W: Any = None,
    frozen_H: Any = None,
    seeds: Any = None,
    seeding: str = "start",
    vocabulary: Any = None,
    low_memory: bool = False,
    W_path: Any = None,
    checkpoint: Any = None,
    checkpoint_every: int = 10,
    resume: bool = False,
    callback: Any = None,
    progress: bool = False,
) -> Factorization:
    """Factorize a non-negative sparse matrix: X is about W @ H, with W and H >= 0.

    Minimises

    ``loss(X, W H)
    + alpha_W * n_features * (l1_ratio * sum(W) + (1 - l1_ratio) / 2 * ||W||_F^2)
    + alpha_H * n_samples * (l1_ratio * sum(H) + (1 - l1_ratio) / 2 * ||H||_F^2)``

    which is scikit-learn's objective: the same alpha means the same.

    Parameters
    ----------
    X : scipy.sparse matrix or array, ndarray, or pandas DataFrame, \
of shape (n_samples, n_features)
        Or what `open_csr` opened: a matrix on disk, which is read block by block.
        Non-negative and finite: documents x terms, cells x genes, users x items. Also an
        AnnData, a PyData sparse array, or a sparse matrix of pyarrow's.
        Any format, index type and order; duplicates are summed, explicit zeros are
        harmless. Never densified, never written to. float32 and float64 keep their
        precision (large problems in float64 have their first iterations in single); integers
        and booleans become float32 where that is exact (below 2**24), else float64.
    n_components : int
        Number of components, at most min(n_samples, n_features).
    init : {"random", "nndsvd", "nndsvda", "nndsvdar", "custom"}, optional
        Where to start. Default: "custom" if W or H is given, else "random": on real
        tf-idf corpora (20 and 50 components) an NNDSVD start took about as many iterations
        and, before them, half to nearly all of their time, and ended with a squared error
        0.01% to 0.2% lower. "nndsvda" fills zeros with mean(X) / sqrt(mean of its nonzeros),
        "nndsvdar" with random numbers of a hundredth of that; for "mu", which cannot leave zero,
        "nndsvd" is "nndsvda". Random starts for losses other than the Frobenius norm are scaled
        so that W H sums to what X does. On a store an NNDSVD start takes nine passes over it.
    W : ndarray of shape (n_samples, n_components), optional
        The start of W for ``init="custom"``. Copied.
    H : ndarray of shape (n_components, n_features), optional
        The start of H for ``init="custom"``. Copied. Either may be left out, or have fewer
        components: what is not given is drawn at random. If W is informative rather than random,
        H is fitted to it before the first iteration (Frobenius loss, "cd" with momentum).
    solver : {"cd", "mu"}, optional
        Coordinate descent, for the first two losses, or multiplicative updates, for all.
        Default: "cd" where there is one: it needs a fraction of the iterations. But "mu" for
        the Kullback-Leibler loss of a store, or with low_memory, where "cd" cannot be.
    loss : {"frobenius", "kullback-leibler", "itakura-saito"} or float, \
default "frobenius"
        The divergence of X from W H: ``1/2 ||X - W H||_F^2`` for data with errors of equal
        size (tf-idf), ``sum(x log(x / y) - x + y)`` for counts, ``sum(x / y - log(x / y) - 1)``
        for powers (spectrograms; not for data with zeros), or the beta divergence of any
        beta (2, 1 and 0, to 1e-12, are those three). Any beta but 2 and 1 costs
        ``n_samples * n_features * n_components`` operations in each half of an iteration,
        however sparse X is (in tiles: no memory). For beta <= 1 it is infinite where X is
        positive and no W H can be, as beside frozen zeros; W H counts as 1e-15 X there.
    alpha_W : float, default 0
        Weight of the penalty on W.
    alpha_H : float or "same", default "same"
        Weight of the penalty on H; "same" means alpha_W.
    l1_ratio : float between 0 and 1, default 0
        Share of L1 in the penalties; the rest is L2.
    tol : float, default 1e-5
        Stop when the objective fell by less than ``tol`` times itself over the last
        five iterations. 0 goes on until rounding is all that is left.
    max_iter : int, default 200
    max_sweeps : int, default None
        Coordinate descent sweeps over a row in each iteration, while its columns are in
        cache; for the Frobenius loss one in the first iteration. Default: 2, but 1 for the
        Frobenius loss where sweeps take most of the time, because X has few entries for its size:
        ``n_components * (n_samples + n_features) > 12 * nnz``. The result's `options` tell.
    extrapolate : bool, default True
        Momentum between iterations of "cd" (Ang & Gillis 2019); an iteration that does
        not lower the objective is rolled back. With False and ``max_sweeps=1`` the
        iterates for the Frobenius loss are those of scikit-learn's coordinate descent.
    time_limit : float, optional
        Seconds; checked after each iteration. Compiling the kernels does not count.
    n_threads : int, optional
        Default: the environment variable ``SPARSENMF_NUM_THREADS`` if set, else all
        cores the process may use, but 1 outside the main thread and in child
        processes. The result does not depend on it.
    random_state : int, numpy.random.Generator or RandomState, optional
    n_restarts : int, default 1
        Random starts, each with a seed of its own, of which the one that ends lowest is
        returned; the objectives of all are its `restart_objectives`. The time limit is for
        all of them.
    sample_weight : array-like of shape (n_samples,), optional
        A sample of weight c counts, in the loss and in the penalties, as c copies of it. One
        of weight zero has no influence, and gets the W that `transform` gives it.
    feature_weight : array-like of shape (n_features,), optional
        The same for features; kept, and used by `transform`. A feature of weight zero is
        left out: its column of H is zero. Both need a loss with beta > 0.
    missing : {"zero", "unknown"}, default "zero"
        What an entry means that is not stored. "unknown": only stored entries count, zeros
        among them (ratings); so do the zeros of a dense array, of which NaN is what is
        unknown, stored or not. The penalties are the same. A sample without a single entry
        gets a W of zero.
    weights : scipy.sparse matrix or array of shape (n_samples, n_features), optional
        How much each stored entry of X counts in the loss, zeros included: the same
        entries must be stored. What is not stored counts once, or not at all if it is unknown.
    frozen_W, frozen_H : sequence of int or mask, optional
        Components whose column of W, or row of H, stays exactly as given, while all else is
        learned: known topics beside new ones. W or H must be passed, and may have these
        components only, the first ones.
    seeds : dict of topic -> features, optional
        Words to begin topics with, such as ``{"sports": ["team", "match"], "law": ["court"]}``
        with `vocabulary`, or ``{0: [17, 4], 3: [8]}``: components by number, or else numbered
        in the order of the dict; features by term or by column.
    seeding : {"start", "support"}, default "start"
        Whether the seeds are where a component starts, or all the features it may ever have.
    vocabulary : sequence of n_features str, or dict of term -> column, optional
        What columns the terms in `seeds` are.
    low_memory : bool, default False
        Without a transpose of X: what H needs is summed in one pass over the rows of X an
        iteration, as with a store. For the Frobenius loss, and for Kullback-Leibler by "mu" (with
        a third array of W's size). On matrices with many more rows than columns "cd" does so
        anyway, as it is faster there; with low_memory, float64 has no iterations in single.
    W_path : str or path-like, optional
        For more samples than there is memory for: W is worked on in two unnamed files in this
        file's folder (three for the Kullback-Leibler loss), and comes back as this .npy file,
        mapped into memory. With a store or low_memory.
    checkpoint : str or path-like, optional
        A file in which the state of the run is kept, written as a whole or not at all: every
        `checkpoint_every` iterations, and at the end. If it cannot be written, there is a
        warning, and the last one stays.
    checkpoint_every : int, default 10
        Iterations.
    resume : bool, default False
        Go on from the checkpoint, if there is one, with the same X and arguments (but for
        max_iter, tol and time_limit, which is for this call): to the same result, to the bit,
        as without a break.
    callback : callable, optional
        Called after each iteration with an `IterationState`; a true return value stops.
    progress : bool, default False
        Say what is done and show a progress bar (tqdm's, if installed), on stderr.

    Returns
    -------
    Factorization
        With W, H, the objective after each iteration and why it stopped. Ctrl-C ends
        the run within a second, whatever an iteration takes, and returns what has been
        reached, with ``stop_reason == "interrupted"`` (and with an optimality of NaN where
        it would take long to measure); before the first iteration has ended there is
        nothing to return and KeyboardInterrupt is raised.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be; the message names it.

    Notes
    -----
    Components are ordered by their share of the sum of W H, heaviest first; with frozen or
    seeded ones they stay in their places. The first one is topic 1 of all tables and pictures.
    What the objective does not tell, the scale between W and H, is chosen so that the entries
    of both are of about the same size, but for frozen components and ``extrapolate=False``.

    An iteration costs about ``4 * nnz * n_components`` multiply-adds. Memory beyond X:
    its transpose, and twice the factors (see `estimate_memory`).

    The same input and seed give the same bits at any number of threads on the same
    kind of machine.

    References
    ----------
    Cichocki & Phan 2009, "Fast local algorithms for large scale nonnegative matrix and
    tensor factorizations", IEICE Trans. Fundamentals E92-A(3), algorithm 2.
    Ang & Gillis 2019, "Accelerating nonnegative matrix factorization algorithms using
    extrapolation", Neural Computation 31(2).
    Hsieh & Dhillon 2011, "Fast coordinate descent methods with variable selection for
    non-negative matrix factorization", KDD.
    Févotte & Idier 2011, "Algorithms for nonnegative matrix factorization with the
    beta-divergence", Neural Computation 23(9).

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from sparsenmf import factorize
    >>> X = sp.random_array((100, 80), density=0.1, rng=0)
    >>> model = factorize(X, 5, random_state=0)
    >>> model.W.shape, model.H.shape
    ((100, 5), (5, 80))
    """
    arguments, started = dict(locals()), clock.seconds()
    if check_integer(n_restarts, "n_restarts", least=1) > 1:
        return keep_best(factorize, arguments)
    if is_store(X):
        if weights is not None or check_missing(missing):
            raise TypeError(STORED.format("X"))
        entries = Entries(None, 1.0)
    else:
        X, entries = check_entries(X, weights, missing)
    n_components = check_n_components(n_components, X.shape)
    if solver is not None:
        check_choice(solver, "solver", SOLVERS)
    beta = check_loss(loss, solver, X, unknown=not entries.absent)
    low_memory = check_flag(low_memory, "low_memory")
    solver = solver or default_solver(beta, in_blocks=is_store(X) or low_memory)
    n_threads = resolve_threads(check_threads(n_threads))
    init, W, H = check_start(init, W, H, X, n_components, n_threads)
    frozen_W = check_frozen(frozen_W, "frozen_W", 0 if W is None else W.shape[1], n_components)
    frozen_H = check_frozen(frozen_H, "frozen_H", 0 if H is None else len(H), n_components)
    seeds = check_seeds(seeds, vocabulary, seeding, (n_components, X.shape[1]))
    if seeds and H is not None:
        raise ValueError("seeds make a start of H of their own: pass seeds or H, not both")
    if not (entries.plain or (sample_weight is None and feature_weight is None)):
        raise ValueError(
            "sample_weight and feature_weight are for entries that count alike: multiply them into "
            'weights, which may go with missing="unknown"'
        )
    weights = check_weights(sample_weight, feature_weight, X.shape, beta)
    alpha_W, alpha_H, l1_ratio = check_alphas(alpha_W, alpha_H, l1_ratio)
    stopping = Stopping(
        check_number(tol, "tol"),
        check_integer(max_iter, "max_iter", least=1),
        None if time_limit is None else check_number(time_limit, "time_limit", open_below=True),
        started,
    )
    rng = check_random_state(random_state)
    options = {
        "solver": solver,
        "loss": loss_name(beta),
        "init": init,
        "alpha_W": alpha_W,
        "alpha_H": alpha_H,
        "l1_ratio": l1_ratio,
        "tol": stopping.tol,
        "max_iter": stopping.max_iter,
        "max_sweeps": check_sweeps(max_sweeps),
        "extrapolate": check_flag(extrapolate, "extrapolate"),
        **made_with(random_state, rng),
        **({} if entries.absent else {"missing": missing}),
    }
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable, not {callback!r}")
    checkpoint = check_checkpoint(checkpoint, checkpoint_every, resume)
    checkpoint.identify(
        X, random_state, rng, n_components=n_components, W=W, H=H, low_memory=low_memory,
        weights=entries.weights, sample_weight=weights.samples, feature_weight=weights.features,
        frozen_W=frozen_W, frozen_H=frozen_H, seeds=seeds, seeding=seeding,
    )  # fmt: skip
    W_path = check_run_outputs(arguments)
    W_folder = None if W_path is None else W_path.parent

    arranged = arrange(
        X, entries, weights, n_components, beta, solver, init, rng,
        W=W, H=H, low_memory=low_memory, W_folder=W_folder, n_threads=n_threads,
        may_round=extrapolate and not (seeds or frozen_W.any() or frozen_H.any()),
    )  # fmt: skip
    support = plant_seeds(arranged.Ht, seeds, seeding)
    penalty_W, penalty_H = make_penalties(
        weights.sizes(X.shape), alpha_W, alpha_H, l1_ratio, padded_width(n_components, X.dtype)
    )
    run = arranged.start(
        constrain(penalty_W.weigh(weights.samples, beta), frozen_W),
        constrain(penalty_H.weigh(weights.features, beta), frozen_H, support),
        max_sweeps=options["max_sweeps"],
        extrapolate=extrapolate and solver == "cd",
        W_folder=W_folder,
        W_leads=arranged.W_leads and not seeds,
    )
    del arranged
    options["max_sweeps"] = run.most_sweeps
    checkpoint.open(run, stopping, options)
    stop_reason = alternate(run, stopping, weights, callback, progress, checkpoint)
    constrained = bool(seeds) or frozen_W.any() or frozen_H.any()
    finish = RowFinish(X, weights, frozen_W, W, options, n_threads)
    model = conclude(run, stopping, stop_reason, weights, options, constrained, finish, W_path)
    # To the bit, whatever weights have rounded.
    for r in np.flatnonzero(frozen_H):
        model.H[r] = H[r]
    return model
