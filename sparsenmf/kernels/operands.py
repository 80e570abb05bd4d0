"""The named tuples that kernels take, and those that they pass to the functions they call.

numba does not take a named tuple within another into a parallel loop.
"""

from typing import Any, NamedTuple

import numpy as np


class Side(NamedTuple):
    """The other side of the product: its factor, and a summary of it.

    Attributes
    ----------
    other : ndarray of shape (n_columns, width)
        The other factor B, padded.
    summary : ndarray or tuple
        What the update knows of B as a whole: its gram matrix, its column sums, or both.
    """

    other: np.ndarray
    summary: Any


class Earlier(NamedTuple):
    """Partial products x_i B with other columns, (n_parts or 0, n_rows, width), and their weight.

    Products and weight, `fade`, have the dtype of the factors.
    """

    products: np.ndarray
    fade: Any


class Sweeps(NamedTuple):
    """How coordinate descent sweeps over a row, and what it measures.

    Attributes
    ----------
    max_sweeps : int
        0 leaves the rows as they are and only measures.
    tolerance : float
        A row is done when a sweep moved it less than this fraction of its first sweep, in the
        metric of the second derivatives.
    objective, residual : bool
        Whether to measure the objective, and the distance from the optimum, after the sweeps. A
        kernel that finds one of them at no cost ignores its flag.
    """

    max_sweeps: int
    tolerance: Any
    objective: bool = True
    residual: bool = False


class Divergence(NamedTuple):
    """A beta divergence: beta, the exponent gamma of its updates, and the smallest y in powers."""

    beta: float
    gamma: float
    floor: float


class Coordinates(NamedTuple):
    """A row of a factor on which coordinate descent works.

    Attributes
    ----------
    w : ndarray of shape (width,)
    movable : ndarray of shape (width,), bool
    slopes : ndarray of shape (width,)
        What the sums over all columns add to the derivatives, beside the penalty: the column
        sums of B (Kullback-Leibler), or w times the gram matrix of B.
    l1, l2 : float
    """

    w: np.ndarray
    movable: np.ndarray
    slopes: np.ndarray
    l1: float
    l2: float


class Strips(NamedTuple):
    """The entries of a sparse row, padded to n, a whole number of vectors.

    Attributes
    ----------
    b : ndarray of shape (width or less, n)
        Components of the rows of B that the entries meet: see `kernels.vector.strips`.
    x, y, v : ndarray of shape (n,)
        Entries, products w B', and weights (Kullback-Leibler) or weights less those of absent
        entries.
    sums : ndarray of shape (2,)
        Receives the sums of a pass over the entries.
    """

    b: np.ndarray
    x: np.ndarray
    y: np.ndarray
    v: np.ndarray
    sums: np.ndarray


class LaneTile(NamedTuple):
    """A lane tile of short rows, one in each of n_lanes lanes.

    Attributes
    ----------
    w, movable, slopes : ndarray of shape (n_components, n_lanes)
        As in `Coordinates`.
    penalties : ndarray of shape (2, n_lanes)
        L1 and L2 weights.
    lines : ndarray of shape (3, at least n_entries * n_lanes)
        v x, v less the weight of absent entries, and y: see `kernels.vector.short_rows`.
    sums : ndarray of shape (2, n_lanes)
        Receives the sums of a pass over the entries.
    state : ndarray of shape (3, n_lanes)
        Whether a row is active, the squared steps of its last sweep, and where it is done.
    """

    w: np.ndarray
    movable: np.ndarray
    slopes: np.ndarray
    penalties: np.ndarray
    lines: np.ndarray
    sums: np.ndarray
    state: np.ndarray


class GivenSide(NamedTuple):
    """The other factor, the loss and the penalty of rows that are solved exactly, in float64.

    Attributes
    ----------
    other : ndarray of shape (n_columns, width)
    gram : ndarray of shape (n_components, n_components)
        other' other without the *heavy* columns. These are visited in every row, as the squares
        of the others would be lost beside theirs.
    heavy, is_heavy : ndarray of shape (any,), int64, and (n_columns,), bool
    sums : ndarray of shape (width,)
        Sums of the columns of `other`.
    beta, floor : float
        The beta of the loss, and the smallest y whose powers count where x is zero.
    absent : float
        Weight of the entries that are not visited.
    l1, l2 : float
    """

    other: np.ndarray
    gram: np.ndarray
    heavy: np.ndarray
    is_heavy: np.ndarray
    sums: np.ndarray
    beta: float
    floor: float
    absent: float
    l1: float
    l2: float


class Entries(NamedTuple):
    """The entries of a row that are visited.

    Attributes
    ----------
    x, v, y : ndarray
        Entries, their weights, and the products w B'.
    summed : ndarray
        The part of v that sums over whole columns of B contain already.
    trial : ndarray
        The products of a trial step.
    columns : ndarray of int
    """

    x: np.ndarray
    v: np.ndarray
    summed: np.ndarray
    y: np.ndarray
    trial: np.ndarray
    columns: np.ndarray


class Newton(NamedTuple):
    """A row, its quadratic model, and scratch.

    Attributes
    ----------
    w, slope, base, trial : ndarray of shape (n_components,)
        The row, the derivatives at it, their part that does not depend on w, and a trial step.
    chosen : ndarray of int
        Coordinates that may move; all that follows is of these.
    z, rest, terms, step, status, places : ndarray
        See `kernels.active_set.solve_quadratic`, whose slope is `rest`.
    A, L : ndarray of shape (n_components, n_components)
        Second derivatives, and scratch for their Cholesky factor.
    """

    w: np.ndarray
    slope: np.ndarray
    base: np.ndarray
    trial: np.ndarray
    z: np.ndarray
    rest: np.ndarray
    terms: np.ndarray
    step: np.ndarray
    chosen: np.ndarray
    status: np.ndarray
    places: np.ndarray
    A: np.ndarray
    L: np.ndarray
