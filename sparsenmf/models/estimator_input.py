"""Checks of an estimator's input, by scikit-learn and in its words."""

import warnings
from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, validate_data

from ..data.containers import is_frame, read_frame, unwrap
from ..data.formats import as_csr
from ..data.validation import check_factor, fill_masked
from ..solvers.losses import check_beta
from ..solvers.weights import Weights

DTYPES = [np.float64, np.float32]


def validate_input(estimator, X, *, reset, allow_nan):
    """Return X as a CSR or CSC matrix or a dense array, checked as scikit-learn does.

    Parameters
    ----------
    estimator : BaseEstimator
        It learns the number and the names of the features if `reset`, else they are compared.
    X : matrix
        What `factorize` takes.
    reset : bool
        Whether this is a fit.
    allow_nan : bool
    """
    X = fill_masked(unwrap(X), "X", allow_nan)  # scikit-learn would forget the mask
    options = {"accept_sparse": ("csr", "csc"), "dtype": DTYPES, "ensure_non_negative": True}
    if is_frame(X):
        validate_data(estimator, X, reset=reset, skip_check_array=True)  # names of columns
        X = read_frame(X, keep_zeros=allow_nan, allow_nan=allow_nan)
        # What is missing is found by our own gate, which says where it is.
        options["ensure_all_finite"] = "allow-nan"
        return check_array(X, estimator=estimator, input_name="X", **options)
    if sp.issparse(X) and X.ndim == 2:
        X = as_csr(X, "X")  # scikit-learn has scipy read what it has not checked
    options["ensure_all_finite"] = "allow-nan" if allow_nan else True
    return validate_data(estimator, X, reset=reset, **options)


def check_loss_of_zeros(beta_loss, X, *, unknown=False):
    """Raise ValueError in scikit-learn's words if X has zeros, and the divergence of zero is none.

    `factorize` would say the same of its `loss`.
    """
    if check_beta(beta_loss) > 0 or unknown:
        return
    size = np.prod(X.shape, dtype=np.int64)
    if np.count_nonzero(X.data if sp.issparse(X) else X) < size:
        raise ValueError(
            "When beta_loss <= 0 and X contains zeros, the solver may diverge. Please add small "
            f"values to X, or use a positive beta_loss: {beta_loss!r} is infinite where X is zero"
        )


def check_start(estimator, W, H, X, n_components, *, stacklevel):
    """Return a start that is used, checked in scikit-learn's words.

    Any other `init` than "custom" leaves it out, with scikit-learn's warning, unless components of
    it are frozen.

    Parameters
    ----------
    estimator : NMF or MiniBatchNMF
    W, H : matrix or None
    X : matrix
        Checked.
    n_components : int
    stacklevel : int
        The stack level of the warning, seen from here.

    Raises
    ------
    TypeError, ValueError
        If they do not fit X. With ``init="custom"`` they must be of its precision, too.
    """
    init = estimator.init
    frozen = [getattr(estimator, name, None) for name in ("frozen_W", "frozen_H")]
    is_plain = isinstance(init, str) and all(given is None for given in frozen)
    if is_plain and init == "custom":
        check_precision(X.dtype, H=H, W=W)
    elif is_plain and not (W is None and H is None):
        warn_unused(stacklevel + 1)
        W = H = None
    for factor, name, size in ((W, "W", (X.shape[0], None)), (H, "H", (None, X.shape[1]))):
        if factor is not None:
            check_given(factor, name, size, n_components)
    return W, H


def check_precision(dtype, **factors):
    """Raise TypeError as scikit-learn does if a start is in another precision than X.

    Other numbers than floating-point ones are converted.
    """
    given = {
        name: np.asarray(factor).dtype for name, factor in factors.items() if factor is not None
    }
    if any(kind in DTYPES and kind != dtype for kind in given.values()):
        found = " and ".join(f"{name}.dtype = {kind}" for name, kind in given.items())
        raise TypeError(
            f"{' and '.join(given)} should have the same dtype as X. Got {found}, but X is "
            f"{dtype}: convert one of them with astype"
        )


