"""`sparsenmf transform`, `info` and `warmup`."""

from pathlib import Path

import click

from ..data.progress import tell
from .command import Command, Input, say, tell_reading
from .matrices import describe_matrix, read_given, reading_options
from .options import factor_option, progress_option, terms_option, threads_option, vocabulary_option
from .stores import describe_store


@click.command(cls=Command)
@click.argument("model", type=Input())
@click.argument("matrix", type=Input())
@factor_option
@click.option("--tol", type=click.FloatRange(min=0), default=1e-5, show_default=True,
              help="Stop updating a row when a sweep changes it by less than this.")  # fmt: skip
@click.option("--strict-names", is_flag=True,
              help="Refuse columns whose names or order are not those of the fit.")  # fmt: skip
@reading_options
@threads_option
@progress_option
def transform(model, matrix, output, tol, strict_names, n_threads, progress, **how):
    """Write the W of the samples in MATRIX for the components of a saved MODEL.

    MATRIX is what factorize takes, and is read in the same way: after a fit with --transpose it
    needs that option, too. Its columns must be those of the fit, with the same weighting. Where
    both have names, they are matched: others are put in order, missing ones count as zero, and
    unknown ones are left out. Tables begin with the names of the samples, if MATRIX has any.

    \b
    Examples:
      sparsenmf transform model.npz new.npz --output W.npy
      sparsenmf transform model.npz new.mtx.gz --output W.parquet
    """
    tell_reading(progress, model, matrix)
    from ..data.files import write_factor
    from ..data.named import names_of
    from ..models.announcing import compiling_is_told
    from ..models.factorization import Factorization

    loaded = Factorization.load(model)
    X = read_given(matrix, {**how, "missing": how["missing"] or loaded.missing}).X
    if progress:
        tell(f"finding the weights of {X.shape[0]:,} samples")
    with compiling_is_told(progress):
        W = loaded.transform(X, tol=tol, n_threads=n_threads, strict_names=strict_names)
    write_factor(output, W, names_of(X)[1])
    click.echo(f"{W.shape[0]:,} x {W.shape[1]} weights written to {output}", err=True)


@click.command(cls=Command)
@click.argument("file", type=Input())
@click.option("-k", "--components", "n_components", type=click.IntRange(min=1), default=20,
              show_default=True, help="Components for which the memory is estimated.")  # fmt: skip
@vocabulary_option
@terms_option
@click.option("--verify", is_flag=True, help="Compare the checksums of a store's files.")
@reading_options
@progress_option
def info(file, n_components, vocabulary, n_terms, verify, progress, **how):
    """Say what is in FILE: a matrix, a saved factorization, or the folder of a store.

    Of a matrix it says which side is samples, and whether it looks turned.

    \b
    Examples:
      sparsenmf info X.npz -k 100
      sparsenmf info model.npz --vocabulary terms.txt
      sparsenmf info counts/ --verify
    """
    tell_reading(progress, file)
    from ..data.archive import is_archive
    from ..data.store.chunks import is_store_folder, refuse_options

    if Path(file).is_dir() and is_store_folder(Path(file)):
        refuse_options(file, **{name: how[name] for name in how if name != "missing"})
        describe_store(file, verify)
        return
    if verify:
        raise click.UsageError("--verify is for the folder of a store")

    if Path(file).is_dir() or not is_archive(file):
        describe_matrix(file, how, vocabulary, n_components)
        return
    from ..data.files import read_vocabulary
    from ..models.factorization import Factorization

    model = Factorization.load(file)
    say(repr(model))
    if vocabulary is not None:
        for r, terms in enumerate(model.top_terms(read_vocabulary(vocabulary), n_terms), 1):
            say(f"{r:3d}. {', '.join(terms)}")


@click.command(cls=Command)
@progress_option
def warmup(progress):
    """Compile all kernels and store them, so that later processes need not compile.

    This is for container images. It takes a minute or two and prints the folder, which
    SPARSENMF_CACHE_DIR sets.

    \b
    Example:
      RUN SPARSENMF_CACHE_DIR=/opt/sparsenmf sparsenmf warmup
      ENV SPARSENMF_CACHE_DIR=/opt/sparsenmf
    """
    if progress:
        tell("compiling all kernels, once for this machine: a minute or two")
    from ..models import warmup as _warmup

    folder: Path | None = _warmup.warmup(progress=progress)
    if folder is None:
        raise click.ClickException(
            "the kernels are not stored: SPARSENMF_CACHE is 0, or no cache folder can be used"
        )
    say(str(folder))
