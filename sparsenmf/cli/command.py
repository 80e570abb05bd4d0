"""The group of subcommands: exit codes, and errors as one line."""

import io
import sys

import click

from .. import __version__

ERRORS = (ImportError, MemoryError, OSError, OverflowError, TypeError, ValueError)
"""What the Python interface raises about what it was given; its messages are made to be read."""

INTERRUPTED = 130  # as shells have it


class Group(click.Group):
    """Subcommands whose errors are one line on stderr: exit code 1, and 130 after Ctrl-C."""

    def invoke(self, ctx):
        """Run a subcommand."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # what the terminal cannot show is "?"
                stream.reconfigure(errors="replace")
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
        return f"{error.filename}: {error.strerror}"
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return f"not enough memory: {text}" if text else "not enough memory"
    return text or type(error).__name__


def say(text):
    """Print on stdout as it is."""
    click.echo(text, file=sys.stdout)


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
