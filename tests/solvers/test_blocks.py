"""Solvers and starts over blocks of rows: the same as over a matrix and its transpose."""

import itertools
from unittest import mock

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import factorize
from sparsenmf.data import rows
from sparsenmf.data.entries import Entries
from sparsenmf.data.rows import make_rows
from sparsenmf.solvers import arrangement
from sparsenmf.solvers.alternation import Alternation
from sparsenmf.solvers.blocks import BlockColumns, BlockRows, Blocks, MemorySource
from sparsenmf.solvers.initialization import initialize
from sparsenmf.solvers.layout import Layout
from sparsenmf.solvers.weights import Weights

from .. import problems, reference

KL = "kullback-leibler"

OPTIONS = [
    {},
    {"alpha_W": 1e-3, "alpha_H": 5e-4, "l1_ratio": 0.4},
    {"extrapolate": False, "max_sweeps": 1},
    {"sample_weight": np.linspace(0.1, 2, 400), "feature_weight": np.linspace(2, 0.2, 250)},
    {"seeds": {0: [3, 5], 1: [9]}, "seeding": "support"},
    {"H": np.ones((2, 250)), "frozen_H": [1]},
    {"init": "nndsvd"},
    {"init": "nndsvda"},
    {"init": "nndsvdar"},
]

PENALTIES = {"alpha_W": 1e-3, "alpha_H": 5e-4, "l1_ratio": 0.4}

WEIGHTS = {"sample_weight": np.arange(400) % 4, "feature_weight": np.linspace(2, 0.2, 250)}

