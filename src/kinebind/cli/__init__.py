"""The command line. `main` is the program `kinebind`."""

import signal
import sys
from typing import NoReturn

INTERRUPTED, TERMINATED = 130, 143


def main() -> NoReturn:
    """Run the command line of this process and leave with its exit code."""
    # As an exception, so that whoever ends the program from outside finds no half-written files either.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        # Here, because this takes long enough to be interrupted.
        from kinebind.cli.app import run

        sys.exit(run(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


__all__ = ["main"]
