"""Literal NumPy twins of the kernels and of the solver: slow, dense, float64.

Imports numpy only, never sparsenmf: the truth must not lean on the code under test.
"""

import numpy as np


def update_rows(X, other, gram, l1, factor, max_sweeps, tolerance, free=None, measure=False):
    """Coordinate descent on the rows of `factor`; see kernels.coordinate_descent.

    Returns the new factor, and the two sums of its statistics.
    """
    factor = factor.astype(float)
    objective = residual = 0.0
    for i, x in enumerate(X):
        cross = x @ other - l1
        row = factor[i].copy()
        first = None
        for _ in range(max_sweeps):
            change = 0.0
            for r in range(len(row)):
                if not (free is None or free[r]):
                    continue
                if gram[r, r] == 0:  # the penalty is all that it feels
                    row[r] = 0.0 if l1 > 0 else row[r]
                    continue
                old = row[r]
                row[r] = max(0.0, old - (gram[r] @ row - cross[r]) / gram[r, r])
                change += gram[r, r] * (row[r] - old) ** 2
            first = change if first is None else first
            if change <= tolerance**2 * first:
                break
        if measure or max_sweeps == 0:
            residual += step_length(row, gram @ row - cross, gram)
        objective += 0.5 * row @ gram @ row - cross @ row
        factor[i] = row
    return factor, objective, residual


def sweep_tile(tile, cross, gram, active, move=True):
    """One sweep over a lane tile, whose columns are rows of the factor; see kernels.vector.tiles.

    Returns the moved tile, and for each row the squared steps and the objective.
    """
    tile = tile.copy()
    change, objective = np.zeros(tile.shape[1]), np.zeros(tile.shape[1])
    for t in np.flatnonzero(active):
        row = tile[:, t].copy()
        for r in range(len(row)):
            if gram[r, r] > 0:
                gradient = gram[r] @ row - cross[r, t]
                new = max(0.0, row[r] - gradient / gram[r, r])
                change[t] += gram[r, r] * (new - row[r]) ** 2
                row[r] = new if move else row[r]
        tile[:, t] = row
    for t in range(tile.shape[1]):
        row = tile[:, t]
        objective[t] = 0.5 * row @ gram @ row - cross[:, t] @ row
    return tile, change, objective


def step_length(row, gradient, gram):
    """Squared length, in the fit, of the steps that single coordinates would take.

    The squared length is twice the gain of a step. So a coordinate without curvature counts twice
    the gain of its step to zero.
    """
    total = 0.0
    for r, g in enumerate(gradient):
        if gram[r, r] > 0:
            step = max(0.0, row[r] - g / gram[r, r]) - row[r]
            total += gram[r, r] * step**2
        elif g > 0:
            total += 2 * g * row[r]
    return total


def hals(X, W, H, n_iter, l1_W=0.0, l2_W=0.0, l1_H=0.0, l2_H=0.0):
    """Plain cyclic coordinate descent; yields (W, H) after each iteration."""
    W, H = W.astype(float), H.astype(float)
    for _ in range(n_iter):
        for factor, data, other, l1, l2 in ((W, X, H.T, l1_W, l2_W), (H.T, X.T, W, l1_H, l2_H)):
            gram = other.T @ other + l2 * np.eye(other.shape[1])
            cross = data @ other - l1
            for i in range(len(factor)):
                for r in range(factor.shape[1]):
                    if gram[r, r] > 0:
                        gradient = gram[r] @ factor[i] - cross[i, r]
                        factor[i, r] = max(0.0, factor[i, r] - gradient / gram[r, r])
        yield W.copy(), H.copy()


def objective(X, W, H, alpha_W=0.0, alpha_H=0.0, l1_ratio=0.0):
    """scikit-learn's objective, as its documentation writes it."""
    X, W, H = (np.asarray(A, dtype=float) for A in (X, W, H))
    n_samples, n_features = X.shape
    return (
        0.5 * np.linalg.norm(X - W @ H) ** 2
        + alpha_W * l1_ratio * n_features * np.abs(W).sum()
        + alpha_H * l1_ratio * n_samples * np.abs(H).sum()
        + 0.5 * alpha_W * (1 - l1_ratio) * n_features * np.linalg.norm(W) ** 2
        + 0.5 * alpha_H * (1 - l1_ratio) * n_samples * np.linalg.norm(H) ** 2
    )


