"""The peers of `compare.py`: each runs a number of iterations and returns W and H.

    run(X, k, start, n_iter, threads, loss) -> (W, H)

`LOSSES` says who minimises what.
"""

import importlib.util
import sys
import warnings
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

REFERENCE = "scikit-learn"


class Start(NamedTuple):
    """Where a run starts: given factors, which are not written to, or the package's default."""

    W: Any = None
    H: Any = None
    seed: int = 0


def run_sparsenmf(X, k, start, n_iter, threads, loss):
    """All of `factorize`: checks, transpose, iterations, optimality, order."""
    import sparsenmf

    options = {"tol": 0, "max_iter": n_iter, "n_threads": threads, "loss": loss}
    model = sparsenmf.factorize(X, k, **options, **ours(start))
    return model.W, model.H


def ours(start):
    """Return the arguments of `factorize` for a start."""
    return {"random_state": start.seed} if start.W is None else {"W": start.W, "H": start.H}


def run_sklearn(X, k, start, n_iter, threads, loss):
    """scikit-learn's coordinate descent, or multiplicative updates where it has only those."""
    from sklearn.decomposition import non_negative_factorization

    solver = "cd" if loss == "frobenius" else "mu"
    options = {"tol": 0, "max_iter": n_iter, "solver": solver, "beta_loss": loss}
    if start.W is None:
        options |= {"random_state": start.seed}
    else:
        options |= {"init": "custom", "W": start.W.copy(), "H": start.H.copy()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns whenever it stops at max_iter
        W, H, _ = non_negative_factorization(X, n_components=k, **options)
    return W, H


def run_poismf(X, k, start, n_iter, threads, loss):
    """poismf's truncated Newton, with hardly any regularization; it takes no start."""
    from poismf import PoisMF

    options = {"method": "tncg", "l2_reg": 1e-6, "l1_reg": 0.0, "reindex": False}
    use_float = X.dtype == np.float32
    model = PoisMF(
        k, niter=n_iter, nthreads=threads, use_float=use_float, random_state=0, **options
    )
    model.fit(sp.coo_matrix(X))
    return np.asarray(model.A), np.asarray(model.B).T


def run_cmfrec(X, k, start, n_iter, threads, loss):
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


def run_gensim(X, k, start, n_iter, threads, loss):
    """gensim's online NMF, one pass an iteration, on the documents as columns."""
    from gensim.models.nmf import Nmf

    names = dict(enumerate(map(str, range(X.shape[1]))))
    options = {"passes": n_iter, "chunksize": 2000, "random_state": 0, "eval_every": None}
    model = Nmf(sp.csc_matrix(X.T), num_topics=k, id2word=names, **options)
    H = model.get_topics()
    from sparsenmf import factorize

    # Given its topics, W comes from the same least squares as ours.
    fitted = factorize(X, k, H=H.astype(X.dtype), max_iter=1, tol=0)
    return fitted.transform(X), fitted.H


def run_minibatch(X, k, start, n_iter, threads, loss):
    """scikit-learn's online multiplicative updates, one pass over the rows an iteration."""
    from sklearn.decomposition import MiniBatchNMF

    options = {"init": "custom", "tol": 0, "max_no_improvement": None, "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MiniBatchNMF(k, max_iter=n_iter, **options)
        W = model.fit_transform(X, W=start.W.copy(), H=start.H.copy())
    return W, model.components_


PEERS = {
    "sparsenmf": run_sparsenmf,
    REFERENCE: run_sklearn,
    "minibatch": run_minibatch,
    "cmfrec": run_cmfrec,
    "gensim": run_gensim,
    "poismf": run_poismf,
}
LOSSES = {
    "frobenius": ("sparsenmf", REFERENCE, "minibatch", "cmfrec", "gensim"),
    "kullback-leibler": ("sparsenmf", REFERENCE, "poismf"),
}
MODULES = {REFERENCE: "sklearn", "minibatch": "sklearn"}
PACKAGES = {"minibatch": REFERENCE}


def available(peers):
    """Return the peers that can be imported; print which cannot."""
    missing = [peer for peer in peers if importlib.util.find_spec(MODULES.get(peer, peer)) is None]
    for peer in missing:
        print(f"left out: {peer} is not installed; the 'peers' extra has it", file=sys.stderr)
    return [peer for peer in peers if peer not in missing]
