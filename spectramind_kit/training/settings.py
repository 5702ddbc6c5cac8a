"""Settings of the training."""

from __future__ import annotations

from dataclasses import dataclass

from spectramind_kit.errors import ConfigError, check_choice

_AMP = ("auto", "float32", "float16", "bfloat16")


@dataclass(frozen=True)
class TrainSettings:
    """As in ``configs/train``, which says what each means. Raises ConfigError for what makes no training."""

    folds: int
    epochs: int
    batch_size: int
    learning_rate: float
    fine_tune_learning_rate: float
    weight_decay: float
    sigma_weight_decay: float
    gradient_clip: float
    ema_decay: float
    warmup_fraction: float
    warm_start_epochs: int
    release_every_epochs: int
    time_flip: bool
    inner_share: float
    start: str
    num_threads: int
    device: str
    amp: str

    def __post_init__(self) -> None:
        limits = (
            ("folds", self.folds >= 2, "2 or more: what is held out must not be trained on"),
            ("epochs", self.epochs >= 1, "1 or more; model=anchor trains no network"),
            ("batch_size", self.batch_size >= 1, "1 or more"),
            ("learning_rate", 0.0 < self.learning_rate < 1.0, "between 0 and 1"),
            ("fine_tune_learning_rate", 0.0 < self.fine_tune_learning_rate < 1.0, "between 0 and 1"),
            ("weight_decay", self.weight_decay >= 0.0, "0 or more"),
            ("sigma_weight_decay", self.sigma_weight_decay >= 0.0, "0 or more"),
            ("inner_share", 0.0 <= self.inner_share <= 0.5, "0 … 0.5"),
            ("gradient_clip", self.gradient_clip > 0.0, "above 0"),
            ("ema_decay", 0.0 <= self.ema_decay < 1.0, "0 … below 1"),
            ("warmup_fraction", 0.0 <= self.warmup_fraction <= 1.0, "0 … 1"),
            ("warm_start_epochs", self.warm_start_epochs >= 0, "0 or more"),
            ("release_every_epochs", self.release_every_epochs >= 0, "0 or more"),
            ("num_threads", self.num_threads >= 0, "0 (all cores) or more"),
            ("device", _is_device(self.device), "auto, cpu, cuda or cuda:N"),
        )
        for name, good, expected in limits:
            if not good:
                raise ConfigError(
                    f"{name} is out of range",
                    where="train settings",
                    found=repr(getattr(self, name)),
                    expected=expected,
                    fix=f"correct train.{name}",
                )
        check_choice(self.amp, _AMP, what="precision", where="train.amp")


def _is_device(name: str) -> bool:
    return name in ("auto", "cpu", "cuda") or (name.startswith("cuda:") and name[5:].isdigit())
