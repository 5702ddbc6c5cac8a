"""Checkpoints: written in one step, read with a check that they belong to this configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from spectramind_kit.errors import DataError, in_words
from spectramind_kit.runtime import say
from spectramind_kit.whole_file import whole_file

FORMAT = 1


def save_checkpoint(path: str | Path, content: dict[str, Any], *, digest: str) -> Path:
    """Write atomically: a kill leaves the previous epoch's file. The same content gives the same bytes."""
    path = Path(path)
    # given a path, torch writes the file's name into the file
    with whole_file(path) as part, open(part, "wb") as file:
        torch.save({"format": FORMAT, "digest": digest, **content}, file)
    return path


def load_checkpoint(path: str | Path, *, digest: str) -> dict[str, Any]:
    """Read a checkpoint onto the CPU; tensors and plain values only, no pickled code.

    Raises `DataError` when the file is damaged, or is of another digest.
    """
    path = Path(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}")
    except FileNotFoundError:
        raise DataError("checkpoint not found", where=str(path), fix="run 02_train first") from None
    except Exception as error:  # torch raises whatever the unpickler met
        fix = "delete the file; the fold is then trained again"
        raise DataError(
            "a checkpoint cannot be read", where=str(path), found=in_words(error), fix=fix
        ) from error
    if content["digest"] != digest:
        raise DataError(
            "a checkpoint belongs to another configuration",
            where=str(path),
            expected=digest,
            found=content["digest"],
            fix="delete the file, or use another work_dir",
        )
    return content


def try_resume(path: str | Path, *, digest: str) -> dict[str, Any] | None:
    """The checkpoint to go on from, or None; a damaged one is said and left behind."""
    if not Path(path).exists():
        return None
    try:
        return load_checkpoint(path, digest=digest)
    except DataError as error:
        say(f"starting this fold afresh: {error}")
        return None
