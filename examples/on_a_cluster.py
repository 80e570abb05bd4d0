"""
Topics on a Dask cluster
========================

In a shell::

    python on_a_cluster.py

X and W stay on the workers, H comes back. Here the cluster is two processes on this machine, and
the documents are made up, block by block, on the workers; they could be read there from files.
For your own cluster: Client("tcp://scheduler:8786").

Needs Dask: pip install "sparsenmf[dask]"
"""

# %%
# Blocks of documents
# -------------------
# Each block is made where it is needed, and is never on the machine that asks for it.

import os
import signal

import numpy as np
import scipy.sparse as sp
from dask import delayed
from distributed import Client, LocalCluster

from sparsenmf import NNDSVD
from sparsenmf.distributed import factorize

N_BLOCKS, N_DOCUMENTS, N_TERMS, N_TOPICS = 4, 5_000, 2_000, 8
N_WORDS = 60  # of a document


@delayed
def make_block(b):
    """Return the counts of terms in some documents, each of two of the topics."""
    topics = np.random.default_rng(0).gamma(0.05, size=(N_TOPICS, N_TERMS))
    topics /= topics.sum(axis=1, keepdims=True)
    rng = np.random.default_rng(b + 1)
    mixtures = np.eye(N_TOPICS)[rng.integers(N_TOPICS, size=(N_DOCUMENTS, 2))].mean(axis=1)
    counts = [rng.multinomial(N_WORDS, mixture @ topics) for mixture in mixtures]
    return sp.csr_array(np.array(counts, np.float32))


@delayed
def take_roots(counts):
    """Return the roots of counts, which tame the frequent terms."""
    return np.sqrt(counts)


# %%
# The same factorization twice
# ----------------------------
# The first run is undisturbed. In the second, a worker is killed after six iterations. Another one
# makes its blocks again, and computes its part of W from the beginning: the result is the same.


def main():
    """Factorize twice, once with a worker killed; print how that ended."""
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=":0",
            silence_logs="CRITICAL",
        ) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip
        client.wait_for_workers(2)
        counts = [make_block(b) for b in range(N_BLOCKS)]
        roots = [take_roots(block) for block in counts]

        def kill_one(state):
            if state.n_iter == 6:
                os.kill(min(client.run(os.getpid).values()), signal.SIGKILL)

        options = {"random_state": 0, "max_iter": 15}
        calm = factorize(roots, N_TOPICS, **options)
        killed = factorize(roots, N_TOPICS, progress=kill_one, **options)
        print(f"W is {calm.W.shape[0]:,} x {calm.W.shape[1]}, in {calm.W.numblocks[0]} blocks")
        for name, model in (("undisturbed", calm), ("a worker killed", killed)):
            print(f"{name}: relative error {model.error / model.x_norm:.6f}")
        model = killed.to_factorization()
        for terms in model.top_terms([f"term{j}" for j in range(N_TERMS)], 5):
            print("  " + " ".join(terms))
        factorize_counts(counts)


# %%
# Counts
# ------
# Kullback-Leibler takes the counts as they are. This process computes the start from a twentieth of
# the documents, which the workers send.


def factorize_counts(counts):
    """Factorize counts; print how well that fits them."""
    start = NNDSVD(fill="mean", sample=0.05)
    model = factorize(
        counts, N_TOPICS, loss="kullback-leibler", init=start, random_state=0, max_iter=15
    )
    divergence = model.objective_history[-1] / (N_BLOCKS * N_DOCUMENTS * N_WORDS)
    print(f"counts: a divergence of {divergence:.4f} for each word")


# %%
# Workers are new processes that import this file, so that nothing may run when it is imported.

if __name__ == "__main__":
    main()
