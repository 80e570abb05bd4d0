"""The examples, run as a reader would run them."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import scipy.sparse as sp

from sparsenmf import Factorization

from .corpus import check_separated, make_counts, make_texts, read_printed

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


def test_examples_are_a_gallery():
    paths = sorted(TOPICS.parent.glob("*.py"))
    assert len(paths) >= 11
    index = TOPICS.with_name("README.md").read_text(encoding="utf-8")
    for path in paths:
        text = path.read_text(encoding="utf-8")
        title, line = ast.get_docstring(ast.parse(text)).splitlines()[:2]
        assert line == "=" * len(title), path.name
        # A title of its own below each cell's mark, or prose.
        assert len(re.findall(r"^# %%\n# \S", text, re.MULTILINE)) >= 2, path.name
        assert f"[{path.name}]({path.name})" in index
        assert output_is_tested(path.name)
        assert not re.search(r"matplotlib\.use|plt\.show|pyplot", text), path.name


def output_is_tested(name):
    """Tell whether a test here runs this example."""
    return name == TOPICS.name or f'("{name}", tmp_path' in Path(__file__).read_text("utf-8")


def read_topics(process):
    """Return each printed topic: its share, both lists of its terms, and typical documents."""
    assert process.returncode == 0, process.stderr
    return read_printed(process.stdout)


def test_documentation_of_this_machine(documentation):
    tmp_path, process = documentation
    topics = read_topics(process)
    assert len(topics) == 20
    assert sum(share for share, *_ in topics) == pytest.approx(100, abs=1.1)
    assert all(len(terms) == 8 and len(documents) == 2 for _, terms, _, documents in topics)
    n_documents = int(re.search(r"([\d,]+) documents x", process.stdout)[1].replace(",", ""))
    assert n_documents > 4000
    # Some that should be there whatever the versions are.
    for term in ("sparse", "polynomial", "distribution", "file"):
        assert any(term in terms for _, terms, *_ in topics), term
    assert all(re.fullmatch(r"[\w.]+", title) for *_, titles in topics for title in titles)
    topics_and_times = process.stdout.split("\nFactorization of")[0]
    assert all(len(line) <= 100 for line in topics_and_times.splitlines())
    model = Factorization.load(tmp_path / "model.npz")
    assert (model.n_samples, model.n_components) == (n_documents, 20)
    assert repr(model) in process.stdout
    check_picture(tmp_path / "topics.png", process.stdout)


def check_picture(path, text):
    """Check that a picture is there and announced, or that its absence is, in one line."""
    try:
        import matplotlib  # noqa: F401 - only whether it can be imported decides what to expect
    except ImportError:
        assert len(re.findall(r"^No pictures?: .*matplotlib.*$", text, re.MULTILINE)) == 1
        assert not path.exists()
    else:
        assert re.search(rf"^Pictures?: .*\b{path.name}", text, re.MULTILINE)
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size > 5000


def test_topics_of_texts_of_your_own(tmp_path):
    table = tmp_path / "notes.csv"
    lines = [f"{i},{text}" for i, text in enumerate(make_texts())]
    table.write_text("\n".join(["id,note", *lines]), encoding="utf-8")
    process = run(table, "--field", "note", "--n-topics", "2", "--n-terms", "10", cwd=tmp_path)
    check_separated(read_topics(process))


def test_wrong_input_is_one_line_and_exit_code_2(tmp_path):
    texts = tmp_path / "notes.txt"
    texts.write_text("\n".join(make_texts()), encoding="utf-8")
    process = run(texts, "--n-topics", "0")
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


KEEPING_CORPUS = """
import json, sys
from pathlib import Path

corpus, example = map(Path, sys.argv[1:3])
del sys.argv[1:3]
sys.path.insert(0, str(example.parent))
import topics

def read(read_documentation=topics.read_documentation):
    documentation = read_documentation()
    corpus.write_text(json.dumps(documentation), "utf-8")
    return documentation

topics.read_documentation = read
topics.main()
"""

WITH_CORPUS = """
import json, runpy, sys
from pathlib import Path

corpus = Path(sys.argv[1])
sys.argv = sys.argv[2:]
sys.path.insert(0, str(Path(sys.argv[0]).parent))
import topics

topics.read_documentation = lambda: json.loads(corpus.read_text("utf-8"))
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def documentation(tmp_path_factory):
    """A folder where `topics.py` ran, which kept the documentation it read, and its process."""
    folder = tmp_path_factory.mktemp("documentation")
    place = (folder / "documentation.json", TOPICS, "--save", folder / "model.npz")
    return folder, run(KEEPING_CORPUS, *place, example="-c", cwd=folder)


@pytest.fixture(scope="module")
def corpus(documentation):
    """A file of what `read_documentation` returns: it parses for 16 seconds, so does so once."""
    return documentation[0] / "documentation.json"


