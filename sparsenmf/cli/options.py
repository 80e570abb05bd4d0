"""Options that subcommands share, named as the arguments of the Python interface."""

import sys

import click

from ..data.outputs import check_folder
from ..data.tables import FACTOR_SUFFIXES, TABLE_SUFFIXES, check_writable
from ..solvers.losses import BETAS
from .command import Input, Output


class NumberOr(click.ParamType):
    """A number, or one of some words."""

    name = "number"

    def __init__(self, *words):
        self.words = words

    def get_metavar(self, param, ctx=None):
        """Return the text for the help."""
        return f"[{'|'.join((*self.words, 'NUMBER'))}]"

    def convert(self, value, param, ctx):
        """Return a float or a word."""
        if value in self.words:
            return value
        try:
            return float(value)
        except ValueError:
            self.fail(f"{value!r} is neither a number nor one of {', '.join(self.words)}")


class Frequency(click.ParamType):
    """A number of documents or, with a decimal point, a fraction of them."""

    name = "number"

    def convert(self, value, param, ctx):
        """Return an int or a float."""
        try:
            return int(value) if str(value).isdecimal() else float(value)
        except ValueError:
            self.fail(f"{value!r} is not a number")


def output_option(name, suffixes, text, **settings):
    """Return an option for a file to be written; before any work it is checked that it can be."""

    def check(ctx, param, path):
        if path is not None and suffixes is None:
            check_folder(path)
        elif path is not None:
            try:
                check_writable(path, suffixes)
            except ValueError as error:
                raise click.BadParameter(str(error)) from error
        return path

    return click.option(name, type=Output(), metavar="FILE", callback=check, help=text, **settings)


def together(*options):
    """Return one decorator that adds several options in their order."""

    def decorate(function):
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


threads_option = click.option(
    "--threads", "n_threads", type=click.IntRange(min=1), help="Default: all available cores."
)


def is_terminal(ctx, param, progress):
    """Return whether to show progress; without the option, whether stderr is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty() if progress is None else progress


progress_option = click.option(
    "--progress/--no-progress",
    default=None,
    callback=is_terminal,
    help="Show progress on stderr. Default: only if it is a terminal.",
)

vocabulary_option = click.option(
    "--vocabulary",
    type=Input(),
    metavar="FILE",
    help="The terms of the columns, one on each line.",
)

terms_option = click.option(
    "--terms",
    "n_terms",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Number of terms to show of each topic.",
)


def check_order(ctx, param, by):
    """Return the order of terms, or raise before any work if it is none."""
    from ..models.ranking import check_by

    try:
        if by != "both":
            check_by(by)
    except ValueError:
        raise click.BadParameter(f"{by} is not a number from 0 to 1") from None
    return by


order_option = click.option(
    "--by",
    type=NumberOr("both", "weight", "distinctive"),
    default="both",
    show_default=True,
    callback=check_order,
    help="Which terms to show: those of the largest weight, or the distinctive ones, frequent in "
    "the topic and rarer elsewhere. A number is a lambda of pyLDAvis, from 0 (rarest) to 1 "
    "(weight).",
)

excel_option = click.option(
    "--excel",
    is_flag=True,
    help="Write .csv and .tsv so that Excel shows all letters (.xlsx needs no such option).",
)

fit_options = together(
    click.option(
        "--loss",
        type=NumberOr(*BETAS),
        default="frobenius",
        show_default=True,
        help="frobenius for tf-idf, kullback-leibler for counts, or any beta divergence.",
    ),
    click.option(
        "--seed",
        "random_state",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="Seed of the start.",
    ),
    click.option(
        "--tol",
        type=click.FloatRange(min=0),
        default=1e-5,
        show_default=True,
        help="Stop when the objective fell by less than this fraction in 5 iterations.",
    ),
    click.option("--max-iter", type=click.IntRange(min=1), default=200, show_default=True),
    click.option("--time-limit", type=click.FloatRange(min=0, min_open=True), help="In seconds."),
    threads_option,
    progress_option,
)

result_options = together(
    terms_option,
    order_option,
    click.option(
        "--documents",
        "n_documents",
        type=click.IntRange(min=0),
        default=2,
        show_default=True,
        help="Number of typical documents to show of each topic.",
    ),
    click.option(
        "--format",
        "layout",
        type=click.Choice(["text", "csv", "json"]),
        default="text",
        show_default=True,
        help="Format of the topics on stdout.",
    ),
    output_option("--save", None, "Save the factorization, for transform and info."),
    output_option("--report", None, "Write an HTML page about the topics."),
    output_option(
        "--topic-table",
        TABLE_SUFFIXES,
        "Write the topics: shares, terms, documents (.csv, .tsv, .xlsx or .parquet).",
    ),
    output_option("--term-table", TABLE_SUFFIXES, "Write each term's weight and relevance."),
    output_option("--document-table", TABLE_SUFFIXES, "Write each document's strongest topic."),
    click.option("--all-topics", is_flag=True, help="Write all shares into the --document-table."),
    excel_option,
)

factor_option = output_option(
    "--output",
    FACTOR_SUFFIXES,
    "Where to write W: .npy, .npz (sparse), .csv, .tsv, .xlsx or .parquet.",
    required=True,
)
