"""`sparsenmf topics` and `sparsenmf factorize`, which make a model."""

import json
import shutil
from pathlib import Path

import click

from .command import (
    Command,
    Input,
    list_names,
    same_command,
    say,
    tell_interrupted,
    tell_reading,
)
from .matrices import read_given, reading_options, split_reading, tell_turned, weigh
from .options import (
    NumberOr,
    fit_options,
    output_option,
    result_options,
    vocabulary_option,
)
from .texts import (
    TextCommand,
    read_collection,
    split_text_options,
    text_options,
    word_options,
)

NARROWEST = 40  # columns of a terminal that topics are laid out for, at least

components_help = "Number of topics (components) to find."


@click.command(cls=TextCommand)
@click.argument("paths", type=Input(), nargs=-1, metavar="PATH...")
@text_options
@click.option("-k", "--topics", "n_topics", type=click.IntRange(min=1), default=20,
              show_default=True, help=components_help)  # fmt: skip
@word_options
@click.option("--tfidf/--counts", "tfidf", default=True, show_default=True,
              help="Weights of words: tf-idf, or plain counts.")  # fmt: skip
@fit_options
@result_options
@output_option("--vocabulary-out", None, "Write the terms, one on each line.")
def topics(paths, stop_words, tfidf, vocabulary_out, **options):
    """Find the topics of texts and print them.

    \b
    Examples:
      sparsenmf topics notes.txt -k 10 --report topics.html
      sparsenmf topics reviews.csv --field text --document-table reviews_topics.xlsx
      sparsenmf topics letters/ --ngrams 1 2 --save model.npz

    A PATH is a text file with one document on each line; with --field, a table (.csv, .tsv,
    .parquet, .feather, .xlsx) or JSON (.jsonl, .ndjson, .json); a folder, each file of which is a
    document; or - for the standard input. Compressed files (.gz, .bz2, .xz, .zst) are read as
    what they hold. The model of --save can be used on new texts: see sparsenmf transform.
    """
    tell_reading(options["progress"], *paths)
    from ..data.files import write_vocabulary
    from ..topics.finding import find_topics

    how = split_text_options(options)
    fit, shown = split_options(options)
    stop_words, paths, titles, texts = read_collection(paths, stop_words, fit["progress"], how)
    found = find_topics(
        texts,
        titles=titles,
        stop_words=stop_words,
        weighting="tfidf" if tfidf else "counts",
        **fit,
    )
    if vocabulary_out is not None:
        write_vocabulary(vocabulary_out, found.terms)
    if shown["save"] is not None:
        found.save(shown.pop("save"))
    about = {"Weights": "tf-idf" if tfidf else "counts"}
    finish(found.model, found.terms, titles, texts, found.X, list_names(paths), about, **shown)


@click.command(cls=Command)
@click.argument("matrix", type=Input())
@click.option("-k", "--components", "n_components", type=click.IntRange(min=1), required=True,
              help=components_help)  # fmt: skip
@click.option("--tfidf", is_flag=True, help="Weigh a matrix of counts by tf-idf first.")
@click.option("--solver", type=click.Choice(["cd", "mu"]), help="Default: cd, if the loss has it.")
@click.option("--init", type=click.Choice(["auto", "random", "nndsvd", "nndsvda", "nndsvdar"]),
              default="auto", show_default=True)  # fmt: skip
@click.option("--alpha-W", "alpha_W", type=click.FloatRange(min=0), default=0.0,
              show_default=True, help="Weight of the penalty on W.")  # fmt: skip
@click.option("--alpha-H", "alpha_H", type=NumberOr("same"), default="same",
              show_default=True, help="Weight of the penalty on H.")  # fmt: skip
@click.option("--l1-ratio", type=click.FloatRange(0, 1), default=0.0, show_default=True,
              help="Share of L1 in the penalties.")  # fmt: skip
