"""Starts from scaled counts: no planted topic is lost, and both solvers begin anywhere."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import NNDSVD, MultiplicativeUpdate, Weights, factorize, open_csr, write_csr
from sparsenmf.data.rows import make_rows
from sparsenmf.kernels.transpose import transpose_rows
from sparsenmf.solvers import sampled
from sparsenmf.solvers.scaled import _scale, learn_from_scaled, more_components
from sparsenmf.topics.report.script import recorded_start

from .. import problems

K = 20
COUNTS = {"loss": "kullback-leibler", "n_threads": 1}


def documents(n_samples, seed, dtype=np.float32, n_features=1000, n_components=K, n_words=60):
    """Counts of documents whose words are drawn from planted topics, and the topics."""
    rng = np.random.default_rng(seed)
    topics = rng.dirichlet(np.full(n_features, 0.05), size=n_components)
    shares = rng.dirichlet(np.full(n_components, 0.1), size=n_samples)
    each = rng.multinomial(n_words, shares).T
    rows = np.concatenate([np.repeat(np.arange(n_samples), counts) for counts in each])
    columns = [
        rng.choice(n_features, size=counts.sum(), p=topic)
        for counts, topic in zip(each, topics, strict=True)
    ]
    places = rows, np.concatenate(columns)
    X = sp.coo_array((np.ones(len(rows), dtype), places), shape=(n_samples, n_features)).tocsr()
    X.sum_duplicates()
    return X, topics


def found(model, topics):
    """How many of the planted topics the model has."""
    return int((problems.cosines(model.H, topics).max(axis=0) > 0.9).sum())


def start_of(X, n_components=K, dtype=np.float32, seed=0, n_threads=1):
    rows = make_rows(X.astype(dtype), n_components)
    columns = transpose_rows(rows, X.shape[1], n_components, 1)
    rng = np.random.default_rng(seed)
    W, Ht = learn_from_scaled(
        rows, columns, n_components, 10, rng, dtype=np.dtype(dtype), n_threads=n_threads
    )
    assert not W[:, n_components:].any()
    assert not Ht[:, n_components:].any()
    return W[:, :n_components], Ht[:, :n_components]


@pytest.fixture(scope="module")
def planted():
    return documents(4000, 0)


@pytest.mark.parametrize("seed", [0, 1, 2, 4])  # a random start of seed 3 finds all
def test_no_planted_topic_is_lost_where_random_starts_lose_some(seed):
    X, topics = documents(4000, seed)
    options = {"random_state": seed, "max_iter": 60, **COUNTS}
    model, drawn = factorize(X, K, **options), factorize(X, K, init="random", **options)
    assert found(model, topics) >= 19
    assert found(drawn, topics) < 19
    assert model.objective < 0.997 * drawn.objective
    assert model.n_iter <= 0.7 * drawn.n_iter


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_multiplicative_updates_find_them_all_too(planted, dtype):
    X, topics = planted
    model = factorize(X.astype(dtype), K, solver="mu", random_state=0, max_iter=60, **COUNTS)
    assert model.H.dtype == dtype
    assert found(model, topics) >= 19


def test_a_small_store_begins_as_its_matrix(planted, tmp_path):
    X, _ = planted
    store = write_csr(tmp_path / "store", X)
    options = {"solver": "mu", "random_state": 0, "max_iter": 5, "tol": 0, **COUNTS}
    inside = factorize(X, K, **options)
    low = MultiplicativeUpdate(low_memory=True)
    mapped = MultiplicativeUpdate(W_path=tmp_path / "W.npy")
    for outside in (
        factorize(store, K, **options),
        factorize(X, K, **{**options, "solver": low}),
        factorize(store, K, **{**options, "solver": mapped}),
    ):
        assert outside.options["scaled"]
        np.testing.assert_allclose(outside.objective_history, inside.objective_history, rtol=1e-5)


def test_a_larger_store_finds_them_from_some_of_its_rows(planted, tmp_path, monkeypatch):
    monkeypatch.setattr(sampled, "WHOLE", 1000)
    X, topics = planted
    write_csr(tmp_path / "store", X)
    model = factorize(open_csr(tmp_path / "store"), K, random_state=0, max_iter=60, **COUNTS)
    assert model.options["sample"] == 0.5
    assert found(model, topics) >= 19
    with pytest.raises(ValueError, match="pass a sample, too, such"):
        factorize(open_csr(tmp_path / "store"), K, init=NNDSVD(scaled=True), **COUNTS)


def test_weights_and_penalties_keep_them(planted):
    X, topics = planted
    weights = np.where(np.arange(X.shape[0]) % 2, 1.0, 5.0)
    for options in ({"weights": weights}, {"alpha_W": 1e-5, "l1_ratio": 0.5}):
        model = factorize(X, K, random_state=0, max_iter=60, **options, **COUNTS)
        assert model.options["scaled"]
        assert found(model, topics) >= 19


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_start_has_the_sum_of_X_and_no_zero(planted, dtype):
    X, _ = planted
    X = X.copy()
    X.data[X.indptr[7] : X.indptr[8]] = 0  # an empty document
    X.eliminate_zeros()
    W, Ht = start_of(X, dtype=dtype)
    assert W.dtype == Ht.dtype == dtype
    assert float((W.sum(axis=0) * Ht.sum(axis=0)).sum()) == pytest.approx(X.sum(), rel=1e-4)
    assert np.flatnonzero(~(W > 0).all(axis=1)).tolist() == [7]
    assert (Ht[X.sum(axis=0) > 0] > 0).all()
    sizes = [np.sqrt((factor.astype(float) ** 2).mean(axis=0)) for factor in (W, Ht)]
    np.testing.assert_allclose(*sizes, rtol=1e-4)


@pytest.mark.parametrize("power", [-40, 30])
def test_the_start_of_a_multiple_is_a_multiple_of_the_start(planted, power):
    X, _ = planted
    for one, other in zip(start_of(X), start_of(X * np.float32(2.0**power)), strict=True):
        np.testing.assert_allclose(other, one * np.float32(2.0 ** (power // 2)), rtol=1e-5)


def test_the_number_of_threads_does_not_change_a_bit(planted):
    X, _ = planted
    options = {"loss": "kullback-leibler", "random_state": 0, "max_iter": 3}
    one, two = (factorize(X, K, n_threads=n, **options) for n in (1, 2))
    np.testing.assert_array_equal(one.W, two.W)
    np.testing.assert_array_equal(one.H, two.H)


@pytest.mark.parametrize("solver", ["cd", "mu"])
@pytest.mark.parametrize("rank", [0, 1])
def test_components_beyond_the_rank_begin_at_random(solver, rank):
    X = np.outer(np.arange(1, 31), np.arange(1, 13)) * float(rank)
    W, Ht = start_of(sp.csr_array(X), 4)
    assert np.isfinite(W).all()
    assert np.isfinite(Ht).all()
    model = factorize(X, 4, solver=solver, random_state=0, tol=1e-8, max_iter=2000, **COUNTS)
    assert model.options["scaled"]
    np.testing.assert_allclose(model.W @ model.H, X, rtol=1e-2)


def test_entries_far_above_independence_count_by_their_deviance(planted):
    X, _ = planted
    rows = make_rows(X, K)
    sums = X.sum(axis=1, dtype=float), X.sum(axis=0, dtype=float)
    roots, total = [np.sqrt(part) for part in sums], float(X.sum())
    Z = _scale(rows, *roots, total).data
    row, column = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr)), X.indices
    x, y = X.data.astype(float), sums[0][row] * sums[1][column] / total
    signed = np.sign(x - y) * np.sqrt(x * np.log(x / y) - x + y)
    wanted = (np.sqrt(y) + signed) / np.sqrt(total)
    np.testing.assert_allclose(Z, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("k", "shape", "n_more"), [(1, (9, 9), 1), (4, (5, 9), 5), (5, (9, 9), 7)])
def test_half_as_many_components_more_as_far_as_X_has_rows_and_columns(k, shape, n_more):
    assert more_components(k, shape) == more_components(k, shape[::-1]) == n_more
    X = sp.random_array(shape, density=0.8, rng=0, format="csr")
    assert [factor.shape[1] for factor in start_of(X, k)] == [k, k]


def test_other_problems_begin_at_random(planted, tmp_path):
    X, _ = planted
    X = X[:300]
    ones = sp.csr_array((np.ones(X.nnz), X.indices, X.indptr), shape=X.shape)
    for options in (
        {"weights": Weights(entries=ones * 2)},
        {"missing": "unknown"},
        {"seeds": {0: [3, 4]}},
        {"loss": 0.5, "solver": "mu"},
    ):
        call = {**COUNTS, **options}
        model = factorize(X, 3, random_state=0, max_iter=2, **call)
        assert model.options["init"] == "random"
        assert "scaled" not in model.options
    model = factorize(X[:3], 5, random_state=0, max_iter=2, **COUNTS)
    assert model.options["init"] == "random"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "frobenius"}, "is for loss="),
        ({"missing": "unknown"}, "is for loss="),
        ({"n_components": 31}, "nndsvd"),
    ],
)
def test_an_explicit_start_that_is_impossible_is_refused(options, message):
    X = sp.random_array((30, 40), density=0.3, rng=0, format="csr")
    call = {"n_components": 3, **COUNTS, **options}
    with pytest.raises(ValueError, match=message):
        factorize(X, init=NNDSVD(scaled=True), **call)


def test_bad_settings_are_named():
    with pytest.raises(TypeError, match="scaled"):
        NNDSVD(scaled="yes")
    with pytest.raises(ValueError, match="leave out fill"):
        NNDSVD(scaled=True, fill="mean")


def test_a_result_says_what_start_it_had(planted):
    X, _ = planted
    for start in (NNDSVD(scaled=True, n_iter=3), NNDSVD(scaled=True, sample=0.4)):
        model = factorize(X, 3, init=start, random_state=0, max_iter=2, **COUNTS)
        assert recorded_start(model.options) == start
