"""The `sparsenmf` command, also as ``python -m sparsenmf``."""

import sys


def main():
    """Run the command line, or say in one line what it needs."""
    try:
        from .cli import group

        group(prog_name="sparsenmf")
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        sys.exit("The sparsenmf command needs click: pip install 'sparsenmf[cli]'")
    except KeyboardInterrupt:  # before the command has begun, or after it
        sys.exit(130)


if __name__ == "__main__":
    main()
