"""`sparsenmf transform`, `info` and `warmup`."""

from pathlib import Path

import click
from click.core import ParameterSource

from ..data.progress import tell
from .command import Command, Input, say, tell_reading
from .matrices import describe_matrix, reading_options
from .options import factor_option, progress_option, terms_option, threads_option, vocabulary_option
from .stores import describe_store
from .texts import TextCommand, read_documents, text_options


@click.command(cls=TextCommand)
@click.argument("model", type=Input())
@click.argument("paths", type=Input(), nargs=-1, metavar="MATRIX|TEXTS...")
@factor_option
@text_options
@click.option("--tol", type=click.FloatRange(min=0), default=1e-5, show_default=True,
              help="Stop updating a row when a sweep changes it by less than this.")  # fmt: skip
@click.option("--strict-names", is_flag=True,
              help="Refuse columns whose names or order are not those of the fit.")  # fmt: skip
@threads_option
@progress_option
def transform(model, paths, output, tol, strict_names, n_threads, progress, **how):
    """Write the weights of new samples for the components of a saved MODEL.

    Of a model of texts (sparsenmf topics --save), new TEXTS are read as topics reads them. A
    table then has each text's title and the shares of the topics in it; .npy and .npz have W.

    Otherwise the columns of MATRIX must be those of the fit. Where both have names, they are
    matched: others are put in order, missing ones count as zero, and unknown ones are left out.
    Tables begin with the names of the samples, if MATRIX has any. Counts are weighed as they were
    for the fit, with --tfidf.

    \b
    Examples:
      sparsenmf transform model.npz new.npz --output W.npy
      sparsenmf transform model.npz new.mtx.gz --output W.parquet
      sparsenmf transform model new.txt --output shares.csv
      sparsenmf transform model new.csv --field text --title-field id --output shares.csv
    """
    tell_reading(progress, model, *paths)
    from ..models.announcing import compiling_is_told
    from ..topics.saving import is_text_model

    of_texts = is_text_model(model) and not (len(paths) == 1 and is_matrix(paths[0]))
    options = {"tol": tol, "n_threads": n_threads}
    if not of_texts:
        options["strict_names"] = strict_names
    with compiling_is_told(progress):
        what = (transform_texts if of_texts else transform_matrix)(
            model, paths, output, how, options, progress
        )
    click.echo(f"{what} written to {output}", err=True)


def transform_texts(model, paths, output, how, options, progress):
    """Write the shares or weights of new texts, and say how many."""
    from ..data.files import TABLE_SUFFIXES, write_factor, write_table
    from ..topics.text_model import Topics

    found = Topics.load(model)
    _, titles, texts = read_documents(paths, **how, progress=progress)
    if progress:
        tell(f"finding the weights of {len(texts):,} texts")
    W = found.transform(texts, **options)
    if Path(output).suffix in TABLE_SUFFIXES:
        write_table(output, found.share_table(W, titles))
        return f"the shares of {W.shape[1]} topics in {W.shape[0]:,} texts"
    write_factor(output, W)
    return f"{W.shape[0]:,} x {W.shape[1]} weights"


def transform_matrix(model, paths, output, how, options, progress):
    """Write the weights of new samples, and say how many."""
    from ..data.files import write_factor
    from ..data.named import names_of
    from ..data.store import open_matrix
    from ..models.factorization import Factorization

    context = click.get_current_context()
    given = [
        name for name in how if context.get_parameter_source(name) is not ParameterSource.DEFAULT
    ]
    if given or len(paths) != 1:
        what = f"--{given[0].replace('_', '-')} is for texts" if given else "one MATRIX is needed"
        raise click.UsageError(
            f"{what}: {model} or its input is of a matrix (sparsenmf topics --save writes models "
            f"of texts)"
        )
    loaded, X = Factorization.load(model), open_matrix(paths[0])
    if progress:
        tell(f"finding the weights of {X.shape[0]:,} samples")
    W = loaded.transform(X, **options)
    write_factor(output, W, names_of(X)[1])
    return f"{W.shape[0]:,} x {W.shape[1]} weights"


def is_matrix(path):
    """Return whether a path is one of a matrix or a store, and not of texts."""
    from ..data.compressed import plain_suffix
    from ..data.outputs import STORE
    from ..data.texts import MATRICES

    return plain_suffix(path) in MATRICES or (Path(path) / STORE).exists()


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
