"""Numbers at the edges: any scale, one giant entry, no rank, one row: finite, or refused."""

import itertools
import re
import sys

import numpy as np
import pytest
import scipy.sparse as sp

import sparsenmf
from sparsenmf import factorize
from sparsenmf.solvers.penalties import make_penalty

from ..children import finish_child, start_child
from ..grouped import grouped

SOLVERS = [
    ("cd", "frobenius"),
    ("mu", "frobenius"),
    ("cd", "kullback-leibler"),
    ("mu", "kullback-leibler"),
    ("mu", 1.5),
    ("mu", 0.5),
    ("mu", 3.0),
]

solvers = pytest.mark.parametrize(("solver", "loss"), SOLVERS)
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def random_matrix(dtype, exponent=0):
    X = sp.random_array((60, 40), density=0.3, rng=0, format="csr").astype(np.float32)
    X = X.astype(dtype)
    with np.errstate(over="ignore", under="ignore"):
        X.data = np.ldexp(X.data, exponent)
    return X


def fit(X, n_components, solver, loss, **options):
    options = {"random_state": 0, "max_iter": 40, "tol": 0, **options}
    return factorize(X, n_components, solver=solver, loss=loss, **options)


def assert_sound(model):
    """Finite, non-negative, no denormal numbers, and an objective that never rises."""
    for factor in (model.W, model.H):
        assert np.isfinite(factor).all()
        assert (factor >= 0).all()
        assert not denormals(factor)
    history = model.objective_history
    assert np.isfinite(history).all()
    assert (history >= 0).all()
    assert (np.diff(history) <= 1e-12 * history[:-1]).all()
    assert np.isfinite(model.optimality)
    assert np.isfinite(model.relative_error)


def denormals(factor):
    """How many entries are too small for a normal number, which makes arithmetic slow."""
    return int(((factor > 0) & (factor < np.finfo(factor.dtype).tiny)).sum())


# Any scale gives the same bits, except for what is flushed to zero, or is refused.

EXPONENTS = {np.float32: (-48, -24, 24, 46), np.float64: (-330, -200, -48, 48, 200, 330)}


