"""Whole files or none, and saved factorizations without pickle.

Model files
-----------
What `Factorization.save` writes is a zip archive, not compressed, that any language with
zip, JSON and the .npy format (a short header, then the plain array) can read. An .npz of
NumPy's is the same thing, so ``numpy.load(path)["W"]`` works too. Its members:

``factorization.json``
    ``{"format": 1, "stop_reason": str, "optimality": number, "x_norm": number,
    "error": number, "options": {...}}``, the attributes of `Factorization`. NaN is
    written as ``NaN``. A reader refuses formats that it does not know.
    Members are not compressed, and no larger than the file: a reader need not trust sizes.
``W.npy``, ``H.npy``
    Both float32 or both float64, of shape (n_samples, n_components) and (n_components,
    n_features). The header says whether rows (C order) or columns come first.
``objective_history.npy``, ``time_history.npy``
    float64, one number for each iteration; the times are in seconds.
``sample_norms.npy``
    Of the type of W, of shape (n_samples, 2): the sum and the length of each row of X. Not
    there if they are not known.
"""

import contextlib
import io
import json
import math
import os
import secrets
import stat
import tempfile
import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np

FORMAT = 1

METADATA = "factorization.json"

DEFLATE_MOST = 1032  # bytes that one compressed byte can stand for

NAME_BEGINNING = 20  # characters

DAMAGE = (
    # What zipfile, json, numpy and a constructor raise on a file that is not what it should be.
    zipfile.BadZipFile,
    zlib.error,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    tokenize.TokenError,  # of a damaged .npy header
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
    with open_whole(path) as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr(METADATA, json.dumps({"format": FORMAT, **record}, indent=1))
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)


@contextlib.contextmanager
def open_whole(path):
    """Open a file for writing bytes that appears as a whole or not at all.

    It has a temporary name beside `path`, which it gets when the block ends without an
    error; before that, a file that was there stays as it is. A device or a pipe, which
    cannot be replaced, is written to.

    Raises
    ------
    OSError
        If the folder does not exist or cannot be written to.
    """
    check_folder(path)
    path = Path(os.path.realpath(path))  # the file that a link points to, not the link
    if path.exists() and not path.is_file():
        with open(path, "wb") as file:
            yield Sink(file)
        return
    # Opened by name, not by mkstemp, so that the file gets the usual permissions. A name may be
    # as long as the system allows: not all of it is in the temporary one.
    beginning = path.name[:NAME_BEGINNING]
    temporary = path.with_name(f".{beginning}-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:  # Ctrl-C too must not leave half a file
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


class Sink(io.RawIOBase):
    """A device or a pipe: one can only go on writing, whatever it says of places in it."""

    def __init__(self, file):
        self._file = file

    def writable(self):
        """Tell that it takes bytes."""
        return True

    def write(self, content):
        """Write bytes."""
        return self._file.write(content)


def map_scratch(folder, n_bytes):
    """Return so many zero bytes as an array in a file without a name, which ends with it.

    The space is taken at once: a disk that is full is an OSError now, not a crash later.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, n_bytes)
        else:
            file.truncate(n_bytes)
        return np.asarray(np.memmap(file, np.uint8, "r+", shape=(n_bytes,)))


def write_rows(path, shape, dtype, pieces):
    """Write an .npy file of two dimensions, whole or not at all, and return it mapped.

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


def check_folder(path, name="cannot save"):
    """Raise if a file of this name could not be in its folder, before there is one to write.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    OSError
        If it is a folder itself, or its name is too long.
    """
    folder = Path(path).parent
    if not folder.is_dir():
        raise FileNotFoundError(f"{name} {path}: there is no folder {folder}")
    try:
        if stat.S_ISDIR(os.stat(path).st_mode):
            raise IsADirectoryError(f"{name} {path}: it is a folder")
    except FileNotFoundError:
        pass


def is_archive(path):
    """Tell whether a file is an archive of `write_archive`, whole or not in other respects."""
    with open(path, "rb") as file:
        if not zipfile.is_zipfile(file):
            return False
        with zipfile.ZipFile(file) as archive:
            return METADATA in archive.namelist()


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
                check_members(archive, (zipfile.ZIP_STORED,))
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
    check_array(archive, f"{name}.npy")
    with archive.open(f"{name}.npy") as member:
        array = np.lib.format.read_array(member, allow_pickle=False)
        member.read(1)  # reading to the end verifies the checksum
    return array


def is_sound(array):
    """Tell whether an array has finite, non-negative numbers."""
    # min and max need no temporary, and a NaN passes through both.
    return array.dtype.kind == "f" and (not array.size or 0 <= array.min() <= array.max() < np.inf)


def check_factorization(model):
    """Raise ValueError unless the arrays and numbers that a file had make a factorization."""
    history, times = model.objective_history, model.time_history
    weight, others = model.feature_weight, model.restart_objectives
    norms = model.sample_norms
    if (
        model.W.ndim != 2
        or 0 in (*model.W.shape, *model.H.shape)
        or model.H.ndim != 2
        or model.W.shape[1] != model.H.shape[0]
        or model.W.dtype != model.H.dtype
        or model.W.dtype not in (np.float32, np.float64)
        or history.ndim != 1
        or not history.size
        or history.shape != times.shape
        or not history.dtype == times.dtype == np.float64
        or not (weight is None or (weight.shape, weight.dtype) == ((model.n_features,), float))
        or not (others is None or (others.ndim, others.dtype) == (1, float))
        or not (norms is None or (norms.shape, norms.dtype) == ((len(model.W), 2), model.W.dtype))
    ):
        raise ValueError("its arrays do not belong together")
    arrays = (model.W, model.H, *(x for x in (weight, norms) if x is not None))
    if not all(map(is_sound, arrays)):
        raise ValueError("its factors or weights are not finite and non-negative numbers")
    if not all(type(x) in (int, float) for x in (model.optimality, model.x_norm, model.error)):
        raise ValueError("its optimality, x_norm or error is not a number")
    if not isinstance(model.stop_reason, str):
        raise ValueError("its stop_reason is not a text")


def check_members(archive, methods=(zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)):
    """Raise ValueError if members are larger than they can be in this file, or packed otherwise."""
    size = os.fstat(archive.fp.fileno()).st_size
    for info in archive.infolist():
        if info.compress_type not in methods:
            raise ValueError(f"its {info.filename} is compressed in a way that is not read")
        most = size if info.compress_type == zipfile.ZIP_STORED else DEFLATE_MOST * size
        if info.file_size > most:
            raise ValueError(f"its {info.filename} cannot be of {info.file_size} bytes")


def check_array(archive, name):
    """Raise ValueError unless a .npy member is as long as its header says: before it is read."""
    with archive.open(name) as member:
        shape, _, dtype = read_npy_header(member)
        if dtype.hasobject:
            raise ValueError(
                f"its {name} has pickled objects in it: only allow_pickle=False is safe"
            )
        announced = member.tell() + math.prod(shape) * dtype.itemsize
        if announced != archive.getinfo(name).file_size:
            raise ValueError(f"its {name} is longer or shorter than its header says")


def read_npy_header(file):
    """Read the header of a .npy file: the shape, whether columns come first, and the type."""
    version = np.lib.format.read_magic(file)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f"version {version} of the .npy format")
    shape, columns_first, dtype = readers[version](file)
    if min(shape, default=0) < 0:
        raise ValueError(f"a header with the shape {shape}")
    return shape, columns_first, dtype
