"""`sparsenmf choose`, which compares numbers of components."""

import json
import re
from pathlib import Path

import click

from ..data.progress import tell
from ..data.tables import TABLE_SUFFIXES
from .command import Input, given_of, refuse_given, say, tell_interrupted, tell_reading
from .matrices import read_given, reading_options, split_reading, tell_turned, weigh
from .options import (
    NumberOr,
    excel_option,
    output_option,
    progress_option,
    threads_option,
    together,
)
from .texts import (
    WORDS,
    TextCommand,
    read_collection,
    split_text_options,
    text_options,
    word_options,
)

PICTURES = (".png", ".svg", ".pdf")

MOST = 10_000  # candidates: more can only be a mistake


class Candidates(click.ParamType):
    """Whole numbers and ranges of them, such as 2-20, 5,10,20 or 10-100:10."""

    name = "numbers"

    def convert(self, value, param, ctx):
        """Return the numbers, sorted and each once."""
        found: set[int] = set()
        for part in str(value).split(","):
            match = re.fullmatch(r"\s*(\d+)(?:\s*-\s*(\d+)(?::(\d+))?)?\s*", part, re.ASCII)
            first, last, step = (int(x or 0) for x in match.groups()) if match else (0, 0, 0)
            numbers = range(first, max(first, last) + 1, step or 1)
            if first < 1 or (last and last < first) or len(found) + len(numbers) > MOST:
                self.fail(
                    f"{value!r} does not say which numbers above 0: write 2-20, 5,10,20 or "
                    f"10-100:10 (by steps of 10), at most {MOST:,} of them"
                )
            found.update(numbers)
        return tuple(sorted(found))


candidates_options = together(
    click.option("-k", "--components", "candidates", type=Candidates(), default="2-20",
                 show_default=True, help="What to compare: 2-20, 5,10,20 or 10-100:10."),
    click.option("--method", type=click.Choice(["blocks", "entries", "stability"]),
                 help="Default: blocks, but entries for ratings and --missing unknown."),
    click.option("--repeats", "n_repeats", type=click.IntRange(min=2),
                 help="Folds, draws or pairs of halves. Default: 3, and 5 for stability."),
    click.option("--all", "try_all", is_flag=True,
                 help="Try all numbers, however bad the larger ones become."),
    click.option("--sample", type=click.FloatRange(0, 1, min_open=True),
                 help="Share of the rows to look at. Default: all, but a part of a store."),
)  # fmt: skip

fit_options = together(
    click.option("--loss", type=NumberOr("auto", "frobenius", "kullback-leibler"), default="auto",
                 show_default=True, help="auto: kullback-leibler for counts, else frobenius."),
    click.option("--tfidf/--counts", "tfidf", default=None,
                 help="Weights of counts. Default: tf-idf for texts, counts for a matrix."),
    click.option("--solver", type=click.Choice(["cd", "mu"]),
                 help="Default: cd, if the loss has it."),
    click.option("--alpha-W", "alpha_W", type=click.FloatRange(min=0), default=0.0,
                 show_default=True, help="Weight of the penalty on W."),
    click.option("--alpha-H", "alpha_H", type=NumberOr("same"), default="same",
                 show_default=True, help="Weight of the penalty on H."),
    click.option("--l1-ratio", type=click.FloatRange(0, 1), default=0.0, show_default=True,
                 help="Share of L1 in the penalties."),
    click.option("--seed", "random_state", type=click.IntRange(min=0), default=0,
                 show_default=True, help="Seed of the sample, the folds and the fits."),
    click.option("--tol", type=click.FloatRange(min=0), default=1e-4, show_default=True,
                 help="Stop a fit when the objective fell by less than this in 5 iterations."),
    click.option("--max-iter", type=click.IntRange(min=1), default=200, show_default=True),
    click.option("--time-limit", type=click.FloatRange(min=0, min_open=True),
                 help="In seconds: the best of those finished by then is recommended."),
)  # fmt: skip


@click.command(cls=TextCommand)
@click.argument("paths", type=Input(), nargs=-1, metavar="MATRIX|TEXTS...")
@candidates_options
@fit_options
@threads_option
@progress_option
@reading_options
@text_options
@word_options
@click.option("--format", "layout", type=click.Choice(["text", "csv", "json"]), default="text",
              show_default=True, help="Format of the comparison on stdout.")  # fmt: skip
