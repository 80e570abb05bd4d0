"""The objective that the reference reaches, and when: the mark for all solvers."""

import importlib.metadata
import json

import numpy as np
from judge import objective
from peers import REFERENCE, Start, run_sklearn

from sparsenmf import CoordinateDescent

STEP = 10  # iterations after which the objective of a resumable peer is first computed


def resume(X, k, start, target, limit, loss):
    """Trace scikit-learn by starting it from its own last result."""
    seen, done = {}, 0
    while done < limit:
        before, start = start, Start(*run_sklearn(X, k, start, STEP, None, loss))
        if objective(X, start.W, start.H, loss) <= target:
            start = before
            for n_iter in range(done + 1, done + STEP + 1):
                start = Start(*run_sklearn(X, k, start, 1, None, loss))
                seen[n_iter] = objective(X, start.W, start.H, loss)
                if seen[n_iter] <= target:
                    return seen
        done += STEP
        seen[done] = objective(X, start.W, start.H, loss)
    return seen


def follow(X, k, start, limit):
    """Return the final and the intermediate objectives of scikit-learn's iterates, by our solver.

    Without momentum and with one sweep, our iterates are the same up to rounding.
    """
    import sparsenmf

    plain = {
        "solver": CoordinateDescent(max_sweeps=1, extrapolate=False),
        "tol": 0,
        "max_iter": limit,
    }
    model = sparsenmf.factorize(X, k, W=start.W, H=start.H, **plain)
    final = objective(X, model.W, model.H, "frobenius")
    return final, dict(enumerate(model.objective_history.tolist(), 1))


def confirm(X, factors, target, loss):
    """Raise if the reference has not reached the target."""
    reached = objective(X, *factors, loss)
    if reached > target * (1 + 1e-6):
        raise RuntimeError(f"{REFERENCE} has come to {reached}, not to {target}: without --quick?")


class References:
    """The results of 200 iterations of the reference, kept in a file if there is one.

    With ``quick`` they come from our own iterates, and `confirm` checks the reference's result.
    """

    def __init__(self, path, *, quick=False):
        self.path, self.quick = path, quick
        self.known = json.loads(path.read_text()) if path and path.exists() else {}

    def find(self, key, X, k, start, limit, loss):
        """Return the final objective, the target, and the objectives on the way to it."""
        name = " ".join(map(str, (*key, limit, importlib.metadata.version(REFERENCE))))
        if name not in self.known:
            squares = 0.5 * float(np.sum(X.data.astype(np.float64) ** 2))
            half = squares if loss == "frobenius" else float(X.sum(dtype=np.float64))
            if self.quick:
                final, iterates = follow(X, k, start, limit)
            else:
                final = objective(X, *run_sklearn(X, k, start, limit, None, loss), loss)
            # Divergences have no explained norm, so the target is the reference's last value.
            target = half - 0.995 * (half - final) if loss == "frobenius" else final
            if self.quick:  # the first alone that is at the target
                curve = {n: f for n, f in iterates.items() if iterates.get(n - 1, half) > target}
            else:
                curve = resume(X, k, start, target, limit, loss)
            self.known[name] = {"half": half, "final": final, "target": target, "curve": curve}
            if self.path:
                self.path.write_text(json.dumps(self.known))
        found = self.known[name]
        return {**found, "curve": {int(n): value for n, value in found["curve"].items()}}
