"""Coordinate descent over blocks of rows: the same as over a matrix and its transpose."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import factorize, rows
from sparsenmf.rows import make_rows
from sparsenmf.solvers import arrangement
from sparsenmf.solvers.blocks import BlockDescent, BlockRows, MemorySource
from sparsenmf.solvers.coordinate_descent import CoordinateDescent
from sparsenmf.weights import Weights

from . import problems

OPTIONS = [
    {},
    {"alpha_W": 1e-3, "alpha_H": 5e-4, "l1_ratio": 0.4},
    {"extrapolate": False, "max_sweeps": 1},
    {"sample_weight": np.linspace(0.1, 2, 400), "feature_weight": np.linspace(2, 0.2, 250)},
    {"seeds": {0: [3, 5], 1: [9]}, "seeding": "support"},
    {"H": np.ones((2, 250)), "frozen_H": [1]},
]


class Pieces(MemorySource):
    """A matrix as a source of several blocks, some of them empty of entries."""

    def __init__(self, X, cuts):
        super().__init__(X)
        self._cuts = cuts

    def blocks(self, max_nnz):
        return list(itertools.pairwise(self._cuts))

    def rows(self, start, stop):
        return self._X[start:stop]


@pytest.fixture(scope="module")
def X():
    X = problems.documents(400, 250, dtype=float).tolil()
    X[150:160] = 0
    return sp.csr_array(X)


@pytest.fixture
def in_pieces(monkeypatch):
    """low_memory=True takes its matrix in pieces."""
    monkeypatch.setattr(
        arrangement, "MemorySource", lambda X: Pieces(X, [0, 1, 130, 152, 158, X.shape[0]])
    )


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: " ".join(options) or "plain")
def test_iterates_are_those_of_the_whole_matrix(X, options):
    options = {"random_state": 0, "max_iter": 15, "tol": 0, **options}
    whole, blocks = factorize(X, 6, **options), factorize(X, 6, low_memory=True, **options)
    np.testing.assert_allclose(blocks.W, whole.W, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(blocks.H, whole.H, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(blocks.objective_history, whole.objective_history, rtol=1e-10)
    assert blocks.optimality == pytest.approx(whole.optimality, rel=1e-5)
    assert blocks.x_norm == pytest.approx(whole.x_norm, rel=1e-12)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: " ".join(options) or "plain")
def test_pieces_are_those_of_the_whole_matrix(X, options, in_pieces):
    options = {"random_state": 0, "max_iter": 15, "tol": 0, **options}
    whole, pieces = factorize(X, 6, **options), factorize(X, 6, low_memory=True, **options)
    np.testing.assert_allclose(pieces.W, whole.W, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(pieces.H, whole.H, rtol=1e-6, atol=1e-9)
    assert pieces.optimality == pytest.approx(whole.optimality, rel=1e-5)


def test_same_bits_at_any_thread_count(in_pieces):
    X = problems.documents(2000, 250, dtype=np.float32)
    assert X.nnz * 24 > 500_000  # in parallel
    first, *others = (
        factorize(X, 20, low_memory=True, random_state=0, max_iter=4, n_threads=n)
        for n in (1, 2, 3)
    )
    for model in others:
        np.testing.assert_array_equal(model.W, first.W)
        np.testing.assert_array_equal(model.H, first.H)


def test_a_nearly_exact_fit_is_measured_from_its_residuals(in_pieces):
    X, W, H = problems.planted(dtype=np.float32)
    model = factorize(X, 5, W=W, H=H, max_iter=2, low_memory=True)
    residual = X.toarray().astype(float) - model.W.astype(float) @ model.H.astype(float)
    expected = np.linalg.norm(residual) / np.linalg.norm(X.toarray().astype(float))
    assert model.relative_error == pytest.approx(expected, rel=0.05)


def test_blocks_are_read_ahead_and_an_error_while_reading_is_seen(X):
    class Broken(Pieces):
        def rows(self, start, stop):
            if start == 152:
                raise OSError("the disk is gone")
            return super().rows(start, stop)

    broken = BlockRows(Broken(X, [0, 130, 152, 400]), Weights(None, None, 2.0), 6)
    seen = []
    blocks = iter(broken)
    with pytest.raises(OSError, match="the disk is gone"):
        seen.extend((start, block.nnz) for start, _, block in blocks)
    assert seen == [(0, X[:130].nnz), (130, X[130:152].nnz)]


def test_tall_matrices_are_arranged_so_by_themselves(monkeypatch):
    monkeypatch.setattr(rows, "TALL_NNZ", 1000)
    rng = np.random.default_rng(0)
    for shape, solver in (((800, 90), BlockDescent), ((600, 90), CoordinateDescent)):
        X = sp.random_array(shape, density=0.1, rng=rng, format="csr")
        arranged = arrangement.arrange(
            X, Weights(None, None, 2.0), 5, 2, "cd", "random", rng,
            W=None, H=None, low_memory=False, n_threads=1,
        )  # fmt: skip
        assert arranged.solver is solver


@pytest.mark.parametrize(
    "options", [{"loss": "kullback-leibler"}, {"solver": "mu"}, {"init": "nndsvd"}]
)
def test_what_needs_the_transpose_is_refused(X, options):
    with pytest.raises(ValueError, match="low_memory=True needs"):
        factorize(X, 5, low_memory=True, **options)


def test_rows_know_their_size(X):
    assert make_rows(X, 5).nnz == X.nnz


def test_without_another_thread_blocks_are_read_in_this_one(X, in_pieces, monkeypatch):
    from sparsenmf.kernels import background

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    options = {"low_memory": True, "random_state": 0, "max_iter": 3}
    expected = factorize(X, 5, **options)
    monkeypatch.setattr(background.threading.Thread, "start", refuse)
    found = factorize(X, 5, **options)
    np.testing.assert_array_equal(found.W, expected.W)
