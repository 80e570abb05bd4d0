"""Local clusters, and matrices cut into blocks for them."""

import itertools
import os
import signal
from contextlib import contextmanager

import numpy as np
import scipy.sparse as sp
from dask import delayed
from distributed import Client, LocalCluster

from sparsenmf.data.factors import column_totals
from sparsenmf.distributed import tasks
from sparsenmf.solvers.initialization import draw_start

K, CUTS = 6, (0, 100, 150, 290, 390, 400)
QUIET = {"host": "127.0.0.1", "dashboard_address": ":0", "silence_logs": "CRITICAL"}
OPTIONS = {"random_state": 0, "max_iter": 15, "tol": 0}


@contextmanager
def start_client(n_workers, threads_per_worker, *, default):
    """A client of a cluster of processes on this machine, as a context."""
    sizes = {"n_workers": n_workers, "threads_per_worker": threads_per_worker}
    with (
        LocalCluster(processes=True, **sizes, **QUIET) as cluster,
        Client(cluster, set_as_default=default) as client,
    ):
        client.wait_for_workers(n_workers, timeout=60)
        yield client


def pieces(X, cuts=CUTS):
    return [X[a:b] for a, b in itertools.pairwise(cuts)]


def lazy(X, cuts=CUTS):
    return [delayed(piece) for piece in pieces(X, cuts)]


class Store:
    """An object with the interface of a store on disk."""

    def __init__(self, folder, X):
        self.folder, self.shape, self.nnz, self.dtype = str(folder), X.shape, X.nnz, X.dtype
        sp.save_npz(f"{folder}/X.npz", X)

    def blocks(self, max_nnz):
        step = max(1, int(self.shape[0] * max_nnz / self.nnz))
        return [(a, min(a + step, self.shape[0])) for a in range(0, self.shape[0], step)]

    def rows(self, start, stop):
        return sp.csr_array(sp.load_npz(f"{self.folder}/X.npz"))[start:stop]


def same_start(X, n_components=K, cuts=CUTS, seed=0, *, fit_sum=False, H=None):
    """Return the random start of a distributed run as arrays; `fit_sum` gives it the sum of X."""
    rng = np.random.default_rng(seed)
    entropy = int.from_bytes(rng.bytes(16), "little")
    seeds = np.random.SeedSequence(entropy).spawn(len(cuts) - 1)
    sizes = np.diff(cuts).tolist()
    W = [
        tasks.draw_block(s, n, n_components, X.mean(), X.dtype).W
        for s, n in zip(seeds, sizes, strict=True)
    ]
    W, shape = np.vstack(W), (1, X.shape[1])
    _, Ht = draw_start(shape, n_components, X.mean(), X.dtype, rng, H=H)
    if fit_sum:
        ratio = X.sum() / (column_totals(W) @ column_totals(Ht))
        W, Ht = W * np.sqrt(ratio), Ht * np.sqrt(ratio)
    return {"W": W[:, :n_components], "H": Ht.T[:n_components]}


def assert_same(there, here):
    """Assert that two results are the same up to rounding; that of a cluster started at random."""
    np.testing.assert_allclose(there.objective_history, here.objective_history, rtol=1e-10)
    gathered = there.to_factorization()
    np.testing.assert_allclose(gathered.W, here.W, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(gathered.H, here.H, rtol=1e-6, atol=1e-9)
    assert np.isclose(gathered.optimality, here.optimality, rtol=1e-5, atol=0)
    assert np.isclose(gathered.x_norm, here.x_norm, rtol=1e-12)
    assert np.isclose(gathered.relative_error, here.relative_error, rtol=1e-10)
    assert {**gathered.options, "init": here.options["init"]} == here.options
    assert gathered.W.flags.c_contiguous


def assert_same_bits(one, other):
    """Two results are the same to the bit."""
    np.testing.assert_array_equal(one.objective_history, other.objective_history)
    np.testing.assert_array_equal(one.H, other.H)
    np.testing.assert_array_equal(one.to_factorization().W, other.to_factorization().W)


def kill_one(client):
    os.kill(min(client.run(os.getpid).values()), signal.SIGKILL)


def have_both(client):
    """Wait for two workers, because a nanny sometimes fails to replace one that was killed."""
    try:
        client.wait_for_workers(2, timeout=30)
    except TimeoutError:
        client.cluster.scale(len(client.cluster.worker_spec) + 1)
        client.wait_for_workers(2, timeout=60)


def n_tasks(client):
    return client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))
