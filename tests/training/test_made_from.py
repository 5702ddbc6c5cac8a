"""Fingerprints of inputs: whole, in words, and kept in the bundle."""

from __future__ import annotations

import dataclasses

from spectramind_kit.fingerprint import fingerprint
from spectramind_kit.run_folder.json_file import read_json
from spectramind_kit.training.made_from import why_measure_again
from tests.transit.synthetic import make_light_curve, make_planet


def test_a_light_curve_counts_whole():
    """Guards against a field of the light curve that nobody looks at."""
    curve = make_light_curve(make_planet(0), seed=0, n_times=20)
    prints = {fingerprint(curve)}
    flux = curve.flux.copy()
    flux[3, 7] *= 1.01
    for other in (
        {"flux": flux},
        {"flags": ("a",)},
        {"info": {"x": 1.0}},
        {"exposure_h": 0.3},
        {"visit": 2},
        {"wavelength_um": curve.wavelength_um + 1e-9},
        {"time": curve.time + 0.1},
        {"flux_err": curve.flux_err * 2},
    ):
        prints.add(fingerprint(dataclasses.replace(curve, **other)))
    assert len(prints) == 9
    stored = {"light curve of visit 0": "a", "light curve of visit 1": "b"}
    assert why_measure_again(stored, {"light curve of visit 0": "a"}) == "its light curve of visit 1 is gone"


def test_the_bundle_says_what_it_was_made_from(small_run):
    """Guards the chain: exactly the inputs that changed have another fingerprint."""
    bundle = small_run.root / "bundle/bundle.json"
    first = read_json(bundle)
    small_run.train()
    assert read_json(bundle)["made_from"] == first["made_from"] and first["made_from"]["seed"] == "0"

    def differs():
        small_run.train()
        now = read_json(bundle)["made_from"]
        return sorted(name for name in now if now[name] != first["made_from"][name])

    small_run.labels.iloc[2, 100] *= 1.01
    assert differs() == ["labels"]
    small_run.labels.iloc[2, 100] /= 1.01
    small_run.change_star(3)
    assert differs() == ["measurements"]
