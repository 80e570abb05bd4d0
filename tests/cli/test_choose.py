"""`sparsenmf choose` gives the results of `select_n_components`, or one plain line."""

import csv
import io
import json
import signal

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import select_n_components, write_csr
from sparsenmf.data.files import read_matrix

from ..problems import planted_counts

pytest.importorskip("sklearn")
testing = pytest.importorskip("click.testing")

QUICK = ("--repeats", 2, "--max-iter", 15, "--threads", 1)
OPTIONS = {"n_repeats": 2, "max_iter": 15, "n_threads": 1, "random_state": 0}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with counts, ratings and a store, to work in."""
    monkeypatch.chdir(tmp_path)
    X = sp.csr_array(planted_counts(3, 90, 70, mean=1.5)[0].astype(np.float32))
    sp.save_npz("counts.npz", X)
    write_csr("counts", X)
    lines = [f"u{i},m{j},{1 + (i * j) % 5}" for i in range(40) for j in range(i % 3, 30, 3)]
    (tmp_path / "ratings.csv").write_text("\n".join(["userId,movieId,rating", *lines]) + "\n")
    return tmp_path


def run(*arguments):
    from sparsenmf.cli import group

    arguments = [str(argument) for argument in arguments]
    return testing.CliRunner().invoke(group, arguments, prog_name="sparsenmf")


def succeed(*arguments):
    result = run(*arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result


def without_time(text):
    """Return a printed selection without the seconds that it took."""
    return [line.partition(" s")[0].rpartition(" in ")[0] or line for line in text.splitlines()]


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ((), {}),
        (("--method", "entries"), {"method": "entries"}),
        (("--method", "stability", "--seed", 3), {"method": "stability", "random_state": 3}),
        (("--loss", "frobenius", "--alpha-W", 0.01), {"loss": "frobenius", "alpha_W": 0.01}),
        (("--loss", "kullback-leibler", "--solver", "mu"), {"solver": "mu"}),
        (("--missing", "unknown"), {"missing": "unknown"}),
        (("--sample", 0.5), {"sample": 0.5}),
        (("--all", "--tol", 1e-3), {"early_stop": False, "tol": 1e-3}),
    ],
)
def test_it_prints_what_the_function_returns(here, given, options):
    result = succeed("choose", "counts.npz", "-k", "2-4", *QUICK, *given)
    expected = select_n_components(read_matrix("counts.npz"), [2, 3, 4], **{**OPTIONS, **options})
    assert without_time(result.stdout) == without_time(repr(expected))
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2-4", [2, 3, 4]), ("3", [3]), ("4,2, 2", [2, 4]), ("2-6:2,5", [2, 4, 5, 6])],
)
def test_numbers_and_ranges_are_candidates(here, text, expected):
    result = succeed("choose", "counts.npz", "-k", text, "--all", "--format", "json", *QUICK)
    assert [row["n_components"] for row in json.loads(result.stdout)["candidates"]] == expected


@pytest.mark.parametrize(
    "text", ["", "0-3", "5-2", "2-", "-3", "a", "2-9:0", "1-99999", "2:5", "²"]
)
def test_malformed_candidates_are_refused_with_an_example(here, text):
    result = run("choose", "counts.npz", f"-k={text}")
    assert result.exit_code == 2
    if text != "2-9:0":
        assert "write 2-20, 5,10,20 or 10-100:10" in result.stderr


def test_formats_hold_the_whole_comparison(here):
    expected = select_n_components(read_matrix("counts.npz"), [2, 4], **OPTIONS)
    words = ("choose", "counts.npz", "-k", "2,4", *QUICK)
    found = json.loads(succeed(*words, "--format", "json").stdout)
    assert found["n_components"] == expected.n_components
    assert (found["method"], found["loss"]) == ("blocks", "kullback-leibler")
    assert "sample_rows" not in found
    assert [row["mean"] for row in found["candidates"]] == expected.table["mean"].tolist()
    result = succeed(*words, "--format", "csv", "--table", "table.csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [float(row["mean"]) for row in rows] == expected.table["mean"].tolist()
    assert result.stderr.startswith("Selection by blocks")
    with open(here / "table.csv", newline="") as file:
        assert list(csv.DictReader(file)) == rows


def test_a_store_is_sampled_and_says_so(here):
    words = ("choose", "counts", "-k", 2, "--sample", 0.5, *QUICK)
    assert "on a sample of 45 of 90 rows" in succeed(*words).stdout
    found = json.loads(succeed(*words, "--format", "json").stdout)
    assert (found["sample_rows"], found["n_rows"]) == (45, 90)


def test_entries_that_ratings_lack_are_unknown(here):
    result = succeed("choose", "ratings.csv", "-k", "1,2", *QUICK)
    assert result.stdout.startswith("Selection by entries (frobenius)")
    assert "what is not in it is unknown" in result.stderr


def test_weighed_counts_do_not_pass_for_counts(here):
    result = succeed("choose", "counts.npz", "-k", "2", "--tfidf", *QUICK)
    assert result.stdout.startswith("Selection by blocks (frobenius)")


@pytest.mark.parametrize("suffix", ["png", "svg", "PDF"])
def test_pictures_are_written(here, suffix):
    pytest.importorskip("matplotlib")
    succeed("choose", "counts.npz", "-k", "2,3", "--plot", f"choice.{suffix}", *QUICK)
    start = {"png": b"\x89PNG", "svg": b"<?xml", "PDF": b"%PDF"}[suffix]
    assert (here / f"choice.{suffix}").read_bytes().startswith(start)
    assert not list(here.glob(".*"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--plot", "choice.txt"), "should end in one of .png, .svg, .pdf"),
        (("--table", "table.npy"), "should end in one of .csv"),
        (("--sample", 0), "0"),
        (("--tfidf", "--missing", "unknown"), "--tfidf is for counts"),
        (("-k", "2,80"), "candidates has 80, but the matrix of a fold allows at most"),
        (("--loss", 1.5), "method='blocks' measures"),
        (("--time-limit", 1e-9), "time_limit before the first candidate was finished"),
    ],
)
def test_impossible_requests_are_refused_in_one_line(here, words, message):
    result = run("choose", "counts.npz", *(() if "-k" in words else ("-k", "2,3")), *words)
    assert result.exit_code in (1, 2)
    assert message in result.stderr.splitlines()[-1]
    assert result.stdout == ""


def test_weighing_a_store_is_refused(here):
    result = run("choose", "counts", "-k", "2", "--tfidf")
    assert "--tfidf is for matrices in memory" in result.stderr


def test_ctrl_c_leaves_the_finished_candidates(here, monkeypatch):
    from sparsenmf.models.restarts import Runs

    finish, done = Runs.finish, []

    def interrupt(self, model):
        finish(self, model)
        done.append(model.n_components)
        if model.n_components == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Runs, "finish", interrupt)
    result = run("choose", "counts.npz", "-k", "2-5", *QUICK)
    assert result.exit_code == 130
    assert "interrupted in" in result.stdout
    assert "not tried: 3, 4, 5" in result.stdout
    assert "Interrupted: these are the results so far." in result.stderr


def test_a_picture_without_matplotlib_is_refused_before_the_fits(here, monkeypatch):
    import sys

    def fail(*args, **kwargs):
        raise AssertionError("it began")

    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr("sparsenmf.selection.choosing.select_n_components", fail)
    result = run("choose", "counts.npz", "-k", "2", "--plot", "choice.png")
    assert result.exit_code == 1
    assert 'plot needs matplotlib: pip install "sparsenmf[plot]"' in result.stderr
