"""How an estimator learns from batches: of a matrix, of an iterable, or one at a time."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import numpy as np

from ..data.arguments import check_choice, check_integer, check_random_state
from ..data.matching import order_factors, order_of
from ..data.named import names_of
from ..data.progress import open_progress
from ..data.validation import check_matrix, check_scale
from ..data.worker_threads import OneLearnerAtATime
from ..solvers.losses import check_beta
from .announcing import compiling_is_told
from .base import BaseNMF, ConvergenceWarning, check_is_fitted
from .components import Components
from .estimator_input import check_loss_of_zeros, check_start, global_seed
from .first_batch import is_stream, open_stream
from .growing import arrive
from .passes import MatrixPasses, Plateau, StreamPasses

NEW_FEATURES = ("error", "grow")


class BatchLearner(OneLearnerAtATime, BaseNMF):
    """The work of `MiniBatchNMF`, whose parameters are its attributes.

    ``_stream`` is what has been learned. ``_components_set`` are components that a user set before
    anything was learned.
    """

    n_components: Any
    max_iter: int
    tol: float
    max_no_improvement: int | None
    random_state: Any
    init: Any
    batch_size: int
    shuffle: bool
    new_features: str
    fresh_restarts: bool
    verbose: int

    def _fit_batch(self, X, H):
        """Learn from one batch."""
        with self._learning():
            if hasattr(self, "_stream"):
                X, names = self._check(X)
                self._learn(X, names, None)
                return
            own, known = (
                vars(self).get("_components_set") if H is None else None,
                vars(self).get("_known"),
            )
            self._forget()
            rng = check_random_state(global_seed(self.random_state))
            X, names = self._check(X)
            if own is not None and known is not None and names is not None:
                places = order_of(known, names, "components_")
                own = own if places is None else own[:, places]
            begin = self._prepare(X, None, H, rng, own=own, stacklevel=3)[2]
            self._learn(X, names, begin)

    def _fit(self, X, W, H):
        """Learn from a matrix or an iterable; return W if it is known for the last H."""
        with self._learning(), compiling_is_told(bool(self.verbose)):
            self._forget()
            rng = check_random_state(global_seed(self.random_state))
            return (self._fit_stream if is_stream(X) else self._fit_matrix)(X, W, H, rng)

    def _fit_matrix(self, X, W, H, rng):
        W, H = order_factors(W, H, names_of(X))
        X, names = self._check(X)
        W, H, begin = self._prepare(X, W, H, rng, stacklevel=4, window=X.shape[0])
        passes = MatrixPasses(X, self.batch_size, self.shuffle, rng)
        if check_beta(self.beta_loss) in (1, 2) or self.fresh_restarts:
            self._run(passes, names, begin)
            kept = None
        else:
            kept = self._run_with_rows(passes, names, begin(X, W=W, keeps_W=True), H is None)
        loss = self._components.loss(X, n_threads=self.n_threads)
        self.reconstruction_err_: float = float(np.sqrt(2 * loss))
        return kept

    def _run_with_rows(self, passes, names, stream, is_drawn):
        """Learn from the batches of a matrix; drawn components are ordered in the end.

        Return its W if it was a single batch; otherwise H has changed since parts of W were found.
        """
        W = stream.begin(passes.X)
        self._run(passes, names, lambda *_: stream, W)
        order = np.arange(W.shape[1])
        if is_drawn:
            totals = self._stream.Ht.sum(axis=0, dtype=np.float64)[: len(order)]
            order = np.argsort(-W.sum(axis=0, dtype=np.float64) * totals, kind="stable")
            self._stream.reorder(order)
        return np.ascontiguousarray(W[:, order]) if passes.n_batches == 1 else None

    def _fit_stream(self, X, W, H, rng):
        def begin(first, names):
            return self._prepare(first, W, H, rng, stacklevel=8)[2](first, names)

        passes = StreamPasses(X, self.batch_size, self._check)
        self._run(passes, names_of(X)[0], begin)
        if not hasattr(self, "_stream"):
            raise ValueError("X is an iterable without a sample: it must have one at least")

    def _check(self, X):
        """Return a batch as CSR, in the precision of those before it, and all features' names."""
        first = not hasattr(self, "_stream")
        grows = check_choice(self.new_features, "new_features", NEW_FEATURES) == "grow"
        arrival = arrive(X, vars(self).get("_known"), first=first, grows=grows)
        if arrival.places is None:
            X = self._validate(X, reset=first)
        X = arrival.place(check_matrix(X, dtype=None if first else self._stream.Ht.dtype))
        check_scale(X)
        check_loss_of_zeros(self.beta_loss, X)
        return X, arrival.names

    def _prepare(self, X, W, H, rng, *, stacklevel, own=None, window=None):
        """Return the given start, checked, and what makes a stream of a first batch.

        `own` are components that were set, from which the stream begins whatever `init` says.
        """
        k, given = self.n_components, own if H is None else H
        if k in ("auto", None):
            k = len(given) if given is not None else min(X.shape)
        names = "init", "beta_loss", "alpha_W", "alpha_H", "l1_ratio", "forget_factor", "n_threads"
        options = {name: getattr(self, name) for name in names}
        if own is None:
            W, H = check_start(self, W, H, X, k, stacklevel=stacklevel + 1)
        else:
            H, options["init"] = own, "custom"
        begin = partial(open_stream, n_components=k, H=H, window=window, rng=rng, **options)
        return W, H, begin

    def _learn(self, X, names, begin, W=None):
        """Learn from a batch, checked, and return its loss."""
        stream = self.__dict__.get("_stream") or begin(X, names)
        if X.shape[1] > len(stream.Ht):
            stream = stream.widen(X.shape[1])
        loss = stream.add(X, W)
        self._stream = stream
        self._known = names
        if names is not None and self.new_features == "grow":
            self.feature_names_in_ = names.astype(object)
            self.n_features_in_: int = len(names)
        self.n_steps_ += 1
        return loss

    def _run(self, passes, names, begin, W=None):
        """Learn from all batches of all passes, until the loss falls no more."""
        n_passes = check_integer(self.max_iter, "max_iter", least=1)
        plateau = Plateau(self.tol, self.max_no_improvement)
        total = None if passes.n_batches is None else passes.n_batches * n_passes
        display = open_progress(bool(self.verbose), total)
        try:
            for _ in range(1 if passes.is_read_once else n_passes):
                self.n_iter_ += 1
                first, losses, samples = self.n_steps_, 0.0, 0
                for places, X, own in passes:
                    rows = None if W is None else W[places]
                    loss = self._learn(X, names if own is None else own, begin, rows)
                    if W is not None:
                        W[places] = rows
                    display.update(self.n_steps_, self._stream.relative_error)
                    losses, samples = losses + loss * X.shape[0], samples + X.shape[0]
                # An iterable that can be read once has no second pass.
                if not samples or plateau.reached(losses / samples, self.n_steps_ - first):
                    return
            if self.tol and not passes.is_read_once:
                warnings.warn(
                    f"Maximum number of iterations {self.max_iter} reached. Increase it to "
                    "improve convergence.",
                    ConvergenceWarning,
                    stacklevel=5 if W is None else 6,
                )
        finally:
            display.close()

    def _forget(self):
        learned = "_stream", "_cached", "_known", "reconstruction_err_"
        for name in (*learned, "_components_set", "_n_components_set"):
            self.__dict__.pop(name, None)
        if self.new_features == "grow":
            self.__dict__.pop("feature_names_in_", None)  # they need not be those of a frame
        self.n_iter_: int = 0  # passes
        self.n_steps_: int = 0

    def __sklearn_is_fitted__(self):
        return "_stream" in vars(self) or "_components_set" in vars(self)

    @property
    def _matches_frames(self):
        return self.new_features == "grow"

    @property
    def _components(self) -> Components:
        """H as it is now, with its transform."""
        check_is_fitted(self)
        if not hasattr(self, "_stream"):
            components = self._own_components(self._components_set, self._known)
        else:
            stream, cached = self._stream, self.__dict__.get("_cached")
            Ht = stream.Ht  # read once: another thread may replace it
            if cached is None or cached[0] is not Ht:
                self._cached = cached = Ht, stream.components(Ht, vars(self).get("_known"))
            components = cached[1]
        self._check_n_components_set(components.H)
        return components
