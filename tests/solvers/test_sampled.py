"""Starts from the SVD of a sample of the rows."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import nnls

from sparsenmf import (
    NNDSVD,
    Checkpoint,
    CoordinateDescent,
    Factorization,
    MultiplicativeUpdate,
    Problem,
    Seeds,
    Weights,
    factorize,
    initialize,
    open_csr,
    write_csr,
)
from sparsenmf.solvers import start
from sparsenmf.solvers.sampled import sample_rows
from sparsenmf.solvers.start import learn_from_sample

from .. import problems, reference

K = 5


@pytest.fixture(scope="module")
def planted():
    return problems.planted_topics(K, n_samples=4000, n_features=300)


def start_of(X, init, **options):
    return initialize(Problem(X, K, **options), CoordinateDescent(), init, random_state=0)


def test_the_topics_of_all_rows_are_found_in_a_few_of_them(planted):
    X, topics = planted
    problem, solver = Problem(X, K), CoordinateDescent()
    rng = np.random.default_rng(0)
    Ht = learn_from_sample(problem, solver, NNDSVD(sample=0.1), rng)
    assert problems.cosines(Ht[:, :K].T, topics).max(axis=0).min() > 0.9


def test_the_first_iteration_fits_W_to_the_H_of_the_sample(planted):
    X, _ = planted
    first = factorize(X, K, init=NNDSVD(sample=0.1), random_state=0, max_iter=1)
    settled = factorize(X, K, init="nndsvd", random_state=0, tol=1e-8)
    assert first.objective < 1.02 * settled.objective
    assert (
        first.objective < 0.9 * factorize(X, K, init="random", random_state=0, max_iter=1).objective
    )


CASES = {
    "float32": ({"dtype": np.float32}, {}),
    "penalties": ({}, {"alpha_W": 1e-4, "alpha_H": 1e-4, "l1_ratio": 0.5}),
    "Kullback-Leibler": ({}, {"loss": "kullback-leibler"}),
    "mu": ({}, {"solver": "mu"}),
    "Kullback-Leibler by mu": ({}, {"loss": "kullback-leibler", "solver": "mu"}),
    "another beta": ({}, {"loss": 1.5}),
    "low memory": ({}, {"solver": CoordinateDescent(low_memory=True)}),
    "mu with low memory": ({}, {"solver": MultiplicativeUpdate(low_memory=True)}),
    "weights of samples": ({}, {"weights": "samples"}),
    "weights of features": ({}, {"weights": "features"}),
    "weights of entries": ({}, {"weights": "entries"}),
    "unknown": ({}, {"missing": "unknown"}),
    "seeds": ({}, {"seeds": {0: [3, 4]}}),
}


def with_weights(X, options):
    rng = np.random.default_rng(1)
    kind = options.get("weights")
    if kind == "entries":
        weights = X.copy()
        weights.data = 0.5 + rng.random(X.nnz)
        return {**options, "weights": weights.astype(X.dtype)}
    if kind:
        size = X.shape[0 if kind == "samples" else 1]
        return {**options, "weights": Weights(**{kind: 0.5 + rng.random(size)})}
    return options


@pytest.mark.parametrize("name", CASES)
def test_every_problem_can_start_from_a_sample_and_ends_as_well_as_others(name, planted):
    settings, options = CASES[name]
    X = planted[0][:600].astype(settings.get("dtype", np.float64))
    options = {"random_state": 0, "tol": 1e-5, "max_iter": 100, **with_weights(X, options)}
    found = factorize(X, K, init=NNDSVD(sample=0.3), **options)
    other = factorize(X, K, init="random", **options)
    assert (np.diff(found.objective_history) <= 1e-6 * found.objective_history[:-1]).all()
    assert found.objective < 1.05 * other.objective
    assert (found.options["init"], found.options["sample"]) == ("nndsvd", 0.3)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_the_bits_depend_on_the_seed_alone(n_threads, planted):
    X, _ = planted
    options = {"init": NNDSVD(sample=0.1), "max_iter": 3, "tol": 0}
    one = factorize(X, K, random_state=3, n_threads=1, **options)
    other = factorize(X, K, random_state=3, n_threads=n_threads, **options)
    another = factorize(X, K, random_state=4, n_threads=n_threads, **options)
    np.testing.assert_array_equal(one.W, other.W)
    np.testing.assert_array_equal(one.H, other.H)
    assert not np.array_equal(one.H, another.H)


def test_the_reported_objective_is_that_of_the_factors(planted):
    X = planted[0].astype(np.float32)
    model = factorize(X, K, init=NNDSVD(sample=0.05), random_state=0, max_iter=2)
    expected = reference.objective(
        X.toarray().astype(float), model.W.astype(float), model.H.astype(float)
    )
    assert model.objective == pytest.approx(expected, rel=4e-6)  # rounding in single precision


def test_a_store_is_read_in_runs_from_all_over_it(tmp_path, monkeypatch):
    # Sorted by topic: the first rows alone know one topic only.
    rng = np.random.default_rng(0)
    topics = rng.dirichlet(np.full(300, 0.02), size=K)
    X = sp.csr_array(
        np.vstack([rng.multinomial(80, topics[r], size=3000) for r in range(K)]), dtype=float
    )
    blocks = (X[start : start + 1000] for start in range(0, X.shape[0], 1000))
    write_csr(tmp_path / "store", blocks)
    store, read = open_csr(tmp_path / "store"), []
    rows = type(store).rows
    monkeypatch.setattr(type(store), "rows", lambda s, a, b: read.append((a, b)) or rows(s, a, b))
    problem = Problem(store, K)
    Ht = learn_from_sample(
        problem, CoordinateDescent(), NNDSVD(sample=0.1), np.random.default_rng(0)
    )
    assert problems.cosines(Ht[:, :K].T, topics).max(axis=0).min() > 0.9
    n_read = sum(stop - start for start, stop in read)
    assert 0.09 * X.shape[0] < n_read < 0.12 * X.shape[0]
    assert len(read) >= 32


def test_a_store_and_memory_both_end_at_what_is_planted(tmp_path, planted):
    X, topics = planted
    write_csr(tmp_path / "store", X)
    model = factorize(open_csr(tmp_path / "store"), K, init=NNDSVD(sample=0.2), random_state=0)
    assert problems.cosines(model.H, topics).max(axis=0).min() > 0.95


def test_features_and_components_that_the_sample_lacks_still_get_a_start():
    rng = np.random.default_rng(0)
    X = np.zeros((2000, 60))
    X[:, :30] = rng.poisson(1.0, size=(2000, 30))
    X[7, 40:] = 5.0  # the only row with these features, which a sample will hardly have
    rows = sample_rows(sp.csr_array(X), 0.02, K, np.random.default_rng(0))
    assert 7 not in rows
    for solver in ("cd", "mu"):
        model = factorize(
            X, K, init=NNDSVD(sample=0.02), solver=solver, random_state=0, max_iter=100, tol=1e-9
        )
        assert (model.H[:, 40:].max(axis=0) > 0).all()
        assert (model.W.max(axis=0) > 0).all()


def test_a_sample_has_enough_rows_for_the_components():
    X = sp.random_array((100, 80), density=0.2, rng=0, format="csr")
    assert len(sample_rows(X, 0.01, 20, np.random.default_rng(0))) > 20
    assert factorize(X, 20, init=NNDSVD(sample=0.01), random_state=0).W.shape == (100, 20)


def test_a_sample_without_entries_or_without_weight_is_no_obstacle():
    X = sp.csr_array(([1.0, 2.0, 1.5], ([0, 1, 1], [0, 1, 2])), shape=(3000, 3))
    assert np.isfinite(factorize(X, 2, init=NNDSVD(sample=0.01), random_state=0).objective)
    weights = np.zeros(3000)
    weights[:2] = 1.0
    model = factorize(X, 2, init=NNDSVD(sample=0.01), weights=weights, random_state=0)
    assert np.isfinite(model.objective)


def test_a_sample_of_all_rows_is_the_plain_start(planted):
    X, _ = planted
    whole, plain = (start_of(X, init) for init in (NNDSVD(sample=1.0), "nndsvd"))
    np.testing.assert_array_equal(whole.Ht, plain.Ht)
    filled = start_of(X, NNDSVD(fill="mean"))
    np.testing.assert_array_equal(filled.Ht, start_of(X, "nndsvda").Ht)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sample": 0}, "sample must be > 0"),
        ({"sample": 1.5}, "sample must be"),
        ({"fill": "ones"}, "fill must be one of"),
        ({"n_iter": 0}, "n_iter must be at least 1"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        NNDSVD(**settings)


@pytest.mark.parametrize(
    ("settings", "loss"),
    [
        ({"sample": np.float32(0.5), "n_iter": np.int64(3)}, "frobenius"),
        ({"scaled": np.bool_(True), "n_iter": np.int32(3)}, "kullback-leibler"),
    ],
)
def test_settings_may_be_numbers_of_numpys(settings, loss, tmp_path):
    X, start, path = np.eye(9), NNDSVD(**settings), tmp_path / "state"
    options = {"init": start, "loss": loss, "random_state": 0, "max_iter": 2}
    model = factorize(X, 2, checkpoint=path, **options)
    model.save(tmp_path / "model.npz")
    assert Factorization.load(tmp_path / "model.npz").options == model.options
    assert repr(start) == repr(NNDSVD(**{name: x.item() for name, x in settings.items()}))


@pytest.mark.parametrize("max_sweeps", [1, 2])
def test_the_sweeps_that_a_result_records_lead_to_the_same_start(max_sweeps):
    # So few entries that one sweep is the default on the sample, and two are on all of X.
    X = sp.random_array((4000, 600), density=0.008, rng=np.random.default_rng(0))
    solvers = CoordinateDescent(), CoordinateDescent(max_sweeps=max_sweeps)
    default, given = (
        learn_from_sample(Problem(X, 12), solver, NNDSVD(sample=0.05), np.random.default_rng(0))
        for solver in solvers
    )
    np.testing.assert_array_equal(default, given)


def test_a_run_goes_on_from_its_checkpoint(tmp_path, planted):
    X, _ = planted
    options = {"init": NNDSVD(sample=0.1), "random_state": 0, "tol": 0}
    whole = factorize(X, K, max_iter=6, **options)
    path = tmp_path / "state"
    factorize(X, K, max_iter=3, checkpoint=path, **options)
    resumed = factorize(X, K, max_iter=6, checkpoint=Checkpoint(path, resume=True), **options)
    np.testing.assert_array_equal(whole.H, resumed.H)


def test_seeds_are_planted_on_the_start_of_the_sample(planted):
    X, _ = planted
    start = initialize(
        Problem(X, K), CoordinateDescent(), NNDSVD(sample=0.1),
        seeds=Seeds({1: [5, 6]}, strength="support"), random_state=0,
    )  # fmt: skip
    assert set(np.flatnonzero(start.Ht[:, 1])) == {5, 6}


def test_the_automatic_start_is_a_sample_of_what_is_large_and_random_elsewhere():
    large = sp.random_array((120_000, 40), density=0.05, rng=0, format="csr", dtype=np.float32)
    options = {"max_iter": 1, "random_state": 0}
    model = factorize(large, 3, **options)
    assert (model.options["init"], model.options["sample"]) == ("nndsvd", 20_000 / 120_000)
    np.testing.assert_array_equal(model.H, factorize(large, 3, init="auto", **options).H)
    for X, k, others in (
        (large[:99_999], 3, {}),
        (large, 130, {"init": "auto"}),  # more than features, and less than 1,000 rows each
        (large, 3, {"solver": "mu"}),
        (large, 3, {"missing": "unknown"}),
    ):
        assert factorize(X, k, **others, **options).options["init"] == "random"
    estimator = pytest.importorskip("sparsenmf.models.estimators").NMF(
        3, random_state=0, max_iter=1
    )
    with pytest.warns(UserWarning, match="Maximum number of iterations"):
        assert estimator.fit(large).factorization_.options["init"] == "nndsvd"


@pytest.mark.parametrize(("n_features", "n_more"), [(300, 7), (5000, 5)])
def test_the_sample_has_more_components_unless_H_is_most_of_the_fit(
    n_features, n_more, monkeypatch
):
    X = problems.planted_topics(K, n_samples=4000, n_features=300)[0]
    X = sp.csr_array((X.data, X.indices, X.indptr), shape=(4000, n_features))
    seen, unwrapped = [], start._iterate

    def noting(problem, *args):
        seen.append(problem.n_components)
        return unwrapped(problem, *args)

    monkeypatch.setattr(start, "_iterate", noting)
    model = factorize(X, K, init=NNDSVD(sample=0.1), random_state=0, max_iter=2)
    assert seen == ([n_more, K, K] if n_more > K else [K])  # the last is on other rows
    assert model.n_components == K


def test_iterations_on_a_sample_end_when_they_add_little(planted):
    problem, solver = Problem(planted[0], K), CoordinateDescent()
    began = initialize(problem, solver, "nndsvd", random_state=0)
    found = start._iterate(problem, solver, began, 500, 1e-3)
    began = initialize(problem, solver, "nndsvd", random_state=0)
    history = [state.objective for state in solver.start(problem, began, tol=0.0, max_iter=500)]
    scale = found.loss.scale
    gains = (np.array(history[:-2]) - history[2:]) / (scale - np.array(history[2:]))
    end = 2 + np.flatnonzero(gains < 2e-3)[0]
    assert found.current.objective == pytest.approx(history[end], rel=1e-6)
    assert end < 100


def rows_taken(monkeypatch, X, share, solver=None, **settings):
    """Return the Ht of a sample, and how many rows each of its parts had."""
    for name, value in settings.items():
        monkeypatch.setattr(start, name, value)
    problem, taken = Problem(X, K), []
    take = problem.take_rows
    monkeypatch.setattr(problem, "take_rows", lambda rows: taken.append(len(rows)) or take(rows))
    solver, rng = solver or CoordinateDescent(), np.random.default_rng(0)
    return learn_from_sample(problem, solver, NNDSVD(sample=share), rng), taken


def noisy(planted):
    """Topics in so much noise that a hundredth of the rows fits its own noise."""
    X, _ = planted
    return X + 40 * sp.random_array(X.shape, density=0.03, rng=1, format="csr")


def explained(X, Ht):
    """Return the share of the squares of some rows that the best W for this Ht explains."""
    A, X = Ht[:, :K].astype(float), X[::20].toarray()
    return 1 - sum(nnls(A, row)[1] ** 2 for row in X) / np.square(X).sum()


def test_a_sample_that_fits_its_own_noise_is_followed_by_more_rows(planted, monkeypatch):
    X = noisy(planted)
    Ht, taken = rows_taken(monkeypatch, X, 0.01)
    assert taken[:2] == [40, 40]
    assert 80 <= taken[2] <= 160
    assert len(taken) == 3
    plain, taken = rows_taken(monkeypatch, X, 0.01, GAP=1)
    assert taken == [40, 40]
    assert explained(X, Ht) > 1.05 * explained(X, plain)


def test_a_sample_that_holds_for_other_rows_is_enough(planted, monkeypatch):
    _, taken = rows_taken(monkeypatch, planted[0], 0.05)
    assert taken == [200, 200]


def test_where_memory_is_short_a_sample_does_not_grow(planted, monkeypatch):
    solver = CoordinateDescent(low_memory=True)
    _, taken = rows_taken(monkeypatch, noisy(planted), 0.01, solver)
    assert taken == [40]
