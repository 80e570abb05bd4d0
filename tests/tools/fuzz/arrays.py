"""Matrices in memory whose arrays are not what they should be."""

import copy
import math

import numpy as np
import scipy.sparse as sp

from sparsenmf import factorize
from sparsenmf.data.validation import check_matrix, check_weighted

from ... import reference
from ...grouped import grouped
from .cases import attempt, case, check, check_canonical, check_factors, often, pick
from .drawing import (
    DTYPES,
    ODD_DTYPES,
    corrupt,
    dense_slowly,
    draw_dense,
    draw_sparse,
    read_slowly,
    same,
    snapshot,
    twist,
)


@case
def sparse(rng, folder):
    """`check_matrix` of sparse matrices."""
    X = draw_sparse(rng)
    if often(rng, 0.7):
        X = corrupt(rng, X)
    expected, before = dense_slowly(X), snapshot(X)
    done, found = attempt(lambda: check_matrix(X), "X ")
    check(snapshot(X) == before, "the caller's arrays were written to")
    if not done:
        return "refused"
    check(expected is not None, "accepted", X.format, before)
    check_canonical(found)
    check(same(found.toarray(), expected), found.toarray(), expected)
    check(found.nnz == 0 or found.data.min() > 0, "a stored zero")
    return "right"


@case
def dense(rng, folder):
    """`check_matrix` of what may be a dense matrix."""
    X = draw_dense(rng)
    with np.errstate(all="ignore"):
        X = X.astype(pick(rng, (*DTYPES, *ODD_DTYPES)))
    for _ in range(int(rng.integers(0, 3))):
        X = twist(rng, X)
    if often(rng, 0.1):
        X = pick(
            rng,
            (
                X.tolist(),
                np.asarray(X)[None],
                X.T,
                None,
                "X",
                3,
                {},
                [[1], [1, 2]],
                [],
                np.matrix([1]),
            ),
        )
    before = repr(X)
    done, found = attempt(lambda: check_matrix(X), "X ")
    check(repr(X) == before, "the caller's array was written to")
    if not done:
        return "refused"
    check(not np.ma.isMaskedArray(X), "a masked array was accepted")
    expected = np.asarray(X)
    check(expected.ndim == 2 and expected.size > 0, "accepted", before)
    expected = expected.astype(float)
    check(np.isfinite(expected).all() and (expected >= 0).all(), "accepted", before)
    check_canonical(found)
    check(same(found.toarray(), expected), found.toarray(), expected)
    return "right"


@case
def entries(rng, folder):
    """`check_weighted`: weights, and entries that are unknown."""
    X, missing = (
        draw_sparse(rng, often(rng, 0.5)),
        pick(rng, ("zero", "unknown", "unknown", "none")),
    )
    weights = None
    if often(rng, 0.7):
        weights = copy.deepcopy(X)
        if weights.format not in ("lil", "dok"):
            weights.data = rng.integers(0, 5, weights.data.shape) / 2
        if often(rng, 0.4):
            weights = corrupt(rng, weights)
    if often(rng, 0.4):
        X = corrupt(rng, X)
    values, counts = (None if Y is None else sums_of(Y) for Y in (X, weights))
    names = ("X ", "weights ", "missing ")
    done, result = attempt(lambda: check_weighted(X, weights, missing), *names)
    if not done:
        return "refused"
    check(values is not None and (weights is None or counts is not None), "accepted")
    found, extra = result
    check_canonical(found)
    stored = sp.coo_array(found)
    pairs = {(i, j): x for i, j, x in zip(stored.row, stored.col, found.data, strict=True)}
    plain = weights is None and missing == "zero"
    for place, x in values.items():
        v = 1.0 if weights is None else counts[place]
        there = x != 0 if plain else not np.isnan(x) and (v > 0 or missing != "unknown")
        check((place in pairs) == there, place, x, v, pairs)
        check(not there or math.isclose(pairs[place], x, rel_tol=1e-6), place, x, pairs)
    check(len(pairs) <= len(values), pairs, values)
    check((extra.weights is None) == (weights is None), extra)
    if weights is not None:
        check(extra.weights.shape == found.data.shape and (extra.weights >= 0).all(), extra)
        for i, j, v in zip(stored.row, stored.col, extra.weights, strict=True):
            check(math.isclose(v, counts[i, j], rel_tol=1e-6), v, counts[i, j])
    return "right"


def sums_of(X):
    """Return the stored values by place, summed; None if there are none."""
    try:
        sums = {}
        for i, j, x in read_slowly(X):
            if not (0 <= i < X.shape[0] and 0 <= j < X.shape[1]):
                return None
            sums[i, j] = sums.get((i, j), 0.0) + float(x)
    except (IndexError, TypeError, ValueError, OverflowError):
        return None
    return sums


LOSSES = ({}, {}, {"loss": "kullback-leibler"}, {"solver": "mu"}, {"loss": 1.5}, {"loss": 0.5})

OPTIONS = {
    "init": ("random", "nndsvd", "nndsvda", "nndsvdar", "other"),
    "alpha_W": (0.0, 1e-3, 1e30, -1.0, np.nan),
    "alpha_H": ("same", 0.0, 1.0, "more"),
    "l1_ratio": (0.0, 0.5, 1.0, 2.0),
    "tol": (0, 1e-4, 1e300, -1, "low"),
    "low_memory": (True, False, 1),
    "sample_weight": ([1.0], [], [-1.0], None, "x", [[1.0]], np.ones(4), [0.0, 1.0, 2.0]),
    "dtype": ("f4",),
    "random_state": (0, 2**64, -1, "seed"),
    "W": (np.ones((3, 1)), np.full((4, 1), np.nan), "W", sp.eye_array(3)),
}


