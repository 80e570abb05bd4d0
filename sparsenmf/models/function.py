"""The function for code that calls `sklearn.decomposition.non_negative_factorization`."""

from __future__ import annotations

import warnings
from typing import Literal

from ..data.arguments import check_flag
from ..data.matching import order_H
from ..data.named import names_of
from ..data.typing import AlphaH, FloatArray, Init, Loss, Matrix, RandomState
from ..data.typing import Solver as SolverName
from .algorithms import Solver
from .estimator_input import check_given, check_precision, given_H, warn_unused
from .estimators import NMF


def non_negative_factorization(
    X: Matrix,
    W: Matrix | None = None,
    H: Matrix | None = None,
    n_components: int | Literal["auto"] | None = "auto",
    *,
    init: Init | None = None,
    update_H: bool = True,
    solver: SolverName | Solver | None = None,
    beta_loss: Loss = "frobenius",
    tol: float = 1e-5,
    max_iter: int = 200,
    alpha_W: float = 0.0,
    alpha_H: AlphaH = "same",
    l1_ratio: float = 0.0,
    random_state: RandomState = None,
    verbose: int = 0,
    shuffle: bool = False,
) -> tuple[FloatArray, FloatArray, int]:
    """Return W, H and the number of iterations, as scikit-learn's function of this name does.

    `factorize` returns more: the history, why it stopped, and what one does with a result.

    Parameters
    ----------
    X : sparse matrix or array, ndarray or DataFrame, of shape (n_samples, n_features)
    W : ndarray of shape (n_samples, n_components), optional
        The start for ``init="custom"``. Else it is left out, with a warning.
    H : ndarray of shape (n_components, n_features), optional
        The start for ``init="custom"``; with ``update_H=False`` the given components.
    n_components : int, "auto" or None, default "auto"
        As in `NMF`.
    init : {"auto", "random", "nndsvd", "nndsvda", "nndsvdar", "custom"}, optional
        Default: "auto", as in `NMF`.
    update_H : bool, default True
        False: H stays as it is, and each row of W is its best fit, solved until it has converged
        (`init`, `solver`, `tol`, `max_iter` and `random_state` do not count).
    solver, beta_loss, tol, max_iter, alpha_W, alpha_H, l1_ratio : optional
        As in `NMF`, and so are the following.
    random_state, verbose, shuffle : optional

    Returns
    -------
    W : ndarray of shape (n_samples, n_components), float32 or float64
    H : ndarray of shape (n_components, n_features)
        With ``update_H=False`` the one that was passed.
    n_iter : int
        Iterations done; 1 with ``update_H=False``.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be.

    See Also
    --------
    factorize : The same with a result that can be saved, shown and used.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from sparsenmf import non_negative_factorization
    >>> X = sp.random_array((100, 80), density=0.1, rng=0)
    >>> W, H, n_iter = non_negative_factorization(X, n_components=5, random_state=0)
    >>> W.shape, H.shape
    ((100, 5), (5, 80))
    """
    estimator = NMF(
        n_components,
        beta_loss=beta_loss,
        max_iter=max_iter,
        random_state=random_state,
        alpha_W=alpha_W,
        alpha_H=alpha_H,
        l1_ratio=l1_ratio,
        init=init,
        solver=solver,
        shuffle=shuffle,
        tol=tol,
        verbose=verbose,
    )
    if check_flag(update_H, "update_H"):
        if init is None and not (W is None and H is None):
            warn_unused(stacklevel=2)
            W = H = None
        estimator._fit(X, W, H)
        return estimator.factorization_.W, estimator.components_, estimator.n_iter_
    if H is None:
        raise ValueError("update_H=False needs H, the components that stay as they are: pass H")
    if W is not None:
        warnings.warn(
            "When update_H=False, the provided initial W is not used.",
            RuntimeWarning,
            stacklevel=2,
        )
    H = order_H(H, names_of(X)[0])
    check_precision(estimator._validate(X, reset=True).dtype, H=H)
    H = given_H(H)
    k = len(H) if n_components is None or n_components == "auto" else n_components
    check_given(H, "H", (None, H.shape[1]), k, zeros=True)
    estimator.components_, estimator.n_components_ = H, k
    return estimator.transform(X), H, 1
