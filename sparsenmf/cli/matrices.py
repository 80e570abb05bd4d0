"""Matrices that subcommands read: their options, their names, and which side is samples."""

from pathlib import Path
from typing import Any, NamedTuple

import click

from ..data.reading.sniffing import CHOICES
from ..data.shell import quote
from .command import name_of, say
from .options import together
from .streams import on_one_line

BESIDE = ("vocab.txt", "vocabulary.txt", "terms.txt", "features.tsv", "genes.tsv", "genes.txt")
"""Files of names that may lie beside a matrix without any."""

SHOWN = 3  # names of a side

READING = ("input_format", "transpose", "missing", "layer", "raw")

reading_options = together(
    click.option(
        "--transpose", is_flag=True, help="The rows of the file are features, the columns samples."
    ),
    click.option(
        "--missing",
        type=click.Choice(["zero", "unknown"]),
        help="What absent entries are. Default: unknown for ratings, else zero.",
    ),
    click.option(
        "--input-format",
        type=click.Choice(CHOICES),
        help="What is in the file. Default: as its name and its first lines tell.",
    ),
    click.option("--layer", metavar="NAME", help="Of an AnnData: this layer in place of X."),
    click.option("--raw", is_flag=True, help="Of an AnnData: raw.X in place of X."),
)


class ReadMatrix(NamedTuple):
    """A matrix that was read for a subcommand, and what was found out about it.

    Attributes
    ----------
    X : matrix or CsrStore
    missing : "zero" or "unknown"
        What absent entries are.
    terms : list of str or None
        Names of the columns.
    turned : str or None
        Why its rows seem to be features.
    """

    X: Any
    missing: str
    terms: list[str] | None
    turned: str | None


def split_reading(options):
    """Take the options of reading out of those of a subcommand, and return them."""
    return {name: options.pop(name) for name in READING}


def read_given(path, how, vocabulary=None):
    """Return the `ReadMatrix` of a file, a 10x folder, or a store.

    Parameters
    ----------
    path : str
    how : dict
        The options in `READING`.
    vocabulary : str, optional
        A file with the names of the columns, which count in place of those in the matrix.

    Raises
    ------
    OSError, TypeError, ValueError, ImportError
        As `read_matrix`, or if the vocabulary does not fit.
    """
    from ..data.reading import looks_turned
    from ..data.store.chunks import is_store_folder

    options = {("format" if name == "input_format" else name): x for name, x in how.items()}
    given = (_open_store if is_store_folder(Path(path)) else _read)(path, options)
    X, terms = given.X, _list(given.X.feature_names)
    samples = X.sample_names
    if vocabulary is not None:
        X, terms = _name(X, path, vocabulary, how["transpose"])
    turned = None if how["transpose"] else looks_turned(terms, samples, given.turned or "")
    return ReadMatrix(X, given.missing, terms, turned)


def _open_store(path, options):
    from ..data.store import open_matrix

    missing = options.pop("missing")
    return ReadMatrix(open_matrix(path, **options), missing or "zero", None, None)


def _read(path, options):
    """Return the matrix in a file; `turned` is what the file calls its rows."""
    from ..data.named import NamedMatrix
    from ..data.reading import checked_matrix, read_content

    transpose, missing = options.pop("transpose"), options["missing"]
    content = read_content(path, **options)
    if content.rated and missing is None:
        missing = "unknown"
        click.echo(
            f"Remark: {name_of(path)} has ratings: what is not in it is unknown, not zero "
            f"(--missing zero takes them for counts).",
            err=True,
        )
    X = checked_matrix(path, content, missing, transpose)
    X = X if isinstance(X, NamedMatrix) else NamedMatrix(X)
    return ReadMatrix(X, missing or "zero", None, content.row_title)


