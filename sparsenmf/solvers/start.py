"""The start of a run: both factors, from what a user gives, an SVD, or random numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ..data.arguments import check_random_state
from ..data.factors import empty_factor, pad_factor
from ..data.matching import order_factors
from ..data.names import feature_array
from ..data.rows import begins_in_single
from ..data.typing import Init, Matrix, RandomState, SeedWords
from .constraints import Seeds, check_seeds, plant_seeds
from .initialization import (
    W_is_informative,
    check_some,
    check_start,
    initialize_factors,
)
from .merging import merge_squares
from .mixed_precision import fits_single
from .origin import describe_state, made_with
from .problem import Cut, Problem
from .sampled import NNDSVD, choose_start, complete_learned, sample_rows
from .scaled import learn_from_scaled, more_components

MORE_OFTEN = 2  # times n_iter with more components: they are merged rightly when they are apart
LEAST = 1e-3  # of what W H explains: iterations on a sample that add less do not pay
OTHER_ROWS, GAP, MOST_MORE = 10_000, 0.05, 4
"""A start looks at so many other rows, at most. If its components explain less of them than of its
own, by more than twice this share, it takes a larger sample: one for which the share would be this,
but no more than so many times as large."""


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
    informative : {"W", "H"} or None
        The factor that is informative: the other one is fitted to it first.
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
    informative: str | None
    cut: Cut
    options: dict[str, Any]
    origin: dict[str, Any]
    feature_names: np.ndarray | None = None


def initialize(
    problem: Problem,
    solver: Any,
    init: Init | NNDSVD | None = None,
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
    seeds, svd = Seeds.of(seeds, names), NNDSVD.of(init)
    W, H = order_factors(W, H, (names, problem.sample_names))
    name, W, H = check_start(svd.name if svd else init, W, H, problem, k, problem.n_threads)
    if name == "auto":
        svd = choose_start(problem, solver, seeded=bool(seeds.topics))
        name = svd.name if svd else "random"
    if svd is not None:
        svd.check(problem, solver)
    fixed_W = problem.fixed_W.mask(0 if W is None else W.shape[1], k)
    fixed_H = problem.fixed_H.mask(0 if H is None else len(H), k)
    check_some("W", W, fixed_W, problem.n_threads)
    check_some("H", H, fixed_H)
    places = check_seeds(seeds, (k, problem.shape[1]))
    if places and H is not None:
        raise ValueError("seeds make a start of H of their own: pass seeds or H, not both")
    rng = check_random_state(random_state)
    origin = {"random_state": describe_state(random_state, rng), "W": W, "H": H, "seeds": places}
    origin["strength"] = seeds.strength
    keeps_order = bool(places) or fixed_W.any() or fixed_H.any()

    scaled_W, scaled_H = scaling.scale_W(W), scaling.scale_H(H)
    sampled, options = False, {"init": name, **(svd.options if svd else {})}
    if svd is not None and svd.sample is not None:  # before X is cut: its memory is free by then
        sampled, scaled_H = True, learn_from_sample(problem, solver, svd, rng).T[:k]
    cut = problem.cut(solver)
    # With constraints, a start in double precision is not rounded.
    given = None if keeps_order else (scaled_W, scaled_H)
    dtype = _precision(problem, solver, cut, given)
    columns = cut.transpose
    informative = "H" if sampled else None
    if sampled and problem.uses_gram_descent(solver):  # its sweeps can leave a W of zeros
        start_W = empty_factor((problem.shape[0], k), dtype, solver.W_folder)
        Ht = pad_factor(scaled_H.T, dtype)
    elif svd is not None and svd.scaled and not sampled:
        start_W, Ht = _scaled_start(problem, solver, cut, svd, rng)
    else:
        start_W, Ht = initialize_factors(
            cut.rows, columns, k, "custom" if sampled else name, rng, W=scaled_W, H=scaled_H,
            beta=problem.beta, solver=solver.name, mean=cut.mean, dtype=dtype,
            W_folder=solver.W_folder, n_threads=problem.n_threads,
        )  # fmt: skip
        if problem.uses_gram_descent(solver) and W_is_informative(name, W, H, k) and not places:
            informative = "W"
    support = plant_seeds(Ht, places, seeds.strength)
    options |= made_with(random_state, rng)
    if names is None:
        names = feature_array(seeds.vocabulary, problem.shape[1])
    return Start(
        start_W, Ht, W, H, fixed_W, fixed_H, support, keeps_order, informative, cut, options,
        origin, names,
    )  # fmt: skip


def _precision(problem, solver, cut, given):
    """Return the dtype of a start: one that will be rounded is drawn in single, to save memory."""
    single = (
        given is not None
        and cut.in_blocks
        and solver.may_begin_in_single(problem)
        and begins_in_single(problem.dtype, cut.rows.nnz, problem.n_components)
        and fits_single(cut.loss, *given, n_threads=problem.n_threads)
    )
    return np.dtype(np.float32) if single else problem.dtype


def _scaled_start(problem, solver, cut, start, rng):
    """Return the padded W and Ht of a scaled start; of a small store, as of its matrix."""
    if cut.in_blocks:
        problem = problem.take_rows(np.arange(problem.shape[0]))
        cut = problem.cut(replace(solver, low_memory=False, W_path=None))
    k, dtype = problem.n_components, problem.dtype
    W, Ht = learn_from_scaled(
        cut.rows, cut.columns, k, start.n_iter, rng, dtype=dtype, n_threads=problem.n_threads
    )
    folder = solver.W_folder
    return (W if folder is None else pad_factor(W[:, :k], dtype, folder, problem.n_threads)), Ht


def learn_from_sample(problem: Problem, solver: Any, start: NNDSVD, rng: Any) -> Any:
    """Return the padded Ht that a few iterations on a sample of the rows lead to.

    For the Frobenius loss by coordinate descent, the first have half as many components more, and
    those that lose least are merged: a fit may have one component twice and two others as one. So
    it is where there are no more features than samples.

    Parameters
    ----------
    problem : Problem
    solver : CoordinateDescent or MultiplicativeUpdate
    start : NNDSVD
        Without a sample: of all rows.
    rng : numpy.random.Generator or RandomState

    Returns
    -------
    ndarray of shape (n_features, width)
        For the scaled X. Components that the sample lost are random, and features that it has
        nothing of have a little of each component.
    """
    k, n_features, share = problem.n_components, problem.shape[1], start.sample or 1.0
    sample = problem.take_rows(sample_rows(problem.X, share, k, rng))
    # A larger sample may take as much memory as W, which is more than a fit in blocks shall have.
    # After a fit in single precision, the heap has no room for it beside the pair in double.
    in_blocks = problem.is_stored or solver.low_memory
    may_grow = not (in_blocks or begins_in_single(problem.dtype, problem.X.nnz, k))
    # The sweeps of all of X may be another number, or that which a result of its own records.
    sweeps = {"max_sweeps": None} if solver.name == "cd" else {}
    solver = replace(solver, low_memory=False, W_path=None, **sweeps)
    # A larger H than that of the fit would take memory that the fit does not, if H is most of it.
    merges = problem.uses_gram_descent(solver) and n_features <= problem.shape[0]
    if merges:
        sample.n_components = more_components(k, sample.shape)
    began = initialize(sample, solver, replace(start, sample=None), random_state=rng)
    n_iter, least = (start.n_iter * MORE_OFTEN, LEAST) if merges else (start.n_iter, 0.0)
    found = _iterate(sample, solver, began, n_iter, least)
    if sample.n_components > k:
        (W, Ht, _), layout, part = found.current, found.layout, slice(sample.n_components)
        grams = [gram[part, part] for gram in (layout.summarize_W(W), layout.summarize_H(Ht))]
        W, Ht = merge_squares((W, Ht), grams, k)
        sample.n_components, free = k, np.zeros(k, bool)
        began = began._replace(W=W, Ht=Ht, fixed_W=free, fixed_H=free, informative=None)
        found = _iterate(sample, solver, began, start.n_iter, LEAST)
    if merges and may_grow and share < 1:
        found = _learn_from_more(problem, solver, start, rng, began, found)
    found.release()
    del began  # before there is another H
    Ht = pad_factor(found.current.Ht[:, :k], problem.dtype)
    complete_learned(Ht[:, :k], rng)
    return Ht


def _learn_from_more(problem, solver, start, rng, began, found):
    """Go on with a larger sample, if this one has not shown what holds for other rows.

    What W H explains of other rows falls short by a share that is inverse to the sample's size: of
    980,848 short texts by 2% after 5%, of 2,000,000 planted documents by 15% after 5% and 7% after
    10%. Then a fit of all rows needed 10 to 20 iterations more.
    """
    k, dtype = problem.n_components, found.current.Ht.dtype

    def go_on(share, fixed, n_iter):
        rows = problem.take_rows(sample_rows(problem.X, share, k, rng))
        W, Ht = empty_factor((rows.shape[0], k), dtype), found.current.Ht.copy()
        again = began._replace(cut=rows.cut(solver), W=W, Ht=Ht, informative="H")
        mask = np.full(k, fixed)
        return _iterate(rows, solver, again._replace(fixed_H=mask), n_iter, 0 if fixed else LEAST)

    def explained(run):
        return 1 - run.current.objective / run.loss.scale if run.loss.scale else 0.0

    others = go_on(min(start.sample, OTHER_ROWS / problem.shape[0]), True, 2)
    gap = 1 - explained(others) / explained(found) if explained(found) > 0 else 0.0
    nnz, size = max(problem.X.nnz, 1), dtype.itemsize
    room = problem.shape[0] * k * size
    most = room / (2 * room + 3 * nnz * (size + 4)) - start.sample
    share = min(start.sample * min(gap / GAP, MOST_MORE), most)
    if gap <= 2 * GAP or share <= start.sample:
        return found
    found.release()
    others.release()
    return go_on(share, False, start.n_iter)


def _iterate(problem, solver, began, n_iter, least=0.0):
    """Return the alternation of a run after some iterations.

    It ends before if two of them together add less than twice this share of what W H explains.
    """
    run = solver.start(problem, began, tol=0.0, max_iter=n_iter)
    found = [np.inf, np.inf]
    for state in run:
        explained = run.alternation.loss.scale - state.objective
        if found[-2] - state.objective < 2 * least * explained:
            break
        found.append(state.objective)
    return run.alternation
