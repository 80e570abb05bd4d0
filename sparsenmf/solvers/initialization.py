"""Where the factors start: at random, or from a truncated SVD (NNDSVD).

Random starts follow scikit-learn: |N(0, 1)| * sqrt(mean(X) / n_components). NNDSVD
(Boutsidis & Gallopoulos 2008, "SVD based initialization: a head start for nonnegative
matrix factorization", Pattern Recognition 41(4)) takes the larger of the positive and the negative
part of each singular pair. For solvers that cannot leave zero, "nndsvda" fills the zeros with the
mean of X, and "nndsvdar" with random values of a hundredth of it. Factors have the unit of
sqrt(X). So that mean is divided by the root of the mean of the stored entries, which is one for an
X of zeros and ones, and the start of c X is sqrt(c) times the start of X.
"""

import numpy as np

from ..data.arguments import check_choice, check_svd_start
from ..data.factors import copy_columns, empty_factor, largest, pad_factor
from ..data.rows import Rows
from ..data.validation import check_factor
from .svd import truncated_svd

INITS = ("auto", "random", "nndsvd", "nndsvda", "nndsvdar", "custom")
OBJECTS = ", or an NNDSVD(...) or RandomStarts(...)"

SAMPLE = 2048, 32  # at most so many rows and columns of W are looked at for correlations
SAMPLED = 2**14  # numbers: more columns make more pairs, and then fewer rows are enough
CHANCE = 8  # standard deviations by which correlations must exceed those of random numbers
CONSTANT = 1e-9  # a column that varies by less than this share of its mean is constant

RARE = 1e-3  # a column of X is rare if its sum is below this share of the mean sum

NEGLIGIBLE = 1e-6  # NNDSVD takes less than this share of a component's largest entry for zero

DRAW = 2**20  # random numbers drawn at once: drawing all would take a second copy of a factor


def check_start(init, W, H, X, n_components, n_threads=1):
    """Return the name of the start, and the given W and H, checked.

    Raises
    ------
    TypeError, ValueError
        If they do not fit together, or do not fit X.
    """
    given = W is not None or H is not None
    if init is None:
        init = "custom" if given else "auto"
    check_choice(init, "init", INITS, OBJECTS)
    check_svd_start(init, n_components, X.shape)
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


def check_some(name, factor, fixed, n_threads=1):
    """Raise ValueError if a given factor is full of zeros, and nothing of it is fixed."""
    if factor is not None and not fixed.any() and not largest(factor, n_threads):
        raise ValueError(
            f"{name} is full of zeros, from which nothing can be learned: leave it out, and "
            f"it is drawn at random"
        )


def draws(W, H, shape, n_components):
    """Return whether W and H do not give the whole start, so that the mean of X is needed."""
    given = sum(0 if factor is None else factor.size for factor in (W, H))
    return given < sum(shape) * n_components


def W_is_informative(init, W, H, n_components):
    """Return whether the start of W is informative, and no less so than the start of H.

    Parameters
    ----------
    init : str
    W, H : ndarray or None
        What the user gave. It may be random numbers.
    n_components : int
    """
    if W is None or W.shape[1] < n_components:
        return init.startswith("nndsvd")
    return H is None or len(H) < n_components or correlates(W)


