"""Solvers and starts over blocks of rows: the same as over a matrix and its transpose."""

import itertools
from unittest import mock

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import (
    CoordinateDescent,
    MultiplicativeUpdate,
    Problem,
    Seeds,
    Weights,
    factorize,
    initialize,
)
from sparsenmf.data import rows
from sparsenmf.data.rows import make_rows
from sparsenmf.models import algorithms
from sparsenmf.solvers import problem
from sparsenmf.solvers.alternation import Alternation
from sparsenmf.solvers.block_layouts import Blocks
from sparsenmf.solvers.blocks import BlockColumns, BlockRows, MemorySource
from sparsenmf.solvers.initialization import initialize_factors
from sparsenmf.solvers.layout import Layout
from sparsenmf.solvers.weights import Scaling

from .. import problems, reference
from ..grouped import grouped

KL = "kullback-leibler"

OPTIONS = [
    {},
    {"alpha_W": 1e-3, "alpha_H": 5e-4, "l1_ratio": 0.4},
    {"solver": CoordinateDescent(max_sweeps=1, extrapolate=False)},
    {"weights": Weights(samples=np.linspace(0.1, 2, 400), features=np.linspace(2, 0.2, 250))},
    {"seeds": Seeds({0: [3, 5], 1: [9]}, strength="support")},
    {"H": np.ones((2, 250)), "frozen_H": [1]},
    {"init": "nndsvd"},
    {"init": "nndsvda"},
    {"init": "nndsvdar"},
]

PENALTIES = {"alpha_W": 1e-3, "alpha_H": 5e-4, "l1_ratio": 0.4}

WEIGHTS = {"weights": Weights(samples=np.arange(400) % 4, features=np.linspace(2, 0.2, 250))}

OPTIONS += [
    {"solver": "mu", "loss": loss, **options}
    for loss in ("frobenius", KL)
    for options in (
        {},
        PENALTIES,
        WEIGHTS,
        {**WEIGHTS, **PENALTIES},
        {"init": "nndsvd"},
        {"seeds": Seeds({0: [3, 5], 1: [9]}, strength="support")},
        {"H": np.ones((2, 250)), "frozen_H": [1]},
        {"W": np.ones((400, 2)), "frozen_W": [0]},
    )
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
        problem, "MemorySource", lambda X: Pieces(X, [0, 1, 130, 152, 158, X.shape[0]])
    )


def name(options):
    return " ".join([*options, *(str(options[key]) for key in ("loss", "init") if key in options)])


