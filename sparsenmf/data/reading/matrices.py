"""`read_matrix`: a matrix of samples x features from a file of any format that is read."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import scipy.sparse as sp

from ..annotated import check_part
from ..arguments import check_choice, check_flag
from ..compressed import plain_suffix
from ..damage import DAMAGE, describe_damage
from ..named import NamedMatrix
from ..names import feature_array, sample_array
from ..typing import Missing, PathLike
from ..validation import MISSING, check_matrix
from .arrays import read_bag, read_h5ad, read_mtx, read_npy, read_npz
from .content import Content
from .frames import read_frame_file
from .mistaken import BINARY, find_emptiness, find_mistake
from .pairs import read_lda_c, read_svmlight
from .sniffing import find_format
from .tables import read_table
from .tenx import read_10x, read_hdf5
from .triplets import read_triplets

READERS: dict[str, Callable[[Path], Content]] = {
    "npz": read_npz,
    "npy": read_npy,
    "mtx": read_mtx,
    "10x": read_10x,
    "bag-of-words": read_bag,
    "svmlight": read_svmlight,
    "svmlight-0": partial(read_svmlight, from_zero=True),
    "lda-c": read_lda_c,
}

WITH_GAPS = {"table": read_table, "triplets": read_triplets, "frame": read_frame_file}
"""Readers that are told what absent entries are."""

WITH_PARTS = {"h5ad": read_h5ad, "hdf5": read_hdf5}
"""Readers that are told which part of an AnnData is meant."""


@contextlib.contextmanager
def naming(path):
    """Make what a damaged file raises in the block a ValueError that names the file."""
    try:
        yield
    except UnicodeDecodeError as error:
        if plain_suffix(path) in BINARY:
            raise _unusable(path, describe_damage(error)) from error
        bad = error.object[error.start]
        how = "convert it first, such as: iconv -f latin1 -t utf-8"
        raise _unusable(path, f"it is not UTF-8 (byte 0x{bad:02x}); {how}") from error
    except (*DAMAGE, ImportError) as error:
        mistake = find_mistake(Path(path))
        if mistake is None and isinstance(error, ImportError):
            raise
        why = mistake or find_emptiness(Path(path)) or describe_damage(error)
        raise _unusable(path, why) from error


def _unusable(path, why):
    """Return the error that a file has no matrix, with the name of the file once."""
    why = why.removeprefix(f"{path} ") if why.startswith(f"{path} is ") else why
    why = f"it {why}" if why.startswith("is ") else why
    return ValueError(f"{path} is not a matrix that can be used: {why}")


def read_matrix(
    path: PathLike,
    *,
    format: str | None = None,
    transpose: bool = False,
    missing: Missing | None = None,
    layer: str | None = None,
    raw: bool = False,
) -> sp.csr_array:
    r"""Read a matrix of samples x features from a file, as sparse, with its names.

    Parameters
    ----------
    path : str or path-like
        ``.npz`` (`scipy.sparse.save_npz`), ``.npy``, ``.mtx`` or ``.mm`` (MatrixMarket), ``.h5ad``
        (AnnData; extra `h5ad`); a folder, ``matrix.mtx`` or ``.h5`` of 10x Genomics, whose genes x
        cells are turned; ``.svmlight``, ``.libsvm``; ``.ldac`` (lda-c); ``docword.*.txt`` (UCI's
        bag of words); ``.csv``, ``.tsv``, ``.txt`` with rows of numbers, with or without names, or
        with a sample, a feature and a value on each line (``user,item,rating``); ``.parquet``,
        ``.feather`` and ``.xlsx`` with such (extras `parquet`, `excel`). Any of them may be
        compressed (.gz, .bz2, .xz, .zst), and suffixes count in any case.
    format : {"mtx", "svmlight", "svmlight-0", "lda-c", "bag-of-words", "table", "triplets"}
        Optional: by default it is told by the name and the first lines of the file. "svmlight-0"
        is svmlight whose features are numbered from 0. Otherwise that is known if there is a
        feature 0, or if scikit-learn's remark says so, and else they are numbered from 1.
    transpose : bool, default False
        Whether the rows of the file are features, and its columns samples.
    missing : {"zero", "unknown"}, optional
        What absent entries are, as in `factorize`. With "unknown", stored zeros are kept, and
        NaN and empty cells are left out. Default: "unknown" for ratings, with a UserWarning, and
        "zero" for all else.
    layer : str, optional
        Of an AnnData: this layer in place of X, such as "counts".
    raw : bool, default False
        Of an AnnData: ``raw.X`` in place of X.

    Returns
    -------
    NamedMatrix or scipy.sparse.csr_array
        A `NamedMatrix` where the file carries names. Checked as in `factorize`: non-negative,
        finite, and float32 (integers too, if float32 holds them exactly) or float64.

    Raises
    ------
    OSError
        If the file cannot be opened (FileNotFoundError where there is none).
    ValueError
        If the file is of another kind, is damaged, holds pickled objects, or its matrix is
        refused.
    ImportError
        If the format needs another package.

    Warns
    -----
    UserWarning
        If the entries are ratings and `missing` is not given: `factorize` takes absent entries
        for zeros unless it is told, too. If the first column of a table counts up from row to row
        and is taken for a feature all the same.

    Examples
    --------
    >>> import os, tempfile
    >>> from sparsenmf import read_matrix
    >>> path = os.path.join(tempfile.mkdtemp(), "counts.csv")
    >>> with open(path, "w") as file:
    ...     _ = file.write("id,cat,stock\nmonday,2,0\ntuesday,0,1\n")
    >>> X = read_matrix(path)
    >>> X.feature_names.tolist(), X.sample_names.tolist()
    (['cat', 'stock'], ['monday', 'tuesday'])
    """
    check_flag(transpose, "transpose")
    if missing is not None:
        check_choice(missing, "missing", MISSING)
    content = read_content(path, format=format, missing=missing, layer=layer, raw=raw)
    if content.rated and missing is None:
        warnings.warn(
            f"{path} has ratings: what is not in it is unknown, not zero. Pass missing="
            f'"unknown" to factorize and to read_matrix; missing="zero" takes them for counts',
            stacklevel=2,
        )
    return checked_matrix(path, content, missing, transpose)


def read_content(path: PathLike, *, format=None, missing=None, layer=None, raw=False):
    """Return the `Content` of a file, with a matrix that is not yet checked."""
    path = Path(path)
    if not path.is_dir():
        open(path, "rb").close()  # errors of opening a file are its own
    with naming(path):
        form = find_format(path, format)
    check_part(layer, raw, path, form in WITH_PARTS)
    with naming(path):
        if form in WITH_PARTS:
            return WITH_PARTS[form](path, layer, raw)
        return WITH_GAPS[form](path, missing) if form in WITH_GAPS else READERS[form](path)


def checked_matrix(path: PathLike, content: Content, missing, transpose):
    """Return the matrix of a content as `read_matrix` does."""
    unknown = (missing or ("unknown" if content.rated else "zero")) == "unknown"
    with naming(path):
        X = check_matrix(content.matrix, keep_zeros=unknown, allow_nan=unknown)
        features = feature_array(_unless_numbered(content.feature_names), X.shape[1])
        samples = sample_array(_unless_numbered(content.sample_names), X.shape[0])
    if transpose:
        X = sp.csr_array(X.T)
        features, samples = (
            None if samples is None else feature_array(samples, X.shape[1]),
            features,
        )
    if features is None and samples is None:
        return X
    return NamedMatrix(X, feature_names=features, sample_names=samples)


def _unless_numbered(names):
    """Return names, or None if they are the numbers from 0 on, which pandas writes for no names."""
    if names is not None and list(map(str, names)) == list(map(str, range(len(names)))):
        return None
    return names
