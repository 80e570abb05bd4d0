"""How much memory a factorization will need, before it runs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from .arguments import check_integer
from .formats import INT32_MAX
from .losses import check_beta
from .rows import begins_in_single, count_blocks, count_parts, is_tall, padded_width

RUNTIME = 13 * 2**20
"""What the compiled kernels and the thread pool add to a process in which numba is
already imported (measured)."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Peak memory of a `factorize` call beyond X itself, in bytes.

    Attributes
    ----------
    conversion : int
        A canonical CSR copy of X, where X is not one already.
    transpose : int
        The transpose of X, or, where there is none, the sums of X' W.
    factors : int
        W and H, twice: a run keeps the last accepted pair beside the one in work. W thrice
        for the Kullback-Leibler loss without a transpose.
    workspace : int
        Gram matrices of the blocks of rows, and the compiled code; for the first iterations of
        a run in double precision X and its transpose in single, without their indices, and what
        is left of its factors in single when those in double have come.
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
    X: Any = None,
    n_components: int = 10,
    *,
    shape: tuple[int, int] | None = None,
    nnz: int | None = None,
    dtype: Any = None,
    low_memory: bool = False,
    loss: str | float = "frobenius",
) -> MemoryEstimate:
    """Forecast the peak memory of ``factorize(X, n_components)`` beyond X itself.

    Parameters
    ----------
    X : scipy.sparse matrix or array, optional
        Only its shape, number of entries, format and types are looked at.
    n_components : int
    shape : (n_samples, n_features), optional
        Instead of X, together with `nnz`.
    nnz : int, optional
        Stored entries.
    dtype : {"float32", "float64"}, optional
        Precision of the computation. Default: that of X, else float32.
    low_memory : bool, default False
        As in `factorize`; matrices much taller than wide are treated so in any case, with the
        Frobenius loss.
    loss : str or float, default "frobenius"
        As in `factorize`.

    Returns
    -------
    MemoryEstimate
        In bytes; ``str`` of it is readable, ``.total`` is the sum.

    Raises
    ------
    ValueError
        If neither X nor both shape and nnz are given, or there is no such loss.

    Examples
    --------
    >>> from sparsenmf import estimate_memory
    >>> print(estimate_memory(n_components=20, shape=(1_000_000, 50_000), nnz=60_000_000))
    242 MiB beyond X (conversion 0, transpose 37, factors 192, workspace 13)
    """
    n_components = check_integer(n_components, "n_components", least=1)
    conversion = False
    if X is not None:
        if not sp.issparse(X):
            raise TypeError("X must be a scipy.sparse matrix; for others pass shape and nnz")
        shape, nnz = X.shape, X.nnz
        if dtype is None:
            dtype = X.dtype if X.dtype.kind == "f" and X.dtype.itemsize >= 4 else np.float32
        conversion = X.format != "csr" or X.dtype != dtype
    if shape is None or nnz is None:
        raise ValueError("pass X, or both shape and nnz")
    dtype = np.dtype(np.float32 if dtype is None else dtype)
    n_samples, n_features = shape
    entry = dtype.itemsize + (4 if max(shape) <= INT32_MAX else 8)
    width = padded_width(n_components, dtype)
    transpose = nnz * entry + 8 * (n_features + 1)
    beta = check_beta(loss)
    in_blocks = low_memory or (beta == 2 and is_tall(shape, nnz))
    copies_of_W = 3 if in_blocks and beta == 1 else 2
    if in_blocks:
        transpose = count_parts(nnz, n_features) * n_features * width * dtype.itemsize
    factor = width * dtype.itemsize  # a row of one
    factors = (copies_of_W * n_samples + 2 * n_features) * factor
    # The second pair of factors comes when X in single precision has gone.
    single = 8 * nnz, factors // 2
    if in_blocks:  # and only then the first pair, of which one is still there in single
        single = 4 * nnz - factors // 2, factors // 4
    begins = beta == 2 and not low_memory and begins_in_single(dtype, nnz, n_components)
    return MemoryEstimate(
        conversion=nnz * entry + 8 * (n_samples + 1) if conversion else 0,
        transpose=transpose,
        factors=factors,
        workspace=count_blocks(n_components) * width**2 * 8 + RUNTIME + begins * max(single),
    )
