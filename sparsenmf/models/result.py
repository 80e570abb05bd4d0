"""From a run to its result."""

import numpy as np

from .. import __version__
from ..data.factors import CHUNK, column_totals, total_chunks
from ..solvers.scale import order_components, reusable, take_components
from .factorization import Factorization


def made_with(random_state, rng):
    """Return the seed, where it is a number and not a generator's state, and the version."""
    if random_state is rng:
        return {"sparsenmf": __version__}
    return {"random_state": rng.bit_generator.seed_seq.entropy, "sparsenmf": __version__}


def conclude(run, stopping, stop_reason, weights, options, constrained, finish, W_path):
    """Return the result of a run."""
    optimality, norms = float("nan"), finish.measure(run)
    try:
        if stop_reason != "interrupted" or stopping.is_quick():
            optimality = run.optimality()
    except KeyboardInterrupt:  # a second Ctrl-C must not lose the result
        stop_reason = "interrupted"
    W, Ht, objective = run.current
    fit = objective - run.penalty_W.value(W) - run.penalty_H.value(Ht)
    n_components, balanced, scale = run.n_components, run.balanced, run.loss.scale
    Ht = Ht.astype(run.dtype, copy=False)  # if single precision, which has begun, was the end
    squares, n_threads = run.squares_W()[:n_components], run.n_threads
    memory = reusable(run.release(), (len(W), n_components))
    sums = None if constrained else _sum_W(W, Ht, n_components, weights, finish)
    penalties = run.penalty_W, run.penalty_H
    order, scales, H = order_components(
        sums, squares, len(W), Ht, penalties, balanced=balanced, unscale=weights.unscale_H
    )
    H = weights.unscale_H(H)
    history = np.array(stopping.history)
    history[-1, 0] = objective
    return Factorization(
        W=take_components(
            W, order, scales, finish.given(H), W_path, memory=memory, n_threads=n_threads
        ),
        H=H,
        objective_history=history[:, 0].copy(),
        time_history=history[:, 1].copy(),
        stop_reason=stop_reason,
        optimality=optimality,
        x_norm=float(np.sqrt(2 * scale)),
        error=float(np.sqrt(max(2 * fit, 0.0))),
        feature_weight=weights.features,
        sample_norms=norms.astype(run.dtype, copy=False),
        options=options,
    )


def _sum_W(W, Ht, n_components, weights, finish):
    """Return the sums of the columns of the W that is returned."""
    if weights.samples is None:
        return column_totals(W)[:n_components]
    finish = finish.given(weights.unscale_H(np.ascontiguousarray(Ht[:, :n_components].T)))

    def chunks():
        for start in range(0, len(W), CHUNK):
            part = W[start : start + CHUNK, :n_components].astype(Ht.dtype)
            finish(start, part)
            yield part

    return total_chunks(chunks())
