"""The contract of everything that takes input, and what the kinds of cases share.

A case is a function of a random generator and an empty folder. It gives hostile input to the
package and returns "right", if the result is what a slow reading of the same input says, or
"refused", if there was an error that a user can act on. Anything else is a failure.
"""

import numpy as np

REFUSALS = (TypeError, ValueError, OverflowError, OSError)

CASES = {}
"""Functions of (rng, folder) by kind."""


class Broken(AssertionError):
    """The contract does not hold."""


def case(function):
    """Note a kind of cases under the function's name."""
    CASES[function.__name__] = function
    return function


def attempt(call, *names, absurd=False):
    """Return (True, result), or (False, None) for a refusal whose message names the input.

    Where sizes are absurd, there may also be too little memory.
    """
    try:
        return True, call()
    except REFUSALS as error:
        if not any(name in str(error) for name in names):
            raise Broken(f"{type(error).__name__} without {names}: {error}") from error
        return False, None
    except MemoryError:
        if not absurd:
            raise
        return False, None


def check(condition, *facts):
    """Raise if the contract does not hold."""
    if not condition:
        raise Broken(" ".join(map(repr, facts)))


def check_canonical(X):
    """Raise unless a matrix is what kernels may read: they check nothing."""
    check(X.format == "csr", X.format)
    n_rows, n_columns = X.shape
    check(X.indptr.shape == (n_rows + 1,) and X.indptr[0] == 0, X.indptr)
    check(X.indptr[-1] == len(X.data) == len(X.indices), X.indptr, X.data, X.indices)
    check((np.diff(X.indptr) >= 0).all(), X.indptr)
    check(X.dtype in (np.float32, np.float64) and X.dtype.isnative, X.dtype)
    check(X.indices.dtype in (np.int32, np.int64) and X.indptr.dtype.kind == "i", X.indices.dtype)
    for array in (X.data, X.indices, X.indptr):
        check(type(array) is np.ndarray and array.flags.c_contiguous and array.flags.aligned)
    check(len(X.indices) == 0 or (X.indices.min() >= 0 and X.indices.max() < n_columns))
    for start, stop in zip(X.indptr, X.indptr[1:], strict=False):
        check((np.diff(X.indices[start:stop]) > 0).all(), X.indices)


def check_factors(model, shape, n_components):
    """Raise unless factors are of the shape, finite and not negative."""
    check(model.W.shape == (shape[0], n_components), model.W.shape)
    check(model.H.shape == (n_components, shape[1]), model.H.shape)
    for factor in (model.W, model.H):
        check(np.isfinite(factor).all() and (factor >= 0).all(), factor)


def pick(rng, choices):
    """Return one of some things."""
    return choices[int(rng.integers(len(choices)))]


def often(rng, probability):
    """Return whether something with this probability happens."""
    return rng.random() < probability
