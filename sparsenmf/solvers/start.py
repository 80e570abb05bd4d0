"""The start of a run: both factors, from what a user gives, an SVD, or random numbers."""

from __future__ import annotations

import json
import numbers
from typing import Any, NamedTuple

import numpy as np

from .. import __version__
from ..data.arguments import check_random_state
from ..data.named import feature_array
from ..data.rows import begins_in_single
from ..data.typing import Init, Matrix, RandomState, SeedWords
from .blocks import BlockColumns
from .constraints import Seeds, check_seeds, plant_seeds
from .initialization import check_start, initialize_factors, leads
from .mixed_precision import fits_single
from .problem import Cut, Problem


class Start(NamedTuple):
    """Where a run starts.

    Attributes
    ----------
    W, Ht : ndarray of shape (n_samples, width), (n_features, width)
        Padded factors of the scaled problem; a run overwrites them.
    given_W, given_H : ndarray or None
        What the user passed.
    fixed_W, fixed_H : ndarray of shape (n_components,), bool
        Components that stay as they were given.
    support : ndarray of shape (n_features, width), bool, or None
        Entries of Ht that may differ from zero.
    keeps_order : bool
        Whether components stay in their places: some are fixed or seeded.
    W_leads : bool
        Whether H is fitted to W before the first iteration, because W is informative.
    cut : Cut
        X as the solver takes it.
    options : dict
        What a result records about its start.
    origin : dict
        The arguments that the start was made from. A checkpoint compares them.
    feature_names : ndarray of str or None
        Those of X, else the vocabulary of the seeds.
    """

    W: np.ndarray
    Ht: np.ndarray
    given_W: np.ndarray | None
    given_H: np.ndarray | None
    fixed_W: np.ndarray
    fixed_H: np.ndarray
    support: np.ndarray | None
    keeps_order: bool
    W_leads: bool
    cut: Cut
    options: dict[str, Any]
    origin: dict[str, Any]
    feature_names: np.ndarray | None = None


def initialize(
    problem: Problem,
    solver: Any,
    init: Init | None = None,
    *,
    W: Matrix | None = None,
    H: Matrix | None = None,
    seeds: Seeds | SeedWords | None = None,
    random_state: RandomState = None,
) -> Start:
    """Return the start of a run: both factors.

    Parameters
    ----------
    problem : Problem
    solver : CoordinateDescent or MultiplicativeUpdate
        Multiplicative updates cannot leave zero and need a start without zeros.
    init, W, H, seeds, random_state : optional
        As in `factorize`.

    Returns
    -------
    Start
        For one run: ``solver.start(problem, start)`` overwrites it.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be, or does not fit the problem.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from sparsenmf import MultiplicativeUpdate, Problem, initialize
    >>> problem = Problem(sp.random_array((100, 80), density=0.1, rng=0), 5)
    >>> initialize(problem, MultiplicativeUpdate(), "nndsvda").W.shape
    (100, 8)
    """
    k, scaling, names = problem.n_components, problem.scaling, problem.feature_names
    seeds = Seeds.of(seeds, names)
    init, W, H = check_start(init, W, H, problem, k, problem.n_threads)
    fixed_W = problem.fixed_W.mask(0 if W is None else W.shape[1], k)
    fixed_H = problem.fixed_H.mask(0 if H is None else len(H), k)
    places = check_seeds(seeds, (k, problem.shape[1]))
    if places and H is not None:
        raise ValueError("seeds make a start of H of their own: pass seeds or H, not both")
    rng = check_random_state(random_state)
    origin = {"random_state": _describe(random_state, rng), "W": W, "H": H, "seeds": places}
    origin["strength"] = seeds.strength
    keeps_order = bool(places) or fixed_W.any() or fixed_H.any()

    cut, dtype = problem.cut(solver), problem.dtype
    scaled_W, scaled_H = scaling.scale_W(W), scaling.scale_H(H)
    if cut.in_blocks and not keeps_order and solver.may_begin_in_single(problem):
        # A start that will be rounded to single precision is drawn in it, to save memory.
        worth = begins_in_single(dtype, cut.rows.nnz, k)
        if worth and fits_single(cut.loss, scaled_W, scaled_H, n_threads=problem.n_threads):
            dtype = np.dtype(np.float32)
    columns = BlockColumns(cut.rows) if cut.in_blocks else cut.columns
    start_W, Ht = initialize_factors(
        cut.rows, columns, k, init, rng, W=scaled_W, H=scaled_H, beta=problem.beta,
        solver=solver.name, mean=cut.mean, dtype=dtype, W_folder=solver.W_folder,
        n_threads=problem.n_threads,
    )  # fmt: skip
    support = plant_seeds(Ht, places, seeds.strength)
    W_leads = problem.descends(solver) and leads(init, W, H, k) and not places
    options = {"init": init, **made_with(random_state, rng)}
    if names is None:
        names = feature_array(seeds.vocabulary, problem.shape[1])
    return Start(
        start_W, Ht, W, H, fixed_W, fixed_H, support, keeps_order, W_leads, cut, options, origin,
        names,
    )  # fmt: skip


def made_with(random_state: RandomState, rng: Any) -> dict[str, Any]:
    """Return the version, and the seed if it is a number and not a generator's state."""
    if random_state is rng:
        return {"sparsenmf": __version__}
    return {"random_state": rng.bit_generator.seed_seq.entropy, "sparsenmf": __version__}


def _describe(random_state, rng):
    """Return a seed, or the state of an unused generator as text."""
    if random_state is None or isinstance(random_state, numbers.Integral):
        return random_state
    state = rng.bit_generator.state if hasattr(rng, "bit_generator") else rng.get_state()
    return json.dumps(state, default=np.ndarray.tolist)
