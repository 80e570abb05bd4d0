"""`sparsenmf transform`, `info` and `warmup`."""

from pathlib import Path

import click
from click.core import ParameterSource

from ..data.progress import tell
from .command import Command, Input, refuse_given, say, tell_reading
from .matrices import describe_matrix, read_given, reading_options, split_reading
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
from .streams import on_one_line, sanitize
from .texts import TextCommand, read_documents, text_options

OF_MATRIX = "{} or its input is of a matrix (sparsenmf topics --save writes models of texts)"


@click.command(cls=TextCommand)
@click.argument("model", type=Input())
@click.argument("paths", type=Input(), nargs=-1, metavar="MATRIX|TEXTS...")
@factor_option
@excel_option
@text_options
@click.option("--tol", type=click.FloatRange(min=0), default=1e-5, show_default=True,
              help="Stop updating a row when a sweep changes it by less than this.")  # fmt: skip
@click.option("--strict-names", is_flag=True,
              help="Refuse columns whose names or order are not those of the fit.")  # fmt: skip
@reading_options
@threads_option
@progress_option
def transform(model, paths, output, excel, tol, strict_names, n_threads, progress, **how):
    """Write the weights of new samples for the components of a saved MODEL.

    \b
    Examples:
      sparsenmf transform model.npz new.npz --output W.npy
      sparsenmf transform model.npz new.txt --output shares.csv
      sparsenmf transform model.npz cells.h5ad --output W.xlsx

    For a model of texts (sparsenmf topics --save), new TEXTS are read as topics reads them. A table
    then has each text's title and the shares of the topics in it; .npy and .npz have W.

    Otherwise MATRIX is what factorize takes, and is read in the same way: after a fit with
    --transpose it needs that option, too. Its columns must be those of the fit. Where both have
    names, they are matched: others are put in order, missing ones count as zero, and unknown ones
    are left out. Tables begin with the names of the samples, if MATRIX has any. Counts are weighed
    as they were for the fit, with --tfidf.
    """
    tell_reading(progress, model, *paths)
    from ..models.announcing import compiling_is_told
    from ..topics.saving import is_text_model

    reading, options = split_reading(how), {"tol": tol, "n_threads": n_threads}
    with compiling_is_told(progress):
        if is_text_model(model) and not (len(paths) == 1 and is_matrix(paths[0])):
            refuse_given(reading, f"is for matrices, and {model} is a model of texts")
            how["progress"] = progress
            what = transform_texts(model, paths, output, excel, how, options)
        else:
            refuse_given(how, f"is for texts: {OF_MATRIX.format(model)}")
            reading["progress"], options["strict_names"] = progress, strict_names
            what = transform_matrix(model, paths, output, excel, reading, options)
    click.echo(f"{what} written to {output}", err=True)


def given_params():
    """Yield the options and arguments that the user has given."""
    context = click.get_current_context()
    for param in context.command.params:
        if context.get_parameter_source(param.name) is not ParameterSource.DEFAULT:
            yield param


def transform_texts(model, paths, output, excel, how, options):
    """Write the shares or weights of new texts, and say how many."""
    from ..data.tables import TABLE_SUFFIXES, write_factor, write_table
    from ..topics.text_model import Topics

    found = Topics.load(model)
    _, titles, texts = read_documents(paths, **how)
    if how["progress"]:
        tell(f"finding the weights of {len(texts):,} texts")
    W = found.transform(texts, **options)
    if Path(output).suffix.lower() in TABLE_SUFFIXES:
        write_table(output, found.share_table(W, titles), excel=excel)
        return f"the shares of {W.shape[1]} topics in {W.shape[0]:,} texts"
    write_factor(output, W)
    return f"{W.shape[0]:,} x {W.shape[1]} weights"


