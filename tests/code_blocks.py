"""Run the code blocks of a Markdown page from first to last, as a reader would.

The word after the fence says what a block is:

- ``python``: run in one namespace for the whole page, in an empty folder. With ``>>>``, a doctest.
- ``bash``: each line is run in the same folder; lines that install something are checked only.
- ``text``: what the block directly above it prints. Seconds and counts of iterations may differ,
  and ``...`` stands for anything. Where no block stands directly above it, it is just text.

A comment ``<!-- prepare ... -->`` holds Python that a reader does not see: files and data that
the page is about. ``<!-- not run: why -->`` before a block leaves it out.
"""

import contextlib
import doctest
import io
import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from .children import ROOT

BLOCK = re.compile(
    r"^<!-- prepare\n(?P<prepare>.*?)^-->"
    r"|^(?:<!-- not run: (?P<reason>[^\n]+) -->\n+)?"
    r"(?P<indent> *)(?P<fence>`{3,})(?P<kind>[^\n]*)\n(?P<body>.*?)^(?P=indent)(?P=fence)",
    re.DOTALL | re.MULTILINE,
)
DIRECTIVES = ("{toctree}", "{include}", "{eval-rst}", "{math}", "{image}", "{figure}")
INSTALLING = ("pip install", "python3 -m venv", "python -m pip install", "git clone")
EXTRAS = re.compile(r"\[([\w,]+)\]")
STRAY = re.compile(r"^ *(```|~~~|<!-- (?:prepare|not run)).*", re.MULTILINE)
"""Not to be left when all blocks are taken away: it is in no block, which nobody would notice."""
CHECKER = doctest.OutputChecker()
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Page:
    """Runs the blocks of a page. An error, its own or that of a block, names page and line."""

    def __init__(self, text, name):
        self.text, self.name = text, name
        self.names = {"__name__": "__main__"}  # so that workers get what is defined here, too

    def run(self):
        """Run all blocks in the current folder and return how many were run."""
        stray = STRAY.search(BLOCK.sub("", self.text))
        assert stray is None, f"{self.name}: {stray[0]!r} belongs to no block"
        n_run, printed, end = 0, None, 0
        for match in BLOCK.finditer(self.text):
            follows = not self.text[end : match.start()].strip()
            where, kind = self.place_of(match), (match["kind"] or "").strip()
            end = match.end()
            if match["prepare"]:
                self.run_python(match["prepare"], where)
                continue
            assert match["reason"] is None or len(match["reason"].split()) >= 3, f"{where}: why?"
            if kind == "text":
                if follows and printed is not None:
                    self.compare(without_indent(match), printed, where)
                printed = None
                continue
            printed = None
            if kind.startswith(DIRECTIVES):
                assert "code-block" not in match["body"], f"{where}: use a fence, which is run"
            elif match["reason"] is None:
                assert kind in ("python", "bash"), f"{where}: nobody runs {kind or 'no language'!r}"
                run = self.run_python if kind == "python" else self.run_bash
                printed = run(without_indent(match), where)
                n_run += 1
        return n_run

    def place_of(self, match):
        """Return the page and the line of a block's code, as errors show them."""
        return f"{self.name}:{self.text.count(chr(10), 0, match.start()) + 2}"

    def compare(self, shown, printed, where):
        """Compare what a page shows with what was printed."""
        same = CHECKER.check_output(without_times(shown), without_times(printed), FLAGS)
        assert same, f"{where} shows\n{shown}\nbut this is printed:\n{printed}"

    def run_python(self, code, where):
        """Run Python and return what it prints."""
        file, line = where.rsplit(":", 1)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            if re.search(r"^>>> ", code, re.MULTILINE):
                test = doctest.DocTestParser().get_doctest(code, {}, where, file, int(line))
                test.globs = self.names
                runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
                failed = runner.run(test, clear_globs=False).failed
                assert not failed, printed.getvalue()
            else:
                exec(compile("\n" * (int(line) - 1) + code, file, "exec"), self.names)
        return printed.getvalue()

    def run_bash(self, code, where):
        """Run commands, ours in this process, and return what they write to stdout."""
        printed = ""
        for line in code.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if not words:
                continue
            if " ".join(words).startswith(INSTALLING):
                check_extras(line, where)
            elif words[0] == "sparsenmf" and not set("|<>;&$*") & set("".join(words)):
                printed += run_command(words[1:], f"{where}: {line}")
            else:
                printed += run_shell(line, f"{where}: {line}")
        return printed


def without_indent(match):
    """Return the body of a block without the indent that it has inside a list."""
    return re.sub(f"^{match['indent']}", "", match["body"], flags=re.MULTILINE)


def without_times(text):
    """Return a text without what differs by machine: seconds, last digits, counts of iterations."""
    text = re.sub(r"in \d+\.\d+ s", "in _ s", text)
    text = re.sub(r"optimality \S+", "optimality _", text)
    return re.sub(r"\d+ iterations", "_ iterations", text).strip() + "\n"


def check_extras(line, where):
    """Check that the extras which a line installs are there."""
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 cannot read pyproject.toml")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for extras in EXTRAS.findall(line) if "sparsenmf" in line or "-e " in line else []:
        unknown = set(extras.split(",")) - project["optional-dependencies"].keys()
        assert not unknown, f"{where}: there is no extra {unknown}"


def run_command(arguments, where):
    """Run the command in this process, where the kernels are, and return its stdout."""
    from click.testing import CliRunner

    from sparsenmf.cli import group

    result = CliRunner().invoke(group, arguments, prog_name="sparsenmf")
    assert result.exit_code == 0, f"{where}\n{result.output}{result.exception!r}"
    return result.stdout


def run_shell(line, where):
    """Run a line that uses our command among others, and return its stdout."""
    if shutil.which("bash") is None:
        pytest.skip(f"{where}: there is no bash to run it")
    folder = os.path.abspath(".command")
    os.makedirs(folder, exist_ok=True)
    for name, call in ("sparsenmf", "-m sparsenmf"), ("python", ""):
        path = os.path.join(folder, name)
        with open(path, "w") as file:
            file.write(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {call} "$@"\n')
        os.chmod(path, 0o755)
    places = [folder, os.environ.get("PATH", "")]
    result = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PATH": os.pathsep.join(places), "PYTHONIOENCODING": "utf-8"},
    )
    assert result.returncode == 0, f"{where}\n{result.stdout}{result.stderr}"
    return result.stdout
