"""MatrixMarket files, in portions of lines: each goes to scipy's reader as a file of its own."""

import gzip
import io

import scipy.io

from ..market import read_header, read_lines
from .triplets import Triplets


def open_market(file, suffix, stack):
    """Return the `Triplets` of a MatrixMarket file in coordinate format."""
    if suffix == ".mtx.gz":
        file = stack.enter_context(gzip.GzipFile(fileobj=file))
    header = read_header(file)
    if header.form != "coordinate":
        raise ValueError(f"it is in {header.form} format, not coordinate: save it as .npy")
    return Triplets(header.sizes[:2], _parse(file, header))


def _parse(file, header):
    """Yield rows, columns and values of some lines at a time."""
    found, announced = 0, header.sizes[-1]
    for lines in read_lines(file, header):
        count = sum(1 for line in lines.splitlines() if line.strip())
        if count:
            found += count
            X = scipy.io.mmread(io.BytesIO(header.text(count) + lines))
            yield X.row, X.col, X.data
    if found != announced:
        raise ValueError(f"it has {found} entries instead of the {announced} it announces")
