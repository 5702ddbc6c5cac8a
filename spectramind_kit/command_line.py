"""How a command ends: an error is one line, and so is Ctrl-C."""

from __future__ import annotations

import sys
from collections.abc import Callable

from spectramind_kit.errors import ConfigError, DataError

INTERRUPTED = 130  # of a program that Ctrl-C has ended, as shells have it


def run_command(work: Callable[[], object]) -> int:
    """Do the work of a command; its exit code: 2 for a wrong argument, 1 for another error of the kit's."""
    try:
        work()
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    except KeyboardInterrupt:
        print("stopped: run the same command again to go on", file=sys.stderr)
        return INTERRUPTED
    return 0
