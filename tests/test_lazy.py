"""`spectramind_kit.lazy`: a package's front names load on first use, and all of them exist."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import pytest

import spectramind_kit
from spectramind_kit.lazy import lazy_names

FRONT = """
from spectramind_kit.lazy import lazy_names
__getattr__, __dir__ = lazy_names(__name__, {"x": "deep"})
"""


def test_a_name_loads_its_module_on_first_use(tmp_path, monkeypatch):
    """Guards against a front that imports everything at once, and against a name that hides its module."""
    (tmp_path / "a_room").mkdir()
    (tmp_path / "a_room" / "__init__.py").write_text(FRONT, encoding="utf-8")
    (tmp_path / "a_room" / "deep.py").write_text("x = 5\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    room = importlib.import_module("a_room")
    try:
        assert "a_room.deep" not in sys.modules and dir(room) == ["x"]
        assert room.x == 5 and "a_room.deep" in sys.modules
        with pytest.raises(AttributeError, match="module 'a_room' has no attribute 'y'"):
            room.y  # noqa: B018
    finally:
        for name in ("a_room", "a_room.deep"):
            sys.modules.pop(name, None)


def test_a_name_of_another_room_is_found():
    """Guards against an absolute module that is looked for inside the package."""
    load, names = lazy_names("spectramind_kit.models", {"nearest": "spectramind_kit.errors"})
    assert load("nearest") is importlib.import_module("spectramind_kit.errors").nearest
    assert names() == ["nearest"]


ROOMS = [module.name for module in pkgutil.iter_modules(spectramind_kit.__path__) if module.ispkg]


@pytest.mark.parametrize("room", ROOMS)
def test_every_front_name_exists(room):
    """Guards against a front that promises what its module does not have any more."""
    front = importlib.import_module(f"spectramind_kit.{room}")
    for name in getattr(front, "__all__", ()):
        assert getattr(front, name) is not None, name
