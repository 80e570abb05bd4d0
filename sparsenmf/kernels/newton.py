"""Steps of single coordinates for the Kullback-Leibler loss.

The problem is that of `kernels.kullback_leibler` (Hsieh & Dhillon 2011, section 4). With
g = sum x b / y and h = sum x b^2 / y^2 the derivative is T - g, T = S_r + l1 + l2 w, and
Newton's step would be (g - T) / h. But 1 / g is nearly linear in w_r (exactly, if one
nonzero matters), so the step is Newton's for 1 / g = 1 / T instead:

    step = (g / T) (g - T) / (h + l2 (g / T)^2).

1 / g - 1 / T is concave and rises with w_r, so a step to the right never goes too far.
One to the left can; it is taken if the objective provably falls: no curvature between w
and w - d exceeds (h + l2) / (1 - d / w)^2. Else the step is that of the multiplicative
update, w g / T, which never raises the objective (Lee & Seung 2001). A coordinate
that would pass zero becomes zero if the derivative there is not negative. So the
objective falls with every step, without ever being computed. A coordinate stays positive if some
y would be zero without it where x is not: the objective would be infinite. As y is known up to
rounding only, `is_needed` asks whether more than rounding would be left.
"""

import numpy as np

from .compile.jit import inner
from .vector.strips import STEEP

STEEPEST = min(STEEP.values())

NOISE = 16  # units of rounding in y, after some moves


@inner
def is_needed(w, strips, q, without, least, target):
    """Return whether some y would be zero, but for rounding, without a coordinate of value w.

    Then the derivative without it has a term x b / y of at least x / (share w). It is known not to
    exceed the target, so unless the smallest x is tiny, there is no such entry to look for.
    """
    b, y = strips.b, strips.y
    share = NOISE * np.float64(np.finfo(y.dtype).eps)
    if least > 2 * target * max(share * w, 1 / STEEPEST):
        return False
    found = False
    for p in range(y.shape[0]):
        found |= b[q, p] > 0 and without[p] <= share * y[p]
    return found


@inner
def any_positive(row):
    """Return whether a row has an entry above zero."""
    found = False
    for r in range(row.shape[0]):
        found |= row[r] > 0
    return found


@inner
def rescale(row, before, x):
    """Set a row that rounding has made zero to the best multiple of what it was before.

    Where x is not zero, no minimum is at zero. But y is known up to rounding of the largest y on
    the way: a row that shrinks by many orders of magnitude may lose its last coordinate by it.
    """
    w, slopes = row.w, row.slopes
    total = linear = square = 0.0
    for p in range(x.shape[0]):
        total += x[p]
    for r in range(w.shape[0]):
        old = np.float64(before[r])
        linear, square = linear + old * (slopes[r] + row.l1), square + row.l2 * old * old
    if total > 0 and linear + square > 0:
        multiple = 2 * total / (linear + np.sqrt(linear * linear + 4 * square * total))
        for r in range(w.shape[0]):
            w[r] = multiple * before[r]


@inner
def newton_step(w, g, h, target, l2):
    """Return where a coordinate goes: see the module's docstring. Not above 0 means: to zero."""
    ratio = g / target
    curvature = h + l2 * ratio * ratio
    if not curvature > 0:  # no nonzero matters, or h has vanished in rounding
        return w * ratio
    new = w + ratio * (g - target) / curvature
    if 0 < new < w:
        share = new / w
        if (w - new) * (h + l2) > 2 * share * share * (target - g):
            new = w * ratio
    return new
