"""Where the factors start: at random, or from a truncated SVD (NNDSVD).

Random starts follow scikit-learn: |N(0, 1)| * sqrt(mean(X) / n_components). NNDSVD
(Boutsidis & Gallopoulos 2008, "SVD based initialization: a head start for nonnegative
matrix factorization", Pattern Recognition 41(4)) takes of each singular pair the
larger of its positive and negative part; "nndsvda" and "nndsvdar" fill its zeros with
the mean of X, or with small random values, for solvers that cannot leave zero.
"""

import numpy as np

from .kernels.products import multiply_rows
from .kernels.threads import threads_for
from .rows import empty_factor, pad_factor

INITS = ("random", "nndsvd", "nndsvda", "nndsvdar", "custom")

DRAW = 2**20  # random numbers drawn at once, so that no second copy of a factor exists


def initialize(rows, columns, n_components, init, rng, *, W=None, H=None, n_threads=1):
    """Return padded starts W (n_samples, .) and Ht (n_features, .).

    Parameters
    ----------
    rows, columns : Rows
        X and its transpose.
    init : one of `INITS`
        "custom" takes the given W and H; one that is not given is drawn at random.
    rng : numpy.random.Generator or RandomState
    W, H : ndarray, optional
    """
    dtype = rows.data.dtype
    shape = (rows.n_rows, columns.n_rows)
    mean = float(rows.data.sum(dtype=np.float64)) / (shape[0] * shape[1])
    if init in ("random", "custom"):
        scale = np.sqrt(mean / n_components)
        return (
            pad_factor(W, dtype)
            if W is not None
            else _random(shape[0], n_components, scale, dtype, rng),
            pad_factor(H.T, dtype)
            if H is not None
            else _random(shape[1], n_components, scale, dtype, rng),
        )
    U, S, V = truncated_svd(rows, columns, n_components, rng, n_threads=n_threads)
    W, Ht = _nndsvd(U, S, V)
    for factor in (W, Ht):
        _fill_zeros(factor[:, :n_components], init, mean, rng)
    return W, Ht


def _random(n_rows, n_components, scale, dtype, rng):
    factor = empty_factor((n_rows, n_components), dtype)
    chunk = max(1, DRAW // n_components)
    for start in range(0, n_rows, chunk):
        part = factor[start : start + chunk, :n_components]
        np.abs(rng.standard_normal(part.shape) * scale, out=part, casting="same_kind")
    return factor


def truncated_svd(rows, columns, n_components, rng, *, oversample=10, n_iter=4, n_threads=1):
    """Return the leading singular triplets of X by randomized subspace iteration.

    Halko, Martinsson & Tropp 2011 ("Finding structure with randomness", SIAM Review
    53(2), algorithm 4.4), on the parallel sparse products; X is never densified.

    Returns
    -------
    U : ndarray of shape (n_samples, n_components)
    S : ndarray of shape (n_components,), float64
    V : ndarray of shape (n_features, n_components)
    """
    dtype = rows.data.dtype
    size = min(n_components + oversample, rows.n_rows, columns.n_rows)
    threads = threads_for(n_threads, len(rows.data) * size)
    wide = empty_factor((columns.n_rows, size), dtype)
    tall = empty_factor((rows.n_rows, size), dtype)
    wide[:, :size] = rng.standard_normal((columns.n_rows, size))
    for _ in range(n_iter + 1):
        wide[:, :size] = np.linalg.qr(wide[:, :size])[0]
        multiply_rows(threads, rows, wide, tall)
        tall[:, :size] = np.linalg.qr(tall[:, :size])[0]
        multiply_rows(threads, columns, tall, wide)
    # X ~ tall tall' X = tall wide', so the SVD of the small triangular factor is all.
    Q, R = np.linalg.qr(wide[:, :size])
    left, S, right = np.linalg.svd(R.T.astype(np.float64))
    U = tall[:, :size] @ left[:, :n_components].astype(dtype)
    V = Q @ right[:n_components].T.astype(dtype)
    return U, S[:n_components], V


def _nndsvd(U, S, V):
    """Return padded non-negative parts of the singular pairs, scaled by sqrt(S)."""
    W, Ht = (empty_factor(factor.shape, factor.dtype) for factor in (U, V))
    for r, s in enumerate(S):
        u, v = U[:, r], V[:, r]
        if r == 0:  # the leading pair of a non-negative matrix has one sign (Perron)
            u, v = np.abs(u), np.abs(v)
        else:
            positive = _norm(u.clip(0)) * _norm(v.clip(0))
            negative = _norm((-u).clip(0)) * _norm((-v).clip(0))
            u, v = (u.clip(0), v.clip(0)) if positive >= negative else ((-u).clip(0), (-v).clip(0))
        norm_u, norm_v = _norm(u), _norm(v)
        if norm_u == 0 or norm_v == 0:  # rank below n_components: nothing to start from
            continue
        scale = np.sqrt(s * norm_u * norm_v)
        W[:, r] = u * (scale / norm_u)
        Ht[:, r] = v * (scale / norm_v)
    return W, Ht


def _norm(x):
    return float(np.sqrt(np.einsum("i,i->", x, x, dtype=np.float64)))


def _fill_zeros(factor, init, mean, rng):
    if init == "nndsvda":
        factor[factor == 0] = mean
    elif init == "nndsvdar":
        zeros = factor == 0
        factor[zeros] = np.abs(rng.standard_normal(int(zeros.sum())) * mean / 100)
