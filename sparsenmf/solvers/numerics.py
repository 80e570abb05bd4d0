"""Sums in double precision, and checks for overflow."""

import contextlib

import numpy as np


def check_overflow(value, dtype, what="the factors", of="X"):
    """Raise OverflowError if the objective or a gram matrix has overflowed the factors' type."""
    if not np.isfinite(value):
        advice = f"clip or scale down {of}{or_wider(dtype, f'pass {of} in')}"
        raise OverflowError(f"{what} overflow {dtype}: {advice}")


def or_wider(dtype, how):
    """Return the advice to use float64, after other advice, unless that is already used."""
    return "" if np.dtype(dtype) == np.float64 else f", or {how} float64"


@contextlib.contextmanager
def advising_on(W, H):
    """Let an OverflowError in the block advise on a given W and H, too, if there are any."""
    given = " and ".join(name for name, factor in (("W", W), ("H", H)) if factor is not None)
    try:
        yield
    except OverflowError as error:
        if not given:
            raise
        raise OverflowError(f"{error}; or start from a smaller {given}") from error


def exact_gram(factor, chunk=4096):
    """Return factor' factor in float64, without BLAS and without a float64 copy."""
    gram = np.zeros((factor.shape[1], factor.shape[1]))
    for start in range(0, len(factor), chunk):
        part = factor[start : start + chunk].astype(np.float64)
        gram += np.einsum("ir,is->rs", part, part)
    return gram
