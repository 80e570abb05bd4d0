"""Selection by stability: its scores, its rule, and planted numbers that it must find."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.cluster.hierarchy import cophenet, linkage
from scipy.spatial.distance import squareform

from sparsenmf import factorize, forecast_selection, select_n_components
from sparsenmf.models.restarts import Generators
from sparsenmf.selection.selected import most_stable
from sparsenmf.selection.stability import Halves, cophenetic_coefficient
from sparsenmf.selection.weighted import WeightedMatrix
from sparsenmf.topics.similarity import match_components

from ..problems import planted_counts


def uneven_counts(n_components, seed, n_samples=600, n_features=500):
    """Counts of topics of uneven size, in documents of lognormal length."""
    rng = np.random.default_rng(1000 * n_components + seed)
    shares = rng.dirichlet(np.full(n_components, 1.0))
    W = rng.dirichlet(0.3 * n_components * shares + 0.02, size=n_samples)
    H = rng.dirichlet(np.full(n_features, 0.1), size=n_components)
    lengths = rng.lognormal(np.log(40), 0.7, size=n_samples)
    return sp.csr_array(rng.poisson(lengths[:, None] * (W @ H)).astype(float))


def weighed(X):
    """Return counts as tf-idf, rows of length 1."""
    idf = np.log((1 + X.shape[0]) / (1 + np.bincount(X.indices, minlength=X.shape[1]))) + 1
    X = X @ sp.diags_array(idf)
    norms = np.sqrt(X.multiply(X).sum(axis=1))
    return sp.csr_array(sp.diags_array(1 / np.maximum(norms, 1e-30)) @ X)


def test_components_are_matched_in_any_order_and_scale(rng):
    H = rng.random((6, 40))
    order = rng.permutation(6)
    found, cosines = match_components(H, (3 * H)[order])
    assert np.array_equal(order[found], np.arange(6))
    assert cosines == pytest.approx(np.ones(6))


def test_halves_share_no_sample_and_leave_none_out():
    X = sp.csr_array(np.arange(1.0, 12 * 5 + 1).reshape(12, 5))
    halves = Halves(WeightedMatrix(X), 3, 2, Generators(0))
    splits = []
    for fold in range(3):
        rows = [half.X.toarray()[:, 0].astype(int).tolist() for half in halves.split(fold)]
        assert [len(part) for part in rows] == [6, 6]
        assert sorted(rows[0] + rows[1]) == list(range(1, 57, 5))
        splits.append(tuple(rows[0]))
    assert len(set(splits)) == 3


def test_score_is_the_best_mean_cosine_of_pairs(rng):
    X, _, _ = planted_counts(3, 80, 60)
    halves = Halves(WeightedMatrix(X), 2, 2, Generators(0))
    score, model = halves.score(1, lambda half: factorize(half.X, 4, random_state=0, max_iter=9))
    first, second = (half.H / np.linalg.norm(half.H, axis=1)[:, None] for half in halves.models)
    assert model is halves.models[0]
    pairings = itertools.permutations(range(4))
    best = max(np.mean([first[r] @ second[s] for r, s in enumerate(p)]) for p in pairings)
    assert score == pytest.approx(best)


def test_rule_needs_what_is_before_a_peak():
    candidates = np.arange(2, 9)
    means = np.array([0.95, 0.97, 0.94, 0.85, 0.72, 0.70, 0.82])  # a peak at 8
    assert most_stable(candidates, np.column_stack([means, means])) == 2
    # One more component that comes back counts, even if it lowers the mean.
    assert most_stable(np.array([3, 4]), np.array([[0.99], [0.95]])) == 1
    assert most_stable(np.array([3, 4]), np.array([[0.99], [0.90]])) == 0
    # Where there is nothing to find, one component is the least wrong.
    assert most_stable(np.array([1, 2, 3]), np.array([[0.97], [0.6], [0.5]])) == 0


def hits(draws, **options):
    """Return how many draws find the number to within one, and all numbers found."""
    found = []
    for planted, X in draws:
        candidates = range(2, planted + 4)
        selection = select_n_components(X, candidates, method="stability", **options)
        found.append((planted, selection.n_components))
    return sum(abs(k - planted) <= 1 for planted, k in found), found


def test_uneven_counts_have_their_number():
    """The similarity of restarts on the same data has chance peaks: 11, 15, 4 and 15 for four."""
    draws = [(planted, uneven_counts(planted, 20 + planted)) for planted in (3, 4, 5, 6)]
    n_hits, found = hits(draws, n_repeats=3, random_state=0, n_threads=1)
    assert n_hits >= 3, found


@pytest.mark.long
def test_uneven_counts_have_their_number_in_many_draws():
    draws = [(k, uneven_counts(k, seed)) for seed in range(40, 44) for k in (4, 6, 8)]
    n_hits, found = hits(draws, random_state=1)
    assert n_hits >= 9, found


def test_weights_have_the_number_of_their_counts():
    """By the Frobenius loss, as is usual for tf-idf."""
    draws = [(k, weighed(uneven_counts(k, 30 + k))) for k in (3, 4, 5)]
    n_hits, found = hits(draws, n_repeats=3, random_state=0, n_threads=1)
    assert n_hits >= 2, found


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler", 1.5])
def test_clear_number_is_found_by_every_loss(loss):
    X, _, _ = planted_counts(5, 200, 150, mean=2.0, seed=3)
    options = {"loss": loss, "random_state": 0, "n_threads": 1, "n_repeats": 2, "max_iter": 60}
    found = select_n_components(X, range(3, 8), method="stability", **options)
    assert abs(found.n_components - 5) <= 1
    assert found.loss == loss


def test_counts_are_for_kullback_leibler_unless_asked_otherwise():
    X, _, _ = planted_counts(3, 60, 50)
    options = {"n_repeats": 2, "max_iter": 3, "random_state": 0}
    for method in ("blocks", "stability"):
        by_default = select_n_components(X, [2, 3], method=method, **options)
        assert by_default.loss == "kullback-leibler"
        assert "(kullback-leibler)" in repr(by_default)
        asked = select_n_components(X, [2, 3], method=method, loss="frobenius", **options)
        assert asked.loss == "frobenius"
        assert select_n_components(X * 0.5, [2], method=method, **options).loss == "frobenius"


@pytest.mark.parametrize("init", ["random", "nndsvd"])
def test_starts_may_be_chosen(init):
    X, _, _ = planted_counts(3, 60, 50)
    options = {"n_repeats": 2, "max_iter": 3, "random_state": 0}
    models = []
    select_n_components(
        X, [2], method="stability", init=init, callback=lambda m: models.append(m), **options
    )
    assert [model.options["init"] for model in models] == [init] * 2


def test_forecast_counts_both_halves():
    X, _, _ = planted_counts(3, 60, 50)
    assert forecast_selection(X, [2, 3], method="stability", n_repeats=4).n_fits == 16


def test_halves_limit_the_number_of_components():
    with pytest.raises(ValueError, match=r"candidates has 6, but .* allows at most 5 components"):
        select_n_components(np.ones((10, 8)), [2, 6], method="stability")


def test_cophenetic_coefficient_is_that_of_the_consensus_matrix(rng):
    loadings = [rng.random((25, 3)) for _ in range(4)]
    together = np.zeros((25, 25))
    for W in loadings:
        labels = W.argmax(axis=1)
        together += (labels[:, None] == labels) / 4
    condensed = squareform(1 - together, checks=False)
    expected = cophenet(linkage(condensed, "average"), condensed)[0]
    assert cophenetic_coefficient(loadings) == pytest.approx(expected)
    assert cophenetic_coefficient([np.ones((5, 1))] * 3) == 1.0


def test_cophenetic_coefficient_is_of_all_samples():
    X, _, _ = planted_counts(3, 90, 60, mean=3.0, seed=1)
    options = {"method": "stability", "random_state": 0, "n_threads": 1, "cophenetic": True}
    table = select_n_components(X, [3, 6], **options).table
    assert 0 < table["cophenetic"][1] < table["cophenetic"][0] <= 1


def test_many_samples_have_no_cophenetic_coefficient():
    X = sp.eye_array(2001, 5, format="csr")
    with pytest.raises(ValueError, match="cophenetic takes an array of 2001 x 2001"):
        select_n_components(X, [2], method="stability", cophenetic=True)


def test_real_documents_have_the_number_of_their_sections(real_matrix):
    """BBC News has five sections of about equal size."""
    X = real_matrix("bbc_news")
    options = {"method": "stability", "n_repeats": 3, "random_state": 0}
    assert select_n_components(X, [3, 4, 5, 6, 8], **options).n_components == 5
