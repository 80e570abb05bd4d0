"""MatrixMarket texts, checked line by line: scipy's reader takes half a number for a number.

It reads "1,5" as 1, "1.0D+02" as 1 and "0x10" as 0, passes over what follows a number, and ends
the process where the last number is not one (scipy 1.17).
"""

import io
import itertools
import re
from typing import NamedTuple

import numpy as np

from .archive import DAMAGE

PORTION = 2**21  # bytes: about a hundred thousand lines

# What is left of a line when each run of digits is one zero: few different ones in a file.
INTEGER, REAL = rb"-?0", rb"-?(?:(?:0\.?0?|\.0)(?:e[+-]?0)?|nan|inf(?:inity)?)"

VALUES = {
    "pattern": [],
    "integer": [INTEGER],
    "unsigned-integer": [INTEGER],
    "real": [REAL],
    "double": [REAL],
}

PLACES = {"coordinate": [b"0", b"0"], "array": []}

DIGITS = bytes.maketrans(b"123456789", b"0" * 9)


class Header(NamedTuple):
    """What the first lines of a file say; `banner` is the very first."""

    banner: bytes
    form: str
    field: str
    symmetry: str
    sizes: tuple[int, ...]

    def text(self, n_entries):
        """Return the header of a file with so many entries."""
        sizes = [*self.sizes[:2], n_entries][: len(self.sizes)]
        return b"%s\n%s\n" % (self.banner, b" ".join(b"%d" % size for size in sizes))


def read_header(file):
    """Read a file up to its first entry.

    Raises
    ------
    ValueError
        If it is not the beginning of a matrix of real numbers.
    """
    banner = file.readline(PORTION).strip()
    words = banner.decode("ascii", "replace").lower().split()
    if len(words) != 5 or words[:2] != ["%%matrixmarket", "matrix"]:
        raise ValueError("it does not begin with %%MatrixMarket matrix")
    form, field, symmetry = words[2:]
    if form not in PLACES:
        raise ValueError(f"it is in {form} format, not coordinate or array")
    if field not in VALUES:
        raise ValueError(f"it must hold real numbers, not {field} ones")
    line = b"%"
    while line.startswith(b"%") or (line and not line.strip()):
        line = file.readline(PORTION)
    sizes, count = line.split(), {"coordinate": 3, "array": 2}[form]
    if len(sizes) != count or not all(word.isdigit() for word in sizes):
        raise ValueError(f"it has no line with its {'three' if count == 3 else 'two'} sizes")
    header = Header(banner, form, field, symmetry, tuple(map(int, sizes)))
    n_rows, n_columns = header.sizes[:2]
    # Either would have scipy write outside of its arrays.
    if 0 in (n_rows, n_columns) or (symmetry != "general" and n_rows != n_columns):
        raise ValueError(f"it cannot be {n_rows} x {n_columns} and {symmetry}")
    return header


def read_lines(file, header):
    """Yield the entries of a file as text, some whole lines at a time.

    Raises
    ------
    ValueError
        If a line is not that of an entry.
    """
    tokens = rb"[ \t]+".join(PLACES[header.form] + VALUES[header.field])
    pattern = re.compile(rb"[ \t]*(?:%s)?[ \t\r]*" % tokens, re.IGNORECASE)
    rest = b""
    while content := file.read(PORTION):
        lines, newline, rest = (rest + content).rpartition(b"\n")
        if len(rest) > PORTION:
            raise ValueError(f"it has a line of more than {PORTION:,} bytes")
        if newline:
            yield _check_lines(lines + newline, pattern)
    yield _check_lines(rest + b"\n", pattern)


def _check_lines(text, pattern):
    """Return whole lines, or raise if there is one that does not match."""
    shapes = np.frombuffer(text.translate(DIGITS), np.uint8)
    zero = shapes == ord("0")
    shapes = shapes[np.append(True, ~(zero[1:] & zero[:-1]))].tobytes().split(b"\n")
    for shape in set(shapes):
        if not pattern.fullmatch(shape):
            line = text.split(b"\n")[shapes.index(shape)][:100].decode("ascii", "replace")
            raise ValueError(
                f"its line {line!r} is not an entry: numbers are written as 1.5 or 15e-1, and "
                f"nothing follows them"
            )
    return text


class CheckedText:
    """A file for scipy's reader, of which the header has been read.

    An error within scipy's reader would be one of its own: ours is raised by `check`, and the
    text ends before what is wrong.
    """

    def __init__(self, file, header):
        head = header.text(header.sizes[-1])
        self._portions = itertools.chain([head], read_lines(file, header))
        self._ready, self._error = io.BytesIO(), None

    def read(self, size=-1):
        """Return the next bytes."""
        try:
            while not (content := self._ready.read(size)):
                self._ready = io.BytesIO(next(self._portions))
        except StopIteration:
            return b""
        except DAMAGE as error:  # also of the zipped file that it is read from
            self._error = error
            return b""
        return content

    def check(self):
        """Raise if it was not a whole text."""
        if self._error is not None:
            raise self._error
