"""The story of the package on one page: check, initialize, alternate, stop."""

from __future__ import annotations

import numpy as np

from ..data import clock
from ..data.arguments import (
    check_alphas,
    check_choice,
    check_flag,
    check_integer,
    check_n_components,
    check_random_state,
    check_sweeps,
    check_threads,
)
from ..data.factors import padded_width
from ..data.outputs import check_run_outputs
from ..data.store import is_store
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
    Seeding,
    SeedWords,
    Solver,
    Vector,
    Vocabulary,
)
from ..data.validation import NO_WEIGHTS, EntryWeights, check_missing, check_weighted
from ..kernels.compile.threads import resolve_threads
from ..solvers.arrangement import arrange, default_solver
from ..solvers.constraints import check_frozen, check_seeds, constrain, plant_seeds
from ..solvers.initialization import check_start
from ..solvers.losses import check_loss, loss_name
from ..solvers.penalties import make_penalties
from ..solvers.running import SOLVERS, alternate
from ..solvers.stopping import check_stopping
from ..solvers.weights import check_weights
from .announcing import announced
from .checkpoint import check_checkpoint
from .factorization import Factorization
from .finishing import RowFinish
from .restarts import keep_best
from .result import conclude, made_with


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
    sample_weight: Vector | None = None,
    feature_weight: Vector | None = None,
    missing: Missing = "zero",
    weights: Matrix | None = None,
    init: Init | None = None,
    W: Matrix | None = None,
    H: Matrix | None = None,
    n_restarts: int = 1,
    frozen_W: Frozen | None = None,
    frozen_H: Frozen | None = None,
    seeds: SeedWords | None = None,
    seeding: Seeding = "start",
    vocabulary: Vocabulary | None = None,
    solver: Solver | None = None,
    max_sweeps: int | None = None,
    extrapolate: bool = True,
    tol: float = 1e-5,
    time_limit: float | None = None,
    callback: Callback | None = None,
    n_threads: int | None = None,
    low_memory: bool = False,
    W_path: PathLike | None = None,
    checkpoint: PathLike | None = None,
    checkpoint_every: int = 10,
    resume: bool = False,
    progress: bool = False,
) -> Factorization:
    """Factorize a non-negative sparse matrix: X is about W @ H, with W and H >= 0.

    Parameters
    ----------
    X : scipy.sparse matrix or array, ndarray, or pandas DataFrame, \
of shape (n_samples, n_features)
        Non-negative and finite: documents x terms, cells x genes, users x items. X may also be a
        matrix on disk that `open_csr` opened, an AnnData, a PyData sparse array, or a sparse
        matrix of pyarrow's. Any format, index type and order; duplicates are summed. X is never
        made dense and never written to. float32 and float64 keep their precision (large problems
        in float64 have their first iterations in single); integers and booleans become float32
        where that is exact (below 2**24), else float64.
    n_components : int
        Number of components, at most min(n_samples, n_features).
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
    sample_weight : array-like of shape (n_samples,), optional
        A sample of weight c counts, in the loss and in the penalties, as c copies of it. One
        of weight zero has no influence, and gets the W that `transform` gives it.
    feature_weight : array-like of shape (n_features,), optional
        The same for features; kept, and used by `transform`. A feature of weight zero is
        left out: its column of H is zero. Both need a loss with beta > 0.
    missing : {"zero", "unknown"}, default "zero"
        What an entry means that is not stored. With "unknown" only the stored entries count,
        stored zeros and the zeros of a dense array among them (ratings); NaN is unknown, too.
        The penalties are the same. A sample without a single entry gets a W of zero.
    weights : scipy.sparse matrix or array of shape (n_samples, n_features), optional
        How much each stored entry of X counts in the loss, zeros included: the same
        entries must be stored. What is not stored counts once, or not at all if it is unknown.

    Where it starts:
    init : {"random", "nndsvd", "nndsvda", "nndsvdar", "custom"}, optional
        Default: "custom" if W or H is given, else "random", which is faster than NNDSVD
        and ends with a squared error 0.01% to 0.2% higher on tf-idf. "nndsvda" fills zeros with
        mean(X) / sqrt(mean of its nonzeros), "nndsvdar" with random numbers of a hundredth of
        that; for "mu", which cannot leave zero, "nndsvd" is "nndsvda". Random starts for losses
        other than the Frobenius norm are scaled so that W H sums to what X does. On a store an
        NNDSVD start takes nine passes over it.
    W : ndarray of shape (n_samples, n_components), optional
        The start of W for ``init="custom"``. Copied.
    H : ndarray of shape (n_components, n_features), optional
        The start of H for ``init="custom"``. Copied. Either may be left out, or have fewer
        components: what is not given is drawn at random. If W is informative rather than random,
        H is fitted to it before the first iteration (Frobenius loss, "cd" with momentum).
    n_restarts : int, default 1
        Random starts, each with a seed of its own. The model that ends lowest is returned; its
        `restart_objectives` are those of all. The time limit is for all of them.

    What is known beforehand:
    frozen_W, frozen_H : sequence of int or mask, optional
        Components whose column of W, or row of H, stays exactly as given, while all else is
        learned: known topics beside new ones. W or H must be passed, and may have these
        components only, the first ones.
    seeds : dict of topic -> features, optional
        Words to begin topics with: ``{"sports": ["team", "match"], "law": ["court"]}`` with
        `vocabulary`, or ``{0: [17, 4], 3: [8]}``. Topics are components by number, or else are
        numbered in the order of the dict; features are terms or columns.
    seeding : {"start", "support"}, default "start"
        Whether the seeds are where a component starts, or all the features it may ever have.
    vocabulary : sequence of n_features str, or dict of term -> column, optional
        What columns the terms in `seeds` are.

    How it is minimised:
    solver : {"cd", "mu"}, optional
        Coordinate descent, for the first two losses, or multiplicative updates, for all.
        Default: "cd" where there is one: it needs a fraction of the iterations. But "mu" for
        the Kullback-Leibler loss of a store, or with low_memory, where "cd" cannot be.
    max_sweeps : int, default None
        Coordinate descent sweeps over a row in each iteration, while its columns are in
        cache; for the Frobenius loss one in the first iteration. Default: 2, but 1 for the
        Frobenius loss where sweeps take most of the time, because X has few entries for its size:
        ``n_components * (n_samples + n_features) > 12 * nnz``. The result's `options` tell.
    extrapolate : bool, default True
        Momentum between iterations of "cd" (Ang & Gillis 2019); an iteration that does not lower
        the objective is rolled back. With False and ``max_sweeps=1`` the iterates for the
        Frobenius loss are those of scikit-learn's coordinate descent.

    When it stops:
    tol : float, default 1e-5
        Stop when the objective fell by less than ``tol`` times itself over the last
        five iterations. 0 goes on until rounding is all that is left.
    time_limit : float, optional
        Seconds; checked after each iteration. Compiling the kernels does not count.
    callback : callable, optional
        Called after each iteration with an `IterationState`; a true return value stops.

    What it takes, and what it shows:
    n_threads : int, optional
        Default: the environment variable ``SPARSENMF_NUM_THREADS`` if set, else all cores that
        the process may use, but 1 in other threads than the main one and in child processes.
        The result does not depend on it.
    low_memory : bool, default False
        Do without a transpose of X, as with a store. For the Frobenius loss, and for
        Kullback-Leibler by "mu" (with a third array of W's size). On matrices with many more rows
        than columns "cd" does so anyway: it is faster. float64 has no iterations in single then.
    W_path : str or path-like, optional
        For more samples than there is memory for: W is worked on in two unnamed files in this
        file's folder (three for the Kullback-Leibler loss), and comes back as this .npy file,
        mapped into memory. With a store or low_memory.
    checkpoint : str or path-like, optional
        A file for the state of the run, written whole or not at all: every `checkpoint_every`
        iterations and at the end. If that fails, there is a warning, and the last one stays.
    checkpoint_every : int, default 10
        Iterations.
    resume : bool, default False
        Go on from the checkpoint, if there is one, with the same X and arguments (but for
        max_iter, tol and time_limit, which is for this call): to the same result, to the bit,
        as without a break.
    progress : bool, default False
        Say what is done and show a progress bar (tqdm's, if installed), on stderr.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be; the message names it.

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
            raise TypeError(NO_WEIGHTS.format("X"))
        entries = EntryWeights(None, 1.0)
    else:
        X, entries = check_weighted(X, weights, missing)
    n_components = check_n_components(n_components, X.shape)
    if solver is not None:
        check_choice(solver, "solver", SOLVERS)
    beta = check_loss(loss, solver, X, unknown=not entries.absent)
    low_memory = check_flag(low_memory, "low_memory")
    solver = solver or default_solver(beta, in_blocks=is_store(X) or low_memory)
    n_threads = resolve_threads(check_threads(n_threads))
    init, W, H = check_start(init, W, H, X, n_components, n_threads)
    kept_W = check_frozen(frozen_W, "frozen_W", 0 if W is None else W.shape[1], n_components)
    kept_H = check_frozen(frozen_H, "frozen_H", 0 if H is None else len(H), n_components)
    seeds = check_seeds(seeds, vocabulary, seeding, (n_components, X.shape[1]))
    if seeds and H is not None:
        raise ValueError("seeds make a start of H of their own: pass seeds or H, not both")
    weights = check_weights(sample_weight, feature_weight, X.shape, beta, plain=entries.plain)
    alpha_W, alpha_H, l1_ratio = check_alphas(alpha_W, alpha_H, l1_ratio)
    stopping = check_stopping(tol, max_iter, time_limit, started)
    rng = check_random_state(random_state)
    options = {
        "solver": solver, "loss": loss_name(beta), "init": init, "alpha_W": alpha_W,
        "alpha_H": alpha_H, "l1_ratio": l1_ratio, "tol": stopping.tol,
        "max_iter": stopping.max_iter, "max_sweeps": check_sweeps(max_sweeps),
        "extrapolate": check_flag(extrapolate, "extrapolate"), **made_with(random_state, rng),
        **({} if entries.absent else {"missing": missing}),
    }  # fmt: skip
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable, not {callback!r}")
    saved = check_checkpoint(checkpoint, checkpoint_every, resume)
    saved.identify(
        X, random_state, rng, n_components=n_components, W=W, H=H, low_memory=low_memory,
        weights=entries.weights, sample_weight=weights.samples, feature_weight=weights.features,
        frozen_W=kept_W, frozen_H=kept_H, seeds=seeds, seeding=seeding,
    )  # fmt: skip
    W_file = check_run_outputs(arguments)
    W_folder = None if W_file is None else W_file.parent

    arranged = arrange(
        X, entries, weights, n_components, beta, solver, init, rng,
        W=W, H=H, low_memory=low_memory, W_folder=W_folder, n_threads=n_threads,
        may_round=extrapolate and not (seeds or kept_W.any() or kept_H.any()),
    )  # fmt: skip
    support = plant_seeds(arranged.Ht, seeds, seeding)
    penalty_W, penalty_H = make_penalties(
        weights.sizes(X.shape), alpha_W, alpha_H, l1_ratio, padded_width(n_components, X.dtype)
    )
    run = arranged.start(
        constrain(penalty_W.weigh(weights.samples, beta), kept_W),
        constrain(penalty_H.weigh(weights.features, beta), kept_H, support),
        max_sweeps=options["max_sweeps"],
        extrapolate=extrapolate and solver == "cd",
        W_folder=W_folder,
        W_leads=arranged.W_leads and not seeds,
    )
    del arranged
    options["max_sweeps"] = run.most_sweeps
    saved.open(run, stopping, options)
    stop_reason = alternate(run, stopping, weights, callback, progress, saved)
    constrained = bool(seeds) or kept_W.any() or kept_H.any()
    finish = RowFinish(X, weights, kept_W, W, options, n_threads)
    model = conclude(run, stopping, stop_reason, weights, options, constrained, finish, W_file)
    # To the bit, whatever weights have rounded.
    for r in np.flatnonzero(kept_H):
        model.H[r] = H[r]
    return model
