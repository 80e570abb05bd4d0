"""Selection of the number of components, by held-out loss or by stability."""

from __future__ import annotations

from collections.abc import Iterable

from ..data.typing import (
    FitOptions,
    Loss,
    Matrix,
    Missing,
    RandomState,
    SelectionMethod,
    Unpack,
    Vector,
)
from ..models.announcing import announced
from ..solvers.weights import Weights
from .fits import FitCallback
from .forecast import SelectionForecast
from .search import Search
from .selected import Selection


@announced
def select_n_components(
    X: Matrix,
    candidates: Iterable[int],
    *,
    method: SelectionMethod | None = None,
    n_repeats: int | None = None,
    loss: Loss | None = None,
    weights: Weights | Vector | Matrix | None = None,
    missing: Missing = "zero",
    sample: float | None = None,
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
        As in `factorize`, or a store that `open_csr` opened. It is never made dense.
    candidates : iterable of int
        Numbers of components, for example ``range(2, 21)``. They are tried in ascending order.
    method : {"blocks", "entries", "stability"}, optional
        "blocks": bi-cross-validation, which holds out some rows and some columns and predicts the
        block where they cross. "entries": single entries are held out and predicted; where absent
        entries are zeros, this takes several times as long. "stability": the similarity of the
        components that are fitted to two random halves of the samples; it does not measure the
        fit. Default: "blocks", but "entries" with ``missing="unknown"``: a tenth of the known
        entries.
    n_repeats : int, optional
        Number of folds ("blocks"), of draws ("entries") or of pairs of halves ("stability"), at
        least 2. Default: 3, and 5 for "stability".
    loss : {"frobenius", "kullback-leibler"} or float, optional
        As in `factorize`. Where absent entries are zeros, only "stability" takes other losses than
        these two. Default: "kullback-leibler" if X has only whole numbers (counts) and absent
        entries are zeros, else "frobenius". The noise of counts grows with their size, and least
        squares mistakes the noise of frequent features for further components. Fit with the loss
        that the `Selection` names. For Kullback-Leibler, predictions of nonzeros are at least a
        thousandth of X's mean, and so are those of known entries for every beta <= 1.
    weights : Weights, array-like of shape (n_samples,) or scipy.sparse matrix, optional
        As in `factorize`: held-out entries count by their weights, too.
    missing : {"zero", "unknown"}, default "zero"
        As in `factorize`. Only known entries are held out and predicted, by at most the largest
        entry of the fit, as recommenders do: without penalties, predictions for rows and columns
        of few entries have no limit. So compare a few of `alpha_W`, too. A single entry does not
        count if its row or column has no other, which no number of components could predict.
    sample : float between 0 and 1, optional
        Share of the rows that are looked at; the others are never used, and the `Selection` says
        so. Default: all rows of a matrix in memory. A store is not read as a whole: its sample has
        4 million nonzeros, and at least 20,000 rows and 200 for the most components, but at most
        67 million nonzeros (512 MiB in float32). It consists of whole runs of rows, spread evenly
        over the store, so sorted rows do no harm.
    random_state : int, numpy.random.Generator or RandomState, optional
        Seed of the sample, of the folds and of the fits.
    n_threads : int, optional
        As in `factorize`. The result does not depend on it.
    warm_start : bool, default True
        Start each fit from the components of the previous candidate in the same fold, with
        random ones added. Ignored with ``missing="unknown"``, where such starts end higher, and by
        "stability", which starts with "nndsvda", unless `init` is given.
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
    search = Search(
        X, candidates, method=method, n_repeats=n_repeats, loss=loss, sample=sample,
        random_state=random_state, weighting={"weights": weights, "missing": missing},
        options={**factorize_options, "n_threads": n_threads},
    )  # fmt: skip
    return search.run(
        warm_start=warm_start, early_stop=early_stop, cophenetic=cophenetic,
        time_limit=time_limit, callback=callback, progress=progress,
    )  # fmt: skip


def forecast_selection(
    X: Matrix,
    candidates: Iterable[int],
    *,
    method: SelectionMethod | None = None,
    n_repeats: int | None = None,
    loss: Loss | None = None,
    weights: Weights | Vector | Matrix | None = None,
    missing: Missing = "zero",
    sample: float | None = None,
    random_state: RandomState = None,
    n_threads: int | None = None,
    **factorize_options: Unpack[FitOptions],
) -> SelectionForecast:
    """Forecast the time and memory of `select_n_components` from a few iterations.

    Parameters
    ----------
    X : scipy.sparse matrix or array, ndarray, or DataFrame, of shape (n_samples, n_features)
    candidates : iterable of int
    method : {"blocks", "entries", "stability"}, optional
    n_repeats : int, optional
    loss : {"frobenius", "kullback-leibler"} or float, optional
    weights : Weights, array-like of shape (n_samples,) or scipy.sparse matrix, optional
    missing : {"zero", "unknown"}, default "zero"
    sample : float between 0 and 1, optional
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
    search = Search(
        X, candidates, method=method, n_repeats=n_repeats, loss=loss, sample=sample,
        random_state=random_state, weighting={"weights": weights, "missing": missing},
        options={**factorize_options, "n_threads": n_threads},
    )  # fmt: skip
    return search.forecast()
