"""Time to the same objective: sparsenmf and its peers, side by side in one run.

    python asv_bench/compare.py --data 20newsgroups -k 20 50 --starts 5 --out results/compare

For each matrix, number of components and start, scikit-learn's coordinate descent runs
for 200 iterations. The objective to reach has 99.5% of the explained norm
(1 - ||X - WH||^2 / ||X||^2) it then has. For every solver the first number of iterations
whose *returned* factors reach it is found, judged by one float64 function that belongs to
none of them; then all solvers are timed in turn, doing just that many from the same start,
and the median of the repetitions is reported. Peers that take no start use their own.

Writes comparison.json, comparison.csv, and comparison.png (with matplotlib).
"""

import argparse
import csv
import importlib.metadata
import importlib.util
import json
import os
import platform
import statistics
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from benchmarks import datasets

REFERENCE = "scikit-learn"
STEP = 10  # iterations between the points at which a resumable peer is looked at first


def objective(X, W, H, chunk=8192):
    """1/2 ||X - W H||^2 in float64, by the entries of X; belongs to no solver."""
    W, H = W.astype(np.float64), H.astype(np.float64)
    total = float(np.sum(X.data.astype(np.float64) ** 2)) + np.sum((W.T @ W) * (H @ H.T))
    Ht = np.ascontiguousarray(H.T)
    for start in range(0, X.shape[0], chunk):
        part = X[start : start + chunk].astype(np.float64)
        total -= 2 * np.sum((part @ Ht) * W[start : start + chunk])
    return 0.5 * total


def run_sparsenmf(X, k, W, H, n_iter, threads):
    """All of `factorize`: checks, transpose, iterations, optimality, order."""
    import sparsenmf

    # A start of zeros means: none was asked for.
    start = {"W": W, "H": H} if W is not None else {"random_state": 0}
    model = sparsenmf.factorize(X, k, **start, tol=0, max_iter=n_iter, n_threads=threads)
    return model.W, model.H


def run_sklearn(X, k, W, H, n_iter, threads):
    """scikit-learn's coordinate descent."""
    from sklearn.decomposition import non_negative_factorization

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns whenever it stops at max_iter
        W, H, _ = non_negative_factorization(
            X, W=W.copy(), H=H.copy(), n_components=k, init="custom", tol=0, max_iter=n_iter
        )
    return W, H


def run_cmfrec(X, k, W, H, n_iter, threads):
    """cmfrec's alternating least squares with non-negativity, zeros as zeros."""
    from cmfrec import CMF

    model = CMF(
        k=k,
        lambda_=1e-6,
        nonneg=True,
        NA_as_zero=True,
        center=False,
        user_bias=False,
        item_bias=False,
        scale_lam=False,
        niter=n_iter,
        use_float=X.dtype == np.float32,
        nthreads=threads,
        random_state=0,
        verbose=False,
    )
    model.fit(sp.coo_matrix(X))
    return model.A_, model.B_.T


def run_gensim(X, k, W, H, n_iter, threads):
    """gensim's online NMF, one pass an iteration, on the documents as columns."""
    from gensim.models.nmf import Nmf

    names = dict(enumerate(map(str, range(X.shape[1]))))
    options = {"passes": n_iter, "chunksize": 2000, "random_state": 0, "eval_every": None}
    model = Nmf(sp.csc_matrix(X.T), num_topics=k, id2word=names, **options)
    H = model.get_topics()
    from sparsenmf import factorize

    # Its documents' weights come from the same least squares as ours, given its topics.
    fitted = factorize(X, k, H=H.astype(X.dtype), max_iter=1, tol=0)
    return fitted.transform(X), fitted.H


PEERS = {
    "sparsenmf": run_sparsenmf,
    REFERENCE: run_sklearn,
    "cmfrec": run_cmfrec,
    "gensim": run_gensim,
}
MODULES = {"sparsenmf": "sparsenmf", REFERENCE: "sklearn", "cmfrec": "cmfrec", "gensim": "gensim"}
PACKAGES = {"sparsenmf": "sparsenmf", REFERENCE: "scikit-learn"}


def available(peers):
    """Keep the peers that can be imported; say which cannot."""
    missing = [peer for peer in peers if importlib.util.find_spec(MODULES[peer]) is None]
    for peer in missing:
        print(f"left out: {peer} is not installed; the 'peers' extra has it", file=sys.stderr)
    return [peer for peer in peers if peer not in missing]


