"""The `sparsenmf` command, whose subcommands call the Python interface."""

from .choose import choose
from .command import group
from .fit import factorize, topics
from .stores import store
from .use import info, transform, warmup

for command in (topics, factorize, choose, transform, store, info, warmup):
    group.add_command(command)

__all__ = ["group"]
