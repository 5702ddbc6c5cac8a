"""``python -m spectramind_kit.simulator``: what scripts/simulate calls."""

from __future__ import annotations

import argparse
import sys
import time

from spectramind_kit.command_line import run_command
from spectramind_kit.runtime import format_seconds, say
from spectramind_kit.simulator.worlds import WORLDS, world


def parser() -> argparse.ArgumentParser:
    """The command line of scripts/simulate."""
    options = argparse.ArgumentParser(
        prog="scripts/simulate",
        description="Write a simulated Ariel Data Challenge 2025 in the official layout: "
        "DIR/ariel-data-challenge-2025/ holds the data, DIR/truth.csv the spectra of the test planets. "
        "Complete planets are kept, so an interrupted run is continued by repeating it.",
    )
    add = options.add_argument
    default = "(default %(default)s)"
    add("--out", required=True, metavar="DIR", help="folder to write to")
    add("--train", type=int, default=60, metavar="N", help=f"train planets {default}")
    add("--test", type=int, default=20, metavar="M", help=f"test planets {default}")
    seed_help = f"planet k of a seed is always the same {default}"
    add("--seed", type=int, default=0, metavar="S", help=seed_help)
    full, reduced = "11,250 and 135,000 frames per visit, about 0.4 GB", "means of 30 frames, 12 MB (default)"
    cadence_help = f"full: {full}; reduced: {reduced}"
    add("--cadence", choices=("full", "reduced"), default="reduced", help=cadence_help)
    add("--jobs", type=int, default=1, metavar="J", help=f"planets at the same time {default}")
    two_help = f"planets with two visits {default}"
    add("--two-visits", type=float, default=0.1, metavar="SHARE", help=two_help)
    worlds_help = f"a named sky, see docs/simulator.md {default}"
    add("--world", choices=list(WORLDS), default="real", help=worlds_help)
    quiet_help = "without random noise and with a fine ADC, for tests of a calibration"
    add("--quiet-detector", action="store_true", help=quiet_help)
    return options


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0, 1 after an error that the user can mend, or 130 after Ctrl-C."""
    chosen = parser().parse_args(arguments)
    return run_command(lambda: _simulate(chosen))


def _simulate(chosen: argparse.Namespace) -> None:
    from spectramind_kit.simulator.competition import simulate_competition
    from spectramind_kit.simulator.settings import noise_free

    start = time.monotonic()
    settings = world(chosen.world, cadence=chosen.cadence, two_visit_fraction=chosen.two_visits)
    made = simulate_competition(
        chosen.out,
        n_train=chosen.train,
        n_test=chosen.test,
        seed=chosen.seed,
        jobs=chosen.jobs,
        settings=noise_free(settings) if chosen.quiet_detector else settings,
    )
    say(f"data   {made.data_dir}")
    say(f"truth  {made.truth_path} (test planets)")
    say(f"time   {format_seconds(time.monotonic() - start)}")


if __name__ == "__main__":
    sys.exit(main())
