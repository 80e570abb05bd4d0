"""Rows that `transform` solves, and their loss, beside nnls, L-BFGS and definitions."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize, nnls

from sparsenmf import factorize, open_csr, write_csr
from sparsenmf.models.components import Components

EPSILON = float(np.finfo(np.float32).eps)


def divergence(x, y, beta):
    """The beta divergence of x from y, entry by entry, from its definition."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    if beta == 2:
        return 0.5 * (x - y) ** 2
    there = np.where(x > 0, x, 1.0)
    y_there = np.where(x > 0, y, 1.0)
    if beta == 1:
        return np.where(x > 0, there * np.log(there / y_there) - x + y, y)
    if beta == 0:
        return x / y - np.log(x / y) - 1
    mixed = np.where(x > 0, beta * x * y_there ** (beta - 1), 0.0)
    return (x**beta + (beta - 1) * y**beta - mixed) / (beta * (beta - 1))


def problem(kind, dtype, rng, k=5, m=50, n=30):
    """Return an H of the kind's conditioning, and an X near its cone."""
    H = rng.random((k, m))
    if "alike" in kind:
        H = H[:1] + 0.04 * H  # cosines of .999
    X = (rng.random((n, k)) < 0.6) * rng.random((n, k)) @ H + 0.1 * rng.random((n, m))
    X *= rng.random((n, m)) < 0.7
    if "gene" in kind:
        H[:, 3], X[:, 3] = 1e5 * H[:, 3], 1e5 * X[:, 3]
    if "holes" in kind:
        H *= rng.random(H.shape) < 0.5
    if "gap" in kind:
        H[2], H[:, 7] = 0, 0
    return H.astype(dtype), X.astype(dtype)


