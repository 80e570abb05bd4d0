"""Files that may be compressed, opened as what they hold."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from .damage import describe_damage
from .typing import PathLike

SUFFIXES = (".gz", ".bz2", ".xz", ".zst")

MAGIC = {b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\xfd7zXZ\x00": ".xz", b"\x28\xb5\x2f\xfd": ".zst"}
"""What compressed files begin with."""

MAGIC_BYTES = max(map(len, MAGIC))

DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError)
"""What reading a damaged compressed file raises."""


def plain_suffix(path: PathLike) -> str:
    """Return the suffix of what a file holds, in lower case: ".mtx" of "X.MTX.gz"."""
    return Path(plain_name(path)).suffix


def plain_name(path: PathLike) -> str:
    """Return the name of a file in lower case, without the suffix of a compression."""
    name = Path(path).name.lower()
    return next((name.removesuffix(end) for end in SUFFIXES if name.endswith(end)), name)


def compression_of(path: PathLike) -> str | None:
    """Return the suffix in `SUFFIXES` of how a file is compressed, seen by its first bytes."""
    with open(path, "rb") as file:
        return _compression(file.read(MAGIC_BYTES))


def _compression(start):
    return next((suffix for magic, suffix in MAGIC.items() if start.startswith(magic)), None)


@contextlib.contextmanager
def open_plain(path: PathLike) -> Iterator[BinaryIO]:
    """Open a file for reading bytes; a compressed one is read as what it holds.

    Raises
    ------
    OSError
        If it cannot be opened.
    ImportError
        For .zst without zstandard (extra `zstd`).
    ValueError
        If the compressed data are damaged or end too early.
    """
    with open(path, "rb") as file, plain(file, path) as opened:
        yield opened


@contextlib.contextmanager
def plain(file: BinaryIO, name: PathLike) -> Iterator[BinaryIO]:
    """Read an open file, which may be a pipe, as what it holds from here on.

    Raises
    ------
    ImportError, ValueError
        As `open_plain`; the name is for the messages.
    """
    start = file.read(MAGIC_BYTES)
    if file.seekable():
        file.seek(-len(start), os.SEEK_CUR)
    else:
        file = io.BufferedReader(Joined(start, file))
    kind = _compression(start)
    if kind is None:
        yield file
        return
    with decompress(file, kind) as opened:
        try:
            yield opened
        except DAMAGE as error:
            how = describe_damage(error, likely="damaged")
            raise ValueError(f"{name} is a damaged {kind} file: {how}") from error


class Joined(io.RawIOBase):
    """A file, seekable or not, whose beginning has been read, as if it had not been."""

    def __init__(self, start, file):
        self._start, self._file = start, file

    def readable(self):
        """Return True."""
        return True

    def readinto(self, buffer):
        """Read up to the size of a buffer, and return how many bytes."""
        part = self._start[: len(buffer)] or self._file.read1(len(buffer))
        self._start = self._start[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


def decompress(file, kind):
    """Return what reads a compressed file, of a kind in `SUFFIXES`, as what it holds."""
    if kind == ".gz":
        return gzip.GzipFile(fileobj=file)
    if kind == ".bz2":
        return bz2.BZ2File(file)
    if kind == ".xz":
        return lzma.LZMAFile(file)
    try:
        import zstandard
    except ImportError as error:
        raise ImportError('reading .zst needs zstandard: pip install "sparsenmf[zstd]"') from error
    return io.BufferedReader(ZstdFile(file, zstandard))


class ZstdFile(io.RawIOBase):
    """What a .zst file holds. zstandard's own reader does not notice that a file ends too early."""

    def __init__(self, file, zstandard):
        self._file, self._zstandard = file, zstandard
        self._frame, self._rest, self._plain = None, b"", b""

    def readable(self):
        """Return True."""
        return True

    def readinto(self, buffer):
        """Read up to the size of a buffer, and return how many bytes."""
        while not self._plain:
            packed = self._rest or self._file.read(io.DEFAULT_BUFFER_SIZE)
            if not packed and self._frame is not None:
                raise EOFError("there is no end of its last frame")
            if not packed:
                return 0
            self._unpack(packed)
        part = self._plain[: len(buffer)]
        self._plain = self._plain[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)

    def _unpack(self, packed):
        if self._frame is None:
            self._frame = self._zstandard.ZstdDecompressor().decompressobj()
        try:
            self._plain = self._frame.decompress(packed)
        except self._zstandard.ZstdError as error:
            raise OSError(error) from error
        self._rest = b""
        if self._frame.eof:  # another frame may follow
            self._rest, self._frame = self._frame.unused_data, None
