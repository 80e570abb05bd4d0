"""The leading singular triplets of X, from the sparse products of the kernels."""

import numpy as np

from ..data.factors import empty_factor
from ..data.rows import Rows, even_blocks
from ..kernels.compile.threads import threads_for
from ..kernels.products import multiply_with_gram, rotate_rows

OVERSAMPLE = 10  # vectors beyond the components

DEPENDENT = 1e-12  # a column depends on others if they leave less of its squared length


def truncated_svd(
    rows, columns, n_components, rng, *,
    total=0.0, oversample=OVERSAMPLE, n_iter=4, folders=(None, None), n_threads=1,
):  # fmt: skip
    """Return the leading singular triplets of X by randomized subspace iteration.

    Halko, Martinsson & Tropp 2011 ("Finding structure with randomness", SIAM Review
    53(2), section 4.4), on the parallel sparse products; X is never densified. Each iteration
    makes the shorter basis orthonormal from its gram matrix, which the product has summed in
    float64 (Cholesky QR). LAPACK's QR took more time than all products together, and its BLAS
    threads went on spinning for 0.1 s and slowed ours.

    Each product divides X by about its largest singular value. Otherwise (X' X)^2 would overflow
    for values from 1e9 on.

    Parameters
    ----------
    rows, columns : Rows, or BlockRows and BlockColumns
        X and its transpose. There are 2 n_iter + 1 passes over blocks.
    n_components : int
    rng : numpy.random.Generator or RandomState
    total : float
        The sum of the entries of X, which says how large X is; 0 stands for entries of about one.
    oversample : int
        Vectors beyond n_components.
    n_iter : int
    folders : (path-like or None, path-like or None)
        Folders for arrays with a row for each row of X, and for each column; None is memory.
    n_threads : int

    Returns
    -------
    U : ndarray of shape (n_samples, n_components)
    S : ndarray of shape (n_components,), float64
        Values that are zero up to rounding are set to zero, and so are their vectors.
    V : ndarray of shape (n_features, n_components)
    """
    if rows.n_rows < columns.n_rows:
        options = {"oversample": oversample, "n_iter": n_iter, "n_threads": n_threads}
        options |= {"total": total, "folders": folders[::-1]}
        V, S, U = truncated_svd(columns, rows, n_components, rng, **options)
        return U, S, V
    from scipy import linalg  # imported late: it takes longer than the rest of the package

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
        if step == 0:  # in later steps, the columns of X short are already nearly orthogonal
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
    """Return the power of two nearest to a number (1 for zero); division by it is exact."""
    return float(np.exp2(np.rint(np.log2(value)))) if value else 1.0


def orthonormalizer(gram):
    """Return the upper triangular T with T' gram T = 1: factor @ T has orthonormal columns.

    T is the inverse of the Cholesky factor, computed a column at a time. Columns that depend on
    earlier ones, up to rounding, become zero. BLAS is not used, because its threads would go on
    spinning.
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
    else:  # X comes in blocks
        gram = rows.multiply(factor, out, threads)
    return gram[:size, :size]


def _rotate(threads, factor, matrix):
    """Set factor to factor @ matrix, in place."""
    size, width = len(matrix), factor.shape[1]
    padded = empty_factor((width, width), factor.dtype)
    padded[:size, :size] = matrix
    places = np.arange(width, dtype=np.int32)
    rotate_rows(threads, factor, even_blocks(len(factor)), padded, places)
