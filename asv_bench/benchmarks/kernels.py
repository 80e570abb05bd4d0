"""One call of each kernel, on the factors of a run that has found its topics.

Outputs never change the inputs (those of `ExtrapolateRows` are equal to them), so every call does
the same work.
"""

import numpy as np
import scipy.sparse as sp

from sparsenmf.kernels.operands import Divergence, Earlier, Side, Sweeps
from sparsenmf.solvers.penalties import make_penalty

from . import datasets
from .common import THREADS, Benchmark

DATA = "medium"
COMPONENTS = [20, 50, 100, 200]
DTYPES = ["float32", "float64"]


class KernelBenchmark(Benchmark):
    """The arguments of kernels: rows of both sides, padded factors, gram matrices."""

    params = (COMPONENTS, THREADS)
    param_names = ("n_components", "n_threads")

    def setup_cache(self):
        """Leave X and its factors after five iterations in the working folder."""
        from sparsenmf import factorize

        X = datasets.load(DATA)
        sp.save_npz("X.npz", X, compressed=False)
        for n_components in COMPONENTS:
            model = factorize(X, n_components, max_iter=5, tol=0, init="random", random_state=0)
            np.savez(f"factors-{n_components}.npz", W=model.W, H=model.H)

    def prepare(self, n_components, n_threads, dtype="float32"):
        from sparsenmf.data.factors import pad_factor
        from sparsenmf.data.rows import make_rows

        self.require_cores(n_threads)
        self.n_threads, self.dtype = n_threads, np.dtype(dtype)
        X = sp.load_npz("X.npz").astype(dtype)
        self.rows = make_rows(X, n_components)
        self.columns = make_rows(X.T.tocsr(), n_components)
        with np.load(f"factors-{n_components}.npz") as factors:
            self.W, self.new_W = (pad_factor(factors["W"], self.dtype) for _ in range(2))
            self.Ht, self.new_Ht = (pad_factor(factors["H"].T, self.dtype) for _ in range(2))

    def block_grams(self, rows):
        width = self.W.shape[1]
        return np.zeros((rows.n_blocks, width, width))


class UpdateRows(KernelBenchmark):
    """update_rows: each half of an iteration, two sweeps a row, W's with its gram matrix."""

    params = (COMPONENTS, DTYPES, THREADS)
    param_names = ("n_components", "dtype", "n_threads")

    def setup(self, n_components, dtype, n_threads):
        from sparsenmf.kernels.coordinate_descent import update_rows

        self.prepare(n_components, n_threads, dtype)
        self.kernel = update_rows
        self.gram_W, self.gram_Ht = self.W.T @ self.W, self.Ht.T @ self.Ht
        self.grams, self.no_grams = self.block_grams(self.rows), self.block_grams(self.rows)[:0]
        self.time_rows_of_W()
        self.time_rows_of_H()

    def update(self, rows, other, gram, factor, out, grams):
        statistics = np.zeros((rows.n_blocks, 2))
        penalty, side = make_penalty(0, 0, other.shape[1]), Side(other, gram)
        earlier = Earlier(np.empty((0, *factor.shape), self.dtype), self.dtype.type(1))
        sweeps = Sweeps(2, self.dtype.type(0.1))
        self.kernel(
            self.n_threads, rows, side, penalty, earlier, factor, out, sweeps, grams, statistics
        )

    def time_rows_of_W(self, *_):
        self.update(self.rows, self.Ht, self.gram_Ht, self.W, self.new_W, self.grams)

    def time_rows_of_H(self, *_):
        self.update(self.columns, self.W, self.gram_W, self.Ht, self.new_Ht, self.no_grams)


