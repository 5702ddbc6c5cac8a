"""Weights that were trained on simulated planets, and their card."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spectramind_kit.configs import available_choices, load_config
from spectramind_kit.errors import DataError
from spectramind_kit.models.build import build_model
from spectramind_kit.run_folder.json_file import read_json, write_json
from spectramind_kit.simulator.wavelengths import bin_wavelengths
from spectramind_kit.training import pretrained as module
from spectramind_kit.training.direct_rows import direct_row
from spectramind_kit.training.normaliser import Normaliser
from spectramind_kit.training.pretrained import (
    find_pretrained,
    is_direct,
    load_pretrained,
    network_config,
    save_pretrained,
)
from tests.training.known_rows import rows_and_labels
from tests.transit.synthetic import WAVELENGTH, make_light_curve, make_planet

SMALL = ("model/size=small", "model.size.width=16", "model.size.airs_channels=4")


def model_of(*overrides):
    return load_config(overrides=["model/decoder=direct", *SMALL, *overrides]).model


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    return build_model(model_of()).state_dict()


@pytest.fixture
def saved(tmp_path, state):
    """Where weights of `model_of` are."""
    path, normaliser = tmp_path / "direct.pt", Normaliser.fit(rows_and_labels(3)[0])
    card = {"config": network_config(model_of()), "scores": {"score": 0.5}, "data": {"seed": 1}}
    save_pretrained(path, state, normaliser=normaliser, wavelength_um=WAVELENGTH, card=card)
    return path


def test_what_fits_another_model_is_given_to_it(saved, state):
    """Guards against an encoder of one's own that costs the rest of the model what it has learned, and
    against half a part, whose other half is random."""
    model = build_model(model_of("model/fgs1_encoder=conv", "model/fusion=concat"))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert load_pretrained(saved).give_to(model) == ["fgs1_encoder", "fusion"]
    for name, value in model.state_dict().items():
        fresh = name.startswith(("fgs1_encoder.", "fusion."))
        assert torch.equal(value, before[name] if fresh else state[name]), name


def change_card(path, **changes):
    card = path.with_suffix(".json")
    write_json(card, read_json(card) | changes)


def test_weights_come_back_as_they_were(saved, state):
    """Guards against a start with other weights, or features on another scale, than were trained."""
    found, normaliser = load_pretrained(saved), Normaliser.fit(rows_and_labels(3)[0])
    assert set(found.state) == set(state) and found.card["scores"] == {"score": 0.5}
    assert all(torch.equal(found.state[name], value) for name, value in state.items())
    assert found.normaliser.to_dict() == normaliser.to_dict()
    build_model(model_of()).load_state_dict(found.state)


def test_the_fingerprint_is_that_of_the_inputs(saved, tmp_path, state):
    """Guards against folds that go on from other weights than they were started with."""
    first = load_pretrained(saved).fingerprint
    other = Normaliser.fit(rows_and_labels(5)[0])
    card = {"config": network_config(model_of())}
    save_pretrained(tmp_path / "other.pt", state, normaliser=other, wavelength_um=WAVELENGTH, card=card)
    assert load_pretrained(saved).fingerprint == first != load_pretrained(tmp_path / "other.pt").fingerprint


def test_other_wavelengths_are_others(saved):
    """Guards against experts of 282 bins that read the bins of another instrument, or in another order."""
    found = load_pretrained(saved)
    assert found.knows(WAVELENGTH) and found.knows(WAVELENGTH.astype(np.float32))
    assert not found.knows(np.r_[WAVELENGTH[:1], WAVELENGTH[:0:-1]])
    assert not found.knows(np.r_[WAVELENGTH[:1], WAVELENGTH[2:], 3.9]), "one bin further"


def test_another_recipe_is_told(saved):
    """Guards against weights that were trained on inputs which are made in another way now."""
    change_card(saved, recipe=module.RECIPE + 1)
    with pytest.raises(DataError, match="cannot be used") as error:
        load_pretrained(saved)
    assert f"recipe {module.RECIPE + 1}" in str(error.value) and "scripts/pretrain" in str(error.value)


@pytest.mark.parametrize("name", ["config", "normaliser"])
def test_a_card_that_was_changed_is_told(saved, name):
    """Guards against weights that are used with a card of others."""
    content = read_json(saved.with_suffix(".json"))[name]
    part = next(iter(content))
    change_card(saved, **{name: content | {part: []}})
    with pytest.raises(DataError):
        load_pretrained(saved)


@pytest.mark.parametrize(
    "damage", ["no card", "card cut short", "card without config", "no weights", "cut short"]
)
def test_damage_is_told(saved, damage):
    """Guards against a traceback where a file is missing or only half copied."""
    card = saved.with_suffix(".json")
    if damage == "no card":
        card.unlink()
    elif damage == "card cut short":
        card.write_text(card.read_text(encoding="utf-8")[:50], encoding="utf-8")
    elif damage == "card without config":
        write_json(card, {k: v for k, v in read_json(card).items() if k != "config"})
    elif damage == "no weights":
        saved.unlink()
    else:
        saved.write_bytes(saved.read_bytes()[:1000])
    with pytest.raises(DataError):
        load_pretrained(saved)


def test_what_changes_no_prediction_changes_no_weights():
    """Guards against weights that are refused for how a prediction is used or computed."""
    wanted = network_config(model_of())
    for overrides in (
        ["model/decoder=both", *SMALL],
        ["model.size.dropout=0.3"],
        ["model.fgs1_encoder.scan_backend=torch"],
        ["model.airs_encoder.graph_backend=dense"],
    ):
        assert network_config(model_of(*overrides)) == wanted, overrides
    names = [set(build_model(model_of(*o)).state_dict()) for o in ([], ["model/decoder=both"])]
    assert names[0] == names[1], "decoder=both is the network of decoder=direct"


@pytest.mark.parametrize(
    "override, others",
    [
        ("model.size.width=32", "fgs1_encoder, airs_encoder, fusion, decoder"),
        ("model.size.readings=3", "fusion, decoder"),
        ("model.size.experts=0", "decoder"),
        ("model/fgs1_encoder=conv", "fgs1_encoder"),
        ("model/fusion=late", "fusion"),
        ("model.decoder.log_scale_bound=2.0", "decoder"),
        ("model.airs_encoder.kernels=[5]", "airs_encoder"),
    ],
)
def test_what_changes_a_prediction_is_of_another_model(saved, state, monkeypatch, capsys, override, others):
    """Guards against weights in a part that computes something else with them: those of the kit are left out
    there with a word, those that were named are an error."""
    ship(monkeypatch, saved)
    config, others = model_of(override), others.split(", ")
    found, said = find_pretrained(config, "auto"), capsys.readouterr().out
    if len(others) == 4:
        assert found is None and "another model" in said
    else:
        assert f"begin all of the network but {', '.join(others)}\n" in said
        model = build_model(config)
        assert found.give_to(model, found.parts_for(config)) == others
        own = model.airs_encoder.state_dict()
        same = all(
            torch.equal(own[k], state[f"airs_encoder.{k}"]) for k in own if "airs_encoder" not in others
        )
        assert same
    with pytest.raises(DataError, match="another model"):
        find_pretrained(config, str(saved))


def ship(monkeypatch, path):
    """The weights of the kit are those of the test."""
    monkeypatch.setattr(module, "SHIPPED", path)


def test_the_start_is_what_was_asked_for(saved, monkeypatch, capsys):
    """Guards against weights where none were wanted, and against another file than the one that is named."""
    ship(monkeypatch, saved)
    assert find_pretrained(model_of(), "scratch") is None
    assert find_pretrained(model_of(), "auto").card["data"] == {"seed": 1}
    change_card(saved, data={"seed": 2})
    assert find_pretrained(model_of(), str(saved)).card["data"] == {"seed": 2}
    with pytest.raises(DataError):
        find_pretrained(model_of(), str(saved.with_name("nothing.pt")))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("profile", available_choices("profile"))
def test_the_weights_of_the_kit_fit_its_own_model(profile, capsys):
    """Guards against a size or a part that was changed without training anew: the default run would start
    from nothing."""
    config = load_config(profile=profile)
    found = find_pretrained(config.model, config.train.start)
    assert found is not None and found.knows(bin_wavelengths()) and capsys.readouterr().out == ""
    normaliser = found.normaliser
    features = {"bin_features": len(normaliser.bin_mean), "star_features": len(normaliser.star_names)}
    build_model(config.model, **features).load_state_dict(found.state, strict=True)
    row = direct_row(make_light_curve(make_planet(1), seed=1), star={})
    assert row["bins"].shape[1] == features["bin_features"] and set(row["star"]) == set(normaliser.star_names)


def test_only_the_direct_head_has_pretrained_weights(saved, monkeypatch):
    """Guards against weights for light curves in a network that reads what an anchor leaves of them."""
    ship(monkeypatch, saved)
    kinds = {"direct": True, "both": True, "anchored": False}
    for decoder, wanted in kinds.items():
        assert is_direct(load_config(overrides=[f"model/decoder={decoder}"]).model) == wanted
    assert not is_direct(load_config(overrides=["model=anchor"]).model), "no network is trained"
    anchored = load_config(overrides=["model/decoder=anchored", *SMALL]).model
    assert find_pretrained(anchored, "auto") is None
