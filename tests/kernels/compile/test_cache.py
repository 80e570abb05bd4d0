"""The disk cache of compiled kernels: whatever happens to it costs time and nothing else.

Most tests run in fresh interpreters with their own cache folder (see `tests.children`).
"""

import os
import shutil
import stat
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

import sparsenmf

from ...children import expected_of_fit, finish_child, fit, posix, run_child, start_child
from .cached import check, child_run, double, files, run_with, stored_kernel


def child_fit(n_threads):
    child_run(n_threads, fit)


def test_a_second_fit_compiles_nothing(tmp_path):
    env = {"SPARSENMF_CACHE_DIR": str(tmp_path / "cache")}
    loaded, compiled = check(run_child(child_fit, 2, env=env), expected_of_fit())
    assert not loaded
    assert check(run_child(child_fit, 2, env=env), expected_of_fit()) == (compiled, set())
    assert len(files(tmp_path / "cache")) == len(compiled)


def test_second_process_compiles_nothing_and_writes_nothing(filled):
    folder, twins = filled
    before = files(folder)
    loaded = set()
    for n_threads in (1, 2):
        found, compiled = run_with(folder, n_threads)
        assert not compiled
        loaded |= found
    assert loaded == twins
    assert files(folder) == before


@pytest.mark.parametrize("place", ["below a file", "no such user", "/proc/nowhere"])
def test_unusable_folder_means_no_cache(tmp_path, place):
    (tmp_path / "file").touch()
    folder = {
        "below a file": tmp_path / "file" / "cache",
        "no such user": "~nobody-of-this-name/cache",
        "/proc/nowhere": "/proc/nowhere",  # not even root can make it
    }[place]
    loaded, _ = run_with(folder)
    assert not loaded
    assert (tmp_path / "file").read_bytes() == b""


@posix
@pytest.mark.parametrize("mode", [0o777, 0o720])
def test_folder_that_others_can_write_to_is_neither_read_nor_written(warm, mode):
    warm.chmod(mode)
    before = files(warm)
    loaded, _ = run_with(warm)
    assert not loaded
    assert files(warm) == before


@posix
def test_new_folder_is_for_its_owner_alone(filled):
    assert stat.S_IMODE(filled[0].stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in filled[0].iterdir()} == {0o600}


def test_cache_can_be_switched_off(tmp_path):
    loaded, _ = run_with(tmp_path, SPARSENMF_CACHE="0")
    assert not loaded
    assert files(tmp_path) == {}


def test_two_processes_fill_a_cold_cache_at_once(tmp_path):
    env = {"SPARSENMF_CACHE_DIR": str(tmp_path / "cache")}
    children = [start_child(child_run, 2, env=env) for _ in range(2)]
    for child in children:
        check(finish_child(child))
    loaded, compiled = run_with(tmp_path / "cache", 2)
    assert not compiled
    assert len(files(tmp_path / "cache")) == len(loaded)  # and nothing unfinished


