"""Saved factorizations are read back unchanged, without pickle, or refused if damaged."""

import io
import json
import os
import pickle
import signal
import stat
import threading
import zipfile

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import Checkpoint, CoordinateDescent, Factorization, factorize
from sparsenmf.data.files import write_table

from .. import problems
from ..children import posix, start_child

ARRAYS = ("W", "H", "objective_history", "time_history")

SCALARS = ("stop_reason", "optimality", "x_norm", "error", "options")


@pytest.fixture(scope="module", params=[np.float32, np.float64], ids=["float32", "float64"])
def X(request):
    return problems.documents(1200, 300, dtype=request.param)


@pytest.fixture(scope="module")
def model(X):
    return factorize(X, 20, random_state=0, max_iter=5, alpha_W=1e-6, l1_ratio=0.5)


def assert_equal(found, expected):
    for name in ARRAYS:
        one, other = getattr(found, name), getattr(expected, name)
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        assert one.tobytes() == other.tobytes()
    for name in SCALARS:
        assert getattr(found, name) == getattr(expected, name)


def test_saved_and_loaded_is_the_same_bit_for_bit(X, model, tmp_path):
    path = tmp_path / "model.nmf"  # used as it is
    model.save(path)
    assert os.listdir(tmp_path) == ["model.nmf"]
    for loaded in (Factorization.load(path), Factorization.load(str(path))):
        assert_equal(loaded, model)
        np.testing.assert_array_equal(loaded.transform(X[:50]), model.transform(X[:50]))
    assert_equal(pickle.loads(pickle.dumps(model)), model)


def test_saved_file_is_plain_arrays_and_json(model, tmp_path):
    model.save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz", allow_pickle=False) as file:
        for name in ARRAYS:
            np.testing.assert_array_equal(file[name], getattr(model, name))
    with zipfile.ZipFile(tmp_path / "model.npz") as archive:
        assert archive.testzip() is None
        record = json.loads(archive.read("factorization.json"))
    assert record["options"] == model.options
    assert record["stop_reason"] == "max_iter"


def test_saved_file_is_as_documented_for_other_languages(model, tmp_path):
    """This reads it from its description alone: zip, JSON, and .npy headers."""
    model.save(tmp_path / "model.npz")
    with zipfile.ZipFile(tmp_path / "model.npz") as archive:
        assert all(info.compress_type == zipfile.ZIP_STORED for info in archive.infolist())
        content = {name: archive.read(name) for name in archive.namelist()}
    record = json.loads(content.pop("factorization.json"))
    scalars = {"stop_reason": str, "optimality": float, "x_norm": float, "error": float}
    assert {name: type(record[name]) for name in scalars} == scalars
    assert (record["format"], record["options"]) == (1, model.options)
    assert set(record) == {"format", "options", *scalars}
    assert set(content) == {f"{name}.npy" for name in (*ARRAYS, "sample_norms")}
    for name in ARRAYS:
        member = io.BytesIO(content[f"{name}.npy"])
        assert np.lib.format.read_magic(member) == (1, 0)
        shape, columns_first, dtype = np.lib.format.read_array_header_1_0(member)
        order = "F" if columns_first else "C"
        array = np.frombuffer(member.read(), dtype).reshape(shape, order=order)
        np.testing.assert_array_equal(array, getattr(model, name))
        assert dtype == (model.W.dtype if name in "WH" else np.float64)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.npz"
    problems.small_model().save(path)
    return path


