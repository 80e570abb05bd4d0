"""Same bits for any number of threads, layer and twin, in pieces, and after pickling or storing."""

import functools
import hashlib
import itertools
import json
import pickle

import numpy as np
import pytest
import scipy.sparse as sp

import sparsenmf
from sparsenmf import CoordinateDescent, Seeds, Weights, factorize

from ..children import TIMEOUT, make_matrix, posix, run_child
from ..models.test_torture import LAYERS, environment

SOLVERS = [
    ("cd", "frobenius"),
    ("mu", "frobenius"),
    ("cd", "kullback-leibler"),
    ("mu", "kullback-leibler"),
    ("mu", 1.5),
]

K = 20


def digest_of(*arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()


def digest_model(model, X, n_threads):
    new = model.transform(X, n_threads=n_threads)
    return digest_of(model.W, model.H, model.objective_history, model.optimality, new)


def fits(X, n_threads):
    """Digests of all that a matrix can be used for, by name."""
    options = {"random_state": 0, "max_iter": 3, "tol": 0, "n_threads": n_threads}
    for solver, loss in SOLVERS:
        model = factorize(X, K, solver=solver, loss=loss, **options)
        yield f"{solver} {loss}", digest_model(model, X, n_threads)
    for name, more in {
        "low memory": {"solver": CoordinateDescent(low_memory=True)},
        "nndsvd": {"init": "nndsvd"},
        "penalties": {
            "alpha_W": 1e-4,
            "l1_ratio": 0.5,
            "weights": Weights(samples=np.arange(X.shape[0])),
        },
        "seeds": {"seeds": Seeds({0: [1, 2], 1: [3]}, strength="support")},
    }.items():
        yield name, digest_model(factorize(X, K, **options, **more), X, n_threads)
    for loss in ("frobenius", "kullback-leibler"):
        estimator = sparsenmf.MiniBatchNMF(
            K, beta_loss=loss, batch_size=200, random_state=0, max_iter=2, n_threads=n_threads
        ).fit(X)
        yield f"batches {loss}", digest_of(estimator.components_, estimator.transform(X))


def all_fits(X, n_threads, dtype):
    return dict(fits(X.astype(dtype), n_threads))


@functools.cache
def wanted(dtype):
    pytest.importorskip("sklearn")
    return all_fits(make_matrix(), 1, dtype)


def child_bits(n_threads, dtype):
    from numba.np.ufunc import parallel

    print(json.dumps(all_fits(make_matrix(), n_threads, dtype)))
    assert parallel._is_initialized


@posix
@pytest.mark.parametrize(
    ("layer", "n_threads", "dtype"),
    [
        pytest.param(*case, marks=() if case == ("workqueue", 4, "f4") else pytest.mark.long)
        for case in itertools.product(LAYERS, (2, 3, 4), ("f4", "f8"))
    ],
)
def test_same_bits_with_any_number_of_threads_of_any_layer(layer, n_threads, dtype, tmp_path):
    env = {**environment(layer, tmp_path), "NUMBA_NUM_THREADS": "4"}
    # With a cold cache, all kernels there are get compiled.
    out = run_child(child_bits, n_threads, dtype, env=env, timeout=6 * TIMEOUT)
    assert json.loads(out) == wanted(dtype)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_same_bits_in_pieces(n_threads, monkeypatch):
    """Long calls are cut into pieces; here all calls are, into as many as possible."""
    from sparsenmf.kernels.compile import interrupts as pieces
    from sparsenmf.kernels.compile import jit

    calls, cut = [], pieces.call_interruptibly

    def count(run, args, *rest):
        calls.append(0)

        def counted(*args):
            calls[-1] += 1
            return run(*args)

        cut(counted, args, *rest)

    expected = wanted("f4")
    monkeypatch.setattr(pieces, "LONG", 0)
    monkeypatch.setattr(pieces, "SECONDS", 0)
    monkeypatch.setattr(jit, "call_interruptibly", count)
    assert all_fits(make_matrix(), n_threads, "f4") == expected
    assert max(calls) > 4


def test_pieces_cover_all_blocks_once_and_leave_no_thread_idle():
    from sparsenmf.data.rows import make_rows
    from sparsenmf.kernels.compile.interrupts import LONG, call_interruptibly

    rows = make_rows(make_matrix(), K)
    seen = np.zeros(rows.n_blocks)
    for n_threads in (1, 2, 3, rows.n_blocks, 10 * rows.n_blocks):
        for work, at_most in ((10**15, rows.n_blocks), (LONG * n_threads - 1, 1)):
            sizes = []

            def run(part, none, counts, marks, sizes=sizes):
                sizes.append(part.n_blocks)
                assert len(none) == 0
                assert len(counts) == len(marks) == part.n_blocks
                counts += 1
                marks[:] = 0

            seen[:] = 0
            args = (rows, np.empty((0, 3)), seen, np.empty(rows.n_blocks))
            call_interruptibly(run, args, (0, 1, 2, 3), work, n_threads)
            assert (seen == 1).all()
            assert len(sizes) <= at_most
            assert len(sizes) == 1 or min(sizes) >= n_threads


def memory_mapped(X, folder):
    parts = []
    for name in ("data", "indices", "indptr"):
        np.save(folder / f"{name}.npy", getattr(X, name))
        parts.append(np.load(folder / f"{name}.npy", mmap_mode="r"))
    mapped = sp.csr_array(X.shape, dtype=X.dtype)
    mapped.data, mapped.indices, mapped.indptr = parts
    return mapped


@pytest.mark.parametrize("trip", ["pickled", "memory-mapped"])
def test_same_bits_from_a_matrix_that_was(trip, tmp_path):
    X = make_matrix()
    moved = pickle.loads(pickle.dumps(X)) if trip == "pickled" else memory_mapped(X, tmp_path)
    assert dict(fits(moved, 1)) == wanted("f4")


@pytest.mark.parametrize(("solver", "loss"), SOLVERS)
def test_a_pickled_model_gives_the_same_bits(solver, loss):
    X = make_matrix()
    model = factorize(X, K, solver=solver, loss=loss, random_state=0, max_iter=3, tol=0)
    again = pickle.loads(pickle.dumps(model))
    assert digest_model(again, X, 1) == digest_model(model, X, 1)
    assert (again.stop_reason, again.options) == (model.stop_reason, model.options)


def test_a_pickled_estimator_gives_the_same_bits():
    pytest.importorskip("sklearn")
    X = make_matrix()
    for kind in (sparsenmf.NMF, sparsenmf.MiniBatchNMF):
        estimator = kind(K, random_state=0, max_iter=3).fit(X)
        again = pickle.loads(pickle.dumps(estimator))
        assert digest_of(again.transform(X)) == digest_of(estimator.transform(X))
        refitted = pickle.loads(pickle.dumps(kind(K, random_state=0, max_iter=3))).fit(X)
        assert digest_of(refitted.components_) == digest_of(estimator.components_)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_store_gives_the_same_bits_wherever_it_was_cut(n_threads, tmp_path):
    """Blocks depend on the matrix alone, not on shards, threads or pickling."""
    X = make_matrix()
    stores = [
        sparsenmf.write_csr(tmp_path / name, [X[:250], X[250:]], shard_nnz=size)
        for name, size in (("one", 10**6), ("many", 3000))
    ]
    assert stores[1].n_shards > 5
    options = {"random_state": 0, "max_iter": 3, "tol": 0}
    expected = digest_model(factorize(stores[0], K, n_threads=1, **options), X, 1)
    for store in (*stores, pickle.loads(pickle.dumps(stores[1]))):
        model = factorize(store, K, n_threads=n_threads, **options)
        assert digest_model(model, store, n_threads) == expected