def child_on_full_disk():
    """Run where no file can grow beyond a few bytes, as on a full disk."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    child_run(1)


@posix
def test_full_disk_leaves_nothing_behind(tmp_path):
    check(run_child(child_on_full_disk, env={"SPARSENMF_CACHE_DIR": str(tmp_path)}))
    assert files(tmp_path) == {}


def child_homeless(temporary):
    """A user without a home directory, and perhaps without a temporary one."""

    def nobody(*_):
        raise KeyError("uid not found")

    import pwd

    pwd.getpwuid = nobody
    if not temporary:
        tempfile.gettempdir = lambda: os.stat("/nowhere to write")
    child_run(1)


@posix
@pytest.mark.parametrize("temporary", [True, False])
def test_no_home_directory_means_the_temporary_one_or_no_cache(tmp_path, temporary):
    env = {name: None for name in ("HOME", "XDG_CACHE_HOME", "SPARSENMF_CACHE_DIR")}
    env["TMPDIR"] = str(tmp_path)
    loaded, compiled = check(run_child(child_homeless, temporary, env=env))
    assert not loaded
    folder = tmp_path / f"sparsenmf-{os.getuid()}"
    if temporary:
        assert len(files(folder)) == len(compiled)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    else:
        assert list(tmp_path.iterdir()) == []


def test_user_cache_folder_follows_the_environment(tmp_path):
    if sys.platform in ("win32", "darwin"):
        pytest.skip("XDG_CACHE_HOME is not read here: this system has its own cache folder")
    loaded, _ = run_with(None, XDG_CACHE_HOME=str(tmp_path))
    assert not loaded
    loaded, compiled = run_with(None, XDG_CACHE_HOME=str(tmp_path))
    assert loaded
    assert not compiled
    assert len(files(tmp_path / "sparsenmf")) == len(loaded)


def test_old_kernels_make_room_for_new_ones(tmp_path, monkeypatch):
    from sparsenmf.kernels.compile import cache

    now, mine = time.time(), tmp_path / "notes.txt"
    mine.write_text("of the user")
    for age in range(10):
        path = tmp_path / f"update-{age}.kernel"
        path.write_bytes(bytes(100))
        os.utime(path, (now - age * cache.DAY,) * 2)
    for name, age in ((".writing-new", 0), (".writing-old", 3)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (now - age * cache.DAY,) * 2)
    monkeypatch.setattr(cache, "MAX_BYTES", 1000)
    cache.prune(tmp_path)
    assert len(files(tmp_path)) == 12  # but for the file of a writer that was killed
    monkeypatch.setattr(cache, "MAX_BYTES", 450)
    cache.prune(tmp_path)
    kept = {f"update-{age}.kernel" for age in range(4)}
    assert set(files(tmp_path)) == {*kept, ".writing-new", "notes.txt"}


def test_kernels_in_use_are_not_the_old_ones(tmp_path, monkeypatch):
    from sparsenmf.kernels.compile import cache

    load, path = stored_kernel(tmp_path, monkeypatch)
    old = time.time() - 10 * cache.DAY
    os.utime(path, (old, old))
    assert load() is not None
    assert path.stat().st_mtime > time.time() - cache.DAY
    monkeypatch.setattr(cache.os, "utime", None)  # once a day is enough
    assert load() is not None


def test_a_full_cache_stays_within_its_size_and_works(tmp_path, monkeypatch):
    from sparsenmf.kernels.compile import cache, jit

    monkeypatch.setattr(cache, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(cache, "MAX_BYTES", 1)
    out = np.zeros(3)
    jit.Kernel(double)(1, np.array([1.0, 2.0, 3.0]), out)
    assert out.tolist() == [2, 4, 6]
    assert files(tmp_path) == {}


def child_nowhere_for_numba():
    """numba's own cache finds no folder to write to: site-packages and home are read-only."""
    from numba.core.caching import CompileResultCacheImpl

    CompileResultCacheImpl._locator_classes = []
    child_run(1)


def test_a_read_only_installation_and_home_do_no_harm(tmp_path):
    env = {"SPARSENMF_CACHE_DIR": str(tmp_path / "cache")}
    assert not check(run_child(child_nowhere_for_numba, env=env))[0]
    assert not check(run_child(child_nowhere_for_numba, env=env))[1]
    env["SPARSENMF_CACHE_DIR"] = "/proc/nowhere"
    assert not check(run_child(child_nowhere_for_numba, env=env))[0]


def child_of_zip(archive):
    """Run the package from a zip file, where its sources cannot be read."""
    sys.path.insert(0, archive)
    sparsenmf.__path__[:] = [f"{archive}/sparsenmf"]
    import sparsenmf.kernels.compile.cache as loaded

    assert loaded.__file__.startswith(archive)
    assert loaded.active_folder() is None
    child_run(1)


def test_package_in_a_zip_file_works_without_a_cache(tmp_path):
    root = Path(sparsenmf.__path__[0]).parent
    archive = shutil.make_archive(tmp_path / "package", "zip", root, "sparsenmf")
    env = {"SPARSENMF_CACHE_DIR": str(tmp_path / "cache")}
    loaded, _ = check(run_child(child_of_zip, archive, env=env))
    assert not loaded
    assert not (tmp_path / "cache").exists()


@posix
@pytest.mark.parametrize("relative", [".", "cache", "../cache", ""])
def test_a_relative_cache_folder_of_the_system_is_passed_over(relative, tmp_path, monkeypatch):
    """The XDG standard asks for that: the folder would change with the working directory."""
    from sparsenmf.kernels.compile import cache

    if sys.platform == "darwin":
        pytest.skip("XDG_CACHE_HOME is not read here: this system has its own cache folder")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPARSENMF_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", relative)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    first, *_ = cache._candidates()
    assert first == tmp_path / "home" / ".cache" / "sparsenmf"
    monkeypatch.setenv("HOME", "home")
    (only,) = cache._candidates()
    assert only == Path(tempfile.gettempdir()) / f"sparsenmf-{os.getuid()}"
    monkeypatch.setenv("SPARSENMF_CACHE_DIR", "mine")  # ours means what it says, for good
    assert list(cache._candidates()) == [tmp_path / "mine"]
