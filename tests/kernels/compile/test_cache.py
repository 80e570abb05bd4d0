"""The disk cache of compiled kernels: whatever happens to it costs time and nothing else.

Most tests run in fresh interpreters with their own cache folder (see `tests.children`).
"""

import contextlib
import errno
import hashlib
import json
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


def run_kernels(n_threads):
    """Run two kernels that compile quickly; return a digest of the bits."""
    from sparsenmf.kernels import gram

    factor, blocks = np.arange(320.0).reshape(40, 8), np.array([[0, 20], [20, 40]])
    sums, partials = np.zeros((2, 8)), np.zeros((2, 8, 8))
    gram.sum_columns(n_threads, factor, blocks, sums)
    gram.multiply_factor(n_threads, factor, blocks, partials)
    return hashlib.sha256(sums.tobytes() + partials.tobytes()).hexdigest()


def child_run(n_threads, run=run_kernels):
    """Print the digest of a run, and how often each kernel was loaded or compiled."""
    digest = run(n_threads)
    from sparsenmf.kernels.compile import jit

    twins = [twin for kernel in jit._kernels for twin in (kernel._serial, kernel._parallel)]
    count = {twin.__name__: [twin.stats.cache_hits.total(), len(twin.signatures)] for twin in twins}
    print(json.dumps([digest, {name: both for name, both in count.items() if both[1]}]))


def run_with(folder, n_threads=1, **env):
    """Return the names of the kernels that were loaded, and of those that were compiled."""
    env = {"SPARSENMF_CACHE_DIR": folder if folder is None else str(folder), **env}
    return check(run_child(child_run, n_threads, env=env))


def check(out, expected=None):
    digest, count = json.loads(out)
    assert digest == (expected or run_kernels(1))
    loaded = {name for name, (hits, _) in count.items() if hits}
    return loaded, set(count) - loaded


def child_fit(n_threads):
    child_run(n_threads, fit)


def test_a_second_fit_compiles_nothing(tmp_path):
    env = {"SPARSENMF_CACHE_DIR": str(tmp_path / "cache")}
    loaded, compiled = check(run_child(child_fit, 2, env=env), expected_of_fit())
    assert not loaded
    assert check(run_child(child_fit, 2, env=env), expected_of_fit()) == (compiled, set())
    assert len(files(tmp_path / "cache")) == len(compiled)


def files(folder):
    return {path.name: path.stat().st_mtime_ns for path in Path(folder).iterdir()}


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A folder with both twins of some kernels, and the names of the twins."""
    folder = tmp_path_factory.mktemp("filled") / "cache"
    twins = set()
    for n_threads in (1, 2):
        loaded, compiled = run_with(folder, n_threads)
        assert not loaded
        assert compiled
        twins |= compiled
    assert len(files(folder)) == len(twins)
    return folder, twins


@pytest.fixture
def warm(filled, tmp_path):
    """Return a copy of `filled` that a test may damage."""
    folder = tmp_path / "warm"
    shutil.copytree(filled[0], folder)
    folder.chmod(0o700)
    return folder


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
@pytest.mark.parametrize("harm", ["writable", "link", "owner"])
def test_files_that_others_could_have_written_are_not_loaded(warm, harm, tmp_path):
    """They are machine code. The folder could have been exchanged after it was checked."""
    if harm == "owner" and os.getuid() != 0:
        pytest.skip("needs root")
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


def double(x, out):
    for i in range(len(x)):
        out[i] = 2 * x[i]


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


def stored_kernel(folder, monkeypatch):
    """Store a small kernel; return a function that tries to load it, and its file."""
    from sparsenmf.kernels.compile import cache, jit

    monkeypatch.setattr(cache, "cache_folder", lambda: folder)
    out = np.zeros(3)
    jit.Kernel(double)(1, np.array([1.0, 2.0, 3.0]), out)
    assert out.tolist() == [2, 4, 6]
    dispatcher = jit.Kernel(double)._serial
    (path,) = folder.glob("*.kernel")
    (signature,) = (numba_signature(np.zeros(3), out),)
    target = dispatcher.targetdescr.target_context
    return lambda: dispatcher._cache.load_overload(signature, target), path


def numba_signature(*args):
    import numba

    return tuple(map(numba.typeof, args))


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
