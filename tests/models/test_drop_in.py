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

PAGE = ROOT / "docs" / "guide" / "migrating.md"

DIFFERENT = {
    "test_parameter_checking": (
        'it wants `solver="cd"` with Kullback-Leibler refused, which works here'
    ),
    "test_nmf_true_reconstruction": (
        "ten numbers of rank five: a random start ends in another local minimum than their NNDSVD "
        'start; `init="nndsvda"` finds it'
    ),
    "test_nmf_minibatchnmf_equivalence[1]": (
        "for this loss batches are not learned by multiplicative updates, but by faster steps"
    ),
    "test_nmf_minibatchnmf_equivalence[2]": "the same",
    "test_minibatch_nmf_partial_fit": (
        "it compares `components_` with itself: theirs writes to the H that it was given, ours "
        "never does"
    ),
}
ROUNDING = {  # another processor may round them together
    "test_nmf_float32_float64_consistency[NMF-solver0]": (
        "a fit that is exact ends in rounding, which is another one in each precision"
    ),
    "test_nmf_float32_float64_consistency[MiniBatchNMF-solver2]": "the same",
}

TABLE = re.compile(r"(?<=^\| test \| reason \|\n\| --- \| --- \|\n)(?:\|.*\n)*", re.MULTILINE)


def table():
    """Return the rows that the page's table should have."""
    reasons = {**DIFFERENT, **ROUNDING}
    return "".join(f"| `{test}` | {reason} |\n" for test, reason in reasons.items())


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
    assert failed - ROUNDING.keys() == DIFFERENT.keys()
    assert f"of {n_tests} tests" in PAGE.read_text(encoding="utf-8")


def test_the_page_has_this_table():
    """If it has not, ``python -m tests.models.test_drop_in`` writes it."""
    assert TABLE.findall(PAGE.read_text(encoding="utf-8")) == [table()]


if __name__ == "__main__":
    text = TABLE.sub(lambda _: table(), PAGE.read_text(encoding="utf-8"))
    PAGE.write_text(text, encoding="utf-8")
