"""Arrays and a JSON record in one file, without pickle: an .npz that any tool can open."""

import contextlib
import json
import os
import secrets
import zipfile
import zlib
from pathlib import Path

import numpy as np

FORMAT = 1

METADATA = "factorization.json"

DAMAGE = (
    # What zipfile, json, numpy and a constructor raise on a file that is not what it should be.
    zipfile.BadZipFile,
    zlib.error,
    AttributeError,
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


def write_archive(path, record, arrays):
    """Write a file as a whole or not at all.

    It is written under a temporary name beside `path` and renamed at the end.

    Parameters
    ----------
    path : str or path-like
    record : dict
        What JSON can hold.
    arrays : dict of str -> ndarray

    Raises
    ------
    OSError
        If the folder does not exist or cannot be written to.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot save {path}: there is no folder {path.parent}")
    # Opened by name, not by mkstemp, so that the file gets the usual permissions.
    temporary = path.with_name(f".{path.name}-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with open(temporary, "xb") as file:
            with zipfile.ZipFile(file, "w") as archive:
                archive.writestr(METADATA, json.dumps({"format": FORMAT, **record}, indent=1))
                for name, array in arrays.items():
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                        np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def read_archive(path, names, optional, restore):
    """Read what `write_archive` wrote and return ``restore(record, arrays)``.

    Arrays that are `optional` may be missing.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it is damaged, of a newer format, or `restore` cannot use what it holds.
    """
    with open(path, "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                record = json.loads(archive.read(METADATA))
                written = record.pop("format")
                if written != FORMAT:
                    raise ValueError(
                        f"it has format {written}, and this sparsenmf reads format {FORMAT}: "
                        f"upgrade sparsenmf"
                    )
                there = set(archive.namelist())
                names = [*names, *(name for name in optional if f"{name}.npy" in there)]
                return restore(record, {name: _read_array(archive, name) for name in names})
        except DAMAGE as error:
            raise ValueError(f"{path} is not a whole saved Factorization: {error}") from error


def _read_array(archive, name):
    with archive.open(f"{name}.npy") as member:
        array = np.lib.format.read_array(member, allow_pickle=False)
        if member.read(1):  # reading to the end also verifies the checksum
            raise ValueError(f"{name} is longer than its header says")
    return array
