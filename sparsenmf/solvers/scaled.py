"""Starts for counts: iterations for the Frobenius loss on scaled deviances, with more components.

Around independence, y_ij = r_i c_j / N, the Kullback-Leibler loss is half the chi-square distance,
the sum of (x_ij - y_ij)^2 / y_ij: the Frobenius loss of X with its rows divided by sqrt(r) and its
columns by sqrt(c), as in correspondence analysis. An iteration for it costs a fraction of one for
Kullback-Leibler, and an SVD finds the components that random starts lose.

A word that is frequent in one document alone is far from independence, and its square counts for
much more than its loss does. So each entry is the signed root of its deviance,
x log(x / y) - x + y, plus that of a zero, sqrt(y): zeros stay zero, and X stays sparse (deviance
residuals: Townes et al. 2019, "Feature selection and dimension reduction for single-cell RNA-Seq
based on a multinomial model", Genome Biology 20). Sums that are small are uncertain: each gets a
share of the mean sum (Qin & Rohe 2013).

The first iterations have half as many components more, so that none of those that are wanted is
missing. After a few for Kullback-Leibler, those that are alike are merged.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from ..data.factors import pad_factor, sum_columns, sum_squares
from ..kernels.compile.threads import threads_for
from .alternation import Alternation
from .initialization import chunks, initialize_factors
from .layout import Layout
from .losses import Loss, make_loss
from .merging import merge_components
from .penalties import make_penalties
from .row_update import row_update

SMOOTH = 0.1  # of the mean sum, added to each sum

BLUR = 0.01  # share of each component that is as all of X: no entry of a start is zero

MORE = 0.5  # share of components that are merged at the end
AT_MORE = 5  # iterations for the Kullback-Leibler loss before that

CHUNK = 2**16  # entries of X scaled together, so that what that takes stays in the cache


def learn_from_scaled(rows, columns, n_components, n_iter, rng, *, dtype, n_threads=1):
    """Return the padded W and Ht that a few iterations on the scaled X and on X lead to.

    Parameters
    ----------
    rows, columns : Rows
        X and its transpose, whose entries count alike.
    n_components : int
        At most min(n_samples, n_features).
    n_iter : int
        Iterations for the Frobenius loss, in single precision, from NNDSVD.
    rng : numpy.random.Generator or RandomState
    dtype : dtype
        Of X and of the start.
    n_threads : int
    """
    n_more = more_components(n_components, (rows.n_rows, columns.n_rows))
    n_threads = threads_for(n_threads, rows.nnz * n_more)
    sums = _sums(rows, columns.n_rows), _sums(columns, rows.n_rows)
    roots = _roots(sums[0]), _roots(sums[1])
    total = float(sums[0].sum()) or 1.0
    scaled = _scale(rows, *roots, total), _scale(columns, *roots[::-1], total)
    factors = initialize_factors(*scaled, n_more, "nndsvd", rng, n_threads=n_threads)
    factors = _improve(2.0, scaled, factors, n_more, n_iter, n_threads)
    del scaled
    if dtype != np.float32:
        factors = tuple(pad_factor(factor[:, :n_more], dtype) for factor in factors)
    for factor, root in zip(factors, roots, strict=True):
        factor *= root[:, None].astype(dtype)
    del factor  # else it is kept beside those that follow
    _complete(factors, n_more, sums, rng)
    if n_more > n_components:
        factors = _improve(1.0, (rows, columns), factors, n_more, AT_MORE, n_threads)
        factors = _merge((rows, columns), factors, n_more, n_components, n_threads)
        _complete(factors, n_components, sums, rng)
    return factors


def more_components(n_components, shape):
    """Return how many components the first iterations have."""
    return min(n_components + int(MORE * n_components), *shape)


def _sums(side, n_columns):
    """Return the sums of the rows of one side of X."""
    X = sp.csr_array((side.data, side.indices, side.indptr), (side.n_rows, n_columns), copy=False)
    return X.sum(axis=1, dtype=np.float64)


def _roots(sums):
    """Return the numbers by which rows are divided; where X is zero, any will do."""
    smoothed = sums + SMOOTH * sums.mean()
    return np.sqrt(np.where(smoothed > 0, smoothed, 1.0))


def _scale(side, roots, other_roots, total):
    """Return the rows of one side with the roots of scaled deviances for data.

    Parameters
    ----------
    side : Rows
    roots, other_roots : ndarray
        Of the sums of these rows, and of the columns.
    total : float
        Sum of X.
    """
    data = np.empty(side.nnz, np.float32)
    for start in range(0, side.nnz, CHUNK):
        part = slice(start, min(start + CHUNK, side.nnz))
        row = np.searchsorted(side.indptr, np.arange(part.start, part.stop), side="right") - 1
        root, other = roots[row], other_roots[side.indices[part]]
        expected = root * (other / total)
        t = side.data[part] / root / other / expected  # x / y
        deviance = t * np.log(np.where(t > 0, t, 1.0)) - t + 1
        data[part] = expected * (1 + np.sign(t - 1) * np.sqrt(np.maximum(deviance, 0)))
    data.flags.writeable = False
    return side._replace(data=data, weights=data[:0])


def _improve(beta, sides, factors, n_components, n_iter, n_threads):
    """Return the factors after some iterations of coordinate descent."""
    shape = tuple(side.n_rows for side in sides)
    loss = make_loss(beta, sides[0].data, shape)
    update = row_update(loss, "cd", True, n_components, n_threads)
    penalties = make_penalties(shape, 0.0, 0.0, 0.0, factors[0].shape[1])
    informative = "W" if beta == 2 else None
    run = Alternation(Layout(update, *sides, *penalties), *factors, informative=informative)
    for _ in range(n_iter):
        run.iterate()
        if run.stalled:
            break
    return run.current.W, run.current.Ht


def _merge(sides, factors, n_components, n_kept, n_threads):
    """Return factors of fewer components."""
    update = row_update(Loss(2.0, 0.0, 0.0, 0.0), "cd", True, n_components, n_threads)
    grams = [
        update.summarize(np.sqrt(factor), side)[:n_components, :n_components]
        for factor, side in zip(factors, sides, strict=True)
    ]
    return merge_components(factors, grams, n_kept)


def _complete(factors, n_components, sums, rng):
    """Make a start of padded factors, in place.

    Components that were lost are random. Each component gets a little of what X is as a whole, so
    that both solvers can move every entry. W H then has the sum of X, and the entries of both
    factors are of about the same size.
    """
    total = float(sums[0].sum()) or 1.0
    sizes = [sum_columns(factor)[:n_components] for factor in factors]
    lost = np.flatnonzero(sizes[0] * sizes[1] == 0)
    for factor, of_rows, size in zip(factors, sums, sizes, strict=True):
        share = of_rows[:, None] / total
        size[lost] = size.sum() / (n_components - len(lost) or 1) or 1.0
        for part, each in zip(chunks(factor[:, :n_components]), chunks(share), strict=True):
            part[:, lost] = each * size[lost] * rng.exponential(size=(len(part), len(lost)))
            part *= 1 - BLUR
            part += BLUR * each * size
    mass = float((sizes[0] * sizes[1]).sum())
    of_W, of_H = (sum_squares(factor)[:n_components] / len(factor) for factor in factors)
    ratio = np.sqrt(np.divide(of_W, of_H, out=np.ones(n_components), where=of_W * of_H > 0))
    for factor, rate in zip(factors, (1 / ratio, ratio), strict=True):
        factor[:, :n_components] *= np.sqrt(total / mass * rate).astype(factor.dtype)
