"""The configuration as a whole: frozen, named by its content, and in step with the classes that take it."""

from __future__ import annotations

import inspect
import itertools

import pytest
from omegaconf import OmegaConf

from spectramind_kit.configs import CONFIG_DIR, available_choices, composition, config_digest, load_config
from spectramind_kit.configs.target import locate
from spectramind_kit.models.build import PARTS

PART_FILES = [(f"model/{part}", name) for part in PARTS for name in available_choices(f"model/{part}")]
LOSS_FILES = [("loss", name) for name in available_choices("loss")]


def test_config_is_frozen_and_its_digest_depends_on_content_only():
    """Guards against a setting that is changed after its digest has named a file."""
    a, b = load_config(), load_config()
    assert (
        config_digest(a.train)
        == config_digest(b.train)
        != config_digest(load_config(overrides=["train.epochs=99"]).train)
    )
    with pytest.raises(Exception, match="read-only"):
        a.train.epochs = 3


def test_smallest_profile_is_the_smallest():
    """Guards against a smoke run that takes longer than a quick one."""
    sizes = [load_config(profile=p).simulate.n_train for p in ("smoke", "quick", "full")]
    assert all(a < b for a, b in itertools.pairwise(sizes))


def settings_of(group: str, choice: str) -> dict:
    """What one choice says, references to the model's size left as text."""
    return OmegaConf.to_container(composition._choice(group, choice), resolve=False)


def choice_that_differs(group: str, key: str) -> bool:
    """Whether a file of the group names the key because it is what the choice is about."""
    paths = [CONFIG_DIR / group / f"{name}.yaml" for name in available_choices(group)]
    files = [OmegaConf.to_container(OmegaConf.load(path), resolve=False) for path in paths]
    return len({str(file[key]) for file in files if key in file}) > 1


@pytest.mark.parametrize("group, choice", PART_FILES + LOSS_FILES)
def test_a_default_is_the_same_in_the_file_and_in_the_class(group, choice):
    """Guards against a notebook that builds the class by itself and gets another model than a run."""
    settings = settings_of(group, choice)
    parameters = inspect.signature(locate(settings.pop("_target_"))).parameters
    for key, value in settings.items():
        default = parameters[key].default
        set_elsewhere = default is inspect.Parameter.empty or "${" in str(value)
        if not set_elsewhere and not choice_that_differs(group, key):
            assert value == (list(default) if isinstance(default, tuple) else default), key


@pytest.mark.parametrize("group, choice", PART_FILES)
def test_a_file_sets_every_key_of_its_class(group, choice):
    """Guards against an argument that no override can reach, and against a key that nothing reads."""
    settings = settings_of(group, choice)
    taken = set(inspect.signature(locate(settings.pop("_target_"))).parameters)
    known_at_run_time = {"bin_features", "star_features", "depth_location", "depth_spread"}
    assert set(settings) == taken - known_at_run_time
