"""Files to be written: as a whole or not at all, and never over a file that is also read."""

import contextlib
import io
import os
import secrets
import stat
import sys
import tempfile
import time
import unicodedata
from pathlib import Path

import numpy as np

STORE = "shape.json"  # a folder that has it is a store: all files in it are read

WAITS = (0.01, 0.03, 0.1, 0.3)  # seconds between attempts to replace a file that is open

NAME_BEGINNING = 20  # characters of a file's name that its temporary name begins with


def check_path(path, name):
    """Return the path of a file to be written.

    Raises
    ------
    TypeError
        If it is not a path.
    OSError
        If its folder does not exist, or the folder cannot hold a file of this name.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"{name} must be a path, not {path!r}")
    path = Path(path)
    check_folder(path, name)
    return path


def check_folder(path, name="cannot save"):
    """Raise if a file of this name could not be written, before there is anything to write.

    Raises
    ------
    FileNotFoundError
        If its folder does not exist.
    OSError
        If the path is a folder itself, or its name is too long.
    """
    folder = Path(path).parent
    if not folder.is_dir():
        raise FileNotFoundError(f"{name} {path}: there is no folder {folder}")
    try:
        if stat.S_ISDIR(os.stat(path).st_mode):
            raise IsADirectoryError(f"{name} {path}: it is a folder")
    except FileNotFoundError:
        pass


@contextlib.contextmanager
def open_whole(path):
    """Open a binary file for writing that appears as a whole or not at all.

    The file has a temporary name beside `path` and is renamed when the block ends without an
    error. Until then, a file that has been there stays as it is. A device or a pipe cannot be
    replaced, so the block writes to it.

    Raises
    ------
    OSError
        If the folder does not exist or is not writable.
    """
    check_folder(path)
    path = Path(os.path.realpath(path))  # the file that a link points to, not the link
    if path.exists() and not path.is_file():
        with open(path, "wb") as file:
            yield Sink(file)
        return
    # Opened by name, not by mkstemp, so that the file gets the usual permissions. The name may be
    # as long as the system allows, so the temporary one takes only the beginning of it.
    beginning = path.name[:NAME_BEGINNING]
    temporary = path.with_name(f".{beginning}-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        replace(temporary, path)
    except BaseException:  # Ctrl-C, too, must not leave half a file
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def replace(temporary, path):
    """Rename a file to a name that another may have; wait a moment for whoever has that open.

    Windows refuses to replace a file that is open, which virus scanners and indexers do to each
    new file for a moment, or mapped into memory.

    Raises
    ------
    PermissionError
        If it stays open, or the folder is not writable.
    """
    for seconds in WAITS if sys.platform == "win32" else ():
        with contextlib.suppress(PermissionError):
            os.replace(temporary, path)
            return
        time.sleep(seconds)
    try:
        os.replace(temporary, path)
    except PermissionError as error:
        raise PermissionError(
            f"cannot replace {path}: if it is open, or mapped into memory, here (as W of an "
            f"earlier fit, say) or in another program, close it; else choose another name"
        ) from error


class Sink(io.RawIOBase):
    """A device or a pipe as a file without positions: some of them claim to be seekable."""

    def __init__(self, file):
        self._file = file

    def writable(self):
        """Return True."""
        return True

    def write(self, content):
        """Write bytes."""
        return self._file.write(content)


def map_scratch(folder, n_bytes):
    """Return an array of zero bytes in an unnamed file, which is removed with the array.

    The space is reserved at once: a full disk raises OSError now and does not crash later.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, n_bytes)
        else:
            file.truncate(n_bytes)
        return np.asarray(np.memmap(file, np.uint8, "r+", shape=(n_bytes,)))


def write_rows(path, shape, dtype, pieces):
    """Write a two-dimensional .npy file, whole or not at all, and return it as a memory map.

    Parameters
    ----------
    path : str or path-like
    shape : (int, int)
    dtype : dtype
    pieces : iterable of ndarray
        Its rows, some at a time.
    """
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    with open_whole(path) as file:
        np.lib.format.write_array_header_2_0(file, header)
        for piece in pieces:
            file.write(np.ascontiguousarray(piece, dtype).data)
    return np.load(path, mmap_mode="r")


def check_outputs(outputs, inputs=()):
    """Raise if a file to be written is also read, is named twice, or could not be replaced.

    Two names of one file are recognized: links, hard links, relative paths and the files that
    arrays are mapped from.

    Parameters
    ----------
    outputs : iterable of (name, file)
        A path, the number of an open file, or None.
    inputs : iterable of (name, source)
        A file, a folder of texts, a store or its folder, an array, a matrix, or None.

    Raises
    ------
    ValueError
        The message names both.
    PermissionError
        If a file is there that is open or mapped, on Windows. That could not be replaced in the
        end, when all work has been done.
    """
    seen: dict[tuple, str] = {}
    outputs = list(outputs)
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
    for _, path in outputs if sys.platform == "win32" else ():
        if not isinstance(path, int | None) and os.path.isfile(path):
            replace(path, path)  # Windows renames no file that is open, not even to its own name


def file_key(path):
    """Return what all names of one file have in common, or None for a device or a pipe."""
    try:
        status = os.stat(path)
    except OSError:
        if isinstance(path, int):  # a closed one
            return None
    else:
        kind = status.st_mode
        known = stat.S_ISREG(kind) or stat.S_ISDIR(kind)
        return (status.st_dev, status.st_ino) if known else None
    folder, name = os.path.split(os.path.realpath(path))  # the file does not exist yet
    if ignores_case(folder):
        name = unicodedata.normalize("NFC", name.casefold())
    return file_key(folder), name


def ignores_case(folder):
    """Return whether a folder takes a.npy and A.NPY for one name, as its own name tells."""
    for path in (Path(folder), *Path(folder).parents):
        other = path.parent / path.name.swapcase()
        if path.name != other.name and os.path.exists(path):
            return os.path.exists(other) and os.path.samefile(other, path)
    return sys.platform in ("win32", "darwin")


def source_files(source):
    """Yield the files that a source is read from."""
    if isinstance(source, int):
        yield source
    elif isinstance(source, str | os.PathLike):
        yield source
        if os.path.isdir(source):
            yield from (path for path in Path(source).rglob("*") if path.is_file())
    elif source is not None:
        folder = getattr(source, "folder", None)
        if isinstance(folder, os.PathLike):  # a store
            yield from source_files(folder)
        for part in ("data", "indices", "indptr"):  # of a sparse matrix
            yield from _mapped_files(getattr(source, part, None))
        yield from _mapped_files(source)


def _mapped_files(array):
    """Yield the files that an array, the arrays it is a view of, or an AnnData is mapped from."""
    while array is not None:
        filename = getattr(array, "filename", None)
        if isinstance(filename, str | os.PathLike):
            yield filename
        array = getattr(array, "base", None)
