"""Compare the times of MiniBatchNMF and scikit-learn's to the same objective, from batches.

    python asv_bench/streams.py --data 20newsgroups -k 50
    python asv_bench/streams.py --data texts -k 50 --passes 1 2 5

Both learn in turn from the same matrix in batches of 1024, with their own defaults otherwise. One
function judges their H: ||X - W H|| in float64, with the best W for that H. scikit-learn's value
after the passes that --passes asks for is the mark. Its time is compared with that of the fewest
of our passes that reach the mark.
"""

import argparse
import statistics
import time
import warnings

import numpy as np
from benchmarks import datasets

from sparsenmf import MiniBatchNMF, factorize

MOST = 10  # the most passes that ours may take to reach a mark


def relative_error(X, H):
    """Return ||X - W H|| / ||X|| at the best W, from gram matrices in float64."""
    model = factorize(
        X[: len(H)], len(H), H=np.ascontiguousarray(H, X.dtype), frozen_H=range(len(H))
    )
    W, H = model.transform(X), model.H.astype(float)
    cross = gram = 0.0
    for start in range(0, X.shape[0], 2**15):
        part = W[start : start + 2**15].astype(float)
        cross += np.sum((X[start : start + 2**15] @ H.T) * part)
        gram = gram + part.T @ part
    square = float(np.sum(X.data.astype(float) ** 2))
    return np.sqrt(max(square - 2 * cross + np.sum(gram * (H @ H.T)), 0.0) / square)


def timed(estimator, X):
    """Return seconds of a fit, and the error of its H."""
    time.sleep(0.3)  # for threads that are still spinning
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn says that it stopped at max_iter
        estimator.fit(X)
    return time.perf_counter() - started, relative_error(X, estimator.components_)


def main():
    """Run both sides in turn and print the ratios."""
    from sklearn.decomposition import MiniBatchNMF as Theirs

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="medium")
    parser.add_argument("-k", "--n-components", type=int, default=50)
    parser.add_argument("--passes", type=int, nargs="+", default=[1, 3, 10])
    parser.add_argument("--starts", type=int, default=3)
    args = parser.parse_args()
    X = datasets.load(args.data, np.float32)
    print(f"{args.data}: {X.shape[0]:,} x {X.shape[1]:,}, {X.nnz:,} nonzeros, float32")
    options = {"init": "random", "tol": 0, "max_no_improvement": None}
    MiniBatchNMF(args.n_components, max_iter=1, **options).fit(X[:4096])  # compile
    for passes in args.passes:
        ratios = []
        for seed in range(args.starts):
            options["random_state"] = seed
            theirs = Theirs(args.n_components, max_iter=passes, **options)
            seconds, mark = timed(theirs, X)
            for n in range(1, MOST + 1):
                ours, error = timed(MiniBatchNMF(args.n_components, max_iter=n, **options), X)
                if error <= mark:
                    break
            ratios.append(seconds / ours if error <= mark else 0.0)
            print(
                f"  start {seed}: scikit-learn {passes} passes, {seconds:.2f} s to {mark:.4f}; "
                f"ours {n}, {ours:.2f} s to {error:.4f}: {ratios[-1]:.1f}x",
                flush=True,
            )
        print(f"{passes:3d} passes: {statistics.median(ratios):.1f}x")


if __name__ == "__main__":
    main()
