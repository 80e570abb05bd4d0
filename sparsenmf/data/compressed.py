"""Files that may be compressed, opened as what they hold."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from .typing import PathLike

SUFFIXES = (".gz", ".bz2", ".xz", ".zst")

MAGIC = {b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\xfd7zXZ\x00": ".xz", b"\x28\xb5\x2f\xfd": ".zst"}
"""What compressed files begin with."""

DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError)
"""What reading a damaged compressed file raises."""


def plain_suffix(path: PathLike) -> str:
    """Return the suffix of what a file holds, in lower case: ".mtx" of "X.MTX.gz"."""
    name = Path(path).name.lower()
    return Path(next((name.removesuffix(x) for x in SUFFIXES if name.endswith(x)), name)).suffix


def compression_of(path: PathLike) -> str | None:
    """Return the suffix in `SUFFIXES` of how a file is compressed, seen by its first bytes."""
    with open(path, "rb") as file:
        start = file.read(6)
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
    kind = compression_of(path)
    with open(path, "rb") as file:
        if kind is None:
            yield file
            return
        with decompress(file, kind) as plain:
            try:
                yield plain
            except DAMAGE as error:
                raise ValueError(f"{path} is a damaged {kind} file: {error}") from error


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
    reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    return io.BufferedReader(reader)