def warn_unused(stacklevel):
    """Warn as scikit-learn does that W and H are not used."""
    warnings.warn(
        "When init!='custom', provided W or H are ignored. Set  init='custom' to use them as "
        "initialization.",
        RuntimeWarning,
        stacklevel=stacklevel + 1,
    )


def check_given(factor, name, size, n_components, *, zeros=False):
    """Raise in scikit-learn's words if a factor does not fit, has negative values or only zeros.

    Anything else that can be wrong with it `factorize` tells.

    Parameters
    ----------
    factor : matrix
    name : {"W", "H"}
    size : (n_samples, None) or (None, n_features)
        None stands for n_components, of which a factor may have fewer.
    n_components : int
    zeros : bool
        Whether it may be full of zeros.
    """
    whom, factor = f"NMF (input {name})", np.asarray(factor)
    if factor.ndim != 2 or factor.dtype.kind not in "fbiu" or not factor.size:
        return
    for found, expected, axis in zip(factor.shape, size, ("first", "second"), strict=True):
        if found > n_components if expected is None else found != expected:
            raise ValueError(
                f"Array with wrong {axis} dimension passed to {whom}. Expected "
                f"{n_components if expected is None else expected}, but got {found}."
            )
    if factor.min() < 0:
        raise ValueError(f"Negative values in data passed to {whom}.")
    if factor.max() == 0 and not zeros:
        raise ValueError(f"Array passed to {whom} is full of zeros.")


def count_components(wanted, X, W, H):
    """Return the number of components, where it may be "auto" or None."""
    if wanted not in ("auto", None):
        return wanted
    if wanted == "auto" and H is not None:
        return np.shape(H)[0]
    if wanted == "auto" and W is not None:
        return np.shape(W)[-1]
    return min(X.shape)


def check_sample_weight(sample_weight):
    """Return weights of samples as an array, or None if there are none."""
    if sample_weight is None:
        return None
    sample_weight = fill_masked(sample_weight, "sample_weight", allow_nan=False)
    return check_array(sample_weight, ensure_2d=False, input_name="sample_weight")


def join_weights(sample_weight, weights):
    """Return the `Weights` of samples and of all else, which a user passes apart."""
    weights = Weights.of(weights)
    if sample_weight is None:
        return weights
    if weights.samples is not None:
        raise ValueError("pass the weights of samples once: as sample_weight or in weights")
    return replace(weights, samples=sample_weight)


def warn_unfinished(stop_reason, estimator, stacklevel):
    """Warn as scikit-learn does if a fit has reached one of its limits."""
    limits = {
        "max_iter": f"Maximum number of iterations {estimator.max_iter}",
        "time_limit": f"Time limit of {estimator.time_limit} s",
    }
    if stop_reason in limits:
        warnings.warn(
            f"{limits[stop_reason]} reached. Increase it to improve convergence.",
            ConvergenceWarning,
            stacklevel=stacklevel + 1,
        )


def given_H(H):
    """Return components that a user has set as an array of single or double precision.

    It is the same array where it can be, so that an edit in place counts.
    """
    H = np.asarray(H)
    if H.ndim != 2 and H.dtype != object:
        raise ValueError(
            f"components_ must have two dimensions, n_components x n_features, but its shape is "
            f"{H.shape}"
        )
    dtype = H.dtype if H.dtype in DTYPES else np.dtype(np.float64)
    shape = H.shape if H.ndim == 2 else (0, 0)
    return check_factor(H, "components_", shape, "n_components x n_features", dtype)


def global_seed(random_state):
    """Return a random state as `factorize` takes it, for None a seed from NumPy's global generator.

    So `np.random.seed` counts, as everywhere in scikit-learn, and the result can tell its seed.
    """
    if random_state is not None:
        return random_state
    return int(check_random_state(None).randint(2**53, dtype=np.int64))


def like_frame(frame, values, names):
    """Return dense values as a frame of the same kind and, if it has one, the same index."""
    if hasattr(frame, "index"):
        return type(frame)(values, index=frame.index, columns=names)
    names = None if names is None else [str(name) for name in names]
    return type(frame)(values, schema=names)
