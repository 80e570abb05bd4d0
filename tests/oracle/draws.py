"""Random problems for the oracle: matrices of structures that occur, and options of a fit."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp

from .judge import Problem

BETAS = {"frobenius": 2.0, "kullback-leibler": 1.0, "itakura-saito": 0.0}

NEARLY_ONE = float(np.cumsum(np.full(10, 0.1))[-1])  # 0.1 added ten times

NEARLY_ZERO = float(np.arange(-1, 1, 0.1)[10])


def counts(rng, n, m):
    """Poisson counts of a few topics."""
    k = 3
    means = rng.gamma(0.5, size=(n, k)) @ rng.gamma(0.5, size=(k, m))
    return rng.poisson(4 * means).astype(float)


def sparse(rng, n, m):
    """Numbers at random places."""
    return rng.random((n, m)) * (rng.random((n, m)) < 0.25)


def dense(rng, n, m):
    """Positive everywhere."""
    return rng.random((n, 3)) @ rng.random((3, m)) + 0.05 * rng.random((n, m))


def blocks(rng, n, m):
    """Groups of samples and features without anything in common, each group of rank one."""
    row, column = np.sort(rng.integers(0, 3, n)), np.sort(rng.integers(0, 3, m))
    return np.outer(0.5 + rng.random(n), 0.5 + rng.random(m)) * (row[:, None] == column)


def isolated(rng, n, m):
    """One sample shares no feature with any other."""
    return sp.block_diag([counts(rng, n - 1, m - 1), [[1.0]]]).toarray()


def foreign(rng, n, m):
    """Many large samples, and a small one that shares no feature with them."""
    X = np.zeros((4 * n, m))
    X[:-1, : m - 1] = 30.0 * rng.random((4 * n - 1, 1)) + 1
    X[-1, m - 1] = 1
    return X


def empty(rng, n, m):
    """Most features, and some samples, have nothing."""
    X = np.zeros((n + 3, 3 * m))
    X[1 : n + 1, 2 : m + 2] = rng.poisson(np.kron(np.eye(3), np.ones((n, m)))[::3, ::3] * 4 + 0.1)
    return X


def one_hot(rng, n, m):
    """One entry in each row."""
    X = np.zeros((n, m))
    X[np.arange(n), rng.integers(0, min(5, m), n)] = 1
    return X


def diagonal(rng, n, m):
    """Entries on the diagonal only, of different size."""
    return np.diag(1 + rng.random(min(n, m, 8)))


def rank_one(rng, n, m):
    """An outer product, with zeros."""
    return np.outer(rng.gamma(0.5, size=n), rng.gamma(0.5, size=m) * (rng.random(m) < 0.6))


def duplicates(rng, n, m):
    """The same few samples again and again."""
    return sparse(rng, 4, m)[rng.integers(0, 4, n)]


def spread(rng, n, m):
    """Numbers between 1e-12 and 1e12."""
    return 10.0 ** rng.uniform(-12, 12, (n, m)) * (rng.random((n, m)) < 0.4)


def lopsided(rng, n, m):
    """One feature is 1e5 times the others."""
    return counts(rng, n, m) * np.where(np.arange(m) == 1, 1e5, 1.0)


def tiny(rng, n, m):
    """Some entries are tiny, like zeros with rounding errors."""
    X = counts(rng, n, m)
    X[rng.random((n, m)) < 0.1] = TINY
    return X


def silence(rng, n, m):
    """Powers of a signal that is silent for a while: there they are noise of 1e-12."""
    X = dense(rng, n, m)
    X[: n // 3] = 1e-12 * (0.5 + rng.random((n // 3, m)))
    return X


STRUCTURES = (
    counts, sparse, dense, blocks, isolated, foreign, empty, one_hot, diagonal, rank_one,
    duplicates, spread, lopsided, tiny, silence,
)  # fmt: skip

POSITIVE = (dense, silence)

TINY = 1e-30  # in float64, the same share of its range, which is about 1e-300

SCALES = (1e-12, 1e-6, 1e5, 1e10)


LOSSES = {"frobenius": 0.4, "kullback-leibler": 0.45, 0.5: 0.05, 1.5: 0.05, NEARLY_ONE: 0.05}

FOR_POSITIVE = {0.0: 0.2, "itakura-saito": 0.2, -0.5: 0.2, NEARLY_ZERO: 0.2, NEARLY_ONE: 0.2}

KINDS = {"plain": 0.6, "samples": 0.14, "entries": 0.13, "unknown": 0.13}

STARTS = {
    "random": 0.4, "nndsvd": 0.2, "custom": 0.08, "known": 0.12, "frozen": 0.12, "seeds": 0.08,
}  # fmt: skip


@dataclass
class Case:
    """A call of `factorize`, and what it is to minimise."""

    structure: str
    X: Any
    n_components: int
    options: dict[str, Any]
    problem: Problem = field(init=False)  # set when everything else has been drawn
    arrangement: str = "memory"
    given: dict[str, np.ndarray] = field(default_factory=dict)  # what peers start with
    tags: list[str] = field(default_factory=list)

    @property
    def label(self):
        shape = "x".join(map(str, self.problem.X.shape))
        shown = {k: v for k, v in self.options.items() if not isinstance(v, np.ndarray)}
        shown.pop("weights", None)
        tags = " ".join([str(self.problem.dtype), *self.tags])
        return f"{self.structure} {shape} k={self.n_components} {tags} {shown}"


def draw(number, structures=STRUCTURES, *, kinds=KINDS, starts=STARTS, losses=LOSSES):
    """Return a case, which depends only on its number and on what there is to choose from."""
    rng = np.random.default_rng([26, number])
    structure = structures[number % len(structures)]
    beta, loss, solver = draw_loss(rng, structure, losses)
    dtype = np.dtype(rng.choice([np.float32, np.float64]))
    X = structure(rng, int(rng.integers(9, 25)), int(rng.integers(7, 20)))
    if structure is tiny:
        X[X == TINY] = TINY if dtype == np.float32 else TINY**10
    elif structure not in (spread, lopsided) and rng.random() < 0.25:
        X = X * rng.choice(SCALES)
    X = X.astype(dtype).astype(float)
    k = int(rng.integers(1, min(6, *(s + 1 for s in X.shape))))
    problem = {"X": X, "beta": beta, "dtype": dtype}
    options: dict[str, Any] = {"loss": loss, "solver": solver, "random_state": 0}
    case = Case(structure.__name__, None, k, options)
    draw_penalties(rng, case, problem)
    kind = pick(rng, kinds) if beta > 0 else "plain"
    draw_entries(rng, case, problem, kind)
    draw_start(rng, case, problem, pick(rng, starts))
    draw_settings(rng, case)
    if beta in (1, 2) and kind in ("plain", "samples"):
        arrangements = {"memory": 0.45, "store": 0.2}
        if beta == 2 or solver == "mu":  # without a transpose
            arrangements["low_memory"] = 0.2
        if beta == 2 and solver == "cd":
            arrangements |= {"tall": 0.1, "mixed": 0.15}
        case.arrangement = pick(rng, arrangements)
    case.tags.append(case.arrangement)
    case.problem = Problem(**problem)
    return case


def pick(rng, choices):
    """Return one of the keys, with probabilities in proportion to the values."""
    share = np.array(list(choices.values()))
    return list(choices)[rng.choice(len(choices), p=share / share.sum())]


def draw_loss(rng, structure, losses):
    """Return beta, the loss as it is passed, and the solver."""
    if structure in POSITIVE and losses is LOSSES and rng.random() < 0.4:
        losses = FOR_POSITIVE
    loss = pick(rng, losses)
    beta = BETAS[loss] if isinstance(loss, str) else loss
    return beta, loss, pick(rng, {"cd": 0.65, "mu": 0.35}) if beta in (1, 2) else "mu"


def draw_penalties(rng, case, problem):
    """Set no penalties, or some that cost about as much as the fit does, at any scale."""
    if rng.random() < 0.55:
        return
    X, beta = problem["X"], problem["beta"]
    l1_ratio = float(rng.choice([0.0, 0.5, 1.0]))
    n, m = X.shape
    size = (X[X > 0] ** beta).sum() * (0.5 if beta == 2 else 1.0)
    entry = np.sqrt(X.mean() / case.n_components)
    cost = n * m * case.n_components * (l1_ratio * entry + (1 - l1_ratio) * entry**2)
    alpha = float(rng.choice([0.001, 0.03, 0.3]) * size / cost) if cost else 0.1
    side = rng.choice(["both", "W", "H"])
    alpha_W, alpha_H = alpha * (side != "H"), alpha * (side != "W")
    problem.update(alpha_W=alpha_W, alpha_H=alpha_H, l1_ratio=l1_ratio)
    case.options.update(alpha_W=alpha_W, alpha_H=alpha_H, l1_ratio=l1_ratio)


def draw_entries(rng, case, problem, kind):
    """Set X in the form in which it is passed, and weights of some kind."""
    X, dtype = problem["X"], problem["dtype"]
    case.X = X.astype(dtype) if rng.random() < 0.3 else sp.csr_array(X.astype(dtype))
    if kind == "samples":
        for name, size in zip(("sample_weight", "feature_weight"), X.shape, strict=True):
            if rng.random() < 0.7:
                weights = rng.choice([0.0, 0.5, 1.0, 3.0], size=size, p=[0.2, 0.2, 0.4, 0.2])
                weights[0] = 1.0
                problem[name] = case.options[name] = weights
    if kind in ("entries", "unknown"):
        stored = (X > 0) | (rng.random(X.shape) < 0.1)
        rows, columns = np.nonzero(stored)
        case.X = sp.csr_array((X[stored].astype(dtype), (rows, columns)), shape=X.shape)
        V = np.ones(X.shape)
        if kind == "unknown":
            case.options["missing"], V[~stored] = "unknown", 0.0
        if kind == "entries" or rng.random() < 0.3:
            weights = rng.choice([0.0, 0.5, 1.0, 4.0], size=len(rows), p=[0.1, 0.2, 0.5, 0.2])
            V[stored] = weights
            weights = weights.astype(dtype)
            case.options["weights"] = sp.csr_array((weights, (rows, columns)), shape=X.shape)
        problem["V"] = V
    if kind != "plain":
        case.tags.append(kind)


def draw_start(rng, case, problem, kind):
    """Choose where a fit starts, and which components are frozen."""
    X, k, dtype = problem["X"], case.n_components, problem["dtype"]
    if kind == "nndsvd":
        case.options["init"] = str(rng.choice(["nndsvd", "nndsvda", "nndsvdar"]))
    elif kind == "custom":
        scale = np.sqrt(X.mean() / k)
        for name, shape in (("W", (len(X), k)), ("H", (k, X.shape[1]))):
            case.options[name] = (rng.random(shape) * scale + scale / 10).astype(dtype)
    elif kind == "known" and k > 1:  # one component that explains all as well as one can
        name = str(rng.choice(["W", "H"]))
        _give(case, name, X, dtype)
    elif kind == "frozen":
        name = str(rng.choice(["W", "H"]))
        known = _give(case, name, X, dtype)
        if rng.random() < 0.3:
            known[:] = 0
        case.options[f"frozen_{name}"] = [0]
        free = np.arange(k) != 0
        problem[f"free_{name}"] = free[None] if name == "W" else free[:, None]
    elif kind == "seeds":
        columns = rng.permutation(X.shape[1])[: max(1, X.shape[1] // 3)].tolist()
        case.options.update(seeds={0: columns}, seeding="support")
        free = np.ones((k, X.shape[1]), bool)
        free[0] = np.isin(np.arange(X.shape[1]), columns)
        problem["free_H"] = free
    case.tags.append(kind)


def draw_settings(rng, case):
    """Mostly keep the defaults; or end early, or switch off what makes descent fast."""
    kind = pick(rng, {"default": 0.7, "short": 0.15, "plain": 0.15})
    if kind == "short":
        case.options["max_iter"] = int(rng.choice([1, 2, 5]))
    elif kind == "plain" and case.options["solver"] == "cd":
        case.options.update(extrapolate=False, max_sweeps=int(rng.choice([1, 3])))


def _give(case, name, X, dtype):
    """Pass the mean sample as the first row of H, or the sums of samples as W's first column."""
    total = np.sqrt(X.sum()) or 1.0
    known = X.sum(axis=1, keepdims=True) if name == "W" else X.sum(axis=0, keepdims=True)
    case.options[name] = case.given[name] = known = (known / total).astype(dtype)
    return known
