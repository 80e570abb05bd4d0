"""The group of subcommands: exit codes, errors as one line, and what may be written."""

import os
import shlex
import sys

import click
from click.core import ParameterSource

from .. import __version__
from ..data.outputs import check_outputs, file_key
from ..data.progress import tell
from .streams import neutral_streams, neutralize

ERRORS = (ImportError, MemoryError, OSError, OverflowError, TypeError, ValueError)
"""What the Python interface raises about what it was given; its messages are made to be read."""

STREAMS = {2: "the standard error", 1: "the standard output"}

INTERRUPTED = 130  # as shells have it

ALWAYS = {"n_topics", "n_components", "random_state"}
"""Options that the command of a report names, given or not: what the result hangs on."""

NO_MATTER = {"n_threads", "progress", "checkpoint", "resume"}
"""Options that change nothing about the result."""

WIDTH = 80  # of a command on one line


class Group(click.Group):
    """Subcommands whose errors are one line on stderr: exit code 1, and 130 after Ctrl-C."""

    def main(self, *args, **kwargs):
        """Run the command, with its streams neutral until it ends."""
        with neutral_streams():
            return super().main(*args, **kwargs)

    def invoke(self, ctx):
        """Run a subcommand."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # click ends silently
            raise
        except ERRORS as error:
            raise click.ClickException(describe(error)) from error
        except KeyboardInterrupt:
            click.echo("Interrupted: nothing was finished.", err=True)
            ctx.exit(INTERRUPTED)


def describe(error):
    """Return an error's message on one line."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return neutralize(f"{error.filename}: {error.strerror}")
    text = neutralize(" ".join(str(error).split()))
    if isinstance(error, MemoryError):
        return f"not enough memory: {text}" if text else "not enough memory"
    return text or type(error).__name__


def say(text):
    """Print on stdout as it is."""
    click.echo(text, file=sys.stdout)


def tell_reading(progress, *paths):
    """Say on stderr, if it is to be shown, what is read: before what takes long to import."""
    if progress:
        tell(neutralize(f"reading {', '.join(map(name_of, paths))}"))


def name_of(path):
    """Return the name of a file or a folder as it is shown."""
    return "standard input" if path == "-" else os.path.basename(os.path.abspath(path))


class Input(click.Path):
    """A file or a folder that a subcommand reads; or one of some words, which are no files."""

    def __init__(self, *words):
        super().__init__()
        self.words = words


class Output(click.Path):
    """A file or a folder that a subcommand writes."""


class Command(click.Command):
    """A subcommand that refuses, before it does anything, to write to what it reads."""

    def invoke(self, ctx):
        """Run the subcommand."""
        outputs = self._files(ctx, Output)
        if sys.stdout is None and not outputs:
            raise OSError("the standard output is closed, and no output file is asked for")
        check_outputs([*outputs, *printed_to()], self._files(ctx, Input))
        return super().invoke(ctx)

    def _files(self, ctx, kind):
        """Return the name and path of all that is given of a kind: of standard input its number."""
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
    """Return the command that does the same again, as a shell takes it.

    The options that were given, and those of `ALWAYS`; without those of `NO_MATTER`.
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
            values = value if param.nargs > 1 else [value]
            lines.append([max(param.opts, key=len), *map(str, values)])
    shown = [shlex.join(words) for words in lines]
    return " ".join(shown) if sum(map(len, shown)) < WIDTH else " \\\n  ".join(shown)


def _beside_options(path):
    """Return a path that is not read as an option."""
    return f"./{path}" if path.startswith("-") and path != "-" else path


def printed_to():
    """Return the name and number of each stream that is printed to, of two into one file one."""
    streams = {file_key(number): (name, number) for number, name in STREAMS.items()}
    return list(streams.values())


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def group():
    """Fast, exact non-negative matrix factorization of sparse matrices.

    \b
    Examples:
      sparsenmf topics notes.txt -k 10
      sparsenmf topics reviews.csv --field text --document-table reviews_topics.csv
      zcat posts.jsonl.gz | sparsenmf topics - --field body --save model.npz
      sparsenmf factorize counts.mtx.gz -k 50 --loss kullback-leibler --save model.npz
      sparsenmf transform model.npz new.npz --output W.npy

    Results go to stdout, remarks and progress to stderr. Exit code 0: done; 1: an error, in
    one line; 2: wrong usage; 130: Ctrl-C.
    """
