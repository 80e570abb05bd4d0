"""How many inner sweeps a run has where nobody says: one where they would take most of it."""

import numpy as np
import pytest
import scipy.sparse as sp

import sparsenmf
from sparsenmf import Checkpoint, CoordinateDescent, factorize, write_csr
from sparsenmf.solvers.row_update.frobenius import SECOND_SWEEP

from ..grouped import grouped

K, SHAPE = 6, (60, 48)
BORDER = K * sum(SHAPE) // SECOND_SWEEP  # entries of X from which on there are two
OPTIONS = {"max_iter": 5, "tol": 0, "random_state": 0}


def with_entries(nnz):
    X = sp.random_array(SHAPE, density=nnz / np.prod(SHAPE), rng=0, dtype=np.float64)
    assert X.nnz == nnz
    return X.tocsr()


@pytest.fixture(scope="module", params=[(BORDER - 1, 1), (BORDER, 2), (4 * BORDER, 2)])
def case(request):
    nnz, sweeps = request.param
    return with_entries(nnz), sweeps


def same(model, other):
    return np.array_equal(model.W, other.W) and np.array_equal(model.H, other.H)


def test_one_sweep_where_X_has_few_entries_for_its_size(case):
    X, sweeps = case
    model = factorize(X, K, **OPTIONS)
    assert model.options["max_sweeps"] == sweeps
    assert same(model, factorize(X, K, **grouped({**OPTIONS, "max_sweeps": sweeps})))
    assert not same(model, factorize(X, K, **grouped({**OPTIONS, "max_sweeps": 3 - sweeps})))


def test_an_explicit_number_of_sweeps_is_kept(case):
    X, sweeps = case
    model = factorize(X, K, **grouped({**OPTIONS, "max_sweeps": 3 - sweeps}))
    assert model.options["max_sweeps"] == 3 - sweeps


def test_blocks_and_stores_have_as_many(case, tmp_path):
    X, sweeps = case
    few = factorize(X, K, **grouped({**OPTIONS, "low_memory": True}))
    stored = factorize(write_csr(tmp_path / "X", X), K, **OPTIONS)
    assert few.options["max_sweeps"] == stored.options["max_sweeps"] == sweeps
    assert same(
        few,
        factorize(X, K, **grouped({**OPTIONS, "low_memory": True, "max_sweeps": sweeps})),
    )


@pytest.mark.parametrize("options", [{"loss": "kullback-leibler"}, {"missing": "unknown"}])
def test_two_where_a_sweep_costs_no_more_than_the_entries(options):
    X = with_entries(BORDER - 1)
    model = factorize(X, K, **options, **OPTIONS)
    assert model.options["max_sweeps"] == 2
    assert same(
        model, factorize(X, K, solver=CoordinateDescent(max_sweeps=2), **options, **OPTIONS)
    )


def test_an_interrupted_run_goes_on_with_as_many(tmp_path):
    X = with_entries(BORDER - 1)
    path = tmp_path / "run.npz"
    factorize(X, K, **{**OPTIONS, "max_iter": 2}, checkpoint=Checkpoint(path, every=1))
    again = factorize(X, K, **OPTIONS, checkpoint=Checkpoint(path, resume=True))
    assert same(again, factorize(X, K, **OPTIONS))


def test_the_estimator_decides_alike(case):
    pytest.importorskip("sklearn")
    X, sweeps = case
    model = sparsenmf.NMF(K, max_iter=5, tol=0, random_state=0)
    W = model.fit_transform(X)
    assert np.array_equal(W, factorize(X, K, **grouped({**OPTIONS, "max_sweeps": sweeps})).W)
