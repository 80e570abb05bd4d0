"""Options of how texts are read and of what their words are, for commands that take texts."""

import contextlib
import os
import re

import click

from ..data.decoding import check_encoding, open_text
from ..data.delimited import check_delimiter
from ..data.outputs import STORE
from .command import Command, Input
from .options import Frequency, together


def checked(check):
    """Return a callback that makes a ValueError of a check an error of usage."""

    def callback(ctx, param, value):
        try:
            return check(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error

    return callback


text_options = together(
    click.option("--field", help="Column, or name in JSON objects, of the text."),
    click.option(
        "--title-field", help="Column or name of the title. Default: the text's beginning."
    ),
    click.option(
        "--encoding",
        callback=checked(check_encoding),
        help="Encoding of files without a byte order mark. Default: utf-8.",
    ),
    click.option(
        "--delimiter",
        callback=checked(check_delimiter),
        metavar="CHARACTER",
        help='Between the columns of a table; "tab" for a tab. Default: as the header has it.',
    ),
    click.option(
        "--quotes/--no-quotes",
        default=True,
        show_default=True,
        help="Whether quotation marks enclose texts of a table.",
    ),
    click.option("--glob", metavar="PATTERN", help='Files to read in folders, such as "*.txt".'),
    click.option("--whole-files", is_flag=True, help="Each file is a text, not each line."),
    click.option(
        "--files-from",
        type=Input(),
        metavar="FILE",
        help="Read the files whose names are in FILE, one on each line, or - for stdin.",
    ),
)


class Ngrams(click.ParamType):
    """The least and the greatest number of words in a term, or one number for both."""

    name = "number"

    def convert(self, value, param, ctx):
        """Return a pair of int."""
        if isinstance(value, tuple):
            return value
        numbers = re.fullmatch(r"(\d+)(?:[ ,:-](\d+))?", value)
        if numbers is None:
            self.fail(f"{value!r} is not one number or two, such as 2, or 1 2")
        least, most = int(numbers[1]), int(numbers[2] or numbers[1])
        if not 1 <= least <= most:
            self.fail(f"{value!r}: the smaller number comes first, and is at least 1")
        return least, most


word_options = together(
    click.option("--min-df", type=Frequency(), default=5, show_default=True,
                 help="Drop terms in fewer documents (0.01: in less than 1%)."),
    click.option("--max-df", type=Frequency(), default=0.5, show_default=True,
                 help="Drop terms in more documents."),
    click.option("--stop-words", type=Input("english", "none"), default="english",
                 show_default=True, metavar="english|none|FILE", help="Words to leave out."),
    click.option(
        "--ngrams",
        type=Ngrams(),
        default=(1, 1),
        show_default="1 1",
        metavar="MIN [MAX]",
        help="Least and greatest number of words in a term.",
    ),
    click.option(
        "--analyzer",
        type=click.Choice(["word", "char", "char_wb"]),
        default="word",
        show_default=True,
        help="Terms of words or of characters (char_wb: within words).",
    ),
    click.option("--token-pattern", metavar="REGEX", help="What a word is."),
    click.option(
        "--min-length",
        type=click.IntRange(min=1),
        help="Least number of characters in a word. Default: 2.",
    ),
    click.option(
        "--lowercase/--keep-case",
        "lowercase",
        default=True,
        show_default=True,
        help="Whether upper and lower case are one.",
    ),
    click.option("--max-terms", type=click.IntRange(min=1),
                 help="Keep the most frequent terms only."),
)  # fmt: skip


class TextCommand(Command):
    """A subcommand whose option --ngrams takes one number or two."""

    def parse_args(self, ctx, args):
        """Join two numbers after --ngrams into one word."""
        args = list(args)
        for place, word in enumerate(args[:-2]):
            numbers = args[place + 1 : place + 3]
            if word == "--ngrams" and all(re.fullmatch("[0-9]+", number) for number in numbers):
                args[place + 1 : place + 3] = ["-".join(numbers)]
                break
        return super().parse_args(ctx, args)

    def _files(self, ctx, kind):
        """Return the files of a kind; of folders, those that --glob chooses."""
        from ..data.texts import list_files

        for name, path in super()._files(ctx, kind):
            chosen, is_folder = [path], isinstance(path, str) and os.path.isdir(path)
            if kind is Input and is_folder and not os.path.exists(os.path.join(path, STORE)):
                with contextlib.suppress(ValueError):  # none, which is said when they are read
                    chosen = list_files(path, ctx.params["glob"])
            yield from ((name, file) for file in chosen)


def read_documents(paths, field, title_field, files_from, progress, **how):
    """Return the titles and texts of the files that a command names, and their paths."""
    from ..data.texts import read_texts

    paths = [*paths, *([] if files_from is None else read_words(files_from))]
    if not paths:
        raise click.UsageError("Missing argument 'PATH...'.")
    titles, texts = read_texts(paths, field, title_field, progress=progress, **how)
    return paths, titles, texts


def read_collection(paths, stop_words, progress, how):
    """Return what `read_documents` does, and first the words to leave out of the texts."""
    stop_words = _read_stop_words(stop_words, how["encoding"])
    return stop_words, *read_documents(paths, **how, progress=progress)


def _read_stop_words(stop_words, encoding):
    """Return the words to leave out as `find_topics` takes them."""
    if stop_words in ("english", "none"):
        return None if stop_words == "none" else stop_words
    return read_words(stop_words, encoding)


def read_words(path, encoding=None):
    """Return the lines of a UTF-8 file, or one in another encoding, that are not blank."""
    try:
        with open_text(path) as lines:
            return [line.removesuffix("\n") for line in lines if line.strip()]
    except ValueError:
        if encoding is None:
            raise
    with open_text(path, encoding) as lines:
        return [line.removesuffix("\n") for line in lines if line.strip()]


HOW = (
    *("field", "title_field", "encoding", "delimiter", "quotes", "glob", "whole_files"),
    "files_from",
)


WORDS = (
    *("min_df", "max_df", "stop_words", "ngrams", "analyzer", "token_pattern", "min_length"),
    *("lowercase", "max_terms"),
)


def split_text_options(options, names=HOW):
    """Take the options of reading, or others, out of all options, and return them."""
    return {name: options.pop(name) for name in names}