class UpdateRowsKl(KernelBenchmark):
    """update_rows_kl: each half of an iteration, two sweeps a row, H's with the objective."""

    def setup(self, n_components, n_threads):
        from sparsenmf.kernels.kullback_leibler import update_rows_kl

        self.prepare(n_components, n_threads)
        self.kernel = update_rows_kl
        self.time_rows_of_W()
        self.time_rows_of_H()

    def update(self, rows, other, factor, out, want_objective):
        sums, statistics = other.sum(axis=0, dtype=float), np.zeros((rows.n_blocks, 2))
        penalty, sweeps = make_penalty(0, 0, other.shape[1]), Sweeps(2, 0.1, want_objective)
        side = Side(other, sums)
        self.kernel(self.n_threads, rows, side, penalty, factor, out, sweeps, None, statistics)

    def time_rows_of_W(self, *_):
        self.update(self.rows, self.Ht, self.W, self.new_W, False)

    def time_rows_of_H(self, *_):
        self.update(self.columns, self.W, self.Ht, self.new_Ht, True)


class ScaleRows(KernelBenchmark):
    """update_rows_mu and update_rows_mu_beta: one half of a multiplicative iteration."""

    def setup(self, n_components, n_threads):
        from sparsenmf.kernels import multiplicative

        self.prepare(n_components, n_threads)
        self.kernels = multiplicative
        self.gram, self.sums = self.Ht.T @ self.Ht, self.Ht.sum(axis=0, dtype=float)
        self.no_grams = self.block_grams(self.rows)[:0]
        self.penalty = make_penalty(0, 0, len(self.sums))
        self.none = np.empty((0, *self.W.shape), self.W.dtype)
        self.statistics = np.zeros((self.rows.n_blocks, 2))
        self.time_frobenius()
        self.time_kullback_leibler()

    def time_frobenius(self, *_):
        side = Side(self.Ht, self.gram)
        options = (self.penalty, self.none, self.W, self.new_W, self.no_grams, self.statistics)
        self.kernels.update_rows_mu(self.n_threads, self.rows, side, *options)

    def time_kullback_leibler(self, *_):
        side, divergence = Side(self.Ht, self.sums), Divergence(1.0, 1.0, 0.0)
        options = (self.penalty, divergence, self.none, self.W, self.new_W, 0, self.statistics)
        self.kernels.update_rows_mu_beta(self.n_threads, self.rows, side, *options)


class ExtrapolateRows(KernelBenchmark):
    """extrapolate_rows: the momentum step on H, with its gram matrix."""

    def setup(self, n_components, n_threads):
        from sparsenmf.kernels.coordinate_descent import extrapolate_rows

        self.prepare(n_components, n_threads)
        self.kernel = extrapolate_rows
        self.grams = self.block_grams(self.columns)
        self.time_rows_of_H()

    def time_rows_of_H(self, *_):
        beta = self.dtype.type(0.5)  # a step of zero, since new_Ht equals Ht
        blocks, none = self.columns.blocks, self.dtype.type(0)
        self.kernel(self.n_threads, self.Ht, self.new_Ht, beta, none, blocks, self.grams)


class MultiplyRows(KernelBenchmark):
    """multiply_rows: the sparse product X H', of which the NNDSVD start consists."""

    def setup(self, n_components, n_threads):
        from sparsenmf.kernels.products import multiply_rows

        self.prepare(n_components, n_threads)
        self.kernel = multiply_rows
        self.no_grams = self.block_grams(self.rows)[:0]
        self.time_rows_of_W()

    def time_rows_of_W(self, *_):
        self.kernel(self.n_threads, self.rows, self.Ht, self.new_W, self.no_grams)


class TransposeRows(KernelBenchmark):
    """transpose_rows: what a factorization does first."""

    params = (THREADS,)
    param_names = ("n_threads",)

    def setup(self, n_threads):
        from sparsenmf.kernels.transpose import transpose_rows

        self.prepare(20, n_threads)
        self.transpose_rows = transpose_rows
        self.time_rows(n_threads)

    def time_rows(self, n_threads):
        self.transpose_rows(self.rows, self.columns.n_rows, 20, n_threads)


class MeasureRows(KernelBenchmark):
    """measure_rows: the squared error from the residuals, in float64."""

    def setup(self, n_components, n_threads):
        from sparsenmf.kernels.products import measure_rows

        self.prepare(n_components, n_threads)
        self.kernel = measure_rows
        self.sums = np.zeros(self.rows.n_blocks)
        self.time_rows_of_W()

    def time_rows_of_W(self, *_):
        self.kernel(self.n_threads, self.rows, self.W, self.Ht, self.sums)
