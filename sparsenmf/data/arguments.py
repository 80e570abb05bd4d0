"""Checks of all arguments but matrices: each error names the argument and says what to do."""

import math
import numbers
import secrets
from collections.abc import Iterable

import numpy as np

_NAMES = (
    "names come with X, as in NamedMatrix(X, feature_names=...); without them, pass a vocabulary "
    "to what shows terms, such as model.top_terms"
)
_SOLVER = "it is a setting of the solver: solver=CoordinateDescent({}=...)"

MEANT = {
    "vocabulary": _NAMES,
    "feature_names": _NAMES,
    "beta_loss": "it is called loss",
    "beta": "it is called loss",
    "n_topics": "it is called n_components",
    "max_time": "it is called time_limit",
    "verbose": "it is called progress",
    "sample_weight": "pass weights=Weights(samples=...)",
    **{
        name: _SOLVER.format(name) for name in ("low_memory", "W_path", "max_sweeps", "extrapolate")
    },
}
"""What to do in place of arguments that others have, or that one might look for."""

LONGEST = 100  # characters of an argument that a message shows


def refuse_meant(function: str, unknown: Iterable[str]) -> None:
    """Raise TypeError if one of some arguments, which a function does not have, is in `MEANT`."""
    for name in unknown:
        if name in MEANT:
            raise TypeError(f"{function}() has no argument {name!r}: {MEANT[name]}")


def check_n_components(n_components, shape):
    """Return n_components as an int between 1 and min(shape)."""
    n_components = check_integer(n_components, "n_components", least=1)
    most = min(shape)
    if n_components > most:
        raise ValueError(
            f"n_components is {n_components}, but X is {shape[0]} x {shape[1]}: "
            f"with min(n_samples, n_features) = {most} components W H can already equal X; "
            f"choose fewer"
        )
    return n_components


def check_svd_start(init, n_components, shape):
    """Raise ValueError if a start by NNDSVD has no singular pair for each component.

    Its first words are scikit-learn's.
    """
    if init.startswith("nndsvd") and n_components > min(shape):
        raise ValueError(
            f"init = {init!r} can only be used when n_components <= min(n_samples, n_features): "
            f"X is {shape[0]} x {shape[1]} and has no {n_components} singular pairs; "
            f'take init="random", or fewer components'
        )


def shown(value):
    """Return what an argument is, as part of a message of one line."""
    if isinstance(value, np.ndarray) and value.ndim:
        return f"an array of shape {value.shape}"
    text = " ".join(repr(value).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def check_integer(value, name, least):
    """Return an integer argument that is at least `least`."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer, not {shown(value)}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, not {value}")
    return int(value)


def check_number(value, name, least=0.0, most=math.inf, *, open_below=False):
    """Return a finite real argument within [least, most] as a float."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, not {shown(value)}")
    value = float(value)
    if not (math.isfinite(value) and least <= value <= most) or (open_below and value == least):
        bounds = f"> {least:g}" if open_below else f">= {least:g}"
        bounds += f" and <= {most:g}" if most < math.inf else " and finite"
        raise ValueError(f"{name} must be {bounds}, not {value:g}")
    return value


def check_alphas(alpha_W, alpha_H, l1_ratio):
    """Return alpha_W, alpha_H (a float or "same") and l1_ratio, checked."""
    if not (isinstance(alpha_H, str) and alpha_H == "same"):
        alpha_H = check_number(alpha_H, "alpha_H")
    return check_number(alpha_W, "alpha_W"), alpha_H, check_number(l1_ratio, "l1_ratio", most=1.0)


def check_threads(n_threads):
    """Return n_threads, an int that is at least 1, or None."""
    return None if n_threads is None else check_integer(n_threads, "n_threads", least=1)


def check_sweeps(max_sweeps):
    """Return max_sweeps, an int that is at least 1, or None."""
    return None if max_sweeps is None else check_integer(max_sweeps, "max_sweeps", least=1)


def check_choice(value, name, choices, others=""):
    """Return an argument that must be one of `choices`; `others` says what else it might be."""
    if not isinstance(value, str) or value not in choices:
        listed = ", ".join(map(repr, choices))
        raise ValueError(f"{name} must be one of {listed}{others}, not {shown(value)}")
    return value


def check_flag(value, name):
    """Return a boolean argument."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, not {shown(value)}")
    return bool(value)


def check_random_state(random_state):
    """Return a random generator; NumPy's global one is used for seeds of the estimators only.

    An integer or None makes a new `numpy.random.Generator`. A Generator or a RandomState is
    returned as it is, and the caller's draws advance it.
    """
    if isinstance(random_state, np.random.Generator | np.random.RandomState):
        return random_state
    if random_state is None:
        random_state = draw_seed()
    return np.random.default_rng(check_integer(random_state, "random_state", least=0))


def draw_seed():
    """Return a random seed of 53 bits, which every JSON parser reads exactly."""
    return secrets.randbits(53)


def check_vector(values, name, size):
    """Return weights as a float64 array of `size` non-negative numbers, or None for None.

    Raises
    ------
    TypeError, ValueError
        If they are not real numbers, have another length, or are negative, not finite or all
        zero.
    """
    if values is None:
        return None
    if isinstance(values, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array: fill its missing entries")
    values = np.asarray(values)
    if values.dtype.kind not in "fbiu":
        raise TypeError(f"{name} must hold real numbers, not {values.dtype}")
    if values.shape != (size,):
        raise ValueError(f"{name} must have shape ({size},), but its shape is {values.shape}")
    values = values.astype(np.float64)
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() > 0):
        raise ValueError(f"{name} must be finite, not negative, and not all zero")
    return values
