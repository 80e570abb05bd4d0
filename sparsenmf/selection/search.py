"""The search for the number of components: its arguments, checked, and the loop over candidates."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..data.arguments import check_choice, check_flag, check_integer
from ..data.typing import Loss, SelectionMethod
from ..models.restarts import Generators, Runs, check_options, is_random
from ..solvers.losses import check_loss
from ..solvers.problem import Problem
from .blocks import Blocks
from .entries import Entries, KnownEntries
from .fits import fit_candidate
from .forecast import SelectionForecast, bytes_of, forecast
from .sampling import check_in_memory, take_sample
from .selected import Selection, most_stable, one_standard_error_rule, stops_early
from .stability import Halves, check_samples, cophenetic_coefficient
from .weighted import WeightedMatrix

METHODS = ("blocks", "entries", "stability")

REPEATS = {"blocks": 3, "entries": 3, "stability": 5}

TOL = 1e-4  # of the fits; the differences between candidates are larger


class Search:
    """The candidates for a matrix, and how they are scored.

    Parameters
    ----------
    X : matrix or store
    candidates : iterable of int
    method : str or None
    n_repeats : int or None
    loss : str, float or None
    sample : float or None
    random_state : int, Generator, RandomState or None
    weighting : dict
        `weights` and `missing`, as `factorize` takes them.
    options : dict
        The other arguments of each fit, `n_threads` among them.

    Attributes
    ----------
    candidates : list of int
        In ascending order.
    method, loss : str
    sample : Sample or None
    """

    def __init__(
        self,
        X: Any,
        candidates: Iterable[int],
        *,
        method: SelectionMethod | None,
        n_repeats: int | None,
        loss: Loss | None,
        sample: float | None,
        random_state: Any,
        weighting: dict[str, Any],
        options: dict[str, Any],
    ) -> None:
        self.candidates = check_candidates(candidates)
        check_options(options)
        check_in_memory(X)
        if method is not None:
            check_choice(method, "method", METHODS)
        seeds, problem = Generators(random_state), Problem(X, 1, **weighting)
        matrix = self._take(problem, sample, seeds)
        self.method = method or ("entries" if matrix.unknown else "blocks")
        self.loss = default_loss(matrix) if loss is None else loss
        beta = check_loss(self.loss, matrix.X, unknown=matrix.unknown)
        check_measured(self.loss, beta, self.method, matrix)
        n_repeats = REPEATS[self.method] if n_repeats is None else n_repeats
        n_repeats = check_integer(n_repeats, "n_repeats", least=2)
        kind = scorer_of(self.method, matrix)
        self._scorer = kind(matrix, n_repeats, beta, seeds)
        most = self._scorer.most_components
        if self.candidates[-1] > most:
            of = "" if self.sample is None else f" of {self.sample}"
            raise ValueError(
                f"candidates has {self.candidates[-1]}, but the matrix of a fold{of} allows at "
                f"most {most} components"
            )
        starts = {"init": "nndsvda"} if self.method == "stability" else {}
        self._options = {**starts, "tol": TOL, **options, "loss": self.loss}

    def _take(self, problem, sample, seeds):
        """Return the matrix that is looked at, in memory and with its weights."""
        part, self.sample = take_sample(problem, sample, self.candidates[-1], seeds)
        matrix = WeightedMatrix.of(part).without_weightless()
        if not matrix.X.data.any():
            which = "X" if self.sample is None else str(self.sample)
            raise ValueError(f"{which} is zero: the candidates cannot be compared")
        self._copied = 0 if part is problem else bytes_of(matrix)
        return matrix

    @property
    def is_held_out(self) -> bool:
        """Whether the scores are losses of what was held out."""
        return self.method != "stability"

    def forecast(self) -> SelectionForecast:
        """Return the time and memory that it will take."""
        return forecast(self._scorer, self.candidates, self._options, self._copied)

    def run(
        self, *, warm_start, early_stop, cophenetic, time_limit, callback, progress
    ) -> Selection:
        """Try the candidates, and return the selection; arguments are as in the public function."""
        early_stop = check_flag(early_stop, "early_stop") and self.is_held_out
        warm_start = check_flag(warm_start, "warm_start") and self.is_held_out
        # With few known entries, a start from the components of an earlier fit leads to bad minima.
        begins_at_random = is_random(self._options.get("init"))
        self._warm_start = warm_start and begins_at_random and not self._scorer.matrix.unknown
        self._cophenetic = check_flag(cophenetic, "cophenetic") and not self.is_held_out
        if self._cophenetic:
            check_samples(self._scorer.matrix.shape[0])
        n_folds = self._scorer.n_folds
        if check_flag(progress, "progress"):
            of_rows = "" if self.sample is None else f" ({self.sample})"
            sys.stderr.write(f"select: {self.forecast()}{of_rows}\n")
        limits = {"progress": progress, "time_limit": time_limit, "callback": callback}
        runs = Runs("select", n_folds * len(self.candidates), **limits)
        rows = self._try_candidates(runs, early_stop=early_stop)
        if not rows:
            raise TimeoutError(f"{runs.stop_reason} before the first candidate was finished")
        table = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        folds, tried = scores_of(rows, n_folds), table["n_components"]
        best = one_standard_error_rule(folds) if self.is_held_out else most_stable(tried, folds)
        return Selection(
            n_components=int(tried[best]),
            table=table,
            method=self.method,
            loss=self.loss,
            skipped=tuple(self.candidates[len(rows) :]),
            stop_reason=runs.stop_reason or "done",
            seconds=runs.seconds,
            sample=self.sample,
        )

    def _try_candidates(self, runs, *, early_stop):
        """Return the rows of the table for the candidates that were finished."""
        rows: list[dict[str, float]] = []
        starts = [None] * self._scorer.n_folds  # of each fold, H of its last fit
        try:
            for k in self.candidates:
                row = self._try_candidate(k, starts, runs)
                if row is not None:
                    rows.append(row)
                if early_stop and stops_early(scores_of(rows, len(starts))):
                    runs.stop_reason = runs.stop_reason or "early_stop"
                if runs.stop_reason:
                    break
        except KeyboardInterrupt:  # the finished candidates are kept
            runs.stop_reason = "interrupted"
            if not rows:
                raise
        finally:
            runs.close()
        return rows

    def _try_candidate(self, k, starts, runs):
        """Return the row of the table for k components, or None if it was not finished."""
        scorer, n_folds = self._scorer, self._scorer.n_folds
        values, loadings = np.empty(n_folds), []
        for fold in range(n_folds):
            fit = functools.partial(
                fit_candidate,
                n_components=k,
                start=starts[fold] if self._warm_start else None,
                rng=scorer.seeds.generator(1, fold, k),
                **self._options,
            )
            values[fold], model = scorer.score(fold, fit)
            starts[fold] = model.H
            if self._cophenetic:
                loadings += scorer.loadings(self._options["n_threads"])
            runs.finish(model)
            if runs.stop_reason and fold + 1 < n_folds:
                return None
        error = values.std(ddof=1) / np.sqrt(n_folds)
        row = {"n_components": k, "mean": values.mean(), "standard_error": error}
        row |= {str(fold + 1): value for fold, value in enumerate(values)}
        if self._cophenetic:
            row["cophenetic"] = cophenetic_coefficient(loadings)
        return row


def check_candidates(candidates):
    """Return the candidates in ascending order, each once."""
    single = isinstance(candidates, str) or getattr(candidates, "ndim", 1) == 0  # a NumPy scalar
    if single or not isinstance(candidates, Iterable):
        raise TypeError(f"candidates must be several numbers, such as range(2, 21): {candidates!r}")
    candidates = sorted({check_integer(k, "candidates", least=1) for k in candidates})
    if not candidates:
        raise ValueError("candidates is empty")
    return candidates


def default_loss(matrix):
    """Return the loss for counts, or that for other numbers, such as ratings."""
    is_counts = not (matrix.unknown or np.any(matrix.X.data % 1))
    return "kullback-leibler" if is_counts else "frobenius"


def check_measured(loss, beta, method, matrix):
    """Raise ValueError for a loss that the method cannot measure on the zeros of X."""
    if method != "stability" and beta not in (1, 2) and not matrix.unknown:
        raise ValueError(
            f'method={method!r} measures loss="frobenius" and "kullback-leibler", not {loss!r}: '
            f'method="stability" takes any, and so do others with missing="unknown"'
        )


def scorer_of(method, matrix):
    """Return the class that scores a fold."""
    if method == "entries":
        return KnownEntries if matrix.unknown else Entries
    return {"blocks": Blocks, "stability": Halves}[method]


def scores_of(rows, n_folds):
    """Return the scores of the candidates, of shape (n_candidates, n_folds)."""
    return np.array([[row[str(fold + 1)] for fold in range(n_folds)] for row in rows])