def output_with_corpus(name, tmp_path, corpus):
    """Run an example in an empty folder as `output_of` does, with texts that have been read."""
    process = run(WITH_CORPUS, corpus, TOPICS.with_name(name), example="-c", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_without_matplotlib_one_line_says_so(tmp_path):
    code = """import runpy, sys
sys.modules["matplotlib"] = None
examples, sys.argv = sys.argv[1:], sys.argv[:1]
for example in examples:
    runpy.run_path(example, run_name="__main__")"""
    examples = [TOPICS.with_name(name) for name in ("counts.py", "recommender.py")]
    process = run(code, *examples, example="-c", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    said = re.findall(r"^No picture: .*$", process.stdout, re.MULTILINE)
    assert len(said) == 2
    assert all('pip install "sparsenmf[plot]"' in line for line in said)
    assert not list(tmp_path.iterdir())


def test_pipeline_tells_packages_by_their_topics(tmp_path, corpus):
    text = output_with_corpus("pipeline.py", tmp_path, corpus)
    reached, guessed = (
        float(x) for x in re.findall(r"(0\.\d+)\)?\n", text.split("others:")[1])[:2]
    )
    assert reached > guessed + 0.2
    scores = [float(score) for score in re.findall(r"^ +\d+   (0\.\d+)$", text, re.MULTILINE)]
    assert len(scores) == 3
    assert scores[0] < scores[2]


def test_stream_is_nearly_as_good_as_all_in_memory(tmp_path, corpus):
    text = output_with_corpus("streaming.py", tmp_path, corpus)
    stream, whole = (float(x) for x in re.findall(r": (\d+\.\d+)$", text, re.MULTILINE))
    assert whole * 0.999 < stream < whole * 1.02
    topics = re.findall(r"^  (\w+(?:, \w+){7})$", text, re.MULTILINE)
    assert len(topics) == 20
    check_picture(tmp_path / "streaming.png", text)


def test_seeded_topics_keep_their_places(tmp_path, corpus):
    text = output_with_corpus("seeded_topics.py", tmp_path, corpus)
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
    check_picture(tmp_path / "seeded_topics.png", text)


def test_single_cells_give_back_their_programs(tmp_path):
    text = output_of("single_cell.py", tmp_path)
    cosines = [float(x) for x in re.findall(r"0\.\d{3}|1\.000", text.split("was found:")[1])]
    assert len(cosines) == 6
    assert min(cosines) > 0.95
    check_picture(tmp_path / "single_cell.png", text)
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


def test_a_loop_of_ones_own_stops_by_its_rule(tmp_path):
    text = output_of("own_loop.py", tmp_path)
    assert re.search(r"iteration   \d  objective .* texts that moved 0\n", text)
    assert "then stopped: the caller asked to stop" in text
    ends = [float(x) for x in re.findall(r"start \d: objective (\S+) after", text)]
    assert len(ends) == 2
    assert ends[0] == pytest.approx(ends[1], rel=1e-3)


def test_choosing_k_prints_a_table_and_recommends(tmp_path, corpus):
    text = output_with_corpus("choosing_k.py", tmp_path, corpus)
    losses = [float(x) for x in re.findall(r"^ +\d+ +(0\.\d{5}) ", text, re.MULTILINE)]
    assert losses
    chosen = int(re.search(r"Recommended: (\d+) topics", text)[1])
    assert chosen > 1
    assert min(losses) < losses[0]
    assert len(re.findall(r"^  \d+ topics: 0\.\d{3}$", text, re.MULTILINE)) == 2
    for name in ("choosing_k.png", "choosing_k_corpora.png"):
        check_picture(tmp_path / name, text)


def test_choosing_k_of_a_matrix_of_your_own(tmp_path):
    sp.save_npz(tmp_path / "counts.npz", make_counts())
    text = output_of("choosing_k.py", tmp_path, "counts.npz")
    assert "80 documents x 20 terms" in text
    assert re.search(r"Recommended: (1|10) topics", text)


def test_counts_are_for_kullback_leibler(tmp_path):
    text = output_of("counts.py", tmp_path)
    frobenius, kullback = (
        [float(x) for x in re.findall(r"\d\.\d{3}", line)]
        for line in re.findall(r"^ +(?:frobenius|kullback-leibler)  .*$", text, re.MULTILINE)
    )
    assert len(kullback) == 8
    assert min(kullback) > max(0.97, min(frobenius) + 0.03)
    reached, truth = re.search(r"Divergence: ([\d,]+), of the truth ([\d,]+)", text).groups()
    assert 0.95 < float(reached.replace(",", "")) / float(truth.replace(",", "")) < 1
    ours, theirs = (
        [int(x.replace(",", "")) for x in line.split()]
        for line in re.findall(r"^(?:cd|mu) +(.*)$", text, re.MULTILINE)
    )
    assert all(a < b for a, b in zip(ours[1:], theirs[1:], strict=True))
    check_picture(tmp_path / "counts.png", text)


def test_spectrogram_gives_back_its_notes(tmp_path):
    text = output_of("spectrogram.py", tmp_path)
    found = {
        loss: [float(x) for x in values.split()]
        for loss, values in re.findall(r"^([a-z-]+) +((?: +\d\.\d{3}){4})$", text, re.MULTILINE)
    }
    assert min(found["itakura-saito"]) > 0.94
    assert found["frobenius"][3] < 0.5 < 0.7 < found["kullback-leibler"][3]
    pitches = re.findall(r"^  \w4: ([\d.]+) Hz, played ([\d.]+) Hz$", text, re.MULTILINE)
    assert len(pitches) == 4
    assert all(abs(float(heard) - float(played)) < 7.8 for heard, played in pitches)
    check_picture(tmp_path / "spectrogram.png", text)


def test_recommender_beats_the_mean(tmp_path):
    text = output_of("recommender.py", tmp_path)
    mean, ours = (float(x) for x in re.findall(r"RMSE (0\.\d{4})", text)[:2])
    assert ours < 0.85 * mean
    assert len(re.search(r"might like \[(.*)\]", text)[1].split(", ")) == 5
    check_picture(tmp_path / "recommender.png", text)


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
    (of_counts,) = re.findall(r"^counts: a divergence of (\d\.\d{4})", text, re.MULTILINE)
    # The topics that made the counts come to 1.76, a single one to 2.87.
    assert 1.7 < float(of_counts) < 1.8
    assert len(re.findall(r"^  (?:term\d+ ?){5}$", text, re.MULTILINE)) == 8
