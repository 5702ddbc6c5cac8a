"""What an override's text is read as."""

from __future__ import annotations

import pytest
import yaml

from spectramind_kit.configs.yaml_value import read_yaml_value


@pytest.mark.parametrize(
    "text, value",
    [
        ("010", 10),
        ("8:24", "8:24"),
        ("1e-3", 1e-3),
        ("1E5", 1e5),
        ("5.", 5.0),
        (".5", 0.5),
        ("-3", -3),
        ("+4", 4),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("", None),
        ("~", None),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("2020-01-01", "2020-01-01"),
        ("[8, 24]", [8, 24]),
        ("{a: 010, b: no}", {"a": 10, "b": "no"}),
        ("'10'", "10"),
        ("float32", "float32"),
    ],
)
def test_values_are_what_they_look_like(text, value):
    """Guards against YAML 1.1: octal numbers, base 60, yes and no as booleans, dates."""
    found = read_yaml_value(text)
    assert found == value and type(found) is type(value)


def test_a_key_that_stands_twice_is_refused():
    """Guards against PyYAML's silence: the later value would win."""
    with pytest.raises(yaml.YAMLError, match="a stands twice"):
        read_yaml_value("{a: 1, b: 2, a: 3}")


def test_what_is_no_yaml_is_an_error():
    """Guards against half a list being taken as text."""
    with pytest.raises(yaml.YAMLError):
        read_yaml_value("[8, 24")
