"""The group of subcommands: exit codes, one-line errors, and checks of files to be written."""

import contextlib
import inspect
import os
import sys
import warnings

import click
from click.core import ParameterSource

from .. import __version__
from ..data.outputs import check_outputs, file_key
from ..data.progress import tell
from ..data.shell import quote
from .streams import sanitize, sanitized_streams

ERRORS = (ImportError, MemoryError, OSError, OverflowError, TypeError, ValueError)
"""Errors of the Python interface about its arguments; their messages are for users."""

STREAMS = {2: "the standard error", 1: "the standard output"}

INTERRUPTED = 130  # the exit code of shells after Ctrl-C

ALWAYS = {"n_topics", "n_components", "random_state"}
"""Options that the command in a report always names, because the result depends on them."""

NO_MATTER = {"n_threads", "progress", "checkpoint", "resume"}
"""Options that do not change the result."""

MOST_NAMED = 5  # files that are named for display

WIDTH = 80  # of a command on one line


class ExamplesFirst(click.Command):
    """A command whose help begins with its commonest uses, for those who only want to copy one."""

    def format_help_text(self, ctx, formatter):
        """Write the examples, and then the other paragraphs of the docstring."""
        paragraphs = inspect.cleandoc(self.help or "").split("\n\n")
        paragraphs.sort(key=lambda text: not text.startswith("\b\nExamples:"))
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text("\n\n".join(paragraphs))


class Group(ExamplesFirst, click.Group):
    """Subcommands whose errors are one line on stderr: exit code 1, and 130 after Ctrl-C."""

    def main(self, *args, **kwargs):
        """Run the command with sanitized output."""
        with sanitized_streams(), remarks():
            return super().main(*args, **kwargs)

    def invoke(self, ctx):
        """Run a subcommand."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # click then ends without a message
            raise
        except ERRORS as error:
            raise click.ClickException(describe(error)) from error
        except KeyboardInterrupt:
            click.echo("Interrupted: nothing was finished.", err=True)
            ctx.exit(INTERRUPTED)


@contextlib.contextmanager
def remarks():
    """Show the warnings of the Python interface, which are for users, on one line each."""

    def show(message, category, *place):
        if issubclass(category, UserWarning):
            click.echo(f"Remark: {describe(message)}", err=True)
        else:
            shown(message, category, *place)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        shown, warnings.showwarning = warnings.showwarning, show
        yield


def describe(error):
    """Return the message of an error on one line."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return sanitize(f"{error.filename}: {error.strerror}")
    text = sanitize(" ".join(str(error).split()))
    if isinstance(error, MemoryError):
        return f"not enough memory: {text}" if text else "not enough memory"
    return text or type(error).__name__


def say(text):
    """Print a text on stdout."""
    click.echo(text, file=sys.stdout)


def tell_reading(progress, *paths):
    """With progress, say on stderr what is read, before imports that take long."""
    if progress:
        tell(sanitize(f"reading {list_names(paths)}"))


def tell_interrupted(found):
    """End with the exit code of Ctrl-C, and say why, if it ended what was found."""
    if found.stop_reason == "interrupted":
        click.echo("Interrupted: these are the results so far.", err=True)
        click.get_current_context().exit(INTERRUPTED)


def list_names(paths):
    """Return the names of files for display; if they are many, only the first ones."""
    return ", ".join([*map(name_of, paths[:MOST_NAMED]), *["..."][: len(paths) - MOST_NAMED > 0]])


def name_of(path):
    """Return the name of a file or a folder for display."""
    return "standard input" if path == "-" else os.path.basename(os.path.abspath(path))


class Input(click.Path):
    """A file or a folder that a subcommand reads, or one of some words with another meaning."""

    def __init__(self, *words):
        super().__init__()
        self.words = words


class Output(click.Path):
    """A file or a folder that a subcommand writes."""


class Command(ExamplesFirst):
    """A subcommand that first of all refuses to write to files that it reads."""

    def invoke(self, ctx):
        """Run the subcommand."""
        outputs = list(self._files(ctx, Output))
        if sys.stdout is None and not outputs:
            raise OSError("the standard output is closed, and no output file is asked for")
        check_outputs([*outputs, *printed_to()], self._files(ctx, Input))
        return super().invoke(ctx)

    def _files(self, ctx, kind):
        """Return the name and path of each file given of a kind; standard input is number 0."""
        found = []
        for param in self.params:
            if isinstance(param.type, kind):
                values, words = ctx.params[param.name], (None, *getattr(param.type, "words", ()))
                values = values if isinstance(values, tuple) else (values,)
                is_option = isinstance(param, click.Option)
                name = param.opts[0] if is_option else param.human_readable_name
                paths = [0 if value == "-" else value for value in values if value not in words]
                found += [(name, path) for path in paths]
        return found


def same_command(ctx):
    """Return the shell command that repeats this one.

    It has the options that were given and those in `ALWAYS`, but none of `NO_MATTER`.
    """
    lines = [["sparsenmf", ctx.info_name]]
    for param in ctx.command.params:
        value = ctx.params[param.name]
        given = ctx.get_parameter_source(param.name) is not ParameterSource.DEFAULT
        if isinstance(param, click.Argument):
            lines[0] += map(_beside_options, value if param.nargs == -1 else [value])
        elif param.name in NO_MATTER or not (given or param.name in ALWAYS):
            continue
        elif param.is_flag:
            lines.append([(param.opts if value else param.secondary_opts)[0]])
        else:
            values = value if isinstance(value, tuple) else [value]
            lines.append([max(param.opts, key=len), *map(str, values)])
    shown = [" ".join(map(quote, words)) for words in lines]
    is_short = sum(map(len, shown)) < WIDTH or sys.platform == "win32"
    return " ".join(shown) if is_short else " \\\n  ".join(shown)


def _beside_options(path):
    """Return a path in a form that is not taken for an option."""
    return f"./{path}" if path.startswith("-") and path != "-" else path


def given_of(options):
    """Return the parameters among these options that were given on the command line."""
    context = click.get_current_context()
    return [
        param
        for param in context.command.params
        if param.name in options
        and context.get_parameter_source(param.name) is not ParameterSource.DEFAULT
    ]


def refuse_given(options, why):
    """Raise UsageError if one of the options was given."""
    for param in given_of(options):
        raise click.UsageError(f"{max(param.opts, key=len)} {why}")


def printed_to():
    """Return the names and numbers of the output streams; two into one file count once."""
    streams = {file_key(number): (name, number) for number, name in STREAMS.items()}
    return list(streams.values())


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def group():
    """Fast, exact non-negative matrix factorization of sparse matrices.

    \b
    Examples:
      sparsenmf topics notes.txt -k 10 --report topics.html
      sparsenmf factorize counts.mtx.gz -k 50 --loss kullback-leibler --save model.npz
      sparsenmf transform model.npz new.npz --output W.npy

    Results go to stdout, messages and progress to stderr. The exit code is 0 for success, 1 for
    an error, 2 for wrong usage and 130 after Ctrl-C.
    """
