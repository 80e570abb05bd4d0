"""MatrixMarket files, whole or in portions; each line is checked before scipy reads it.

scipy's reader accepts the beginning of a number as a number (scipy 1.17): it reads "1,5" as 1,
"1.0D+02" as 1 and "0x10" as 0, ignores what follows a number, and ends the process if the last
number is not one.
"""

import io
import itertools
import math
import re
from typing import NamedTuple

import numpy as np

from .damage import DAMAGE, Damaged

PORTION = 2**21  # bytes: about a hundred thousand lines

# A line is matched with a zero in place of each run of digits: few different lines are left.
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
    """The first lines of a file; `banner` is the very first."""

    banner: bytes
    form: str
    field: str
    symmetry: str
    sizes: tuple[int, ...]

    def text(self, n_entries):
        """Return the header of a file with this number of entries, as bytes."""
        sizes = [*self.sizes[:2], n_entries][: len(self.sizes)]
        return b"%s\n%s\n" % (self.banner, b" ".join(b"%d" % size for size in sizes))


def read_header(file):
    """Return the header of a file; its first entry is read next.

    Raises
    ------
    ValueError
        If the file does not begin as a matrix of real numbers.
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
    # In either case scipy would write outside of its arrays.
    if 0 in (n_rows, n_columns) or (symmetry != "general" and n_rows != n_columns):
        raise ValueError(f"it cannot be {n_rows} x {n_columns} and {symmetry}")
    return header


def read_bag_header(file):
    """Return the header of a bag of words of UCI's: its three sizes, one on each line.

    Its entries (document, word, count) are written as those of a MatrixMarket file.
    """
    sizes = []
    for what in ("documents", "words", "entries"):
        line = file.readline(PORTION).strip()
        if not line.isdigit():
            raise ValueError(f"it does not begin with the number of {what} on a line of its own")
        sizes.append(int(line))
    if 0 in sizes[:2]:
        raise ValueError(f"it cannot be {sizes[0]} x {sizes[1]}")
    form = "coordinate", "integer", "general"
    banner = b"%%MatrixMarket matrix coordinate integer general"
    return Header(banner, *form, tuple(sizes))


def read_lines(file, header):
    """Yield the entries of a file as bytes, some whole lines at a time.

    Raises
    ------
    ValueError
        If a line is not an entry.
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
    """Return whole lines, or raise if one of them does not match."""
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
    """A file object for scipy's reader, which yields a header and checked lines.

    An error that is raised within scipy's reader comes out as another one. Therefore the text ends
    before a wrong line, and `check` raises the error afterwards.
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
        except DAMAGE as error:  # also of the gzip file that the text comes from
            self._error = error
            return b""
        return content

    def check(self):
        """Raise the error that ended the text early, if any."""
        if self._error is not None:
            raise self._error


def read_market(file, size, header_reader=read_header):
    """Return the matrix of a MatrixMarket file, which has at most this number of bytes."""
    import scipy.io

    header = header_reader(file)
    dense = header.form == "array"
    n_entries = math.prod(header.sizes) if dense else header.sizes[-1]
    # scipy allocates arrays for what the header announces. A number takes at least two bytes.
    if n_entries * (2 if dense and header.symmetry == "general" else 1 if dense else 4) > size + 2:
        raise Damaged(f"it announces {n_entries:,} entries, more than it can have")
    text = CheckedText(file, header)
    try:
        return scipy.io.mmread(text)
    finally:
        text.check()


def read_coordinates(file, header):
    """Yield rows, columns and values of some lines at a time.

    scipy's reader gets each portion of lines as a file of its own.
    """
    import scipy.io

    found, announced = 0, header.sizes[-1]
    for lines in read_lines(file, header):
        count = sum(1 for line in lines.splitlines() if line.strip())
        if count:
            found += count
            X = scipy.io.mmread(io.BytesIO(header.text(count) + lines))
            yield X.row, X.col, X.data
    if found != announced:
        raise ValueError(f"it has {found} entries instead of the {announced} it announces")
