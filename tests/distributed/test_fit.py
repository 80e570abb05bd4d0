"""Factorization on a cluster of real processes, some of which are killed."""

import doctest
import importlib
import itertools
import time
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp

import sparsenmf
from sparsenmf import NNDSVD, CoordinateDescent

from .. import problems
from ..children import finish_child, start_child

pytest.importorskip("distributed", reason="needs the extra dask")
da = pytest.importorskip("dask.array", reason="needs the extra dask")

import dask  # noqa: E402 - where Dask is missing, the file is skipped above
import dask.bag  # noqa: E402 - where Dask is missing, the file is skipped above
from dask import delayed  # noqa: E402 - where Dask is missing, the file is skipped above
from distributed import Client  # noqa: E402 - where Dask is missing, the file is skipped above

# Without Dask these would fail to import, so they come after the checks above, too.
from sparsenmf.distributed import factorize  # noqa: E402 - where Dask is missing, the file is skipped above
from sparsenmf.distributed.placement import Crew  # noqa: E402 - where Dask is missing, the file is skipped above

from .local import (  # noqa: E402 - where Dask is missing, the file is skipped above
    CUTS,
    OPTIONS,
    K,
    Store,
    assert_same,
    lazy,
    pieces,
    same_start,
)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"alpha_W": 1e-3, "alpha_H": 5e-4, "l1_ratio": 0.4},
        {"solver": CoordinateDescent(max_sweeps=1, extrapolate=False)},
    ],
    ids=lambda options: " ".join(options) or "plain",
)
def test_iterates_are_those_of_one_machine(client, X, options):
    options = {**OPTIONS, **options}
    there = factorize(lazy(X), K, **options)
    here = sparsenmf.factorize(X, K, **same_start(X), **options)
    assert_same(there, here)


def test_the_largest_share_comes_first(client):
    rng = np.random.default_rng(3)
    blocks = [rng.poisson(60 / width, (30, width)) for width in (2, 40, 5, 25, 10)]
    X = sp.csr_array(sp.block_diag(blocks), dtype=float)
    model = factorize(lazy(X, (0, 70, 150)), 5, random_state=0).to_factorization()
    masses = np.einsum("ir,rj->r", model.W, model.H)
    assert (np.diff(masses) <= 1e-9 * masses[0]).all()
    lengths = np.linalg.norm(model.W, axis=0) * np.linalg.norm(model.H, axis=1)
    assert (np.diff(lengths) > 0.01 * lengths[0]).any()


def test_scale_is_balanced_on_the_way_as_on_one_machine(client, X, monkeypatch):
    monkeypatch.setattr("sparsenmf.solvers.alternation.BALANCE_EVERY", 4)
    there = factorize(lazy(X), K, **OPTIONS)
    here = sparsenmf.factorize(X, K, **same_start(X), **OPTIONS)
    np.testing.assert_allclose(there.objective_history, here.objective_history, rtol=1e-10)
    np.testing.assert_allclose(there.to_factorization().W, here.W, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    "options", [{}, {"loss": 1}, {"loss": 1.5}, {"init": NNDSVD(sample=0.3)}], ids=str
)
def test_same_bits_on_one_worker_and_on_two(client, one_worker, X, options):
    options = {**OPTIONS, **options}
    two = factorize(lazy(X), K, **options).to_factorization()
    one = factorize(lazy(X), K, client=one_worker, **options)
    np.testing.assert_array_equal(one_worker.compute(one.W).result(), two.W)
    np.testing.assert_array_equal(one.H, two.H)


def test_w_comes_from_the_client_that_has_it(client, one_worker, X):
    with Client(one_worker.scheduler.address, set_as_default=False) as other:
        there = factorize(lazy(X), K, client=other, **OPTIONS)
        gathered = there.to_factorization()
        np.testing.assert_array_equal(gathered.W, other.compute(there.W).result())
    with pytest.raises(
        RuntimeError, match=r"client, which is closed.* to_factorization\(\) before"
    ):
        there.to_factorization()


