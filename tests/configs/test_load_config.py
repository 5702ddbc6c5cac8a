from __future__ import annotations

import itertools

import pytest
from omegaconf import OmegaConf

from spectramind_kit import configs
from spectramind_kit.configs import available_choices, available_groups, config_digest, load_config
from spectramind_kit.errors import ConfigError
from spectramind_kit.optional_packages import PROBES, why_not

GROUPS = available_groups()


def plain(config):
    return OmegaConf.to_container(config, resolve=True)


def test_the_groups_of_the_design_are_there():
    assert {
        "data",
        "anchor",
        "loss",
        "train",
        "profile",
        "model/fgs1_encoder",
        "model/airs_encoder",
        "model/fusion",
        "model/decoder",
        "model/size",
    } <= set(GROUPS)


@pytest.mark.parametrize("profile", available_choices("profile"))
def test_plain_composition_equals_hydra(profile):
    """Guards against a kernel without hydra-core training something else than a local run."""
    pytest.importorskip("hydra")
    overrides = ["model/fusion=late", "model/size=large", "train.epochs=7"]
    for given in ([], overrides):
        assert plain(load_config(profile=profile, overrides=given, use_hydra=True)) == plain(
            load_config(profile=profile, overrides=given, use_hydra=False)
        )


@pytest.mark.parametrize("group, choice", [(g, c) for g in GROUPS for c in available_choices(g)])
def test_every_choice_composes(group, choice):
    plain(load_config(overrides=[f"{group}={choice}"], use_hydra=False))


def test_values_override_and_later_wins():
    config = load_config(
        overrides=["train.learning_rate=1e-4", "train.epochs=3", "train.epochs=4", "train={folds: 7}"]
    )
    assert config.train.learning_rate == pytest.approx(1e-4) and isinstance(config.train.learning_rate, float)
    assert (config.train.epochs, config.train.folds) == (4, 7)


def test_a_choice_of_the_command_line_beats_the_profile():
    assert load_config(profile="full", overrides=["model/size=small"]).model.size.name == "small"
    assert load_config(profile="full").model.size.name == "base"


def test_a_part_of_ones_own_replaces_the_node_whole():
    """Guards against the kit's own keys being handed to a user's encoder."""
    config = load_config(overrides=["model.fgs1_encoder={_target_: mine.Encoder, width: 8}"])
    assert plain(config.model.fgs1_encoder) == {"_target_": "mine.Encoder", "width": 8}


@pytest.mark.parametrize(
    "override, hint",
    [
        ("train.epoch=5", "train.epochs"),
        ("model/fusion=xatn", "xattn"),
        ("model/fusoin=xattn", "model/fusion"),
        ("train={epoch: 5}", "epochs"),
        ("train=5", "default"),
        ("model.size=5", "model.size.width"),
        ("model.size.widht=5", "model.size.width"),
        ("train.epochs", "key=value"),
        ("profile=fast", "smoke"),
    ],
)
def test_a_misspelling_names_the_nearest(override, hint):
    """Guards against an hour of training with a default in place of what was asked for."""
    with pytest.raises(ConfigError, match=hint):
        load_config(overrides=[override])


def test_config_is_frozen_and_its_digest_depends_on_content_only():
    a, b = load_config(), load_config()
    assert (
        config_digest(a.train)
        == config_digest(b.train)
        != config_digest(load_config(overrides=["train.epochs=99"]).train)
    )
    with pytest.raises(Exception, match="read-only"):
        a.train.epochs = 3


def test_smallest_profile_is_the_smallest():
    sizes = [load_config(profile=p).simulate.n_train for p in ("smoke", "quick", "full")]
    assert all(a < b for a, b in itertools.pairwise(sizes))


@pytest.fixture
def fresh_probes():
    why_not.cache_clear()
    configs.say_once.cache_clear()
    yield
    why_not.cache_clear()
    configs.say_once.cache_clear()


def test_a_users_own_hydra_survives(tmp_path):
    """Guards against `load_config` clearing Hydra's one global: the caller's next `compose` would fail, hours
    later."""
    hydra = pytest.importorskip("hydra")
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.version import VersionBase, getbase

    (tmp_path / "mine.yaml").write_text("mine: 5\n", encoding="utf-8")
    before = getbase()
    with hydra.initialize_config_dir(config_dir=str(tmp_path), version_base="1.2"):
        own, version = GlobalHydra.instance().hydra, getbase()
        config = load_config(overrides=["model/fusion=late"], use_hydra=True)
        assert plain(config) == plain(load_config(overrides=["model/fusion=late"], use_hydra=False))
        assert (
            GlobalHydra.instance().hydra is own
            and getbase() == version
            and HydraConfig.instance().cfg is None
        )
        assert hydra.compose(config_name="mine").mine == 5
    VersionBase.instance().version_base = before
    assert not GlobalHydra.instance().is_initialized()
    load_config(use_hydra=True)
    assert not GlobalHydra.instance().is_initialized(), "nor is anything left behind"


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("antlr4 runtime 4.13 does not match 4.9"),
        AttributeError("module omegaconf"),
        ImportError("cannot import name"),
    ],
)
@pytest.mark.parametrize("where", ["import", "compose"])
def test_a_hydra_that_does_not_work_is_done_without(monkeypatch, capsys, fresh_probes, error, where):
    """Guards against a run that ends because of a package that it does not need; and against silence about
    it."""

    def fail(*arguments, **settings):
        raise error

    if where == "import":
        monkeypatch.setitem(PROBES, "hydra", fail)
    else:
        monkeypatch.setitem(PROBES, "hydra", lambda: None)
        monkeypatch.setattr(configs, "_compose_with_hydra", fail)
    for _ in range(2):
        assert plain(load_config(overrides=["train.epochs=7"])) == plain(
            load_config(overrides=["train.epochs=7"], use_hydra=False)
        )
    out = capsys.readouterr().out
    assert out.count("hydra-core is installed and does not work") == 1 and str(error) in out
    with pytest.raises(ConfigError, match="does not work") as caught:
        load_config(use_hydra=True)
    assert str(error) in caught.value.found
