"""The command prints no control characters of texts and names to a terminal."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import scipy.sparse as sp

from sparsenmf import Factorization, factorize
from sparsenmf.data.files import write_table

from ..children import TIMEOUT, posix
from ..corpus import TERMS, make_counts, make_texts

pytest.importorskip("sklearn")
testing = pytest.importorskip("click.testing")

HARM = {
    "colour": "\x1b[31m",
    "title of the window": "\x1b]0;gone\x07",
    "C1": "\x9b31m\x85",
    "back": "\b\b\b",
    "start of the line": "\r",
    "bidi override": "\u202e",
    "bidi isolate": "\u2066",
    "line separator": "\u2028",
    "delete": "\x7f",
}

UNWANTED = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def run(*arguments, stdin=None):
    from sparsenmf.cli import group

    arguments = [str(argument) for argument in arguments]
    result = testing.CliRunner().invoke(group, arguments, input=stdin, prog_name="sparsenmf")
    assert not UNWANTED.search(result.stdout + result.stderr)
    assert "\r" not in result.stdout
    return result


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sp.save_npz("X.npz", make_counts())
    return tmp_path


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("layout", ["text", "csv", "json"])
def test_texts_and_terms_reach_the_terminal_without_controls(layout, harm, here):
    texts = [f"{HARM[harm]}{text}" for text in make_texts()]
    write_table("notes.csv", {"body": texts, "title": [text[:20] for text in texts]})
    Path("terms.txt").write_text("\n".join(HARM[harm].replace("\r", "") + t for t in TERMS))
    for arguments in (
        ["topics", "notes.csv", "--field", "body", "-k", 2],
        ["topics", "notes.csv", "--field", "body", "--title-field", "title", "-k", 2],
        ["factorize", "X.npz", "--vocabulary", "terms.txt", "-k", 2],
    ):
        result = run(*arguments, "--format", layout, "--topic-table", "topics.csv")
        assert result.exit_code == 0, result.output
        if layout == "json":
            assert len(json.loads(result.stdout)) == 2
    if harm == "colour":  # a file is not a terminal
        assert HARM[harm] in Path("topics.csv").read_text()


def test_terms_of_info_have_no_controls(here):
    factorize(make_counts(), 2, random_state=0, max_iter=2).save("model.npz")
    Path("terms.txt").write_text("\n".join(HARM["back"] + term for term in TERMS))
    assert "\ufffd\ufffd\ufffdwhale" in run("info", "model.npz", "--vocabulary", "terms.txt").stdout


@posix
@pytest.mark.parametrize("harm", HARM)
def test_names_of_files_and_words_of_the_command_line_have_no_controls(harm, here):
    name = f"a{HARM[harm]}b"
    Path(name).write_text("no matrix")
    Path(f"{name}.npy").write_text("no matrix")
    Path(f"{name}.csv").write_text(f"{HARM[harm]},{HARM[harm]}\n1,2\n")
    Path(f"{name}.jsonl").write_text(json.dumps({HARM[harm]: 1}) + "\n")
    for code, arguments in {
        1: ["topics", f"no {name}"],
        2: ["topics", name, f"--{name}"],
    }.items():
        assert run(*arguments).exit_code == code
    for arguments in (
        ["factorize", f"no {name}", "-k", 2],
        ["factorize", f"{name}.npy", "-k", 2],
        ["factorize", name, "-k", 2],
        ["info", name],
        ["topics", f"{name}.csv", "--field", "body"],
        ["topics", f"{name}.jsonl", "--field", "body"],
        ["topics", name, "--save", f"{name}/{name}"],
        ["topics", name, "--save", name],
        ["store", f"{name}.npy", f"{name}/x"],
    ):
        result = run(*arguments)
        assert result.exit_code == 1, result.output
        assert len(result.stderr.splitlines()) == 1
    for arguments in ([name], ["topics", name, "--format", name], ["topics", name, "-k", name]):
        assert run(*arguments).exit_code == 2


def test_warnings_have_no_controls(here):
    name = HARM["colour"]
    Path(name).mkdir()
    code = (
        "import sys, os, warnings; from sparsenmf.cli import group; "
        "from sparsenmf.cli.streams import sanitized_streams\n"
        f"with sanitized_streams(): warnings.warn('checkpoint {name!s} not written')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=TIMEOUT)
    assert result.returncode == 0
    assert b"\x1b" not in result.stderr
    assert b"not written" in result.stderr


def test_text_in_other_writings_is_left_as_it_is():
    from sparsenmf.cli.streams import IN_TEXT, sanitize

    text = "naïve Ünï 漢字 \u05d0\u200f\u05d1 \u0645\u200c\u06cc 👩\u200d🔬\n\tend"
    assert sanitize(text, IN_TEXT) == text


SHELL = f"{sys.executable} -m sparsenmf"


def shell(command, folder):
    """Run by the shell, which can close a stream."""
    env = {**os.environ, "NUMBA_DISABLE_JIT": "0"}
    result = subprocess.run(
        ["sh", "-c", f"exec {SHELL} {command}"],
        **{"cwd": folder, "env": env, "capture_output": True, "text": True, "timeout": TIMEOUT},
    )
    assert "Traceback" not in result.stderr
    return result


@posix
def test_closed_streams_are_an_error_in_one_line_or_none_at_all(here):
    Path("notes.txt").write_text("\n".join(make_texts()))
    result = shell("topics - -k 2 <&-", here)
    assert result.returncode == 1
    assert result.stderr == "Error: the standard input is closed: there is nothing to read\n"
    result = shell("topics notes.txt -k 2 >&-", here)
    assert result.returncode == 1
    assert result.stderr.startswith("Error: the standard output is closed")
    # What opens a file first would get the number of the stream that is closed.
    before = Path("X.npz").read_bytes()
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        result = shell(f"factorize X.npz -k 2 --max-iter 2 --save model.npz {closed}", here)
        assert result.returncode == 0
        assert Factorization.load("model.npz").n_components == 2
        Path("model.npz").unlink()
        assert Path("X.npz").read_bytes() == before


@posix
def test_standard_streams_that_are_files_count_as_such(here):
    text = "\n".join(make_texts()) + "\n"
    Path("notes.txt").write_text(text)
    for command in (
        "topics - -k 2 --save notes.txt < notes.txt",
        "topics notes.txt -k 2 >> notes.txt",
        "topics - -k 2 --save out > out < notes.txt",
        "topics notes.txt -k 2 --save /dev/stdout > out",
    ):
        result = shell(command, here)
        assert result.returncode == 1
        assert "is also read" in result.stderr or "are one file" in result.stderr
        assert Path("notes.txt").read_text() == text
    assert shell("topics - -k 2 < notes.txt > out 2>&1", here).returncode == 0