@pytest.mark.parametrize("options", OPTIONS, ids=name)
def test_iterates_are_those_of_the_whole_matrix(X, options):
    options = {"random_state": 0, "max_iter": 15, "tol": 0, **options}
    whole, blocks = (
        factorize(X, 6, **options),
        factorize(X, 6, **grouped({**options, "low_memory": True})),
    )
    np.testing.assert_allclose(blocks.W, whole.W, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(blocks.H, whole.H, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(blocks.objective_history, whole.objective_history, rtol=1e-10)
    assert blocks.optimality == pytest.approx(whole.optimality, rel=1e-5)
    assert blocks.x_norm == pytest.approx(whole.x_norm, rel=1e-12)


@pytest.mark.parametrize("options", OPTIONS, ids=name)
def test_pieces_are_those_of_the_whole_matrix(X, options, in_pieces):
    options = {"random_state": 0, "max_iter": 15, "tol": 0, **options}
    whole, pieces = (
        factorize(X, 6, **options),
        factorize(X, 6, **grouped({**options, "low_memory": True})),
    )
    np.testing.assert_allclose(pieces.W, whole.W, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(pieces.H, whole.H, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(pieces.objective_history, whole.objective_history, rtol=1e-10)
    assert pieces.optimality == pytest.approx(whole.optimality, rel=1e-5)
    assert pieces.options == whole.options


@pytest.mark.parametrize("shape", [(60, 200), (200, 60)])
def test_a_start_from_the_svd_needs_no_transpose(shape, in_pieces):
    X = sp.random_array(shape, density=0.2, rng=np.random.default_rng(0), format="csr")
    X = sp.csr_array(sp.vstack([X, X, X]))
    rows = BlockRows(problem.MemorySource(X), Scaling(None, None, 2.0), 6)
    assert len(list(rows)) == 5
    for init in ("nndsvd", "nndsvdar"):
        starts = [
            initialize_factors(*sides, 6, init, np.random.default_rng(3), mean=X.mean())
            for sides in ((rows, BlockColumns(rows)), (make_rows(X, 6), make_rows(X.T.tocsr(), 6)))
        ]
        for factor, expected in zip(*starts, strict=True):
            np.testing.assert_allclose(factor, expected, atol=1e-9 * expected.max())


@pytest.mark.parametrize(
    "options", [{}, {"init": "nndsvd"}, {"solver": "mu"}, {"loss": KL}], ids=name
)
def test_same_bits_at_any_thread_count(options, in_pieces):
    X = problems.documents(2000, 250, dtype=np.float32)
    assert X.nnz * 24 > 500_000  # in parallel
    first, *others = (
        factorize(
            X,
            20,
            random_state=0,
            max_iter=4,
            n_threads=n,
            **grouped({**options, "low_memory": True}),
        )
        for n in (1, 2, 3)
    )
    for model in others:
        np.testing.assert_array_equal(model.W, first.W)
        np.testing.assert_array_equal(model.H, first.H)


def test_a_nearly_exact_fit_is_measured_from_its_residuals(in_pieces):
    X, W, H = problems.planted(dtype=np.float32)
    model = factorize(X, 5, W=W, H=H, max_iter=2, solver=CoordinateDescent(low_memory=True))
    residual = X.toarray().astype(float) - model.W.astype(float) @ model.H.astype(float)
    expected = np.linalg.norm(residual) / np.linalg.norm(X.toarray().astype(float))
    # The square is the difference of two float64 sums that are some 1e14 times as large.
    assert model.relative_error == pytest.approx(expected, rel=0.2)


def test_blocks_are_read_ahead_and_an_error_while_reading_is_seen(X):
    class Broken(Pieces):
        def rows(self, start, stop):
            if start == 152:
                raise OSError("the disk is gone")
            return super().rows(start, stop)

    broken = BlockRows(Broken(X, [0, 130, 152, 400]), Scaling(None, None, 2.0), 6)
    seen = []
    blocks = iter(broken)
    with pytest.raises(OSError, match="the disk is gone"):
        seen.extend((start, block.nnz) for start, _, block in blocks)
    assert seen == [(0, X[:130].nnz), (130, X[130:152].nnz)]


def test_tall_matrices_are_arranged_so_by_themselves(monkeypatch):
    monkeypatch.setattr(rows, "TALL_NNZ", 1000)
    rng = np.random.default_rng(0)
    for shape, layout in (((800, 90), Blocks), ((600, 90), Layout)):
        X = sp.random_array(shape, density=0.1, rng=rng, format="csr")
        tall, solver = Problem(X, 5, n_threads=1), CoordinateDescent()
        run = solver.start(tall, initialize(tall, solver, random_state=0))
        assert type(run.alternation.layout) is layout


@pytest.mark.parametrize("options", [{}, {"init": "nndsvd"}, {"solver": "mu"}, {"loss": KL}])
@pytest.mark.parametrize("matrix", problems.odd_matrices())
def test_odd_matrices(matrix, options, monkeypatch):
    X = problems.odd_matrices()[matrix]
    cuts = sorted({0, X.shape[0] // 2, X.shape[0] // 2 + 1, X.shape[0]})
    monkeypatch.setattr(problem, "MemorySource", lambda X: Pieces(X, cuts))
    solver = {"solver": "mu"} if "loss" in options else {}
    options = {"random_state": 0, "max_iter": 10, **options, **solver}
    whole, blocks = (
        factorize(X, 1, **options),
        factorize(X, 1, **grouped({**options, "low_memory": True})),
    )
    np.testing.assert_allclose(blocks.W @ blocks.H, whole.W @ whole.H, rtol=1e-6, atol=1e-9)
    assert blocks.relative_error == pytest.approx(whole.relative_error, rel=1e-6, abs=1e-7)


def test_what_needs_the_transpose_is_refused(X):
    with pytest.raises(ValueError, match=r'low_memory=True and .* need solver="mu", .*Mini'):
        factorize(X, 5, solver=CoordinateDescent(low_memory=True), loss=KL)
    with pytest.raises(ValueError, match=r"low_memory=True needs .*any other looks at all"):
        factorize(X, 5, solver=MultiplicativeUpdate(low_memory=True), loss=1.5)


class Passes(Pieces):
    """Counts how often each row is asked for."""

    def __init__(self, X, cuts):
        super().__init__(X, cuts)
        self.count = np.zeros(X.shape[0], int)

    def rows(self, start, stop):
        self.count[start:stop] += 1
        return super().rows(start, stop)


@pytest.mark.parametrize("options", [{}, {"solver": "mu"}, {"loss": KL}], ids=name)
def test_an_iteration_is_one_pass(X, options, monkeypatch):
    passes = []
    for max_iter in (5, 15):
        source = Passes(X, [0, 100, 300, 400])
        monkeypatch.setattr(problem, "MemorySource", lambda X, source=source: source)
        model = factorize(
            X, 5, tol=0, max_iter=max_iter, **grouped({**options, "low_memory": True})
        )
        assert model.n_iter == max_iter
        assert (source.count == source.count[0]).all()
        passes.append(source.count[0])
    assert passes[1] - passes[0] == 10


def test_what_is_reported_is_that_of_the_factors(X, in_pieces):
    penalties = {"alpha_W": 1e-3, "l1_ratio": 0.3}
    solver = MultiplicativeUpdate(low_memory=True)
    model = factorize(X, 5, loss=KL, solver=solver, random_state=0, max_iter=30, **penalties)
    assert (np.diff(model.objective_history) < 0).all()
    expected = reference.divergence(X.toarray(), model.W, model.H, 1, 1e-3, 1e-3, 0.3)
    assert model.objective == pytest.approx(expected, rel=1e-9)


def test_a_step_that_rounding_raises_is_not_taken(in_pieces):
    X, W, H = problems.planted(60, 40, 3)
    model = factorize(
        X, 3, W=W + 0.01, H=H + 0.01, solver=MultiplicativeUpdate(low_memory=True), loss=KL,
        tol=0, max_iter=40_000,
    )  # fmt: skip
    assert model.stop_reason == "precision"
    assert (np.diff(model.objective_history) <= 0).all()
    expected = reference.divergence(X.toarray(), model.W, model.H, 1)
    assert model.objective == pytest.approx(expected, rel=1e-6, abs=1e-10)


@pytest.mark.parametrize("seed", range(4))
def test_rounding_never_makes_a_loss_negative(seed, in_pieces):
    X, W, H = problems.planted(60, 40, 3, seed=seed)
    model = factorize(
        X, 3, W=W, H=H, solver=MultiplicativeUpdate(low_memory=True), loss=KL, max_iter=3, tol=0
    )
    assert (model.objective_history >= 0).all()
    assert model.objective == pytest.approx(0, abs=1e-10)


def test_a_pair_that_was_not_taken_is_proposed_again(in_pieces):
    """The pair after it is not proposed: a pass looks ahead from the pair that is kept."""
    X, W, H = problems.planted(60, 40, 3)
    proposed = []

    class Stubborn(Alternation):
        def _propose(self):
            new = super()._propose()
            if len(proposed) in (3, 4):
                new = new._replace(objective=np.inf)
            proposed.append((new.W.copy(), new.Ht.copy()))
            return new

        def iterate(self):
            super().iterate()
            self.stalled = False

    start = {
        "W": W + 0.01,
        "H": H + 0.01,
        "loss": KL,
        "solver": MultiplicativeUpdate(low_memory=True),
        "tol": 0,
    }
    with (
        mock.patch.object(algorithms, "Alternation", Stubborn),
        mock.patch("sparsenmf.solvers.alternation.check_overflow"),
    ):
        factorize(X, 3, max_iter=7, **start)
    for again in proposed[4:6]:
        for factor, expected in zip(again, proposed[3], strict=True):
            np.testing.assert_array_equal(factor, expected)
    assert (proposed[6][0] != proposed[5][0]).any()


def test_an_interrupt_within_a_pass_leaves_a_whole_iterate(X, monkeypatch):
    class Interrupting(Passes):
        def rows(self, start, stop):
            if start == 300 and self.count[300] == 7:
                self.count[300] += 1
                raise KeyboardInterrupt
            return super().rows(start, stop)

    monkeypatch.setattr(problem, "MemorySource", lambda X: Interrupting(X, [0, 100, 300, 400]))
    options = {"loss": KL, "solver": "mu", "random_state": 0, "tol": 0}
    model = factorize(X, 5, **grouped({**options, "low_memory": True}))
    assert model.stop_reason == "interrupted"
    assert 1 < model.n_iter < 7
    expected = factorize(X, 5, max_iter=model.n_iter, **options)
    np.testing.assert_allclose(model.W, expected.W, rtol=1e-9)
    np.testing.assert_allclose(model.H, expected.H, rtol=1e-9)
    assert model.objective == pytest.approx(expected.objective, rel=1e-12)
    assert model.optimality == pytest.approx(expected.optimality, rel=1e-6)


def test_a_callback_may_look_at_how_far_it_has_come(X, in_pieces):
    """The sums of the next iteration are found anew after something else has used them."""
    options = {"loss": KL, "solver": "mu", "random_state": 0, "max_iter": 6, "tol": 0}
    seen = []

    class Looking(Alternation):
        def iterate(self):
            super().iterate()
            seen.append(self.optimality())

    expected = factorize(X, 5, **grouped({**options, "low_memory": True}))
    with mock.patch.object(algorithms, "Alternation", Looking):
        model = factorize(X, 5, **grouped({**options, "low_memory": True}))
    np.testing.assert_array_equal(model.W, expected.W)
    assert seen[-1] == model.optimality == expected.optimality


def test_rows_know_their_size(X):
    assert make_rows(X, 5).nnz == X.nnz


def test_without_another_thread_blocks_are_read_in_this_one(X, in_pieces, monkeypatch):
    from sparsenmf.data import worker_threads as background

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    options = {"solver": CoordinateDescent(low_memory=True), "random_state": 0, "max_iter": 3}
    expected = factorize(X, 5, **options)
    monkeypatch.setattr(background.threading.Thread, "start", refuse)
    found = factorize(X, 5, **options)
    np.testing.assert_array_equal(found.W, expected.W)
