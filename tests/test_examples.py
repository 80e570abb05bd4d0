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


def run(*arguments, example=TOPICS, timeout=300, **options):
    """Run an example with these arguments and return the finished process."""
    # A reader's run is a compiled one, even where the tests are run without compiling.
    settings = {"PYTHONIOENCODING": "utf-8", "NUMBA_DISABLE_JIT": "0"}
    return subprocess.run(
        [sys.executable, example, *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
        env={**os.environ, **settings},
        **options,
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


def output_of(name, tmp_path, *arguments):
    """Run an example in an empty folder and return what it prints."""
    process = run(*arguments, example=TOPICS.with_name(name), cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_pipeline_tells_packages_by_their_topics(tmp_path):
    text = output_of("pipeline.py", tmp_path)
    reached, guessed = (
        float(x) for x in re.findall(r"(0\.\d+)\)?\n", text.split("others:")[1])[:2]
    )
    assert reached > guessed + 0.2
    scores = [float(score) for score in re.findall(r"^ +\d+   (0\.\d+)$", text, re.MULTILINE)]
    assert len(scores) == 3
    assert scores[0] < scores[2]


def test_stream_is_nearly_as_good_as_all_in_memory(tmp_path):
    text = output_of("streaming.py", tmp_path)
    stream, whole = (float(x) for x in re.findall(r": (\d+\.\d+)$", text, re.MULTILINE))
    assert whole * 0.999 < stream < whole * 1.02
    topics = re.findall(r"^  (\w+(?:, \w+){7})$", text, re.MULTILINE)
    assert len(topics) == 20


def test_seeded_topics_keep_their_places(tmp_path):
    text = output_of("seeded_topics.py", tmp_path)
    begun, only, frozen = text.split(":\n")[1:4]
    for part in (begun, frozen):
        for name, word in (
            ("matrices", "matrix"),
            ("statistics", "distribution"),
            ("files", "file"),
        ):
            assert word in re.search(rf" {name}: (.*)", part)[1].split(", "), name
    assert set(re.search(r" files: (.*)", only)[1].split(", ")) <= {
        "file", "directory", "path", "archive",
    }  # fmt: skip
    assert len(re.findall(r"% of the average document", text)) == 3


def test_single_cells_give_back_their_programs(tmp_path):
    text = output_of("single_cell.py", tmp_path)
    cosines = [float(x) for x in re.findall(r"0\.\d{3}|1\.000", text.split("was found:")[1])]
    assert len(cosines) == 6
    assert min(cosines) > 0.95
    anndata = pytest.importorskip("anndata")
    adata = anndata.read_h5ad(tmp_path / "single_cell.h5ad")
    assert adata.obsm["X_nmf"].shape == (3000, 6)
    assert adata.varm["nmf"].shape == (1500, 6)


def test_larger_than_memory_goes_on_and_appends(tmp_path):
    text = output_of("larger_than_memory.py", tmp_path)
    assert "80,000 x 5,000" in text
    assert "Stopped after 5 iterations" in text
    assert "it has converged" in text
    assert "memmap of 80,000 rows" in text
    assert "Appended: 160,000 documents" in text
    assert not list(tmp_path.iterdir())


def test_choosing_k_prints_a_table_and_recommends(tmp_path):
    text = output_of("choosing_k.py", tmp_path)
    losses = [float(x) for x in re.findall(r"^ +\d+ +(0\.\d{5}) ", text, re.MULTILINE)]
    assert losses
    chosen = int(re.search(r"Recommended: (\d+) topics", text)[1])
    assert chosen > 1
    assert min(losses) < losses[0]
    pytest.importorskip("matplotlib")
    assert (tmp_path / "choosing_k.png").stat().st_size > 1000


def test_recommender_beats_the_mean(tmp_path):
    text = output_of("recommender.py", tmp_path)
    mean, ours = (float(x) for x in re.findall(r"RMSE (0\.\d{4})", text)[:2])
    assert ours < 0.85 * mean
    assert len(re.search(r"might like \[(.*)\]", text)[1].split(", ")) == 5


def test_recommender_on_real_ratings(tmp_path, real_path):
    path = real_path("movielens_small") / "matrix.npz"
    process = run(path, example=TOPICS.with_name("recommender.py"), cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    mean, ours = (float(x) for x in re.findall(r"RMSE (\d\.\d{4})", process.stdout)[:2])
    assert ours < mean


def test_cluster_does_not_mind_a_killed_worker(tmp_path):
    pytest.importorskip("distributed", reason="needs the extra dask")
    text = output_of("on_a_cluster.py", tmp_path)
    calm, killed = re.findall(r": relative error (0\.\d{6})$", text, re.MULTILINE)
    assert calm == killed
    assert len(re.findall(r"^  (?:term\d+ ?){5}$", text, re.MULTILINE)) == 8