def optimality(X, W, H):
    """The KKT residual of both factors relative to ||X||, from its definition."""
    X, W, H = (np.asarray(A, dtype=float) for A in (X, W, H))
    total = 0.0
    for data, factor, other in ((X, W, H.T), (X.T, H.T, W)):
        gram = other.T @ other
        for x, row in zip(data, factor, strict=True):
            total += step_length(row, gram @ row - x @ other, gram)
    return np.sqrt(total) / np.linalg.norm(X)


FLOOR, POWER_FLOOR = 1e-15, 1e-10  # smallest y, as a share of its x; where powers are taken


def update_rows_kl(X, other, l1, l2, factor, max_sweeps, tolerance, free=None, V=None):
    """Scalar Newton steps on the rows of `factor`; see kernels.kullback_leibler.

    V has the weights of all entries. Returns the new factor, the sum of the row objectives
    and that of the residuals.
    """
    factor, other = factor.astype(float), other.astype(float)
    V = np.ones(X.shape) if V is None else V
    objective = residual = 0.0
    for x, v, row in zip(X.astype(float), V, factor, strict=True):
        if max_sweeps and not v.any():
            row[:] = 0  # nothing is known
        there, sums = (x > 0) & (v > 0), v @ other
        x, B = v[there] * x[there], v[there][:, None] * other[there]
        y, before = np.maximum(B @ row, FLOOR * x), row.copy()
        first = None
        for sweep in range(max(max_sweeps, 1)):
            change = 0.0
            for r, base in enumerate(sums + l1):
                old = row[r]
                if base + l2 == 0 or (sweep % 2 and old == 0) or not (free is None or free[r]):
                    continue
                g, h = np.sum(x * B[:, r] / y), np.sum(x * (B[:, r] / y) ** 2)
                new = newton_step(old, g, h, base + l2 * old, l2)
                if new <= 0 < old:
                    rest = y - old * B[:, r]
                    at_zero = np.maximum(rest, FLOOR * x)
                    needed = ((B[:, r] > 0) & (rest <= 1e-14 * y)).any()
                    if needed or np.sum(x * B[:, r] / at_zero) > base:
                        new = old * g / (base + l2 * old)
                new = max(new, 0.0)
                if max_sweeps:
                    y = np.maximum(y + (new - old) * B[:, r], FLOOR * x)
                    change += (h + l2) * (new - old) ** 2
                    row[r] = new
                else:
                    residual += (base + l2 * old - g) * (old - new)
            first = change if first is None else first
            if change <= tolerance**2 * first and sweep % 2 == 0:
                break
        a, b = before @ (sums + l1), l2 * before @ before
        if max_sweeps and not row.any() and x.any() and a + b > 0:  # rounding has taken it to zero
            row[:] = before * 2 * x.sum() / (a + np.sqrt(a**2 + 4 * b * x.sum()))
        y = np.maximum(B @ row, FLOOR * x)
        objective += np.sum(x * np.log(x / y)) + row @ (sums + l1) + l2 / 2 * row @ row
    return factor, objective, residual


def newton_step(w, g, h, target, l2):
    """Newton's step for 1 / g = 1 / target, or a multiplicative one where that may fail."""
    ratio = g / target
    curvature = h + l2 * ratio**2
    if curvature == 0:
        return w * ratio
    new = w + ratio * (g - target) / curvature
    if 0 < new < w and (w - new) * (h + l2) > 2 * (new / w) ** 2 * (target - g):
        return w * ratio
    return new