def test_every_kind_of_x_is_the_same_matrix(client, X, tmp_path):
    store = Store(tmp_path, X)
    (_, first), *_ = blocks = store.blocks(X.nnz // 4)
    cuts = (0, *(stop for _, stop in blocks))
    arrays = [da.from_delayed(piece, (first, X.shape[1]), X.dtype) for piece in lazy(X, cuts)]
    arrays[-1] = da.from_delayed(
        lazy(X, cuts)[-1], (cuts[-1] - cuts[-2], X.shape[1]), meta=sp.csr_array((0, 0))
    )
    bag = dask.bag.from_delayed([delayed(lambda part: [part])(piece) for piece in lazy(X, cuts)])
    expected = factorize(lazy(X, cuts), K, **OPTIONS)
    for other in (
        store,
        da.concatenate(arrays),
        bag,
        [client.scatter(piece) for piece in pieces(X, cuts)],
        lazy(sp.csr_matrix(X), cuts),
    ):
        model = factorize(other, K, block_nnz=X.nnz // 4, **OPTIONS)
        np.testing.assert_array_equal(model.H, expected.H)
        assert isinstance(model.W, da.Array)
        assert model.W.numblocks == (len(cuts) - 1, 1)


def test_a_store_gives_every_thread_a_block(client, X, tmp_path):
    model = factorize(Store(tmp_path, X), K, random_state=0, max_iter=2)
    assert 4 <= model.W.numblocks[0] <= 6


def test_single_precision_and_integers_are_kept_as_on_one_machine(client):
    counts = sp.csr_array(np.random.default_rng(0).poisson(0.3, (60, 40)))
    parts = [delayed(counts[:30]), delayed(counts[30:].astype(np.float32))]
    model = factorize(parts, 3, random_state=0, max_iter=3)
    assert (model.W.dtype, model.H.dtype) == (np.float32, np.float32)
    assert model.W.compute().dtype == np.float32
    parts = [delayed(counts[:30].astype(float)), delayed(counts[30:])]
    assert factorize(parts, 3, random_state=0, max_iter=3).H.dtype == np.float64


def test_a_nearly_exact_fit_is_measured_from_its_residuals(client):
    X, _, H = problems.planted(dtype=np.float32)
    model = factorize(lazy(X, (0, 90, 300)), 5, H=H, random_state=0, max_iter=60).to_factorization()
    residual = X.toarray().astype(float) - model.W.astype(float) @ model.H.astype(float)
    expected = np.linalg.norm(residual) / np.linalg.norm(X.toarray().astype(float))
    assert expected < 1e-3
    assert model.relative_error == pytest.approx(expected, rel=0.05)


def test_frozen_components_stay_to_the_bit(client, X):
    H = np.random.default_rng(1).random((2, X.shape[1]))
    model = factorize(lazy(X), K, H=H, frozen_H=[1], **OPTIONS)
    np.testing.assert_array_equal(model.H[1], H[1])
    assert not np.array_equal(model.H[0], H[0])


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
def test_x_and_w_stay_where_they_are(client, loss):
    X = problems.documents(3000, 200)
    parts = lazy(X, (0, 700, 1400, 2200, 3000))
    sent = []

    def note(state):
        total = client.run(lambda dask_worker: dask_worker.transfer_outgoing_bytes_total)
        sent.append(sum(total.values()))

    factorize(parts, 20, loss=loss, random_state=0, max_iter=7, tol=0, progress=note)
    mean = np.diff(sent).mean()
    one = X.shape[1] * 24 * 4  # a padded H
    # H to the other worker, its sum to the first, and the last sum to here; the rest is small.
    assert 3 * one < mean < 3 * one + 8 * 24 * 24 * 8 + 20_000
    assert mean < min(X[:700].nnz * 8, 700 * 24 * 4 * 4)


def test_tasks_have_names_that_tell_what_they_do(client, X):
    with dask.config.set({"distributed.scheduler.dashboard.tasks.task-stream-length": 10_000}):
        client.get_task_stream()
        # Computed: tasks whose result nobody waits for may never run.
        factorize(lazy(X), K, **{**OPTIONS, "max_iter": 3}).W.compute()
    wanted = {"check_block", "update_block", "sum_block", "add_sums", "hold", "finish_block"}
    names = set()
    for _ in range(100):  # the scheduler hears of finished tasks a little later
        names |= {dask.utils.key_split(task["key"]) for task in client.get_task_stream()}
        if wanted <= names:
            return
        time.sleep(0.1)
    assert wanted <= names


def test_progress_and_callback(client, X, capsys):
    seen = []

    def look(state):
        seen.append((state.n_iter, state.objective, state.W.compute(), state.H))
        return state.n_iter == 4

    model = factorize(lazy(X), K, progress=look, **OPTIONS)
    assert (model.stop_reason, len(model.objective_history)) == ("callback", 4)
    _, objective, W, H = seen[-1]
    assert (W.shape, objective) == ((400, K), model.objective_history[-1])
    assert 0.5 * np.linalg.norm(X.toarray() - W @ H) ** 2 == pytest.approx(objective, rel=1e-10)


def test_run_stops_at_its_limits(client, X):
    assert factorize(lazy(X), K, random_state=0, time_limit=1e-3).stop_reason == "time_limit"
    assert factorize(lazy(X), K, random_state=0, tol=1e-3).stop_reason == "converged"


# Refusals


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"missing": "unknown"}, "missing is not available on clusters"),
        ({"weights": [1]}, "weights is not available on clusters"),
        ({"W": 1}, "W is not available on clusters"),
        ({"n_component": 1}, "unexpected keyword argument 'n_component'"),
        ({"vocabulary": ["a"]}, "has no argument 'vocabulary': names come with X"),
        ({"scratch": 3}, "scratch must be a path"),
        ({"progress": 3}, "progress must be True or False"),
    ],
)
def test_bad_options_are_refused(client, X, option, message):
    with pytest.raises(TypeError, match=message):
        factorize(lazy(X), K, **option)