@click.option("--low-memory", is_flag=True, help="Make no transpose of the matrix.")
@output_option("--w-path", (".npy",), "Keep W on disk, in this file.")
@output_option("--checkpoint", None, "Save the state of the run here, for --resume.")
@click.option("--resume", is_flag=True, help="Go on from the --checkpoint if the file exists.")
@fit_options
@vocabulary_option
@reading_options
@result_options
def factorize(matrix, vocabulary, tfidf, w_path, low_memory, checkpoint, resume, **options):
    """Factorize a MATRIX of samples x features; print a summary or the topics.

    \b
    Examples:
      sparsenmf factorize cells.h5ad -k 30 --loss kullback-leibler --save model.npz
      sparsenmf factorize counts.mtx.gz -k 20 --tfidf --vocabulary terms.txt
      sparsenmf factorize X.npz -k 50 --save model.npz

    MATRIX is a file of .npz, .npy, .mtx, .h5ad, .svmlight, .ldac, .csv or .tsv, or of ratings; a
    folder or .h5 of 10x Genomics; a docword.*.txt; or the folder of a matrix larger than memory
    (see sparsenmf store). Any file may be compressed; docs/guide/formats.md has all of them. If its
    columns have names, or with a --vocabulary, the components are printed as topics.
    """
    tell_reading(options["progress"], matrix)
    from ..data.store import is_store
    from ..models import factorize as _factorize
    from ..models.checkpoint import Checkpoint

    how = split_reading(options)
    fit, shown = split_options(options)
    tables = [name for name in ("topic_table", "term_table", "report") if shown[name] is not None]
    X, fit["missing"], terms, turned = read_given(matrix, how, vocabulary)
    sample_names = X.sample_names
    tell_turned(matrix, turned)
    if terms is None and tables:
        raise click.UsageError(
            f"--{tables[0].replace('_', '-')} needs a --vocabulary: {matrix} has no names of its "
            f"columns"
        )
    if resume and checkpoint is None:
        raise click.UsageError("--resume needs a --checkpoint, the file to go on from")
    if checkpoint is not None:
        checkpoint = Checkpoint(checkpoint, resume=resume)
    one_sided = X.transposed is None if is_store(X) else low_memory
    fit["solver"] = solver_of(fit["solver"], fit["loss"], low_memory, w_path, one_sided)
    X, idf = weigh(X, fit["missing"]) if tfidf else (X, None)
    model = _factorize.factorize(X, checkpoint=checkpoint, **fit)
    model.idf = idf
    model.feature_names, model.sample_names = terms, sample_names  # weighing has lost them
    about = {"Nonzeros": X.nnz}
    if tfidf:
        about["Weights"] = "tf-idf"
    finish(model, terms, None, None, None, Path(matrix).name, about, **shown)


def solver_of(name, loss, low_memory, W_path, one_sided):
    """Return the solver that the options say, by default the best one for the loss."""
    from ..models.algorithms import SOLVERS, named_solver
    from ..solvers.losses import check_beta

    # Without a transpose there is no coordinate descent for the Kullback-Leibler loss.
    name = name or named_solver(None, check_beta(loss), one_sided=one_sided).name
    return SOLVERS[name](low_memory=low_memory, W_path=W_path)


SHOWN = (
    "n_terms",
    "by",
    "n_documents",
    "layout",
    "save",
    "report",
    "topic_table",
    "term_table",
    "document_table",
    "all_topics",
    "excel",
)


def split_options(options):
    """Return the options of the fit, and those of what is done with its result."""
    fit = {name: value for name, value in options.items() if name not in SHOWN}
    return fit, {name: options[name] for name in SHOWN}


def finish(
    model,
    terms,
    titles,
    texts,
    X,
    source,
    about,
    *,
    n_terms,
    by,
    n_documents,
    layout,
    report,
    topic_table,
    term_table,
    document_table,
    all_topics,
    excel,
    save=None,
):
    """Write files and print results; after Ctrl-C these are what the run has reached so far."""
    from ..data.tables import write_table
    from ..models.ranking import has_terms
    from ..topics import tables

    if save is not None:
        model.save(save)
    if report is not None:
        model.report(
            report,
            terms,
            texts,
            titles=titles,
            title=f"Topics of {source}",
            details=about,
            X=X,
            script=same_command(click.get_current_context()),
            by=by,
        )
    if document_table is not None:
        table = tables.document_table(model, titles, all_topics)
        write_table(document_table, table, excel=excel)
    if term_table is not None:
        table = tables.term_table(model, terms, by="weight" if by == "both" else by)
        write_table(term_table, table, excel=excel)
    if not has_terms(model, terms):
        say(repr(model))
    else:
        table = tables.topic_table(model, terms, titles, n_terms, n_documents, X, by=by)
        if topic_table is not None:
            write_table(topic_table, table, excel=excel)
        click.echo(repr(model), err=True)
        say(layout_topics(table, layout, excel))
    tell_interrupted(model)


def layout_topics(table, layout, excel):
    """Return a topic table as text, csv or JSON."""
    from ..data.tables import format_delimited
    from ..topics.tables import format_topics

    if layout == "text":
        return format_topics(table, max(shutil.get_terminal_size((100, 24)).columns, NARROWEST))
    if layout == "csv":
        return format_delimited(table, excel=excel)
    rows = zip(*table.values(), strict=True)
    return json.dumps([dict(zip(table, row, strict=True)) for row in rows], indent=1)
