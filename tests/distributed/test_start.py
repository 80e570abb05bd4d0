"""Starts on a cluster: from a sample of the rows, which is the same on any cluster."""

import numpy as np
import pytest
import scipy.sparse as sp

import sparsenmf
from sparsenmf import NNDSVD, CoordinateDescent, MultiplicativeUpdate, Problem
from sparsenmf.solvers import sampled
from sparsenmf.solvers.start import learn_from_sample

pytest.importorskip("distributed", reason="needs the extra dask")
pytest.importorskip("dask.array", reason="needs the extra dask")

from dask import delayed

from sparsenmf.distributed import factorize, start
from sparsenmf.distributed.placement import Crew
from sparsenmf.distributed.problem import RemoteProblem
from sparsenmf.distributed.remote import RemoteRows

from ..problems import planted_counts
from .local import (
    CUTS,
    OPTIONS,
    K,
    Store,
    assert_same,
    assert_same_bits,
    kill_one,
    lazy,
)

SAMPLE = NNDSVD(sample=0.3, n_iter=4)


def place(client, blocks, **options):
    """A problem whose X is placed on a cluster."""
    given = {"loss": 2, "alpha_W": 0.0, "alpha_H": "same", "l1_ratio": 0.0, **options}
    problem = RemoteProblem(K, given["loss"], *list(given.values())[1:4], None, 1)
    problem.place(Crew(client), blocks, None)
    return problem


@pytest.mark.parametrize("solver", [CoordinateDescent(), MultiplicativeUpdate()])
@pytest.mark.parametrize("cuts", [CUTS, (0, 1, 400)])
def test_the_h_of_a_sample_is_that_of_one_machine_to_the_bit(client, X, solver, cuts):
    problem = place(client, lazy(X, cuts), alpha_W=1e-3)
    begun = start.initialize(problem, solver, SAMPLE, None, 3)
    here = Problem(X, K, alpha_W=1e-3)
    expected = learn_from_sample(here, solver, SAMPLE, np.random.default_rng(3))
    np.testing.assert_array_equal(begun.Ht, expected)
    assert begun.options["sample"] == 0.3
    assert begun.options["start_iter"] == 4


@pytest.mark.parametrize("options", [{}, {"alpha_W": 1e-3, "l1_ratio": 0.5}], ids=str)
def test_a_run_from_a_sample_is_that_of_one_machine(client, X, options):
    options = {**OPTIONS, "init": SAMPLE, **options}
    there, here = factorize(lazy(X), K, **options), sparsenmf.factorize(X, K, **options)
    assert_same(there, here)
    assert there.options == here.options


@pytest.mark.parametrize("options", [{"loss": 1}, {"loss": 1.5}, {"solver": "mu"}], ids=str)
def test_other_updates_begin_with_a_sample_and_a_random_w(client, X, options):
    options = {**OPTIONS, **options, "init": NNDSVD(fill="mean", sample=0.3)}
    model = factorize(lazy(X), K, **options)
    assert (model.options["init"], model.options["sample"]) == ("nndsvda", 0.3)
    plain = factorize(lazy(X), K, **{**options, "init": "random"})
    assert model.objective_history[2] < plain.objective_history[2]