def beta_divergence(x, y, beta):
    """The beta divergence of single numbers x > 0 from y > 0, by its definition.

    Where that nearly divides by zero, it is written with (t^e - 1) / e, whose limit is log(t).
    """
    if beta == 2:
        return (x - y) ** 2 / 2
    if abs(beta) < 0.1:
        t = x / y
        return y**beta * (t - 1 - quotient(t, beta)) / (1 - beta)
    if abs(beta - 1) < 0.1:
        return y ** (beta - 1) * (x * quotient(x / y, beta - 1) - x + y) / beta
    powers = x**beta + (beta - 1) * y**beta - beta * x * y ** (beta - 1)
    return powers / (beta * (beta - 1))


def quotient(t, e):
    """(t^e - 1) / e, or its limit."""
    return np.log(t) if e == 0 else np.expm1(e * np.log(t)) / e


def divergence(X, W, H, beta, alpha_W=0.0, alpha_H=0.0, l1_ratio=0.0):
    """The beta divergence of X from W H, by its definition, and the penalties."""
    X, W, H = (np.asarray(A, dtype=float) for A in (X, W, H))
    Y = W @ H
    penalties = objective(Y, W, H, alpha_W, alpha_H, l1_ratio)  # of a perfect fit
    if beta == 2:
        return 0.5 * np.linalg.norm(X - Y) ** 2 + penalties
    there = X > 0
    x, y = X[there], np.maximum(Y[there], FLOOR * X[there])
    at_zeros = Y[~there & (Y > 0)]
    zeros = np.sum(at_zeros**beta) / beta if at_zeros.size else 0.0
    return np.sum(beta_divergence(x, y, beta)) + zeros + penalties


def update_rows_weighted(X, V, other, l1, l2, factor, max_sweeps, tolerance):
    """Coordinate descent on the rows of `factor`, entries weighted by V; kernels.weighted.

    Returns the new factor, the sum of the row objectives and that of the residuals.
    """
    X, V, other, factor = (A.astype(float) for A in (X, V, other, factor))
    objective = residual = 0.0
    for x, v, row in zip(X, V, factor, strict=True):
        if max_sweeps and not v.any():
            row[:] = 0  # nothing is known
        curvature = v @ other**2 + l2
        first = None
        for sweep in range(max(max_sweeps, 1)):
            change = 0.0
            for r in range(len(row)):
                old = row[r]
                if sweep % 2 and old == 0:
                    continue
                if curvature[r] == 0:  # the penalty is all that it feels
                    row[r] = 0.0 if l1 > 0 and max_sweeps else old
                    change += 0.0 if max_sweeps else 2 * l1 * old
                    continue
                slope = (v * (x - other @ row)) @ other[:, r] - l1 - l2 * old
                new = max(0.0, old + slope / curvature[r])
                change += curvature[r] * (new - old) ** 2
                row[r] = new if max_sweeps else old
            first = change if first is None else first
            if change <= tolerance**2 * first and sweep % 2 == 0:
                break
        residual += 0 if max_sweeps else change
        objective += 0.5 * v @ (x - other @ row) ** 2 + l1 * row.sum() + l2 / 2 * row @ row
    return factor, objective, residual


def solve_row(x, v, other, l1, l2):
    """The w >= 0 with the smallest 1/2 sum of v (x - other w)^2 + l1 sum(w) + l2/2 ||w||^2.

    The optimum solves the linear equations of its positive coordinates: all subsets are tried.
    """
    k = other.shape[1]
    gram, cross = (v[:, None] * other).T @ other + l2 * np.eye(k), (v * x) @ other - l1
    best, lowest = np.zeros(k), 0.0
    for subset in np.ndindex(*[2] * k):
        free, w = np.flatnonzero(subset), np.zeros(k)
        w[free] = np.linalg.lstsq(gram[np.ix_(free, free)], cross[free])[0]
        value = w @ gram @ w / 2 - cross @ w
        if w.min() >= 0 and value < lowest:
            best, lowest = w, value
    return best


