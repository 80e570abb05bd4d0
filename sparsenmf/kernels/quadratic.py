"""The quadratic that replaces the loss of a row near w, for a Newton step of `kernels.exact`."""

from .active_set import ROUNDING
from .compile.jit import inner
from .losses import entry_curvature


@inner
def choose(newton):
    """Choose the coordinates that are not zero, or should not stay there; return their number."""
    m = 0
    for r in range(newton.w.shape[0]):
        if newton.w[r] > 0 or newton.slope[r] < 0:
            newton.chosen[m] = r
            m += 1
    return m


@inner
def sum_curvatures(row, n, given, newton, m):
    """Set A to the second derivatives by the chosen coordinates, and terms to A w'.

    Slopes are differences of these terms, which leave out heavy columns.
    """
    A, chosen, bases, terms = newton.A, newton.chosen, newton.step, newton.terms
    share = given.absent if given.beta == 2 else 0.0
    for a in range(m):
        terms[a] = given.l2 * newton.w[chosen[a]]
        for b in range(m):
            A[a, b] = share * given.gram[chosen[a], chosen[b]] if share > 0 else 0.0
            terms[a] += A[a, b] * newton.w[chosen[b]]
        A[a, a] += given.l2
    for p in range(n):
        rate = entry_curvature(row.x[p], row.v[p], row.summed[p], row.y[p], given)
        if rate != 0:
            size = 0.0 if given.is_heavy[row.columns[p]] else abs(rate) * row.y[p]
            for a in range(m):
                bases[a] = given.other[row.columns[p], chosen[a]]
                terms[a] += size * bases[a]
            for a in range(m):
                factor = rate * bases[a]
                for b in range(a + 1):
                    A[a, b] += factor * bases[b]
    for a in range(m):
        for b in range(a):
            A[b, a] = A[a, b]


@inner
def drop_flat(newton, m):
    """Set coordinates without curvature to zero; return whether any of them was not."""
    dropped = False
    for a in range(m):
        if not newton.A[a, a] > 0:
            dropped = dropped or newton.w[newton.chosen[a]] > 0
            newton.w[newton.chosen[a]] = 0.0
            newton.A[a, a] = 1.0  # zero slope or more keeps it there
    return dropped


@inner
def load_model(newton, m):
    """Set start and slopes of the quadratic; return w A w', without heavy columns and whole."""
    light = whole = 0.0
    for a in range(m):
        newton.z[a], newton.rest[a] = newton.w[newton.chosen[a]], newton.slope[newton.chosen[a]]
        light += newton.terms[a] * newton.z[a]
        for b in range(m):
            whole += newton.A[a, b] * newton.z[a] * newton.w[newton.chosen[b]]
    return light, whole


@inner
def at_rest(newton, m):
    """Return whether the slopes are zero but for rounding."""
    for a in range(m):
        slope, least = newton.rest[a], ROUNDING * newton.terms[a]
        if slope < -least or (slope > least and newton.z[a] > 0):
            return False
    return True


@inner
def weigh_step(newton, m):
    """Return the first-order decrease that the step from w to z promises, and its curvature."""
    promised, curvature = 0.0, 0.0
    for a in range(m):
        newton.step[a] = newton.z[a] - newton.w[newton.chosen[a]]
        promised -= newton.step[a] * newton.slope[newton.chosen[a]]
    for a in range(m):
        for b in range(m):
            curvature += newton.step[a] * newton.A[a, b] * newton.step[b]
    return promised, curvature
