"""Shared fixtures, and where the real data lie."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

DATA = Path(os.environ.get("SPARSENMF_DATA", Path(__file__).parents[2] / "shared" / "data"))


def pytest_xdist_auto_num_workers(config):
    """Start no workers for a single file: their imports would take longer than they save."""
    files = {argument.partition("::")[0] for argument in config.args}
    return 0 if len(files) == 1 and files.pop().endswith(".py") else None


SLOW = [
    "test_examples.py",
    "models/test_announcing.py",
    "models/test_memory.py",
    "distributed/test_fit.py",
    "models/test_processes.py",
    "models/test_larger.py",
    "models/test_memory_fresh.py",
    "cli/test_terminal.py",
    "models/test_drop_in.py",
    "test_other_systems.py",
    "test_typing.py",
    "test_docs.py",
    "solvers/test_kullback_leibler.py",
]
"""Files of few tests that take a quarter of a minute or much more in all, the slowest first."""


def pytest_collection_modifyitems(items):
    """Begin with the slow files: a worker that begins one last works on while others are idle."""
    here = Path(__file__).parent
    places = {here / name: place for place, name in enumerate(SLOW)}
    items.sort(key=lambda item: places.get(item.path, len(SLOW)))


@pytest.fixture(autouse=True, scope="session")
def interruptible():
    """Let Ctrl-C through, which tests send: shells start background jobs that ignore it."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def figures_closed():
    """Close the figures of each test: pyplot warns in whichever test opens too many."""
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


@pytest.fixture
def rng():
    return np.random.default_rng(20240229)


@pytest.fixture
def real_path():
    """A function that returns the folder of a real data set, or skips where there is none."""

    def find(name):
        if not (DATA / name / "matrix.npz").exists():
            pytest.skip(f"real data set {name} not found: set SPARSENMF_DATA")
        return DATA / name

    return find


@pytest.fixture
def real_matrix(real_path):
    """A function that loads a real data set as tf-idf, or skips where there is none."""

    def load(name, dtype=np.float32, min_df=3):
        X = sp.csr_array(sp.load_npz(real_path(name) / "matrix.npz"), dtype=float)
        frequency = np.bincount(X.indices, minlength=X.shape[1])
        X = X[:, np.flatnonzero(frequency >= min_df)]
        frequency = frequency[frequency >= min_df]
        idf = np.log((1 + X.shape[0]) / (1 + frequency)) + 1
        X = X @ sp.diags_array(idf)
        norms = np.sqrt(X.multiply(X).sum(axis=1))
        return sp.csr_array(sp.diags_array(1 / np.maximum(norms, 1e-30)) @ X, dtype=dtype)

    return load