def transform_matrix(model, paths, output, excel, how, options):
    """Write the weights of new samples, and say how many."""
    from ..data.named import names_of
    from ..data.tables import write_factor
    from ..models.factorization import Factorization

    if len(paths) != 1:
        raise click.UsageError(f"one MATRIX is needed: {OF_MATRIX.format(model)}")
    progress, loaded = how.pop("progress"), Factorization.load(model)
    X = read_given(paths[0], {**how, "missing": how["missing"] or loaded.missing}).X
    if progress:
        tell(f"finding the weights of {X.shape[0]:,} samples")
    W = loaded.transform(X, **options)
    write_factor(output, W, names_of(X)[1], excel=excel)
    return f"{W.shape[0]:,} x {W.shape[1]} weights"


def is_matrix(path):
    """Return whether a path is one of a matrix or a store, and not of texts."""
    from ..data.compressed import plain_suffix
    from ..data.outputs import STORE
    from ..data.texts import MATRICES

    return plain_suffix(path) in MATRICES or (Path(path) / STORE).exists()


@click.command(cls=Command)
@click.argument("file", type=Input(), required=False)
@click.option("--bug-report", is_flag=True,
              help="Print what the report of a fault needs: versions, processor, threads, cache. "
                   "It has no paths and no names of users.")  # fmt: skip
@click.option("-k", "--components", "n_components", type=click.IntRange(min=1), default=20,
              show_default=True, help="Components for which the memory is estimated.")  # fmt: skip
@vocabulary_option
@terms_option
@order_option
@click.option("--verify", is_flag=True, help="Compare the checksums of a store's files.")
@reading_options
@progress_option
def info(file, bug_report, n_components, vocabulary, n_terms, by, verify, progress, **how):
    """Say what is in FILE: a matrix, a saved factorization, or the folder of a store.

    \b
    Examples:
      sparsenmf info X.npz -k 100
      sparsenmf info model.npz --by distinctive
      sparsenmf info --bug-report

    Of a matrix it says which side is samples, whether it looks turned, and how much memory it
    takes to factorize it; of a factorization how the fit ended, and the topics if their terms are
    known.
    """
    if bug_report:
        print_environment()
        return
    if file is None:
        raise click.UsageError("a FILE is needed, or --bug-report")
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
            say(f"{r:3d}. {', '.join(map(on_one_line, lists[0]))}")
            for distinctive in lists[1:]:
                say(f"     distinctive: {', '.join(map(on_one_line, distinctive))}")


def print_environment():
    """Print what the report of a fault needs; raise UsageError beside other arguments."""
    from ..models.environment import describe_environment

    for param in given_params():
        if param.name != "bug_report":
            name = max(param.opts, key=len) if param.param_type_name == "option" else "a FILE"
            raise click.UsageError(f"--bug-report is of this machine: leave {name} out")
    for line in describe_environment():
        say(sanitize(line))


@click.command(cls=Command)
@click.option(
    "--loss",
    type=click.Choice(["frobenius", "kullback-leibler"]),
    help="Compile what fits of this loss need, not all kernels.",
)
@click.option("--dtype", type=click.Choice(["float32", "float64"]), help="In this precision only.")
@progress_option
def warmup(loss, dtype, progress):
    """Compile kernels and store them, so that later processes need not compile.

    \b
    Examples:
      sparsenmf warmup
      sparsenmf warmup --loss frobenius --dtype float32
      RUN sparsenmf warmup    (in a Dockerfile, after ENV SPARSENMF_CACHE_DIR=/opt/sparsenmf)

    It prints the folder, which SPARSENMF_CACHE_DIR sets. Container images that have it start at
    once. All kernels take a minute or two on two cores, those of one loss in one precision less.
    """
    if progress:
        which = " ".join(filter(None, (loss, dtype))) or "all"
        tell(f"compiling {which} kernels, once for this machine")
    from ..models import warmup as _warmup

    folder: Path | None = _warmup.warmup(loss, dtype, progress=progress)
    if folder is None:
        raise click.ClickException(
            "the kernels are not stored: SPARSENMF_CACHE is 0, or no cache folder can be used"
        )
    say(str(folder))
