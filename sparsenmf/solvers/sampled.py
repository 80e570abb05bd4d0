"""Starts from an SVD: of X, of X scaled for counts, or of a sample of the rows.

One need not look at all of X to find out roughly what the components are. On large matrices, NNDSVD
of a sample and a few iterations there leave little for those on all of X, which begin with W fitted
to the H of the sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from ..data.arguments import check_choice, check_flag, check_integer, check_number
from ..data.store import is_store
from ..data.typing import Init
from .initialization import chunks

if TYPE_CHECKING:
    from .problem import Problem

Fill: TypeAlias = Literal["zero", "mean", "random"]

FILLS: dict[Fill, Init] = {"zero": "nndsvd", "mean": "nndsvda", "random": "nndsvdar"}

LEAST_ROWS, ROWS_EACH = 100_000, 1000
"""A matrix is large from so many rows on, and so many for each component."""

SAMPLE_ROWS, LEAST_SHARE = 20_000, 0.05
"""What its sample has, at least."""

MOST_SHARE = 0.5  # of a store with few rows, but larger than this:

WHOLE = 2**22
"""Up to so many nonzeros and entries of factors together, which take about 100 MiB, a store gets
the start of its matrix."""

UNSEEN = 0.01  # of a component's mean: the start of features that are not in the sample

RUN_NNZ, RUNS = 2**17, 32
"""Nonzeros of a run of rows that is read from a store at once, about a megabyte; the least number
of runs."""


@dataclass(frozen=True, kw_only=True)
class NNDSVD:
    """A start from the truncated SVD of X, or of a sample of its rows: ``init=NNDSVD(...)``.

    Parameters
    ----------
    fill : {"zero", "mean", "random"}, default "zero"
        What replaces zeros: ``"nndsvd"``, ``"nndsvda"`` and ``"nndsvdar"`` as in scikit-learn.
    sample : float between 0 and 1, optional
        Share of the rows whose SVD is taken. A few iterations on these rows follow, and W is found
        from their H. Coordinate descent for the Frobenius loss begins with half as many components
        more, if X has no more features than samples, and merges those that lose least by it. If
        what it finds explains other rows more than a tenth worse than these, a sample of up to
        four times as many rows follows, where X is in memory. Of a store, whole runs
        of rows are read, spread evenly over all shards, so sorted rows do no harm. Default: all
        rows.
    n_iter : int, default 10
        Iterations on the sample, and on the scaled X. With more components, there are up to twice
        as many before. Those for the Frobenius loss end when they add little. They have the default
        number of sweeps.
    scaled : bool, default False
        Begin with half as many components more, and with iterations for the Frobenius loss on the
        roots of scaled deviances of X. They are cheap, and close to those for the Kullback-Leibler
        loss, for which this is. Five iterations for it follow, and then the components that are
        most alike are merged. No entry of such a start is zero.

    Raises
    ------
    TypeError, ValueError
        If a setting is not what it should be.

    References
    ----------
    Boutsidis & Gallopoulos 2008, "SVD based initialization: a head start for nonnegative matrix
    factorization", Pattern Recognition 41(4).
    Greenacre 1984, "Theory and applications of correspondence analysis", Academic Press.
    Townes et al. 2019, "Feature selection and dimension reduction for single-cell RNA-Seq based on
    a multinomial model", Genome Biology 20.
    Qin & Rohe 2013, "Regularized spectral clustering under the degree-corrected stochastic
    blockmodel", NIPS.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from sparsenmf import NNDSVD, factorize
    >>> X = sp.random_array((1000, 80), density=0.1, rng=0)
    >>> model = factorize(X, 5, init=NNDSVD(sample=0.3), random_state=0)
    >>> model.options["init"], model.options["sample"]
    ('nndsvd', 0.3)
    """

    fill: Fill = "zero"
    sample: float | None = None
    n_iter: int = 10
    scaled: bool = False

    def __post_init__(self) -> None:
        check_choice(self.fill, "fill", tuple(FILLS))
        # A result records its settings, and numbers of NumPy's are not JSON.
        object.__setattr__(self, "n_iter", check_integer(self.n_iter, "n_iter", least=1))
        object.__setattr__(self, "scaled", check_flag(self.scaled, "scaled"))
        if self.scaled and self.fill != "zero":
            raise ValueError(f"a scaled start has no zeros to fill: leave out fill={self.fill!r}")
        if self.sample is not None:
            share = check_number(self.sample, "sample", most=1.0, open_below=True)
            object.__setattr__(self, "sample", None if share == 1 else share)

    @property
    def name(self) -> Init:
        """The name of this start among the strings for `init`."""
        return FILLS[self.fill]

    @classmethod
    def of(cls, init: Any) -> NNDSVD | None:
        """Return the start that a name in `init` stands for, or None if it is no NNDSVD."""
        if isinstance(init, cls):
            return init
        name = init if isinstance(init, str) else None  # an array would be compared by entries
        fill = next((fill for fill, known in FILLS.items() if known == name), None)
        return None if fill is None else cls(fill=fill)

    @property
    def options(self) -> dict[str, Any]:
        """What a result says of this start beyond its name."""
        options: dict[str, Any] = {"scaled": True} if self.scaled else {}
        if self.sample is not None:
            options["sample"] = self.sample
        return {**options, "start_iter": self.n_iter} if options else options

    def check(self, problem: Problem, solver: Any) -> None:
        """Raise ValueError if a scaled start is not for the problem."""
        if not self.scaled:
            return
        if problem.beta != 1 or not problem.entries.plain:
            raise ValueError(
                'NNDSVD(scaled=True) is for loss="kullback-leibler", without weights of entries or '
                'missing="unknown": take init="random" or "nndsvda"'
            )
        if self.sample is None and not fits_whole(problem, solver):
            raise ValueError(
                f"NNDSVD(scaled=True) looks at X from both sides, in memory: with low_memory=True "
                f"or a store, where X and the factors have more than {WHOLE:,} entries, pass a "
                f"sample, too, such as NNDSVD(scaled=True, sample=0.1)"
            )


def fits_whole(problem: Problem, solver: Any) -> bool:
    """Return whether a scaled start may look at all of X in memory, with a transpose."""
    if not (problem.is_stored or solver.low_memory):
        return True
    return is_small(problem.shape, problem.X.nnz, problem.n_components)


def is_small(shape: tuple[int, int], nnz: int, n_components: int) -> bool:
    """Return whether a scaled start takes X as a whole, also where the fit takes it in blocks."""
    return nnz + sum(shape) * n_components <= WHOLE


def recorded_start(options: dict[str, Any]) -> NNDSVD:
    """Return the start that the options of a result record."""
    fill = next(fill for fill, name in FILLS.items() if name == options["init"])
    settings = {"sample": options.get("sample"), "scaled": options.get("scaled", False)}
    return NNDSVD(fill=fill, n_iter=options["start_iter"], **settings)


def choose_start(problem: Problem, solver: Any, *, seeded: bool = False) -> NNDSVD | None:
    """Return the start of ``init="auto"``, or None for a random one.

    On 980,848 short texts, NNDSVD of 5% took 0.35, 0.22 and 0.23 of a random start's time to 99.5%
    of what random starts explain after 40 iterations, with 20, 50 and 100 components, and ended
    higher. On 100,000 of them, 20% took 0.4 to 0.6 of the time. Without more components on the
    sample it took 0.36, 0.19 and 0.19, but ended up to 1% lower; and of 50 equal topics in
    2,000,000 documents it lost some. On 2,200 to 19,000 texts, NNDSVD of all or of a part ended
    between 1.2% below and 0.7% above the median of random starts, and nothing seen early tells
    which.

    Kullback-Leibler: of 20 planted topics in 5,000 to 20,000 documents, random starts found 11 to
    18 in 19 to 54 iterations and NNDSVD 17 to 20 in 12 to 25; the scaled start found all 20 in 9 to
    11. On real counts (20newsgroups, associated_press, bbc_news and pbmc_facs, 10 and 20
    components, 52 runs) it ended between 0.1% below and 0.29% above the best of NNDSVD and five
    random starts, 0.06% above in the median, in 0.66 to 0.95 of a random start's passes. With 50
    components on associated_press it ended 0.6% below all of them.
    """
    return start_by_size(
        problem.shape, problem.n_components,
        counts=problem.beta == 1 and problem.entries.plain and not seeded,
        gram_descent=problem.uses_gram_descent(solver), whole=fits_whole(problem, solver),
    )  # fmt: skip


def start_by_size(
    shape: tuple[int, int], n_components: int, *, counts: bool, gram_descent: bool, whole: bool
) -> NNDSVD | None:
    """Return the start of ``init="auto"`` for an X of this shape, or None for a random one.

    Parameters
    ----------
    shape : (n_samples, n_features)
    n_components : int
    counts : bool
        Whether a scaled start is for the problem.
    gram_descent : bool
        Whether it is solved by coordinate descent for the plain Frobenius loss.
    whole : bool
        Whether a scaled start may look at all of X.
    """
    n_samples, n_features = shape
    if counts and n_components <= min(shape):
        share = max(LEAST_SHARE, min(MOST_SHARE, SAMPLE_ROWS / n_samples))
        return NNDSVD(scaled=True, sample=None if whole else share)
    is_large = n_samples >= max(LEAST_ROWS, ROWS_EACH * n_components)
    if not (is_large and n_features >= n_components and gram_descent):
        return None
    return NNDSVD(sample=max(LEAST_SHARE, SAMPLE_ROWS / n_samples))


def sample_rows(X, share, n_components, rng):
    """Return sorted rows of X that are a sample: single ones in memory, runs of rows of a store.

    Parameters
    ----------
    X : csr_array or CsrStore
    share : float
    n_components : int
        At least so many rows are taken.
    rng : numpy.random.Generator or RandomState
    """
    n_rows = X.shape[0]
    n_sample = min(n_rows, max(round(share * n_rows), n_components + 1))
    if not is_store(X):
        return np.sort(rng.permutation(n_rows)[:n_sample])
    length = max(1, min(n_sample // RUNS, round(RUN_NNZ * n_rows / max(X.nnz, 1))))  # of a run
    n_runs = -(-n_sample // length)
    # One run at random within each of n_runs equal parts.
    parts = np.linspace(0, n_rows, n_runs + 1)
    room = np.maximum(np.diff(parts) - length, 0)
    first = (parts[:-1] + room * rng.random(n_runs)).astype(np.int64)
    return np.unique(np.concatenate([np.arange(f, min(f + length, n_rows)) for f in first]))


def complete_learned(learned, rng):
    """Fill in what a sample has not shown, in place.

    Components that it lost are random, for no update could revive them, and features that it has
    nothing of have a little of each component.

    Parameters
    ----------
    learned : ndarray of shape (n_features, n_components)
    rng : numpy.random.Generator or RandomState
    """
    lost = np.flatnonzero(~learned.any(axis=0))
    if lost.size:
        scale = learned.mean() or 1
        for part in chunks(learned):
            part[:, lost] = np.abs(rng.standard_normal((len(part), len(lost)))) * scale
    learned[~learned.any(axis=1)] = UNSEEN * learned.mean(axis=0)
