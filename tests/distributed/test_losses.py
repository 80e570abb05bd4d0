"""Losses and algorithms on a cluster give the results of one machine, even if a worker dies."""

import threading
from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp

import sparsenmf
from sparsenmf import CoordinateDescent, MultiplicativeUpdate

from .. import problems

pytest.importorskip("distributed", reason="needs the extra dask")
pytest.importorskip("dask.array", reason="needs the extra dask")

from dask import delayed

from sparsenmf.distributed import factorize

from .local import (
    CUTS,
    OPTIONS,
    K,
    assert_same,
    assert_same_bits,
    kill_one,
    lazy,
    n_tasks,
    same_start,
)

KL = {"loss": "kullback-leibler"}
PENALTIES = {"alpha_W": 1e-3, "alpha_H": 5e-4, "l1_ratio": 0.4}
LOSSES = [
    {**KL},
    {**KL, **PENALTIES},
    {"loss": 2, "solver": "mu", **PENALTIES},
    {"loss": 1.5},
    {"loss": 0.4, **PENALTIES},
    {"loss": 3.0, "solver": MultiplicativeUpdate(), **PENALTIES},
]


def words(options):
    return " ".join(map(str, options.values()))


@pytest.mark.parametrize("options", LOSSES, ids=words)
def test_iterates_are_those_of_one_machine(client, X, options):
    options = {**OPTIONS, **options}
    there = factorize(lazy(X), K, init="random", **options)
    start = same_start(X, fit_sum=options["loss"] != 2)
    here = sparsenmf.factorize(X, K, **start, **{"solver": "mu", **options})
    assert_same(there, here)
    assert there.options["init"] == "random"


@pytest.mark.parametrize("loss", [1, 1.5])
def test_given_and_frozen_components(client, X, loss):
    H = np.random.default_rng(1).random((2, X.shape[1]))
    options = {**OPTIONS, "loss": loss, "frozen_H": [1]}
    there = factorize(lazy(X), K, H=H, **options)
    np.testing.assert_array_equal(there.H[1], H[1])
    assert not np.array_equal(there.H[0], H[0])
    here = sparsenmf.factorize(X, K, solver="mu", **same_start(X, H=H), **options)
    assert_same(there, here)


def test_a_loss_that_needs_positive_entries(client):
    X = sp.csr_array(np.random.default_rng(0).gamma(2.0, size=(60, 20)))
    options, cuts = {"loss": "itakura-saito", "max_iter": 8, "random_state": 0}, (0, 25, 60)
    there = factorize(lazy(X, cuts), 3, **options)
    start = same_start(X, 3, cuts, fit_sum=True)
    assert_same(there, sparsenmf.factorize(X, 3, solver="mu", **start, **options))
    for zero in (X[:, [0]] * 0, sp.csr_array((60, 1))):
        holed = sp.hstack([X[:, 1:], zero], format="csr")
        with pytest.raises(ValueError, match="is infinite where X is zero, and X has zeros"):
            factorize(lazy(holed, cuts), 3, **options)


def test_single_precision_is_kept(client, X):
    single = X.astype(np.float32)
    there = factorize(lazy(single), K, init="random", **KL, **OPTIONS).to_factorization()
    start = same_start(single, fit_sum=True)
    here = sparsenmf.factorize(single, K, solver="mu", **start, **KL, **OPTIONS)
    assert there.W.dtype == there.H.dtype == np.float32
    np.testing.assert_allclose(there.objective_history, here.objective_history, rtol=1e-5)


@pytest.mark.parametrize("loss", [1, 2, 0.5])
def test_a_matrix_of_zeros(client, loss):
    X = sp.csr_array((40, 20))
    model = factorize(lazy(X, (0, 10, 40)), 3, loss=loss, random_state=0, max_iter=3)
    assert not (model.to_factorization().W @ model.H).any()


def test_the_last_objective_is_that_of_the_factors(client, X):
    seen = []

    def look(state):
        seen.append((state.n_iter, state.objective, state.W.compute(), state.H))
        return state.n_iter == 4

    model = factorize(lazy(X), K, progress=look, **KL, **OPTIONS)
    assert (model.stop_reason, len(model.objective_history)) == ("callback", 4)
    dense = X.toarray()
    for _, objective, W, H in seen:
        assert objective == pytest.approx(divergence(dense, W @ H), rel=1e-9)
    assert divergence(dense, model.W.compute() @ model.H) == pytest.approx(seen[-1][1], rel=1e-9)


def divergence(X, Y):
    x, y = X[X > 0], Y[X > 0]
    return float(np.sum(x * np.log(x / y)) - X.sum() + Y.sum())


def test_a_limit_on_the_objective_ends_the_run(client, X):
    assert factorize(lazy(X), K, random_state=0, tol=1e-2, **KL).stop_reason == "converged"


def test_a_folder_bounds_what_is_kept_and_survives_a_killed_worker(client, X, tmp_path, all_there):
    options, counts = {**OPTIONS, **KL, "max_iter": 24}, {None: [], tmp_path: []}

    def look(state, scratch):
        counts[scratch].append(n_tasks(client))
        if scratch and state.n_iter == 12:  # what is needed of W is in files since iteration 10
            kill_one(client)

    calm, killed = (
        factorize(
            lazy(X), K, scratch=scratch, progress=partial(look, scratch=scratch), **options
        ).to_factorization()
        for scratch in counts
    )
    np.testing.assert_array_equal(killed.objective_history, calm.objective_history)
    np.testing.assert_array_equal(killed.W, calm.W)
    assert max(counts[tmp_path][20:]) < 0.6 * max(counts[None][20:])
    assert len(list(tmp_path.iterdir())) == 2 * (len(CUTS) - 1)  # this W and the next one


def test_a_worker_that_is_killed_at_work_changes_nothing(client, X, all_there):
    options = {**OPTIONS, "loss": 1.5, "max_iter": 10}
    calm = factorize(lazy(X), K, **options)

    def kill_soon(state):
        if state.n_iter == 6:
            threading.Timer(0.01, kill_one, [client]).start()

    assert_same_bits(factorize(lazy(X), K, progress=kill_soon, **options), calm)


def test_names_come_back(client, X):
    terms, titles = [f"term {j}" for j in range(250)], [f"title {i}" for i in range(400)]
    blocks = [
        delayed(sparsenmf.NamedMatrix(X[a:b], feature_names=terms, sample_names=titles[a:b]))
        for a, b in ((0, 150), (150, 400))
    ]
    model = factorize(blocks, K, max_iter=2, random_state=0, **KL).to_factorization()
    assert model.feature_names.tolist() == terms
    assert model.sample_names.tolist() == titles


def test_planted_topics_are_found(client):
    X, topics = problems.planted_topics(4, 600, 120, seed=1)
    model = factorize(lazy(X, (0, 200, 600)), 4, max_iter=150, random_state=0, **KL)
    assert (problems.cosines(model.H, topics).max(axis=0) > 0.95).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({**KL, "solver": "cd"}, 'solver="cd" on clusters minimises loss="frobenius" alone'),
        ({"loss": 1.5, "solver": CoordinateDescent()}, 'take solver="mu"'),
        ({"loss": "hinge"}, "loss must be one of 'frobenius', 'kullback-leibler'"),
        ({"solver": "adam"}, "solver must be one of 'cd', 'mu'"),
        ({"solver": MultiplicativeUpdate(low_memory=True)}, "low_memory and W_path are not for"),
    ],
)
def test_bad_options_are_refused(client, X, options, message):
    with pytest.raises(ValueError, match=message):
        factorize(lazy(X), K, **options)
