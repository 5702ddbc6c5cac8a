from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from spectramind_kit.configs import CONFIG_DIR
from spectramind_kit.errors import ConfigError
from spectramind_kit.transit import AnchorSettings


def test_unknown_setting_is_an_error() -> None:
    """Guards against a misspelt setting that is silently ignored; the YAML mirrors the dataclass."""
    with pytest.raises(ConfigError, match="drift_scatter"):
        AnchorSettings.from_mapping({"drift_scater": 1.0})
    loaded = OmegaConf.to_container(OmegaConf.load(CONFIG_DIR / "anchor" / "default.yaml"))
    assert AnchorSettings.from_mapping(loaded) == AnchorSettings()
    assert set(loaded) - {"_target_"} == set(AnchorSettings().to_mapping())


def test_mapping_and_back() -> None:
    """Guards against a run that is repeated with other settings than its config says."""
    settings = AnchorSettings(time_bins=90, fgs1_limb_darkening=(0.4, 0.2))
    assert AnchorSettings.from_mapping(settings.to_mapping()) == settings


@pytest.mark.parametrize(
    ("name", "value"),
    [("time_bins", 11), ("drift_decay", 1.5), ("axis_scatter", 0.0), ("airs_limb_darkening", (0.1,))],
)
def test_a_value_out_of_range_is_an_error(name: str, value) -> None:
    """Guards against a width of zero, whose prior has no inverse, hours into a run."""
    with pytest.raises(ConfigError, match=f"{name} is out of range") as caught:
        AnchorSettings.from_mapping({name: value})
    assert f"correct anchor.{name}" in str(caught.value)
