"""Writers beside what others have put into a folder: nothing of theirs is removed or waited for."""

import os
import socket
import time

import pytest

from sparsenmf import write_csr
from sparsenmf.data.store import lock
from sparsenmf.data.store.layout import LOCK

from ...children import posix
from .test_writer import only_its_own, rows, values


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
def test_what_only_looks_like_a_leftover_is_not_removed(other, folder, tmp_path):
    """Beside a store it stays; a folder without one is not made a store."""
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
@pytest.mark.parametrize("age", [-(10**6), 0, 10**6], ids=["future", "new", "old"])
@pytest.mark.parametrize("content", CONTENTS)
def test_a_lock_with_any_content_is_taken_over(content, age, folder, monkeypatch):
    monkeypatch.setattr(lock, "GRACE", 0.1)
    (folder / LOCK).write_bytes(CONTENTS[content])
    os.utime(folder / LOCK, (time.time() - age,) * 2)
    write_csr(folder, rows(5, 3), append=True)
    assert values(folder) == [1, 3]
    assert only_its_own(folder)


@posix
def test_the_owner_of_a_lock_is_recognized_with_a_newline(folder):
    (folder / LOCK).write_text(f"{os.getppid()} {socket.gethostname()}\n")
    with pytest.raises(BlockingIOError, match=f"by process {os.getppid()} on"):
        write_csr(folder, rows(5, 3), append=True)


@posix
@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_in_the_place_of_a_lock_is_named(kind, folder):
    os.mkdir(folder / LOCK) if kind == "folder" else os.mkfifo(folder / LOCK)
    with pytest.raises(FileExistsError, match=r"\.sparsenmf-lock should be a lock file"):
        write_csr(folder, rows(5, 3), append=True)
    assert (folder / LOCK).exists()
    assert values(folder) == [1]


@posix
def test_a_lock_that_another_program_locks_is_not_waited_for_for_ever(folder, monkeypatch):
    import fcntl

    monkeypatch.setattr(lock, "PATIENCE", 0.1)
    with open(folder / LOCK, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError, match=r"\.sparsenmf-lock is held by another process"):
            write_csr(folder, rows(5, 3), append=True)
