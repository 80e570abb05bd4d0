"""What a start is worth: passes over X and seconds to an objective that random starts reach."""

import math

import numpy as np

from . import datasets
from .common import Benchmark

STARTS = 3  # random starts, the median of which sets the goal


class Starts(Benchmark):
    """Iterations and seconds, start included, to 99.5% of what 40 from random starts explain."""

    params = (["tall"], [20, 50], ["random", "auto"])
    param_names = ("data", "n_components", "init")

    def setup_cache(self):
        """Return the goals."""
        from sparsenmf import factorize

        goals = {}
        for data in self.params[0]:
            X = datasets.load(data)
            for k in self.params[1]:
                options = {"init": "random", "max_iter": 40, "tol": 0}
                runs = [factorize(X, k, random_state=seed, **options) for seed in range(STARTS)]
                half_norm = runs[0].x_norm ** 2 / 2
                reached = np.median([run.objective for run in runs])
                goals[data, k] = half_norm - 0.995 * (half_norm - reached)
        return goals

    def setup(self, goals, data, n_components, init):
        self.X, self.goal = datasets.load(data), goals[data, n_components]
        self.reach(n_components, init, seed=0)

    def reach(self, n_components, init, seed):
        """Return the run to the goal, or None where it ended before."""
        from sparsenmf import factorize

        model = factorize(
            self.X,
            n_components,
            init=init,
            random_state=seed,
            max_iter=200,
            tol=0,
            progress=lambda state: state.objective <= self.goal,
        )
        return model if model.stop_reason == "callback" else None

    def track_iterations(self, goals, data, n_components, init):
        """Median of three seeds."""
        runs = [self.reach(n_components, init, seed) for seed in range(STARTS)]
        return float(np.median([math.inf if run is None else run.n_iter for run in runs]))

    track_iterations.unit = "iterations"

    def track_seconds(self, goals, data, n_components, init):
        """Median of three seeds."""
        runs = [self.reach(n_components, init, seed) for seed in range(STARTS)]
        return float(np.median([math.inf if run is None else run.time_history[-1] for run in runs]))

    track_seconds.unit = "s"


class Topics(Benchmark):
    """Planted topics that a run for the Kullback-Leibler loss finds, and its iterations."""

    params = ([5_000, 20_000], ["random", "nndsvda", "auto"])
    param_names = ("n_samples", "init")

    def setup_cache(self):
        """Return the matrices and their topics."""
        return {n_samples: datasets.planted_topics(n_samples) for n_samples in self.params[0]}

    def setup(self, planted, n_samples, init):
        from sparsenmf import factorize

        X, self.topics = planted[n_samples]
        options = {"loss": "kullback-leibler", "init": init}
        n = len(self.topics)
        self.runs = [factorize(X, n, random_state=seed, **options) for seed in range(STARTS)]

    def track_found(self, planted, n_samples, init):
        """Topics of 20 that the worst of three seeds finds."""
        return min(_count_found(run.H, self.topics) for run in self.runs)

    track_found.unit = "topics"

    def track_iterations(self, planted, n_samples, init):
        """Median of three seeds."""
        return float(np.median([run.n_iter for run in self.runs]))

    track_iterations.unit = "iterations"


def _count_found(H, topics):
    """Return how many topics have a cosine above 0.95 with some row of H."""
    one, other = (A / np.linalg.norm(A, axis=1, keepdims=True) for A in (H, topics))
    return int(((other @ one.T).max(axis=1) > 0.95).sum())
