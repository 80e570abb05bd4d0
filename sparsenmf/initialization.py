"""Where the factors start: at random, or from a truncated SVD (NNDSVD).

Random starts follow scikit-learn: |N(0, 1)| * sqrt(mean(X) / n_components). NNDSVD
(Boutsidis & Gallopoulos 2008, "SVD based initialization: a head start for nonnegative
matrix factorization", Pattern Recognition 41(4)) takes of each singular pair the
larger of its positive and negative part; "nndsvda" and "nndsvdar" fill its zeros with
the mean of X, or with small random values, for solvers that cannot leave zero.
"""

import numpy as np

from .kernels.gram import sum_grams
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
    _nndsvd(U, S, V)
    W = pad_factor(U, dtype)
    del U  # the two factors one after the other: the SVD's arrays are larger
    Ht = pad_factor(V, dtype)
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
    53(2), section 4.5), on the parallel sparse products: X is never densified. Only
    the shorter side is orthonormalized; the longer one follows from its gram matrix,
    summed in float64, which is exact enough down to singular values of about 1e-4 of
    the first in single precision, and spares copies of the longer side.

    Returns
    -------
    U : ndarray of shape (n_samples, n_components)
    S : ndarray of shape (n_components,), float64
        Values that rounding cannot tell from zero are zero, with zero vectors.
    V : ndarray of shape (n_features, n_components)
    """
    if rows.n_rows < columns.n_rows:
        options = {"oversample": oversample, "n_iter": n_iter, "n_threads": n_threads}
        V, S, U = truncated_svd(columns, rows, n_components, rng, **options)
        return U, S, V
    dtype = rows.data.dtype
    size = min(n_components + oversample, columns.n_rows)
    threads = threads_for(n_threads, len(rows.data) * size)
    short = empty_factor((columns.n_rows, size), dtype)
    long = empty_factor((rows.n_rows, size), dtype)
    width = short.shape[1]
    no_gram, gram = np.empty((0, width, width)), np.empty((rows.n_blocks, width, width))
    short[:, :size] = rng.standard_normal((columns.n_rows, size))
    for _ in range(n_iter):
        short[:, :size] = np.linalg.qr(short[:, :size])[0]
        multiply_rows(threads, rows, short, long, no_gram)
        multiply_rows(threads, columns, long, short, no_gram)
    short[:, :size] = np.linalg.qr(short[:, :size])[0]
    multiply_rows(threads, rows, short, long, gram)
    total = np.empty((width, width))
    sum_grams(1, gram, total)
    squares, basis = np.linalg.eigh(total[:size, :size])
    squares, basis = squares[::-1][:n_components], basis[:, ::-1][:, :n_components]
    safe = squares > 10 * np.finfo(dtype).eps * squares[0]
    S = np.sqrt(np.where(safe, squares, 0.0))
    inverse = np.divide(1.0, S, out=np.zeros_like(S), where=safe)
    _multiply_inplace(long, basis * inverse)
    _multiply_inplace(short, basis * safe)
    return long[:, :n_components], S, short[:, :n_components]


def _multiply_inplace(factor, matrix, chunk=4096):
    """Set the first columns of `factor` to factor @ matrix, without a copy of it."""
    size, n_components = matrix.shape
    matrix = matrix.astype(factor.dtype)
    for start in range(0, len(factor), chunk):
        part = factor[start : start + chunk]
        part[:, :n_components] = part[:, :size] @ matrix


def _nndsvd(U, S, V):
    """Turn singular vectors into non-negative parts scaled by sqrt(S), in place."""
    for r, s in enumerate(S):
        u, v = U[:, r].copy(), V[:, r].copy()
        if r == 0:  # the leading pair of a non-negative matrix has one sign (Perron)
            u, v = np.abs(u), np.abs(v)
        else:
            positive = _norm(u.clip(0)) * _norm(v.clip(0))
            negative = _norm((-u).clip(0)) * _norm((-v).clip(0))
            u, v = (u.clip(0), v.clip(0)) if positive >= negative else ((-u).clip(0), (-v).clip(0))
        norm_u, norm_v = _norm(u), _norm(v)
        scale = np.sqrt(s * norm_u * norm_v)
        U[:, r] = u * (scale / norm_u) if norm_u else 0
        V[:, r] = v * (scale / norm_v) if norm_v else 0


def _norm(x):
    return float(np.sqrt(np.einsum("i,i->", x, x, dtype=np.float64)))


def _fill_zeros(factor, init, mean, rng, chunk=4096):
    for start in range(0, len(factor) if init != "nndsvd" else 0, chunk):
        part = factor[start : start + chunk]
        zeros = part == 0
        if init == "nndsvda":
            part[zeros] = mean
        else:
            part[zeros] = np.abs(rng.standard_normal(int(zeros.sum())) * mean / 100)