KINDS = ["plain", "alike", "gene", "gene alike", "gap", "gap gene"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("entries", ["plain", "weights", "unknown"])
def test_least_squares_are_those_of_nnls(kind, dtype, entries, rng):
    H, X = problem(kind, dtype, rng)
    S, V, weights = sp.csr_array(X), np.ones(X.shape), None
    if entries == "unknown":
        V = (X > 0).astype(float)
    if entries == "weights":
        weights = sp.csr_array((rng.random(S.nnz).astype(dtype), S.indices, S.indptr), S.shape)
        weights.data[rng.random(S.nnz) < 0.2] = 0
        V = np.where(X > 0, weights.toarray(), 1.0)
    model = Components(H=H, options={"missing": "unknown" if entries == "unknown" else "zero"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        W = model.transform(S, weights=weights)
    wide = H.astype(float)
    roots = np.sqrt(V)
    best = np.array(
        [nnls(v[:, None] * wide.T, v * x)[0] for v, x in zip(roots, X.astype(float), strict=True)]
    )
    ours, theirs = (
        (V * divergence(X, factor.astype(float) @ wide, 2)).sum(axis=1)
        for factor in (W, best.astype(dtype))
    )
    # Theirs, rounded to single precision, is the best that can be expected.
    slack = 1e-9 if dtype == np.float64 else 1e-3 if "gene" in kind else 1e-6
    assert (ours <= theirs * (1 + slack) + 1e-12 * (X[:, 4:].astype(float) ** 2).sum(axis=1)).all()
    assert W[:, 2].max() == 0 or "gap" not in kind
    assert model.loss(S, weights=weights) == pytest.approx(ours.sum(), rel=1e-10)


@pytest.mark.parametrize("beta", [1, 1.5, 1.2])
@pytest.mark.parametrize("kind", ["plain", "alike", "gene", "holes"])
@pytest.mark.parametrize("entries", ["plain", "unknown", "weights"])
def test_other_convex_losses_are_at_their_lowest(beta, kind, entries, rng):
    H, X = problem(kind, float, rng, k=4, m=25, n=8)
    alpha, unknown = 0.002, entries == "unknown"
    options = {"loss": beta, "alpha_W": alpha, "l1_ratio": 0.5, "missing": "zero"}
    if unknown:
        options["missing"] = "unknown"
    S, weights = sp.csr_array(X), None
    weight, V = alpha * X.shape[1] / 2, np.where(unknown & (X == 0), 0.0, 1.0)
    if entries == "weights":
        weights = sp.csr_array((rng.integers(0, 3, S.nnz) / 2, S.indices, S.indptr), S.shape)
        V[X > 0] = weights.toarray()[X > 0]
        S.data[::7] = 0  # stored zeros are entries like others
        X = S.toarray()
    W = Components(H=H, options=options).transform(S, weights=weights)

    def objective(w, x, v):
        y = np.maximum(w @ H, 1e-60)
        slope = np.where(x > 0, y ** (beta - 1) - x * y ** (beta - 2), y ** (beta - 1))
        value = (v * divergence(x, y, beta)).sum() + weight * (w.sum() + w @ w / 2)
        return value, (v * slope) @ H.T + weight * (1 + w)

    for w, x, v in zip(W, X, V, strict=True):
        found = [
            minimize(
                objective, start, (x, v), jac=True, bounds=[(0, None)] * len(w), method="L-BFGS-B",
                options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 3000},
            ).fun
            for start in (w + 0.1, w + 1e-6)
        ]  # fmt: skip
        rounding = 2e-15 * (x**beta).sum()  # of the definition
        assert objective(w, x, v)[0] <= min(found) * (1 + 1e-9) + rounding


@pytest.mark.parametrize("beta", [2, 1, 1.5, 0.5, 0, 3])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("unknown", [False, True])
def test_the_loss_is_that_of_the_definition(beta, dtype, unknown, rng, tmp_path):
    H, X = problem("gene", dtype, rng)
    if beta <= 0:
        X = X + dtype(0.01)
    S = sp.csr_array(X)
    model = Components(H=H, options={"loss": beta, "missing": "unknown" if unknown else "zero"})
    W = model.transform(S)
    V = np.where(unknown & (X == 0), 0, 1.0)
    expected = (V * divergence(X, W.astype(float) @ H.astype(float), beta)).sum()
    rounding = 1e-15 * (X.astype(float) ** beta).sum() * (beta not in (0, 1, 2))
    assert model.loss(S) == pytest.approx(expected, rel=1e-9, abs=rounding)
    if not unknown:
        write_csr(tmp_path / "store", S)
        store = open_csr(tmp_path / "store")
        assert model.loss(store) == pytest.approx(expected, rel=1e-9, abs=rounding)
        np.testing.assert_array_equal(model.transform(store), W)


@pytest.mark.parametrize("beta", [1, 0.5])
@pytest.mark.parametrize("scale", [1.0, 1e-6])
def test_words_that_no_component_has_count_as_in_scikit_learn(beta, scale):
    pytest.importorskip("sklearn")
    from sklearn.decomposition._nmf import _beta_divergence

    H = np.array([[1.0, 2, 0, 0], [0, 1, 3, 0]])
    X = np.array([[2.0, 1, 4, 3], [0, 0, 0, 5], [1, 1, 1, 0]])
    model = Components(H=H * scale, options={"loss": beta})
    W = model.transform(X * scale)
    # Their epsilon does not depend on the scale of the data.
    expected = _beta_divergence(sp.csr_array(X), W, H, beta) * scale**beta
    assert model.loss(X * scale) == pytest.approx(expected, rel=1e-5 if scale == 1 else 0.6)
    # Nothing of a document without known words is explained, and its loss is finite.
    alone = model.loss(X[[1]])
    assert alone == pytest.approx(float(divergence(5.0, EPSILON, beta)), rel=1e-5)


def test_says_when_sweeps_have_not_been_enough(rng):
    H, X = problem("alike", float, rng)
    model = Components(H=H)
    with pytest.warns(
        UserWarning, match=r"\d+ of 30 rows of X have not converged in max_sweeps = 2"
    ):
        model.transform(X, max_sweeps=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.transform(X)
        model.transform(np.zeros((3, 50)), max_sweeps=1)
        model.loss(X)


@pytest.mark.parametrize("beta", [2, 1, 1.5])
def test_same_bits_at_any_thread_count_and_in_any_company(beta, rng):
    X = sp.random_array((3000, 400), density=0.1, rng=rng, format="csr")
    X = X if beta != 1.5 else X[:300]
    model = Components(H=rng.random((20, 400)), options={"loss": beta})
    one, two = (model.transform(X, n_threads=n) for n in (1, 2))
    np.testing.assert_array_equal(one, two)
    if beta != 1.5:
        np.testing.assert_array_equal(model.transform(X[[7]], n_threads=1)[0], one[7])


def test_entries_without_weight_leave_single_precision_as_good_as_double(rng):
    """A feature is 1e5 times the others, and has weight zero in half of the samples."""
    X = 1 + rng.poisson(rng.random((60, 4)) @ rng.random((4, 30)) * 5).astype(float)
    X[:, 0] = 3e5
    V = np.ones(X.shape)
    V[::2, 0] = 0
    W, H = rng.random((60, 4)), rng.random((4, 30))
    H[:, 0] *= 2e4
    losses = {}
    for dtype in (np.float32, np.float64):
        S = sp.csr_array(X)
        stored = sp.csr_array((V.ravel(), S.indices, S.indptr), X.shape)
        model = factorize(
            S.astype(dtype), 4, loss="kullback-leibler", solver="mu", tol=0,
            weights=stored.astype(dtype), W=W.astype(dtype), H=H.astype(dtype), max_iter=150,
        )  # fmt: skip
        losses[dtype] = (V * divergence(X, model.W.astype(float) @ model.H, 1)).sum()
        assert model.objective == pytest.approx(losses[dtype], rel=1e-6)
    assert losses[np.float32] == pytest.approx(losses[np.float64], rel=1e-4)
