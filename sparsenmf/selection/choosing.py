"""Selection of the number of components, by held-out loss or by stability."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..data.arguments import check_choice, check_flag, check_integer
from ..data.typing import FitOptions, Loss, Matrix, RandomState, SelectionMethod, Unpack
from ..data.validation import check_matrix
from ..models.announcing import announced
from ..models.restarts import Generators, Runs, check_options
from ..solvers.losses import check_loss
from .fits import FitCallback, fit_candidate
from .forecast import SelectionForecast, forecast
from .holdout import Blocks, Entries
from .selected import Selection, most_stable, one_standard_error_rule, stops_early
from .stability import Halves, check_samples, cophenetic_coefficient

METHODS = ("blocks", "entries", "stability")

REPEATS = {"blocks": 3, "entries": 3, "stability": 5}

TOL = 1e-4  # of the fits; the differences between candidates are larger

SCORERS: dict[str, Any] = {"blocks": Blocks, "entries": Entries, "stability": Halves}


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
    **factorize_options: Unpack[FitOptions],
) -> Selection:
    """Compare candidates for the number of components, and recommend one.

    Parameters
    ----------
    X : scipy.sparse matrix or array, ndarray, or DataFrame, of shape (n_samples, n_features)
        As in `factorize`. It is never made dense.
    candidates : iterable of int
        Numbers of components, for example ``range(2, 21)``. They are tried in ascending order.
    method : {"blocks", "entries", "stability"}, default "blocks"
        "blocks": bi-cross-validation, which holds out some rows and some columns and predicts the
        block where they cross. "entries": single entries are held out and predicted; this takes
        several times as long. "stability": the similarity of the components that are fitted to
        two random halves of the samples; it does not measure the fit.
    n_repeats : int, optional
        Number of folds ("blocks"), of draws ("entries") or of pairs of halves ("stability"), at
        least 2. Default: 3, and 5 for "stability".
    loss : {"frobenius", "kullback-leibler"} or float, optional
        As in `factorize`; only "stability" takes other losses than these two. Default:
        "kullback-leibler" if X has only whole numbers (counts), else "frobenius". The noise of
        counts grows with their size, and least squares mistakes the noise of frequent features
        for further components. Fit with the loss that the `Selection` names. For Kullback-Leibler,
        predictions of nonzeros are at least a thousandth of X's mean.
    random_state : int, numpy.random.Generator or RandomState, optional
        Seed of the folds and of the fits.
    n_threads : int, optional
        As in `factorize`. The result does not depend on it.
    warm_start : bool, default True
        Start each fit from the components of the previous candidate in the same fold, with
        random ones added. "stability" ignores it and starts with "nndsvda", unless `init` is
        given.
    early_stop : bool, default True
        Stop after three candidates in a row that are worse than the best before them by more
        than the standard error of the difference. "stability" ignores it.
    cophenetic : bool, default False
        Add the cophenetic coefficient (Brunet et al. 2004) of all samples, for "stability" with
        at most 2000 samples.
    time_limit : float, optional
        Seconds, checked after each repeat. The recommendation is then the best of the candidates
        that were finished.
    callback : callable, optional
        Called with the model after each repeat; a true return value ends the selection.
    progress : bool, default False
        Whether to show a forecast and a progress bar.
    **factorize_options : Any
        Passed on to `factorize`: solver, alpha_W, max_iter, ... Its `tol` is 1e-4 here.

    Returns
    -------
    Selection
        Ctrl-C ends the selection as the time limit does. Before the first candidate is
        finished, KeyboardInterrupt is raised.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value; the message names it.
    TimeoutError
        If the time limit or the callback ended it before the first candidate was finished.

    Notes
    -----
    By held-out loss, the rule recommends the fewest components whose mean loss exceeds the lowest
    by at most the standard error of the difference (paired over the folds), or by at most 1% of
    the difference between the worst and the best candidate. The 1% leaves out structure that is
    real but hardly matters, which cross-validation finds, too. So begin with candidates that are
    too small.

    By stability, the rule recommends the largest ``n_components * (mean cosine - 0.75)``. It rises
    as long as each further component is found in both halves, and falls when one is not. The two
    halves share no sample, so they cannot agree on noise.

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
    scorer, candidates, options = _prepare(
        X, candidates, method, n_repeats, loss, random_state, factorize_options
    )
    options["n_threads"] = n_threads
    held_out = method != "stability"
    early_stop = check_flag(early_stop, "early_stop") and held_out
    warm_start = check_flag(warm_start, "warm_start") and held_out
    warm_start = warm_start and options.get("init") in (None, "random")
    cophenetic = check_flag(cophenetic, "cophenetic") and not held_out
    if cophenetic:
        check_samples(scorer.X.shape[0])
    if check_flag(progress, "progress"):
        sys.stderr.write(f"select: {forecast(scorer, candidates, options)}\n")
    total = scorer.n_folds * len(candidates)
    runs = Runs("select", total, progress=progress, time_limit=time_limit, callback=callback)
    rows: list[dict[str, float]] = []
    starts: list[Any] = [None] * scorer.n_folds
    try:
        for k in candidates:
            row = _try_candidate(scorer, k, starts, warm_start, cophenetic, runs, options)
            if row is not None:
                rows.append(row)
            if early_stop and stops_early(_scores(rows, scorer.n_folds)):
                runs.stop_reason = runs.stop_reason or "early_stop"
            if runs.stop_reason:
                break
    except KeyboardInterrupt:  # the finished candidates are kept
        runs.stop_reason = "interrupted"
        if not rows:
            raise
    finally:
        runs.close()
    if not rows:
        raise TimeoutError(f"{runs.stop_reason} before the first candidate was finished")
    table = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    folds = _scores(rows, scorer.n_folds)
    tried = table["n_components"]
    best = one_standard_error_rule(folds) if held_out else most_stable(tried, folds)
    return Selection(
        n_components=int(tried[best]),
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
    **factorize_options: Unpack[FitOptions],
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
        All parameters are those of `select_n_components`.

    Returns
    -------
    SelectionForecast

    Raises
    ------
    TypeError, ValueError
        As `select_n_components`.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from sparsenmf import forecast_selection
    >>> X = sp.random_array((200, 100), density=0.1, rng=0)
    >>> forecast = forecast_selection(X, [2, 5, 10])
    >>> forecast.memory > 0
    True
    """
    scorer, candidates, options = _prepare(
        X, candidates, method, n_repeats, loss, random_state, factorize_options
    )
    return forecast(scorer, candidates, {**options, "n_threads": n_threads})


def _prepare(
    X, candidates, method, n_repeats, loss, random_state, options
) -> tuple[Any, list[int], dict[str, Any]]:
    """Return the scorer, the sorted candidates, and the options of each fit."""
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
        raise ValueError("X is zero: the candidates cannot be compared")
    n_repeats = REPEATS[method] if n_repeats is None else n_repeats
    n_repeats = check_integer(n_repeats, "n_repeats", least=2)
    if method == "blocks" and n_repeats > min(X.shape):
        raise ValueError(f"n_repeats is {n_repeats}, but X is {X.shape[0]} x {X.shape[1]}")
    scorer = SCORERS[method](X, n_repeats, beta, Generators(random_state))
    candidates = sorted({check_integer(k, "candidates", least=1) for k in candidates})
    if not candidates:
        raise ValueError("candidates is empty")
    if candidates[-1] > scorer.most_components:
        raise ValueError(
            f"candidates has {candidates[-1]}, but the matrix of a fold allows at most "
            f"{scorer.most_components} components"
        )
    return scorer, candidates, {"tol": TOL, **options, "loss": loss}


def _scores(rows, n_folds):
    """Return the scores of the candidates, of shape (n_candidates, n_folds)."""
    return np.array([[row[str(fold + 1)] for fold in range(n_folds)] for row in rows])


def _try_candidate(scorer, k, starts, warm_start, cophenetic, runs, options):
    """Return the row of the table for k components, or None if it was not finished."""
    values, loadings = np.empty(scorer.n_folds), []
    for fold in range(scorer.n_folds):
        fit = functools.partial(
            fit_candidate,
            n_components=k,
            start=starts[fold] if warm_start else None,
            rng=scorer.seeds.generator(1, fold, k),
            **options,
        )
        values[fold], model = scorer.score(fold, fit)
        starts[fold] = model.H
        if cophenetic:
            n_threads = options["n_threads"]
            loadings += [half.transform(scorer.X, n_threads=n_threads) for half in scorer.models]
        runs.finish(model)
        if runs.stop_reason and fold + 1 < scorer.n_folds:
            return None
    error = values.std(ddof=1) / np.sqrt(len(values))
    row = {"n_components": k, "mean": values.mean(), "standard_error": error}
    row |= {str(fold + 1): value for fold, value in enumerate(values)}
    if cophenetic:
        row["cophenetic"] = cophenetic_coefficient(loadings)
    return row
