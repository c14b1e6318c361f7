"""Checkpoints that the engines make once and cache: tiny random weights, and the small model in the original format."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from harness.engines.higgs.settings import SMALL_FOLDERS
from harness.higgs.convert import convert_back
from harness.higgs.tiny import make_boson_codec, make_native_checkpoint, make_native_codec, make_tiny_checkpoint
from harness.paths import BUILD
from harness.processes.stacks import BOSON

CACHE = BUILD / "cache" / "higgs-tiny"
SMALL_CACHE = BUILD / "cache" / "small-higgs"
VERSION = 1  # increase it when `harness.higgs.tiny` makes other weights, or conversion changes


def tiny_folders(stack: str, seed: int) -> tuple[Path, Path]:
    """Return the folders of model and codec of a stack, the one of this process; several processes may call this at once."""

    def make(part: Path) -> None:
        if stack == BOSON:
            make_tiny_checkpoint(part / "model", seed=seed)
            make_boson_codec(part / "codec", seed=seed)
        else:
            make_native_checkpoint(part / "model", seed=seed, text_head=False)
            make_native_codec(part / "codec", seed=seed)

    folder = _once(CACHE / f"{stack}-{seed}-v{VERSION}", make)
    return folder / "model", folder / "codec"


def tiny_folders_as_text(stack: str, seed: int) -> list[str]:
    """Return `tiny_folders` as text, for `harness.processes.call`, whose results are JSON."""
    return [str(folder) for folder in tiny_folders(stack, seed)]


def small_folders(stack: str) -> tuple[Path, Path]:
    """Return the folders of the project's small model and of its codec; the boson stack gets the model in the original format."""
    model, codec = SMALL_FOLDERS
    if stack == BOSON:
        digest = hashlib.sha256((model / "model.safetensors").read_bytes()).hexdigest()[:12]
        model = _once(SMALL_CACHE / f"{stack}-{digest}-v{VERSION}", lambda part: convert_back(SMALL_FOLDERS[0], part))
    return model, codec


def _once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Make a folder unless it exists; several processes may call this at once."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not folder.is_dir():
            part = folder.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            make(part)
            part.rename(folder)
    return folder
