"""Starts for counts: a few iterations for the Frobenius loss on X divided by the roots of its sums.

Around independence, y_ij = r_i c_j / N, the Kullback-Leibler loss is the chi-square distance

    sum over i, j of (x_ij - y_ij)^2 N / (2 r_i c_j),

which is the Frobenius loss of X with its rows divided by sqrt(r) and its columns by sqrt(c), as in
correspondence analysis. An iteration for it costs a fraction of one for Kullback-Leibler, and an
SVD finds the components that random starts lose. Sums that are small are uncertain: each gets a
share of the mean sum (Qin & Rohe 2013).
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from ..data.factors import pad_factor, sum_columns, sum_squares
from ..kernels.compile.threads import threads_for
from .alternation import Alternation
from .initialization import chunks, initialize_factors
from .layout import Layout
from .losses import make_loss
from .penalties import make_penalties
from .row_update import row_update

SMOOTH = 0.1  # of the mean sum, added to each sum

BLUR = 0.01  # share of each component that is as all of X: no entry of a start is zero

CHUNK = 2**18  # entries of X divided together


def learn_from_scaled(rows, columns, n_components, n_iter, rng, *, dtype, n_threads=1):
    """Return the padded W and Ht that a few iterations on the scaled X lead to.

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
        Of the start.
    n_threads : int
    """
    sums = _sums(rows, columns.n_rows), _sums(columns, rows.n_rows)
    roots = _roots(sums[0]), _roots(sums[1])
    scaled = _divide(rows, *roots), _divide(columns, *roots[::-1])
    factors = _fit(*scaled, n_components, n_iter, rng, n_threads)
    del scaled
    if dtype != np.float32:
        factors = tuple(pad_factor(factor[:, :n_components], dtype) for factor in factors)
    for factor, root in zip(factors, roots, strict=True):
        factor *= root[:, None].astype(dtype)
    _complete(factors, n_components, sums, rng)
    return factors


def _sums(side, n_columns):
    """Return the sums of the rows of one side of X."""
    X = sp.csr_array((side.data, side.indices, side.indptr), (side.n_rows, n_columns), copy=False)
    return X.sum(axis=1, dtype=np.float64)


def _roots(sums):
    """Return the numbers by which rows are divided; where X is zero, any will do."""
    smoothed = sums + SMOOTH * sums.mean()
    return np.sqrt(np.where(smoothed > 0, smoothed, 1.0))


def _divide(side, roots, other_roots):
    """Return the rows of one side divided by their roots and those of the columns."""
    data = np.empty(side.nnz, np.float32)
    for start in range(0, side.nnz, CHUNK):
        part = slice(start, min(start + CHUNK, side.nnz))
        row = np.searchsorted(side.indptr, np.arange(part.start, part.stop), side="right") - 1
        data[part] = side.data[part] / roots[row] / other_roots[side.indices[part]]
    data.flags.writeable = False
    return side._replace(data=data, weights=data[:0])


def _fit(rows, columns, n_components, n_iter, rng, n_threads):
    """Return the factors after some iterations of coordinate descent for the Frobenius loss."""
    n_threads = threads_for(n_threads, rows.nnz * n_components)
    W, Ht = initialize_factors(rows, columns, n_components, "nndsvd", rng, n_threads=n_threads)
    shape = rows.n_rows, columns.n_rows
    update = row_update(make_loss(2.0, rows.data, shape), "cd", True, n_components, n_threads)
    penalties = make_penalties(shape, 0.0, 0.0, 0.0, W.shape[1])
    run = Alternation(Layout(update, rows, columns, *penalties), W, Ht, informative="W")
    for _ in range(n_iter):
        run.iterate()
        if run.stalled:
            break
    return run.current.W, run.current.Ht


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
        factor[:, lost] = share * size[lost] * rng.exponential(size=(len(factor), len(lost)))
        for part, each in zip(chunks(factor[:, :n_components]), chunks(share), strict=True):
            part *= 1 - BLUR
            part += BLUR * each * size
    mass = float((sizes[0] * sizes[1]).sum())
    of_W, of_H = (sum_squares(factor)[:n_components] / len(factor) for factor in factors)
    ratio = np.sqrt(np.divide(of_W, of_H, out=np.ones(n_components), where=of_W * of_H > 0))
    for factor, rate in zip(factors, (1 / ratio, ratio), strict=True):
        factor[:, :n_components] *= np.sqrt(total / mass * rate).astype(factor.dtype)
