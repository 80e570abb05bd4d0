"""Peers that do the same work: iterations, sparse products, the NNDSVD start.

Only the ratio within one run counts: times of peers are not part of our history.
"""

import os
import sys
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import norm

from sparsenmf import CoordinateDescent

from . import datasets
from .common import Benchmark

SCIKIT_LEARN = "scikit-learn"
SAME_ITERATES = "sparsenmf, same iterates, 1 thread"
DEFAULTS = "sparsenmf, defaults"

N_COMPONENTS, N_ITER = 20, 10


class EqualIterations(Benchmark):
    """Ten iterations of coordinate descent: scikit-learn's, ours with its iterates, our default."""

    params = ([SCIKIT_LEARN, SAME_ITERATES, DEFAULTS], ["medium", "20newsgroups"])
    param_names = ("solver", "data")

    def setup(self, solver, data):
        self.X = datasets.load(data)
        self.norm = norm(self.X)
        self.start = datasets.start(self.X, N_COMPONENTS)
        if solver == SCIKIT_LEARN:
            try:
                import sklearn.decomposition  # noqa: F401 - to ask if it is there
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

        plain = {"solver": CoordinateDescent(max_sweeps=1, extrapolate=False), "n_threads": 1}
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


OURS, MKL, SCIPY = "sparsenmf", "MKL", "scipy"


class Products(Benchmark):
    """The two sparse products of an iteration, X H' and X' W, on two threads."""

    params = ([OURS, MKL, SCIPY], ["medium", "20newsgroups"], [20, 50, 100])
    param_names = ("library", "data", "n_components")

    def setup(self, library, data, n_components):
        self.require_cores(2)
        X = datasets.load(data)
        W, H = datasets.start(X, n_components)
        sides = ((X, np.ascontiguousarray(H.T)), (sp.csr_array(X.T), W))
        prepare = {OURS: self.prepare_ours, MKL: self.prepare_mkl, SCIPY: self.prepare_scipy}
        self.products = [prepare[library](side, factor) for side, factor in sides]
        for product, (side, factor) in zip(self.products, sides, strict=True):
            result = product()[:, :n_components]
            np.testing.assert_allclose(result, side @ factor, rtol=1e-3, atol=1e-4)

    @staticmethod
    def prepare_ours(X, factor):
        from sparsenmf.data.factors import empty_factor, pad_factor
        from sparsenmf.data.rows import make_rows
        from sparsenmf.kernels.products import multiply_rows

        n_components = factor.shape[1]
        rows, padded = make_rows(X, n_components), pad_factor(factor, X.dtype)
        out = empty_factor((X.shape[0], n_components), X.dtype)
        no_grams = np.empty((0, *2 * out.shape[1:]))

        def product():
            multiply_rows(2, rows, padded, out, no_grams)
            return out

        return product

    @staticmethod
    def prepare_mkl(X, factor):
        # MKL's package does not tell where it puts the library.
        found = sorted(Path(sys.prefix, "lib").glob("libmkl_rt.so*"))
        if found:
            os.environ.setdefault("MKL_RT", str(found[-1]))
        try:
            import sparse_dot_mkl
        except ImportError as error:
            raise NotImplementedError(f"sparse_dot_mkl: {error}") from None
        sparse_dot_mkl.mkl_set_num_threads(2)
        X, out = sp.csr_matrix(X), np.zeros((X.shape[0], factor.shape[1]), X.dtype)
        return lambda: sparse_dot_mkl.dot_product_mkl(X, factor, out=out, out_scalar=0.0)

    @staticmethod
    def prepare_scipy(X, factor):
        return lambda: X @ factor

    def time_both_sides(self, *_):
        for product in self.products:
            product()


class Nndsvd(Benchmark):
    """The NNDSVD start, the transpose included: scikit-learn's and ours."""

    params = ([OURS, SCIKIT_LEARN], ["medium", "20newsgroups"], [20, 50])
    param_names = ("library", "data", "n_components")

    def setup(self, library, data, n_components):
        self.X = sp.csr_matrix(datasets.load(data))
        if library == SCIKIT_LEARN:
            try:
                import sklearn.decomposition._nmf  # noqa: F401 - as above
            except ImportError:
                raise NotImplementedError("scikit-learn is not installed") from None
        self.start(library, n_components)

    def start(self, library, n_components):
        if library == SCIKIT_LEARN:
            from sklearn.decomposition._nmf import _initialize_nmf

            return _initialize_nmf(self.X, n_components, init="nndsvd", random_state=0)
        from sparsenmf.data.rows import make_rows
        from sparsenmf.kernels.compile.threads import resolve_threads
        from sparsenmf.kernels.transpose import transpose_rows
        from sparsenmf.solvers.initialization import initialize_factors

        n_threads = resolve_threads()
        rows = make_rows(self.X, n_components)
        columns = transpose_rows(rows, self.X.shape[1], n_components, n_threads)
        rng = np.random.default_rng(0)
        W, Ht = initialize_factors(rows, columns, n_components, "nndsvd", rng, n_threads=n_threads)
        return W[:, :n_components], Ht[:, :n_components].T

    def time_start(self, library, data, n_components):
        self.start(library, n_components)

    def track_relative_error(self, library, data, n_components):
        W, H = self.start(library, n_components)
        cross = float(np.sum((self.X @ np.ascontiguousarray(H.T)) * W, dtype=float))
        everywhere = float(np.sum((W.T @ W) * (H @ H.T), dtype=float))
        return float(np.sqrt(1 + (everywhere - 2 * cross) / norm(self.X) ** 2))

    track_relative_error.unit = "||X - W H|| / ||X||"
