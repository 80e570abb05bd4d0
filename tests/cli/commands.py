"""Run subcommands in this process, as a shell would call them."""

import csv
import io

import pytest

from ..corpus import read_printed

pytest.importorskip("sklearn")
testing = pytest.importorskip("click.testing")


def run(*arguments, stdin=None):
    from sparsenmf.cli import group

    arguments = [str(argument) for argument in arguments]
    return testing.CliRunner().invoke(group, arguments, input=stdin, prog_name="sparsenmf")


def succeed(*arguments, stdin=None):
    """Run; return what is on stdout."""
    result = run(*arguments, stdin=stdin)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def fail(*arguments):
    """Run what fails; return its message, which is one line."""
    result = run(*arguments)
    assert result.exit_code in (1, 2), result.output
    lines = result.stderr.rstrip("\n").splitlines()
    assert lines[-1].startswith("Error: ")
    assert "Traceback" not in result.output
    return lines[-1]


def read_topics(stdout):
    """Return each printed topic: its share, both lists of its terms, and typical documents."""
    topics = read_printed(stdout)
    # Nothing else is on stdout.
    assert stdout.count("\n") == 3 * len(topics) + sum(len(topic[3]) for topic in topics)
    return topics


def read_csv(text):
    return list(csv.reader(io.StringIO(text)))
