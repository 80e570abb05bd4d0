"""Hostile input never ends the process, hangs, or gives a wrong result: see `tests.tools.fuzz`.

Each kind of cases runs in a process of its own. SPARSENMF_FUZZ multiplies how many there are,
and SPARSENMF_FUZZ_FROM is the number of the first one.
"""

import os

import pytest

from .children import posix
from .tools.fuzz import CASES, guided
from .tools.fuzz.worker import try_cases

TIMES = float(os.environ.get("SPARSENMF_FUZZ", "1"))

FIRST = int(os.environ.get("SPARSENMF_FUZZ_FROM", "0"))

COUNTS = {
    "sparse": 1200, "dense": 700, "entries": 500, "fit": 60, "observed": 60, "stream": 60,
    "model": 150, "checkpoint": 60, "npz": 150, "dense_npy": 150, "market": 150, "store": 100,
    "h5ad": 3, "written": 300, "texts": 300, "command": 40,
}  # fmt: skip
"""Cases of a kind: about 40 seconds for all, where kernels are compiled."""

NEEDS = {"stream": "sklearn", "command": "click", "h5ad": "anndata"}


def test_all_kinds_are_tried():
    assert set(COUNTS) == set(CASES)


@posix
@pytest.mark.parametrize("kind", COUNTS)
def test_hostile_input_is_refused_or_read_right(kind, tmp_path):
    if kind in NEEDS:
        pytest.importorskip(NEEDS[kind])
    count = max(int(COUNTS[kind] * TIMES), 1)
    result = try_cases(kind, FIRST, count, tmp_path / "note")
    shown = "\n\n".join(f"{kind} {number}\n{text}" for number, text in result["failures"][:3])
    assert not result["failures"], f"{len(result['failures'])} failures, such as\n{shown}"
    print(kind, result)
    if count >= 30:  # a kind of which nothing is accepted, or nothing refused, tests little
        assert result["right"]
        assert result["refused"]


@pytest.mark.parametrize("kind", guided.READERS)
def test_guided_fuzzing_begins_with_a_file_that_is_read(kind, tmp_path):
    path = tmp_path / f"input{guided.READERS[kind][0]}"
    path.write_bytes(guided.seed(kind, tmp_path))
    assert guided.read_function(kind)(path) is not None