OPTIONS += [
    {"solver": "mu", "loss": loss, **options}
    for loss in ("frobenius", KL)
    for options in (
        {},
        PENALTIES,
        WEIGHTS,
        {**WEIGHTS, **PENALTIES},
        {"init": "nndsvd"},
        {"seeds": {0: [3, 5], 1: [9]}, "seeding": "support"},
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
def call_interruptibly(monkeypatch):
    """low_memory=True takes its matrix in pieces."""
    monkeypatch.setattr(
        arrangement, "MemorySource", lambda X: Pieces(X, [0, 1, 130, 152, 158, X.shape[0]])
    )


def name(options):
    return " ".join([*options, *(str(options[key]) for key in ("loss", "init") if key in options)])


@pytest.mark.parametrize("options", OPTIONS, ids=name)
def test_iterates_are_those_of_the_whole_matrix(X, options):
    options = {"random_state": 0, "max_iter": 15, "tol": 0, **options}
    whole, blocks = factorize(X, 6, **options), factorize(X, 6, low_memory=True, **options)
    np.testing.assert_allclose(blocks.W, whole.W, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(blocks.H, whole.H, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(blocks.objective_history, whole.objective_history, rtol=1e-10)
    assert blocks.optimality == pytest.approx(whole.optimality, rel=1e-5)
    assert blocks.x_norm == pytest.approx(whole.x_norm, rel=1e-12)


@pytest.mark.parametrize("options", OPTIONS, ids=name)
def test_pieces_are_those_of_the_whole_matrix(X, options, call_interruptibly):
    options = {"random_state": 0, "max_iter": 15, "tol": 0, **options}
    whole, pieces = factorize(X, 6, **options), factorize(X, 6, low_memory=True, **options)
    np.testing.assert_allclose(pieces.W, whole.W, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(pieces.H, whole.H, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(pieces.objective_history, whole.objective_history, rtol=1e-10)
    assert pieces.optimality == pytest.approx(whole.optimality, rel=1e-5)
    assert pieces.options == whole.options


@pytest.mark.parametrize("shape", [(60, 200), (200, 60)])
def test_a_start_from_the_svd_needs_no_transpose(shape, call_interruptibly):
    X = sp.random_array(shape, density=0.2, rng=np.random.default_rng(0), format="csr")
    X = sp.csr_array(sp.vstack([X, X, X]))
    rows = BlockRows(arrangement.MemorySource(X), Weights(None, None, 2.0), 6)
    assert len(list(rows)) == 5
    for init in ("nndsvd", "nndsvdar"):
        starts = [
            initialize(*sides, 6, init, np.random.default_rng(3), mean=X.mean())
            for sides in ((rows, BlockColumns(rows)), (make_rows(X, 6), make_rows(X.T.tocsr(), 6)))
        ]
        for factor, expected in zip(*starts, strict=True):
            np.testing.assert_allclose(factor, expected, atol=1e-9 * expected.max())


@pytest.mark.parametrize(
    "options", [{}, {"init": "nndsvd"}, {"solver": "mu"}, {"loss": KL}], ids=name
)
def test_same_bits_at_any_thread_count(options, call_interruptibly):
    X = problems.documents(2000, 250, dtype=np.float32)
    assert X.nnz * 24 > 500_000  # in parallel
    first, *others = (
        factorize(X, 20, low_memory=True, random_state=0, max_iter=4, n_threads=n, **options)
        for n in (1, 2, 3)
    )
    for model in others:
        np.testing.assert_array_equal(model.W, first.W)
        np.testing.assert_array_equal(model.H, first.H)


def test_a_nearly_exact_fit_is_measured_from_its_residuals(call_interruptibly):
    X, W, H = problems.planted(dtype=np.float32)
    model = factorize(X, 5, W=W, H=H, max_iter=2, low_memory=True)
    residual = X.toarray().astype(float) - model.W.astype(float) @ model.H.astype(float)
    expected = np.linalg.norm(residual) / np.linalg.norm(X.toarray().astype(float))
    # The square is the difference of two sums of float64, some 1e14 times as large.
    assert model.relative_error == pytest.approx(expected, rel=0.2)


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
    for shape, layout in (((800, 90), Blocks), ((600, 90), Layout)):
        X = sp.random_array(shape, density=0.1, rng=rng, format="csr")
        arranged = arrangement.arrange(
            X, Entries(None, 1.0), Weights(None, None, 2.0), 5, 2, "cd", "random", rng,
            W=None, H=None, low_memory=False, n_threads=1,
        )  # fmt: skip
        assert arranged.layout is layout


@pytest.mark.parametrize("options", [{}, {"init": "nndsvd"}, {"solver": "mu"}, {"loss": KL}])
@pytest.mark.parametrize("matrix", problems.odd_matrices())
def test_odd_matrices(matrix, options, monkeypatch):
    X = problems.odd_matrices()[matrix]
    cuts = sorted({0, X.shape[0] // 2, X.shape[0] // 2 + 1, X.shape[0]})
    monkeypatch.setattr(arrangement, "MemorySource", lambda X: Pieces(X, cuts))
    solver = {"solver": "mu"} if "loss" in options else {}
    options = {"random_state": 0, "max_iter": 10, **options, **solver}
    whole, blocks = factorize(X, 1, **options), factorize(X, 1, low_memory=True, **options)
    np.testing.assert_allclose(blocks.W @ blocks.H, whole.W @ whole.H, rtol=1e-6, atol=1e-9)
    assert blocks.relative_error == pytest.approx(whole.relative_error, rel=1e-6, abs=1e-7)


def test_what_needs_the_transpose_is_refused(X):
    with pytest.raises(ValueError, match=r'low_memory=True and .* need solver="mu", .*Mini'):
        factorize(X, 5, low_memory=True, loss=KL, solver="cd")
    with pytest.raises(ValueError, match=r"low_memory=True needs .*any other looks at all"):
        factorize(X, 5, low_memory=True, loss=1.5)


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
        monkeypatch.setattr(arrangement, "MemorySource", lambda X, source=source: source)
        model = factorize(X, 5, low_memory=True, tol=0, max_iter=max_iter, **options)
        assert model.n_iter == max_iter
        assert (source.count == source.count[0]).all()
        passes.append(source.count[0])
    assert passes[1] - passes[0] == 10


def test_what_is_reported_is_that_of_the_factors(X, call_interruptibly):
    penalties = {"alpha_W": 1e-3, "l1_ratio": 0.3}
    model = factorize(X, 5, low_memory=True, loss=KL, random_state=0, max_iter=30, **penalties)
    assert model.options["solver"] == "mu"
    assert (np.diff(model.objective_history) < 0).all()
    expected = reference.divergence(X.toarray(), model.W, model.H, 1, 1e-3, 1e-3, 0.3)
    assert model.objective == pytest.approx(expected, rel=1e-9)


def test_a_step_that_rounding_raises_is_not_taken(call_interruptibly):
    X, W, H = problems.planted(60, 40, 3)
    model = factorize(
        X, 3, W=W + 0.01, H=H + 0.01, low_memory=True, loss=KL, tol=0, max_iter=40_000
    )
    assert model.stop_reason == "precision"
    assert (np.diff(model.objective_history) <= 0).all()
    expected = reference.divergence(X.toarray(), model.W, model.H, 1)
    assert model.objective == pytest.approx(expected, rel=1e-6, abs=1e-10)


@pytest.mark.parametrize("seed", range(4))
def test_rounding_never_makes_a_loss_negative(seed, call_interruptibly):
    X, W, H = problems.planted(60, 40, 3, seed=seed)
    model = factorize(X, 3, W=W, H=H, low_memory=True, loss=KL, max_iter=3, tol=0)
    assert (model.objective_history >= 0).all()
    assert model.objective == pytest.approx(0, abs=1e-10)


def test_a_pair_that_was_not_taken_is_proposed_again(call_interruptibly):
    """And not the one after it: what a pass is ahead of is the pair that is kept."""
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

    start = {"W": W + 0.01, "H": H + 0.01, "loss": KL, "low_memory": True, "tol": 0}
    with (
        mock.patch.object(arrangement, "Alternation", Stubborn),
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

    monkeypatch.setattr(arrangement, "MemorySource", lambda X: Interrupting(X, [0, 100, 300, 400]))
    options = {"loss": KL, "solver": "mu", "random_state": 0, "tol": 0}
    model = factorize(X, 5, low_memory=True, **options)
    assert model.stop_reason == "interrupted"
    assert 1 < model.n_iter < 7
    expected = factorize(X, 5, max_iter=model.n_iter, **options)
    np.testing.assert_allclose(model.W, expected.W, rtol=1e-9)
    np.testing.assert_allclose(model.H, expected.H, rtol=1e-9)
    assert model.objective == pytest.approx(expected.objective, rel=1e-12)
    assert model.optimality == pytest.approx(expected.optimality, rel=1e-6)


def test_a_callback_may_look_at_how_far_it_has_come(X, call_interruptibly):
    """The sums of the next iteration are found anew after something else has used them."""
    options = {"loss": KL, "solver": "mu", "random_state": 0, "max_iter": 6, "tol": 0}
    seen = []

    class Looking(Alternation):
        def iterate(self):
            super().iterate()
            seen.append(self.optimality())

    expected = factorize(X, 5, low_memory=True, **options)
    with mock.patch.object(arrangement, "Alternation", Looking):
        model = factorize(X, 5, low_memory=True, **options)
    np.testing.assert_array_equal(model.W, expected.W)
    assert seen[-1] == model.optimality == expected.optimality


def test_rows_know_their_size(X):
    assert make_rows(X, 5).nnz == X.nnz


def test_without_another_thread_blocks_are_read_in_this_one(X, call_interruptibly, monkeypatch):
    from sparsenmf.data import worker_threads as background

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    options = {"low_memory": True, "random_state": 0, "max_iter": 3}
    expected = factorize(X, 5, **options)
    monkeypatch.setattr(background.threading.Thread, "start", refuse)
    found = factorize(X, 5, **options)
    np.testing.assert_array_equal(found.W, expected.W)