@output_option("--table", TABLE_SUFFIXES, "Write the comparison as a table.")
@output_option("--plot", PICTURES, "Draw the comparison (.png, .svg or .pdf).")
@excel_option
def choose(paths, candidates, layout, table, plot, excel, tfidf, loss, try_all, **options):
    """Compare numbers of components for a MATRIX, or of topics for TEXTS, and recommend one.

    \b
    Examples:
      sparsenmf choose counts.mtx.gz -k 2-30
      sparsenmf choose X.npz -k 10-100:10 --method stability --plot choice.png
      sparsenmf choose reviews.csv --field text -k 5-50:5

    MATRIX is what factorize takes, and TEXTS are what topics takes, which are weighed as there. By
    default, blocks of it are held out and predicted; of ratings,
    single entries. With stability, the components of two halves of the samples are compared. Of
    the folder of a store, a sample of the rows is looked at.
    """
    if not paths and options["files_from"] is None:
        raise click.UsageError("Missing argument 'MATRIX|TEXTS...'.")
    tell_reading(options["progress"], *paths)
    from ..selection import choosing

    how, words = split_text_options(options), split_text_options(options, WORDS)
    reading = split_reading(options)
    if are_texts(paths, how, reading["input_format"]):
        refuse_given(reading, "is for a matrix, and here are texts")
        X = weigh_documents(paths, how, words, tfidf is not False, options["progress"])
    else:
        refuse_given({**how, **words}, f"is for texts, and {paths[0]} is a matrix")
        X, options["missing"] = read_weighed(paths[0], reading, tfidf)
    axes = None if plot is None else open_axes()  # a missing package is reported before the fits
    found = choosing.select_n_components(
        X,
        candidates,
        loss=None if loss == "auto" else loss,
        early_stop=not try_all,
        **{name: value for name, value in options.items() if value is not None},
    )
    if axes is not None:
        draw(found, axes, plot)
    if table is not None:
        from ..data.tables import write_table

        write_table(table, found.table, excel=excel)
    if layout != "text":
        click.echo(repr(found), err=True)
    say(lay_out(found, layout, excel))
    tell_interrupted(found)


def are_texts(paths, how, input_format):
    """Return whether paths are of texts: of several files, with options of texts, or as they look.

    Parameters
    ----------
    paths : sequence of str
    how : iterable of str
        Names of options that are for texts.
    input_format : str or None
        Of a matrix.
    """
    from ..data.reading.sniffing import seems_text
    from ..data.store.chunks import is_store_folder

    if input_format is not None:
        if len(paths) != 1:
            raise click.UsageError("--input-format is of one MATRIX")
        return False
    if len(paths) != 1 or paths[0] == "-" or given_of(how):
        return True
    path = Path(paths[0])
    return not is_store_folder(path) and seems_text(path)


def weigh_documents(paths, how, words, tfidf, progress):
    """Return the matrix of texts x terms that `topics` would factorize."""
    from ..topics.weighting import weigh_texts

    words["stop_words"], _, _, texts = read_collection(paths, words["stop_words"], progress, how)
    if progress:
        tell(f"weighing the words of {len(texts):,} texts")
    return weigh_texts(texts, weighting="tfidf" if tfidf else "counts", **words)[0]


def read_weighed(path, reading, tfidf):
    """Return a matrix or a store, weighed if asked for, and what its absent entries are."""
    X, missing, _, turned = read_given(path, reading)
    tell_turned(path, turned)
    return (weigh(X, missing)[0] if tfidf else X), missing


def open_axes():
    """Return the axes of a new figure."""
    from ..topics.plots.canvas import new_axes

    return new_axes(None, (6.4, 4.0))


def draw(found, axes, path):
    """Write the picture of a selection, as a whole or not at all."""
    from ..data.outputs import open_whole

    found.plot(axes)
    with open_whole(path) as file:
        axes.figure.savefig(file, format=Path(path).suffix[1:].lower(), bbox_inches="tight")


def lay_out(found, layout, excel):
    """Return a selection as text, csv or JSON."""
    from ..data.tables import format_delimited

    if layout == "text":
        return repr(found)
    table = {name: column.tolist() for name, column in found.table.items()}
    if layout == "csv":
        return format_delimited(table, excel=excel)
    names = ("n_components", "method", "loss", "stop_reason", "seconds", "skipped")
    given = {name: getattr(found, name) for name in names}
    if found.sample is not None:
        given["sample_rows"], given["n_rows"] = len(found.sample.rows), found.sample.n_rows
    rows = zip(*table.values(), strict=True)
    candidates = [dict(zip(table, row, strict=True)) for row in rows]
    return json.dumps({**given, "candidates": candidates}, indent=1)