def test_a_sample_of_a_store_and_of_scattered_blocks(client, X, tmp_path):
    store = Store(tmp_path, X)
    cuts = [0, *(stop for _, stop in store.blocks(X.nnz // 4))]
    expected = factorize(lazy(X, cuts), K, init=SAMPLE, **OPTIONS)
    scattered = [client.scatter(X[a:b]) for a, b in store.blocks(X.nnz // 4)]
    empty = [delayed(X[:0]), *lazy(X, cuts), delayed(X[:0])]
    for other in (store, scattered, empty):
        model = factorize(other, K, init=SAMPLE, block_nnz=X.nnz // 4, **OPTIONS)
        assert_same_bits(model, expected)


def test_auto_takes_a_sample_of_a_large_matrix(client, X, monkeypatch):
    assert factorize(lazy(X), K, **OPTIONS).options["init"] == "random"
    monkeypatch.setattr(sampled, "LEAST_ROWS", 400)
    monkeypatch.setattr(sampled, "ROWS_EACH", 1)
    monkeypatch.setattr(sampled, "SAMPLE_ROWS", 100)
    there = factorize(lazy(X), K, **OPTIONS)
    assert (there.options["init"], there.options["sample"]) == ("nndsvd", 0.25)
    assert_same(there, sparsenmf.factorize(X, K, **OPTIONS))
    for options in ({"loss": 1.5}, {"solver": "mu"}, {"init": "random"}):
        model = factorize(lazy(X), K, **{**OPTIONS, "max_iter": 2}, **options)
        assert model.options["init"] == "random"


@pytest.mark.parametrize("sample", [None, 0.5])
def test_auto_for_counts_is_scaled_and_the_same_on_any_cluster(client, one_worker, sample):
    """Planted topics are found, of a small X from all rows, else from a sample."""
    X = sp.csr_array(planted_counts(K, 400, 250, mean=1.5)[0].astype(np.float32))
    with pytest.MonkeyPatch.context() as patch:
        if sample is not None:
            patch.setattr(sampled, "WHOLE", 100)
        models = [
            factorize(lazy(X), K, loss="kullback-leibler", client=there, **OPTIONS)
            for there in (client, one_worker)
        ]
        again = place(client, lazy(X, (0, 1, 400)), loss=1)
        begun = start.initialize(again, MultiplicativeUpdate(), None, None, 0)
        problem, svd = Problem(X, K, loss=1), NNDSVD(scaled=True, sample=sample)
        expected = learn_from_sample(problem, MultiplicativeUpdate(), svd, np.random.default_rng(0))
    np.testing.assert_array_equal(models[0].objective_history, models[1].objective_history)
    np.testing.assert_array_equal(models[0].H, models[1].H)
    np.testing.assert_array_equal(begun.Ht, expected)  # whatever the blocks are
    options = models[0].options
    assert (options["init"], options["scaled"], options.get("sample")) == ("nndsvd", True, sample)
    plain = factorize(lazy(X), K, loss="kullback-leibler", init="random", **OPTIONS)
    assert models[0].objective_history[0] < plain.objective_history[0]
    assert models[0].objective_history[-1] < plain.objective_history[-1]


@pytest.mark.parametrize("shape", [(3, 250), (40, 4)])
def test_auto_for_counts_is_random_where_there_is_no_svd(client, shape):
    X = sp.csr_array(np.random.default_rng(0).poisson(1.0, shape).astype(np.float32))
    model = factorize(lazy(X, (0, 1, shape[0])), K, loss=1, **OPTIONS)
    assert model.options["init"] == "random"


def test_auto_for_counts_takes_zeros(client):
    X = sp.csr_array((60, 30), dtype=np.float32)
    model = factorize(lazy(X, (0, 20, 60)), 2, loss=1, random_state=0, max_iter=3)
    assert np.isfinite(model.H).all()
    X = sp.csr_array(([1.0], ([0], [0])), shape=(60, 30))
    model = factorize(lazy(X, (0, 20, 60)), 2, loss=1, random_state=0, max_iter=3)
    assert np.isfinite(model.H).all()


def test_the_sample_of_auto_fits_into_this_process(client, X, monkeypatch):
    monkeypatch.setattr(sampled, "LEAST_ROWS", 400)
    monkeypatch.setattr(sampled, "ROWS_EACH", 1)
    monkeypatch.setattr(sampled, "SAMPLE_ROWS", 100)
    monkeypatch.setattr(start, "SAMPLE_NNZ", X.nnz // 10)
    model = factorize(lazy(X), K, **OPTIONS)
    assert model.options["sample"] == X.nnz // 10 / X.nnz


def test_a_worker_that_is_killed_while_a_sample_is_taken(client, X, monkeypatch, all_there):
    calm = factorize(lazy(X), K, init=SAMPLE, **OPTIONS)

    def take(rows, wanted, take=RemoteRows.take):
        kill_one(client)
        return take(rows, wanted)

    monkeypatch.setattr(RemoteRows, "take", take)
    assert_same_bits(factorize(lazy(X), K, init=SAMPLE, **OPTIONS), calm)


def test_a_sample_without_entries_is_a_random_start(client):
    X = sp.csr_array(([1.0], ([0], [0])), shape=(60, 30))
    model = factorize(lazy(X, (0, 20, 60)), 2, init=NNDSVD(sample=0.1), random_state=0)
    assert np.isfinite(model.H).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"init": "nndsvd"}, r"needs a sample of the rows.*: NNDSVD\(fill='zero', sample=0.1,"),
        ({"init": NNDSVD(scaled=True)}, "sample=0.1, n_iter=10, scaled=True"),
        ({"init": NNDSVD(fill="random", sample=1.0)}, "NNDSVD.fill='random', sample=0.1,"),
        ({"init": "custom"}, 'init="custom" needs W or H'),
        ({"init": "best"}, "init must be one of"),
        ({"init": SAMPLE, "H": np.ones((K, 250))}, "only used with init="),
        ({"H": np.zeros((K, 250))}, "H is full of zeros"),
    ],
)
def test_starts_that_a_cluster_cannot_make_are_refused(client, X, options, message):
    with pytest.raises(ValueError, match=message):
        factorize(lazy(X), K, **options)


def test_more_components_than_singular_pairs_are_refused(client, X):
    with pytest.raises(ValueError, match="has no 300 singular pairs"):
        factorize(lazy(X), 300, init=SAMPLE)


def test_an_h_with_names_is_put_in_the_order_of_the_blocks(client, X):
    pd = pytest.importorskip("pandas")
    names = [f"term {j}" for j in range(X.shape[1])]
    rng = np.random.default_rng(0)
    H = pd.DataFrame(rng.random((K, len(names))), columns=names)
    blocks = [
        delayed(sparsenmf.NamedMatrix(X[start:stop], feature_names=names))
        for start, stop in ((0, 200), (200, X.shape[0]))
    ]
    options = {"random_state": 0, "max_iter": 2, "tol": 0}
    expected = factorize(blocks, K, H=H.to_numpy(), **options)
    found = factorize(blocks, K, H=H[rng.permutation(names)], **options)
    np.testing.assert_array_equal(found.H, expected.H)
    with pytest.raises(ValueError, match="H has other features than X: 'x' in H, 'term 3' in X"):
        factorize(blocks, K, H=H.rename(columns={"term 3": "x"}), **options)
