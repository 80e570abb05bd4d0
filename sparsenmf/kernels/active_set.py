"""The minimum of a convex quadratic over the non-negative orthant, exactly.

The active-set method of Lawson & Hanson 1974 ("Solving least squares problems", chapter 23), in
the form that needs the gram matrix only (Bro & de Jong 1997, "A fast non-negativity-constrained
least squares algorithm", Journal of Chemometrics 11(5)), from any feasible start: solve for the
coordinates that are free. If some would be negative, go until the first of them is zero, and hold
it there. Otherwise free the held coordinate that promises most. Each turn lowers the value, so the
method ends. All is in float64. A step starts from the slope at the point reached, not from the
right hand side, so each turn also corrects the rounding of the one before.
"""

import numpy as np

from .compile.jit import inner

HELD, FREE, BARRED = 0, 1, 2
"""A coordinate is held at zero, may move, or has returned to zero as soon as it was freed."""

EPS = float(np.finfo(np.float64).eps)

ROUNDING = 8 * EPS
"""The least slope that differs from zero, relative to the terms of which it is the difference."""


@inner
def solve_quadratic(A, slope, terms, z, L, step, status, places, n):
    """Minimise slope' d + 1/2 d' A d over d with z + d >= 0; z becomes z + d.

    Parameters
    ----------
    A : ndarray of shape (at least n, at least n), float64
        Symmetric, positive semidefinite, with a positive diagonal.
    slope : ndarray of shape (at least n,), float64
        At z; overwritten with the slope at the result.
    terms : ndarray of shape (at least n,), float64
        The size of the terms of which the slope is a difference.
    z : ndarray of shape (at least n,), float64
        Not negative.
    L, step, status, places : ndarray
        Scratch: like A, float64 like z, and twice int64.
    """
    for i in range(n):
        status[i] = FREE if z[i] > 0 else HELD
    freed = -1
    for _ in range(3 * n + 10):
        solve_free(A, slope, L, step, status, places, n)
        share, first = 1.0, -1
        for i in range(n):
            if z[i] + step[i] < 0 and z[i] <= -share * step[i]:
                share, first = z[i] / -step[i], i
        for i in range(n):
            if step[i] != 0:
                z[i] = max(z[i] + share * step[i], 0.0)
                for j in range(n):
                    slope[j] += share * step[i] * A[i, j]
        if first >= 0:
            z[first], status[first] = 0.0, BARRED if first == freed else HELD
            continue
        freed = most_promising(A, slope, terms, status, n)
        if freed < 0:
            return
        status[freed] = FREE


@inner
def most_promising(A, slope, terms, status, n):
    """Return the held coordinate that would lower the value most, or -1 if none would."""
    best, most = -1, 0.0
    for i in range(n):
        if status[i] == HELD and slope[i] < -ROUNDING * terms[i]:
            promise = slope[i] * slope[i] / A[i, i]
            if promise > most:
                best, most = i, promise
    return best


@inner
def solve_free(A, slope, L, step, status, places, n):
    """Set step to the solution of A step = -slope in the free coordinates, and zero elsewhere."""
    m = 0
    for i in range(n):
        step[i] = 0.0
        if status[i] == FREE:
            places[m] = i
            m += 1
    decompose(A, L, places, m)
    for a in range(m):
        value = -slope[places[a]]
        for c in range(a):
            value -= L[c, a] * step[places[c]]
        step[places[a]] = value / L[a, a]
    for a in range(m - 1, -1, -1):
        value = step[places[a]]
        for b in range(a + 1, m):
            value -= L[a, b] * step[places[b]]
        step[places[a]] = value / L[a, a]


@inner
def decompose(A, L, places, m):
    """Set the upper triangle L to Cholesky's factor of A at these places.

    The rounding of A is added to its diagonal. So a direction in which A is flat has a long
    step, which ends where a coordinate is zero.
    """
    for a in range(m):
        for b in range(a, m):
            L[a, b] = A[places[a], places[b]]
    for a in range(m):
        least = (m + 8) * EPS * A[places[a], places[a]]
        root = np.sqrt(max(L[a, a], 0.0) + least)
        L[a, a] = root
        for b in range(a + 1, m):
            L[a, b] /= root
        for c in range(a + 1, m):  # along memory
            factor = L[a, c]
            for b in range(c, m):
                L[c, b] -= factor * L[a, b]
