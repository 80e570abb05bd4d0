"""How much memory a factorization will need, before it runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import DTypeLike

from ..data.arguments import check_choice, check_integer, check_svd_start
from ..data.containers import unwrap
from ..data.factors import padded_width
from ..data.formats import INT32_MAX
from ..data.rows import begins_in_single, count_blocks, count_parts, is_tall
from ..data.typing import Init, Loss, Matrix, Missing, Vector
from ..data.typing import Solver as SolverName
from ..data.validation import check_missing
from ..kernels.compile.jit import has_run
from ..solvers.initialization import INITS, OBJECTS
from ..solvers.losses import check_beta
from ..solvers.sampled import NNDSVD, is_small, start_by_size
from ..solvers.scaled import more_components
from ..solvers.svd import OVERSAMPLE
from ..solvers.weights import Weights
from .algorithms import Solver, named_solver
from .restarts import RandomStarts

MIB = 2**20

WEIGHT_BYTES = 5 * 8  # of a sample or a feature: its weight, scales and penalties

FEW = 10  # a run of so many iterations that begins in single precision is taken to end in it

RUNTIME, FIRST_KERNEL = 13 * MIB, 49 * MIB
"""What a process gets beyond the arrays (measured): the kernels that a run needs, from the cache,
and the threads; and before the first of all kernels, what numba loads for it."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Peak memory of a `factorize` call beyond X itself, in bytes.

    Attributes
    ----------
    conversion : int
        A canonical CSR copy of X, where X is not one already, and one with its weights.
    transpose : int
        The transpose of X and of `weights`, or, where there is none, the sums of X' W.
    factors : int
        W and H, twice: a run keeps the last accepted pair beside the one in work. W thrice
        for the Kullback-Leibler loss without a transpose.
    workspace : int
        Gram matrices of the blocks of rows; the compiled code, and what numba loads before the
        first kernel of a process. For the start of the Kullback-Leibler loss, and for a run in
        double precision whose first iterations are in single: the values of X and its transpose in
        single precision, and the factors in single beside those in double. What an SVD takes more
        than the run after it, and the best of several random starts.
    """

    conversion: int
    transpose: int
    factors: int
    workspace: int

    @property
    def total(self) -> int:
        """The sum of all parts, in bytes."""
        return self.conversion + self.transpose + self.factors + self.workspace

    def __str__(self):
        parts = ("conversion", "transpose", "factors", "workspace")
        listed = ", ".join(f"{part} {getattr(self, part) / 2**20:,.0f}" for part in parts)
        return f"{self.total / 2**20:,.0f} MiB beyond X ({listed})"


def estimate_memory(
    X: Matrix | None = None,
    n_components: int = 10,
    *,
    shape: tuple[int, int] | None = None,
    nnz: int | None = None,
    dtype: DTypeLike | None = None,
    loss: Loss = "frobenius",
    solver: SolverName | Solver | None = None,
    init: Init | NNDSVD | RandomStarts = "auto",
    max_iter: int = 200,
    weights: Weights | Vector | Matrix | None = None,
    missing: Missing = "zero",
) -> MemoryEstimate:
    """Forecast the peak memory of ``factorize(X, n_components)`` beyond X itself.

    The forecast is for a call in this process, with compiled kernels in the cache. Compiling them
    takes 20 to 100 MiB more, once.

    Parameters
    ----------
    X : scipy.sparse matrix or array, or an AnnData of one, optional
        Only its shape, number of entries, format and types are looked at.
    n_components : int
    shape : (n_samples, n_features), optional
        Instead of X, together with `nnz`.
    nnz : int, optional
        Stored entries.
    dtype : {"float32", "float64"}, optional
        Precision of the computation. Default: that of X, else float32.
    loss : str or float, default "frobenius"
        As in `factorize`, and so are the following.
    solver : {"cd", "mu"}, CoordinateDescent or MultiplicativeUpdate, optional
        Matrices much taller than wide are treated as with ``low_memory=True`` in any case, with
        the Frobenius loss.
    init : str, NNDSVD or RandomStarts, default "auto"
    max_iter : int, default 200
        A run in double precision that begins in single is taken to end there if it has at most
        ten iterations.
    weights : array-like, scipy.sparse matrix or Weights, optional
        Only whether there are any is looked at.
    missing : {"zero", "unknown"}, default "zero"

    Returns
    -------
    MemoryEstimate
        In bytes; ``str`` of it is readable, ``.total`` is the sum.

    Raises
    ------
    TypeError, ValueError
        If neither X nor both shape and nnz are given, or an argument is not what it should be.

    Examples
    --------
    >>> from sparsenmf import estimate_memory
    >>> forecast = estimate_memory(n_components=20, shape=(1_000_000, 50_000), nnz=60_000_000)
    >>> forecast.factors // 2**20, forecast.transpose // 2**20
    (192, 36)
    """
    n_components = check_integer(n_components, "n_components", least=1)
    max_iter = check_integer(max_iter, "max_iter", least=1)
    beta, unknown = check_beta(loss), check_missing(missing)
    if not isinstance(init, NNDSVD | RandomStarts):
        check_choice(init, "init", INITS, OBJECTS)
    kept, conversion = None, 0
    if X is not None:
        X = unwrap(X)
        if not sp.issparse(X):
            raise TypeError("X must be a scipy.sparse matrix; for others pass shape and nnz")
        shape, nnz = X.shape, X.nnz
        kept = X.dtype if X.format == "csr" else None
        if dtype is None:
            dtype = X.dtype if X.dtype.kind == "f" and X.dtype.itemsize >= 4 else np.float32
    shape, nnz = check_size(shape, nnz)
    dtype = check_precision(np.float32 if dtype is None else dtype)
    n_samples, n_features = shape
    index = 4 if max(*shape, nnz) <= INT32_MAX else 8
    copy = nnz * (dtype.itemsize + index) + index * (n_samples + 1)
    if X is not None and kept != dtype:  # of a csr matrix the indices are shared
        conversion = copy if kept is None else nnz * dtype.itemsize
    weights, solver = Weights.of(weights), named_solver(solver, beta)
    low_memory = solver.low_memory
    weighted = zip((weights.samples, weights.features), shape, strict=True)
    sizes = [size for weight, size in weighted if weight is not None]
    if sizes:
        conversion += copy + WEIGHT_BYTES * sum(sizes)
    width = padded_width(n_components, dtype)
    plain = weights.entries is None and not unknown
    gram_descent = beta == 2 and solver.name == "cd" and plain
    in_blocks = low_memory or (gram_descent and is_tall(shape, nnz))
    if in_blocks:
        transpose = count_parts(nnz, n_features) * n_features * width * dtype.itemsize
    else:
        transpose = nnz * (dtype.itemsize + index) + 8 * (n_features + 1)
        transpose += 0 if weights.entries is None else nnz * dtype.itemsize
    copies_of_W = 3 if in_blocks and beta == 1 else 2
    factors = (copies_of_W * n_samples + 2 * n_features) * width * dtype.itemsize
    workspace = count_blocks(n_components) * width**2 * 8 + runtime()
    whole = not in_blocks or is_small(shape, nnz, n_components)
    svd = NNDSVD.of(init)
    if init == "auto":
        counts = beta == 1 and plain
        svd = start_by_size(
            shape, n_components, counts=counts, gram_descent=gram_descent, whole=whole
        )
    if svd is not None:
        check_svd_start(svd.name, n_components, shape)
        run = factors + (transpose if svd.sample else 0)  # X is cut after a start from a sample
        workspace += max(0, bytes_of_start(svd, n_components, shape, nnz, dtype) - run)
    if isinstance(init, RandomStarts) and init.n > 1:
        workspace += n_components * sum(shape) * dtype.itemsize  # the best one is kept
    if gram_descent and not low_memory and begins_in_single(dtype, nnz, n_components):
        pairs = factors // (width * dtype.itemsize) * 4 * padded_width(n_components, np.float32)
        sums = transpose if in_blocks else None
        workspace += bytes_in_single(nnz, factors, pairs, sums, ends_there=max_iter <= FEW)
    return MemoryEstimate(conversion, transpose, factors, workspace)


def bytes_of_start(svd, n_components, shape, nnz, dtype):
    """Return the most that a start by NNDSVD takes at once beside X and its transpose, in bytes."""
    size, share = dtype.itemsize, svd.sample or 1.0
    n_samples, n_features = share * shape[0], shape[1]
    if svd.scaled:
        n_components = more_components(n_components, shape)
    width = padded_width(n_components, dtype)
    vectors = padded_width(min(n_components + OVERSAMPLE, *shape), dtype)
    # Both sides of the SVD and a W made of them, then W, H and the other side.
    first = vectors * (n_samples + n_features) + width * n_samples
    found = max(first, width * (n_samples + n_features) + vectors * n_features) * size
    if svd.scaled:  # then two pairs; and the scaled X, sums and roots of it
        found = max(found, 2 * width * (n_samples + n_features) * size)
        found += 2 * 4 * share * nnz + 4 * 8 * (n_samples + n_features)
    if svd.sample is not None:
        found += 2 * share * nnz * (size + 4)  # the sample and its transpose
    return int(found)


def bytes_in_single(nnz, factors, pairs, sums, *, ends_there):
    """Return what a run in double precision takes more because it begins in single.

    Parameters
    ----------
    nnz : int
    factors, pairs : int
        Bytes of both pairs of factors, in double and in single precision.
    sums : int or None
        Bytes of the sums of X' W, if X is taken in blocks.
    ends_there : bool
        Whether the run may end in single precision.
    """
    if sums is None:
        # First X and both pairs in single, then, without X, the second pair in double.
        first = 8 * nnz + pairs - factors // 2
        return first if ends_there else max(first, factors // 2)
    # First X and both pairs in single alone, then both pairs in double and one in single.
    first = 4 * nnz + pairs - factors - sums // 2
    return first if ends_there else max(first, factors // 4)


def runtime():
    """Return what this process will get beyond the arrays."""
    return RUNTIME if has_run() else RUNTIME + FIRST_KERNEL


def check_size(shape, nnz):
    """Return a shape and a number of entries that a matrix can have."""
    if shape is None or nnz is None:
        raise ValueError("pass X, or both shape and nnz")
    if not isinstance(shape, tuple | list) or len(shape) != 2:
        raise TypeError(f"shape must be (n_samples, n_features), not {shape!r}")
    n_samples, n_features = (check_integer(size, "each size in shape", least=1) for size in shape)
    nnz = check_integer(nnz, "nnz", least=0)
    if nnz > n_samples * n_features:
        raise ValueError(f"nnz is {nnz}, but {n_samples} x {n_features} has fewer entries")
    return (n_samples, n_features), nnz


def check_precision(dtype) -> np.dtype:
    """Return float32 or float64."""
    dtype = np.dtype(dtype)
    if dtype.name not in ("float32", "float64"):
        raise ValueError(f"dtype must be float32 or float64, not {dtype}")
    return dtype
