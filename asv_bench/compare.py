"""Compare the times of sparsenmf and its peers to the same objective, side by side in one run.

    python asv_bench/compare.py --data 20newsgroups -k 20 50 --starts 5 --out mine.json

For each matrix, number of components and start, scikit-learn's coordinate descent runs for 200
iterations. The mark is 99.5% of the norm that it then explains, 1 - ||X - WH||^2 / ||X||^2. With
--loss kullback-leibler, on counts, the mark is the divergence that scikit-learn's multiplicative
updates have after 200 iterations.

For every solver, this script finds the first number of iterations whose *returned* factors reach
the mark, judged by one float64 function that belongs to no solver. Then it times all solvers in
turn, with just that many iterations from the same start, and reports the median of the
repetitions. Peers that take no start use their own. With --init default, whole default calls are
compared: each solver makes its own start (scikit-learn's is nndsvda) by --starts seeds, and the
start's time counts.

The 200 iterations take most of the time. --references keeps their results in a file. --quick
replaces them by our own plain iterates, which are the same up to rounding, and confirms that what
scikit-learn returns is at the mark.

--out keeps everything in a JSON file. `tables.py` makes the tables and the figure of the READMEs
from the files in `measured/`.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from benchmarks import datasets
from judge import objective
from peers import LOSSES, PACKAGES, PEERS, REFERENCE, Start, available, ours, run_sparsenmf
from references import References, confirm
from tables import comparison_table

INITS = ("random", "nndsvd", "nndsvda", "default")

PAUSE = 0.15  # seconds to wait before timing: BLAS threads of the solver before spin for 0.1


def trace(peer, X, k, start, threads, target, limit, loss):
    """Return the objectives by number of iterations, for those numbers that were tried."""
    seen = {}
    if peer == "sparsenmf":
        import sparsenmf

        def look(state):
            seen[state.n_iter] = objective(X, state.W, state.H, loss)
            return seen[state.n_iter] <= target

        options = {"tol": 0, "max_iter": limit, "n_threads": threads, "loss": loss}
        sparsenmf.factorize(X, k, **options, **ours(start), progress=look)
    else:
        # Peers that cannot be resumed: double the number of iterations, then bisect.
        def reaches(n_iter):
            seen[n_iter] = objective(X, *PEERS[peer](X, k, start, n_iter, threads, loss), loss)
            return seen[n_iter] <= target

        below, n_iter = 0, 1
        while not reaches(n_iter):
            if n_iter >= limit:
                return seen
            below, n_iter = n_iter, min(2 * n_iter, limit)
        while n_iter - below > 1:
            middle = (below + n_iter) // 2
            below, n_iter = (below, middle) if reaches(middle) else (middle, n_iter)
    return seen


def take_memory(X, k):
    """Allocate memory before the clock starts, the same for all solvers.

    A virtual machine may return memory to its host after two seconds without use, and getting it
    back takes a second for each gigabyte. Without this, the solver after a slow one would pay.
    """
    np.ones(4 * k * sum(X.shape) + 4 * X.nnz, X.dtype)


def wait():
    """Wait busily until the threads of the solver before have gone to sleep.

    If we slept instead, Linux might wake a second thread on the core of the first, which waits
    for it: any solver's call would then lose 6 to 8 ms at its beginning.
    """
    end = time.perf_counter() + PAUSE
    while time.perf_counter() < end:
        pass


def make_start(X, k, init, seed):
    """Return a start for all solvers that take one; NNDSVD does not depend on the seed."""
    if init == "default":
        return Start(seed=seed)
    if init == "random":
        rng = np.random.default_rng(seed)
        scale = np.sqrt(X.mean() / k)
        shapes = (X.shape[0], k), (k, X.shape[1])
        return Start(*(np.abs(rng.standard_normal(s) * scale).astype(X.dtype) for s in shapes))
    from sklearn.decomposition._nmf import _initialize_nmf

    return Start(*_initialize_nmf(sp.csr_matrix(X), k, init=init, random_state=seed))


def compare(X, name, k, init, seed, peers, threads, limit, repeats, references, loss):
    """Return one record for each peer, with its time to the common objective."""
    start = make_start(X, k, init, seed)
    whole = init == "default"
    key = (name, k, init, seed, X.dtype, *([] if loss == "frobenius" else [loss]))
    reference_start = make_start(X, k, "nndsvda", seed) if whole else start  # its default
    reference = references.find(key, X, k, reference_start, limit, loss)
    half, final, target = (reference[word] for word in ("half", "final", "target"))
    ours_final = objective(X, *run_sparsenmf(X, k, start, limit, threads, loss), loss)
    needed, curves = {}, {}
    for peer in peers:
        known = peer == REFERENCE
        curve = (
            reference["curve"] if known else trace(peer, X, k, start, threads, target, limit, loss)
        )
        curves[peer] = curve
        reached = [n for n, value in curve.items() if value <= target]
        needed[peer] = min(reached) if reached else None
    seconds = {peer: [] for peer in peers}
    for _ in range(repeats):
        for peer in peers:  # in turn, so that a slow moment of the machine hits all solvers
            if needed[peer] is not None:
                take_memory(X, k)
                wait()
                started = time.perf_counter()
                factors = PEERS[peer](X, k, start, needed[peer], threads, loss)
                seconds[peer].append(time.perf_counter() - started)
                if peer == REFERENCE and references.quick:
                    confirm(X, factors, target, loss)
                del factors
    return [
        {
            "data": name,
            "shape": X.shape,
            "nnz": int(X.nnz),
            "k": k,
            "init": init,
            "start": seed,
            "dtype": str(X.dtype),
            "loss": loss,
            "threads": threads,
            "peer": peer,
            "iterations": needed[peer],
            "seconds": statistics.median(seconds[peer]) if seconds[peer] else None,
            "target": target,
            "final_relative_to_reference": ours_final / final if peer == "sparsenmf" else None,
            "curve": {str(n): value / half for n, value in curves[peer].items()},
        }
        for peer in peers
    ]


def describe_run(peers):
    """Return the command, the commit, the day, versions and machine."""
    versions = {package: importlib.metadata.version(package) for package in ("numba", "numpy")}
    for peer in peers:
        versions[peer] = importlib.metadata.version(PACKAGES.get(peer, peer))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "command": " ".join(["python", *map(str, sys.argv)]),
        "commit": commit(),
        "date": datetime.date.today().isoformat(),
        "versions": versions,
        "machine": {"processor": processor(), "cores": cores, "python": platform.python_version()},
    }


def commit():
    """Return the commit of this checkout, with a + if there are changes; "" outside of git."""
    git = ["git", "-C", Path(__file__).parent]
    try:
        head = subprocess.check_output([*git, "rev-parse", "--short", "HEAD"], text=True).strip()
        changes = subprocess.check_output([*git, "status", "--porcelain", "../sparsenmf"])
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head + "+" * bool(changes)


def processor():
    """Return the processor's name and its widest vector instructions, as far as known."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    name = next((line.split(": ")[1] for line in lines if line.startswith("model name")), "?")
    flags = next((line for line in lines if line.startswith("flags")), "")
    return name + next((f", {f}" for f in ("avx512f", "avx2") if f in flags), "")


