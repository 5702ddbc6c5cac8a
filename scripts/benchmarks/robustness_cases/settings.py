"""Settings as people write them: each is what it looks like, or ends before anything runs with a word how to
write it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from robustness_cases import Case, Outcome


def override(text: str, *, value: object = None) -> Callable[[Path], Outcome]:
    """The override as `scripts/run_notebook` checks it: it has ``value``, or is refused where that is
    None."""

    def run(scratch: Path) -> Outcome:
        from omegaconf import OmegaConf

        from spectramind_kit.configs import load_config
        from spectramind_kit.errors import ConfigError
        from spectramind_kit.notebook import check_parameters

        notebook = Path(__file__).resolve().parents[3] / "notebooks" / "02_train.ipynb"
        try:
            check_parameters(notebook, {"overrides": [text]})
        except ConfigError as error:
            return Outcome(
                said=f"ConfigError: {error}"[:200], wrong=value is not None, note="refused at the check"
            )
        found = OmegaConf.select(load_config(overrides=[text]), text.partition("=")[0])
        good = value is not None and found == value and type(found) is type(value)
        return Outcome(wrong=not good, note=f"became {found!r}")

    return run


def parameter(name: str, text: str) -> Callable[[Path], Outcome]:
    def run(scratch: Path) -> Outcome:
        from spectramind_kit.errors import ConfigError
        from spectramind_kit.notebook import check_parameters

        try:
            found = check_parameters(
                Path(__file__).resolve().parents[3] / "notebooks" / "02_train.ipynb", {name: text}
            )
        except ConfigError as error:
            return Outcome(said=f"ConfigError: {error}"[:200], note="refused at the check")
        return Outcome(wrong=True, note=f"became {found[name]!r}")

    return run


CASES = [
    Case(
        "train.epochs=ten",
        "settings",
        "passed the check, ended 02_train after light curves and anchors",
        override("train.epochs=ten"),
    ),
    Case("train.epochs=010", "settings", "8 epochs", override("train.epochs=010", value=10)),
    Case("data.airs_rows=8:24", "settings", "504", override("data.airs_rows=8:24")),
    Case("train.learning_rate=1e-3", "settings", "0.001", override("train.learning_rate=1e-3", value=1e-3)),
    Case("train.time_flip=yes", "settings", "True", override("train.time_flip=yes")),
    Case("data.reader=on", "settings", "True", override("data.reader=on")),
    Case("train.folds=1", "settings", "passed the check", override("train.folds=1")),
    Case("train.batch_size=-3", "settings", "passed the check", override("train.batch_size=-3")),
    Case("train.learning_rate=.nan", "settings", "passed the check", override("train.learning_rate=.nan")),
    Case("anchor.drift_scatter=-1", "settings", "passed the check", override("anchor.drift_scatter=-1")),
    Case("model.size.width=33 with 4 heads", "settings", "passed the check", override("model.size.width=33")),
    Case("loss.weights.gll=one", "settings", "passed the check", override("loss.weights.gll=one")),
    Case("budget_hours=1e999", "settings", "passed the check", parameter("budget_hours", "1e999")),
    Case("budget_hours=-1", "settings", "passed the check", parameter("budget_hours", "-1")),
]
