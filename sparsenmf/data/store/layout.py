"""The record and the files in the folder of a store, and whether they fit each other."""

import json
import os
import re
import stat
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..archive import read_npy_header
from ..arguments import check_integer, check_number
from ..damage import DAMAGE
from ..formats import index_type
from ..outputs import open_whole

FORMAT = 1

RECORD, LOCK = "shape.json", ".sparsenmf-lock"

SHARD = re.compile(r"shard-([0-9]{5,18})")

SHARD_FILES = ("indptr.npy", "indices.npy", "data.npy")  # made in this order

NAME_FILES = ("feature_names.npy", "sample_names.npy")  # and then these, in any case optional

DTYPES = ("float32", "float64")

PIECE = 2**22  # bytes that are read at once for a checksum

MOST = 2**63 - 1  # features, for indices are int64 at most


@dataclass(frozen=True)
class Shard:
    """Some rows of a store, in a folder of their own, as shape.json lists them."""

    folder: str
    rows: int
    nnz: int
    max_value: float
    files: dict

    def arrays(self, dtype, index_dtype):
        """Return the dtype and length of each array, by name."""
        return {
            "indptr": (np.dtype(np.int64), self.rows + 1),
            "indices": (index_dtype, self.nnz),
            "data": (dtype, self.nnz),
        }

    def names(self, n_features):
        """Return the dtype and length of each array of names that it has, by the file's name."""
        lengths = zip(NAME_FILES, (n_features, self.rows), strict=True)
        return {
            file: (np.dtype(self.files[file]["dtype"]), length)
            for file, length in lengths
            if file in self.files
        }


@dataclass(frozen=True)
class Record:
    """What shape.json says.

    Attributes
    ----------
    n_features : int
    dtype : dtype
    shards : tuple of Shard
        The rows.
    columns : tuple of Shard
        The columns of the matrix, as rows of its transpose; empty if the store has one side only.
    """

    n_features: int
    dtype: np.dtype
    shards: tuple[Shard, ...]
    columns: tuple[Shard, ...] = ()

    @property
    def shape(self):
        return sum(shard.rows for shard in self.shards), self.n_features

    @property
    def nnz(self):
        return sum(shard.nnz for shard in self.shards)

    @property
    def max_value(self):
        return max(shard.max_value for shard in self.shards)

    @property
    def index_dtype(self):
        return index_type(self.n_features)

    @property
    def next_number(self):
        """The number of the next shard, which no shard has had."""
        return 1 + max(int(shard.folder.removeprefix("shard-")) for shard in self.listed)

    @property
    def listed(self):
        """The shards of both sides."""
        return self.shards + self.columns

    @property
    def transposed(self):
        """The record of the transpose, whose rows are the columns, or None."""
        return Record(self.shape[0], self.dtype, self.columns) if self.columns else None

    def files(self, folder):
        """Yield the path, dtype, length and record of each file."""
        for shard in self.shards:
            arrays = shard.arrays(self.dtype, self.index_dtype)
            found = {f"{name}.npy": array for name, array in arrays.items()}
            for file, (dtype, length) in {**found, **shard.names(self.n_features)}.items():
                yield folder / shard.folder / file, dtype, length, shard.files[file]


def write_record(folder, record):
    """Write shape.json, with which the shards that it lists become the store."""
    content = {
        "format": FORMAT,
        "shape": record.shape,
        "nnz": record.nnz,
        "dtype": record.dtype.name,
        "max_value": record.max_value,
        "shards": [asdict(shard) for shard in record.shards],
    }
    if record.columns:
        content["columns"] = [asdict(shard) for shard in record.columns]
    with open_whole(folder / RECORD) as file:
        file.write(json.dumps({**content, "crc32": _checksum(content)}, indent=1).encode())
    sync_folder(folder)


def read_record(folder):
    """Return the record in shape.json.

    Raises
    ------
    OSError
        If it cannot be opened.
    ValueError
        If it is damaged or of a newer format.
    """
    size_of(folder / RECORD)
    with open(folder / RECORD, "rb") as file:
        try:
            content = json.load(file)
            written = content["format"]
            if written != FORMAT:
                raise ValueError(
                    f"it has format {written}, and this sparsenmf reads format {FORMAT}: "
                    f"upgrade sparsenmf"
                )
            if content.pop("crc32") != _checksum(content):
                raise ValueError("its checksum is wrong")
            return _make_record(content)
        except DAMAGE as error:
            raise ValueError(f"{folder / RECORD} is not a store's record: {error}") from error


