"""The value of an override, read as YAML 1.2: what looks like a number in print is that number, and nothing
else is one.

YAML 1.1, which PyYAML and so OmegaConf read, makes 8 of ``010``, 504 of ``8:24`` and True of ``on``.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

_NULL = re.compile(r"^(?:~|null|Null|NULL|)$")
_BOOL = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_INT = re.compile(r"^[-+]?[0-9]+$")
_FLOAT = re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$")
_SPECIAL = re.compile(r"^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$")


def read_yaml_value(text: str) -> Any:
    """``010`` → 10, ``1e-3`` → 0.001, ``[8, 24]`` → a list, ``8:24``, ``yes`` and ``on`` → text, ``{a: 1}`` →
    a mapping.

    Raises `yaml.YAMLError` for what is no YAML, a key that stands twice included.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers: ClassVar[dict] = {}

        def construct_mapping(self, node, deep=False):
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            twice = [key for key in keys if keys.count(key) > 1]
            if twice:
                raise yaml.YAMLError(f"the key {twice[0]} stands twice")
            return super().construct_mapping(node, deep=deep)

    Loader.add_implicit_resolver("tag:yaml.org,2002:null", _NULL, None)
    Loader.add_implicit_resolver("tag:yaml.org,2002:bool", _BOOL, list("tTfF"))
    Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INT, list("-+0123456789"))
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", _SPECIAL, list("-+."))
    Loader.add_constructor(
        "tag:yaml.org,2002:int", lambda loader, node: int(loader.construct_scalar(node), 10)
    )
    return yaml.load(text, Loader=Loader)
