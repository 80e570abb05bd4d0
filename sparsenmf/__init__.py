"""Fast, exact non-negative matrix factorization of sparse matrices.

    >>> import sparsenmf
    >>> model = sparsenmf.factorize(X, 20)          # any scipy.sparse matrix
    >>> model.W, model.H                            # X is about W @ H

Importing this package loads neither numba nor scikit-learn; they come with the
first call that needs them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = ["NMF", "Factorization", "MiniBatchNMF", "estimate_memory", "factorize"]

_HOMES = {
    "NMF": "estimators",
    "Factorization": "factorization",
    "MiniBatchNMF": "minibatch",
    "estimate_memory": "memory",
    "factorize": "_factorize",
}

if TYPE_CHECKING:
    from ._factorize import factorize
    from .estimators import NMF
    from .factorization import Factorization
    from .memory import estimate_memory
    from .minibatch import MiniBatchNMF


def __getattr__(name):
    if name in _HOMES:
        value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