def trace(peer, X, k, W, H, threads, target, limit):
    """Return the objectives by number of iterations, as far as they were looked at."""
    seen = {}
    if peer == "sparsenmf":
        import sparsenmf

        def look(state):
            seen[state.n_iter] = objective(X, state.W, state.H)
            return seen[state.n_iter] <= target

        start = {"W": W, "H": H} if W is not None else {"random_state": 0}
        sparsenmf.factorize(X, k, **start, tol=0, max_iter=limit, n_threads=threads, callback=look)
    elif peer == REFERENCE:
        seen = resume(X, k, W, H, target, limit)
    else:
        n_iter = 1
        while n_iter <= limit:
            seen[n_iter] = objective(X, *PEERS[peer](X, k, W, H, n_iter, threads))
            if seen[n_iter] <= target:
                break
            n_iter = n_iter + max(1, n_iter // 3)
    return seen


def resume(X, k, W, H, target, limit):
    """Trace scikit-learn by starting it from its own last result."""
    seen, done = {}, 0
    while done < limit:
        before = W, H
        W, H = run_sklearn(X, k, W, H, STEP, None)
        if objective(X, W, H) <= target:
            W, H = before
            for n_iter in range(done + 1, done + STEP + 1):
                W, H = run_sklearn(X, k, W, H, 1, None)
                seen[n_iter] = objective(X, W, H)
                if seen[n_iter] <= target:
                    return seen
        done += STEP
        seen[done] = objective(X, W, H)
    return seen


def make_start(X, k, init, seed):
    """Return a start for all who take one; the same for NNDSVD whatever the seed."""
    if init == "random":
        rng = np.random.default_rng(seed)
        scale = np.sqrt(X.mean() / k)
        shapes = (X.shape[0], k), (k, X.shape[1])
        return tuple(np.abs(rng.standard_normal(s) * scale).astype(X.dtype) for s in shapes)
    from sklearn.decomposition._nmf import _initialize_nmf

    return _initialize_nmf(sp.csr_matrix(X), k, init=init, random_state=seed)


def compare(X, name, k, init, seed, peers, threads, limit, repeats):
    """Return one record for each peer, with its time to the common objective."""
    W, H = make_start(X, k, init, seed)
    half = 0.5 * float(np.sum(X.data.astype(np.float64) ** 2))
    started = time.perf_counter()
    final = objective(X, *run_sklearn(X, k, W, H, limit, threads))
    per_iteration = (time.perf_counter() - started) / limit
    target = half - 0.995 * (half - final)
    ours_final = objective(X, *run_sparsenmf(X, k, W, H, limit, threads))
    needed, curves = {}, {}
    for peer in peers:
        curves[peer] = trace(peer, X, k, W, H, threads, target, limit)
        reached = [n for n, value in curves[peer].items() if value <= target]
        needed[peer] = min(reached) if reached else None
    seconds = {peer: [] for peer in peers}
    for _ in range(repeats):
        for peer in peers:  # in turn, so that a slow moment of the machine hits all
            if needed[peer] is not None:
                started = time.perf_counter()
                PEERS[peer](X, k, W, H, needed[peer], threads)
                seconds[peer].append(time.perf_counter() - started)
    return [
        {
            "data": name,
            "k": k,
            "init": init,
            "start": seed,
            "dtype": str(X.dtype),
            "threads": threads,
            "peer": peer,
            "iterations": needed[peer],
            "seconds": statistics.median(seconds[peer]) if seconds[peer] else None,
            "target": target,
            "final_relative_to_reference": ours_final / final if peer == "sparsenmf" else None,
            "reference_seconds_per_iteration": per_iteration,
            "curve": {str(n): value / half for n, value in curves[peer].items()},
        }
        for peer in peers
    ]


def summarize(records, peers):
    """Print, for each matrix and k, how many times longer each peer takes than sparsenmf."""
    groups = {}
    for record in records:
        key = (record["data"], record["k"], record["init"], record["dtype"], record["threads"])
        groups.setdefault(key, {}).setdefault(record["start"], {})[record["peer"]] = record
    header = f"{'data':<18}{'k':>4} {'init':<8}{'dtype':<8}{'threads':>7}{'ours, s':>9}"
    print(header + "".join(f"{peer:>14}" for peer in peers[1:]) + f"{'reached':>9}{'final':>9}")
    for (data, k, init, dtype, threads), starts in groups.items():
        ours = [start["sparsenmf"] for start in starts.values()]
        own = [record["seconds"] or float("inf") for record in ours]
        line = f"{data:<18}{k:>4} {init:<8}{dtype:<8}{threads:>7}{statistics.median(own):>9.3f}"
        for peer in peers[1:]:
            ratios = []
            for start in starts.values():
                theirs, mine = start[peer]["seconds"], start["sparsenmf"]["seconds"]
                # A start from which ours never gets there counts as zero.
                ratios.append(0.0 if mine is None else (theirs or float("inf")) / mine)
            line += f"{statistics.median(ratios):>13.1f}x"
        reached = sum(record["seconds"] is not None for record in ours)
        final = statistics.median(record["final_relative_to_reference"] for record in ours)
        print(line + f"{reached:>6}/{len(ours)}{100 * (final - 1):>+8.2f}%")


def describe_run(peers):
    """Return the command, versions and machine."""
    versions = {"numba": importlib.metadata.version("numba"), "numpy": np.__version__}
    for peer in peers:
        versions[peer] = importlib.metadata.version(PACKAGES.get(peer, peer))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "command": " ".join(["python", *map(str, sys.argv)]),
        "versions": versions,
        "machine": {"processor": processor(), "cores": cores, "python": platform.python_version()},
    }