def test_bad_matrices_are_refused(client, X):
    with pytest.raises(TypeError, match="not csr_array: a matrix in memory"):
        factorize(X, K)
    with pytest.raises(TypeError, match="not list"):
        factorize(pieces(X), K)
    with pytest.raises(ValueError, match="blocks of whole rows"):
        factorize(da.ones((40, 30), chunks=(20, 10)), K)
    with pytest.raises(ValueError, match=r"X \(block 1\) has 249 columns, but block 0 has 250"):
        factorize([delayed(X), delayed(X[:, :-1])], K)
    bad = X[:50].copy()
    bad.data[0] = -1
    with pytest.raises(ValueError, match=r"X \(block 1\) has a negative value"):
        factorize([delayed(X), delayed(bad)], K)
    with pytest.raises(ValueError, match="H has shape"):
        factorize(lazy(X), K, H=np.ones((2, 3)))


def test_a_cluster_without_workers_is_named():
    empty = SimpleNamespace(nthreads=dict, register_plugin=lambda plugin: None)
    with pytest.raises(RuntimeError, match="no workers"):
        Crew(empty).addresses(3)


def test_the_example_gives_what_it_shows():
    found = doctest.testmod(importlib.import_module("sparsenmf.distributed.fit"))
    assert found.attempted > 5
    assert found.failed == 0


def run_without_a_client():
    if __name__ != "__main__":  # workers are started by spawning
        model = factorize(lazy(problems.documents(60, 40), (0, 30, 60)), 3, random_state=0)
        print(len(model.to_factorization().W))


def test_without_a_client_there_is_a_local_cluster():
    assert finish_child(start_child(run_without_a_client)).strip() == "60"


def import_without_dask():
    import sys

    for name in [name for name in sys.modules if name.startswith(("dask", "sparsenmf.distr"))]:
        del sys.modules[name]
    sys.modules["dask"] = None
    try:
        import sparsenmf.distributed  # noqa: F401 - its error is looked at below
    except ImportError as error:
        print(error)


def test_missing_dask_is_named():
    out = finish_child(start_child(import_without_dask))
    assert out.strip() == 'sparsenmf.distributed needs Dask: pip install "sparsenmf[dask]"'


TERMS, TITLES = [f"term {j}" for j in range(250)], [f"title {i}" for i in range(400)]


def named(X, start=0, stop=400, terms=TERMS):
    return sparsenmf.NamedMatrix(
        X[start:stop], feature_names=terms, sample_names=TITLES[start:stop]
    )


@pytest.mark.parametrize("kind", ["store", "delayed", "futures", "bag of lists"])
def test_names_of_blocks_are_those_of_the_model(kind, X, client, tmp_path):
    blocks = [named(X, *cut) for cut in itertools.pairwise(CUTS)]
    given = {
        "store": lambda: sparsenmf.write_csr(tmp_path / "store", blocks, shard_nnz=500),
        "delayed": lambda: list(map(delayed, blocks)),
        "futures": lambda: client.scatter(blocks),
        "bag of lists": lambda: dask.bag.from_sequence(blocks, npartitions=2),
    }[kind]()
    model = factorize(given, K, client=client, random_state=0, max_iter=2, tol=0)
    whole = model.to_factorization()
    for found in (model, whole):
        assert found.feature_names.tolist() == TERMS
        assert found.sample_names.tolist() == TITLES
    assert whole.top_terms(n=2) == whole.top_terms(TERMS, 2)


def test_blocks_without_names_have_none(X, client):
    model = factorize(lazy(X), K, client=client, random_state=0, max_iter=2, tol=0)
    assert model.feature_names is model.sample_names is None


def test_blocks_with_other_names_are_refused(X, client):
    blocks = [named(X, 0, 200), named(X, 200, 400, [*TERMS[1:], TERMS[0]])]
    with pytest.raises(ValueError, match=r"X \(block 1\) has other names of features than block 0"):
        factorize(list(map(delayed, blocks)), K, client=client, **OPTIONS)


@pytest.mark.parametrize("make", [
    lambda X: [delayed(X[:0]), *lazy(X), delayed(X[:0])],
    lambda X: dask.bag.from_sequence([X[:150], X[:0], X[150:], X[:0]], npartitions=4),
    lambda X: [delayed(named(X, *cut)) for cut in ((0, 150), (150, 150), (150, 400))],
])  # fmt: skip
def test_blocks_without_rows_are_skipped(make, X, client):
    model = factorize(make(X), K, client=client, **OPTIONS).to_factorization()
    assert model.W.shape == (400, K)
    assert model.relative_error < 1
    if model.sample_names is not None:
        assert model.sample_names.tolist() == TITLES
    with pytest.raises(ValueError, match="X has no rows"):
        factorize([delayed(X[:0])], K, client=client)
    with pytest.raises(ValueError, match=r"X \(block 1\) has 249 columns, but block 0 has 250"):
        factorize([delayed(X), delayed(X[:0, :249])], K, client=client)
