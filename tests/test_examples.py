"""The examples, run as a reader would run them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp

from sparsenmf import Factorization

pytest.importorskip("sklearn")

TOPICS = Path(__file__).parents[1] / "examples" / "topics.py"

SEA = [
    "anchor",
    "harbour",
    "island",
    "sailor",
    "storm",
    "tide",
    "vessel",
    "voyage",
    "whale",
    "wind",
]
KITCHEN = [
    "bake",
    "butter",
    "dough",
    "flour",
    "honey",
    "kettle",
    "oven",
    "pepper",
    "spoon",
    "sugar",
]


def run(*arguments, timeout=120, **environment):
    """Run topics.py with these arguments and return the finished process."""
    # A reader's run is a compiled one, even where the tests are run without compiling.
    settings = {"PYTHONIOENCODING": "utf-8", "NUMBA_DISABLE_JIT": "0", **environment}
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


def check_separated(process):
    """Check that there are two topics, one of the sea and one of the kitchen; return them."""
    topics = read_topics(process)
    assert len(topics) == 2
    sea, kitchen = sorted(topics, key=lambda topic: not set(topic[1]) & set(SEA))
    for (_, terms, documents), words in ((sea, SEA), (kitchen, KITCHEN)):
        assert len(terms) == 8
        assert set(terms) <= set(words)
        assert len(documents) == 2
    assert sea[0] + kitchen[0] == pytest.approx(100, abs=0.2)
    return sea, kitchen


@pytest.fixture(scope="module")
def texts():
    """80 documents, of the sea and of the kitchen in turn."""
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice((SEA, KITCHEN)[i % 2], 6, replace=False)) for i in range(80)]


@pytest.fixture(scope="module")
def counts(texts):
    """The matrix of the documents x terms."""
    words = [text.split() for text in texts]
    return sp.csr_array([[doc.count(term) for term in SEA + KITCHEN] for doc in words])


def test_file_with_a_document_per_line(tmp_path, texts):
    path = tmp_path / "notes.txt"
    # Neither an empty line nor one that is not UTF-8 is in the way.
    path.write_bytes("\n\n".join(texts).encode() + b"\nwhale \xff wind\n")
    process = run(path, "--n-topics", "2")
    assert "81 documents x 20 terms" in process.stdout
    sea, kitchen = check_separated(process)
    assert all(document.split()[0] in SEA for document in sea[2])
    assert all(document.split()[0] in KITCHEN for document in kitchen[2])


def test_titles_fit_the_terminal(tmp_path, texts):
    path = tmp_path / "notes.txt"
    long = [f"{text}\t\u00e9 {'filler ' * 20}" for text in texts]
    path.write_text("\n".join(long), encoding="utf-8")
    process = run(path, "--n-topics", "2", PYTHONIOENCODING="ascii")
    documents = [title for _, _, titles in check_separated(process) for title in titles]
    assert all(" ? filler" in title and title.endswith("...") for title in documents)
    assert all(len(line) <= 100 for line in process.stdout.splitlines()[:8])


def test_folder_of_text_files(tmp_path, texts):
    for i, text in enumerate(texts):
        (tmp_path / f"{('sea', 'kitchen')[i % 2]}{i:02d}.txt").write_text(text)
    (tmp_path / "notes.md").write_text("not a document")
    process = run(tmp_path, "--n-topics", "2")
    assert "80 documents x 20 terms" in process.stdout
    sea, kitchen = check_separated(process)
    assert all(re.fullmatch(r"sea\d\d\.txt", title) for title in sea[2])
    assert all(re.fullmatch(r"kitchen\d\d\.txt", title) for title in kitchen[2])


@pytest.mark.parametrize("suffix", [".npz", ".mtx"])
def test_matrix_with_vocabulary(tmp_path, counts, suffix):
    matrix, vocabulary, saved = tmp_path / f"X{suffix}", tmp_path / "terms.txt", tmp_path / "model"
    if suffix == ".npz":
        sp.save_npz(matrix, counts)
    else:
        scipy.io.mmwrite(matrix, counts)
    vocabulary.write_text("\n".join(SEA + KITCHEN) + "\n")
    process = run(matrix, "--vocabulary", vocabulary, "--n-topics", "2", "--save", saved)
    sea, kitchen = check_separated(process)
    assert all(int(title.removeprefix("row ")) % 2 == 0 for title in sea[2])
    assert all(int(title.removeprefix("row ")) % 2 == 1 for title in kitchen[2])

    model = Factorization.load(saved)
    assert (model.n_samples, model.n_features, model.n_components) == (80, 20, 2)
    # Counts get tf-idf weights, whose rows have length 1: that is the norm of 80 of them.
    assert model.x_norm == pytest.approx(np.sqrt(80), rel=1e-5)
    weight = np.array([np.outer(model.W[:, r], model.H[r]).sum() for r in range(2)])
    printed = [share for share, _, _ in read_topics(process)]
    assert printed == pytest.approx(100 * weight / weight.sum(), abs=0.06)


def test_weights_are_used_as_they_are(tmp_path, counts):
    sp.save_npz(tmp_path / "X.npz", counts * 0.75)
    (tmp_path / "terms.txt").write_text("\n".join(SEA + KITCHEN))
    arguments = ("--vocabulary", tmp_path / "terms.txt", "--n-topics", "2")
    process = run(tmp_path / "X.npz", *arguments, "--save", tmp_path / "model.npz")
    check_separated(process)
    model = Factorization.load(tmp_path / "model.npz")
    assert model.x_norm == pytest.approx(0.75 * np.sqrt(counts.nnz), rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.txt"], "missing.txt"),
        (["missing.npz", "--vocabulary", "short.txt"], "missing.npz"),
        (["X.npz"], "X.npz needs a --vocabulary"),
        (["X.npz", "--vocabulary", "missing.txt"], "missing.txt"),
        (["X.npz", "--vocabulary", "short.txt"], "short.txt has 2 terms, but X.npz 20 columns"),
        (["broken.npz", "--vocabulary", "short.txt"], "broken.npz is not a sparse matrix"),
        (["short.txt"], "2 documents are too few"),
        (["empty"], "no .txt files in empty"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(tmp_path, counts, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    sp.save_npz("X.npz", counts)
    Path("broken.npz").write_bytes(Path("X.npz").read_bytes()[:100])
    Path("short.txt").write_text("anchor\nbutter\n")
    process = run(*arguments)
    assert process.returncode == 2
    assert message in process.stderr.splitlines()[-1]
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


def test_documentation_of_this_machine():
    process = run(timeout=300)
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
