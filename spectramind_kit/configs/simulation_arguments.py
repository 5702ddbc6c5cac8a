"""What scripts/run hands to scripts/simulate: ``python -m spectramind_kit.configs.simulation_arguments``."""

from __future__ import annotations

import argparse
import sys

from spectramind_kit.configs import load_config
from spectramind_kit.errors import DataError
from spectramind_kit.runtime import cpu_count


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="quick")
    parser.add_argument("--override", action="append", default=[])
    options = parser.parse_args(arguments)
    try:
        simulate = load_config(profile=options.profile, overrides=options.override).simulate
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(
        f"--train {simulate.n_train} --test {simulate.n_test} --seed {simulate.seed} "
        f"--cadence {simulate.cadence} --world {simulate.world} --jobs {cpu_count()}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
