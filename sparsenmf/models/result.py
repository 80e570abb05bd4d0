"""From a run to its result."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..data.factors import CHUNK, column_totals, row_norms, total_chunks
from ..solvers.scale import order_components, reusable, take_components
from .components import Components
from .factorization import Factorization

STORE_ROWS, MEMORY_ROWS = 1024, 2**16  # finished together: what is computed from them is a copy


class Finish(NamedTuple):
    """How the factors of a run become those that are returned.

    Attributes
    ----------
    problem : Problem
    fixed_W, fixed_H : ndarray of shape (n_components,), bool
        Components that stay as they were given.
    W, H : ndarray or None
        What was given.
    options : dict
    feature_names : ndarray of str or None
    """

    problem: Any
    fixed_W: np.ndarray
    W: Any
    fixed_H: np.ndarray
    H: Any
    options: dict[str, Any]
    feature_names: np.ndarray | None

    def finish_W(self, H):
        """Return ``finish(start, part)``, which changes the rows from `start` on in place.

        The weights are taken out, samples without weight get what `transform` gives them, and
        fixed components are as they were given, to the bit.
        """
        scaling = self.problem.scaling
        components = Components(H=H, options=self.options, feature_weight=scaling.features)
        step = STORE_ROWS if self.problem.is_stored else MEMORY_ROWS

        def finish(start, part):
            for first in range(0, len(part), step):
                self._finish_rows(components, start + first, part[first : first + step])

        return finish

    def _finish_rows(self, components, start, part):
        problem, scaling = self.problem, self.problem.scaling
        stop = start + len(part)
        if scaling.samples is not None:
            part[:] = scaling.unscale_W(part, start)
            left_out = np.flatnonzero(scaling.samples[start:stop] == 0)
            if left_out.size:
                X = problem.rows(start, stop)[left_out]
                part[left_out] = components.transform(X, n_threads=problem.n_threads)
        for r in np.flatnonzero(self.fixed_W):
            part[:, r] = self.W[start:stop, r]

    def finish_H(self, H):
        """Make fixed components what they were given as, to the bit, whatever weights rounded."""
        for r in np.flatnonzero(self.fixed_H):
            H[r] = self.H[r]

    def sum_W(self, W, Ht):
        """Return the sums of the columns of the W that is returned."""
        scaling, k = self.problem.scaling, self.problem.n_components
        if scaling.samples is None:
            return column_totals(W)[:k]
        dtype = self.problem.dtype
        H = Ht[:, :k].T.astype(dtype, order="C")
        finish = self.finish_W(scaling.unscale_H(H, out=H))

        def chunks():
            for start in range(0, len(W), CHUNK):
                part = W[start : start + CHUNK, :k].astype(dtype)
                finish(start, part)
                yield part

        return total_chunks(chunks())


def conclude(run, alternation):
    """Return the result of a run, whose working memory is given back.

    Parameters
    ----------
    run : Run
    alternation : Alternation
        That of the run.
    """
    finish, stopping, scaling, stop_reason = run.finish, run.stopping, run.scaling, run.stop_reason
    stored, k = finish.problem.is_stored, alternation.n_components
    # What a store has was noted on the way.
    norms = alternation.rows.norms if stored else row_norms(finish.problem.X)
    optimality = float("nan")
    try:
        if stop_reason != "interrupted" or stopping.is_quick():
            optimality = alternation.optimality()
    except KeyboardInterrupt:  # a second Ctrl-C must not lose the result
        stop_reason = "interrupted"
    W, Ht, objective = alternation.current
    fit = objective - alternation.penalty_W.value(W) - alternation.penalty_H.value(Ht)
    balanced, scale = alternation.balanced, alternation.loss.scale
    squares, n_threads = alternation.squares_W()[:k], alternation.n_threads
    memory = reusable(alternation.release(), (len(W), k))
    order, scales, H = order_components(
        None if run.keeps_order else finish.sum_W(W, Ht), squares, len(W), Ht,
        (alternation.penalty_W, alternation.penalty_H),
        balanced=balanced, unscale=scaling.unscale_H,
        dtype=alternation.dtype,  # single precision may have been the end
    )  # fmt: skip
    scaling.unscale_H(H, out=H)
    history = np.array(stopping.history)
    history[-1, 0] = objective  # of the factors, which may be newer than the last record
    W = take_components(
        W, order, scales, finish.finish_W(H), run.W_path, memory=memory, n_threads=n_threads
    )
    finish.finish_H(H)
    return Factorization(
        W=W,
        H=H,
        objective_history=history[:, 0].copy(),
        time_history=history[:, 1].copy(),
        stop_reason=stop_reason or "callback",
        optimality=optimality,
        x_norm=float(np.sqrt(2 * scale)),
        error=float(np.sqrt(max(2 * fit, 0.0))),
        feature_weight=scaling.features,
        sample_norms=norms.astype(alternation.dtype, copy=False),
        options=run.options,
        feature_names=finish.feature_names,
        sample_names=finish.problem.sample_names,
    )
