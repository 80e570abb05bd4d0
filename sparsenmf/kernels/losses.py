"""The loss of a row and its derivatives, entry by entry, for any beta, in float64.

Where absent entries have powers (beta is neither 1 nor 2) all columns are visited, and nothing is
absent. Otherwise the gram matrix or the sums of the other factor stand for absent entries.
"""

import numpy as np

from .compile.jit import inner
from .operands import Entries
from .vector.strips import FLOOR

UNREACHED = float(np.finfo(np.float32).eps)
"""The y that a loss counts where y is zero and would make it infinite; for an x below one, this
fraction of x. scikit-learn takes the same number."""

LARGE = 1e100  # ratio of y to x above which x is as good as zero

NEAR_ZERO = 0.5
"""Below this beta the kernels sum (y^beta - 1) / beta instead of y^beta / beta. The rest, 1 / beta
where X is zero, is a constant: both are large near beta = 0, and would not cancel."""


@inner
def make_entries(longest):
    """Return scratch for the entries of a row."""
    lines = np.empty((5, longest))
    columns = np.empty(longest, np.int64)
    return Entries(lines[0], lines[1], lines[2], lines[3], lines[4], columns)


@inner
def load_everything(row, rows, i, n_columns):
    """Load a row, zeros included; return how many entries there are, and how many have a y."""
    for j in range(n_columns):
        row.x[j], row.v[j], row.summed[j], row.columns[j] = 0.0, rows.absent, 0.0, j
    for p in range(rows.indptr[i], rows.indptr[i + 1]):
        j = rows.indices[p]
        row.x[j] = rows.data[p]
        row.v[j] = rows.weights[p] if rows.weights.shape[0] > 0 else 1.0
    return n_columns, n_columns


@inner
def load_entries(row, rows, i, given):
    """Load the entries of a row, those first whose slopes need y; return the two numbers."""
    start, stop, n, n_seen = rows.indptr[i], rows.indptr[i + 1], 0, 0
    for turn in range(2):
        for p in range(start, stop):
            j = rows.indices[p]
            v = np.float64(rows.weights[p]) if rows.weights.shape[0] > 0 else 1.0
            summed = 0.0 if given.is_heavy[j] else given.absent
            seen = given.beta != 2 or v != summed
            if seen == (turn == 0):
                row.x[n], row.v[n], row.summed[n], row.columns[n] = rows.data[p], v, summed, j
                n += 1
        for q in range(given.heavy.shape[0] if turn == 0 and given.absent > 0 else 0):
            j = given.heavy[q]
            if not is_stored(rows.indices, start, stop, j):
                row.x[n], row.v[n], row.summed[n], row.columns[n] = 0.0, given.absent, 0.0, j
                n += 1
        n_seen = n if turn == 0 else n_seen
    return n, n_seen


@inner
def is_stored(indices, start, stop, j):
    """Return whether j is among these ascending indices, by bisection."""
    while start < stop:
        middle = (start + stop) // 2
        if indices[middle] == j:
            return True
        if indices[middle] < j:
            start = middle + 1
        else:
            stop = middle
    return False


@inner
def multiply(y, w, columns, n, other):
    """Set y to the products of w with the rows of the other factor at the entries."""
    for p in range(n):
        y[p] = 0.0
    for r in range(w.shape[0]):
        if w[r] > 0:
            for p in range(n):
                y[p] += w[r] * other[columns[p], r]


@inner
def row_loss(row, n, given, w):
    """Return a row's loss at w, without penalties."""
    y, total = row.y, 0.0
    multiply(y, w, row.columns, n, given.other)
    rest = n < given.other.shape[0]  # else all is visited
    for p in range(n):
        x, seen = row.x[p], y[p]
        if given.beta <= 1 and x > 0 and not seen > 0:
            seen = UNREACHED * min(x, 1.0)
        total += row.v[p] * divergence(x, seen, given.beta)
        if rest and row.summed[p] > 0:
            total -= row.summed[p] * divergence(0.0, y[p], given.beta)
    for r in range(w.shape[0] if rest and given.absent > 0 else 0):
        rate = given.sums[r] if given.beta == 1 else 0.0
        for s in range(w.shape[0] if given.beta == 2 else 0):
            rate += 0.5 * given.gram[r, s] * w[s]
        total += given.absent * w[r] * rate
    return total


