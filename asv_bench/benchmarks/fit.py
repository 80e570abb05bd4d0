"""Whole factorizations: seconds of a fixed number of iterations, and to a fixed objective."""

import functools
import math
import tempfile

from sparsenmf import CoordinateDescent

from . import datasets
from .common import THREADS, Benchmark

DATA = ["medium", "tall", *datasets.REAL]


class FixedIterations(Benchmark):
    """Ten iterations from a random start, whatever objective they reach."""

    params = (DATA, [20, 50], THREADS)
    param_names = ("data", "n_components", "n_threads")

    def setup(self, data, n_components, n_threads):
        self.require_cores(n_threads)
        self.X = datasets.load(data)
        self.warm_up(n_threads)

    def time_factorize(self, data, n_components, n_threads):
        from sparsenmf import factorize

        factorize(
            self.X,
            n_components,
            max_iter=10,
            tol=0,
            init="random",
            random_state=0,
            n_threads=n_threads,
        )


class DoublePrecision(Benchmark):
    """Ten iterations on float64 data, of which the first ones are made in single precision."""

    params = (["medium", "tall", *datasets.REAL], [20, 50], THREADS)
    param_names = ("data", "n_components", "n_threads")

    def setup(self, data, n_components, n_threads):
        self.require_cores(n_threads)
        self.X = datasets.load(data, "float64")
        self.time_factorize(data, n_components, n_threads)

    def time_factorize(self, data, n_components, n_threads):
        from sparsenmf import factorize

        factorize(
            self.X,
            n_components,
            max_iter=10,
            tol=0,
            init="random",
            random_state=0,
            n_threads=n_threads,
        )


class Arrangement(Benchmark):
    """Ten iterations on documents in memory, with a transpose and without."""

    params = (["medium", "tall"], [False, True], THREADS)
    param_names = ("data", "low_memory", "n_threads")

    def setup(self, data, low_memory, n_threads):
        self.require_cores(n_threads)
        self.X = datasets.load(data)
        self.options = {
            "tol": 0,
            "init": "random",
            "random_state": 0,
            "solver": CoordinateDescent(low_memory=low_memory),
        }
        self.time_factorize(data, low_memory, n_threads, max_iter=1)

    def time_factorize(self, data, low_memory, n_threads, max_iter=10):
        from sparsenmf import factorize

        factorize(self.X, 20, max_iter=max_iter, n_threads=n_threads, **self.options)


