"""What other systems need of the sources, and what can be imitated without them."""

import ast
import os
import runpy
import subprocess
from pathlib import Path

import pytest

import sparsenmf

from .children import ELSEWHERE

PACKAGE = Path(sparsenmf.__file__).parent


def calls_and_attributes(kind):
    """Yield the file, its text and each node of a kind, of all modules of the package."""
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, kind):
                yield path, text, node


def test_what_only_some_systems_have_is_asked_for_first():
    """Functions of `os`, `mmap` and `signal` that Windows lacks stand behind `hasattr`."""
    listed = runpy.run_path(str(ELSEWHERE / "sitecustomize.py"), run_name="read")
    known = {
        "os": listed["OF_WINDOWS"].split(),
        "signal": listed["SIGNALS"].split(),
        "mmap": ["mmap"],
    }
    found = set()
    for path, text, node in calls_and_attributes(ast.Attribute):
        module = ast.unparse(node.value)
        if module in known and node.attr.islower() and node.attr not in known[module]:
            found.add(f"{module}.{node.attr}")
            assert f'hasattr({module}, "{node.attr}")' in text, f"{path.name}: {node.attr}"
    assert found >= {"os.getuid", "os.posix_fallocate"}


def test_no_text_file_is_opened_in_the_encoding_of_the_system():
    found = 0
    for path, _, node in calls_and_attributes(ast.Call):
        called = ast.unparse(node.func)
        given = {keyword.arg for keyword in node.keywords}
        modes = [ast.unparse(mode) for mode in node.args[1:2]]
        if called.endswith((".read_text", ".write_text")) and not called.startswith("formatter"):
            assert "encoding" in given, f"{path.name}: {node.lineno}"
        elif called == "open":
            found += 1
            assert "b" in modes[0] or "encoding" in given, f"{path.name}: {node.lineno}"
    assert found > 10


QUOTED = {
    "notes.txt": "notes.txt",
    r"C:\data\X.npz": r"C:\data\X.npz",
    "my notes.txt": '"my notes.txt"',
    "R&D.txt": '"R&D.txt"',
    "": '""',
    "a b\\": '"a b\\\\"',
    'say "so"': '"say \\"so\\""',
}


@pytest.mark.parametrize("word", QUOTED)
def test_words_are_quoted_for_the_shell_of_the_system(word, monkeypatch):
    from sparsenmf.data import shell

    monkeypatch.setattr(shell.sys, "platform", "win32")
    assert shell.quote(word) == QUOTED[word]
    if word:
        quoted = subprocess.list2cmdline([word])
        assert quoted in (QUOTED[word], QUOTED[word].strip('"'))


def test_a_file_that_is_open_for_a_moment_is_replaced_when_it_is_closed(tmp_path, monkeypatch):
    """As virus scanners keep new files open on Windows."""
    from sparsenmf.data import outputs

    path, really, refused = tmp_path / "W.npy", os.replace, []
    path.write_bytes(b"old")

    def refuse_at_first(*names):
        if len(refused) < 3:
            refused.append(names)
            raise PermissionError(13, "Permission denied")
        really(*names)

    monkeypatch.setattr(outputs.os, "replace", refuse_at_first)
    with pytest.raises(PermissionError, match="cannot replace"), outputs.open_whole(path) as file:
        file.write(b"new")
    assert os.listdir(tmp_path) == ["W.npy"]
    monkeypatch.setattr(outputs.sys, "platform", "win32")
    with outputs.open_whole(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"


def test_a_file_that_stays_open_is_refused_before_the_work(tmp_path, monkeypatch):
    """Of each kind of output, such as a table that a spreadsheet has open on Windows."""
    from sparsenmf.data import outputs

    path, links = tmp_path / "t.xlsx", []
    path.write_bytes(b"old")
    outputs.check_outputs([("--term-table", path)])  # other systems replace open files

    def refuse(*names):
        links.append(names)
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(outputs.os, "replace", refuse)
    monkeypatch.setattr(outputs.sys, "platform", "win32")
    monkeypatch.setattr(outputs, "WAITS", (0.0,))
    outputs.check_outputs([("checkpoint", None), ("W_path", tmp_path / "new.npy"), ("stdout", 1)])
    assert not links
    for name in (path, str(path)):
        with pytest.raises(PermissionError, match=r"cannot replace .*t\.xlsx: if it is open"):
            outputs.check_outputs([("--term-table", name)])
    assert path.read_bytes() == b"old"