def _make_record(content):
    shards, columns = (
        tuple(Shard(**shard) for shard in content.get(side, ())) for side in ("shards", "columns")
    )
    record = Record(content["shape"][1], np.dtype(content["dtype"]), shards, columns)
    if not shards or [*record.shape, record.nnz] != [*content["shape"], content["nnz"]]:
        raise ValueError("its shards do not add up to its shape")
    if not 1 <= check_integer(record.n_features, "n_features", least=1) <= MOST:
        raise ValueError(f"it cannot have {record.n_features} features")
    if record.dtype.name not in DTYPES:
        raise ValueError(f"its dtype is {record.dtype}")
    _check_shards(record)
    other = record.transposed
    if other is not None:
        _check_shards(other)
        if (other.shape[::-1], other.nnz) != (record.shape, record.nnz):
            raise ValueError("its two sides differ in shape or nonzeros")
    return record


def _check_shards(record):
    """Raise ValueError if the shards of one side are not described as they should be."""
    for shard in record.shards:
        # Otherwise files outside of the folder could be read or removed.
        if not SHARD.fullmatch(shard.folder):
            raise ValueError(f"{shard.folder!r} is not the name of a shard")
        check_integer(shard.rows, f"rows of {shard.folder}", least=1)
        check_integer(shard.nnz, f"nnz of {shard.folder}", least=0)
        check_number(shard.max_value, f"max_value of {shard.folder}")
        for name in shard.arrays(record.dtype, record.index_dtype):
            if {"bytes", "crc32"} - shard.files[f"{name}.npy"].keys():
                raise ValueError(f"{shard.folder} lacks the size or checksum of {name}.npy")
        for file, (dtype, _) in shard.names(record.n_features).items():
            if {"bytes", "crc32"} - shard.files[file].keys() or dtype.kind not in "Ui":
                raise ValueError(f"{shard.folder} lacks the size or checksum of {file}")


def _checksum(content):
    return zlib.crc32(json.dumps(content, sort_keys=True).encode())


def size_of(path):
    """Return the size of a file; raise ValueError for a pipe or a device, which may never end."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{path} is not a file: the store is damaged")
    return status.st_size


def find_data(path, dtype, length, info):
    """Compare a .npy file with its record, and return the position where its array begins.

    Raises
    ------
    ValueError
        If the file is missing, or has another size, dtype or length.
    """
    try:
        size = size_of(path)
    except FileNotFoundError:
        raise ValueError(f"{path} is missing: the store is damaged") from None
    if size != info["bytes"]:
        raise ValueError(f"{path} has {size} bytes instead of {info['bytes']}: it is damaged")
    with open(path, "rb") as file:
        try:
            found = read_header(file)
        except DAMAGE as error:
            raise ValueError(f"{path} is not a .npy file: it is damaged ({error})") from error
        start = file.tell()
    if found != ((length,), dtype) or start + length * dtype.itemsize != size:
        raise ValueError(f"{path} holds another array than {RECORD} says: it is damaged")
    return start


def read_header(file):
    """Return the shape and dtype of the array in a .npy file, from its header."""
    shape, columns_first, dtype = read_npy_header(file)
    if columns_first and len(shape) > 1:
        raise ValueError("its columns come first: save it in C order")
    return shape, dtype


def verify_file(path, start, info):
    """Raise ValueError if a file's content, from `start` on, has another checksum."""
    checksum = 0
    with open(path, "rb") as file:
        file.seek(start)
        while piece := file.read(PIECE):
            checksum = zlib.crc32(piece, checksum)
    if checksum != info["crc32"]:
        raise ValueError(f"{path} is damaged: its checksum is not that of what was written")


def sync_folder(folder):
    """Write the names in a folder to the disk, on systems that can do so."""
    if hasattr(os, "O_DIRECTORY"):  # Windows cannot open a folder
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def file_stamp(path):
    """Return what changes when a file is replaced or written to, or None if it is not there.

    A removed file stays readable for a process that has mapped it.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def absolute(folder) -> Path:
    """Return the absolute path of a folder."""
    return Path(os.path.abspath(folder))