def weighted_divergence(X, V, W, H, beta):
    """The beta divergence of X from W H, entries weighted by V, by its definition."""
    X, V, W, H = (np.asarray(A, dtype=float) for A in (X, V, W, H))
    total = 0.0
    for x, v, y in zip(X.ravel(), V.ravel(), (W @ H).ravel(), strict=True):
        if v == 0:
            continue
        if x == 0 and beta != 2:
            total += v * y**beta / beta
        else:
            total += v * beta_divergence(x, y if beta == 2 else max(y, FLOOR * x), beta)
    return total


def update_rows_mu(X, other, beta, l1, l2, factor, V=None):
    """One multiplicative update of all rows (Févotte & Idier 2011, table 2).

    V has the weights of all entries.
    """
    V = 1.0 if V is None else V
    X, other, factor = (A.astype(float) for A in (X, other, factor))
    Y = np.maximum(factor @ other.T, (FLOOR if beta == 1 else POWER_FLOOR) * X)
    there = X > 0
    ratios = np.zeros_like(X)
    ratios[there] = X[there] * Y[there] ** (beta - 2)
    powers = np.where(Y > 0, Y, 1e-300) ** (beta - 1) if beta != 1 else np.ones_like(X)
    denominator = (V * powers) @ other + l1 + l2 * factor
    gamma = 1 / (2 - beta) if beta < 1 else 1 / (beta - 1) if beta > 2 else 1
    numerator = (V * ratios) @ other
    ratio = np.divide(numerator, denominator, out=np.zeros_like(factor), where=denominator > 0)
    return factor * ratio**gamma


def scatter_ratios(X, factor, other):
    """Numerators of the Kullback-Leibler updates of the columns: (X / Y)' factor."""
    X, factor, other = (A.astype(float) for A in (X, factor, other))
    numerators = np.zeros_like(other)
    for i, j in zip(*np.nonzero(X), strict=True):
        y = max(factor[i] @ other[j], FLOOR * X[i, j])
        numerators[j] += X[i, j] / y * factor[i]
    return numerators


def transpose(data, indices, indptr, n_columns):
    """CSR arrays of the transpose, found by looking for each column in all rows."""
    found = [
        (data[p], i)
        for j in range(n_columns)
        for i in range(len(indptr) - 1)
        for p in range(indptr[i], indptr[i + 1])
        if indices[p] == j
    ]
    counts = [sum(indices == j) for j in range(n_columns)]
    return (*np.array(found).reshape(-1, 2).T, np.cumsum([0, *counts]))


def sparse_objective(X, W, H):
    """1/2 ||X - W H||^2 for a scipy matrix too large for a dense array, in float64."""
    W, H = W.astype(float), H.astype(float)
    X = X.tocsr()
    squared = 0.0
    for start in range(0, X.shape[0], 256):
        dense = X[start : start + 256].toarray().astype(float)
        squared += np.linalg.norm(dense - W[start : start + 256] @ H) ** 2
    return 0.5 * squared


def nndsvd(X, n_components):
    """Boutsidis & Gallopoulos 2008, on the full singular value decomposition."""
    U, S, Vt = np.linalg.svd(X.astype(float), full_matrices=False)
    W = np.zeros((X.shape[0], n_components))
    H = np.zeros((n_components, X.shape[1]))
    W[:, 0] = np.sqrt(S[0]) * np.abs(U[:, 0])
    H[0] = np.sqrt(S[0]) * np.abs(Vt[0])
    for r in range(1, n_components):
        pairs = []
        for sign in (1, -1):
            u, v = np.maximum(sign * U[:, r], 0), np.maximum(sign * Vt[r], 0)
            pairs.append((np.linalg.norm(u) * np.linalg.norm(v), u, v))
        product, u, v = max(pairs, key=lambda pair: pair[0])
        W[:, r] = np.sqrt(S[r] * product) * u / np.linalg.norm(u)
        H[r] = np.sqrt(S[r] * product) * v / np.linalg.norm(v)
    return W, H


def update_parts(X, other, factor, beta):
    """The numerators and denominators of the multiplicative update of all rows."""
    Y = factor @ other.T
    numerators = np.where(X > 0, X * Y ** (beta - 2), 0.0) @ other
    return numerators, Y ** (beta - 1) @ other