def correlates(W):
    """Return whether columns of W correlate, which random columns do not.

    The correlation may be negative: one column is large where others are small. For columns drawn
    from any distribution, m r^2 is about one, where m is the number of rows.
    """
    n_columns = min(W.shape[1], SAMPLE[1])
    n_rows = min(SAMPLE[0], SAMPLED // n_columns)
    part = W[:: -(-len(W) // n_rows), :n_columns].astype(np.float64)
    part = part[:, part.any(axis=0)]
    part /= part.max(axis=0)  # so that sums and squares do not overflow
    mean = part.mean(axis=0)
    part -= mean
    part = part[:, np.abs(part).max(axis=0) > CONSTANT * mean]
    gram = np.einsum("ir,is->rs", part, part)
    squares = np.tril(gram**2 / np.multiply.outer(gram.diagonal(), gram.diagonal()), k=-1)
    n_pairs = max(1, part.shape[1] * (part.shape[1] - 1) // 2)
    chance = 1 + CHANCE * np.sqrt(2 / n_pairs)
    return bool(len(part) * squares.sum() > chance * n_pairs)


def initialize_factors(
    rows, columns, n_components, init, rng, *,
    W=None, H=None, beta=2.0, solver="cd", mean=None, dtype=None, W_folder=None, n_threads=1,
):  # fmt: skip
    """Return the padded starts of W (n_samples, .) and Ht (n_features, .).

    Parameters
    ----------
    rows, columns : Rows, or BlockRows and BlockColumns
        X and its transpose.
    init : one of `INITS`
        "custom" takes the given W and H, and draws missing components at random.
    rng : numpy.random.Generator or RandomState
    W, H : ndarray, optional
    beta : float
        The beta of the loss. For all but the Frobenius loss, a random start is scaled so that the
        sum of W H is that of X.
    solver : str
        "mu" cannot leave zero, so "nndsvd" means "nndsvda" for it.
    mean : float, optional
        Of X, if known.
    dtype : dtype, optional
        Of the start. Default: that of X.
    W_folder : path-like, optional
        Folder for the files of W and of other arrays of its length.
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
        if beta == 1 and solver == "cd":  # "mu" could not leave zero
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
    del U  # before V is padded, because the arrays of the SVD are larger than the factors
    Ht = pad_factor(V, dtype)
    if init != "nndsvd":
        fill = mean / np.sqrt(total / rows.nnz) if total else 0.0
        for factor in (W, Ht):
            _fill_zeros(factor[:, :n_components], init, fill, rng)
    return W, Ht


def _presence(columns):
    """Return the factors, at most one, that scale each row of a random Ht.

    A rare column of X gets little. Otherwise the first update of W would judge components by
    columns where X has almost nothing, and would set new components beside given ones to zero
    before they were fitted.
    """
    sums = columns.sums()
    return np.minimum(sums / (RARE * (sums.mean() or 1.0)), 1.0)


def _sum(rows, shape, mean):
    """Return the sum of the entries of X, without their weights."""
    if isinstance(rows, Rows):
        return float(rows.data.sum(dtype=np.float64))
    return mean * shape[0] * shape[1]  # in blocks, each entry counts once


def draw_start(
    shape, n_components, mean, dtype, rng, *, W=None, H=None, W_folder=None, n_threads=1
):
    """Return padded starts for an X of this mean: the given components, and random ones.

    With a folder, W is a file there.
    """
    scale = np.sqrt(mean / n_components)
    H = None if H is None else H.T
    return (
        _complete(W, shape[0], n_components, scale, dtype, rng, W_folder, n_threads),
        _complete(H, shape[1], n_components, scale, dtype, rng),
    )


def _complete(given, n_rows, n_components, scale, dtype, rng, folder=None, n_threads=1):
    """Return a start with the given components first, and random ones after them."""
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


def _nndsvd(U, S, V, eps):
    """Turn singular vectors into non-negative parts scaled by sqrt(S), in place.

    Entries that may be rounding become zero. An SVD leaves 1e-17 instead of zeros, and
    multiplicative updates would need a hundred iterations to leave them, and would look converged
    meanwhile.
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
        for part in chunks(factor):
            part *= scale
            np.maximum(part, 0, out=part)
        least = (rounding * factor.max(axis=0)).astype(factor.dtype)
        for part in chunks(factor):
            part[part <= least] = 0


def _norms(factor, sign):
    """Return the lengths of the columns' positive (sign 1) or negative (-1) parts."""
    squares = np.zeros(factor.shape[1])
    for part in chunks(factor):
        squares += np.square(np.maximum(sign * part, 0), dtype=np.float64).sum(axis=0)
    return np.sqrt(squares)


def chunks(factor, size=1024):
    """Yield views of some rows each, for temporaries that fit in cache."""
    for start in range(0, len(factor), size):
        yield factor[start : start + size]


def _fill_zeros(factor, init, mean, rng):
    for part in chunks(factor):
        zeros = part == 0
        if init == "nndsvda":
            part[zeros] = mean
        else:
            part[zeros] = np.abs(rng.standard_normal(int(zeros.sum())) * mean / 100)