@case
def fit(rng, folder):
    """`factorize` and `transform`: the factors are finite, and their objective is theirs."""
    X = draw_sparse(rng, often(rng, 0.3))
    if often(rng, 0.15):
        X = corrupt(rng, X)
    expected, before = dense_slowly(X), snapshot(X)
    n_components = int(rng.integers(1, 4)) if often(rng, 0.9) else pick(rng, (0, -1, 2.0, "2", 99))
    options = {
        "random_state": 0,
        "max_iter": 3,
        "n_threads": int(rng.integers(1, 3)),
        **pick(rng, LOSSES),
    }
    plain = often(rng, 0.6)
    if not plain:
        name = pick(rng, list(OPTIONS))
        options[name] = pick(rng, OPTIONS[name])
    names = (
        "X ",
        *OPTIONS,
        "weights",
        "n_components",
        "loss",
        "beta",
        "stored zeros",
        "argument",
        "solver",
    )
    done, model = attempt(lambda: factorize(X, n_components, **grouped(options)), *names)
    check(snapshot(X) == before, "the caller's arrays were written to")
    if not done:
        return "refused"
    check(expected is not None, "accepted", X.format, before)
    check_factors(model, X.shape, n_components)
    if plain and (model.beta in (1, 2) or even(expected)):
        beta = model.beta
        objective = reference.divergence(
            expected, model.W.astype(float), model.H.astype(float), beta
        )
        scale = objective_scale(expected, beta)
        error = abs(model.objective - objective)
        check(
            error <= (1e-3 if model.W.dtype == np.float32 else 1e-8) * scale,
            model.objective,
            objective,
        )
    transform_more(rng, model, X)
    return "right"


def transform_more(rng, model, X):
    """Give a model what it has seen, or that at another scale."""
    if often(rng, 0.5):
        X = sp.csr_array(dense_slowly(X) * pick(rng, (1e-300, 1e-44, 1e-12, 1e20, 1e200)))
    options = {"n_threads": 1}
    done, W = attempt(lambda: model.transform(X, **options), "X ", "beta")
    check(not done or (np.isfinite(W).all() and (W >= 0).all()), W)
    done, loss = attempt(lambda: model.loss(X, **options), "X ", "beta")
    check(not done or (np.isfinite(loss) and loss >= 0), loss)


def even(X):
    """Tell whether values are of about one size: else some products are below `Loss.floor`."""
    return X.max() == 0 or X.max() < 1e4 * X[X > 0].min()


def objective_scale(X, beta):
    """Return the size of what is subtracted in an objective."""
    return float((X**2).sum() if beta == 2 else X.size * max(X.max(), 1e-300) ** beta * 50) + 1e-30


@case
def observed(rng, folder):
    """`factorize` with weights and unknown entries: finite, and never higher than before."""
    X, options = draw_sparse(rng, often(rng, 0.3)), dict(pick(rng, LOSSES))
    missing = pick(rng, ("unknown", "zero"))
    if often(rng, 0.7) or missing == "zero":
        weights = (
            sp.csr_array(sp.coo_array(np.ones(X.shape))) if often(rng, 0.2) else copy.deepcopy(X)
        )
        if weights.format not in ("lil", "dok"):
            weights.data = rng.integers(0, 5, weights.data.shape) / pick(rng, (2, 2, 1e-30, 1e-12))
        options["weights"] = weights
    options |= {"missing": missing, "random_state": 0, "max_iter": 3, "n_threads": 1}
    names = (
        "X ",
        "weights",
        "missing",
        "stored zeros",
        "n_components",
        "loss",
        "beta",
        "factors overflow",
    )
    done, model = attempt(lambda: factorize(X, 1, **options), *names)
    if not done:
        return "refused"
    check_factors(model, X.shape, 1)
    history = model.objective_history
    check(np.isfinite(history).all(), history)
    check((np.diff(history) <= 1e-4 * abs(history[0]) + 1e-30).all(), history)
    return "right"


@case
def stream(rng, folder):
    """`MiniBatchNMF`: batches that may be anything."""
    from sparsenmf import MiniBatchNMF

    model = MiniBatchNMF(1, random_state=0, max_iter=2, batch_size=3, n_threads=1)
    width = None
    for _ in range(2):
        X = draw_sparse(rng, often(rng, 0.4))
        X = corrupt(rng, X) if often(rng, 0.3) else X
        learn = model.partial_fit if often(rng, 0.6) else model.fit
        expected = dense_slowly(X)
        done, _ = attempt(lambda X=X, learn=learn: learn(X), "X ", "features", "n_components")
        if not done:
            continue
        check(expected is not None, "accepted")
        width = X.shape[1]
        H = model.components_
        check(H.shape == (1, width) and np.isfinite(H).all() and (H >= 0).all(), H)
    if width is None:
        return "refused"
    done, W = attempt(lambda: model.transform(X), "X ", "features", "fitted")
    check(not done or (np.isfinite(W).all() and (W >= 0).all()), "transform")
    return "right"