@inner
def row_value(row, y, n, given, w):
    """Return a row's objective at w, with products y.

    It is infinite where y has become zero beside an x that pulls it up with an infinite slope. It
    leaves out entries whose y was zero before, and so always will be.
    """
    total = 0.0
    for r in range(w.shape[0]):
        total += w[r] * (given.l1 + 0.5 * given.l2 * w[r])
        if given.beta == 1:
            total += given.absent * w[r] * given.sums[r]
    for p in range(n):
        if given.beta < 2 and row.x[p] > 0 and row.v[p] > 0 and not y[p] > 0:
            if row.y[p] > 0:
                return np.inf
        elif row.v[p] > 0:  # else the divergence may be infinite
            total += row.v[p] * divergence(row.x[p], y[p], given.beta)
        if row.summed[p] > 0:
            total -= row.summed[p] * divergence(0.0, y[p], given.beta)
    return total


@inner
def divergence(x, y, beta):
    """Return the beta divergence of x from y, to the rounding of x - y also where that is small."""
    if beta == 2:
        return 0.5 * (x - y) * (x - y)
    if x == 0:
        return y if beta == 1 else y**beta / beta if y > 0 else 0.0
    ratio = y / x
    excess = (y - x) / x
    logarithm = np.log1p(excess) if 0.5 < ratio < 2 else np.log(y) - np.log(x)
    if beta == 1:
        return x * (excess - logarithm) if ratio < 2 else y - x - x * logarithm
    if ratio > LARGE and beta > 0:
        return y**beta / beta
    # With a = beta - 1, (ratio^a - 1) / a is nearly log(ratio) where a is small, and so on.
    if beta > 0.5:
        a = beta - 1
        grown = np.expm1(a * logarithm) / a
        return x**beta * (ratio - 1 - grown + a * grown * (ratio - 1)) / beta
    grown = np.expm1(beta * logarithm) / beta if beta != 0 else logarithm
    inverse = 1 / ratio
    return x**beta * (1 - inverse + grown * (beta - 1 - beta * inverse)) / (beta - 1)


@inner
def entry_slope(x, v, summed, y, given):
    """Return the derivative of an entry's loss by y."""
    beta = given.beta
    if beta == 2:
        return v * (y - x) - summed * y
    if x == 0:
        if beta == 1:
            return v - summed
        return v * max(y, given.floor) ** (beta - 1)
    if not y > 0:
        return 0.0  # no w changes that, or the slope is zero
    if beta == 1:
        return v - summed - v * x / y
    return v * (y - x) * y ** (beta - 2)


@inner
def entry_curvature(x, v, summed, y, given):
    """Return the second derivative of the convex part of an entry's loss by y."""
    beta = given.beta
    if beta == 2:
        return v - summed
    if x > 0 and not y > 0:
        return 0.0
    if beta == 1:
        return v * x / (y * y) if x > 0 else 0.0
    y = y if x > 0 else max(y, given.floor)
    curvature = v * (beta - 1) * y ** (beta - 2) if beta > 1 else 0.0
    return curvature + (v * (2 - beta) * x * y ** (beta - 3) if beta < 2 and x > 0 else 0.0)


@inner
def power(y, exponent):
    """Return y**exponent, quickly where that is a division."""
    if exponent == -1:
        return 1 / y
    if exponent == -2:
        return 1 / (y * y)
    return y**exponent


@inner
def quotient(y, exponent):
    """Return (y^exponent - 1) / exponent, to rounding near an exponent of zero: there log(y)."""
    return np.log(y) if exponent == 0 else np.expm1(exponent * np.log(y)) / exponent


@inner
def divergence_at(x, y, beta):
    """Return the divergence of a nonzero x from y, less `everywhere`; beta is not 1.

    Each form is continuous in beta where it is used. The usual one, divided by beta and by
    beta - 1, would have differences of large numbers near 0 and 1.
    """
    y = max(y, FLOOR * x)
    if beta >= NEAR_ZERO:
        return x * power(y, beta - 1) * (quotient(x / y, beta - 1) - 1) / beta
    rest = (quotient(x, beta) + 1 - x * power(y, beta - 1)) / (beta - 1)
    return rest if beta > 0 else rest + quotient(y, beta)


@inner
def everywhere(y, beta):
    """Return the part of the divergence that any x has at y, but for 1 / beta at zeros of X.

    It is zero for beta <= 0: there are no zeros in X, and `divergence_at` is all of it.
    """
    if beta >= NEAR_ZERO:
        return y**beta / beta
    return quotient(y, beta) if beta > 0 else 0.0
