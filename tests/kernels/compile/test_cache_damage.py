"""Damaged, foreign or outdated files of the cache cost time and nothing else."""

import contextlib
import errno
import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

import sparsenmf

from ...children import finish_child, posix, run_child, start_child
from .cached import check, child_run, double, files, run_with, stored_kernel

HARM = {
    "cut within the digest": lambda content: content[:20],
    "cut in the middle": lambda content: content[: len(content) // 2],
    "one bit": lambda content: content[:5000] + bytes([content[5000] ^ 1]) + content[5001:],
    "garbage": lambda content: bytes(range(256)) * 100,
}


@pytest.mark.parametrize("harm", HARM)
def test_damaged_files_are_ignored_and_replaced(warm, harm):
    for path in warm.iterdir():
        path.write_bytes(HARM[harm](path.read_bytes()))
    loaded, compiled = run_with(warm)
    assert not loaded
    if harm == "garbage":  # replaced, all of it
        assert run_with(warm) == (compiled, set())


def test_files_under_each_others_names_are_ignored(warm):
    paths = sorted(warm.iterdir())
    contents = [path.read_bytes() for path in paths]
    for path, content in zip(paths, contents[1:] + contents[:1], strict=True):
        path.write_bytes(content)
    replaced = set()
    for n_threads in (1, 2):
        loaded, compiled = run_with(warm, n_threads)
        assert loaded <= replaced
        replaced |= compiled
    assert len(replaced) == len(paths)


def child_of_copy(package, edit):
    """Solve with a copy of the package; edit a source file after it has been loaded."""
    sparsenmf.__path__[:] = [package]
    import sparsenmf.kernels.coordinate_descent as loaded

    assert loaded.__file__.startswith(package)
    if edit:
        path = Path(package, "kernels", "compile", "jit.py")
        text = path.read_text()
        assert '"nogil": True' in text  # part of all kernels, but of no number
        path.write_text(text.replace('"nogil": True', '"nogil": False'))
    child_run(1)


def test_code_of_older_sources_is_ignored(tmp_path):
    """Nor is code of a process that loaded the sources before they changed."""
    package = str(shutil.copytree(sparsenmf.__path__[0], tmp_path / "sparsenmf"))
    env = {"SPARSENMF_CACHE_DIR": str(tmp_path / "cache")}
    _, old = check(run_child(child_of_copy, package, True, env=env))
    loaded, new = check(run_child(child_of_copy, package, False, env=env))
    assert not loaded
    assert check(run_child(child_of_copy, package, False, env=env)) == (new, set())
    assert old == new


@posix
@pytest.mark.parametrize("harm", ["writable", "link", "owner"])
def test_files_that_others_could_have_written_are_not_loaded(warm, harm, tmp_path):
    """They are machine code. The folder could have been exchanged after it was checked."""
    if harm == "owner" and os.getuid() != 0:
        pytest.skip("chown to another user needs root, which this process is not")
    for path in list(warm.iterdir()):
        if harm == "writable":
            path.chmod(0o620)
        elif harm == "owner":
            os.chown(path, 12345, -1)
        else:
            path.rename(tmp_path / path.name)
            path.symlink_to(tmp_path / path.name)
    loaded, compiled = run_with(warm)
    assert not loaded
    assert run_with(warm) == (compiled, set())  # replaced


@pytest.fixture
def nobody_chose_a_folder(monkeypatch):
    """Who chose it is warned: test_settings.py."""
    monkeypatch.delenv("SPARSENMF_CACHE_DIR", raising=False)


@pytest.mark.usefixtures("nobody_chose_a_folder")
@pytest.mark.parametrize("broken", ["os.replace", "tempfile.mkstemp"])
def test_a_failing_disk_operation_does_no_harm(broken, tmp_path, monkeypatch):
    from sparsenmf.kernels.compile import cache, jit

    calls = []

    def fail(*args, **kwargs):
        calls.append(args)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(f"{cache.__name__}.{broken}", fail)
    out = np.zeros(3)
    jit.Kernel(double)(1, np.array([1.0, 2.0, 3.0]), out)
    assert out.tolist() == [2, 4, 6]
    assert calls
    assert files(tmp_path) == {}


def test_a_file_that_is_damaged_anywhere_is_not_loaded(tmp_path, monkeypatch):
    load, path = stored_kernel(tmp_path, monkeypatch)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    assert load() is not None
    places = [*range(64), *rng.integers(0, len(whole), 1000), len(whole) - 1]
    for place in places:
        changed = bytearray(whole)
        changed[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(changed))
        assert load() is None, place
    for size in [*range(64), *rng.integers(0, len(whole), 200), len(whole) - 1]:
        path.write_bytes(whole[:size])
        assert load() is None, size
        path.write_bytes(whole[:size] + bytes(len(whole) - size))  # as a crash may leave it
        assert load() is None, size
    for content in (whole + b"\0", whole * 2, bytes(len(whole)), rng.bytes(len(whole))):
        path.write_bytes(content)
        assert load() is None
    path.write_bytes(whole)
    assert load() is not None


@pytest.mark.usefixtures("nobody_chose_a_folder")
def test_a_folder_in_the_place_of_a_file_does_no_harm(tmp_path, monkeypatch):
    load, path = stored_kernel(tmp_path, monkeypatch)
    path.unlink()
    path.mkdir()
    assert load() is None
    from sparsenmf.kernels.compile import jit

    out = np.zeros(3)
    jit.Kernel(double)(1, np.array([1.0, 2.0, 3.0]), out)  # cannot be stored either
    assert out.tolist() == [2, 4, 6]
    assert list(tmp_path.iterdir()) == [path]


def child_other_processor():
    """The same processor under another name, as if the home directory were on a cluster."""
    from llvmlite import binding

    name = binding.get_host_cpu_name()
    binding.get_host_cpu_name = lambda: "skylake" if name != "skylake" else "haswell"
    child_run(1)


@pytest.mark.long
def test_code_for_another_processor_is_not_used(tmp_path):
    env = {"SPARSENMF_CACHE_DIR": str(tmp_path)}
    _, here = run_with(tmp_path)
    loaded, there = loaded_and_compiled(run_child(child_other_processor, env=env))
    assert not loaded
    assert there == here
    assert len(files(tmp_path)) == 2 * len(here)
    assert loaded_and_compiled(run_child(child_other_processor, env=env)) == (there, set())
    assert run_with(tmp_path) == (here, set())


def loaded_and_compiled(out):
    """Do what `check` does, for a child whose processor may round differently."""
    _, count = json.loads(out)
    loaded = {name for name, (hits, _) in count.items() if hits}
    return loaded, set(count) - loaded


@pytest.mark.long
def test_five_processes_fill_a_cold_cache_while_it_is_damaged(tmp_path):
    """Meanwhile a sixth process cuts and removes its files."""
    env = {"SPARSENMF_CACHE_DIR": str(tmp_path / "cache")}
    children = [start_child(child_run, 2, env=env) for _ in range(5)]
    rng = np.random.default_rng(0)
    while any(child.poll() is None for child in children):
        for path in (tmp_path / "cache").glob("*"):
            with contextlib.suppress(OSError):
                if rng.random() < 0.1:
                    path.unlink()
                elif rng.random() < 0.1:
                    os.truncate(path, int(rng.integers(0, path.stat().st_size)))
        time.sleep(0.05)
    for child in children:
        check(finish_child(child))
    run_with(tmp_path / "cache", 2)
