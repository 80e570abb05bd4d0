"""Files to be written: none of them may be one that is read, or one that is also written."""

import os
import stat
from pathlib import Path

STORE = "shape.json"  # the record of a matrix on disk: all that lies beside it belongs to it


def check_outputs(outputs, inputs=()):
    """Raise if a file that will be written is also read, or if two of them are one file.

    Links, hard links, relative paths and the files that arrays are mapped from count.

    Parameters
    ----------
    outputs : iterable of (name, file)
        A path, the number of an open file, or None.
    inputs : iterable of (name, source)
        A file, the folder of texts or of a store, an array, a matrix, a store, or None.

    Raises
    ------
    ValueError
        The message names both.
    """
    seen: dict[tuple, str] = {}
    for name, path in outputs:
        key = None if path is None else file_key(path)
        name = name if isinstance(path, int) else f"{name} {path}"
        if key in seen:
            raise ValueError(f"{seen[key]} and {name} are one file: choose two")
        if key is not None:
            seen[key] = name
    if not seen:
        return
    for name, source in inputs:
        for path in source_files(source):
            key = file_key(path)
            if key in seen:
                raise ValueError(
                    f"{seen[key]} is also read, as {name}, and would be overwritten: "
                    f"choose another file"
                )


def file_key(path):
    """Return what all names of one file have in common, or None for a device or a pipe."""
    try:
        status = os.stat(path)
    except OSError:
        if isinstance(path, int):  # closed
            return None
    else:
        kind = status.st_mode
        known = stat.S_ISREG(kind) or stat.S_ISDIR(kind)
        return (status.st_dev, status.st_ino) if known else None
    folder, name = os.path.split(os.path.realpath(path))  # of what is not there yet
    return file_key(folder), os.path.normcase(name)


def source_files(source):
    """Yield the files that a source is read from."""
    if isinstance(source, int):
        yield source
    elif isinstance(source, str | os.PathLike):
        yield source
        if os.path.isdir(source):
            yield from _files_below(Path(source))
    elif source is not None:
        folder = getattr(source, "folder", None)
        if isinstance(folder, os.PathLike):  # a store
            yield from source_files(folder)
        for part in ("data", "indices", "indptr"):  # of a sparse matrix
            yield from _mapped_files(getattr(source, part, None))
        yield from _mapped_files(source)


def _files_below(folder):
    pattern = "*" if (folder / STORE).exists() else "*.txt"
    yield from (path for path in folder.rglob(pattern) if path.is_file())


def _mapped_files(array):
    """Yield the file of an array that is mapped, or a view of one, or an AnnData on disk."""
    while array is not None:
        filename = getattr(array, "filename", None)
        if isinstance(filename, str | os.PathLike):
            yield filename
        array = getattr(array, "base", None)
