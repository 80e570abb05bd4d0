"""Consensus of restarts: planted components, outliers, and a consistent model."""

import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import Factorization, consensus, factorize
from sparsenmf.selection import consensus as consensus_module
from sparsenmf.selection.clusters import cluster, neighbor_distances
from sparsenmf.topics.similarity import match_components, unit_rows

from ..problems import planted_counts

KMeans = pytest.importorskip("sklearn.cluster").KMeans
ConvergenceWarning = pytest.importorskip("sklearn.exceptions").ConvergenceWarning


def test_planted_components_come_back():
    X, _, H = planted_counts(5, 300, 200, mean=2.0, seed=1)
    result = consensus(X, 5, 10, random_state=0)
    assert match_components(H, result.H)[1].min() > 0.95
    assert result.stability.min() > 0.95
    assert result.sizes.sum() + result.n_outliers == 50
    assert len(result.objectives) == 10
    assert result.model.objective <= 1.01 * result.objectives.min()
    assert result.stop_reason == "done"


def test_model_is_a_factorization_whose_numbers_are_its_own(tmp_path):
    X, _, _ = planted_counts(3, 120, 90)
    result = consensus(X, 3, 4, random_state=0)
    expected = 0.5 * np.sum((X.toarray() - result.W @ result.H) ** 2)
    assert result.model.objective == pytest.approx(expected)
    result.model.save(tmp_path / "model.npz")
    assert np.array_equal(Factorization.load(tmp_path / "model.npz").W, result.W)
    assert "Consensus of 4 restarts (done)" in repr(result)


def test_without_refit_the_components_are_the_medians():
    X, _, _ = planted_counts(3, 120, 90)
    medians = consensus(X, 3, 6, random_state=0, refit_H=False)
    refitted = consensus(X, 3, 6, random_state=0)
    assert np.linalg.norm(medians.H, axis=1) == pytest.approx(np.ones(3))
    assert refitted.model.objective <= medians.model.objective


def test_neighbor_distances_are_those_of_the_definition(rng):
    rows = unit_rows(rng.random((1030, 4)))
    found = neighbor_distances(rows, 3)
    distances = np.sqrt(((rows[:, None] - rows) ** 2).sum(axis=2))
    expected = np.sort(distances, axis=1)[:, 1:4].mean(axis=1)
    assert found == pytest.approx(expected, abs=1e-6)
    empty = neighbor_distances(np.array([[0.0, 0], [0, 0], [1, 0], [1, 0]]), 1)
    assert empty == pytest.approx([2**0.5, 2**0.5, 0, 0])
    assert neighbor_distances(np.ones((1, 2)), 3) == [0]


def test_clusters_are_found(rng):
    centers = np.eye(4)[:, :4]
    rows = np.repeat(centers, 20, axis=0) + 0.05 * rng.random((80, 4))
    labels = cluster(rows, 4, rng).reshape(4, 20)
    assert (labels == labels[:, :1]).all()
    assert len(set(labels[:, 0])) == 4


def test_what_one_restart_found_is_not_stable(monkeypatch):
    """Of five restarts, all find the first two components, and only one finds the third."""
    X = sp.block_diag([np.ones((6, 4))] * 3, format="csr")
    options = factorize(X, 3, random_state=0, max_iter=2).options
    a, b, c = np.kron(np.eye(3), np.ones(4))
    found = [[a, b, a]] * 3 + [[c, a, b]] + [[2 * a, a + 0.5 * b, b]]
    models = [SimpleNamespace(H=np.array(H), objective=1.0, options=options) for H in found]
    monkeypatch.setattr(consensus_module, "fit_restarts", lambda *_: iter(models))
    result = consensus(X, 3, 5, random_state=0, density_threshold=2)
    which = [int(np.argmax(h.reshape(3, 4).sum(axis=1))) for h in result.H]
    by_component = dict(zip(which, zip(result.stability, result.sizes, strict=True), strict=True))
    assert by_component[0] == pytest.approx((1.0, 9))
    assert by_component[1] == pytest.approx((1.0, 5))
    assert by_component[2] == pytest.approx((0.2, 1))
    text = repr(result)
    assert all(pair in text for pair in ("1.00 (9)", "1.00 (5)", "0.20 (1)"))


def test_partition_is_that_of_scikit_learn(rng):
    rows = unit_rows(rng.random((90, 30)) ** 4)
    labels = cluster(rows, 6, np.random.default_rng(1))
    inertia = sum(
        ((part - part.mean(axis=0)) ** 2).sum() for part in (rows[labels == r] for r in range(6))
    )
    best = min(KMeans(6, n_init=20, random_state=seed).fit(rows).inertia_ for seed in range(3))
    assert inertia <= 1.02 * best


