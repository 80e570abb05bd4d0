"""No file that is read is written to, under any name, and no file is written twice."""

import os
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import CoordinateDescent, Factorization, factorize, open_csr, write_csr
from sparsenmf.data.files import write_factor, write_table
from sparsenmf.data.outputs import check_outputs

from ..corpus import TERMS, make_counts, make_texts
from ..grouped import grouped

testing = pytest.importorskip("click.testing")
click = pytest.importorskip("click")


def link(path, alias):
    alias.symlink_to(path.absolute())
    return alias


def link_twice(path, alias):
    return link(link(path, Path("between")), alias)


def hard_link(path, alias):
    os.link(path, alias)
    return alias


def through_a_folder(path, alias):
    return link(Path(os.curdir), Path("folder")) / path


ALIASES = {"link": link, "two links": link_twice, "hard link": hard_link}

NAMES = {
    "itself": lambda path, alias: path,
    "relative": lambda path, alias: Path("letters", os.pardir, path),
    "absolute": lambda path, alias: path.absolute(),
    "linked folder": through_a_folder,
    **ALIASES,
}


def run(*arguments, stdin=None):
    from sparsenmf.cli import group

    arguments = [str(argument) for argument in arguments]
    return testing.CliRunner().invoke(group, arguments, input=stdin, prog_name="sparsenmf")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with one of each kind of input, to work in."""
    monkeypatch.chdir(tmp_path)
    texts = make_texts()
    Path("notes").write_text("\n".join(texts))
    write_table("notes.csv", {"body": texts})
    Path("terms.txt").write_text("\n".join(TERMS) + "\n")
    Path("letters").mkdir()
    for i, text in enumerate(texts):
        Path("letters", f"{i}.txt").write_text(text)
    sp.save_npz("X.npz", make_counts())
    write_csr("store", make_counts())
    factorize(make_counts(), 2, random_state=0, max_iter=2).save("model.npz")
    return tmp_path


def contents():
    """Return all that is in the files below the working directory."""
    return {path: path.read_bytes() for path in Path(os.curdir).rglob("*") if path.is_file()}


RUNS = {
    "texts": (["topics", "notes", "-k", 2], ["notes"]),
    "table": (["topics", "notes.csv", "--field", "body", "-k", 2], ["notes.csv"]),
    "folder": (["topics", "notes", "letters", "-k", 2], ["letters/7.txt"]),
    "stop words": (["topics", "notes", "--stop-words", "terms.txt", "-k", 2], ["terms.txt"]),
    "matrix": (
        ["factorize", "X.npz", "-k", 2, "--vocabulary", "terms.txt"],
        ["X.npz", "terms.txt"],
    ),
    "store": (["factorize", "store", "-k", 2], ["store/shape.json", "store/shard-00000/data.npy"]),
    "transform": (["transform", "model.npz", "X.npz"], ["model.npz", "X.npz"]),
}

ANY = {
    "topics": ["--save", "--report", "--vocabulary-out"],
    "factorize": ["--save", "--report", "--checkpoint"],
    "transform": [],
}
"""Options for files of any name."""

NAMED = {
    "topics": {"--topic-table": ".csv", "--term-table": ".tsv", "--document-table": ".csv"},
    "factorize": {"--document-table": ".csv", "--w-path": ".npy"},
    "transform": {"--output": ".npz"},
}

CASES = [
    (case, place, option, name)
    for case, (arguments, inputs) in RUNS.items()
    for place in inputs
    for option, suffix in [*((o, "") for o in ANY[arguments[0]]), *NAMED[arguments[0]].items()]
    for name in (NAMES if place.endswith(suffix) else ALIASES)
]


@pytest.mark.parametrize(("case", "place", "option", "name"), CASES)
def test_no_command_writes_to_what_it_reads(case, place, option, name, here):
    """Each input is tried as each output, under every name that a file can have."""
    arguments, _ = RUNS[case]
    suffix = NAMED[arguments[0]].get(option, "")
    written = NAMES[name](Path(place), Path(f"alias{suffix}"))
    before = contents()
    result = run(*arguments, option, written)
    assert result.exit_code == 1, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"Error: {option} {written} is also read, as "), line
    assert contents() == before


def test_every_path_of_a_command_is_declared_as_read_or_written():
    """This fails when a command gets a new path that the tests above do not know."""
    from sparsenmf.cli import group
    from sparsenmf.cli.command import Command, Input, Output

    for command in group.commands.values():
        assert isinstance(command, Command)
        for param in command.params:
            is_file = isinstance(param.type, click.Path | click.File) or param.metavar == "FILE"
            assert not is_file or isinstance(param.type, Input | Output), param.name


@pytest.mark.parametrize("options", [(), ("--append",), ("--overwrite",)])
@pytest.mark.parametrize("folder", ["store", "alias"])
def test_a_store_is_not_copied_into_itself(folder, options, here):
    Path("alias").symlink_to("store")
    before = contents()
    result = run("store", "store", folder, *options)
    assert result.exit_code == 1
    assert "is also read, as MATRIX" in result.stderr
    assert contents() == before


@pytest.mark.parametrize("second", ["out.csv", "./out.csv", "alias.csv"])
@pytest.mark.parametrize("there", [False, True])
def test_two_outputs_are_two_files(second, there, here):
    Path("alias.csv").symlink_to("out.csv")
    if there:
        Path("out.csv").write_text("mine")
    before = contents()
    result = run("topics", "notes", "-k", 2, "--topic-table", "out.csv", "--save", second)
    assert result.exit_code == 1
    message = f"Error: --save {second} and --topic-table out.csv are one file: choose two\n"
    assert result.stderr == message
    assert contents() == before


def test_checkpoints_can_be_resumed_and_outputs_replaced(here):
    """A file that a command replaces is not its input: a checkpoint, or a model among the texts."""
    for resume in ([], ["--resume"]):
        arguments = ["factorize", "X.npz", "-k", 2, "--max-iter", 3, "--checkpoint", "state"]
        result = run(*arguments, *resume, "--save", "model.npz")
        assert result.exit_code == 0, result.output
    assert run("topics", "letters", "-k", 2, "--save", "letters/model.npz").exit_code == 0
    assert run("topics", "letters", "-k", 2, "--save", "letters/model.npz").exit_code == 0


def test_devices_may_be_written_to_twice(here):
    null = ["--save", os.devnull, "--report", os.devnull]
    assert run("topics", "notes", "-k", 2, *null).exit_code == 0


def mapped(path, values):
    np.save(path, values)
    return np.load(path, mmap_mode="r")


@pytest.fixture
def factors(here):
    """Return a matrix, a start of W, and weights by name, each mapped from a file."""
    X = make_counts()
    parts = (mapped(f"{name}.npy", getattr(X, name)) for name in ("data", "indices", "indptr"))
    arrays = dict(zip(("data", "indices", "indptr"), parts, strict=True))
    matrix = sp.csr_array(tuple(arrays.values()), shape=X.shape)
    return {
        "X": matrix,
        "dense": mapped("dense.npy", X.toarray()),
        "W": mapped("W.npy", np.ones((X.shape[0], 2))),
        "H": mapped("H.npy", np.ones((2, X.shape[1]))),
        "sample_weight": mapped("sample_weight.npy", np.ones(X.shape[0])),
    }


@pytest.mark.parametrize("output", ["W_path", "checkpoint"])
@pytest.mark.parametrize(
    "place", ["data", "indices", "dense", "W", "H", "sample_weight", "store/shape.json"]
)
@pytest.mark.parametrize("name", ["itself", "link", "hard link"])
def test_no_run_writes_to_what_its_arguments_are_mapped_from(place, output, name, factors):
    X = {"dense": factors["dense"], "store/shape.json": open_csr("store")}.get(place, factors["X"])
    path = Path(place if "/" in place else f"{place}.npy")
    options = {place: factors[place]} if place in ("W", "H", "sample_weight") else {}
    before = contents()
    written = NAMES[name](path, Path("alias"))
    options = {**options, "low_memory": True, output: written}
    with pytest.raises(ValueError, match=f"{output} .* is also read, as "):
        factorize(X, 2, max_iter=1, **grouped(options))
    assert all(path.read_bytes() == before[path] for path in before)


def test_two_outputs_of_a_run_are_two_files(here):
    with pytest.raises(ValueError, match=r"W_path new and checkpoint .*new are one file"):
        factorize(
            make_counts(),
            2,
            solver=CoordinateDescent(low_memory=True, W_path="new"),
            checkpoint="./new",
        )
    assert not Path("new").exists()


def test_a_result_is_not_written_over_the_w_that_it_is_kept_in(here):
    store = open_csr("store")
    model = factorize(
        store, 2, random_state=0, max_iter=2, solver=CoordinateDescent(W_path="kept.npy")
    )
    before, expected = Path("kept.npy").read_bytes(), model.W.copy()
    Path("alias.npy").symlink_to("kept.npy")
    for write in (
        model.save,
        lambda path: model.report(path, TERMS),
        lambda path: write_factor(path, model.W[:10]),
    ):
        for path in ("kept.npy", "alias.npy"):
            with pytest.raises(ValueError, match="is also read, as W"):
                write(path)
    os.link("kept.npy", "kept.csv")
    with pytest.raises(ValueError, match="is also read, as first"):
        write_table("kept.csv", {"first": model.W[:, 0]})
    assert Path("kept.npy").read_bytes() == before
    model.save("model.npz")
    np.testing.assert_array_equal(Factorization.load("model.npz").W, expected)
    Factorization.load("model.npz").save("model.npz")  # what was loaded is not kept there


def test_streams_count_as_files(here):
    """Standard input and output that are redirected to files count as these files."""
    with open("notes", "r+") as file, open("other", "w") as other:
        with pytest.raises(ValueError, match="is also read, as PATH"):
            check_outputs([("--save", "notes")], [("PATH", file.fileno())])
        with pytest.raises(ValueError, match="the standard output is also read, as PATH"):
            check_outputs([("the standard output", file.fileno())], [("PATH", "notes")])
        check_outputs([("--save", "other")], [("PATH", file.fileno())])
        with pytest.raises(ValueError, match="are one file"):
            check_outputs([("--save", "other"), ("the standard output", other.fileno())])


@pytest.mark.parametrize("option", ["--save", "--report", "--vocabulary-out"])
def test_impossible_folders_and_names_are_refused_before_the_fit(option, here, monkeypatch):
    monkeypatch.setattr("sparsenmf.data.texts.read_texts", lambda *_: pytest.fail("the work began"))
    for path, message in (("letters", "it is a folder"), ("n" * 300, "File name too long")):
        result = run("topics", "notes", option, path)
        assert result.exit_code == 1
        assert message in result.stderr
