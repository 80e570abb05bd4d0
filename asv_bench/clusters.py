"""Seconds and bytes of an iteration on local clusters of one and more workers.

    python asv_bench/clusters.py --workers 1 2 -k 50
    python asv_bench/clusters.py --loss kullback-leibler

Each worker is a process with one thread, on the loopback device. The bytes are those that
workers sent: H and sums to each other, and the last sum to this process, which sends H to one of
them. Prints the figures that the model in `sparsenmf.distributed` consists of.
"""

import argparse
import time

import numpy as np
from benchmarks import datasets
from distributed import Client, LocalCluster

from sparsenmf.distributed import factorize


def sent(dask_worker):
    return dask_worker.transfer_outgoing_bytes_total


def measure(X, n_workers, n_blocks, n_components, n_iter, loss):
    """Return the median seconds and the mean bytes of an iteration, and the objective.

    All runs start at random, so that only iterations take seconds and bytes.
    """
    settings = {"loss": loss, "init": "random", "random_state": 0}
    options = {"threads_per_worker": 1, "dashboard_address": ":0", "host": "127.0.0.1"}
    cuts = np.linspace(0, X.shape[0], n_blocks + 1).astype(int)
    with LocalCluster(n_workers=n_workers, **options) as cluster, Client(cluster) as client:
        client.wait_for_workers(n_workers)
        home = sorted(client.nthreads())
        blocks = [
            client.scatter(X[cuts[b] : cuts[b + 1]], workers=[home[b * n_workers // n_blocks]])
            for b in range(n_blocks)
        ]
        factorize(blocks, n_components, max_iter=2, **settings)  # compiles, or loads
        bytes_at = []

        def note(state):
            # Leave out the first iteration, which fetches X and W.
            if state.n_iter in (1, n_iter):
                bytes_at.append(sum(client.run(sent).values()))

        started = time.perf_counter()
        model = factorize(blocks, n_components, max_iter=n_iter, tol=0, progress=note, **settings)
        total = time.perf_counter() - started
        seconds = np.median(np.diff(model.time_history)[:-1])
    return seconds, (bytes_at[1] - bytes_at[0]) / (n_iter - 1), model.objective_history[-1], total


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="tall", choices=datasets.SYNTHETIC)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--blocks", type=int, default=8)
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--loss", default="frobenius", choices=["frobenius", "kullback-leibler"])
    parser.add_argument("-k", "--components", type=int, default=50)
    options = parser.parse_args()
    X = datasets.load(options.data)
    n, m = X.shape
    print(f"{options.data}: {n:,} x {m:,}, {X.nnz:,} nonzeros, {options.blocks} blocks")
    for n_workers in options.workers:
        seconds, n_bytes, objective, total = measure(
            X, n_workers, options.blocks, options.components, options.iterations, options.loss
        )
        print(
            f"{n_workers} workers: {seconds:.3f} s and {n_bytes / 1e6:.2f} MB an iteration, "
            f"{total:.1f} s in all, objective {objective:.6g}"
        )


if __name__ == "__main__":
    main()
