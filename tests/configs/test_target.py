"""``_target_``: what is found, how it is called, and what is said where it cannot be."""

from __future__ import annotations

import sys
import types

import pytest
from omegaconf import OmegaConf

from spectramind_kit.configs import target as target_module
from spectramind_kit.configs.target import instantiate, is_own, keywords, locate, to_plain
from spectramind_kit.errors import ConfigError


class Mine:
    def __init__(self, width: int, *, gain: float = 1.0):
        self.width, self.gain = width, gain


class TakesAll:
    def __init__(self, **settings):
        self.settings = settings


@pytest.fixture(autouse=True)
def notebook(monkeypatch):
    """A module as a notebook's `__main__` is: not in the kit, importable by name."""
    module = types.ModuleType("my_notebook")
    module.Mine, module.TakesAll = Mine, TakesAll
    monkeypatch.setitem(sys.modules, "my_notebook", module)
    target_module.say_once.cache_clear()


def test_the_kits_own_are_told_from_others():
    """Guards against a user's `spectramind_kit_extra` being held to the kit's keys."""
    assert is_own("spectramind_kit.losses.composite.CompositeLoss")
    assert not is_own("spectramind_kit_extra.Loss") and not is_own("my_notebook.Mine") and not is_own(None)


@pytest.mark.parametrize(
    "name, words",
    (
        ("Mine", "package.module.Name"),
        ("no_such_module.Mine", "cannot be imported"),
        ("my_notebook.Min", "did you mean 'Mine'"),
    ),
)
def test_what_is_not_found_is_told_by_name(name, words):
    """Guards against an AttributeError from inside importlib."""
    assert locate("my_notebook.Mine") is Mine
    with pytest.raises(ConfigError, match=words):
        locate(name)


def test_keywords_are_what_may_be_set():
    """Guards against `self`, or the name of ``**settings``, being taken for a key."""
    assert keywords(Mine) == ({"width", "gain"}, False)
    assert keywords(TakesAll) == (set(), True)


def test_values_known_at_run_time_fill_what_the_node_leaves_open():
    """Guards against a given value that beats the configuration, or that is pressed on a class without it."""
    given = {"width": 32, "star_features": 5}
    assert instantiate({"_target_": "my_notebook.Mine"}, where="part", given=given).width == 32
    assert instantiate({"_target_": "my_notebook.Mine", "width": 8}, where="part", given=given).width == 8


def test_spare_keys_are_left_out_and_said_once(capsys):
    """Guards against a class of one's own that must take all keys of the part it stands in for."""
    node = {"_target_": "my_notebook.Mine", "width": 8, "headdim": 4}
    for _ in range(2):
        assert instantiate(node, where="part", spare=frozenset({"headdim"})).width == 8
    assert capsys.readouterr().out.count("does not take headdim") == 1


@pytest.mark.parametrize(
    "node, words",
    (
        ({"width": 8}, "no _target_"),
        ({"_target_": "my_notebook.Mine", "widht": 8}, "did you mean 'width'"),
        ({"_target_": "my_notebook.Mine"}, "could not be built.*gain, width"),
    ),
)
def test_a_node_that_makes_nothing_says_why(node, words):
    """Guards against a misspelt key that is ignored, and against a bare TypeError."""
    with pytest.raises(ConfigError, match=words):
        instantiate(node, where="part")


def test_plain_configs_have_their_references_resolved():
    """Guards against `${...}` reaching a constructor, and against a reference that leads nowhere."""
    assert to_plain(OmegaConf.create({"a": 1, "b": "${a}"})) == {"a": 1, "b": 1}
    assert to_plain({"a": 1}) == {"a": 1}
    with pytest.raises(ConfigError, match="cannot be resolved"):
        to_plain(OmegaConf.create({"b": "${nowhere}"}))


def test_a_class_of_another_notebook_is_said_where_to_put():
    """Guards against a suggestion of some other name of this notebook, where 02_train knew the class."""
    with pytest.raises(ConfigError, match=r"cell above, or in a module .* my_module\.MyOwnEncoder"):
        locate("__main__.MyOwnEncoder")
