"""What a killed writer leaves in the folder of a store, and its removal."""

import contextlib
import re
import shutil

from .layout import LOCK, NAME_FILES, RECORD, SHARD, SHARD_FILES

SCRATCH, BUCKET = ".sort-", "rows-"  # prefixes of folders for sorting, and of the files in them

TEMPORARY = re.compile(r"\.shape\.json-.*|\.sort-.*")

RECORD_LEFT = re.compile(r"\.shape\.json-[0-9]+-[0-9a-f]{8}")

SCRATCH_LEFT = re.compile(rf"{re.escape(SCRATCH)}\w{{8}}")

WITHIN_SCRATCH = re.compile(rf"{SCRATCH_LEFT.pattern}|{BUCKET}[0-9]+")


def is_ours(name):
    """Return whether the name of a file or folder is one that stores or their writers use."""
    return bool(name in (RECORD, LOCK) or SHARD.fullmatch(name) or TEMPORARY.fullmatch(name))


def is_leftover(path):
    """Return whether a file or folder holds only what a killed writer leaves."""
    if path.is_file():
        return bool(RECORD_LEFT.fullmatch(path.name))
    if SHARD.fullmatch(path.name):
        found = {entry.name for entry in path.iterdir()}
        arrays = found - set(NAME_FILES)
        whole = len(arrays) == len(SHARD_FILES)
        return arrays == set(SHARD_FILES[: len(arrays)]) and (whole or arrays == found)
    inside = [path, *path.rglob("*")] if SCRATCH_LEFT.fullmatch(path.name) else []
    return bool(inside) and all(WITHIN_SCRATCH.fullmatch(entry.name) for entry in inside)


def remove_unlisted(folder, shards):
    """Remove what writers have left in a folder, but for these shards.

    Windows removes no file that a reader has mapped: such a shard stays for the next writer.

    Raises
    ------
    FileExistsError
        If something has the name of a shard but other content; it is not removed.
    """
    listed = {shard.folder for shard in shards}
    found = [path for path in folder.iterdir() if path.name not in listed]
    for path in found:
        if SHARD.fullmatch(path.name) and not is_leftover(path):
            raise FileExistsError(f"{path} is not a shard of a store: move it elsewhere")
    for path in filter(is_leftover, found):
        with contextlib.suppress(PermissionError):
            remove_leftover(path)


def remove_leftover(path):
    """Remove a leftover, in an order that leaves one after an error, too."""
    if SHARD.fullmatch(path.name):
        for name in (*NAME_FILES, *reversed(SHARD_FILES)):
            (path / name).unlink(missing_ok=True)
        path.rmdir()
    else:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def refuse_links(folder):
    """Return a folder; raise if a file or folder to be written to or removed is a link."""
    for path in folder.iterdir():
        if is_ours(path.name) and path.is_symlink():
            raise ValueError(f"{path} is a link, which a store never has: remove it")
    return folder
