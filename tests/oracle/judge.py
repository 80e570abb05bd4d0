"""A judge of factorizations that shares only the definition with the package.

NumPy, SciPy and scikit-learn only, all dense and in float64: the objective as it is defined,
without floors; what single coordinates could still gain, whatever their curvature; closed
forms; and the best that others reach from several starts.
"""

import warnings
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from scipy.optimize import nnls

NEGLIGIBLE = {np.dtype(np.float32): 1e-20, np.dtype(np.float64): 1e-200}
"""Entries of X below this share of the largest one count as about zero: W H may be zero there."""

NEAR = 1e-6  # a beta this close to 0 or 1 counts as 0 or 1: the divergence is continuous in beta

STEPS = 2.0 ** np.arange(-8, 9, 2)


@dataclass(frozen=True, eq=False)
class Problem:
    """What is minimised over W, H >= 0.

    sum_ij V_ij d_beta(X_ij, (W H)_ij)
      + sum_i row_weight_i (l1_W sum(W_i) + l2_W / 2 ||W_i||^2)
      + sum_j column_weight_j (l1_H sum(H_j) + l2_H / 2 ||H_j||^2)

    V is the product of the weights of entries, samples and features, and zero at unknown entries.
    """

    X: np.ndarray
    beta: float = 2.0
    V: np.ndarray | None = None
    alpha_W: float = 0.0
    alpha_H: float = 0.0
    l1_ratio: float = 0.0
    sample_weight: np.ndarray | None = None
    feature_weight: np.ndarray | None = None
    free_W: np.ndarray | bool = True  # (n_samples, n_components) or broadcasts to it
    free_H: np.ndarray | bool = True
    dtype: np.dtype = field(default_factory=lambda: np.dtype(np.float64))

    @cached_property
    def weights(self):
        """V, with the weights of samples and features."""
        V = np.ones(self.X.shape) if self.V is None else self.V.astype(float)
        return V * self.c[:, None] * self.f

    @cached_property
    def c(self):
        given = self.sample_weight
        return np.ones(self.X.shape[0]) if given is None else np.asarray(given, float)

    @cached_property
    def f(self):
        given = self.feature_weight
        return np.ones(self.X.shape[1]) if given is None else np.asarray(given, float)

    @cached_property
    def penalties(self):
        """(l1, l2) of each row of W, and of each column of H, as scikit-learn scales them."""
        sides = (self.alpha_W * self.f.sum() * self.c, self.alpha_H * self.c.sum() * self.f)
        return [(side * self.l1_ratio, side * (1 - self.l1_ratio)) for side in sides]

    @cached_property
    def size(self):
        """The unit of the divergence: the sum of x^beta (half of it for beta = 2)."""
        powers = (self.weights * self.X)[self.X > 0] * self.X[self.X > 0] ** (self.beta - 1)
        return float(powers.sum()) * (0.5 if self.beta == 2 else 1.0)

    @property
    def turned(self):
        """The same problem for the transpose, whose W is our H'."""
        return replace(
            self, X=self.X.T, V=None if self.V is None else self.V.T,
            alpha_W=self.alpha_H, alpha_H=self.alpha_W,
            sample_weight=self.feature_weight, feature_weight=self.sample_weight,
            free_W=np.transpose(self.free_H), free_H=np.transpose(self.free_W),
        )  # fmt: skip

    def divergences(self, Y):
        """Return V d(X, Y), entry by entry."""
        with np.errstate(over="ignore", invalid="ignore"):
            d = self.weights * divergence(self.X, Y, self.beta, self.negligible)
        return np.where(self.weights > 0, d, 0.0)

    @property
    def negligible(self):
        return NEGLIGIBLE[np.dtype(self.dtype)] * self.X.max(initial=0.0)

    def penalty(self, W, H):
        (l1_W, l2_W), (l1_H, l2_H) = self.penalties
        of_W = l1_W[:, None] * W + 0.5 * l2_W[:, None] * W**2
        return float(of_W.sum() + (l1_H * H + 0.5 * l2_H * H**2).sum())

    def loss(self, W, H):
        """Return the divergence without penalties."""
        return float(self.divergences(W.astype(float) @ H.astype(float)).sum())

    def objective(self, W, H):
        """Return what is minimised, which may be infinite."""
        W, H = W.astype(float), H.astype(float)
        return self.loss(W, H) + self.penalty(W, H)

    def unreachable(self, W, H):
        """Return where W H stays zero whatever the free coordinates are."""
        W, H = np.broadcast_arrays(W, self.free_W), np.broadcast_arrays(H, self.free_H)
        return ((W[0] > 0) | W[1]).astype(int) @ ((H[0] > 0) | H[1]).astype(int) == 0

    def gaps(self, W, H):
        """Return by how much moving single coordinates could lower the objective.

        The gains are summed over W and over H. They are infinite if a step leads from an infinite
        objective to a finite one.
        """
        W, H = W.astype(float), H.astype(float)
        # A sample without weight has the best fit of its own.
        alone = replace(self, sample_weight=np.where(self.c == 0, 1.0, self.c))
        return _gap(alone, W, H), _gap(self.turned, H.T, W.T)


