"""Light curves and fits of a run, read back together: simulated planets, measured by the anchor itself."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

from spectramind_kit.diagnostics.bands import SENSORS
from spectramind_kit.diagnostics.visits import (
    _newest,
    band_light_curves,
    load_visits,
    planets_with_light_curves,
    some_of,
)
from spectramind_kit.errors import DataError
from spectramind_kit.run_folder.results import open_run


def test_the_model_leaves_white_noise(measured_dir):
    """Inverse: simulate → measure → residuals of every band have the scatter that the errors promise."""
    run = open_run(measured_dir)
    planets = planets_with_light_curves(run)
    assert len(planets) == 2
    for planet in planets:
        for view in load_visits(run, planet):
            for name, curve in band_light_curves(view).items():
                pull = curve.residual / curve.error
                assert abs(pull.mean()) < 5 / np.sqrt(len(pull)), (planet, name)
                assert 0.75 < pull.std() < 1.35, (planet, name, pull.std())
                assert curve.model.max() == pytest.approx(1.0, abs=2e-4) and curve.model.min() < 0.9999


def test_missing_points_leave_the_rest_of_a_band(measured_run, gappy):
    """Guards against one saturated wavelength, or a sensor without frames, that blanks all of a visit."""
    view = load_visits(measured_run, gappy.planet_id)[0]
    whole, holey = view.white(SENSORS["AIRS"]), replace(view, curve=gappy).white(SENSORS["AIRS"])
    missing = np.isin(np.arange(len(gappy.time)), (10, 11))
    assert (holey.good == ~missing).all() and np.isfinite(holey.model).all()
    np.testing.assert_allclose(holey.flux[~missing], whole.flux[~missing], atol=5e-3)
    assert not replace(view, curve=gappy).white(SENSORS["FGS1"]).good.any()


def test_some_of_the_planets_are_spread_over_all():
    """Guards against a map or a spectrum of the test planets alone, which come first."""
    assert some_of(range(100), 5) == [0, 24, 49, 74, 99] and some_of([7, 3], 5) == [7, 3]


def test_a_planet_without_a_fit_is_left_out(measured_dir, tmp_path):
    """Guards against a figure that breaks on the planet whose anchor failed."""
    shutil.copytree(measured_dir, tmp_path / "run")
    gone = next((tmp_path / "run").glob("anchor/*/*.npz"))
    gone.unlink()
    run = open_run(tmp_path / "run")
    assert len(planets_with_light_curves(run)) == 1 and int(gone.stem) not in planets_with_light_curves(run)
    with pytest.raises(DataError, match="no anchor's fit"):
        load_visits(run, int(gone.stem))


def test_the_newest_settings_win(measured_dir, tmp_path):
    """Guards against light curves of other settings, left from an earlier run, beside a newer fit."""
    shutil.copytree(measured_dir, tmp_path / "run")
    folder = next((tmp_path / "run").glob("store/*"))
    shutil.copytree(folder, folder.parent / "old")
    for path in (folder.parent / "old").iterdir():
        path.write_bytes(b"stale")
        os.utime(path, (1, 1))
    run = open_run(tmp_path / "run")
    assert load_visits(run, planets_with_light_curves(run)[0])


def test_a_fit_of_an_older_light_curve_is_not_shown(measured_dir, tmp_path):
    """Guards against a figure of new light curves under the model of old ones, after 01 alone was run
    again."""
    from spectramind_kit.detector.light_curve import LightCurve
    from spectramind_kit.training.made_from import measurement_made_from
    from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement
    from spectramind_kit.transit.settings import AnchorSettings

    shutil.copytree(measured_dir, tmp_path / "run")
    run = open_run(tmp_path / "run")
    planet = planets_with_light_curves(run)[0]
    (path,), curves = run.glob(f"anchor/*/{planet}.npz"), sorted(run.glob(f"store/*/{planet}_*.npz"))
    made_from = measurement_made_from([LightCurve.load(p) for p in curves], {}, settings=AnchorSettings())
    replace(DepthMeasurement.load(path), made_from=made_from).save(path)
    assert len(load_visits(run, planet)) == len(curves)
    curve = LightCurve.load(curves[0])
    replace(curve, flux=curve.flux * np.float32(1.01)).save(curves[0])
    with pytest.raises(DataError, match="of an older light curve"):
        load_visits(run, planet)


def test_the_bundles_settings_win_over_those_written_last(measured_dir, tmp_path):
    """Guards against light curves and fits of another trial in the report: finished ones are reused, not
    written again."""
    from spectramind_kit.configs import config_digest, load_config
    from spectramind_kit.configs.target import to_plain
    from spectramind_kit.detector.settings import DetectorSettings
    from spectramind_kit.run_folder.json_file import write_json

    config = load_config(profile="smoke")
    digests = {
        "store": DetectorSettings.from_mapping(config.data).digest,
        "anchor": config_digest(config.data, config.anchor),
    }
    for kind, digest in digests.items():
        shutil.copytree(measured_dir / kind / "settings", tmp_path / kind / digest)
        shutil.copytree(measured_dir / kind / "settings", tmp_path / kind / "another")
        for path in (tmp_path / kind / "another").iterdir():
            path.touch()
    groups = {name: to_plain(config[name]) for name in ("data", "anchor")}
    write_json(tmp_path / "bundle/bundle.json", {"config": groups})
    run = open_run(tmp_path)
    for kind, digest in digests.items():
        assert {path.parent.name for path in _newest(run, kind, "*.npz")} == {digest}
    assert len(planets_with_light_curves(run)) == 2 and load_visits(run, planets_with_light_curves(run)[0])
