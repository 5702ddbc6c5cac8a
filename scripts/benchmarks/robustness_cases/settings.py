"""Settings as people write them: each is what it looks like, or ends before anything runs with a word how to
write it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from robustness_cases import ROOT, Case, Outcome

_NOTEBOOK = ROOT / "notebooks" / "02_train.ipynb"


def _checked(name: str, value: object) -> tuple[object, Outcome | None]:
    """The parameter as `scripts/run_notebook` takes it, or what came of its check."""
    from spectramind_kit.errors import ConfigError
    from spectramind_kit.notebook import check_parameters

    try:
        return check_parameters(_NOTEBOOK, {name: value})[name], None
    except ConfigError as error:
        return None, Outcome(said=f"ConfigError: {error}"[:200], note="refused at the check")


def override(text: str, *, value: object = None) -> Callable[[Path], Outcome]:
    """The override has ``value``, or is refused where that is None."""

    def run(scratch: Path) -> Outcome:
        from omegaconf import OmegaConf

        from spectramind_kit.configs import load_config

        _, refused = _checked("overrides", [text])
        if refused:
            return Outcome(said=refused.said, wrong=value is not None, note=refused.note)
        found = OmegaConf.select(load_config(overrides=[text]), text.partition("=")[0])
        good = value is not None and found == value and type(found) is type(value)
        return Outcome(wrong=not good, note=f"became {found!r}")

    return run


def parameter(name: str, text: str) -> Callable[[Path], Outcome]:
    """The parameter is refused."""

    def run(scratch: Path) -> Outcome:
        found, refused = _checked(name, text)
        return refused or Outcome(wrong=True, note=f"became {found!r}")

    return run


_PASSED = "passed the check"
_LATE = "passed the check, ended 02_train after light curves and anchors"
_CASES = (
    ("train.epochs=ten", _LATE, override("train.epochs=ten")),
    ("train.epochs=010", "8 epochs", override("train.epochs=010", value=10)),
    ("data.airs_rows=8:24", "504", override("data.airs_rows=8:24")),
    ("train.learning_rate=1e-3", "0.001", override("train.learning_rate=1e-3", value=1e-3)),
    ("train.time_flip=yes", "True", override("train.time_flip=yes")),
    ("data.reader=on", "True", override("data.reader=on")),
    ("train.folds=1", _PASSED, override("train.folds=1")),
    ("train.batch_size=-3", _PASSED, override("train.batch_size=-3")),
    ("train.learning_rate=.nan", _PASSED, override("train.learning_rate=.nan")),
    ("anchor.drift_scatter=-1", _PASSED, override("anchor.drift_scatter=-1")),
    ("model.size.width=33 with 4 heads", _PASSED, override("model.size.width=33")),
    ("loss.weights.gll=one", _PASSED, override("loss.weights.gll=one")),
    ("budget_hours=1e999", _PASSED, parameter("budget_hours", "1e999")),
    ("budget_hours=-1", _PASSED, parameter("budget_hours", "-1")),
)
CASES = [Case(name, "settings", before, run) for name, before, run in _CASES]
