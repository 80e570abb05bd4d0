"""Factorization of matrices that are spread over the workers of a Dask cluster."""

try:
    import dask.array  # noqa: F401 - imported to report that it is missing
    import distributed  # noqa: F401 - as above
except ImportError as error:
    raise ImportError('sparsenmf.distributed needs Dask: pip install "sparsenmf[dask]"') from error

from .fit import factorize
from .run import DistributedFactorization

__all__ = ["DistributedFactorization", "factorize"]
