"""What one loader did with one checkpoint, told so that an object with random weights never passes for a success."""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.higgs.checkpoints import some_of

LOADS, RANDOM, UNREAD, LEFT_OVER, FAILS = "loads", "random weights", "config not read", "weights left over", "fails"

_REASONS = (  # what an error's message holds -> why, in a few words
    ("does not recognize this architecture", "unknown model type"),
    ("Unrecognized configuration class", "no class registered"),
    ("Should have a `model_type` key", "no model type"),
    ("can't allocate memory", "memory limit"),
    ("No module named", "not installed"),
    ("has no attribute HiggsAudioV2", "not in this release"),
    ("no file named", "no weights"),
    ("mismatch", "sizes do not fit"),
    ("is not a multiple of", "sizes do not fit"),
)
_KEPT_LINES, _KEPT_COLUMNS = 2, 300  # of a message; the rest names every configuration class that exists


@dataclass(frozen=True)
class LoadOutcome:
    """What one loader did with one checkpoint.

    `loaded` is the class of the object that came back. If none did, `exception` names the error, `message` is its first two
    lines, and `where` (``file.py:line``) the innermost frame inside transformers or boson_multimodal. `missing` counts
    weights that the checkpoint lacks, so that they were set at random, and `unexpected` weights of the checkpoint that
    went nowhere. `unread` names the nested configurations of config.json that the class left alone. `notes` says in
    words what the loader did not say. `seconds` is spent in ``from_pretrained``, without the imports before it.
    """

    loader: str
    loaded: str = ""
    exception: str = ""
    message: str = ""
    where: str = ""
    seconds: float = 0.0
    missing: int = 0
    unexpected: int = 0
    unread: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """`LOADS` only if what came back is what the checkpoint holds."""
        if not self.loaded:
            return FAILS
        if self.missing:
            return RANDOM
        if self.unread:
            return UNREAD
        return LEFT_OVER if self.unexpected else LOADS

    @property
    def ok(self) -> bool:
        """Whether the status is `LOADS`."""
        return self.status == LOADS

    @property
    def reason(self) -> str:
        """Why it failed, in a few words; empty if this error is not a known one, or there is none."""
        return next((short for text, short in _REASONS if text in self.message), "")

    def as_json(self) -> dict[str, Any]:
        """All fields, and the status."""
        return {**asdict(self), "status": self.status}


def failed(loader: str, error: Exception, seconds: float, notes: Sequence[str] = ()) -> LoadOutcome:
    """The outcome of a loader that raised `error`."""
    return LoadOutcome(loader, exception=type(error).__name__, message=_first_lines(str(error)), where=_where(error),
                       seconds=seconds, notes=tuple(notes))  # fmt: skip


def returned(
    loader: str,
    loaded: Any,
    info: Mapping[str, Any],
    config: Mapping[str, Any],
    seconds: float,
    notes: Sequence[str] = (),
) -> LoadOutcome:
    """The outcome of a loader that returned `loaded`, a model or a configuration.

    Parameters
    ----------
    info : mapping
        What ``output_loading_info=True`` gives; empty for a configuration.
    config : mapping
        config.json as it stands in the folder.
    """
    missing = sorted(map(str, [*info.get("missing_keys", ()), *info.get("mismatched_keys", ())]))
    unexpected = sorted(map(str, info.get("unexpected_keys", ())))
    unread = _unread(getattr(loaded, "config", loaded), config)
    said = list(notes)
    if missing:
        said.append(f"{_weights(missing)} not in the checkpoint and set at random: {some_of(missing)}")
    if unexpected:
        said.append(f"{_weights(unexpected)} of the checkpoint not used: {some_of(unexpected)}")
    if unread:
        said.append(f"not read from config.json: {', '.join(unread)}; the class's own defaults stand in for them")
    return LoadOutcome(loader, type(loaded).__name__, seconds=seconds, missing=len(missing), unexpected=len(unexpected),
                       unread=unread, notes=tuple(said))  # fmt: skip


def _unread(loaded: Any, config: Mapping[str, Any]) -> tuple[str, ...]:
    """Nested configurations of config.json that did not become configuration objects."""
    nested = (name for name, value in config.items() if isinstance(value, dict) and "model_type" in value)
    return tuple(name for name in nested if not hasattr(getattr(loaded, name, None), "to_dict"))


def _weights(names: Sequence[str]) -> str:
    return f"{len(names)} weight{'' if len(names) == 1 else 's'}"


def _first_lines(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()][:_KEPT_LINES]
    return "\n".join(line if len(line) <= _KEPT_COLUMNS else line[: _KEPT_COLUMNS - 1] + "…" for line in lines)


def _where(error: Exception) -> str:
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if found := re.search(r"site-packages/((transformers|boson_multimodal)/.*)", Path(frame.filename).as_posix()):
            return f"{found[1]}:{frame.lineno}"
    return ""
