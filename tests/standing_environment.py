"""An environment that the scripts take for theirs, so that they install nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def standing_environment(folder: Path) -> dict[str, str]:
    """Variables under which the scripts find this very interpreter in ``folder``/venv, with its stamp."""
    python = folder / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SPECTRAMIND_")}
    environment |= {
        "SPECTRAMIND_VENV": str(folder / "venv"),
        "SPECTRAMIND_TORCH": "cpu",
        "PYTHONPATH": str(ROOT),
    }
    stamp = (
        f"source {ROOT}/scripts/environment.sh; cd {folder}/venv; "
        f"_stamp {python} cpu {ROOT}/requirements.txt > stamp; cp stamp test_packages"
    )
    subprocess.run(["bash", "-c", stamp], env=environment, check=True, timeout=60)
    return environment
