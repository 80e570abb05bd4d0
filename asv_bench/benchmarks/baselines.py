"""scikit-learn beside us, at equal iterations from the same start.

For the ratio within one run: scikit-learn is no part of our history.
"""

from scipy.sparse.linalg import norm

from . import datasets
from .common import Benchmark

SCIKIT_LEARN = "scikit-learn"
SAME_ITERATES = "sparsenmf, same iterates, 1 thread"
DEFAULTS = "sparsenmf, defaults"

N_COMPONENTS, N_ITER = 20, 10


class EqualIterations(Benchmark):
    """Ten iterations of coordinate descent: scikit-learn's, ours with its iterates, ours."""

    params = ([SCIKIT_LEARN, SAME_ITERATES, DEFAULTS], ["medium", "20newsgroups"])
    param_names = ("solver", "data")

    def setup(self, solver, data):
        self.X = datasets.load(data)
        self.norm = norm(self.X)
        self.start = datasets.start(self.X, N_COMPONENTS)
        if solver == SCIKIT_LEARN:
            try:
                import sklearn.decomposition  # noqa: F401
            except ImportError:
                raise NotImplementedError("scikit-learn is not installed") from None
        else:
            self.warm_up(n_threads=1 if solver == SAME_ITERATES else None)

    def fit(self, solver):
        """Return the relative error of the fit."""
        W, H = (factor.copy() for factor in self.start)
        if solver == SCIKIT_LEARN:
            from sklearn.decomposition import NMF

            model = NMF(N_COMPONENTS, init="custom", tol=0, max_iter=N_ITER)
            model.fit_transform(self.X, W=W, H=H)
            return model.reconstruction_err_ / self.norm
        from sparsenmf import factorize

        plain = {"max_sweeps": 1, "extrapolate": False, "n_threads": 1}
        return factorize(
            self.X,
            N_COMPONENTS,
            W=W,
            H=H,
            tol=0,
            max_iter=N_ITER,
            **(plain if solver == SAME_ITERATES else {}),
        ).relative_error

    def time_fit(self, solver, data):
        self.fit(solver)

    def track_relative_error(self, solver, data):
        return float(self.fit(solver))

    track_relative_error.unit = "||X - W H|| / ||X||"
