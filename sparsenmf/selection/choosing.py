"""How many components: the loss of data that a fit has not seen, or how stable fits are."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..data import clock
from ..data.arguments import check_choice, check_flag, check_integer
from ..data.typing import Loss, Matrix, RandomState, SelectionMethod, SelectionOptions, Unpack
from ..data.validation import check_matrix
from ..models.announcing import announced
from ..models.memory import estimate_memory
from ..models.restarts import Generators, Runs, check_options
from ..solvers.losses import check_loss
from .holdout import Blocks, Entries
from .restarts import FitCallback, fit_whole
from .selected import Selection, SelectionForecast, fewest, folds_of, hopeless, most_stable
from .stability import Halves, check_samples, cophenetic_coefficient

METHODS = ("blocks", "entries", "stability")

REPEATS = {"blocks": 3, "entries": 3, "stability": 5}

TOL = 1e-4  # of the fits: differences between candidates are larger

MAX_ITER = 200  # of `factorize`

PROBE_ITERATIONS = 5

IMPORTED = 12 * 2**20
"""Bytes that stability takes for what it imports, scipy.optimize above all (measured)."""


KINDS: dict[str, Any] = {"blocks": Blocks, "entries": Entries, "stability": Halves}


@announced
def select_n_components(
    X: Matrix,
    candidates: Iterable[int],
    *,
    method: SelectionMethod = "blocks",
    n_repeats: int | None = None,
    loss: Loss | None = None,
    random_state: RandomState = None,
    n_threads: int | None = None,
    warm_start: bool = True,
    early_stop: bool = True,
    cophenetic: bool = False,
    time_limit: float | None = None,
    callback: FitCallback | None = None,
    progress: bool = False,
    **factorize_options: Unpack[SelectionOptions],
) -> Selection:
    """Compare numbers of components, and recommend one.

    Parameters
    ----------
    X : scipy.sparse matrix or array, ndarray, or DataFrame, of shape (n_samples, n_features)
        As in `factorize`. Never densified.
    candidates : iterable of int
        Such as ``range(2, 21)``; tried in ascending order.
    method : {"blocks", "entries", "stability"}, default "blocks"
        "blocks": bi-cross-validation. Some rows and some columns are held out together, and
        the block where they cross is predicted. "entries": single entries are unknown to the
        fit, and predicted; several times as long. "stability": how much alike the components
        are that two random halves of the samples give; not a measure of fit.
    n_repeats : int, optional
        Parts that rows and columns are cut in, each of which is held out once; or draws of
        entries; or pairs of halves. At least 2. Default: 3, pairs of halves 5.
    loss : {"frobenius", "kullback-leibler"} or float, optional
        As in `factorize`; others than these two for "stability" only. Default:
        "kullback-leibler" where X holds counts, nothing but whole numbers, else "frobenius".
        The noise of counts grows with them, and least squares take that of frequent features
        for further components. Fit with the loss that the `Selection` names. A nonzero that is
        predicted below a thousandth of X's mean counts as predicted so.
    random_state : int, numpy.random.Generator or RandomState, optional
    n_threads : int, optional
        As in `factorize`: the result does not depend on it.
    warm_start : bool, default True
        Begin with the components of the candidate before, in the same fold, and random ones
        beside. Not for "stability", which begins with "nndsvda" unless `init` says otherwise.
    early_stop : bool, default True
        Leave the larger candidates out when three in a row were worse than the best before
        them by more than the standard error of the difference. Not for "stability".
    cophenetic : bool, default False
        For "stability": add the cophenetic coefficient (Brunet et al. 2004) of all samples, as
        the components of each half describe them, for at most 2000 samples.
    time_limit : float, optional
        Seconds, looked at after each fit; what is recommended is then the best of those
        candidates that were finished.
    callback : callable, optional
        Called after each repeat with its model; a true return value ends the selection.
    progress : bool, default False
        Show a forecast and a progress bar.
    **factorize_options : Any
        Passed on to `factorize`: solver, alpha_W, max_iter, ... Its `tol` is 1e-4 here.

    Returns
    -------
    Selection
        Ctrl-C ends it as the time limit does; before the first candidate is finished,
        KeyboardInterrupt is raised.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be; the message names it.
    TimeoutError
        If the time limit, or the callback, came before the first candidate was finished.

    Notes
    -----
    The rule for a held-out loss: the fewest components whose mean loss is above the lowest by
    no more than the standard error of that difference (over the folds, in pairs), or by no
    more than 1% of what separates the worst candidate from the best. The second part is for
    structure that is there but hardly matters, which cross-validation finds, too; so begin
    with candidates that are too few. For "stability": the largest
    ``n_components * (mean cosine - 0.75)``. This goes on rising while each further component
    comes back in the other half; one that does not, and disturbs the others, makes it fall. The
    halves of one pair share no sample, so that they have no noise in common to agree on.

    References
    ----------
    Owen & Perry 2009, "Bi-cross-validation of the SVD and the nonnegative matrix
    factorization", Annals of Applied Statistics 3(2).
    Breiman, Friedman, Olshen & Stone 1984, "Classification and regression trees", section
    3.4.3 (the rule of one standard error).

    Examples
    --------
    >>> import numpy as np, scipy.sparse as sp
    >>> from sparsenmf import select_n_components
    >>> rng = np.random.default_rng(0)
    >>> W = rng.gamma(1.0, size=(200, 3)) * (rng.random((200, 3)) < 0.4)
    >>> H = rng.gamma(1.0, size=(3, 100)) * (rng.random((3, 100)) < 0.4)
    >>> X = sp.csr_array(rng.poisson(W @ H))
    >>> select_n_components(X, range(1, 7), random_state=0).n_components
    3
    """
    kind, candidates, options = _prepare(
        X, candidates, method, n_repeats, loss, random_state, factorize_options
    )
    options["n_threads"] = n_threads
    held_out = method != "stability"
    early_stop = check_flag(early_stop, "early_stop") and held_out
    warm_start = check_flag(warm_start, "warm_start") and held_out
    warm_start = warm_start and options.get("init") in (None, "random")
    cophenetic = check_flag(cophenetic, "cophenetic") and not held_out
    if cophenetic:
        check_samples(kind.X.shape[0])
    if check_flag(progress, "progress"):
        sys.stderr.write(f"select: {_forecast(kind, candidates, options)}\n")
    total = kind.n_folds * len(candidates)
    runs = Runs("select", total, progress=progress, time_limit=time_limit, callback=callback)
    rows: list[dict[str, float]] = []
    starts: list[Any] = [None] * kind.n_folds
    try:
        for k in candidates:
            row = _try_candidate(kind, k, starts, warm_start, cophenetic, runs, options)
            if row is not None:
                rows.append(row)
            if early_stop and hopeless(rows, kind.n_folds):
                runs.stop_reason = runs.stop_reason or "hopeless"
            if runs.stop_reason:
                break
    except KeyboardInterrupt:  # what is finished is kept
        runs.stop_reason = "interrupted"
        if not rows:
            raise
    finally:
        runs.close()
    if not rows:
        raise TimeoutError(f"{runs.stop_reason} before the first candidate was finished")
    table = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    folds = folds_of(table, kind.n_folds)
    chosen = fewest(folds) if held_out else most_stable(table["n_components"], folds)
    return Selection(
        n_components=int(table["n_components"][chosen]),
        table=table,
        method=method,
        loss=options["loss"],
        skipped=tuple(candidates[len(rows) :]),
        stop_reason=runs.stop_reason or "done",
        seconds=runs.seconds,
    )


def forecast_selection(
    X: Matrix,
    candidates: Iterable[int],
    *,
    method: SelectionMethod = "blocks",
    n_repeats: int | None = None,
    loss: Loss | None = None,
    random_state: RandomState = None,
    n_threads: int | None = None,
    **factorize_options: Unpack[SelectionOptions],
) -> SelectionForecast:
    """Forecast the time and memory of `select_n_components` from a few iterations.

    Parameters
    ----------
    X : scipy.sparse matrix or array, ndarray, or DataFrame, of shape (n_samples, n_features)
    candidates : iterable of int
    method : {"blocks", "entries", "stability"}, default "blocks"
    n_repeats : int, optional
    loss : {"frobenius", "kullback-leibler"} or float, optional
    random_state : int, numpy.random.Generator or RandomState, optional
    n_threads : int, optional
    **factorize_options : Any
        All as in `select_n_components`.

    Returns
    -------
    SelectionForecast

    Raises
    ------
    TypeError, ValueError
        As `select_n_components` does.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from sparsenmf import forecast_selection
    >>> X = sp.random_array((200, 100), density=0.1, rng=0)
    >>> forecast = forecast_selection(X, [2, 5, 10])
    >>> forecast.memory > 0
    True
    """
    kind, candidates, options = _prepare(
        X, candidates, method, n_repeats, loss, random_state, factorize_options
    )
    return _forecast(kind, candidates, {**options, "n_threads": n_threads})


def _prepare(
    X, candidates, method, n_repeats, loss, random_state, options
) -> tuple[Any, list[int], dict[str, Any]]:
    """Return how to score, the candidates in order, and the options of each fit."""
    check_choice(method, "method", METHODS)
    check_options(options)
    if method == "stability":
        options = {"init": "nndsvda", **options}
    X = check_matrix(X)
    if loss is None:
        loss = "frobenius" if np.any(X.data % 1) else "kullback-leibler"
    beta = check_loss(loss, X)
    if method != "stability" and beta not in (1, 2):
        raise ValueError(
            f'method={method!r} measures loss="frobenius" and "kullback-leibler", not {loss!r}: '
            f'method="stability" takes any'
        )
    if X.nnz == 0:
        raise ValueError("X is zero: there is nothing to tell candidates apart")
    n_repeats = REPEATS[method] if n_repeats is None else n_repeats
    n_repeats = check_integer(n_repeats, "n_repeats", least=2)
    if method == "blocks" and n_repeats > min(X.shape):
        raise ValueError(f"n_repeats is {n_repeats}, but X is {X.shape[0]} x {X.shape[1]}")
    kind = KINDS[method](X, n_repeats, beta, Generators(random_state))
    candidates = sorted({check_integer(k, "candidates", least=1) for k in candidates})
    if not candidates:
        raise ValueError("candidates is empty")
    if candidates[-1] > kind.most_components:
        raise ValueError(
            f"candidates has {candidates[-1]}, but what is factorized allows for "
            f"{kind.most_components} components"
        )
    return kind, candidates, {"tol": TOL, **options, "loss": loss}


def _try_candidate(kind, k, starts, warm_start, cophenetic, runs, options):
    """Return the row of the table for k components, or None if it could not be finished."""
    values, loadings = np.empty(kind.n_folds), []
    for fold in range(kind.n_folds):
        fit = functools.partial(
            _fit,
            n_components=k,
            start=starts[fold] if warm_start else None,
            rng=kind.seeds.generator(1, fold, k),
            **options,
        )
        values[fold], model = kind.score(fold, fit)
        starts[fold] = model.H
        if cophenetic:
            n_threads = options["n_threads"]
            loadings += [half.transform(kind.X, n_threads=n_threads) for half in kind.models]
        runs.finish(model)
        if runs.stop_reason and fold + 1 < kind.n_folds:
            return None
    error = values.std(ddof=1) / np.sqrt(len(values))
    row = {"n_components": k, "mean": values.mean(), "standard_error": error}
    row |= {str(fold + 1): value for fold, value in enumerate(values)}
    if cophenetic:
        row["cophenetic"] = cophenetic_coefficient(loadings)
    return row


def _fit(X, *, start, rng, W=None, H=None, **options):
    if H is None:
        H = start
    if H is not None:
        options["init"] = "custom"
    return fit_whole(X, W=W, H=H, random_state=rng, **options)


def _forecast(kind, candidates, options):
    ends = sorted({candidates[0], candidates[-1]})
    costs = [_time_candidate(kind, k, options) for k in ends]
    seconds = kind.n_folds * float(np.interp(candidates, ends, costs).sum())
    X, most = kind.training(0), candidates[-1]
    copies = 0 if X is kind.X else X.nnz * (X.dtype.itemsize + 4)
    starts = kind.n_folds * most * X.shape[1] * X.dtype.itemsize
    memory = estimate_memory(X, most).total + copies + kind.scratch + starts + IMPORTED
    n_fits = kind.n_fits * kind.n_folds * len(candidates)
    return SelectionForecast(n_fits, seconds, memory)


def _time_candidate(kind, k, options):
    """Return the seconds of one repeat that takes all its iterations, from a few of them."""
    fit = functools.partial(_fit, n_components=k, start=None, **{**options, "tol": 0.0})
    # The first run compiles or loads the kernels.
    for n_iter in (1, PROBE_ITERATIONS):
        started = clock.seconds()
        _, model = kind.score(0, functools.partial(fit, rng=0, max_iter=n_iter))
        once = clock.seconds() - started  # with the scoring
    times = model.time_history
    iteration = kind.n_fits * (times[-1] - times[0]) / max(1, len(times) - 1)
    return once + max(0, options.get("max_iter", MAX_ITER) - PROBE_ITERATIONS) * iteration
