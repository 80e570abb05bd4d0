"""scikit-learn's own tests of NMF, with nothing swapped but the import."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sklearn")

import sklearn

ROOT = Path(__file__).parents[2]
IMPORT = "from sklearn.decomposition import NMF, MiniBatchNMF, non_negative_factorization"

MOST = 8

DIFFERENT = {
    "test_parameter_checking",
    "test_nmf_true_reconstruction",
    "test_nmf_minibatchnmf_equivalence[1]",
    "test_nmf_minibatchnmf_equivalence[2]",
    "test_minibatch_nmf_partial_fit",
}
ROUNDING = {  # another processor may round them together
    "test_nmf_float32_float64_consistency[NMF-solver0]",
    "test_nmf_float32_float64_consistency[MiniBatchNMF-solver2]",
}


@pytest.fixture(scope="module")
def failures(tmp_path_factory):
    """The names of the tests that fail, and how many there are."""
    spec = importlib.util.find_spec("sklearn.decomposition.tests")
    places = [] if spec is None else [Path(spec.origin).parent / "test_nmf.py"]
    if not places or not places[0].is_file():
        pytest.skip("this scikit-learn is installed without its tests")
    folder = tmp_path_factory.mktemp("theirs")
    theirs = places[0].read_text(encoding="utf-8")
    swapped = theirs.replace(IMPORT, IMPORT.replace("sklearn.decomposition", "sparsenmf"))
    assert swapped != theirs
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_swapped.py").write_text(swapped, encoding="utf-8")
    options = ["-q", "-rf", "--tb=no", "-p", "no:cacheprovider"]
    printed = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "test_swapped.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=900,
    ).stdout
    failed = set(re.findall(r"^FAILED test_swapped\.py::(\S+)", printed, re.MULTILINE))
    n_failed, n_passed = (
        sum(map(int, re.findall(rf"(\d+) {word}", printed.splitlines()[-1])))
        for word in ("failed", "passed")
    )
    assert n_failed == len(failed), printed
    return failed, n_failed + n_passed


def test_few_of_their_tests_fail(failures):
    failed, n_tests = failures
    assert n_tests > 200
    assert len(failed) <= MOST, sorted(failed)


@pytest.mark.skipif(
    not sklearn.__version__.startswith("1.9."), reason="the names are those of scikit-learn 1.9"
)
def test_those_that_fail_are_the_known_ones(failures):
    failed, n_tests = failures
    assert failed - ROUNDING == DIFFERENT
    page = (ROOT / "docs" / "guide" / "migrating.md").read_text(encoding="utf-8")
    assert f"of {n_tests} tests" in page


def test_each_one_is_in_the_docs_with_its_reason():
    page = (ROOT / "docs" / "guide" / "migrating.md").read_text(encoding="utf-8")
    listed = {}
    for names, reason in re.findall(r"^\| (`test_.*?) \| (.+) \|$", page, re.MULTILINE):
        base = ""
        for name in re.findall(r"`([^`]+)`", names):
            base = base if name.startswith("[") else name.split("[")[0]
            listed[base + name if name.startswith("[") else name] = reason
    assert set(listed) == DIFFERENT | ROUNDING
    assert all(len(reason.split()) > 5 for reason in listed.values())
