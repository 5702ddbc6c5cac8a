"""The stock Kaggle CLI, called as a program: what it prints is read as well as its exit code.

It exits 0 for several failures (a dataset that exists already, sources that Kaggle does not know).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from spectramind_kit.errors import DataError
from spectramind_kit.programs import run_program, run_program_aloud

NEW_TOKEN = (
    "kaggle.com, Settings, API: put a new token into KAGGLE_API_TOKEN or ~/.kaggle/access_token, "
    "or a legacy key into kaggle.json"
)
# What the CLI prints and then exits 0: the pattern, what it means, what to do.
FAILURES = (
    (
        r"already in use by a dataset",
        "the dataset exists already",
        'push a new version: scripts/push_kaggle dataset --version "what changed"',
    ),
    (
        r"not valid competition sources.*",
        "Kaggle does not know the competition",
        "check the slug, and accept the competition's rules on its page with this account",
    ),
    (
        r"not valid dataset sources.*",
        "Kaggle does not know a dataset",
        "push it first: scripts/push_kaggle dataset",
    ),
    (
        r"not valid kernel sources.*",
        "Kaggle does not know a kernel whose output is needed",
        "push and run that kernel first",
    ),
    (
        r"does not resolve to the specified id.*",
        "the kernel's title does not turn into its slug",
        "make them agree",
    ),
    (r"Kernel push error:.*", "Kaggle refused the kernel", "see what it said"),
    (r"Dataset (version )?creation error:.*", "Kaggle refused the dataset", "see what it said"),
    (r"Skipping folder:.*", "a folder was left out of the upload", "pass --dir-mode zip"),
)
EXIT_FAILURES = (  # whole phrases: a bare 401 is also a part of an upload's speed
    (
        r"401 Client Error|[Uu]nauth(ori[sz]|enticat)ed|[Ii]nvalid credentials|Authentication required",
        "Kaggle does not accept the token, or the name and key",
        f"make a new one. {NEW_TOKEN}",
    ),
    (
        r"429 Client Error|[Tt]oo [Mm]any [Rr]equests|[Rr]ate limit",
        "Kaggle takes no more requests for now",
        "nothing is wrong here: wait a quarter of an hour and run the same command again",
    ),
    (
        r"50[0234] Server Error|[Ii]nternal (server )?error|[Ss]ervice [Uu]navailable|[Bb]ad [Gg]ateway",
        "Kaggle has a failure of its own",
        "nothing is wrong here: run the same command again in some minutes",
    ),
    (
        r"403 Client Error|[Ff]orbidden|[Dd]enied",
        "Kaggle forbids it",
        "accept the competition's rules, and check that the owner is this account",
    ),
    (
        r"404 Client Error|[Nn]ot [Ff]ound",
        "Kaggle does not know the address",
        "check owner and slug; a dataset must be created before it gets a version",
    ),
    (r"ConnectionError|Max retries|ProxyError|timed out", "Kaggle cannot be reached", "check the network"),
)
SUCCESS = r"successfully pushed|Dataset is being created|Dataset version is being created"


@dataclass(frozen=True)
class Answer:
    """What one call of the CLI gave back."""

    command: tuple[str, ...]
    exit_code: int
    text: str

    @property
    def url(self) -> str:
        found = re.search(r"progress at (\S+)", self.text)
        return found[1] if found else ""


def run_cli(*arguments: str, timeout_s: float, show: bool = False) -> Answer:
    """Run ``kaggle ARGUMENTS`` from this environment; raise DataError when it is not installed or hangs.

    ``show``: what it prints appears at once, on standard error.
    """
    program = Path(sys.executable).with_name("kaggle")
    if not program.is_file():
        raise DataError(
            "the Kaggle CLI is not installed", where=str(program), fix="pip install kaggle==2.2.4 six"
        )
    try:
        # its progress bars are no ASCII, and into a pipe it would print all at its end
        own = {"PYTHONIOENCODING": "utf-8:replace", "PYTHONUNBUFFERED": "1"}
        environment = {**os.environ, **own}
        how = {"timeout_s": timeout_s, "environment": environment}
        command = [str(program), *arguments]
        done = run_program_aloud(command, _show, **how) if show else run_program(command, **how)
    except subprocess.TimeoutExpired as error:
        what, found = "the Kaggle CLI did not end in time", f"{timeout_s / 60:g} minutes"
        fix = (
            "run the same command again, the CLI goes on with a file that it has begun; --minutes: more time"
        )
        raise DataError(what, where=" ".join(arguments), found=found, fix=fix if show else "") from error
    return Answer(("kaggle", *arguments), done.returncode, done.stdout)


def _show(line: str) -> None:
    """Progress bars only where somebody is there to see them."""
    if line.strip() and ("%|" not in line or sys.stderr.isatty()):
        print(line, end="", file=sys.stderr, flush=True)


def check_answer(answer: Answer) -> None:
    """Raise DataError unless the CLI reports success in words and by its exit code."""
    where = " ".join(answer.command)
    for pattern, what, fix in FAILURES:
        found = re.search(pattern, answer.text)
        if found:
            raise DataError(what, where=where, found=found[0].strip(), fix=fix)
    if answer.exit_code == 0 and re.search(SUCCESS, answer.text):
        return
    lines = [line.strip() for line in answer.text.splitlines() if line.strip()]
    lines = [line for line in lines if "%|" not in line]  # no progress bars
    what, fix = "the Kaggle CLI failed" if answer.exit_code else "the Kaggle CLI did not report success", ""
    for pattern, meaning, advice in EXIT_FAILURES:
        if any(re.search(pattern, line) for line in lines):
            what, fix = meaning, advice
            break
    found = f"exit code {answer.exit_code}: {' / '.join(lines[-3:])[:600]}"
    raise DataError(what, where=where, found=found, fix=fix)
