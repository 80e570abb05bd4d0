"""A cluster of two processes, and a matrix for it."""

import pytest
import scipy.sparse as sp

from .. import problems


@pytest.fixture(scope="package")
def client():
    from .local import start_client  # a module that needs Dask, as its tests have checked

    cluster, client = start_client()
    with cluster, client:
        client.wait_for_workers(2, timeout=60)
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
