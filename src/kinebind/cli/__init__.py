"""The command line. `main` is the program `kinebind`."""

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line of this process and leave with its exit code."""
    from kinebind.cli.app import run

    sys.exit(run(sys.argv[1:]))


__all__ = ["main"]
