"""Random problems, judged by `tests.oracle`: nothing here asks the package what is right.

SPARSENMF_ORACLE multiplies how many problems there are, and SPARSENMF_ORACLE_FROM is the number
of the first one. A failure names its number: ``pytest tests/oracle/test_oracle.py -k "fit[123]"``.
"""

import os
import warnings
from dataclasses import replace

import numpy as np
import pytest

import sparsenmf
from sparsenmf.data import rows

from ..grouped import grouped
from . import draws as draws
from . import judge as oracle
from .draws import draw

pytest.importorskip("sklearn")

TIMES = float(os.environ.get("SPARSENMF_ORACLE", "1"))

FIRST = int(os.environ.get("SPARSENMF_ORACLE_FROM", "0"))

GAP = 2e-2  # share of the objective that single coordinates may still gain at the end

GAP_OF_SIZE = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-7}

LOST = 0.15  # share of what the peers gain over a constant fit


def numbers(count):
    return range(FIRST, FIRST + max(1, int(count * TIMES)))


def strictly(function, *args, **options):
    """Call a function that must not warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return function(*args, **options)


def fit(case, folder=None, **options):
    X, options = case.X, {**case.options, **options}
    if case.arrangement == "store":
        both_sides = (case.problem.beta, options["solver"]) == (1, "cd")
        X = sparsenmf.write_csr(folder / "store", X, overwrite=True, both_sides=both_sides)
    if case.arrangement == "low_memory":
        options["low_memory"] = True
    with pytest.MonkeyPatch.context() as patch:
        if case.arrangement == "mixed":  # as large problems in double precision are
            patch.setattr(rows, "SINGLE_WORK", 0)
        if case.arrangement == "tall":  # as problems with many samples are
            patch.setattr(rows, "TALL", 1)
            patch.setattr(rows, "TALL_NNZ", 0)
        return strictly(sparsenmf.factorize, X, case.n_components, **grouped(options))


def tolerance(problem, model, objective, *, single):
    """How far a reported objective may be from the literal one, by rounding."""
    Y = model.W.astype(float) @ model.H.astype(float)
    # The sum over all entries of W H, which includes those of weight zero.
    allowed = 1e-14 * float((Y**2).sum() if problem.beta == 2 else Y.sum())
    allowed += (1e-4 if single else 1e-8) * objective
    return allowed + (2e-5 if single else 1e-10) * problem.size


def faults(case, model, folder):
    """Yield all that is wrong with a result."""
    # A run that ends before it has reached double precision has seven digits.
    single = case.arrangement == "mixed" and "max_iter" in case.options
    yield from faults_of_factors(case.problem, model, single=single)
    yield from faults_of_dead(case.problem, model)
    yield from faults_at_the_end(case.problem, model, mu=case.options["solver"] == "mu")
    yield from faults_of_quality(case, model, folder)
    yield from faults_of_transform(case, model)


def faults_of_factors(problem, model, *, single=False):
    """Yield what is wrong with any result, converged or not."""
    for factor in (model.W, model.H):
        if factor.dtype != problem.dtype or not np.isfinite(factor).all() or (factor < 0).any():
            yield "a factor is not finite, non-negative and of its type"
    objective = problem.objective(model.W, model.H)
    if np.isinf(objective):
        Y = model.W.astype(float) @ model.H.astype(float)
        lost = (problem.weights > 0) & (problem.negligible < problem.X) & (Y == 0)
        lost &= ~problem.unreachable(model.W, model.H)
        if lost.any():
            yield f"lost: W H = 0 at {lost.sum()} entries of X that it could reach"
        return
    error = abs(model.objective - objective)
    single |= problem.dtype == np.float32
    if not error <= tolerance(problem, model, objective, single=single):
        yield f"objective: {model.objective} is {objective}"


def faults_of_dead(problem, model):
    """Yield components that are zero on one side only, unless they are frozen.

    An iteration updates W first, so in a run that has not ended W may be one iteration behind.
    """
    if np.isinf(problem.objective(model.W, model.H)):
        return  # nothing is better than anything else
    for name, one, other in (("W", model.W, model.H.T), ("H", model.H.T, model.W)):
        free = np.broadcast_to(getattr(problem, f"free_{name}"), getattr(model, name).shape)
        free = free if name == "W" else free.T
        dead = ~other.any(axis=0) & free.any(axis=0)
        if one[:, dead].any() and (name == "H" or model.converged):
            yield f"dead: {name} has numbers where the other factor is zero"


def faults_at_the_end(problem, model, *, mu):
    """Yield coordinates, however flat, that could still gain much after convergence."""
    objective = problem.objective(model.W, model.H)
    if model.converged and np.isfinite(objective):
        gap = sum(problem.gaps(model.W, model.H))
        most = (3 if mu else 1) * GAP * objective + GAP_OF_SIZE[problem.dtype] * problem.size
        if not gap <= most:
            yield f"gap: single coordinates could lower {objective:.6g} by {gap:.3g}"


def faults_of_quality(case, model, folder):
    """Yield fits whose best start is much worse than the best of the peers.

    A single start may not be much worse than the worst of the peers.
    """
    problem, options = case.problem, case.options
    init = options.get("init", "random")
    custom = "W" in options and "H" in options
    random = init == "random" and not custom
    if (problem.alpha_W > 0) != (problem.alpha_H > 0):
        return  # the scale moves to the other factor for ever, so that no scale is right
    if init == "nndsvd" and "unknown" in case.tags:
        return  # a component that starts at zero on both sides may stay zero
    if "max_iter" in options or (custom and "extrapolate" in options):
        return
    found = oracle.peers(problem, case.n_components, init=init, **case.given)
    if custom:
        same = oracle.multiplicative(problem, options["W"], options["H"])
        found.append(problem.objective(*same))
    zero = min(oracle.constant_fit(problem), problem.objective(0 * model.W, 0 * model.H))
    peer = min(found) if random else max(found)
    sparse = problem.alpha_W * problem.l1_ratio > 0
    most = peer + (2 if sparse else 1) * LOST * max(zero - peer, 0)
    most += 0.02 * peer + 1e-4 * problem.size
    if sparse and problem.beta == 2:  # coordinate descent soon gets there, scikit-learn's too
        most = max(most, zero * (1 + 1e-4))
    best = problem.objective(model.W, model.H)
    for seed in (1, 2, 3):
        if best <= most or not random:
            break
        model = fit(case, folder, random_state=seed)
        best = min(best, problem.objective(model.W, model.H))
    if not best <= most:
        yield f"quality: {best:.6g}, where peers reach {peer:.6g} and zero is {zero:.6g}"


def faults_of_transform(case, model):
    """Yield rows of W that are not the best for H: given H, the problem is convex."""
    problem = replace(case.problem, sample_weight=None, free_W=True)
    if not 1 <= problem.beta <= 2 or case.options["solver"] == "mu":
        return
    if (problem.alpha_W > 0) != (problem.alpha_H > 0):
        return  # components of H may be 1e15 times smaller than others
    part = slice(0, 8)
    weights = case.options.get("weights")
    weights = {} if weights is None else {"weights": weights[part]}
    W = strictly(model.transform, case.X[part], **weights).astype(float)
    problem = replace(problem, X=problem.X[part], V=None if problem.V is None else problem.V[part])
    objective = problem.loss(W, model.H) + problem.penalty(W, 0 * model.H)
    gap, size = problem.gaps(W, model.H)[0], problem.size
    if not gap <= GAP / 10 * objective + 10 * GAP_OF_SIZE[problem.dtype] * size:
        yield f"transform: single coordinates could lower {objective:.6g} by {gap:.3g}"


def judge(case, folder):
    """Fit, and report all that is wrong."""
    found = list(faults(case, fit(case, folder), folder))
    assert not found, "\n".join([case.label, *found])


@pytest.mark.parametrize("number", numbers(100))
def test_fit(number, tmp_path):
    judge(draw(number), tmp_path)


@pytest.mark.parametrize("number", numbers(60))
def test_fit_beside_what_is_known(number, tmp_path):
    """Some components are given, and new ones are found beside them."""
    structures = (draws.empty, draws.counts, draws.empty, draws.blocks, draws.isolated)
    starts = {"known": 0.6, "frozen": 0.4}
    losses = {"frobenius": 0.4, "kullback-leibler": 0.6}
    case = draw(number, structures, kinds={"plain": 1}, starts=starts, losses=losses)
    judge(case, tmp_path)


@pytest.mark.parametrize("number", numbers(60))
def test_fit_from_an_svd(number, tmp_path):
    """NNDSVD starts of matrices whose singular vectors have zeros."""
    structures = (draws.blocks, draws.diagonal, draws.one_hot, draws.isolated, draws.empty)
    judge(draw(number, structures, kinds={"plain": 1}, starts={"nndsvd": 1}), tmp_path)
