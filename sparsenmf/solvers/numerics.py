"""Sums in double precision, and checks for overflow."""

import numpy as np


def check_overflow(value, dtype):
    """Raise OverflowError if the objective or a gram matrix has overflowed the factors' type."""
    if not np.isfinite(value):
        raise OverflowError(
            f"the factors overflow {dtype}: start from smaller W and H, or use float64"
        )


def exact_gram(factor, chunk=4096):
    """Return factor' factor in float64, without BLAS and without a float64 copy."""
    gram = np.zeros((factor.shape[1], factor.shape[1]))
    for start in range(0, len(factor), chunk):
        part = factor[start : start + chunk].astype(np.float64)
        gram += np.einsum("ir,is->rs", part, part)
    return gram
