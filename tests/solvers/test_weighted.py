"""Fits with weighted or unknown entries: definitions, promises, errors."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsenmf import CoordinateDescent, Weights, factorize

from .. import reference
from ..weighted import ABSENT, make_problem, stored

WAYS = [("frobenius", "cd"), ("frobenius", "mu"), ("kullback-leibler", "cd")]
BETAS = {"frobenius": 2, "kullback-leibler": 1}


@ABSENT
@pytest.mark.parametrize(("loss", "solver"), WAYS)
def test_the_objective_is_that_of_the_definition_and_never_rises(rng, absent, loss, solver):
    X, weights, V, *_ = make_problem(rng, 3, absent)
    model = factorize(
        X, 3, weights=weights, missing="zero" if absent else "unknown",
        loss=loss, solver=solver, random_state=0, max_iter=40, tol=0,
    )  # fmt: skip
    beta = BETAS.get(loss, loss)
    expected = reference.weighted_divergence(X.toarray(), V, model.W, model.H, beta)
    # Powers of small y are bounded below where they are summed over all entries.
    assert model.objective == pytest.approx(expected, rel=1e-7 if loss != 0.5 else 1e-6)
    assert (np.diff(model.objective_history) <= 1e-9 * model.objective_history[0]).all()
    assert model.error == pytest.approx(np.sqrt(2 * expected), rel=1e-6)


@pytest.mark.parametrize(("loss", "solver"), WAYS)
def test_weights_of_one_are_no_weights(rng, loss, solver):
    X, *_ = make_problem(rng, 3, 1.0)
    ones = sp.csr_array((np.ones(X.nnz), X.indices, X.indptr), shape=X.shape)
    options = {"loss": loss, "solver": solver, "init": "random", "random_state": 0}
    options |= {"max_iter": 300, "tol": 1e-10}
    plain, weighted = factorize(X, 3, **options), factorize(X, 3, weights=ones, **options)
    assert weighted.objective == pytest.approx(plain.objective, rel=0.02)
    if solver == "mu":
        np.testing.assert_allclose(weighted.W, plain.W, rtol=1e-5, atol=1e-8)
    full = sp.csr_array(X.toarray() + 0.1)
    known = factorize(full, 3, missing="unknown", **options)
    assert known.objective == pytest.approx(factorize(full, 3, **options).objective, rel=0.02)


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
def test_integer_weights_are_repetitions(rng, loss):
    """A row whose entries count twice equals two copies of it, which have the same W."""
    X, *_ = make_problem(rng, 3, 0.0)
    counts = 1 + np.arange(X.shape[0]) % 3
    V = sp.csr_array((np.repeat(counts, np.diff(X.indptr)), X.indices, X.indptr), shape=X.shape)
    start = {"W": rng.random((X.shape[0], 3)), "H": rng.random((3, X.shape[1]))}
    options = {
        "missing": "unknown",
        "loss": loss,
        "max_iter": 30,
        "tol": 0,
        "solver": CoordinateDescent(extrapolate=False),
    }
    weighted = factorize(X, 3, weights=V, **start, **options)
    start["W"] = np.repeat(start["W"], counts, axis=0)
    repeated = factorize(
        sp.csr_array(X[np.repeat(np.arange(X.shape[0]), counts)]), 3, **start, **options
    )
    assert weighted.objective == pytest.approx(repeated.objective, rel=1e-8)
    # Shares of W H, by which components are ordered, count a repeated row twice.
    weighted, repeated = (H[np.argsort(H.sum(axis=1))] for H in (weighted.H, repeated.H))
    np.testing.assert_allclose(weighted, repeated, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(("loss", "solver"), WAYS[:1] + WAYS[2:3])
def test_a_planted_matrix_is_completed(rng, loss, solver):
    W, H = rng.gamma(1.0, size=(120, 3)), rng.gamma(1.0, size=(3, 90))
    X = stored(rng.random((120, 90)) < 0.4, W @ H)
    model = factorize(X, 3, missing="unknown", loss=loss, solver=solver, random_state=0,
                      tol=1e-9, max_iter=1500)  # fmt: skip
    np.testing.assert_allclose(model.W @ model.H, W @ H, rtol=1e-2, atol=1e-3)
    assert model.optimality < 1e-4


@ABSENT
@pytest.mark.parametrize(("loss", "solver"), WAYS[:4])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_bits_at_any_thread_count(absent, loss, solver, dtype):
    rng = np.random.default_rng(0)
    X, weights, *_ = make_problem(rng, 7, absent, n_rows=700, n_columns=300, dtype=dtype)
    options = {"missing": "zero" if absent else "unknown", "weights": weights, "max_iter": 5}
    runs = [
        factorize(X, 7, loss=loss, solver=solver, n_threads=n, random_state=0, **options)
        for n in (1, 2, 3)
    ]
    for run in runs[1:]:
        np.testing.assert_array_equal(run.W, runs[0].W)
        np.testing.assert_array_equal(run.H, runs[0].H)
        np.testing.assert_array_equal(run.objective_history, runs[0].objective_history)


@pytest.mark.parametrize(("loss", "solver"), WAYS)
def test_transform_is_the_w_of_the_fit(rng, loss, solver):
    X, weights, *_ = make_problem(rng, 3, 0.0)
    model = factorize(X, 3, missing="unknown", weights=weights, loss=loss, solver=solver,
                      random_state=0, tol=1e-10, max_iter=3000, alpha_W=1e-4)  # fmt: skip
    found = model.transform(X, weights=weights, tol=1e-8)
    rough = 1e-3 if solver == "cd" else 0.1
    np.testing.assert_allclose(found @ model.H, model.W @ model.H, atol=rough * model.H.max())
    assert model.loss(X, weights=weights) == pytest.approx(model.error**2 / 2, rel=rough)
    if loss == "frobenius":
        np.testing.assert_array_equal(found[0], 0)  # nothing is known of it


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
def test_transform_with_weights_where_absent_is_zero(rng, loss):
    X, weights, *_ = make_problem(rng, 3, 1.0)
    model = factorize(X, 3, weights=weights, loss=loss, random_state=0, tol=1e-10, max_iter=3000,
                      alpha_W=1e-4)  # fmt: skip
    found = model.transform(X, weights=weights, tol=1e-9)
    np.testing.assert_allclose(found @ model.H, model.W @ model.H, atol=2e-3 * model.H.max())


def test_nan_is_missing_when_asked_for():
    rng = np.random.default_rng(3)
    dense = np.round(rng.random((40, 30)) * 4)
    unknown = rng.random(dense.shape) < 0.5
    holes = np.where(unknown, np.nan, dense)
    X = stored(~unknown, dense)
    sparse_nan = sp.csr_array(X)
    sparse_nan = stored(np.ones_like(unknown), holes)
    frame = pytest.importorskip("pandas").DataFrame(holes)
    options = {"missing": "unknown", "random_state": 0, "max_iter": 20}
    expected = factorize(X, 3, **options)
    for given_X in (holes, sparse_nan, frame, np.ma.masked_invalid(holes), X.tocsc(), X.tocoo()):
        found = factorize(given_X, 3, **options)
        np.testing.assert_array_equal(found.W, expected.W)
        np.testing.assert_array_equal(found.H, expected.H)
    for given_X in (holes, sparse_nan, frame):
        with pytest.raises(ValueError, match=r"X has a missing value \(NaN\) at row 0"):
            factorize(given_X, 3)
    single = factorize(holes.astype(np.float32), 3, **options)
    assert single.W.dtype == np.float32
    assert single.objective == pytest.approx(expected.objective, rel=0.05)


def test_a_stored_zero_is_a_known_one():
    X = np.array([[1.0, 0.0, np.nan], [2.0, 0.0, 4.0], [np.nan, 0.0, 2.0]])
    model = factorize(X, 1, missing="unknown", random_state=0, tol=0)
    assert model.H[0, 1] == 0
    np.testing.assert_allclose(model.W @ model.H, [[1, 0, 2], [2, 0, 4], [1, 0, 2]], atol=1e-6)


def test_nothing_known_is_no_error():
    X = np.full((4, 3), np.nan)
    X[0, 0] = 1.0
    model = factorize(X, 2, missing="unknown", random_state=0)
    assert np.isfinite(model.W).all()
    assert not model.W[1:].any()
    assert not factorize(np.full((4, 3), np.nan), 2, missing="unknown").W.any()


def test_caller_keeps_its_arrays(rng):
    X, weights, *_ = make_problem(rng, 3, 0.0)
    copies = [A.copy() for M in (X, weights) for A in (M.data, M.indices, M.indptr)]
    for M in (X, weights):
        M.data.flags.writeable = False
    factorize(X, 3, weights=weights, missing="unknown", max_iter=3)
    for A, copy in zip(
        itertools.chain.from_iterable((M.data, M.indices, M.indptr) for M in (X, weights)),
        copies, strict=True,
    ):  # fmt: skip
        np.testing.assert_array_equal(A, copy)


def test_options_and_files_remember_what_is_missing(rng, tmp_path):
    from sparsenmf import Factorization

    X, *_ = make_problem(rng, 3, 0.0)
    model = factorize(X, 3, missing="unknown", random_state=0, max_iter=5)
    model.save(tmp_path / "model.npz")
    again = Factorization.load(tmp_path / "model.npz")
    assert again.missing == "unknown"
    np.testing.assert_array_equal(again.transform(X), model.transform(X))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"missing": "nan"}, "missing must be one of"),
        ({"weights": np.ones((3, 3))}, r"weights has shape \(3, 3\), but X has shape"),
        ({"weights": sp.csr_array((30, 40))}, "weights must have the same stored entries as X"),
        ({"weights": sp.csr_array(np.eye(30, 40))}, "weights must have the same stored entries"),
        ({"weights": Weights(samples=np.ones(30))}, "multiply them into weights"),
        (
            {"solver": CoordinateDescent(low_memory=True)},
            "low_memory=True is for entries that count alike",
        ),
        ({"loss": "itakura-saito"}, "infinite where X is zero"),
    ],
)
def test_errors_name_the_argument(rng, change, message):
    X, *_ = make_problem(rng, 3, 0.0)
    with pytest.raises(ValueError, match=message):
        factorize(X, 3, **{"missing": "unknown", **change})


def test_weights_at_other_places_are_refused():
    """Each row has as many weights as entries, but in other columns."""
    X, weights = sp.csr_array(np.eye(5)), sp.csr_array(np.eye(5)[:, ::-1])
    with pytest.raises(ValueError, match="not all at the same places"):
        factorize(X, 2, weights=weights)


def test_negative_weights_are_refused(rng):
    X, weights, *_ = make_problem(rng, 3, 0.0)
    weights.data[5] = -1
    with pytest.raises(ValueError, match="weights has a negative value"):
        factorize(X, 3, weights=weights)


def test_stores_have_no_unknown_entries(rng, tmp_path):
    from sparsenmf import open_csr, write_csr

    X, weights, *_ = make_problem(rng, 3, 0.0)
    write_csr(tmp_path / "store", [X])
    store = open_csr(tmp_path / "store")
    for options in ({"missing": "unknown"}, {"weights": weights}):
        with pytest.raises(TypeError, match="weights and missing"):
            factorize(store, 3, **options)
    model = factorize(X, 3, missing="unknown", max_iter=2)
    with pytest.raises(TypeError, match="weights and missing"):
        model.transform(store)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.integers(0, 10**6), st.integers(1, 5), st.floats(0.05, 1.0), st.sampled_from(WAYS),
    st.booleans(), st.sampled_from([np.float32, np.float64]),
)  # fmt: skip
def test_any_pattern_ends_finite_and_lower(seed, n_components, density, way, unknown, dtype):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(n_components, 12, 2))
    pattern = rng.random(shape) < density
    X = stored(pattern, rng.gamma(0.3, size=shape).astype(dtype))
    weights = stored(
        pattern, (rng.gamma(0.3, size=shape) * 10.0 ** rng.integers(-3, 4)).astype(dtype)
    )
    model = factorize(
        X, n_components, weights=weights, missing="unknown" if unknown else "zero",
        loss=way[0], solver=way[1], random_state=seed, max_iter=10,
    )  # fmt: skip
    assert np.isfinite(model.W).all()
    assert np.isfinite(model.H).all()
    history = model.objective_history
    assert (history >= 0).all()
    assert (np.diff(history) <= 1e-5 * history[0]).all()


def test_entries_without_weight_hide_nothing():
    """Nothing keeps W H small where weights are zero, and what is subtracted there grows."""
    rng = np.random.default_rng(59)
    means = 3 * rng.gamma(0.5, size=(60, 3)) @ rng.gamma(0.5, size=(3, 50))
    X = sp.csr_array(rng.poisson(means).astype(np.float32))
    counted = (rng.random(X.nnz) < 0.6).astype(np.float32)
    weights = sp.csr_array((counted, X.indices, X.indptr), shape=X.shape)
    V = np.ones(X.shape)
    V[X.nonzero()] = counted
    ends = []
    for dtype in (np.float32, np.float64):
        model = factorize(
            X.astype(dtype), 20, weights=weights.astype(dtype), random_state=0, max_iter=300, tol=0
        )
        W, H = model.W.astype(float), model.H.astype(float)
        assert (W @ H).max() > 10 * X.max()
        expected = reference.weighted_divergence(X.toarray().astype(float), V, W, H, 2)
        assert model.objective == pytest.approx(expected, rel=1e-4)
        ends.append(expected)
    assert ends[0] < 1.2 * ends[1]
