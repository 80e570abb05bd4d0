"""What scikit-learn has to see of an estimator's X, and what it must not convert itself."""

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_array, validate_data

from ..data.containers import is_frame, read_frame, unwrap
from ..data.formats import as_csr
from ..data.validation import fill_masked

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
        Whether this is a fit, which also needs values that are not negative.
    allow_nan : bool
    """
    X = fill_masked(unwrap(X), "X", allow_nan)  # scikit-learn would forget the mask
    options = {"accept_sparse": ("csr", "csc"), "dtype": DTYPES, "ensure_non_negative": reset}
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
