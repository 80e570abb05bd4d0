"""A cluster of two processes, and a matrix for it."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import CoordinateDescent, MultiplicativeUpdate, factorize

from .. import problems


@pytest.fixture(scope="package")
def compiled(X):
    """Have the kernels of workers in the cache: several would compile the same ones at once."""
    from .local import K

    for dtype in (np.float32, np.float64):
        for solver in (CoordinateDescent(low_memory=True), MultiplicativeUpdate(low_memory=True)):
            loss = "frobenius" if isinstance(solver, CoordinateDescent) else "kullback-leibler"
            options = {"loss": loss, "solver": solver, "n_threads": 1, "max_iter": 1}
            factorize(X.astype(dtype), K, random_state=0, **options)


@pytest.fixture(scope="package")
def client(compiled):
    """A client of two workers."""
    from .local import start_client  # a module that needs Dask, as the tests have checked

    with start_client(2, 1, default=True) as client:
        yield client


@pytest.fixture(scope="package")
def one_worker():
    """A client of one worker with two threads, for ``client=``."""
    from .local import start_client

    with start_client(1, 2, default=False) as client:
        yield client


@pytest.fixture(scope="package")
def X():
    X = problems.documents(400, 250, dtype=float).tolil()
    X[150:160] = 0
    return sp.csr_array(X)


@pytest.fixture
def all_there(client):
    from .local import have_both

    have_both(client)
    yield
    have_both(client)