def test_too_few_different_components_are_named():
    X = sp.csr_array(np.ones((8, 6)))
    with (
        pytest.warns(ConvergenceWarning),
        pytest.raises(ValueError, match="do not form 3 clusters: choose fewer n_components"),
    ):
        cluster(np.tile(np.eye(2), (4, 1)), 3, np.random.default_rng(0))
    assert consensus(X, 1, 3, random_state=0).stability == pytest.approx([1.0])


def test_a_missing_package_is_named_before_the_restarts():
    code = (
        "import sys; sys.modules['sklearn.cluster'] = None\n"
        "import numpy as np\n"
        "from sparsenmf import consensus\n"
        "consensus(np.ones((4, 3)), 1, callback=lambda model: sys.exit('too late'))"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120
    )
    assert 'consensus needs scikit-learn: pip install "sparsenmf[sklearn]"' in process.stderr


def test_outliers_are_dropped_and_counted():
    X, _, _ = planted_counts(4, 120, 90, mean=0.15, seed=3)
    everything = consensus(X, 10, 6, random_state=0, density_threshold=2)
    some = consensus(X, 10, 6, random_state=0, density_threshold=0.35)
    assert everything.n_outliers == 0
    assert some.n_outliers > 0
    assert some.sizes.sum() == 60 - some.n_outliers
    # A restart whose component was dropped does not count as one that agrees.
    assert (some.stability <= np.minimum(some.sizes / 6, 1) + 1e-12).all()
    assert (everything.stability > 0.6).all()


def test_threshold_that_leaves_too_little_is_named():
    X, _, _ = planted_counts(4, 120, 90, mean=0.15)
    with pytest.raises(ValueError, match=r"density_threshold=1e-12 leaves \d of 50"):
        consensus(X, 10, 5, random_state=0, density_threshold=1e-12)


def test_seed_and_not_the_number_of_threads_decides():
    X, _, _ = planted_counts(4, 300, 250, mean=1.0)
    results = [consensus(X, 4, 4, random_state=3, n_threads=n) for n in (1, 2)]
    assert np.array_equal(results[0].W, results[1].W)
    assert np.array_equal(results[0].H, results[1].H)


def test_kullback_leibler_with_penalties():
    X, _, H = planted_counts(3, 200, 150, mean=2.0)
    options = {"loss": "kullback-leibler", "alpha_W": 1e-4, "l1_ratio": 1.0}
    result = consensus(X, 3, 4, random_state=0, **options)
    assert match_components(H, result.H)[1].min() > 0.95


@pytest.mark.parametrize("how", ["callback", "interrupted"])
def test_finished_restarts_are_kept(how):
    X, _, _ = planted_counts(3, 120, 90)
    seen = []

    def end(model):
        seen.append(model)
        if len(seen) == 3 and how == "interrupted":
            signal.raise_signal(signal.SIGINT)
        return len(seen) == 3

    result = consensus(X, 3, 50, random_state=0, callback=end)
    assert result.stop_reason == how
    assert 2 <= len(result.objectives) <= 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_restarts": 1}, "n_restarts must be at least 2"),
        ({"density_threshold": 0}, "density_threshold must be > 0"),
        ({"neighborhood": 2}, "neighborhood must be"),
        ({"refit_H": 1}, "refit_H must be"),
        ({"n_components": 999}, "n_components is 999"),
        ({"seeds": {0: [1]}}, "seeds cannot be passed on"),
    ],
)
def test_refusals_name_the_argument(options, message):
    X, _, _ = planted_counts(3, 120, 90)
    with pytest.raises((TypeError, ValueError), match=message):
        consensus(X, **{"n_components": 3, **options})


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "X is zero"),
        ({"sample": 0.3}, "a sample of 12 of 40 rows is zero"),
        ({"missing": "unknown"}, "X is zero"),
    ],
)
def test_restarts_that_found_nothing_are_named(loss, options, message):
    X = sp.csr_array((np.zeros(2), ([0, 7], [3, 1])), shape=(40, 20))
    with pytest.raises(ValueError, match=f"components of all restarts are zero: {message}"):
        consensus(X, 3, 2, loss=loss, random_state=0, **options)


def test_penalties_that_leave_nothing_are_named():
    X, _, _ = planted_counts(3, 120, 90)
    with pytest.raises(ValueError, match="are zero: X is zero, or alpha_W or alpha_H is too large"):
        consensus(X, 3, 2, alpha_W=1e6, l1_ratio=1, random_state=0)


def test_real_documents_have_stable_topics(real_matrix):
    X = real_matrix("bbc_news", min_df=10)
    result = consensus(X, 5, 6, random_state=0, max_iter=50)
    assert result.stability.mean() > 0.8