def divergence(x, y, beta, negligible=0.0):
    """Return the beta divergence of each entry, in its plain definition."""
    x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
    seen = (x > negligible) | ((x > 0) & (y > 0))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if beta == 2:
            return 0.5 * (x - y) ** 2
        if abs(beta - 1) < NEAR:
            return np.where(seen, x * np.log(x / y) - x, 0.0) + y
        if abs(beta) < NEAR:
            return x / y - np.log(x / y) - 1
        # At y = 0 the last term is infinite for beta < 1, the second one for beta < 0.
        last = np.where(seen, x * y ** (beta - 1) / (beta - 1), 0.0)
        return x**beta / (beta * (beta - 1)) + y**beta / beta - last


def _gap(problem, W, H):
    """Return the sum of what each coordinate of W alone could gain."""
    l1, l2 = problem.penalties[0]
    Y, total = W @ H, 0.0
    now = problem.divergences(Y).sum(axis=1)
    for r in range(W.shape[1]):
        free = np.broadcast_to(problem.free_W, W.shape)[:, r]
        # Not Y - W_r H_r: where the difference is zero, that leaves rounding errors.
        others = np.delete(W, r, axis=1) @ np.delete(H, r, axis=0)
        w, best = W[:, r], np.zeros(len(W))
        penalty = l1 * w + 0.5 * l2 * w**2
        for step in _candidates(problem, w, H[r], Y, others, l1, l2):
            moved = problem.divergences(others + step[:, None] * H[r]).sum(axis=1)
            with np.errstate(invalid="ignore"):
                gain = now + penalty - moved - l1 * step - 0.5 * l2 * step**2
            gain[np.isnan(gain)] = 0.0  # infinite as before
            best = np.maximum(best, gain)
        total += float(best[free].sum())
    return total


def _candidates(problem, w, h, Y, others, l1, l2):
    """Yield values for a column of W: zero, Newton's step, the multiplicative step, and a grid."""
    V, X, beta = problem.weights, problem.X, problem.beta
    with np.errstate(all="ignore"):
        down = V * X * Y ** (beta - 2)
        up = V * Y ** (beta - 1)
        down[(V == 0) | (X == 0)] = 0.0
        up[V == 0] = 0.0
        g = (up - down) @ h + l1 + l2 * w
        curvature = ((beta - 1) * V * Y ** (beta - 2) - (beta - 2) * down / Y) @ h**2 + l2
        alone = ((V * X) @ h - l1) / (V @ h**2 + l2)
        rest = (V * (X - others)) @ h - l1
        exact = rest / (V @ h**2 + l2)
        ratio = w * (down @ h) / (up @ h + l1 + l2 * w)
        steps = [0 * w, w - g / curvature, ratio, exact]
        steps += [alone * s for s in STEPS] + [w * s for s in (0.5, 0.9, 1.1, 2.0)]
        if problem.beta < 2:  # the amount that makes the sums equal
            steps += [((V * X).sum(axis=1) / (V @ h)) * s for s in STEPS]
        for step in steps:
            yield np.where(np.isfinite(step), np.maximum(step, 0.0), w)


# Closed forms.


def rank_one(problem):
    """Return the objective of the best fit with one component, without penalties."""
    X = problem.X
    if problem.beta == 2:
        return 0.5 * float((np.linalg.svd(X, compute_uv=False)[1:] ** 2).sum())
    assert problem.beta == 1
    total = X.sum()
    return problem.loss(X.sum(axis=1, keepdims=True) / (total or 1), X.sum(axis=0, keepdims=True))