def processor():
    """Return the processor's name and its widest vector instructions, where they are told."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    name = next((line.split(": ")[1] for line in lines if line.startswith("model name")), "?")
    flags = next((line for line in lines if line.startswith("flags")), "")
    return name + next((f", {f}" for f in ("avx512f", "avx2") if f in flags), "")


def plot(records, path):
    """Draw the relative squared error against time for the first start of each panel."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError as error:
        print(f"no picture: {error}; install the 'peers' extra", file=sys.stderr)
        return
    first = [record for record in records if record["start"] == records[0]["start"]]
    panels = sorted({(record["data"], record["k"]) for record in first})
    figure, axes = pyplot.subplots(
        1, len(panels), figsize=(4.5 * len(panels), 3.6), squeeze=False, layout="constrained"
    )
    for axis, (data, k) in zip(axes[0], panels, strict=True):
        for record in first:
            if (record["data"], record["k"]) == (data, k) and record["seconds"]:
                n_iter = np.array([int(n) for n in record["curve"]])
                seconds = n_iter * record["seconds"] / record["iterations"]
                axis.plot(seconds, list(record["curve"].values()), ".-", label=record["peer"])
        axis.set(title=f"{data}, k = {k}", xlabel="seconds", xscale="log")
    axes[0][0].set_ylabel(r"$\|X - WH\|^2 / \|X\|^2$")
    axes[0][-1].legend(frameon=False)
    figure.savefig(path, dpi=150)


def main():
    """Run the comparison that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=["medium"], help="names of datasets.py")
    parser.add_argument("-k", nargs="+", type=int, default=[20])
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--init", default="random", choices=("random", "nndsvd", "nndsvda"))
    parser.add_argument("--dtype", default="float32", choices=("float32", "float64"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peers", nargs="*", default=[REFERENCE], choices=list(PEERS))
    parser.add_argument("--limit", type=int, default=200, help="iterations of the reference")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--out", type=Path, help="folder for the json, csv and png")
    options = parser.parse_args()
    peers = available(["sparsenmf", *(p for p in options.peers if p != "sparsenmf")])
    records = []
    for name in options.data:
        X = datasets.load(name, options.dtype)
        # First calls compile; that is measured elsewhere (benchmarks/startup.py).
        run_sparsenmf(X[:2000], 5, None, None, 2, options.threads)
        print(f"{name}: {X.shape[0]:,} x {X.shape[1]:,}, {X.nnz:,} nonzeros", file=sys.stderr)
        for k in options.k:
            for seed in range(options.starts if options.init == "random" else 1):
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
                )
                shown = {r["peer"]: (r["iterations"], r["seconds"]) for r in records[-len(peers) :]}
                print(f"  k = {k}, start {seed}: {shown}", file=sys.stderr)
    summarize(records, peers)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        run = describe_run(peers)
        (options.out / "comparison.json").write_text(json.dumps({"run": run, "records": records}))
        with open(options.out / "comparison.csv", "w", newline="") as file:
            fields = [field for field in records[0] if field != "curve"]
            writer = csv.DictWriter(file, fields, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(records)
        plot(records, options.out / "comparison.png")


if __name__ == "__main__":
    main()
