"""Where the factors start: at random, or from a truncated SVD (NNDSVD).

Random starts follow scikit-learn: |N(0, 1)| * sqrt(mean(X) / n_components). NNDSVD
(Boutsidis & Gallopoulos 2008, "SVD based initialization: a head start for nonnegative
matrix factorization", Pattern Recognition 41(4)) takes of each singular pair the
larger of its positive and negative part; "nndsvda" and "nndsvdar" fill its zeros with
the mean of X, or with random values of a hundredth of it, for solvers that cannot leave zero.
Factors have the unit of the root of X, and so has that mean: it is divided by the root of the
mean of what is stored, which is one for an X of zeros and ones. So the start of c X is that of
X times the root of c.
"""

import numpy as np
import scipy.sparse as sp

from .arguments import check_choice
from .kernels.products import multiply_with_gram, rotate_rows
from .kernels.threads import threads_for
from .rows import Rows, copy_columns, empty_factor, even_blocks, pad_factor
from .validation import check_factor

INITS = ("random", "nndsvd", "nndsvda", "nndsvdar", "custom")

DEPENDENT = 1e-12  # of a squared length: what is left of a column that depends on others

SAMPLE = 2048, 32  # rows and columns of a start that are looked at, at most
SAMPLED = 2**14  # numbers: with more columns there are more pairs, and fewer rows tell as much
CHANCE = 8  # standard deviations
CONSTANT = 1e-9  # of the mean: what rounding leaves of no difference

RARE = 1e-3  # of the mean of the columns' sums

NEGLIGIBLE = 1e-6  # share of a component's largest entry that NNDSVD takes for zero

DRAW = 2**20  # random numbers drawn at once, so that no second copy of a factor exists


def check_start(init, W, H, X, n_components, n_threads=1):
    """Return where to start and what is given of it, checked.

    Raises
    ------
    TypeError, ValueError
        If they do not go together, or not with X.
    """
    given = W is not None or H is not None
    if init is None:
        init = "custom" if given else "random"
    check_choice(init, "init", INITS)
    if given and init != "custom":
        raise ValueError(f'W and H are only used with init="custom", not with init={init!r}')
    if init == "custom" and not given:
        raise ValueError('init="custom" needs W or H, or both')
    if W is not None:
        shape = X.shape[0], n_components
        W = check_factor(W, "W", shape, "n_samples x n_components", X.dtype, n_threads)
    if H is not None:
        H = check_factor(H, "H", (n_components, X.shape[1]), "n_components x n_features", X.dtype)
    return init, W, H


def draws(W, H, shape, n_components):
    """Return whether the start is more than what is given of it, so that the mean is of use."""
    given = sum(0 if factor is None else factor.size for factor in (W, H))
    return given < sum(shape) * n_components


def leads(init, W, H, n_components):
    """Return whether W, which is given as W and H or found by init, knows more of X than H.

    Or as much, and more than random numbers, which a given start may be.
    """
    if W is None or W.shape[1] < n_components:
        return init.startswith("nndsvd")
    return H is None or len(H) < n_components or correlates(W)


