"""Run the code of a page, as its reader would: from top to bottom, in an empty folder.

    python docs/blocks.py docs/guide/choosing.md     # its output, and the files it wrote

Python blocks share one namespace, and lines of bash blocks that begin with `sparsenmf` are run in
the same folder. A text block shows what the block before it prints.
"""

import contextlib
import io
import os
import re
import shlex
import sys
import tempfile
import types
import warnings
from pathlib import Path
from typing import NamedTuple

FENCE = re.compile(r"^(`{3,})([^\n`]*)\n(.*?)^\1 *$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A block of code: its language, its text, and the number of its first line."""

    language: str
    text: str
    line: int


def blocks(page):
    """Return the blocks of code of a page, but for directives such as ``{toctree}``."""
    return [
        Block(match[2].strip(), match[3], page.count("\n", 0, match.start()) + 2)
        for match in FENCE.finditer(page)
        if not match[2].startswith("{")
    ]


def run(path, folder):
    """Run a page in a folder; yield each block that was run, and what it printed."""
    module = types.ModuleType("__main__")  # a class of its own, should a block define one
    for block in blocks(path.read_text(encoding="utf-8")):
        if block.language not in ("python", "bash"):
            continue
        before = Path.cwd()
        os.chdir(folder)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", UserWarning)  # a reader would be alarmed
                if block.language == "python":
                    printed = _run_python(block, path, module)
                else:
                    printed = "".join(_run_command(arguments) for arguments in commands(block))
        finally:
            os.chdir(before)
        yield block, printed


def commands(block):
    """Return the arguments of each call of sparsenmf in a bash block."""
    lines = (shlex.split(line, comments=True) for line in block.text.splitlines())
    return [words[1:] for words in lines if words[:1] == ["sparsenmf"]]


def _run_python(block, path, module):
    # With its line numbers, so that a traceback points into the page.
    code = compile("\n" * (block.line - 1) + block.text, str(path), "exec")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, vars(module))
    return printed.getvalue()


def _run_command(arguments):
    from click.testing import CliRunner

    from sparsenmf.cli import group

    result = CliRunner().invoke(group, arguments, catch_exceptions=False)
    if result.exit_code:
        raise RuntimeError(f"sparsenmf {shlex.join(arguments)}: {result.output}")
    return result.stdout


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for block, printed in run(Path(sys.argv[1]).resolve(), folder):
            print(f"--- line {block.line}\n{printed}", end="")
        print("---", *sorted(os.listdir(folder)))
