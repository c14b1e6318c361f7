"""Random weights, made once and cached, so that the engines run without a checkpoint."""

from __future__ import annotations

import shutil
from pathlib import Path

from filelock import FileLock

from harness.higgs.tiny import make_boson_codec, make_native_checkpoint, make_native_codec, make_tiny_checkpoint
from harness.paths import BUILD
from harness.processes.stacks import BOSON

CACHE = BUILD / "cache" / "higgs-tiny"
VERSION = 1  # increase it when `harness.higgs.tiny` makes other weights


def tiny_folders(stack: str, seed: int) -> tuple[Path, Path]:
    """Return the folders of model and codec of a stack, the one of this process; several processes may call this at once."""
    folder = CACHE / f"{stack}-{seed}-v{VERSION}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not folder.is_dir():
            part = folder.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            if stack == BOSON:
                make_tiny_checkpoint(part / "model", seed=seed)
                make_boson_codec(part / "codec", seed=seed)
            else:
                make_native_checkpoint(part / "model", seed=seed, text_head=False)
                make_native_codec(part / "codec", seed=seed)
            part.rename(folder)
    return folder / "model", folder / "codec"


def tiny_folders_as_text(stack: str, seed: int) -> list[str]:
    """Return `tiny_folders` as text, for `harness.processes.call`, whose results are JSON."""
    return [str(folder) for folder in tiny_folders(stack, seed)]
