"""The start of a run on a cluster: W on the workers, H here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ..data.arguments import check_choice, check_random_state
from ..data.factors import column_totals, pad_factor, padded_width
from ..data.matching import order_H
from ..data.typing import Init, Matrix, RandomState
from ..solvers.initialization import INITS, check_some, check_start, draw_start
from ..solvers.origin import made_with
from ..solvers.sampled import NNDSVD, choose_start
from ..solvers.start import learn_from_sample
from . import tasks
from .problem import RemoteProblem
from .remote import RemoteFactor

SAMPLE_NNZ = 2**26
"""Nonzeros, at most, of the sample that ``init="auto"`` takes: 512 MB in single precision."""


class RemoteStart(NamedTuple):
    """Where a run starts.

    Attributes
    ----------
    W : RemoteFactor
    Ht : ndarray of shape (n_features, width)
    fixed_H : ndarray of shape (n_components,), bool
    informative : "H" or None
        "H" if W is fitted to it first.
    options : dict
        What a result records about its start.
    """

    W: RemoteFactor
    Ht: np.ndarray
    fixed_H: np.ndarray
    informative: str | None
    options: dict[str, Any]


def check_init(init: Init | NNDSVD | None) -> Init | NNDSVD | None:
    """Return a start that a cluster can make, or raise ValueError."""
    svd = NNDSVD.of(init)
    if svd is None and init is not None:
        check_choice(init, "init", INITS)
    if svd is not None and svd.sample is None:
        raise ValueError(
            f"init={init!r} on clusters needs a sample of the rows, whose SVD this process takes: "
            f"{replace(svd, sample=0.1)!r}"
        )
    return init


def initialize(
    problem: RemoteProblem,
    solver: Any,
    init: Init | NNDSVD | None,
    H: Matrix | None,
    random_state: RandomState,
) -> RemoteStart:
    """Return the start of a run.

    Parameters
    ----------
    problem : RemoteProblem
        With its X in place.
    solver : CoordinateDescent or MultiplicativeUpdate
    init, H, random_state : optional
        As in `factorize`, `init` checked.
    """
    k, rng, svd = problem.n_components, check_random_state(random_state), NNDSVD.of(init)
    H = order_H(H, problem.names[0])
    name, _, H = check_start(svd.name if svd else init, None, H, problem, k)
    if name == "auto":
        svd = _choose(problem, solver)
        name = svd.name if svd else "random"
    fixed_H = problem.fixed_H.mask(0 if H is None else len(H), k)
    check_some("H", H, fixed_H)
    options: dict[str, Any] = {"init": name}
    if svd is not None:
        of_sample: Any = problem  # it can `take_rows`, and that is all that is asked of it
        H = learn_from_sample(of_sample, solver, svd, rng).T[:k]
        options |= svd.options
    if svd is not None and problem.uses_gram_descent(solver):  # its sweeps can leave a W of zeros
        W, Ht = _zeros(problem), pad_factor(H.T, problem.dtype)
    else:
        W, Ht = _draw(problem, rng, H)
    if name == "random" and problem.beta != 2:
        W, Ht = _fit_sum(problem, W, Ht)
    options |= made_with(random_state, rng)
    return RemoteStart(W, Ht, fixed_H, "H" if svd else None, options)


def _choose(problem, solver):
    """Return the start of ``init="auto"``: NNDSVD of a sample, or None for a random start."""
    svd = choose_start(problem, solver)
    if svd is None:
        return None
    share = 1.0 if svd.sample is None else svd.sample
    return replace(svd, sample=min(share, SAMPLE_NNZ / max(problem.nnz, 1)))


def _factor(problem, blocks):
    width = padded_width(problem.n_components, problem.dtype)
    return RemoteFactor(problem.rows.heights, width, problem.dtype, blocks)


def _zeros(problem):
    """Return a W of zeros."""
    options = {"n_components": problem.n_components, "dtype": problem.dtype}
    rows = problem.rows
    return _factor(problem, rows.crew.map(tasks.empty_block, rows.heights, **options))


def _draw(problem, rng, H):
    """Return W drawn on the workers, from a seed for each block, and H, completed here."""
    rows, k, dtype = problem.rows, problem.n_components, problem.dtype
    entropy = int.from_bytes(rng.bytes(16), "little")  # works for a Generator and a RandomState
    seeds = np.random.SeedSequence(entropy).spawn(len(rows.heights))
    options = {"n_components": k, "mean": problem.mean, "dtype": dtype}
    blocks = rows.crew.map(tasks.draw_block, seeds, rows.heights, **options)
    _, Ht = draw_start((1, rows.shape[1]), k, problem.mean, dtype, rng, H=H)
    return _factor(problem, blocks), Ht


def _fit_sum(problem, W, Ht):
    """Return the factors, scaled so that the sum of W H is that of X."""
    crew = problem.rows.crew
    sums = sum(crew.gather(crew.map(tasks.sum_columns_of_block, W.blocks)))
    total = float(np.einsum("r,r->", sums, column_totals(Ht)))
    if not total:  # because X is zero
        return W, Ht
    sum_X = problem.mean * problem.shape[0] * problem.shape[1]
    scale = problem.dtype.type(np.sqrt(total / sum_X))
    return _factor(problem, crew.map(tasks.divide_block, W.blocks, scale=scale)), Ht / scale
