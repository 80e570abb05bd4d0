"""How a problem is minimised: the solvers, with the settings that are theirs alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from ..data import clock
from ..data.arguments import check_flag, check_sweeps
from ..data.outputs import check_path
from ..data.typing import PathLike
from ..kernels.compile.threads import threads_for
from ..solvers.alternation import Alternation
from ..solvers.block_layouts import BLOCK_LAYOUTS, needs_both_sides, takes_blocks
from ..solvers.layout import Layout
from ..solvers.mixed_precision import MixedPrecision
from ..solvers.numerics import advising_on
from ..solvers.problem import Problem
from ..solvers.row_update import best_algorithm, has_descent, row_update
from ..solvers.start import Start
from ..solvers.stopping import check_stopping
from .run import Run


@dataclass(frozen=True, kw_only=True)
class Solver:
    """What the solvers share; see `CoordinateDescent` and `MultiplicativeUpdate`."""

    low_memory: bool = False
    W_path: PathLike | None = None
    W_folder: Path | None = field(init=False, repr=False, compare=False, default=None)
    name: ClassVar[str]

    def __post_init__(self):
        object.__setattr__(self, "low_memory", check_flag(self.low_memory, "low_memory"))
        if self.W_path is not None:
            path = check_path(self.W_path, "W_path")
            if path.exists() and not path.is_file():
                raise ValueError(f"W_path {path} is a device or a pipe: W cannot be mapped from it")
            object.__setattr__(self, "W_folder", path.parent)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the solver, as a result records them."""
        return {"solver": self.name}

    def may_begin_in_single(self, problem: Problem) -> bool:
        """Return whether a start in double precision may be rounded to single."""
        return False

    def check(self, problem: Problem) -> None:
        """Raise ValueError if this solver cannot minimise the problem."""
        if not (problem.is_stored or self.low_memory):
            if self.W_path is not None:
                raise ValueError("W_path is for a store, or with low_memory=True")
            return
        what = "a store" if problem.is_stored else "low_memory=True"
        if not problem.entries.plain:
            raise ValueError(
                f'{what} is for entries that count alike: not with weights, nor missing="unknown"'
            )
        if takes_blocks(self.name, problem.beta, both_sides=problem.has_both_sides):
            return
        if needs_both_sides(self.name, problem.beta):
            raise ValueError(
                f'{what} and loss="kullback-leibler" need solver="mu", a MultiplicativeUpdate, or '
                f"MiniBatchNMF: coordinate descent looks at X from both sides. It can do so in a "
                f"store that was written with both_sides=True (sparsenmf store --both-sides)"
            )
        raise ValueError(
            f'{what} needs loss="frobenius" or "kullback-leibler": any other looks at all entries '
            f"of W H, from both sides"
        )

    def start(
        self,
        problem: Problem,
        start: Start,
        *,
        tol: float = 1e-5,
        max_iter: int = 200,
        time_limit: float | None = None,
        began: float | None = None,
    ) -> Run:
        """Return a run from a start, to iterate over.

        Parameters
        ----------
        problem : Problem
        start : Start
            As `initialize` returns it for this problem and solver; the run overwrites it.
        tol, max_iter, time_limit : optional
            As in `factorize`.
        began : float, optional
            When the seconds begin to count: of `sparsenmf.data.clock.seconds`. Default: now.

        Returns
        -------
        Run

        Raises
        ------
        TypeError, ValueError
            If an argument is not what it should be, or the solver cannot minimise the problem.
        """
        self.check(problem)
        began = clock.seconds() if began is None else began
        stopping = check_stopping(tol, max_iter, time_limit, began)
        with advising_on(start.given_W, start.given_H):
            alternation = self._alternation(problem, start)
        settings = {**self.settings, "max_sweeps": alternation.most_sweeps}
        return Run(problem, start, alternation, stopping, settings, self.W_path)

    def _alternation(self, problem, start):
        cut = start.cut
        n_threads = threads_for(problem.n_threads, cut.rows.nnz * start.W.shape[1])
        plain, k = problem.entries.plain, problem.n_components
        update = row_update(cut.loss, self.name, plain, k, n_threads)
        kind = BLOCK_LAYOUTS[self.name, problem.beta] if cut.in_blocks else Layout
        penalties = problem.penalties(start.fixed_W, start.fixed_H, start.support)
        layout = kind(update, cut.rows, cut.columns, *penalties)
        begun_in_single = start.W.dtype != cut.rows.dtype
        single = problem.uses_gram_descent(self) and (begun_in_single or not cut.in_blocks)
        run = MixedPrecision if single else Alternation
        options = {"W_folder": self.W_folder, "informative": start.informative, **self.momentum}
        return run(layout, start.W, start.Ht, **options)

    @property
    def momentum(self) -> dict[str, Any]:
        """The sweeps and the momentum, as options of `Alternation`."""
        return {"extrapolate": False}


