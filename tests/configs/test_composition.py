"""The composed configuration: by Hydra or without it the same, whatever Hydra does."""

from __future__ import annotations

import shutil

import pytest
from omegaconf import OmegaConf

from spectramind_kit.configs import CONFIG_DIR, available_choices, available_groups, composition, load_config
from spectramind_kit.errors import ConfigError
from spectramind_kit.optional_packages import PROBES, why_not

GROUPS = available_groups()
CHOICES = [(group, choice) for group in GROUPS for choice in available_choices(group)]


def plain(config):
    return OmegaConf.to_container(config, resolve=True)


def test_the_groups_of_the_design_are_there():
    """Guards against a folder that is renamed under the users' overrides."""
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


@pytest.mark.parametrize("group, choice", CHOICES)
def test_every_choice_composes_and_hydra_gives_the_same(group, choice):
    """Guards against a kernel without hydra-core training something else than a local run."""
    pytest.importorskip("hydra")
    without, by_hydra = (load_config(overrides=[f"{group}={choice}"], use_hydra=use) for use in (False, True))
    assert plain(without) == plain(by_hydra)


@pytest.mark.parametrize("profile", available_choices("profile"))
def test_profiles_and_choices_together_equal_hydra(profile):
    """Guards against another order of profile, choice and value than Hydra's."""
    pytest.importorskip("hydra")
    overrides = ["model/fusion=late", "model/size=large", "train.epochs=7"]
    without, by_hydra = (
        load_config(profile=profile, overrides=overrides, use_hydra=use) for use in (False, True)
    )
    assert plain(without) == plain(by_hydra)


@pytest.mark.parametrize("use_hydra", (False, True))
def test_a_choice_of_the_command_line_beats_the_profile(tmp_path, monkeypatch, use_hydra):
    """Guards against a profile's size that is trained where another was asked for, once a profile has one."""
    if use_hydra:
        pytest.importorskip("hydra")
    folder = shutil.copytree(CONFIG_DIR, tmp_path / "configs")
    profile = folder / "profile/full.yaml"
    text = profile.read_text(encoding="utf-8").replace("profile: full", "", 1)
    head = "# @package _global_\ndefaults:\n  - override /model/size: base\nprofile: full\n"
    profile.write_text(head + text, encoding="utf-8")
    monkeypatch.setattr(composition, "CONFIG_DIR", folder)
    small = load_config(profile="full", overrides=["model/size=small"], use_hydra=use_hydra)
    assert small.model.size.name == "small"
    assert load_config(profile="full", use_hydra=use_hydra).model.size.name == "base"


@pytest.mark.parametrize("group, choice", CHOICES)
def test_a_file_says_only_what_its_base_does_not(group, choice):
    """Guards against a fact that stands twice: a file repeats no value of the one it starts from."""
    own = OmegaConf.to_container(OmegaConf.load(CONFIG_DIR / group / f"{choice}.yaml"))
    for base in own.pop("defaults", []):
        if isinstance(base, str):
            inherited = OmegaConf.to_container(composition._choice(group, base))
            assert not [key for key, value in own.items() if inherited.get(key) == value]


@pytest.fixture
def fresh_probes():
    why_not.cache_clear()
    composition.say_once.cache_clear()
    yield
    why_not.cache_clear()
    composition.say_once.cache_clear()


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
        monkeypatch.setattr(composition, "_compose_with_hydra", fail)
    for _ in range(2):
        assert plain(load_config(overrides=["train.epochs=7"])) == plain(
            load_config(overrides=["train.epochs=7"], use_hydra=False)
        )
    out = capsys.readouterr().out
    assert out.count("hydra-core is installed and does not work") == 1 and str(error) in out
    with pytest.raises(ConfigError, match="does not work") as caught:
        load_config(use_hydra=True)
    assert str(error) in caught.value.found
