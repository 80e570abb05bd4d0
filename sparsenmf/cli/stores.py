"""`sparsenmf store`, and the output of `sparsenmf info` for a store."""

import click

from ..data.progress import counted
from .command import Command, Input, Output, say, tell_reading
from .options import progress_option


@click.command(cls=Command)
@click.argument("matrix", type=Input())
@click.argument("folder", type=Output())
@click.option("--append", is_flag=True, help="Add the rows to those in FOLDER.")
@click.option("--overwrite", is_flag=True, help="Replace the matrix in FOLDER.")
@click.option("--dtype", type=click.Choice(["float32", "float64"]),
              help="Default: that of MATRIX; float32 for integers.")  # fmt: skip
@progress_option
def store(matrix, folder, append, overwrite, dtype, progress):
    """Write MATRIX into FOLDER, from which factorize uses it without loading it into memory.

    MATRIX is a .npz (scipy.sparse), .mtx or .mtx.gz (MatrixMarket), .npy or .h5ad file, or such
    a folder. It is read in portions. If that fails, FOLDER stays as it was.

    \b
    Examples:
      sparsenmf store counts.mtx.gz counts/
      sparsenmf store december.npz counts/ --append
      sparsenmf info counts/ --verify
    """
    tell_reading(progress, matrix)
    from ..data.store.chunks import read_chunks
    from ..data.store.layout import absolute
    from ..data.store.writer import write_csr

    blocks = read_chunks(matrix, absolute(folder))
    if progress:
        blocks = counted(blocks, "store", "rows", lambda block: block.shape[0])
    written = write_csr(folder, blocks, append=append, overwrite=overwrite, dtype=dtype)
    click.echo(repr(written), err=True)


def describe_store(folder, verify):
    """Print the size of a store; with `verify` compare the checksums of its files first."""
    from ..data.store import open_csr

    opened = open_csr(folder, verify=verify)
    (n_samples, n_features), shards = opened.shape, opened.n_shards
    density = opened.nnz / (n_samples * n_features)
    say(f"Store of {n_samples:,} x {n_features:,}, {opened.nnz:,} nonzeros ({density:.3%})")
    size = f"{opened.nbytes / 2**20:,.1f} MiB on disk"
    say(f"  {opened.dtype}, {shards:,} shard{'s'[: shards != 1]}, {size}")
    if verify:
        say("  all checksums are right")