@solvers
@dtypes
def test_a_power_of_two_scales_the_result(solver, loss, dtype):
    plain = fit(random_matrix(dtype), 4, solver, loss)
    for exponent in EXPONENTS[dtype]:
        model = fit(random_matrix(dtype, exponent), 4, solver, loss)
        assert_sound(model)
        assert model.stop_reason == plain.stop_reason
        assert model.n_iter == plain.n_iter
        for factor, expected in ((model.W, plain.W), (model.H, plain.H)):
            scaled = np.ldexp(expected.astype(float), exponent // 2)
            # Cubes of small single precision numbers lose their last bits.
            rtol = 1e-4 if (loss, dtype) == (3.0, np.float32) else 1e-12
            np.testing.assert_allclose(factor, scaled, rtol=rtol, atol=1e-25 * scaled.max())
        assert model.relative_error == pytest.approx(plain.relative_error, rel=1e-6)
        T = model.transform(random_matrix(dtype, exponent))
        np.testing.assert_allclose(
            T, np.ldexp(plain.transform(random_matrix(dtype)).astype(float), exponent // 2),
            rtol=1e-4, atol=1e-9 * T.max(),  # it ends by a tolerance, perhaps a step later
        )  # fmt: skip


@solvers
@dtypes
def test_what_is_out_of_range_is_refused(solver, loss, dtype):
    for exponent in {np.float32: (-130, -60, 60, 127), np.float64: (-1000, -340, 340, 1000)}[dtype]:
        with pytest.raises(ValueError, match="multiply X by a constant"):
            fit(random_matrix(dtype, exponent), 4, solver, loss)


@solvers
@dtypes
def test_new_samples_of_any_scale_are_transformed_or_refused(solver, loss, dtype):
    model = fit(random_matrix(dtype), 4, solver, loss, max_iter=5)
    plain = model.transform(random_matrix(dtype)).astype(float)
    refused = 0
    for exponent in {np.float32: range(-140, 128, 12), np.float64: range(-1060, 1024, 90)}[dtype]:
        X = random_matrix(dtype, exponent)
        try:
            W = model.transform(X)
            assert np.isfinite(model.loss(X))
        except ValueError as error:
            # pytest.raises would demand an error, but most of these scales are within the range.
            assert re.search("out of the range|do not fit into", str(error))  # noqa: PT017
            assert abs(exponent) > (46 if dtype == np.float32 else 200)
            refused += 1
        else:
            expected = np.ldexp(plain, exponent)
            np.testing.assert_allclose(W, expected, rtol=1e-2, atol=1e-2 * expected.max())
    assert refused


@dtypes
@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
def test_a_batch_out_of_range_is_refused_and_leaves_the_stream_as_it_was(loss, dtype):
    pytest.importorskip("sklearn")
    X = random_matrix(dtype)
    found = []
    for exponent in (None, 127 if dtype == np.float32 else 1022):
        estimator = sparsenmf.MiniBatchNMF(4, beta_loss=loss, random_state=0)
        for _ in range(2):
            estimator.partial_fit(X)
        if exponent is not None:
            with pytest.raises(ValueError, match=r"out of the range|do not fit into"):
                estimator.partial_fit(random_matrix(dtype, exponent))
        found.append(estimator.partial_fit(X))
    assert found[0].components_.tobytes() == found[1].components_.tobytes()
    assert found[0].n_samples_seen_ == found[1].n_samples_seen_ == 180
    assert np.isfinite(found[1].components_).all()


def test_a_stream_whose_first_batch_is_out_of_range_is_refused():
    pytest.importorskip("sklearn")
    X = random_matrix(np.float32, -120)
    for call in (lambda e: e.fit(iter([X])), lambda e: e.partial_fit(X), lambda e: e.fit(X)):
        with pytest.raises(ValueError, match="multiply X by a constant"):
            call(sparsenmf.MiniBatchNMF(4))


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
@pytest.mark.parametrize("name", ["sample_weight", "feature_weight"])
def test_weights_of_any_size_work_or_are_refused(name, loss):
    X = random_matrix(np.float32)
    weights = np.ones(60 if name == "sample_weight" else 40)
    for weight in 10.0 ** np.arange(-301, 301, 8):
        weights[3] = weight
        if abs(np.log10(weight)) > (30 if loss == "frobenius" else 15):
            with pytest.raises(
                ValueError, match=f"weights.{name[:-7]}s has values from .* must lie between"
            ):
                fit(X, 4, "cd", loss, max_iter=5, **grouped({name: weights}))
        else:
            assert_sound(fit(X, 4, "cd", loss, max_iter=5, **grouped({name: weights})))


@solvers
def test_penalties_of_any_size_give_a_sound_result(solver, loss):
    for alpha, l1_ratio in itertools.product((1e-300, 1e-30, 1e30, 1e100), (0.0, 0.5, 1.0)):
        model = fit(random_matrix(np.float64), 4, solver, loss, alpha_W=alpha, l1_ratio=l1_ratio)
        assert_sound(model)


# Degenerate matrices.


def degenerate():
    rng = np.random.default_rng(0)
    plain = random_matrix(np.float64).toarray()
    giant, tiny, wide = plain.copy(), plain.copy(), plain.copy()
    giant[3, 4], tiny[3, 4] = 1e12, 1e-14
    wide[wide > 0] = 10.0 ** rng.uniform(-12, 12, (wide > 0).sum())
    return {
        "one giant entry": giant,
        "one tiny entry": tiny,
        "many magnitudes": wide,
        "constant": np.full((30, 20), 3.0),
        "equal rows": np.tile(rng.random((1, 20)) * (rng.random((1, 20)) < 0.5), (30, 1)),
        "equal columns": np.tile(rng.random((20, 1)), (1, 15)),
        "rank one": np.outer(rng.random(30), rng.random(20)),
        "identity": np.eye(20),
        "1 x 1": np.array([[2.0]]),
        "one row": rng.random((1, 20)),
        "one column": rng.random((20, 1)),
        "one entry": np.eye(9, 7) * (np.arange(9) == 4)[:, None],
        "zero": np.zeros((10, 8)),
    }


@solvers
@dtypes
@pytest.mark.parametrize("name", degenerate())
def test_degenerate_matrices_have_sound_factorizations(name, solver, loss, dtype):
    dense = degenerate()[name].astype(dtype)
    X = sp.csr_array(dense)
    for n_components in sorted({1, min(3, *X.shape), min(X.shape)}):
        for penalties in ({}, {"alpha_W": 0.01, "l1_ratio": 0.5}):
            model = fit(X, n_components, solver, loss, **penalties)
            assert_sound(model)
            assert np.isfinite(model.transform(X)).all()
        if name == "zero":
            assert model.objective == 0
    if min(X.shape) == 1 and loss == "frobenius":  # of rank one: the fit is exact
        exact = fit(X, 1, solver, loss, max_iter=200)
        assert exact.relative_error < (1e-4 if dtype == np.float32 else 1e-7)


def child_empty_rows(n_rows, limit):
    X = sp.csr_array(([1.0, 2.0], [0, 3], np.r_[0, np.full(n_rows, 2)]), shape=(n_rows, 5))
    model = factorize(X.astype(np.float32), 2, random_state=0, max_iter=3, tol=0)
    assert_sound(model)
    assert model.W[1:].max() < 1e-9 * model.W[0].max()  # rounding of the first sweep, at most
    assert not model.transform(X)[1:].any()
    # Not ru_maxrss, which begins at what the parent has had.
    with open("/proc/self/status") as file:
        peak = next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))
    assert peak < limit, f"{peak:.0f} MB"


@pytest.mark.parametrize(
    ("n_rows", "megabytes"), [(10**6, 900), pytest.param(10**7, 3500, marks=pytest.mark.long)]
)
def test_millions_of_empty_rows(n_rows, megabytes):
    if sys.platform != "linux":
        pytest.skip("peak memory is read from /proc")
    finish_child(start_child(child_empty_rows, n_rows, megabytes))


@solvers
@dtypes
def test_no_denormal_numbers_after_many_iterations(solver, loss, dtype):
    """Entries that shrink in every multiplicative update end at zero, not in the slow range."""
    n_iter = 1500 if isinstance(loss, str) else 200  # the others are slow as it is
    for exponent in (0, *EXPONENTS[dtype]):
        model = fit(random_matrix(dtype, exponent), 6, solver, loss, max_iter=n_iter)
        assert_sound(model)


@dtypes
@pytest.mark.parametrize("each", ["l1", "l2", "both", "none"])
def test_a_penalty_is_its_definition(rng, dtype, each):
    """There is one weight for all rows or one for each, and squares of factors may overflow."""
    weights = rng.random((2, 700))
    l1 = weights[0] if each in ("l1", "both") else weights[0, :1]
    l2 = weights[1] if each in ("l2", "both") else weights[1, :1]
    penalty = make_penalty(0, 0, 24)._replace(l1=l1, l2=l2)
    for scale in (1, 1e25):
        factor = (scale * rng.random((700, 24))).astype(dtype)
        wide = factor.astype(float)
        expected = (l1[:, None] * wide).sum() + 0.5 * (l2[:, None] * wide**2).sum()
        assert penalty.value(factor) == pytest.approx(expected, rel=1e-6)
    assert make_penalty(0, 0, 24).value(factor) == 0
