"""How a command ends: an error is one line, and so is Ctrl-C."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType

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


@contextmanager
def quiet_when_interrupted(mute: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt as ever, after ``mute``: what is being ended then has nothing to say.

    asyncio, which would report the task that nobody waits for any more, is silenced too.
    """

    def interrupted(number: int, frame: FrameType | None) -> None:
        mute()
        logging.getLogger("asyncio").disabled = True
        raise KeyboardInterrupt

    if current_thread() is not main_thread():  # which alone hears signals
        yield
        return
    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
