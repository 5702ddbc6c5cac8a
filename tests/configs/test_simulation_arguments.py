"""The command line that scripts/run hands to scripts/simulate."""

from __future__ import annotations

from spectramind_kit.configs import load_config
from spectramind_kit.configs.simulation_arguments import main


def arguments_of(text: str) -> dict[str, str]:
    words = text.split()
    return dict(zip(words[::2], words[1::2]))


def test_the_profile_and_its_overrides_reach_the_simulator(capsys):
    """Guards against a simulated set of another size or seed than the configuration says."""
    assert main(["--profile", "smoke", "--override", "simulate.seed=7"]) == 0
    found, wanted = arguments_of(capsys.readouterr().out), load_config(profile="smoke").simulate
    assert (found["--train"], found["--test"]) == (str(wanted.n_train), str(wanted.n_test))
    assert (found["--seed"], found["--cadence"]) == ("7", wanted.cadence) and int(found["--jobs"]) >= 1


def test_a_wrong_override_is_an_exit_code_and_a_word(capsys):
    """Guards against a traceback in the first line of scripts/run, or a simulation with the defaults."""
    assert main(["--override", "simulate.sed=7"]) == 2
    printed = capsys.readouterr()
    assert not printed.out and "simulate.seed" in printed.err
