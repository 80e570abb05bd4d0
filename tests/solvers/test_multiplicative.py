"""Multiplicative updates against the textbook, scikit-learn, and their own promises."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import factorize
from sparsenmf.kernels.multiplicative import CHUNK
from sparsenmf.solvers.losses import make_loss
from sparsenmf.solvers.row_update.divergences import exponent

from .. import problems, reference

BETAS = pytest.mark.parametrize("beta", [-0.7, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0])
PENALTIES = [{}, {"alpha_W": 1e-3, "alpha_H": 5e-4, "l1_ratio": 0.4}]


def make_problem(beta, dtype=float, n_components=4):
    rng = np.random.default_rng(0)
    X = rng.poisson(0.7, (60, 45)) * rng.gamma(2.0, size=(60, 45))
    if beta <= 0:
        X += 0.1  # the divergence of zero is infinite
    W, H = rng.random((60, n_components)), rng.random((n_components, 45))
    W[3, 1] = H[0, 5] = 0
    return sp.csr_array(X.astype(dtype)), W.astype(dtype), H.astype(dtype)


def run(X, W, H, beta, **options):
    options = {"tol": 0, "max_iter": 1, **options}
    return factorize(X, W.shape[1], W=W, H=H, loss=beta, solver="mu", **options)


def in_order(model, W, H):
    """The factors in the order of the start: by the nearest rows of H."""
    similarity = model.H @ H.T / np.linalg.norm(model.H, axis=1)[:, None]
    order = np.argsort(np.argmax(similarity / np.linalg.norm(H, axis=1), axis=1))
    return model.W[:, order], model.H[order]


@BETAS
@pytest.mark.parametrize("penalties", PENALTIES)
def test_one_iteration_equals_reference(beta, penalties):
    X, W, H = make_problem(beta)
    weights = {"l1_W": 0, "l2_W": 0, "l1_H": 0, "l2_H": 0}
    if penalties:
        l1, a, b = penalties["l1_ratio"], penalties["alpha_W"] * 45, penalties["alpha_H"] * 60
        weights = {"l1_W": a * l1, "l2_W": a * (1 - l1), "l1_H": b * l1, "l2_H": b * (1 - l1)}
    dense = X.toarray()
    new_W = reference.update_rows_mu(dense, H.T, beta, weights["l1_W"], weights["l2_W"], W)
    new_H = reference.update_rows_mu(dense.T, new_W, beta, weights["l1_H"], weights["l2_H"], H.T).T
    model = run(X, W, H, beta, **penalties)
    found_W, found_H = in_order(model, new_W, new_H)
    np.testing.assert_allclose(found_W, new_W, rtol=1e-9)
    np.testing.assert_allclose(found_H, new_H, rtol=1e-9)
    expected = reference.divergence(dense, new_W, new_H, beta, **penalties)
    assert model.objective == pytest.approx(expected, rel=1e-9)
    assert found_W[3, 1] == found_H[0, 5] == 0  # locked


@BETAS
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_as_scikit_learn_after_thirty_iterations(beta, dtype):
    decomposition = pytest.importorskip("sklearn.decomposition")
    X, W, H = make_problem(beta, dtype)
    theirs = decomposition.NMF(
        4, solver="mu", beta_loss=beta, init="custom", tol=0, max_iter=30, alpha_W=1e-4
    )
    W_ref = theirs.fit_transform(X.toarray(), W=W.copy(), H=H.copy())
    expected = reference.divergence(X.toarray(), W_ref, theirs.components_, beta, 1e-4, 1e-4)
    model = run(X, W, H, beta, max_iter=30, alpha_W=1e-4)
    assert model.objective == pytest.approx(expected, rel=1e-4 if dtype == np.float32 else 1e-6)


@BETAS
@pytest.mark.parametrize("penalties", PENALTIES)
def test_never_rises(beta, penalties):
    X, W, H = make_problem(beta)
    model = run(X, W, H, beta, max_iter=80, **penalties)
    assert (np.diff(model.objective_history) <= 0).all()
    expected = reference.divergence(X.toarray(), model.W, model.H, beta, **penalties)
    assert model.objective == pytest.approx(expected, rel=1e-9)
    longer = run(X, W, H, beta, max_iter=500, **penalties)
    assert longer.optimality < model.optimality / 2


@pytest.mark.parametrize(
    ("beta", "dtype"),
    [
        *((beta, np.float32) for beta in (-0.7, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0)),
        *((beta, np.float64) for beta in (0.5, 1.0, 2.0)),
    ],
)
def test_same_bits_at_any_thread_count(beta, dtype):
    rng = np.random.default_rng(1)
    X = sp.csr_array((rng.poisson(0.5, (400, 300)) + (beta <= 0)).astype(dtype))
    models = [
        factorize(X, 5, loss=beta, solver="mu", random_state=0, max_iter=4, tol=0, n_threads=n)
        for n in (1, 2, 3)
    ]
    for model in models[1:]:
        np.testing.assert_array_equal(model.W, models[0].W)
        np.testing.assert_array_equal(model.H, models[0].H)
        np.testing.assert_array_equal(model.objective_history, models[0].objective_history)


@BETAS
def test_transform_is_the_same_problem_as_in_the_fit(beta):
    X, W, H = make_problem(beta)
    model = run(X, W, H, beta, max_iter=1500, tol=1e-10)
    fitted = reference.divergence(X.toarray(), model.W, model.H, beta)
    found = reference.divergence(X.toarray(), model.transform(X, tol=1e-7), model.H, beta)
    assert found <= (1.001 if beta >= 0 else 1.1) * fitted  # below 0 there are local optima
    part = X[:3].toarray()  # losses without coordinate descent: each row on its own, nearly
    alone, among = model.transform(X[:3], tol=1e-7), model.transform(X, tol=1e-7)[:3]
    expected = reference.divergence(part, among, model.H, beta)
    assert reference.divergence(part, alone, model.H, beta) == pytest.approx(expected, rel=2e-3)


def test_solver_is_chosen_by_the_loss():
    X, W, H = make_problem(0.5)
    for loss, solver in (("frobenius", "cd"), (1, "cd"), (0.5, "mu")):
        model = factorize(X, 4, loss=loss, W=W, H=H, max_iter=2)
        assert model.options["solver"] == solver
    assert factorize(X, 4, loss=2.0, W=W, H=H, max_iter=2).options["loss"] == "frobenius"


def test_nndsvd_zeros_are_filled_since_they_would_be_locked():
    X = problems.documents(200, 150)
    model = factorize(X, 4, init="nndsvd", solver="mu", max_iter=1, random_state=0)
    assert (model.W > 0).mean() > 0.99
    assert (factorize(X, 4, init="nndsvd", max_iter=1, random_state=0).W == 0).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": 0.5, "solver": "cd"}, r'solver="cd" minimises .* take solver="mu"'),
        ({"loss": 1.5, "solver": "cd"}, r'take solver="mu"'),
        ({"loss": "itakura-saito"}, "is infinite where X is zero"),
        ({"loss": -1}, "is infinite where X is zero"),
        ({"loss": "kl"}, "loss must be one of 'frobenius', 'kullback-leibler'"),
        ({"loss": float("nan")}, "a finite number beta, not nan"),
        ({"loss": True}, "loss must be one of"),
        ({"solver": "als"}, "solver must be one of 'cd', 'mu'"),
    ],
)
def test_impossible_combinations_are_refused_with_those_that_work(options, message):
    X = problems.documents(30, 20)
    with pytest.raises(ValueError, match=message):
        factorize(X, 2, **options)


@BETAS
def test_constants_of_the_loss(beta):
    X, _, _ = make_problem(beta)
    loss = make_loss(beta, X.data, X.shape)
    powers = np.sum(X.data**beta)
    assert loss.scale == pytest.approx(powers / 2 if beta == 2 else powers)
    assert loss.relative(loss.scale) == pytest.approx(1)
    assert make_loss(beta, X.data[:0], X.shape).relative(1.0) == 0


NEAR = (1e-3, 1e-6, 1e-9, 1e-11)
ROUNDED = {
    "itakura-saito": (np.arange(-1, 1, 0.1)[10], -1e-16, 1e-14),
    "kullback-leibler": (sum([0.1] * 10), 1 + 1e-15, np.float32(1)),
    "frobenius": (sum([0.1] * 20), 2 - 1e-15),
}


def cases_near(centre):
    """Return betas around a named one, and a matrix for which they have a divergence."""
    X, W, H = make_problem(-1 if centre == 0 else 1)
    betas = [centre + sign * step for step in NEAR for sign in (-1, 1)]
    return X, W, H, [*betas, centre + 0.499, centre + 0.501]


@pytest.mark.parametrize("centre", [0, 1, 2])
@pytest.mark.parametrize("unequal", [None, "weights", "unknown", "both"])
def test_objectives_and_updates_near_a_named_beta(centre, unequal):
    """The usual form x^beta / beta / (beta - 1) loses all digits near zero and one."""
    X, W, H, betas = cases_near(centre)
    options, V = {}, np.ones(X.shape)
    if unequal in ("weights", "both"):
        options["weights"] = X.copy()
        options["weights"].data = np.random.default_rng(1).random(X.nnz) + 0.5
        V = np.where(X.toarray() > 0, options["weights"].toarray(), 1.0)
    if unequal in ("unknown", "both"):
        options["missing"] = "unknown"
        V = V * (X.toarray() > 0)
    dense = X.toarray()
    for beta in betas:
        new_W = reference.update_rows_mu(dense, H.T, beta, 0, 0, W, V)
        new_H = reference.update_rows_mu(dense.T, new_W, beta, 0, 0, H.T, V.T).T
        model = run(X, W, H, beta, **options)
        found_W, found_H = in_order(model, new_W, new_H)
        np.testing.assert_allclose(found_W, new_W, rtol=1e-9)
        np.testing.assert_allclose(found_H, new_H, rtol=1e-9)
        expected = reference.weighted_divergence(dense, V, new_W, new_H, beta)
        assert model.objective == pytest.approx(expected, rel=1e-9), beta
        assert model.options["loss"] == beta


@pytest.mark.parametrize("centre", [0, 1, 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_fit_is_continuous_in_beta(centre, dtype):
    X, W, H, betas = cases_near(centre)
    X, W, H = (A.astype(dtype) for A in (X, W, H))
    at = run(X, W, H, centre, max_iter=30)
    slope = 30 * at.objective  # of the loss, per beta, at most
    for beta in betas:
        model, step = run(X, W, H, beta, max_iter=30), abs(beta - centre)
        if centre == 0 and beta > 0:
            assert (X.data > 0).all()  # else it is infinite at zero
        assert (np.diff(model.objective_history) <= 0).all()
        assert abs(model.objective - at.objective) <= slope * step + 1e-5 * at.objective
        loss = model.loss(X)
        expected = reference.divergence(X.toarray(), model.transform(X), model.H, beta)
        assert loss == pytest.approx(expected, rel=1e-4)
        if centre < 2 and step < 1e-5:  # that of the Frobenius norm is another measure
            assert model.optimality == pytest.approx(at.optimality, rel=1e-2, abs=1e-6)


@pytest.mark.parametrize("name", ROUNDED)
def test_a_beta_within_rounding_of_a_named_loss_is_that_loss(name):
    X, _, _ = make_problem(-1)
    expected = factorize(X, 4, loss=name, random_state=0, max_iter=20)
    for beta in ROUNDED[name]:
        model = factorize(X, 4, loss=beta, random_state=0, max_iter=20)
        assert model.options == expected.options
        np.testing.assert_array_equal(model.W, expected.W)
        assert model.objective == expected.objective


@pytest.mark.parametrize("beta", [1e-9, 1e-3, 0.3, 0.7])
def test_zeros_of_X_have_their_exact_cost(beta):
    """Near beta = 0 that is about 1 / beta each, and must not swamp the other entries."""
    X, W, H = make_problem(1)
    model = run(X, W, H, beta)
    expected = reference.divergence(X.toarray(), model.W, model.H, beta)
    assert model.objective == pytest.approx(expected, rel=1e-12)


def test_exponents_are_the_published_ones():
    published = {-1: 1 / 3, 0: 1 / 2, 0.5: 2 / 3, 1: 1, 1.5: 1, 2: 1, 3: 1 / 2}
    for beta, gamma in published.items():
        assert exponent(beta) == pytest.approx(gamma)


@pytest.mark.parametrize("n_columns", [CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 1])
def test_columns_are_summed_in_whole_chunks_and_what_is_left(n_columns):
    rng = np.random.default_rng(0)
    X = rng.gamma(1.0, size=(5, n_columns))
    W, H = rng.random((5, 2)), rng.random((2, n_columns))
    model = run(sp.csr_array(X), W, H, 1.5)
    new_W = reference.update_rows_mu(X, H.T, 1.5, 0, 0, W)
    new_H = reference.update_rows_mu(X.T, new_W, 1.5, 0, 0, H.T).T
    expected = reference.divergence(X, new_W, new_H, 1.5)
    assert model.objective == pytest.approx(expected, rel=1e-9)
