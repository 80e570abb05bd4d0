"""The `sparsenmf` command, also as ``python -m sparsenmf``."""

import os
import sys


def main():
    """Run the command line, or say in one line what it needs."""
    occupy_descriptors()
    try:
        from .cli import group

        group(prog_name="sparsenmf")
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        if sys.argv[1:] == ["info", "--bug-report"]:  # which is also needed where click is not
            from .models.environment import describe_environment

            sys.stdout.write("\n".join([*describe_environment(), ""]))
            return
        sys.exit('The sparsenmf command needs click: pip install "sparsenmf[cli]"')
    except KeyboardInterrupt:  # before the command has begun, or after it
        sys.exit(130)


def occupy_descriptors():
    """Open nothing where a standard stream is closed.

    Else the next file that is opened would have its number, and get what is meant for it.
    """
    opened = os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    while opened < 3:
        opened = os.open(os.devnull, os.O_RDWR)
    os.close(opened)


if __name__ == "__main__":
    main()
