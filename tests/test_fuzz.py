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
    "sparse": 500, "dense": 300, "entries": 250, "fit": 40, "observed": 40, "stream": 40,
    "model": 80, "checkpoint": 40, "npz": 80, "dense_npy": 80, "market": 80, "store": 60,
    "h5ad": 3, "written": 150, "texts": 150, "command": 30,
}  # fmt: skip
"""Cases of a kind: about 30 seconds for all, half of which the processes take to begin."""

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
