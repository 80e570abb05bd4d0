"""Help, exit codes, and errors of one line."""

import os
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest

import sparsenmf

from .commands import run, succeed

FAILURES = [
    (["topics", "missing.txt"], "missing.txt: No such file"),
    (["topics", "notes.txt", "--stop-words", "missing.txt"], "missing.txt: No such file"),
    (["topics", "notes.txt", "-k", 200], "n_components is 200, but X is 80 x 20"),
    (["topics", "notes.txt", "--min-df", 70], "leave no terms"),
    (["topics", "notes.csv"], "notes.csv needs a field"),
    (["topics", "notes.csv", "--field", "text"], "no column 'text'"),
    (["topics", "X.npz"], "X.npz is a matrix, not texts"),
    (["topics", "empty"], "there are no files in empty"),
    (["topics", "notes.txt", "--save", "no/where.npz"], "no folder no"),
    (["factorize", "missing.npz", "-k", 2], "missing.npz: No such file"),
    (["factorize", "broken.npz", "-k", 2], "broken.npz is not a matrix that can be used"),
    (["factorize", "notes.txt", "-k", 2], "notes.txt is not a matrix"),
    (["factorize", "negative.npy", "-k", 1], "negative value (-1) at row 0, column 1"),
    (["factorize", "X.npz", "-k", 2, "--loss", "0"], "infinite where X is zero"),
    (["factorize", "X.npz", "-k", 2, "--vocabulary", "short.txt"], "short.txt has 2 terms"),
    (["factorize", "X.npz", "-k", 2, "--solver", "cd", "--loss", "1.5"], 'solver="cd"'),
    (["transform", "X.npz", "X.npz", "--output", "W.npy"], "not a whole saved Factorization"),
    (["info", "missing.npz"], "missing.npz: No such file"),
    (["info", "empty"], "empty is not a store"),
]


@pytest.mark.parametrize(("arguments", "message"), FAILURES)
def test_an_error_is_one_line_and_exit_code_1(arguments, message, here):
    Path("empty").mkdir()
    Path("broken.npz").write_bytes(Path("X.npz").read_bytes()[:100])
    Path("short.txt").write_text("anchor\nbutter\n")
    np.save("negative.npy", np.array([[1, -1]]))
    before = sorted(os.listdir())
    result = run(*arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert message in line
    assert sorted(os.listdir()) == before


WRONG_USES = [
    ["nothing"],
    ["topics"],
    ["topics", "notes.txt", "-k", "0"],
    ["topics", "notes.txt", "-k", "many"],
    ["topics", "notes.txt", "--loss", "hinge"],
    ["topics", "notes.txt", "--min-df", "few"],
    ["topics", "notes.txt", "--format", "xml"],
    ["topics", "notes.txt", "--term-table", "terms.xls"],
    ["factorize", "X.npz"],
    ["factorize", "X.npz", "-k", "2", "--topic-table", "t.csv"],
    ["factorize", "X.npz", "-k", "2", "--l1-ratio", "2"],
    ["factorize", "X.npz", "-k", "2", "--time-limit", "0"],
    ["transform", "model.npz", "X.npz"],
    ["transform", "model.npz", "X.npz", "--output", "W.txt"],
]


@pytest.mark.parametrize("arguments", WRONG_USES, ids=" ".join)
def test_wrong_usage_is_exit_code_2(arguments, here):
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("Usage: sparsenmf")
    assert "Error: " in result.stderr


def test_outputs_that_cannot_be_written_are_refused_before_the_fit(here, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr(
        "sparsenmf.data.texts.read_texts", lambda *_, **__: pytest.fail("the work began")
    )
    for option, message in (
        (
            "--document-table=d.parquet",
            'writing .parquet needs pyarrow: pip install "sparsenmf[parquet]"',
        ),
        ("--term-table=no/where.csv", "cannot save no/where.csv: there is no folder no"),
        ("--save=no/where", "cannot save no/where: there is no folder no"),
        ("--vocabulary-out=no/where", "cannot save no/where: there is no folder no"),
    ):
        result = run("topics", "notes.txt", option)
        assert (result.exit_code, result.stderr) == (1, f"Error: {message}\n")


ERRORS = {
    "not enough memory": MemoryError(),
    "not enough memory: Unable to allocate": MemoryError("Unable to\nallocate"),
    "the factors overflow": OverflowError("the factors\noverflow"),
    "X must be a number": TypeError("X must be a number"),
    "ValueError": ValueError(),
    "[Errno 5] Input/output error": OSError(5, "Input/output error"),
    "disk: Input/output error": OSError(5, "Input/output error", "disk"),
}


@pytest.mark.parametrize("message", ERRORS)
def test_errors_of_the_interface_are_one_line(message, here, monkeypatch):
    def fail(*args, **kwargs):
        raise ERRORS[message]

    monkeypatch.setattr("sparsenmf.models.factorize.factorize", fail)
    result = run("factorize", "X.npz", "-k", 2)
    assert result.exit_code == 1
    assert result.stderr == f"Error: {message}\n"


def test_errors_of_our_own_are_not_hidden(here, monkeypatch):
    def fail(*args, **kwargs):
        raise KeyError("a mistake of ours")

    monkeypatch.setattr("sparsenmf.models.factorize.factorize", fail)
    assert isinstance(run("factorize", "X.npz", "-k", 2).exception, KeyError)


COMMANDS = ["topics", "factorize", "choose", "transform", "store", "info", "warmup"]


@pytest.mark.parametrize("command", [*COMMANDS, None])
def test_help_begins_with_its_three_commonest_uses(command, here):
    from sparsenmf.cli import group

    stdout = succeed(*filter(None, [command]), "--help")
    assert stdout == succeed(*filter(None, [command]), "-h")
    usage, examples, *rest = stdout.split("\n\n")
    assert usage.startswith("Usage: ")
    title, *lines = [line.strip() for line in examples.splitlines()]
    assert title == "Examples:"
    assert len(lines) == 3
    assert "Options:" in stdout.split("Examples:")[1]
    assert "Examples:" not in "\n\n".join(rest)
    for line in lines:
        assert re.search(rf"\bsparsenmf {command or ''}", line)
        words = shlex.split(re.split(r"\bsparsenmf ", line.split("  ")[0])[-1])
        called = group.commands[words[0]]
        with called.make_context(words[0], words[1:]):  # its arguments and options are right
            pass


def test_every_command_has_a_test_of_its_help():
    from sparsenmf.cli import group

    assert set(group.commands) == set(COMMANDS)
    listed = succeed("--help").split("Commands:")[1]
    assert not re.search(r"  Examples", listed)


def test_version():
    assert sparsenmf.__version__ in succeed("--version")
