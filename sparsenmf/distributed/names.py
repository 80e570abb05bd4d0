"""Names of features and samples of blocks that are on workers."""

import zlib

import numpy as np

from ..data.named import names_of
from ..data.store.shards import join_names


def gather_names(crew, X, parts):
    """Return the names of the features and of the samples of blocks, each None if there are none.

    Parameters
    ----------
    crew : Crew
    X : matrix
        As a user passed it: a store knows its names.
    parts : list of Future

    Raises
    ------
    ValueError
        If blocks have other names of features than the first one; the message names a block.
    """
    if hasattr(type(X), "rows"):
        return names_of(X)
    whole = [number == 0 for number in range(len(parts))]
    found = crew.gather(crew.map(name_block, parts, whole))
    features, first, _, _ = found[0]
    for number, (_, checksum, _, _) in enumerate(found):
        if checksum != first:
            raise ValueError(
                f"X (block {number}) has other names of features than block 0: put the columns of "
                f"all blocks in one order, or drop the names"
            )
    return features, join_names([(samples, n) for *_, samples, n in found])


def name_block(part, whole):
    """Return the names of a block's features, if wanted, their checksum, its samples' and rows."""
    pieces = part if isinstance(part, list) else [part]
    names = [names_of(piece) for piece in pieces]
    sizes = [np.shape(piece)[0] for piece in pieces]
    marks = {None if features is None else _checksum(features) for features, _ in names}
    if len(marks) > 1:
        raise ValueError("a block of X has pieces with other names of features than others")
    samples = join_names([(samples, n) for (_, samples), n in zip(names, sizes, strict=True)])
    return names[0][0] if whole else None, marks.pop(), samples, sum(sizes)


def _checksum(names):
    return zlib.crc32("\n".join(names.tolist()).encode(errors="surrogatepass"))
