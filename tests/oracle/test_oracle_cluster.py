"""The oracle judges fits on a cluster: the same problems, cut into blocks; see `test_oracle`."""

import numpy as np
import pytest
import scipy.sparse as sp

from . import draws as draws
from . import judge as oracle
from .judge import Problem
from .test_oracle import (
    LOST,
    faults_at_the_end,
    faults_of_dead,
    faults_of_factors,
    numbers,
)

pytest.importorskip("sklearn")
pytest.importorskip("distributed", reason="needs the extra dask")
pytest.importorskip("dask.array", reason="needs the extra dask")

from dask import delayed
from distributed import Client, LocalCluster

from sparsenmf.distributed import factorize


@pytest.fixture(scope="module")
def client():
    quiet = {"host": "127.0.0.1", "dashboard_address": ":0", "silence_logs": "CRITICAL"}
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=True, **quiet) as cluster,
        Client(cluster, set_as_default=True) as client,
    ):
        yield client


@pytest.mark.parametrize("number", numbers(6))
def test_fit_on_a_cluster(number, client):
    rng = np.random.default_rng([6, number])
    structures = (draws.counts, draws.empty, draws.isolated, draws.blocks)
    X = structures[number % len(structures)](rng, 20, 14)
    X = X.astype((np.float32, np.float64)[rng.integers(2)])
    problem = {"X": X.astype(float), "dtype": X.dtype}
    options = {}
    if number % 3 == 1:
        penalties = {"alpha_W": float(rng.choice([0.01, 1.0, 30.0])), "l1_ratio": 1.0}
        problem.update(**penalties, alpha_H=penalties["alpha_W"])
        options.update(penalties)
    if number % 3 == 2:
        known = X.sum(axis=0, keepdims=True) / np.sqrt(X.sum()) * (number % 2)
        options.update(H=known, frozen_H=[0])
        problem["free_H"] = (np.arange(3) > 0)[:, None]
    problem = Problem(**problem)
    parts = [delayed(sp.csr_array(X[:7])), delayed(sp.csr_array(X[7:]))]
    peer = min(oracle.peers(problem, 3, H=options.get("H")))
    zero = problem.objective(np.zeros((len(X), 3)), np.zeros((3, X.shape[1])))
    most, lowest = 1.02 * peer + LOST * (zero - peer) + 1e-4 * problem.size, np.inf
    for seed in range(4):
        if lowest <= most:
            break
        model = factorize(parts, 3, random_state=seed, client=client, **options)
        model = model.to_factorization()
        found = [
            *faults_of_factors(problem, model),
            *faults_of_dead(problem, model),
            *faults_at_the_end(problem, model, mu=False),
        ]
        assert not found
        lowest = min(lowest, problem.objective(model.W, model.H))
    assert lowest <= max(most, zero if "alpha_W" in options else 0.0)
