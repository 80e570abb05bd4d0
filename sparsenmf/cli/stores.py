"""`sparsenmf store`, and the output of `sparsenmf info` for a store."""

import click

from ..data.progress import counted
from .command import Command, Input, Output, say, tell_reading
from .matrices import ReadMatrix, describe_sides, reading_options
from .options import progress_option


@click.command(cls=Command)
@click.argument("matrix", type=Input())
@click.argument("folder", type=Output())
@click.option("--append", is_flag=True, help="Add the rows to those in FOLDER.")
@click.option("--overwrite", is_flag=True, help="Replace the matrix in FOLDER.")
@click.option("--dtype", type=click.Choice(["float32", "float64"]),
              help="Default: that of MATRIX; float32 for integers.")  # fmt: skip
@click.option("--both-sides", is_flag=True,
              help="Write the transpose, too, for Kullback-Leibler by cd.")  # fmt: skip
@reading_options
@progress_option
def store(matrix, folder, append, overwrite, dtype, both_sides, progress, **options):
    """Write MATRIX into FOLDER, from which factorize uses it without loading it into memory.

    \b
    Examples:
      sparsenmf store counts.mtx.gz counts/
      sparsenmf store december.npz counts/ --append
      sparsenmf store cells.h5ad cells/ --overwrite --both-sides

    MATRIX is what factorize takes, or such a folder. Files of .npz, .mtx, .npy and .h5ad, those
    of 10x Genomics and docword.*.txt are read in portions, others as a whole. If that fails,
    FOLDER stays as it was.
    """
    tell_reading(progress, matrix)
    from ..data.store.chunks import read_chunks
    from ..data.store.layout import absolute
    from ..data.store.writer import write_csr

    options["format"] = options.pop("input_format")
    if options["missing"] == "unknown":
        raise click.UsageError("what is not in a store is zero: factorize MATRIX itself")
    blocks = read_chunks(matrix, absolute(folder), **options)
    if progress:
        blocks = counted(blocks, "store", "rows", lambda block: block.shape[0])
    written = write_csr(
        folder, blocks, append=append, overwrite=overwrite, dtype=dtype, both_sides=both_sides
    )
    click.echo(repr(written), err=True)


def describe_store(folder, verify):
    """Print the size of a store; with `verify` compare the checksums of its files first."""
    from ..data.reading import looks_turned
    from ..data.store import open_csr

    opened = open_csr(folder, verify=verify)
    (n_samples, n_features), shards = opened.shape, opened.n_shards
    density = opened.nnz / (n_samples * n_features)
    say(f"Store of {n_samples:,} x {n_features:,}, {opened.nnz:,} nonzeros ({density:.3%})")
    terms = None if opened.feature_names is None else list(opened.feature_names)
    describe_sides(
        folder, ReadMatrix(opened, "zero", terms, looks_turned(terms, opened.sample_names))
    )
    sides = "" if opened.transposed is None else ", with its transpose"
    size = f"{opened.nbytes / 2**20:,.1f} MiB on disk{sides}"
    say(f"  {opened.dtype}, {shards:,} shard{'s'[: shards != 1]}, {size}")
    if verify:
        say("  all checksums are right")