def main():
    """Run the comparison that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=["medium"], help="names of datasets.py")
    parser.add_argument("-k", nargs="+", type=int, default=[20])
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--init", default="random", choices=INITS)
    parser.add_argument("--dtype", default="float32", choices=("float32", "float64"))
    parser.add_argument("--loss", default="frobenius", choices=list(LOSSES))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peers", nargs="*", default=[REFERENCE], choices=list(PEERS))
    parser.add_argument("--limit", type=int, default=200, help="iterations of the reference")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--references", type=Path, help="file to keep the reference's ends in")
    parser.add_argument("--quick", action="store_true", help="let ours find the reference's ends")
    parser.add_argument("--out", type=Path, help="JSON file to keep the results in")
    options = parser.parse_args()
    wrong = [peer for peer in options.peers if peer not in LOSSES[options.loss]]
    if wrong:
        parser.error(f"{', '.join(wrong)}: not for --loss {options.loss}")
    if options.quick and options.loss != "frobenius":
        parser.error("--quick is for --loss frobenius: there is none of ours that does the same")
    if options.init == "default" and "minibatch" in options.peers:
        parser.error("minibatch is for a start that is given: not with --init default")
    if options.quick and options.references:
        parser.error("--references holds scikit-learn's own iterations: not with --quick")
    peers = available(["sparsenmf", *(p for p in options.peers if p != "sparsenmf")])
    records, references = [], References(options.references, quick=options.quick)
    for name in options.data:
        weigh = options.loss == "frobenius"  # tf-idf; the divergence is for counts
        X = datasets.load(name, options.dtype, weigh=weigh)
        # First calls compile; that is measured elsewhere (benchmarks/startup.py).
        run_sparsenmf(X[:2000], 5, Start(), 2, options.threads, options.loss)
        print(f"{name}: {X.shape[0]:,} x {X.shape[1]:,}, {X.nnz:,} nonzeros", file=sys.stderr)
        for k in options.k:
            for seed in range(options.starts if options.init in ("random", "default") else 1):
                records += compare(
                    X,
                    name,
                    k,
                    options.init,
                    seed,
                    peers,
                    options.threads,
                    options.limit,
                    options.repeats,
                    references,
                    options.loss,
                )
                shown = {r["peer"]: (r["iterations"], r["seconds"]) for r in records[-len(peers) :]}
                print(f"  k = {k}, start {seed}: {shown}", file=sys.stderr)
    results = {"run": describe_run(peers), "records": records}
    print(comparison_table(results))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(results))


if __name__ == "__main__":
    main()