def constant_fit(problem):
    """Return the loss of the best W H that is the same everywhere (nothing, for beta = 2)."""
    if problem.beta == 2:
        return float(problem.divergences(np.zeros(problem.X.shape)).sum())
    V = problem.weights
    if not V.sum():
        return 0.0
    return float(
        problem.divergences(np.full(problem.X.shape, (V * problem.X).sum() / V.sum())).sum()
    )


def best_row(x, H, alpha=0.0):
    """Return the w >= 0 with the least 1/2 ||x - w H||^2 + alpha / 2 ||w||^2."""
    A = np.vstack([H.T, np.sqrt(alpha) * np.eye(len(H))]).astype(float)
    scale = np.sqrt((A**2).sum(axis=0))  # columns of length one: nnls has absolute tolerances
    scale[scale == 0] = 1
    size = np.abs(x).max() or 1.0
    w, _ = nnls(A / scale, np.append(x, np.zeros(len(H))) / size, maxiter=1000)
    return w / scale * size


# Peers.


def multiplicative(problem, W, H, n_iter=300):
    """Return factors after literal multiplicative updates; what is not free stays."""
    beta = problem.beta
    gamma = 1 / (2 - beta) if beta < 1 else 1 / (beta - 1) if beta > 2 else 1.0
    W, H = W.astype(float), H.astype(float)
    for _ in range(n_iter):
        W = _multiply(problem, W, H, gamma)
        H = _multiply(problem.turned, H.T, W.T, gamma).T
    return W, H


def _multiply(problem, W, H, gamma):
    (l1, l2), V, beta = problem.penalties[0], problem.weights, problem.beta
    Y = W @ H
    with np.errstate(all="ignore"):
        down = np.where((V > 0) & (problem.X > 0), V * problem.X * Y ** (beta - 2), 0.0) @ H.T
        up = np.where(V > 0, V * Y ** (beta - 1), 0.0) @ H.T + l1[:, None] + l2[:, None] * W
        new = W * (down / up) ** gamma
    return np.where(problem.free_W & np.isfinite(new), new, W)


def random_start(problem, n_components, seed, W=None, H=None):
    """Return random factors of about the scale of X, which begin with the given components."""
    rng = np.random.default_rng(seed)
    n, m = problem.X.shape
    scale = np.sqrt(problem.X.mean() / n_components) or 1.0
    start = [
        rng.random((n, n_components)) * scale * problem.free_W,
        rng.random((n_components, m)) * scale * problem.free_H,
    ]
    if W is not None:
        start[0][:, : W.shape[1]] = W
    if H is not None:
        start[1][: len(H)] = H
    return start


def scikit_learn(problem, n_components, seeds=(0, 1), n_iter=200, init="random"):
    """Return the objectives that scikit-learn's solvers reach from several starts."""
    from sklearn.decomposition import NMF

    found = []
    for solver in ("cd", "mu") if problem.beta == 2 else ("mu",):
        for seed in seeds:
            start, custom = {}, init == "random"
            if custom:  # scikit-learn's own random start is much larger than X for some losses
                start["W"], start["H"] = random_start(problem, n_components, seed)
            if solver == "mu" and init == "nndsvd":  # multiplicative updates cannot leave zero
                init = "nndsvda"
            model = NMF(
                n_components, init="custom" if custom else init, solver=solver, max_iter=n_iter,
                beta_loss=problem.beta, tol=1e-6, random_state=seed, alpha_W=problem.alpha_W,
                alpha_H=problem.alpha_H, l1_ratio=problem.l1_ratio,
            )  # fmt: skip
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                W = model.fit_transform(problem.X, **start)
            found.append(problem.objective(W, model.components_))
    return [objective for objective in found if np.isfinite(objective)]


def peers(problem, n_components, *, W=None, H=None, init="random", seeds=(0, 1, 2), n_iter=200):
    """Return the objectives that scikit-learn and the literal updates reach.

    W and H are the components that are given, which come first; init is one more start for
    scikit-learn.
    """
    starts = [random_start(problem, n_components, seed, W, H) for seed in seeds]
    found = [problem.objective(*multiplicative(problem, *start, n_iter)) for start in starts]
    given = [problem.V, problem.sample_weight, problem.feature_weight, W, H]
    if all(part is None for part in given) and problem.free_W is problem.free_H is True:
        found += scikit_learn(problem, n_components, seeds, n_iter)
        if init.startswith("nndsvd"):
            found += scikit_learn(problem, n_components, (0,), n_iter, init)
    return found
