"""Fit and transform in all ways, again and again: does anything grow?

    python -m tests.tools.soak 300      # seconds

Prints, every few hundred calls, resident memory, threads and open files; ends with 1 if they
have grown since the first round trip through all kinds (memory: by more than 5 MB an hour
would be, with a floor of 30 MB).
"""

import gc
import os
import pickle
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import scipy.sparse as sp

import sparsenmf
from sparsenmf import factorize

from ..children import make_matrix
from ..grouped import grouped

SOLVERS = [
    ("cd", "frobenius"),
    ("mu", "frobenius"),
    ("cd", "kullback-leibler"),
    ("mu", "kullback-leibler"),
    ("mu", 1.5),
]

SLACK = 30  # megabytes that an allocator may keep


def kinds(folder):
    """Functions of a seed, each a fit of another kind and a transform."""
    matrices = [make_matrix().astype(dtype) for dtype in (np.float32, np.float64)]
    store = sparsenmf.write_csr(folder / "store", [matrices[0]], shard_nnz=5000)

    def plain(seed, X, **options):
        options = {"max_iter": 3, "tol": 0, "n_threads": 1 + seed % 2, **options}
        model = factorize(X, 5 + seed % 20, random_state=seed, **grouped(options))
        assert np.isfinite(model.transform(X, n_threads=options["n_threads"])).all()
        return model

    def saved(seed):
        model = plain(seed, matrices[0])
        model.save(folder / "model.npz")
        again = sparsenmf.Factorization.load(folder / "model.npz")
        assert again.H.tobytes() == pickle.loads(pickle.dumps(model)).H.tobytes()

    def batches(seed, loss):
        estimator = sparsenmf.MiniBatchNMF(6, beta_loss=loss, batch_size=200, random_state=seed)
        for start in range(0, 600, 200):
            estimator.partial_fit(matrices[0][start : start + 200])
        estimator.transform(matrices[0])

    def refused(seed):
        try:
            factorize(-matrices[0], 5)
        except ValueError:
            return
        raise AssertionError("negative values were accepted")

    def in_thread(seed):
        thread = threading.Thread(target=plain, args=(seed, matrices[0]))
        thread.start()
        thread.join()

    def interrupted(seed):
        def stop(state):
            if state.n_iter == 2:
                raise KeyboardInterrupt

        assert plain(seed, matrices[0], progress=stop).stop_reason == "interrupted"

    for X in matrices:
        for solver, loss in SOLVERS:
            yield lambda seed, X=X, s=solver, b=loss: plain(seed, X, solver=s, loss=b)
        yield lambda seed, X=X: plain(seed, X, init="nndsvd")
        yield lambda seed, X=X: plain(seed, X, low_memory=True, alpha_W=1e-3)
        yield lambda seed, X=X: plain(seed, sp.coo_array(X), sample_weight=np.arange(600))
    yield lambda seed: plain(seed, store)
    yield lambda seed: plain(seed, sparsenmf.open_csr(folder / "store"))
    yield lambda seed: plain(seed, store, W_path=folder / "W.npy")
    yield lambda seed: plain(seed, matrices[0], checkpoint=folder / "run.npz", checkpoint_every=1)
    yield from (saved, refused, in_thread, interrupted)
    yield lambda seed: batches(seed, "frobenius")
    yield lambda seed: batches(seed, "kullback-leibler")


def usage():
    """Resident megabytes, threads of the process, open files."""
    gc.collect()
    lines = Path("/proc/self/status").read_text().splitlines()
    status = dict(line.split(":", 1) for line in lines)
    resident = int(status["VmRSS"].split()[0]) / 1024
    return resident, int(status["Threads"]), len(os.listdir("/proc/self/fd"))


def main(seconds):
    """Run for so many seconds; return whether nothing has grown."""
    from sparsenmf.solvers import blocks

    blocks.BLOCK_NNZ = 5000  # stores in several blocks, with one read ahead
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        calls, ways = 0, list(kinds(Path(folder)))
        ended, first = 0.0, None
        while time.monotonic() < ended or first is None:
            for _ in range(10):
                for way in ways:
                    way(calls)
                    calls += 1
            now = usage()
            if first is None:
                first, ended = now, time.monotonic() + seconds
            print(
                f"{calls:6d} calls: {now[0]:.0f} MB, {now[1]} threads, {now[2]} files", flush=True
            )
    return now[0] <= first[0] + SLACK and now[1:] <= first[1:]


if __name__ == "__main__":
    sys.exit(0 if main(float(sys.argv[1])) else 1)
