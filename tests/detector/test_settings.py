"""The settings and their YAML mirror."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest
import yaml

import spectramind_kit.configs
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.errors import ConfigError

FOLDER = Path(spectramind_kit.configs.__file__).parent / "data"


def test_default_yaml_mirrors_the_dataclass():
    """Guards against a default that differs between a notebook and a direct call, or a field without a
    key."""
    values = yaml.safe_load((FOLDER / "default.yaml").read_text())
    assert values.pop("_target_") == "spectramind_kit.detector.settings.DetectorSettings"
    assert list(values) == list(asdict(DetectorSettings()))
    assert DetectorSettings(**values) == DetectorSettings()


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_yaml_builds(path):
    """Guards against a choice that names a setting which is gone."""
    DetectorSettings.from_mapping(yaml.safe_load(path.read_text()))


def test_every_setting_but_the_reader_changes_the_digest():
    """Guards against a store whose files were made with other settings."""
    base = DetectorSettings()
    other = {
        "target_bins": 90,
        "exposures_per_bin": 5,
        "drop_last": 0,
        "adc_direction": "divide",
        "dark_timing": "off",
        "foreground": "plain",
        "airs_rows": (9, 23),
        "airs_edge_rows": 3,
        "fgs1_window": (9, 23),
        "fgs1_corner": 3,
        "hot_clip_sigma": 6.0,
        "cosmic_ray_sigma": 12.0,
    }
    other["airs_extraction"] = "optimal" if base.airs_extraction == "sum" else "sum"
    other["fgs1_extraction"] = "optimal" if base.fgs1_extraction == "sum" else "sum"
    for name, value in asdict(base).items():
        if isinstance(value, bool):
            other[name] = not value
    digests = {replace(base, **{name: value}).digest for name, value in other.items()}
    assert len(digests | {base.digest}) == len(other) + 1
    assert replace(base, reader="pyarrow").digest == base.digest
    assert set(other) | {"reader"} == set(asdict(base))


def test_wrong_settings_name_the_right_ones():
    """Guards against a misspelt key that is ignored."""
    with pytest.raises(ConfigError, match="did you mean 'target_bins'"):
        DetectorSettings.from_mapping({"target_bin": 3})
    with pytest.raises(ConfigError, match="did you mean 'divide'"):
        DetectorSettings(adc_direction="devide")
    with pytest.raises(ConfigError, match="airs_rows"):
        DetectorSettings(airs_rows=(8, 30))
    with pytest.raises(ConfigError, match="cosmic_ray_sigma"):
        DetectorSettings(cosmic_ray_sigma=2)
