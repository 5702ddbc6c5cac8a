"""``python -m spectramind_kit.simulator``: what scripts/simulate calls."""

from __future__ import annotations

import argparse
import sys
import time

from spectramind_kit.errors import DataError
from spectramind_kit.runtime import format_seconds, say


def parser() -> argparse.ArgumentParser:
    """The command line of scripts/simulate."""
    options = argparse.ArgumentParser(
        prog="scripts/simulate",
        description="Write a simulated Ariel Data Challenge 2025 in the official layout: "
        "DIR/ariel-data-challenge-2025/ holds the data, DIR/truth.csv the spectra of the test planets. "
        "Complete planets are kept, so an interrupted run is continued by repeating it.",
    )
    options.add_argument("--out", required=True, metavar="DIR", help="folder to write to")
    options.add_argument(
        "--train", type=int, default=60, metavar="N", help="train planets (default %(default)s)"
    )
    options.add_argument(
        "--test", type=int, default=20, metavar="M", help="test planets (default %(default)s)"
    )
    options.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="S",
        help="planet k of a seed is always the same (default %(default)s)",
    )
    options.add_argument(
        "--cadence",
        choices=("full", "reduced"),
        default="reduced",
        help="full: 11,250 and 135,000 frames per visit, about 0.4 GB; reduced: means of 30 frames, 12 MB "
        "(default)",
    )
    options.add_argument(
        "--jobs", type=int, default=1, metavar="J", help="planets at the same time (default %(default)s)"
    )
    options.add_argument(
        "--two-visits",
        type=float,
        default=0.1,
        metavar="SHARE",
        help="planets with two visits (default %(default)s)",
    )
    options.add_argument(
        "--quiet-detector",
        action="store_true",
        help="without random noise and with a fine ADC, for tests of a calibration",
    )
    return options


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0, or 1 after an error that the user can mend."""
    chosen = parser().parse_args(arguments)
    from spectramind_kit.simulator.competition import simulate_competition
    from spectramind_kit.simulator.settings import Settings, noise_free

    start = time.monotonic()
    try:
        settings = Settings(cadence=chosen.cadence, two_visit_fraction=chosen.two_visits)
        made = simulate_competition(
            chosen.out,
            n_train=chosen.train,
            n_test=chosen.test,
            seed=chosen.seed,
            jobs=chosen.jobs,
            settings=noise_free(settings) if chosen.quiet_detector else settings,
        )
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    say(f"data   {made.data_dir}")
    say(f"truth  {made.truth_path} (test planets)")
    say(f"time   {format_seconds(time.monotonic() - start)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
