"""MatrixMarket files, in portions of lines: each goes to scipy's reader as a file of its own."""

import gzip
import io

import scipy.io

from ..files import GuardedText
from .triplets import Triplets

PORTION = 2**23  # bytes: about half a million lines


def open_market(file, suffix, stack):
    """Return the `Triplets` of a MatrixMarket file in coordinate format."""
    if suffix == ".mtx.gz":
        file = stack.enter_context(gzip.GzipFile(fileobj=file))
    banner = file.readline(PORTION)
    words = banner.decode("ascii", "replace").lower().split()
    if len(words) != 5 or words[:2] != ["%%matrixmarket", "matrix"]:
        raise ValueError("it does not begin with %%MatrixMarket matrix")
    if words[2] != "coordinate":
        raise ValueError(f"it is in {words[2]} format, not coordinate: save it as .npy")
    if words[3] == "complex":
        raise ValueError("it must hold real numbers, not complex ones")
    line = b"%"
    while line.startswith(b"%") or (line and not line.strip()):
        line = file.readline(PORTION)
    sizes = [int(word) for word in line.split()]
    if len(sizes) != 3 or min(sizes) < 0:
        raise ValueError("it has no line with its three sizes")
    n_rows, n_columns, n_entries = sizes
    symmetric = words[4] != "general"
    # As in `read_matrix`: scipy would write outside of its arrays.
    if 0 in (n_rows, n_columns) or (symmetric and n_rows != n_columns):
        raise ValueError(f"it cannot be {n_rows} x {n_columns} and {words[4]}")
    head = b"%s\n%d %d" % (banner.strip(), n_rows, n_columns)
    return Triplets((n_rows, n_columns), _parse(file, head, n_entries))


def _parse(file, head, n_entries):
    """Yield rows, columns and values of some lines at a time."""
    text, rest, found = GuardedText(file), b"", 0
    while content := text.read(PORTION):
        lines, newline, tail = (rest + content).rpartition(b"\n")
        rest, lines = tail, lines + newline
        if len(rest) > PORTION:
            raise ValueError(f"it has a line of more than {PORTION:,} bytes")
        count = sum(1 for line in lines.splitlines() if line.strip())
        if count:
            found += count
            portion = b"%s %d\n%s" % (head, count, lines)
            X = scipy.io.mmread(GuardedText(io.BytesIO(portion)))
            yield X.row, X.col, X.data
    text.check()
    if found != n_entries:
        raise ValueError(f"it has {found} entries instead of the {n_entries} it announces")