@dataclass(frozen=True, kw_only=True)
class CoordinateDescent(Solver):
    """Coordinate descent, for the Frobenius and the Kullback-Leibler loss: ``solver="cd"``.

    Parameters
    ----------
    low_memory : bool, default False
        Do without a transpose of X, as with a store: for the Frobenius loss. On matrices with
        many more rows than columns that is done anyway: it is faster. float64 has no iterations
        in single precision then.
    W_path : str or path-like, optional
        For more samples than there is memory for: W is worked on in two unnamed files in this
        file's folder, and comes back as this .npy file, mapped into memory. With a store or
        low_memory. Kullback-Leibler reads W in the order of X's columns: slow if it exceeds memory.
    max_sweeps : int, optional
        Sweeps over a row in each iteration, while its columns are in cache; for the Frobenius
        loss one in the first iteration. Default: 2, but 1 for the Frobenius loss where sweeps
        take most of the time, because X has few entries for its size:
        ``n_components * (n_samples + n_features) > 12 * nnz``. The result's `options` tell.
    extrapolate : bool, default True
        Momentum between iterations (Ang & Gillis 2019); an iteration that does not lower the
        objective is rolled back. With False and ``max_sweeps=1`` the iterates for the Frobenius
        loss are those of scikit-learn's coordinate descent.

    Raises
    ------
    TypeError, ValueError
        If a setting is not what it should be.
    OSError
        If the folder of `W_path` does not exist.

    References
    ----------
    Cichocki & Phan 2009, "Fast local algorithms for large scale nonnegative matrix and
    tensor factorizations", IEICE Trans. Fundamentals E92-A(3), algorithm 2.
    Ang & Gillis 2019, "Accelerating nonnegative matrix factorization algorithms using
    extrapolation", Neural Computation 31(2).
    Hsieh & Dhillon 2011, "Fast coordinate descent methods with variable selection for
    non-negative matrix factorization", KDD.

    Examples
    --------
    >>> from sparsenmf import CoordinateDescent, factorize
    >>> solver = CoordinateDescent(max_sweeps=1, extrapolate=False)
    >>> factorize([[4.0, 2, 0], [2.0, 1, 0]], 1, solver=solver).options["max_sweeps"]
    1
    """

    max_sweeps: int | None = None
    extrapolate: bool = True
    name: ClassVar[str] = "cd"

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "max_sweeps", check_sweeps(self.max_sweeps))
        object.__setattr__(self, "extrapolate", check_flag(self.extrapolate, "extrapolate"))

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the solver, as a result records them."""
        return {"solver": self.name, "extrapolate": self.extrapolate}

    def may_begin_in_single(self, problem: Problem) -> bool:
        """Return whether a start in double precision may be rounded to single."""
        whole = not (problem.is_stored or self.low_memory)
        return self.extrapolate and whole and problem.uses_gram_descent(self)

    def check(self, problem: Problem) -> None:
        """Raise ValueError if this solver cannot minimise the problem."""
        if not has_descent(problem.beta):
            raise ValueError(
                f'solver="cd" minimises loss="frobenius" (beta = 2) and "kullback-leibler" (1), '
                f'not {problem.options["loss"]!r}: take solver="mu", which minimises any'
            )
        super().check(problem)

    @property
    def momentum(self) -> dict[str, Any]:
        """The sweeps and the momentum, as options of `Alternation`."""
        return {"max_sweeps": self.max_sweeps, "extrapolate": self.extrapolate}


@dataclass(frozen=True, kw_only=True)
class MultiplicativeUpdate(Solver):
    """Multiplicative updates, for any beta divergence: ``solver="mu"``.

    Parameters
    ----------
    low_memory : bool, default False
        Do without a transpose of X, as with a store: for the Frobenius loss, and for
        Kullback-Leibler with a third array of W's size.
    W_path : str or path-like, optional
        As in `CoordinateDescent`; for the Kullback-Leibler loss there are three files.

    Raises
    ------
    TypeError, ValueError
        If a setting is not what it should be.
    OSError
        If the folder of `W_path` does not exist.

    References
    ----------
    Févotte & Idier 2011, "Algorithms for nonnegative matrix factorization with the
    beta-divergence", Neural Computation 23(9).

    Examples
    --------
    >>> from sparsenmf import MultiplicativeUpdate, factorize
    >>> X = [[4.0, 2, 1], [2.0, 1, 3]]
    >>> factorize(X, 1, loss=1.5, solver=MultiplicativeUpdate()).options["solver"]
    'mu'
    """

    name: ClassVar[str] = "mu"


SOLVERS = {"cd": CoordinateDescent, "mu": MultiplicativeUpdate}


def check_solver(solver: Any, problem: Problem) -> Solver:
    """Return the solver that a user asked for, or the best one for the problem.

    Raises
    ------
    ValueError
        If there is none of that name, or it cannot minimise the problem.
    """
    one_sided = problem.is_stored and not problem.has_both_sides
    solver = named_solver(solver, problem.beta, one_sided=one_sided)
    solver.check(problem)
    return solver


def named_solver(solver: Any, beta: float, *, one_sided: bool = False) -> Solver:
    """Return a solver by its name, or itself, or the default one of a loss.

    That is coordinate descent where there is one, as it needs a fraction of the iterations.

    Parameters
    ----------
    solver : str, Solver or None
    beta : float
    one_sided : bool
        Whether X comes in blocks of rows, and without a transpose.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if solver is None:
        solver = best_algorithm(beta)
        if one_sided and not takes_blocks(solver, beta):
            solver = "mu"
    if isinstance(solver, str) and solver in SOLVERS:
        solver = SOLVERS[solver]()
    if not isinstance(solver, Solver):
        raise ValueError(
            "solver must be one of 'cd', 'mu', or a CoordinateDescent or MultiplicativeUpdate, "
            f"not {solver!r}"
        )
    return solver