class Store(Benchmark):
    """Ten iterations on documents on disk, in eight blocks; the file system has them cached."""

    params = ([("cd", 2.0), ("mu", 1.0), ("cd", 1.0)], THREADS)
    param_names = ("solver_and_beta", "n_threads")

    def setup(self, solver_and_beta, n_threads):
        from sparsenmf import write_csr

        self.require_cores(n_threads)
        solver, beta = solver_and_beta
        self.folder = tempfile.TemporaryDirectory()
        X, both_sides = datasets.load("tall", weigh=beta == 2), solver_and_beta == ("cd", 1.0)
        self.store = write_csr(self.folder.name, X, both_sides=both_sides)
        self.options = {"solver": solver, "loss": beta, "n_threads": n_threads}
        self.time_factorize(max_iter=1)

    def teardown(self, *_):
        self.folder.cleanup()

    def time_factorize(self, *_, max_iter=10):
        from unittest import mock

        from sparsenmf import factorize
        from sparsenmf.solvers import blocks

        with mock.patch.object(blocks, "BLOCK_NNZ", self.store.nnz // 8):
            factorize(
                self.store,
                20,
                max_iter=max_iter,
                tol=0,
                init="random",
                random_state=0,
                **self.options,
            )


class Losses(Benchmark):
    """Five iterations of each solver for each loss, on counts."""

    params = (
        [("cd", 2.0), ("mu", 2.0), ("cd", 1.0), ("mu", 1.0), ("mu", 1.5)],
        ["small", "medium"],
    )
    param_names = ("solver_and_beta", "data")

    def setup(self, solver_and_beta, data):
        solver, beta = solver_and_beta
        if beta == 1.5 and data != "small":
            raise NotImplementedError("all entries of W H, not only the nonzeros: too long")
        self.X = datasets.load(data, weigh=False)
        self.options = {"solver": solver, "loss": beta, "tol": 0, "random_state": 0}
        self.time_factorize(max_iter=1)

    def time_factorize(self, *_, max_iter=5):
        from sparsenmf import factorize

        factorize(self.X, 20, max_iter=max_iter, **self.options)


class Observed(Benchmark):
    """Ten iterations where absent entries are unknown, or where entries have weights."""

    params = ([("cd", 2), ("mu", 2), ("cd", 1)], ["unknown", "weights"])
    param_names = ("solver_and_beta", "entries")

    def setup(self, solver_and_beta, entries):
        solver, beta = solver_and_beta
        X = datasets.load("small", weigh=False)
        entries = {"missing": "unknown"} if entries == "unknown" else {"weights": X}
        self.arguments = {"X": X, "solver": solver, "loss": beta, "random_state": 0, **entries}
        self.time_factorize(max_iter=1)

    def time_factorize(self, *_, max_iter=10):
        from sparsenmf import factorize

        factorize(n_components=20, max_iter=max_iter, tol=0, **self.arguments)


class Growth(Benchmark):
    """Ten iterations on more and more of the documents: time should grow in proportion."""

    params = ([12_500, 25_000, 50_000, 100_000], THREADS)
    param_names = ("documents", "n_threads")

    def setup(self, documents, n_threads):
        self.require_cores(n_threads)
        self.X = datasets.load("tall")[:documents]
        self.warm_up(n_threads)

    def time_factorize(self, documents, n_threads):
        from sparsenmf import factorize

        factorize(
            self.X, 20, max_iter=10, tol=0, init="random", random_state=0, n_threads=n_threads
        )


class Accuracy(Benchmark):
    """The error after fifty iterations: a change that is faster by doing less shows here."""

    params = (DATA,)
    param_names = ("data",)

    def setup(self, data):
        self.X = datasets.load(data)

    def track_relative_error(self, data):
        from sparsenmf import factorize

        return factorize(
            self.X, 20, max_iter=50, tol=0, init="random", random_state=0
        ).relative_error

    track_relative_error.unit = "||X - W H|| / ||X||"


class FixedObjective(Benchmark):
    """Time and iterations to 99.5 % of the explained norm of 100 plain iterations, same start."""

    params = (["medium", *datasets.REAL],)
    param_names = ("data",)
    n_components = 20

    def setup_cache(self):
        """Return the target objectives of the data sets that are here.

        Plain coordinate descent (one sweep, no momentum) sets them, so they do not change when the
        solver gets better.
        """
        from sparsenmf import factorize

        targets = {}
        for data in self.params[0]:
            try:
                X = datasets.load(data)
            except NotImplementedError:  # no such data here: setup says so to asv
                continue
            W, H = datasets.start(X, self.n_components)
            model = factorize(
                X,
                self.n_components,
                W=W,
                H=H,
                max_iter=100,
                tol=0,
                solver=CoordinateDescent(max_sweeps=1, extrapolate=False),
            )
            half_norm = model.x_norm**2 / 2
            targets[data] = half_norm - 0.995 * (half_norm - model.objective)
        return targets

    def setup(self, targets, data):
        self.X = datasets.load(data)
        self.start = datasets.start(self.X, self.n_components)
        self.target = targets[data]
        self.warm_up()

    def reach(self):
        """Return the run to the target, or None where it ended before."""
        from sparsenmf import factorize

        W, H = self.start
        model = factorize(
            self.X,
            self.n_components,
            W=W,
            H=H,
            max_iter=500,
            tol=0,
            progress=lambda state: state.objective <= self.target,
        )
        return model if model.stop_reason == "callback" else None

    def track_seconds(self, targets, data):
        """Best of three: asv does not repeat what it tracks."""
        runs = [self.reach() for _ in range(3)]
        return math.nan if None in runs else min(run.time_history[-1] for run in runs)

    track_seconds.unit = "s"

    def track_iterations(self, targets, data):
        run = self.reach()
        return math.nan if run is None else run.n_iter

    track_iterations.unit = "iterations"


class Stream(Benchmark):
    """One pass of MiniBatchNMF over the documents, in batches of 1024."""

    params = ([("tall", 2.0), ("medium", 2.0), ("medium", 1.0)], THREADS)
    param_names = ("data_and_beta", "n_threads")

    def setup(self, data_and_beta, n_threads):
        self.require_cores(n_threads)
        data, self.beta = data_and_beta
        self.X = datasets.load(data, weigh=self.beta == 2)
        self.time_pass(data_and_beta, n_threads)

    def time_pass(self, data_and_beta, n_threads):
        from sparsenmf import MiniBatchNMF

        options = {"beta_loss": self.beta, "random_state": 0, "n_threads": n_threads}
        MiniBatchNMF(20, max_iter=1, **options).fit(self.X)


class Transform(Benchmark):
    """The W of new documents, H held fixed: one (latency), and ten thousand (throughput)."""

    params = ([20, 100],)
    param_names = ("n_components",)

    def setup(self, n_components):
        self.model = fitted(n_components)
        self.documents = datasets.load("medium")
        self.document = self.documents[[0]]
        self.time_one_row()
        self.time_10_000_rows()

    def time_one_row(self, *_):
        self.model.transform(self.document)

    time_one_row.repeat = (20, 100, 5.0)

    def time_10_000_rows(self, *_):
        self.model.transform(self.documents)


@functools.cache
def fitted(n_components):
    """Return a model of the medium documents."""
    from sparsenmf import factorize

    X = datasets.load("medium")
    return factorize(X, n_components, max_iter=10, tol=0, init="random", random_state=0)


class Cluster(Benchmark):
    """Five iterations on a local Dask cluster of one process and of two."""

    params = ([1, 2],)
    param_names = ("n_workers",)

    def setup(self, n_workers):
        try:
            from distributed import Client, LocalCluster
        except ImportError as error:
            raise NotImplementedError("Dask is not installed") from error

        self.require_cores(n_workers)
        options = {"threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": ":0"}
        self.cluster = LocalCluster(n_workers=n_workers, silence_logs="CRITICAL", **options)
        self.client = Client(self.cluster)
        X = datasets.load("tall")
        self.blocks = [self.client.scatter(X[i::4]) for i in range(4)]
        self.time_factorize()

    def teardown(self, n_workers):
        self.client.close()
        self.cluster.close()

    def time_factorize(self, *_):
        from sparsenmf.distributed import factorize

        factorize(self.blocks, 20, max_iter=5, tol=0, random_state=0, client=self.client)