def rewrite(path, **members):
    """Write the archive anew, with members changed (bytes, JSON or array) or left out (None)."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    for name, value in members.items():
        stored = next(n for n in content if n.partition(".")[0] == name)
        if isinstance(value, np.ndarray):
            file = io.BytesIO()
            np.lib.format.write_array(file, value, allow_pickle=True)
            value = file.getvalue()
        elif callable(value):
            value = json.dumps(value(json.loads(content[stored]))).encode()
        content[stored] = value
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in content.items():
            if value is not None:
                archive.writestr(name, value)


class Bomb:
    def __reduce__(self):
        return os._exit, (1,)


DAMAGE = {
    "missing array": ({"W": None}, "not a whole saved Factorization"),
    "missing record": ({"factorization": None}, "not a whole saved Factorization"),
    "no JSON": ({"factorization": b"\xff{"}, "not a whole saved Factorization"),
    "no record": ({"factorization": lambda r: [1]}, "not a whole saved Factorization"),
    "incomplete record": (
        {"factorization": lambda r: {"format": r["format"]}},
        "not a whole saved Factorization",
    ),
    "code instead of an array": ({"W": np.array([Bomb()])}, "not a whole saved Factorization"),
    "another dimension": ({"W": np.ones(3)}, "not a whole saved Factorization"),
    "other components": ({"W": np.ones((3, 5))}, "not a whole saved Factorization"),
    "newer format": (
        {"factorization": lambda r: {**r, "format": 99, "more": 1}},
        "format 99, .* upgrade sparsenmf",
    ),
    "newer format with other arrays": (
        {"factorization": lambda r: {**r, "format": 99}, "W": None},
        "format 99, .* upgrade sparsenmf",
    ),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damaged_or_newer_file_is_refused_by_name(case, saved):
    members, message = DAMAGE[case]
    rewrite(saved, **members)
    with pytest.raises(ValueError, match=rf"{saved.name} .*{message}|{saved.name} has {message}"):
        Factorization.load(saved)


def test_cut_file_is_refused_by_name(saved):
    whole = saved.read_bytes()
    for length in range(0, len(whole), 50):
        saved.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=f"{saved.name} is not a whole saved Factorization"):
            Factorization.load(saved)


def test_every_flipped_bit_is_refused_or_harmless(saved):
    whole = saved.read_bytes()
    expected = Factorization.load(saved)
    harmless = refused = 0
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        saved.write_bytes(damaged)
        try:
            loaded = Factorization.load(saved)
        except ValueError as error:
            refused += saved.name in str(error)
        else:  # such as a date in the archive
            harmless += 1
            assert_equal(loaded, expected)
    assert harmless + refused == len(whole)
    assert harmless < len(whole) / 4


def test_array_cut_by_its_own_header_is_refused(tmp_path):
    """A zip archive checks the checksum of a member only when all of it is read."""
    path = tmp_path / "model.npz"
    large = problems.small_model()
    large.W = np.ones((60_000, 2))
    large.save(path)
    path.write_bytes(path.read_bytes().replace(b"(60000, 2)", b"(20000, 2)"))
    with pytest.raises(ValueError, match="not a whole saved Factorization"):
        Factorization.load(path)


def test_missing_file_or_folder_is_reported_as_such(tmp_path):
    with pytest.raises(FileNotFoundError):
        Factorization.load(tmp_path / "nothing.npz")
    with pytest.raises(FileNotFoundError):
        problems.small_model().save(tmp_path / "nowhere" / "model.npz")


def break_after_one_array(fail):
    """Let the second array of a file fail to be written."""
    write, calls = np.lib.format.write_array, []

    def write_array(*args, **kwargs):
        calls.append(args)
        return write(*args, **kwargs) if len(calls) == 1 else fail()

    return write_array


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_failing_save_leaves_the_old_file_and_no_other(error, saved, monkeypatch):
    def fail():
        raise error

    monkeypatch.setattr(np.lib.format, "write_array", break_after_one_array(fail))
    other = problems.small_model()
    other.W = other.W * 2
    before = saved.read_bytes()
    with pytest.raises(type(error)):
        other.save(saved)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


def test_save_replaces_the_file_and_does_not_write_into_it(saved, tmp_path):
    os.link(saved, tmp_path / "the old one")
    before = saved.read_bytes()
    other = problems.small_model()
    other.W = other.W * 2
    other.save(saved)
    assert saved.read_bytes() != before
    assert (tmp_path / "the old one").read_bytes() == before


def child_save_and_die(path, how):
    def fail():
        if how == "exit":
            os._exit(3)
        os.kill(os.getpid(), signal.SIGKILL)

    np.lib.format.write_array = break_after_one_array(fail)
    problems.small_model().save(path)


@posix
@pytest.mark.parametrize("how", ["exit", "kill"])
def test_save_that_is_killed_leaves_the_old_file_whole(how, saved):
    before = saved.read_bytes()
    child = start_child(child_save_and_die, str(saved), how)
    child.communicate(timeout=60)
    assert child.returncode == (3 if how == "exit" else -signal.SIGKILL)
    assert saved.read_bytes() == before
    problems.small_model().save(saved)
    assert_equal(Factorization.load(saved), problems.small_model())


@posix
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_saved_file_has_the_usual_permissions(umask, mode, tmp_path):
    before = os.umask(umask)
    try:
        problems.small_model().save(tmp_path / "model.npz")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "model.npz").stat().st_mode) == mode


@posix
def test_names_of_any_length_and_devices_can_be_written_to(tmp_path):
    model = factorize(sp.random_array((500, 300), density=0.1, rng=0), 3, max_iter=2)
    for name in (*("a" * n for n in range(230, 256)), "é" * 127, "\U0001f52c" * 63):
        model.save(tmp_path / name)
        np.testing.assert_array_equal(Factorization.load(tmp_path / name).W, model.W)
        assert os.listdir(tmp_path) == [name]
        (tmp_path / name).unlink()
    with pytest.raises(OSError, match="File name too long"):
        model.save(tmp_path / ("a" * 256))
    for _ in range(2):
        model.save(os.devnull)
        factorize(np.eye(9), 2, max_iter=11, tol=0, checkpoint=Checkpoint(os.devnull, every=1))
        model.report(os.devnull, range(300))
        (tmp_path / "null.csv").symlink_to(os.devnull)
        write_table(tmp_path / "null.csv", {"a": [1, 2]})
        (tmp_path / "null.csv").unlink()
    assert not os.path.isfile(os.devnull)
    with pytest.raises(ValueError, match="W_path /dev/null is a device"):
        factorize(np.eye(9), 2, solver=CoordinateDescent(low_memory=True, W_path=os.devnull))


@posix
def test_a_pipe_gets_the_whole_file(tmp_path):
    model = factorize(sp.random_array((50, 30), density=0.2, rng=0), 3, max_iter=2)
    os.mkfifo(tmp_path / "pipe")
    reader = threading.Thread(
        target=lambda: (tmp_path / "copy").write_bytes((tmp_path / "pipe").read_bytes())
    )
    reader.start()
    model.save(tmp_path / "pipe")
    reader.join()
    np.testing.assert_array_equal(np.load(tmp_path / "copy")["W"], model.W)