def _name(X, path, vocabulary, transposed):
    """Return a matrix with the terms in a file as names of its columns, and the terms."""
    from ..data.named import NamedMatrix
    from ..data.reading import read_vocabulary

    terms = read_vocabulary(vocabulary)
    if len(terms) != X.shape[1]:
        fits = len(terms) == X.shape[0]
        how = "without" if transposed else "with"
        raise ValueError(
            f"{vocabulary} has {len(terms)} terms, but {path} has {X.shape[1]} columns"
            + (f" and {len(terms)} rows: type the command {how} --transpose" if fits else "")
        )
    if not isinstance(X, NamedMatrix):  # a store
        return X, terms
    return NamedMatrix(X, feature_names=terms, sample_names=X.sample_names), terms


def _list(names):
    return None if names is None else [str(name) for name in names]


def tell_turned(path, turned):
    """Say on stderr that a matrix seems to be turned, if it does."""
    if turned is not None:
        click.echo(
            f"Remark: the rows of {name_of(path)} look like features, not samples: {turned}. "
            f"With --transpose they are taken as features.",
            err=True,
        )


def weigh(X, missing):
    """Return a matrix weighed by tf-idf, and the weights of its columns, if it can be weighed."""
    from ..data.store import is_store
    from ..topics.weighting import weights_and_idf

    if is_store(X):
        raise click.UsageError("--tfidf is for matrices in memory: weigh before you store")
    if missing == "unknown":
        raise click.UsageError("--tfidf is for counts, whose absent entries are zeros")
    return weights_and_idf(X)


def describe_matrix(path, how, vocabulary, n_components):
    """Print the size of a matrix, which side is samples, and the memory of factorizing it."""
    from ..models.memory import estimate_memory

    given = read_given(path, how, vocabulary)
    X = given.X
    n_samples, n_features = X.shape
    density = X.nnz / (n_samples * n_features)
    size = (X.data.nbytes + X.indices.nbytes + X.indptr.nbytes) / 2**20
    say(f"Matrix of {n_samples:,} x {n_features:,}, {X.nnz:,} nonzeros ({density:.3%})")
    describe_sides(path, given, how["transpose"])
    say(f"  computed with as {X.dtype}, {size:,.0f} MiB")
    if given.missing == "unknown":
        say("  entries that are not stored are unknown, not zero")
    forecast = estimate_memory(X, n_components, missing=given.missing)
    say(f"  factorizing it into {n_components} components takes {forecast}")


def describe_sides(path, given, transposed=False):
    """Print how many samples and features a matrix has, with some names, and if it looks turned."""
    X = given.X
    rows, columns = ("columns", "rows") if transposed else ("rows", "columns")
    say(f"  {X.shape[0]:,} samples (its {rows}){_some(X.sample_names)}")
    say(f"  {X.shape[1]:,} features (its {columns}){_some(given.terms)}")
    turned, beside = given.turned, None
    if given.terms is None:
        beside, turned = _look_beside(path, X.shape)
    if turned is not None:
        how = "without" if transposed else "with"
        say(f"  It looks turned: {turned}. If so, type the command {how} --transpose.")
    elif beside is not None:
        say(f"  {beside.name} beside it has as many names: --vocabulary {quote(str(beside))}")


def _some(names):
    if names is None or not len(names):
        return ", without names"
    shown = ", ".join(map(on_one_line, names[:SHOWN]))
    return f": {shown}{', ...' if len(names) > SHOWN else ''}"


def _look_beside(path, shape):
    """Return a file of names beside a matrix that fits its columns, and why it looks turned."""
    from ..data.reading import read_vocabulary
    from ..data.reading.content import find_beside

    n_samples, n_features = shape
    path = Path(path) if Path(path).name else Path(path).absolute()  # "." has no name
    for name in BESIDE:
        file = find_beside(path, name)
        if file is not None:
            n = len(read_vocabulary(file))
            if n == n_features:
                return file, None
            if n == n_samples:
                return None, f"{file.name} beside it has {n:,} names, as many as it has samples"
    return None, None
