"""The examples, run as a reader would run them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sparsenmf import Factorization

pytest.importorskip("sklearn")

TOPICS = Path(__file__).parents[1] / "examples" / "topics.py"


def run(*arguments, timeout=300):
    """Run topics.py with these arguments and return the finished process."""
    # A reader's run is a compiled one, even where the tests are run without compiling.
    settings = {"PYTHONIOENCODING": "utf-8", "NUMBA_DISABLE_JIT": "0"}
    return subprocess.run(
        [sys.executable, TOPICS, *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
        env={**os.environ, **settings},
    )


def read_topics(process):
    """Return each printed topic: its share, terms and typical documents."""
    assert process.returncode == 0, process.stderr
    blocks = re.findall(r"^ *\d+\. +([\d.]+)%  (.*)\n((?: +- .*\n)*)", process.stdout, re.MULTILINE)
    return [
        (float(share), terms.split(", "), [line.strip()[2:] for line in documents.splitlines()])
        for share, terms, documents in blocks
    ]


def test_documentation_of_this_machine(tmp_path):
    process = run("--save", tmp_path / "model.npz")
    topics = read_topics(process)
    assert len(topics) == 20
    assert sum(share for share, _, _ in topics) == pytest.approx(100, abs=1.1)
    assert all(len(terms) == 8 and len(documents) == 2 for _, terms, documents in topics)
    n_documents = int(re.search(r"([\d,]+) documents x", process.stdout)[1].replace(",", ""))
    assert n_documents > 4000
    # Some that should be there whatever the versions are.
    for term in ("sparse", "polynomial", "distribution", "file"):
        assert any(term in terms for _, terms, _ in topics), term
    assert all(re.fullmatch(r"[\w.]+", title) for _, _, titles in topics for title in titles)
    topics_and_times = process.stdout.split("\nFactorization of")[0]
    assert all(len(line) <= 100 for line in topics_and_times.splitlines())
    model = Factorization.load(tmp_path / "model.npz")
    assert (model.n_samples, model.n_components) == (n_documents, 20)
    assert repr(model) in process.stdout


def test_wrong_input_is_one_line_and_exit_code_2():
    process = run("--n-topics", "0")
    assert process.returncode == 2
    assert process.stderr.splitlines()[-1].endswith("n_components must be at least 1, not 0")
    assert "Traceback" not in process.stderr


def test_missing_scikit_learn_is_named():
    code = "import runpy, sys; sys.modules['sklearn'] = None; runpy.run_path(sys.argv[1])"
    process = subprocess.run(
        [sys.executable, "-c", code, TOPICS], capture_output=True, encoding="utf-8", timeout=120
    )
    assert process.returncode == 1
    assert process.stderr.splitlines() == [
        'This example needs scikit-learn: pip install "sparsenmf[text]"'
    ]
