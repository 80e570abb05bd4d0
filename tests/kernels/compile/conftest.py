"""Cache folders that have kernels."""

import shutil

import pytest

from .cached import files, run_with


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A folder with both twins of some kernels, and the names of the twins."""
    folder = tmp_path_factory.mktemp("filled") / "cache"
    loaded, twins = run_with(folder, n_threads=2)
    assert not loaded
    assert len(files(folder)) == len(twins)
    return folder, twins


@pytest.fixture
def warm(filled, tmp_path):
    """Return a copy of `filled` that a test may damage."""
    folder = tmp_path / "warm"
    shutil.copytree(filled[0], folder)
    folder.chmod(0o700)
    return folder
