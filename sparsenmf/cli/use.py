"""`sparsenmf transform`, `info` and `warmup`."""

from pathlib import Path

import click

from ..data.progress import tell
from .command import Command, Input, say, tell_reading
from .matrices import describe_matrix, read_given, reading_options
from .options import (
    excel_option,
    factor_option,
    order_option,
    progress_option,
    terms_option,
    threads_option,
    vocabulary_option,
)
from .stores import describe_store


@click.command(cls=Command)
@click.argument("model", type=Input())
@click.argument("matrix", type=Input())
@factor_option
@excel_option
@click.option("--tol", type=click.FloatRange(min=0), default=1e-5, show_default=True,
              help="Stop updating a row when a sweep changes it by less than this.")  # fmt: skip
@click.option("--strict-names", is_flag=True,
              help="Refuse columns whose names or order are not those of the fit.")  # fmt: skip
@reading_options
@threads_option
@progress_option
def transform(model, matrix, output, excel, tol, strict_names, n_threads, progress, **how):
    """Write the W of the samples in MATRIX for the components of a saved MODEL.

    \b
    Examples:
      sparsenmf transform model.npz new.npz --output W.npy
      sparsenmf transform model.npz new.mtx.gz --output W.csv
      sparsenmf transform model.npz cells.h5ad --output W.xlsx

    MATRIX is what factorize takes, and is read in the same way: after a fit with --transpose it
    needs that option, too. Its columns must be those of the fit, with the same weighting. Where
    both have names, they are matched: others are put in order, missing ones count as zero, and
    unknown ones are left out. Tables begin with the names of the samples, if MATRIX has any.
    """
    tell_reading(progress, model, matrix)
    from ..data.named import names_of
    from ..data.tables import write_factor
    from ..models.announcing import compiling_is_told
    from ..models.factorization import Factorization

    loaded = Factorization.load(model)
    X = read_given(matrix, {**how, "missing": how["missing"] or loaded.missing}).X
    if progress:
        tell(f"finding the weights of {X.shape[0]:,} samples")
    with compiling_is_told(progress):
        W = loaded.transform(X, tol=tol, n_threads=n_threads, strict_names=strict_names)
    write_factor(output, W, names_of(X)[1], excel=excel)
    click.echo(f"{W.shape[0]:,} x {W.shape[1]} weights written to {output}", err=True)


@click.command(cls=Command)
@click.argument("file", type=Input())
@click.option("-k", "--components", "n_components", type=click.IntRange(min=1), default=20,
              show_default=True, help="Components for which the memory is estimated.")  # fmt: skip
@vocabulary_option
@terms_option
@order_option
@click.option("--verify", is_flag=True, help="Compare the checksums of a store's files.")
@reading_options
@progress_option
def info(file, n_components, vocabulary, n_terms, by, verify, progress, **how):
    """Say what is in FILE: a matrix, a saved factorization, or the folder of a store.

    \b
    Examples:
      sparsenmf info X.npz -k 100
      sparsenmf info model.npz --by distinctive
      sparsenmf info counts/ --verify

    Of a matrix it says which side is samples, whether it looks turned, and how much memory it
    takes to factorize it; of a factorization how the fit ended, and the topics if their terms are
    known.
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
    from ..models.ranking import has_terms
    from ..topics.tables import terms_in_columns

    model = Factorization.load(file)
    say(repr(model))
    terms = None if vocabulary is None else read_vocabulary(vocabulary)
    if has_terms(model, terms):
        columns = terms_in_columns(model, terms, n_terms, by).values()
        for r, lists in enumerate(zip(*columns, strict=True), 1):
            say(f"{r:3d}. {', '.join(lists[0])}")
            for distinctive in lists[1:]:
                say(f"     distinctive: {', '.join(distinctive)}")


@click.command(cls=Command)
@progress_option
def warmup(progress):
    """Compile all kernels and store them, so that later processes need not compile.

    \b
    Examples:
      sparsenmf warmup
      SPARSENMF_CACHE_DIR=/opt/sparsenmf sparsenmf warmup --progress
      RUN sparsenmf warmup    (in a Dockerfile, after ENV SPARSENMF_CACHE_DIR=/opt/sparsenmf)

    It takes a minute or two and prints the folder, which SPARSENMF_CACHE_DIR sets. Container
    images that have it start at once.
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