def correlates(W):
    """Return whether columns of W correlate, as those do that know X.

    Be it that where one is large others are not. Columns that were drawn at random do not,
    however they were drawn: m r^2 is about one, for m rows.
    """
    n_columns = min(W.shape[1], SAMPLE[1])
    n_rows = min(SAMPLE[0], SAMPLED // n_columns)
    part = W[:: -(-len(W) // n_rows), :n_columns].astype(np.float64)
    part = part[:, part.any(axis=0)]
    part /= part.max(axis=0)  # sums and squares of any numbers fit then
    mean = part.mean(axis=0)
    part -= mean
    part = part[:, np.abs(part).max(axis=0) > CONSTANT * mean]
    gram = np.einsum("ir,is->rs", part, part)
    squares = np.tril(gram**2 / np.multiply.outer(gram.diagonal(), gram.diagonal()), k=-1)
    n_pairs = max(1, part.shape[1] * (part.shape[1] - 1) // 2)
    chance = 1 + CHANCE * np.sqrt(2 / n_pairs)
    return bool(len(part) * squares.sum() > chance * n_pairs)


def initialize(
    rows, columns, n_components, init, rng, *,
    W=None, H=None, beta=2.0, solver="cd", mean=None, dtype=None, W_folder=None, n_threads=1,
):  # fmt: skip
    """Return padded starts W (n_samples, .) and Ht (n_features, .).

    Parameters
    ----------
    rows, columns : Rows, or BlockRows and BlockColumns
        X and its transpose.
    init : one of `INITS`
        "custom" takes the given W and H; components that are not given are drawn at random.
    rng : numpy.random.Generator or RandomState
    W, H : ndarray, optional
    beta : float
        Of the loss. But for the Frobenius norm, a random start is scaled so that W H sums
        to what X does.
    solver : str
        For "mu", which cannot leave zero, "nndsvd" is "nndsvda".
    mean : float, optional
        Of X, where it is known.
    dtype : dtype, optional
        Of the start. Default: that of X.
    W_folder : path-like, optional
        Where W is a file, and all else that is as long.
    """
    dtype = np.dtype(dtype or rows.dtype)
    shape = (rows.n_rows, columns.n_rows)
    if mean is None:
        mean = rows.mean(shape[1]) if draws(W, H, shape, n_components) else 0.0
    if init in ("random", "custom"):
        start_W, start_Ht = draw_start(
            shape, n_components, mean, dtype, rng,
            W=W, H=H, W_folder=W_folder, n_threads=n_threads,
        )  # fmt: skip
        if beta == 1 and isinstance(columns, Rows):
            drawn = start_Ht[:, 0 if H is None else len(H) :]
            drawn *= _presence(columns)[:, None].astype(dtype)
        if init == "random" and beta != 2:
            sums = [factor.sum(axis=0, dtype=np.float64) for factor in (start_W, start_Ht)]
            total = float(np.einsum("r,r->", *sums))
            for factor in (start_W, start_Ht) if total else ():
                factor *= dtype.type(np.sqrt(mean * shape[0] * shape[1] / total))
        return start_W, start_Ht
    if init == "nndsvd" and solver == "mu":
        init = "nndsvda"
    total = _sum(rows, shape, mean)
    U, S, V = truncated_svd(
        rows, columns, n_components, rng,
        total=total, folders=(W_folder, None), n_threads=n_threads,
    )  # fmt: skip
    _nndsvd(U, S, V, np.finfo(rows.dtype).eps)
    W = pad_factor(U, dtype, W_folder, n_threads)
    del U  # the two factors one after the other: the SVD's arrays are larger
    Ht = pad_factor(V, dtype)
    if init != "nndsvd":
        fill = mean / np.sqrt(total / rows.nnz) if total else 0.0
        for factor in (W, Ht):
            _fill_zeros(factor[:, :n_components], init, fill, rng)
    return W, Ht


def _presence(columns):
    """Return what of a random start each row of Ht keeps: all, unless X has next to nothing there.

    Components would be judged by what they have where X has nothing, and new ones beside given
    ones would be given up for it before they were fitted at all.
    """
    shape = columns.n_rows, int(columns.indices.max(initial=0)) + 1
    X = sp.csr_array((columns.data, columns.indices, columns.indptr), shape, copy=False)
    sums = X.sum(axis=1, dtype=np.float64)
    return np.minimum(sums / (RARE * (sums.mean() or 1.0)), 1.0)


def _sum(rows, shape, mean):
    """Return the sum of the entries of X, whatever weights they have."""
    if isinstance(rows, Rows):
        return float(rows.data.sum(dtype=np.float64))
    return mean * shape[0] * shape[1]  # of blocks each entry counts once


def draw_start(
    shape, n_components, mean, dtype, rng, *, W=None, H=None, W_folder=None, n_threads=1
):
    """Return padded starts for an X of this mean: what is given, and the rest at random.

    With a folder, W is a file there.
    """
    scale = np.sqrt(mean / n_components)
    H = None if H is None else H.T
    return (
        _complete(W, shape[0], n_components, scale, dtype, rng, W_folder, n_threads),
        _complete(H, shape[1], n_components, scale, dtype, rng),
    )


def _complete(given, n_rows, n_components, scale, dtype, rng, folder=None, n_threads=1):
    """Return a start that has the given components, and random ones beyond."""
    n_given = 0 if given is None else given.shape[1]
    if n_given == n_components:
        return pad_factor(given, dtype, folder, n_threads)
    factor = empty_factor((n_rows, n_components), dtype, folder, n_threads)
    chunk = max(1, DRAW // n_components)
    for start in range(0, n_rows, chunk):
        part = factor[start : start + chunk, :n_components]
        np.abs(rng.standard_normal(part.shape) * scale, out=part, casting="same_kind")
    if n_given:
        copy_columns(given, factor, n_threads)
    return factor


def truncated_svd(
    rows, columns, n_components, rng, *,
    total=0.0, oversample=10, n_iter=4, folders=(None, None), n_threads=1,
):  # fmt: skip
    """Return the leading singular triplets of X by randomized subspace iteration.

    Halko, Martinsson & Tropp 2011 ("Finding structure with randomness", SIAM Review
    53(2), section 4.4), on the parallel sparse products: X is never densified. In each
    iteration the shorter basis is made orthonormal from its gram matrix, which the product
    has summed in float64 (Cholesky QR). LAPACK's QR took more time than all products
    together, and left BLAS threads spinning in the way of ours for 0.1 s.

    Each product is that of X divided by about its largest singular value. The products of X
    itself would leave the range of the type, with (X' X)^2, from values of 1e9 on.

    Parameters
    ----------
    rows, columns : Rows, or BlockRows and BlockColumns
        X and its transpose; of blocks, 2 n_iter + 1 passes.
    n_components : int
    rng : numpy.random.Generator or RandomState
    total : float
        The sum of the entries of X, which says of what size it is; 0: of about one.
    oversample : int
        Vectors beyond n_components.
    n_iter : int
    folders : (path-like or None, path-like or None)
        Where the arrays as long as the rows, and the columns, are files, if not in memory.
    n_threads : int

    Returns
    -------
    U : ndarray of shape (n_samples, n_components)
    S : ndarray of shape (n_components,), float64
        Values that rounding cannot tell from zero are zero, with zero vectors.
    V : ndarray of shape (n_features, n_components)
    """
    if rows.n_rows < columns.n_rows:
        options = {"oversample": oversample, "n_iter": n_iter, "n_threads": n_threads}
        options |= {"total": total, "folders": folders[::-1]}
        V, S, U = truncated_svd(columns, rows, n_components, rng, **options)
        return U, S, V
    from scipy import linalg  # here: it takes longer to import than the rest of us

    dtype = rows.dtype
    size = min(n_components + oversample, columns.n_rows)
    threads = threads_for(n_threads, rows.nnz * size)
    scale = _power_of_two(total / np.sqrt(rows.n_rows * columns.n_rows))
    long, short = (
        empty_factor((side.n_rows, size), dtype, folder, threads)
        for side, folder in zip((rows, columns), folders, strict=True)
    )
    short[:, :size] = rng.standard_normal((columns.n_rows, size))
    short /= dtype.type(scale)
    for step in range(n_iter):
        gram = _multiply(threads, rows, short, long, size)
        if step == 0:  # later, the columns of X short are nearly orthogonal by themselves
            _rotate(threads, long, orthonormalizer(gram))
        long /= dtype.type(scale)
        gram = _multiply(threads, columns, long, short, size)
        _rotate(threads, short, orthonormalizer(gram) / scale)
    gram = _multiply(threads, rows, short, long, size)
    squares, basis = linalg.eigh(gram)
    squares, basis = squares[::-1], basis[:, ::-1]
    safe = squares > 10 * np.finfo(dtype).eps * squares[0]
    S = np.sqrt(np.where(safe, squares, 0.0))
    inverse = np.divide(1.0, S, out=np.zeros_like(S), where=safe)
    _rotate(threads, long, basis * inverse)
    _rotate(threads, short, basis * (safe * scale))
    return long[:, :n_components], scale * S[:n_components], short[:, :n_components]


def _power_of_two(value):
    """Return the power of two nearest to a number, by which dividing is exact; 1 for zero."""
    return float(np.exp2(np.rint(np.log2(value)))) if value else 1.0


def orthonormalizer(gram):
    """Return the upper triangular T with T' gram T = 1: factor @ T has orthonormal columns.

    The inverse of the Cholesky factor, a column at a time. Columns that depend on those
    before them, up to rounding, become zero. Without BLAS, for its threads.
    """
    T = np.zeros_like(gram)
    for j in range(len(gram)):
        along = np.einsum("ir,i->r", T[:j, :j], gram[:j, j])
        rest = gram[j, j] - float(np.einsum("r,r->", along, along))
        if rest > DEPENDENT * gram[j, j]:
            T[:j, j] = np.einsum("ir,r->i", T[:j, :j], along) / -np.sqrt(rest)
            T[j, j] = 1 / np.sqrt(rest)
    return T


def _multiply(threads, rows, factor, out, size):
    """Set out to X factor and return its gram matrix."""
    if isinstance(rows, Rows):
        gram = multiply_with_gram(rows, factor, out, threads)
    else:  # it comes in blocks
        gram = rows.multiply(factor, out, threads)
    return gram[:size, :size]


def _rotate(threads, factor, matrix):
    """Set factor to factor @ matrix, in place."""
    size, width = len(matrix), factor.shape[1]
    padded = empty_factor((width, width), factor.dtype)
    padded[:size, :size] = matrix
    places = np.arange(width, dtype=np.int32)
    rotate_rows(threads, factor, even_blocks(len(factor)), padded, places)


def _nndsvd(U, S, V, eps):
    """Turn singular vectors into non-negative parts scaled by sqrt(S), in place.

    What can be rounding is zero: an SVD leaves 1e-17 where there is nothing, from which
    multiplicative updates take a hundred iterations, and look converged meanwhile.
    """
    relative = np.divide(S[0], S, out=np.ones_like(S), where=S > 0)
    rounding = np.maximum(NEGLIGIBLE, 10 * eps * relative)
    for factor in (U, V):  # the leading pair of a non-negative matrix has one sign (Perron)
        np.abs(factor[:, 0], out=factor[:, 0])
    norms = {sign: (_norms(U, sign), _norms(V, sign)) for sign in (1, -1)}
    positive = np.prod(norms[1], axis=0) >= np.prod(norms[-1], axis=0)
    sign = np.where(positive, 1, -1)
    norm_U, norm_V = (np.where(positive, *pair) for pair in zip(*norms.values(), strict=True))
    for factor, norm in ((U, norm_U), (V, norm_V)):
        scale = np.sqrt(S * norm_U * norm_V)
        scale = sign * np.divide(scale, norm, out=np.zeros_like(norm), where=norm > 0)
        scale = scale.astype(factor.dtype)
        for part in _chunks(factor):
            part *= scale
            np.maximum(part, 0, out=part)
        least = (rounding * factor.max(axis=0)).astype(factor.dtype)
        for part in _chunks(factor):
            part[part <= least] = 0


def _norms(factor, sign):
    """Return the lengths of the columns' positive (sign 1) or negative (-1) parts."""
    squares = np.zeros(factor.shape[1])
    for part in _chunks(factor):
        squares += np.square(np.maximum(sign * part, 0), dtype=np.float64).sum(axis=0)
    return np.sqrt(squares)


def _chunks(factor, size=1024):
    """Yield views of some rows each, for temporaries that fit in cache."""
    for start in range(0, len(factor), size):
        yield factor[start : start + size]


def _fill_zeros(factor, init, mean, rng):
    for part in _chunks(factor):
        zeros = part == 0
        if init == "nndsvda":
            part[zeros] = mean
        else:
            part[zeros] = np.abs(rng.standard_normal(int(zeros.sum())) * mean / 100)
