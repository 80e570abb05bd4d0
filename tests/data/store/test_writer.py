"""Writers of stores refuse what does not fit, and change nothing if they are killed or fail."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import open_csr, write_csr
from sparsenmf.data.store.layout import LOCK

from ...children import posix, run_child, start_child


def rows(n_rows, value, n_features=40):
    """Rows with a few nonzeros each, all of one value."""
    X = sp.random_array((n_rows, n_features), density=0.3, rng=n_rows, format="csr")
    X.data[:] = value
    return X.astype(np.float32)


def only_its_own(folder):
    """Return whether a folder holds only what its record lists."""
    record = json.loads((folder / "shape.json").read_text())
    listed = [shard["folder"] for shard in [*record["shards"], *record.get("columns", [])]]
    return sorted(os.listdir(folder)) == sorted([*listed, "shape.json"])


def values(folder):
    """Return the values in the order of the rows, each run of equal ones once."""
    store = open_csr(folder, verify=True)
    data = store.rows(0, store.shape[0]).data
    return data[np.flatnonzero(np.diff(data, prepend=-1))].tolist()


@pytest.fixture
def folder(tmp_path):
    write_csr(tmp_path / "store", rows(50, 1))
    return tmp_path / "store"


def test_append_adds_rows_and_rewrites_nothing(folder):
    before = {path: path.stat().st_mtime_ns for path in folder.glob("shard-*/*")}
    for value in (2, 3):
        store = write_csr(folder, [rows(20, value), rows(5, value)], append=True)
    assert store.shape == (100, 40)
    assert store.n_shards == 3
    assert values(folder) == [1, 2, 3]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert only_its_own(folder)
    assert write_csr(folder.parent / "new", rows(5, 1), append=True).shape == (5, 40)


def test_overwrite_replaces_under_names_that_were_never_used(folder):
    opened = open_csr(folder)
    first = opened.rows(0, 50)
    with pytest.raises(FileExistsError, match="already has a matrix"):
        write_csr(folder, rows(20, 2))
    assert write_csr(folder, rows(20, 2), overwrite=True).shape == (20, 40)
    assert values(folder) == [2]
    assert only_its_own(folder)
    assert not (folder / "shard-00000").exists()
    assert (first.data == 1).all()  # mapped before
    write_csr(folder, open_csr(folder), overwrite=True, dtype=float, shard_nnz=30)
    assert open_csr(folder).dtype == np.float64
    assert values(folder) == [2]
    with pytest.raises(ValueError, match="choose one"):
        write_csr(folder, rows(20, 2), overwrite=True, append=True)


CASTS = {
    "counts": (np.int64, [1, 2**24 - 1], None, np.float32),
    "large counts": (np.int64, [2**24 + 1], None, np.float64),
    "half": (np.float32, [0.5], None, np.float32),
    "doubles": (np.float64, [0.1], None, np.float64),
    "rounded": (np.float64, [0.1], np.float32, np.float32),
    "widened": (np.float32, [0.1], "float64", np.float64),
}


@pytest.mark.parametrize("case", CASTS)
def test_dtype_is_that_of_the_first_block(case, tmp_path):
    kind, found, dtype, expected = CASTS[case]
    X = sp.csr_array(np.array([found], kind))
    store = write_csr(tmp_path / "store", X, dtype=dtype)
    assert store.dtype == expected
    assert store.rows(0, 1).data.tolist() == np.array(found, kind).astype(expected).tolist()


def test_later_blocks_must_fit_the_type_exactly(folder):
    store = write_csr(folder, np.full((1, 40), 0.25), append=True)  # float64, and exact
    assert store.dtype == np.float32
    for value in (0.1, 2**24 + 1, 1e300):
        with pytest.raises(ValueError, match=r"block 0 \(from row 0\) has .*does not hold exactly"):
            write_csr(folder, np.full((1, 40), value), append=True)
    assert open_csr(folder).shape == (51, 40)
    write_csr(folder, np.full((1, 40), 0.1), append=True, dtype="float32")
    assert values(folder) == [1, 0.25, np.float32(0.1)]
    with pytest.raises(ValueError, match=r"dtype is float64, but .*store has float32"):
        write_csr(folder, rows(5, 2), append=True, dtype=float)


def test_rows_become_canonical_and_vanishing_values_are_dropped(tmp_path):
    """The entries are unsorted, duplicated, zero, or too small for float32."""
    arrays = (np.array([1.0, 2, 3, 0, 1e-60]), np.array([3, 1, 3, 0, 2]), np.array([0, 4, 5]))
    X = sp.csr_array(arrays, shape=(2, 4))
    store = write_csr(tmp_path / "store", [X], dtype=np.float32)
    assert store.nnz == 2
    assert store.rows(0, 2).toarray().tolist() == [[0, 2, 0, 4], [0, 0, 0, 0]]
    nothing = write_csr(tmp_path / "nothing", [sp.csr_array((3, 4))] * 2)
    assert (nothing.shape, nothing.nnz, nothing.max_value) == ((6, 4), 0, 0)
    assert nothing.rows(0, 6).nnz == 0
    assert nothing.blocks() == [(0, 6)]


def failing():
    yield rows(20, 2)
    raise KeyboardInterrupt


BAD_CHUNKS = {
    "none": (lambda: [], {}, ValueError, "chunks is empty"),
    "no columns of no rows": (
        lambda: [np.ones((0, 0))],
        {},
        ValueError,
        r"block 0 .* is empty",
    ),
    "no rows, another width": (
        lambda: [rows(5, 1), rows(5, 1, 41)[:0]],
        {},
        ValueError,
        r"block 1 \(from row 5\) has 41 columns instead of 40",
    ),
    "no columns": (lambda: [np.ones((3, 0))], {}, ValueError, r"block 0 .* is empty"),
    "width": (
        lambda: [rows(5, 1), rows(5, 1, 41)],
        {},
        ValueError,
        r"block 1 \(from row 5\) has 41 columns instead of 40",
    ),
    "n_features": (lambda: rows(5, 1, 41), {"n_features": 40}, ValueError, "41 columns instead"),
    "other n_features": (
        lambda: rows(5, 1, 41),
        {"n_features": 41, "append": True},
        ValueError,
        "n_features is 41, but .*store has 40",
    ),
    "negative": (lambda: [rows(5, -1)], {}, ValueError, r"block 0 .*negative value .* at row"),
    "missing": (lambda: [np.full((2, 40), np.nan)], {}, ValueError, r"block 0 .*NaN"),
    "not rows": (lambda: [None], {}, TypeError, "block 0"),
    "not blocks": (lambda: 3, {}, TypeError, "chunks must be blocks of rows"),
    "dtype": (lambda: rows(5, 1), {"dtype": "f2"}, ValueError, "dtype must be float32 or float64"),
    "shard_nnz": (lambda: rows(5, 1), {"shard_nnz": 0}, ValueError, "shard_nnz must be at least"),
    "interrupted": (failing, {}, KeyboardInterrupt, None),
}


@pytest.mark.parametrize("case", BAD_CHUNKS)
def test_failing_writer_leaves_what_was_there(case, folder, tmp_path):
    chunks, options, error, message = BAD_CHUNKS[case]
    options = {"shard_nnz": 30, **options}
    for name in ("append", "overwrite") if "append" not in options else ("append",):
        with pytest.raises(error, match=message):
            write_csr(folder, chunks(), **{**options, name: True})
        assert values(folder) == [1]
        assert only_its_own(folder)
    if "append" not in options:
        with pytest.raises(error, match=message):
            write_csr(tmp_path / "new", chunks(), **options)
        assert os.listdir(tmp_path) == ["store"]


def test_folder_of_other_things_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").touch()
    for options in ({}, {"append": True}, {"overwrite": True}):
        with pytest.raises(FileExistsError, match=r"is not a store, and holds notes\.txt"):
            write_csr(tmp_path, rows(5, 1), **options)
    assert os.listdir(tmp_path) == ["notes.txt"]
    with pytest.raises(FileNotFoundError):
        write_csr(tmp_path / "no" / "where", rows(5, 1))
    # Beside a store they stay, too, and so does what only looks like a shard.
    write_csr(tmp_path / "store", rows(5, 1))
    (tmp_path / "store" / "notes.txt").touch()
    write_csr(tmp_path / "store", rows(5, 2), overwrite=True)
    assert (tmp_path / "store" / "notes.txt").exists()
    (tmp_path / "store" / "shard-00007").mkdir()
    (tmp_path / "store" / "shard-00007" / "thesis.tex").touch()
    with pytest.raises(OSError, match="shard-00007"):
        write_csr(tmp_path / "store", rows(5, 3), overwrite=True)
    assert (tmp_path / "store" / "shard-00007" / "thesis.tex").exists()
    assert values(tmp_path / "store") == [2]


@pytest.mark.parametrize("both_sides", [False, True])
@pytest.mark.parametrize("options", [{"append": True}, {"overwrite": True}])
def test_failure_at_any_step_leaves_the_old_or_the_new(options, both_sides, folder, monkeypatch):
    """Each step on the way to the disk fails in turn."""
    after = [1, 2] if "append" in options else [2]
    steps = ("fsync", "replace")
    real = {name: getattr(os, name) for name in steps}
    failures = 0
    for number in range(100):
        count = iter(range(1000))

        def fail(*args, name, count=count, number=number):
            if next(count) == number:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real[name](*args)

        for name in steps:
            monkeypatch.setattr(
                os, name, lambda *args, name=name, fail=fail: fail(*args, name=name)
            )
        try:
            limit = 500 if both_sides else 150  # the other side has as many shards
            write_csr(folder, rows(20, 2), shard_nnz=limit, both_sides=both_sides, **options)
        except OSError as error:
            failures += error.errno == errno.ENOSPC
        else:
            break
        finally:
            monkeypatch.undo()
        assert values(folder) in ([1], after)
        assert only_its_own(folder)
        write_csr(folder, rows(50, 1), overwrite=True)
    assert failures == number >= 8
    assert values(folder) == after


def test_record_is_replaced_when_all_else_is_on_the_disk(folder, monkeypatch):
    os.link(folder / "shape.json", folder.parent / "the old one")
    before = (folder / "shape.json").read_bytes()
    synced, fsync, replace = set(), os.fsync, os.replace

    def note_sync(handle):
        synced.add(os.fstat(handle).st_ino)
        fsync(handle)

    def note_replace(source, target):
        inside = [*folder.glob("shard-*/*"), source]
        if os.name == "posix":
            inside += [folder, *folder.glob("shard-*")]
        waiting = {path.stat().st_ino for path in inside} - old - synced
        assert not waiting
        replace(source, target)
        synced.clear()

    old = {path.stat().st_ino for path in folder.rglob("*")}
    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "replace", note_replace)
    write_csr(folder, rows(20, 2), append=True, shard_nnz=100)
    assert (folder.parent / "the old one").read_bytes() == before
    assert (folder.stat().st_ino in synced) == (os.name == "posix")  # the new name, too


def child_write_beyond_a_limit(folder):
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY))
    for options in ({"append": True}, {"overwrite": True}):
        with pytest.raises(OSError, match="File too large"):
            write_csr(folder, (rows(300, 2) for _ in range(100)), **options)
        print(*sorted(os.listdir(folder)))
    write_csr(folder, rows(20, 3), append=True)


@posix
def test_full_disk_leaves_what_was_there(folder):
    out = run_child(child_write_beyond_a_limit, folder.as_posix())
    assert out.splitlines() == ["shape.json shard-00000"] * 2
    assert values(folder) == [1, 3]
    assert only_its_own(folder)


def start_fork(function, *args):
    pid = os.fork()
    if pid == 0:
        try:
            function(*args)
        finally:
            os._exit(0)
    return pid


def fork_and_kill(delay, function, *args):
    pid = start_fork(function, *args)
    time.sleep(delay)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def write_for_ever(folder, options):
    for value in range(2, 10**6):
        write_csr(folder, (rows(20, value) for _ in range(3)), shard_nnz=150, **options)


def what_is_in(folder):
    try:
        return "whole" if open_csr(folder, verify=True).shape == (99 * 20, 40) else "torn"
    except FileNotFoundError:
        return "nothing"
    except ValueError as error:
        return re.search("unfinished store|is not a store", str(error))[0]


def child_kill_writers(folder, n_rounds, seed):
    """Kill writers at random moments; print what each left."""
    from pathlib import Path

    rng = np.random.default_rng(seed)
    folder = Path(folder)
    for number in range(n_rounds):
        fresh = folder.with_name(f"fresh{number}")
        fork_and_kill(rng.uniform(0, 0.03), write_csr, fresh, (rows(20, 1) for _ in range(99)))
        print("fresh", what_is_in(fresh))
        assert write_csr(fresh, rows(5, 7), overwrite=True).shape == (5, 40)
        assert only_its_own(fresh)

        options = {"append": True} if number % 2 else {"overwrite": True}
        options["both_sides"] = number % 4 > 1
        write_csr(folder, rows(50, 1), overwrite=True)
        fork_and_kill(rng.uniform(0, 0.1), write_for_ever, folder, options)
        left = values(folder)
        if number % 2:
            assert left == list(range(1, 1 + len(left)))
            assert open_csr(folder).shape[0] == 50 + 60 * (len(left) - 1)
        else:
            assert open_csr(folder).shape[0] == (50 if left == [1] else 60)
        print("old", "clean" if only_its_own(folder) else "leftovers")
        write_csr(folder, rows(5, 10**6), append=True)
        assert values(folder) == [*left, 10**6]
        assert only_its_own(folder)


@posix
def test_killed_writer_leaves_the_old_store_or_an_unfinished_one(folder):
    out = run_child(child_kill_writers, folder.as_posix(), 15, 0).splitlines()
    assert len(out) == 30
    assert "fresh torn" not in out
    assert "fresh unfinished store" in out  # else the moments were all too early or too late
    assert "old leftovers" in out


def test_second_writer_is_refused_while_the_first_is_at_work(folder):
    def chunks():
        yield rows(20, 2)
        with pytest.raises(BlockingIOError, match="written to by another thread"):
            write_csr(folder, rows(5, 3), append=True)
        assert values(folder) == [1]  # readers are not in the way, nor kept waiting

    write_csr(folder, chunks(), append=True)
    assert values(folder) == [1, 2]
    assert only_its_own(folder)


def child_hold(folder):
    def chunks():
        yield rows(20, 2)
        print("writing", flush=True)
        sys.stdin.readline()

    write_csr(folder, chunks(), append=True)


def test_writer_of_another_process_is_named_and_a_dead_one_is_not_waited_for(folder):
    child = start_child(child_hold, folder.as_posix(), stdin=subprocess.PIPE)
    assert child.stdout.readline() == "writing\n"
    with pytest.raises(
        BlockingIOError, match=rf"by process {child.pid} on .* or delete .*\.sparsenmf-lock"
    ):
        write_csr(folder, rows(5, 3), append=True)
    child.kill()
    child.communicate()
    assert (folder / LOCK).exists()
    write_csr(folder, rows(5, 3), append=True)
    assert values(folder) == [1, 3]
    assert only_its_own(folder)
