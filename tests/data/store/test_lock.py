"""Stores have one writer at a time, who removes nothing that others have put into the folder."""

import contextlib
import os
import socket
import time

import pytest

from sparsenmf import write_csr
from sparsenmf.data.store import lock
from sparsenmf.data.store.layout import LOCK
from sparsenmf.data.store.lock import hold_lock

from ...children import finish_child, posix, start_child
from .test_writer import only_its_own, rows, start_fork, values


@pytest.fixture
def folder(tmp_path):
    """A store of 50 rows."""
    return write_csr(tmp_path / "store", rows(50, 1)).folder


OTHERS = {
    ".sort-mine/thesis.tex": "text",
    ".sort-abcdefgh/thesis.tex": "text",
    ".sort-abcdefgh/.sort-abcdefgh/thesis.tex": "text",
    ".sort-list": "text",
    ".shape.json-backup": "text",
    ".shape.json-1-copy": "text",
    "shard-1/data.npy": "text",
}


@pytest.mark.parametrize("other", OTHERS)
def test_files_that_resemble_leftovers_are_not_removed(other, folder, tmp_path):
    """Beside a store it stays; a folder that holds only such files is not made a store."""
    for place in (folder, tmp_path / "new"):
        (place / other).parent.mkdir(parents=True, exist_ok=True)
        (place / other).write_text(OTHERS[other])
    write_csr(folder, rows(20, 2), append=True)
    write_csr(folder, rows(20, 3), overwrite=True)
    for options in ({}, {"append": True}, {"overwrite": True}):
        with pytest.raises(FileExistsError, match="new is not a store, and holds"):
            write_csr(tmp_path / "new", rows(5, 1), **options)
    for place in (folder, tmp_path / "new"):
        assert (place / other).read_text() == OTHERS[other]
    assert values(folder) == [3]


@pytest.mark.parametrize("file", ["data.npy", "indptr.npy/mine", "thesis.tex", "sub/indptr.npy"])
def test_a_folder_with_the_name_of_a_shard_is_not_emptied(file, folder, tmp_path):
    for place in (folder, tmp_path / "new"):
        path = place / "shard-00007" / file
        path.parent.mkdir(parents=True)
        path.write_text("mine")
        for options in ({"append": True}, {"overwrite": True}):
            with pytest.raises(OSError, match="shard-00007"):
                write_csr(place, rows(20, 2), **options)
        assert path.read_text() == "mine"
    assert values(folder) == [1]


def test_leftovers_of_every_kind_are_removed(folder):
    for number, names in enumerate([(), ("indptr",), ("indptr", "indices", "data")], 5):
        (folder / f"shard-{number:05d}").mkdir()
        for name in names:
            (folder / f"shard-{number:05d}" / f"{name}.npy").touch()
    (folder / ".sort-a_b1c2d3" / ".sort-00000000").mkdir(parents=True)
    (folder / ".sort-a_b1c2d3" / "rows-12").touch()
    (folder / ".shape.json-123-0123abcd").touch()
    write_csr(folder, rows(20, 2), append=True)
    assert values(folder) == [1, 2]
    assert only_its_own(folder)


CONTENTS = {
    "this process": f"{os.getpid()} {socket.gethostname()}".encode(),
    "living process": f"{os.getppid()} {socket.gethostname()}".encode(),
    "empty": b"",
    "number": b"99",
    "no text": b"\xff\xfe\x00\x01",
    "NUL": bytes(100),
    "enormous number": b"9" * 400 + b" host",
    "large number": b"9999999999 " + socket.gethostname().encode(),
    "process 0": b"0 " + socket.gethostname().encode(),
    "negative": b"-1 " + socket.gethostname().encode(),
    "other digits": "\u0663 host".encode(),
    "long": b"x" * 10**7,
    "blank": b"\n \n",
}


@posix
@pytest.mark.parametrize("content", CONTENTS)
def test_a_lock_that_nobody_holds_is_taken_over(content, folder):
    """Its content does not matter: the number in it may by now belong to another live process."""
    (folder / LOCK).write_bytes(CONTENTS[content])
    write_csr(folder, rows(5, 3), append=True)
    assert values(folder) == [1, 3]
    assert only_its_own(folder)


HELD = {
    f"{os.getppid()} {socket.gethostname()}\n": rf"by process {os.getppid()} on .* or delete",
    "": r"\.sparsenmf-lock is held by another process",
}


@posix
@pytest.mark.parametrize("content", HELD)
def test_the_holder_of_a_lock_is_named_if_it_says_who_it_is(content, folder):
    import fcntl

    (folder / LOCK).write_text(content)
    with open(folder / LOCK) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError, match=HELD[content]):
            write_csr(folder, rows(5, 3), append=True)
    assert (folder / LOCK).read_text() == content
    write_csr(folder, rows(5, 3), append=True)  # the lock ended with the file
    assert values(folder) == [1, 3]


@posix
@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_a_folder_or_pipe_in_the_place_of_a_lock_is_named(kind, folder):
    os.mkdir(folder / LOCK) if kind == "folder" else os.mkfifo(folder / LOCK)
    with pytest.raises(FileExistsError, match=r"\.sparsenmf-lock should be a lock file"):
        write_csr(folder, rows(5, 3), append=True)
    assert (folder / LOCK).exists()
    assert values(folder) == [1]


def test_lock_of_another_machine_is_not_taken_over(folder):
    (folder / LOCK).write_text("1 elsewhere")
    with pytest.raises(BlockingIOError, match=r"by process 1 on elsewhere"):
        write_csr(folder, rows(5, 3), append=True)
    assert (folder / LOCK).read_text() == "1 elsewhere"


@posix
def test_a_lock_file_that_is_removed_before_it_is_locked_is_nobodys(tmp_path, monkeypatch):
    """The path no longer leads to it: others create a new file there, and lock that."""
    path, really = tmp_path / LOCK, lock._lock
    path.write_text("")
    opened = []

    def remove_first(file):
        if not opened:
            path.unlink()
        opened.append(file)
        really(file)

    monkeypatch.setattr(lock, "_lock", remove_first)
    with hold_lock(path):
        assert path.read_text().startswith(f"{os.getpid()} ")
        with pytest.raises(BlockingIOError, match="by another thread"):
            hold_lock(path).__enter__()
    assert len(opened) == 3
    assert not path.exists()


@posix
def test_the_lock_file_of_another_writer_is_not_removed(tmp_path):
    """Someone has deleted ours, though we are alive, and another writer has made a new one."""
    path = tmp_path / LOCK
    with hold_lock(path):
        path.unlink()
        path.write_text("another one's")
    assert path.read_text() == "another one's"


def die_with(path):
    held = hold_lock(path)  # forgotten, it would be released
    held.__enter__()
    os._exit(0)


def child_take_turns(path):
    """Take a lock as often as possible; every other time, let the process that holds it die."""
    from pathlib import Path

    path, taken = Path(path), 0
    owner = path.with_name("owner")
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        os.waitpid(start_fork(die_with, path), 0)
        with contextlib.suppress(BlockingIOError), hold_lock(path):
            owner.open("x").close()  # fails if anybody else is inside
            taken += 1
            owner.unlink()
    print(taken)


@posix
def test_two_never_hold_a_lock_at_once(tmp_path):
    children = [start_child(child_take_turns, str(tmp_path / ".lock")) for _ in range(3)]
    taken = [int(finish_child(child)) for child in children]
    assert sum(taken) > len(children)  # a busy machine gives few turns
    assert set(os.listdir(tmp_path)) <= {".lock"}
