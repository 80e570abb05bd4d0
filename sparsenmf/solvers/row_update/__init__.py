"""How the rows of a factor are improved: one table, by loss, algorithm and kind of entries.

Given sparse rows x_i, the other factor B and a summary of B as a whole, an update improves
each row w_i of this factor for

    sum over j of d(x_ij, (w B')_j) + l1 sum(w) + l2/2 ||w||^2,    w >= 0.

Alternation, blocks, streams, transform and clusters call the objects of this table. Nothing else
calls the update kernels. A new loss is a kernel, its literal twin, and a row of the table.
"""

from .base import SWEEP_TOLERANCE, Pass, RowUpdate, Step
from .divergences import BetaMultiplicative, NewtonDescent, WeightedMultiplicative
from .exact import give, solve
from .frobenius import GramDescent, GramMultiplicative, WeightedDescent

__all__ = [
    "SWEEP_TOLERANCE",
    "Pass",
    "RowUpdate",
    "Step",
    "best_algorithm",
    "give",
    "has_descent",
    "row_update",
    "solve",
]

ROW_UPDATES: dict[tuple[str, str, str], type[RowUpdate]] = {
    ("frobenius", "cd", "equal"): GramDescent,
    ("frobenius", "cd", "weighted"): WeightedDescent,
    ("frobenius", "mu", "equal"): GramMultiplicative,
    ("frobenius", "mu", "weighted"): WeightedMultiplicative,
    ("kullback-leibler", "cd", "equal"): NewtonDescent,
    ("kullback-leibler", "cd", "weighted"): NewtonDescent,
    ("kullback-leibler", "mu", "equal"): BetaMultiplicative,
    ("kullback-leibler", "mu", "weighted"): WeightedMultiplicative,
    ("beta", "mu", "equal"): BetaMultiplicative,
    ("beta", "mu", "weighted"): WeightedMultiplicative,
}
"""By loss, algorithm, and whether all entries of X count alike."""


def has_descent(beta):
    """Return whether there is coordinate descent for a beta divergence."""
    return (_name(beta), "cd", "equal") in ROW_UPDATES


def best_algorithm(beta):
    """Return coordinate descent, where there is one: it needs a fraction of the iterations."""
    return "cd" if has_descent(beta) else "mu"


def row_update(loss, algorithm, plain, n_components, n_threads=1):
    """Return the object that improves rows for a loss and an algorithm.

    Parameters
    ----------
    loss : Loss
    algorithm : {"cd", "mu"}
    plain : bool
        Whether all entries count alike: `Rows.plain`.
    n_components, n_threads : int
    """
    kind = ROW_UPDATES[_name(loss.beta), algorithm, "equal" if plain else "weighted"]
    return kind(loss, n_components, n_threads)


def _name(beta):
    return {2.0: "frobenius", 1.0: "kullback-leibler"}.get(beta, "beta")
