"""Where the kit runs, on what, how much time it has left, and what it says meanwhile.

Nothing here imports torch or pandas before a function needs it.
"""

from __future__ import annotations

from spectramind_kit.lazy import lazy_names

_PUBLIC = {
    "COMPETITION": "place",
    "Place": "place",
    "where_am_i": "place",
    "find_data_dir": "place",
    "find_inputs": "place",
    "Device": "device",
    "probe_device": "device",
    "cpu_count": "machine",
    "free_memory_mb": "machine",
    "peak_memory_mb": "machine",
    "describe_environment": "machine",
    "one_torch_thread": "machine",
    "check_seed": "seeds",
    "seed_everything": "seeds",
    "TimeBudget": "time_budget",
    "check_hours": "time_budget",
    "say": "console",
    "say_once": "console",
    "say_some": "console",
    "format_seconds": "console",
    "progress": "console",
    "EncodedStream": "any_encoding",
}
__all__ = [*_PUBLIC]
__getattr__, __dir__ = lazy_names(__name__, _PUBLIC)
