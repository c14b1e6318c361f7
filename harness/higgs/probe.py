"""Try to load a checkpoint with each loader, and record the class that was returned or the error.

Importing boson_multimodal.model.higgs_audio registers its classes with transformers' Auto classes for the rest of the
process, and so does the loader "boson". `matrix` therefore runs each stack in a separate process, with "boson"
last.
"""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.higgs.checkpoints import read_config, resolve, some_of
from harness.higgs.memory_limit import limited, what_was_built
from harness.higgs.tiny import BOSON_MODULE
from harness.processes import call, find
from harness.processes.stacks import BOSON, NATIVE

if TYPE_CHECKING:
    import harness.higgs.register  # noqa: F401  named below; so that the build knows who depends on it

BOSON_LOADER = "boson"  # importing its class changes the Auto classes, so it comes last
LOADERS = {  # name -> the class whose from_pretrained is called
    "AutoConfig": "transformers:AutoConfig",
    "AutoModel": "transformers:AutoModel",
    "AutoModelForCausalLM": "transformers:AutoModelForCausalLM",
    "AutoModelForTextToWaveform": "transformers:AutoModelForTextToWaveform",
    "native": "transformers:HiggsAudioV2ForConditionalGeneration",
    BOSON_LOADER: f"{BOSON_MODULE}:HiggsAudioModel",
}
REGISTER_MODULE = "harness.higgs.register"
LOADS, RANDOM, UNREAD, LEFT_OVER, FAILS = "loads", "random weights", "config not read", "weights left over", "fails"

_REASONS = (  # part of an error message -> short reason
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
_KEPT_LINES, _KEPT_COLUMNS = 2, 300  # of a message; the rest lists every configuration class
PACKAGES = ("transformers", "torch", "peft", "boson_multimodal")


@dataclass(frozen=True)
class Setting:
    """A stack, and what is imported in it before anything is loaded."""

    stack: str
    before: tuple[str, ...] = ()


SETTINGS = {
    "4.46.3 bare": Setting(BOSON),
    "4.46.3 boson imported": Setting(BOSON, (BOSON_MODULE,)),
    "4.46.3 class registered": Setting(BOSON, (REGISTER_MODULE,)),
    "transformers 5": Setting(NATIVE),
}


@dataclass(frozen=True)
class LoadOutcome:
    """Result of one loader on one checkpoint.

    An object with random weights does not count as a success. `loaded` is the class of the returned object. If there is
    none, `exception` names the error, `message` is its first two lines, and `where` (``file.py:line``) the innermost frame
    inside transformers or boson_multimodal. `missing` counts weights that are not in the checkpoint and were set at random;
    `unexpected` counts weights of the checkpoint that were not used. `unread` names the nested configurations of config.json
    that the class ignored. `notes` describes what the loader did not report. `seconds` is the time in ``from_pretrained``,
    without the imports before it.
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
        """Return `LOADS` only if the object holds exactly the checkpoint's weights."""
        if not self.loaded:
            return FAILS
        if self.missing:
            return RANDOM
        if self.unread:
            return UNREAD
        return LEFT_OVER if self.unexpected else LOADS

    @property
    def ok(self) -> bool:
        """Return whether the status is `LOADS`."""
        return self.status == LOADS

    @property
    def reason(self) -> str:
        """Return a short reason for the failure; empty if the error is unknown or there is none."""
        return next((short for text, short in _REASONS if text in self.message), "")

    def as_json(self) -> dict[str, Any]:
        """Return all fields and the status."""
        return {**asdict(self), "status": self.status}


@dataclass(frozen=True)
class StackReport:
    """Installed versions in one process, and the outcomes of each checkpoint by its label."""

    versions: dict[str, str | None]
    outcomes: dict[str, list[LoadOutcome]]


def probe(
    checkpoint: str | Path, loaders: Sequence[str] = tuple(LOADERS), *, revision: str | None = None
) -> list[LoadOutcome]:
    """Call each loader on `checkpoint` in this process. A failed loader is an outcome, not an error.

    Parameters
    ----------
    checkpoint : path-like
        Folder with a config.json (the network is not used), or a hub name with `revision`.
    loaders : sequence of str
        Keys of `LOADERS`, called in this order.
    revision : str, optional
        Full commit hash, because branches change.

    Raises
    ------
    HarnessError
        If the folder or its config.json cannot be used, or a loader or the revision is not valid.
    """
    folder = _checked(checkpoint, loaders, revision)
    config = read_config(folder)
    return [_try(name, folder, config) for name in loaders]


def probe_in(
    stack: str | Path,
    checkpoints: Mapping[str, str | Path],
    loaders: Sequence[str] = tuple(LOADERS),
    before: Sequence[str] = (),
    *,
    revisions: Mapping[str, str] | None = None,
) -> StackReport:
    """Run `probe` in a new process of a stack (or interpreter) that first imports the modules `before`.

    Parameters
    ----------
    checkpoints : mapping
        Label -> folder or hub name. Each loader handles all of them before the next loader starts, because only
        importing a loader can change the others.
    revisions : mapping, optional
        Label -> commit, for hub names.

    Raises
    ------
    HarnessError
        As for `probe`, or if the process dies.
    NotAvailable
        If the interpreter is missing, or cannot import one of the modules.
    """
    commits = revisions or {}
    folders = {label: str(_checked(one, loaders, commits.get(label))) for label, one in checkpoints.items()}
    function = "harness.higgs.probe:_report"
    got = call(stack, function, before=tuple(before), checkpoints=folders, loaders=list(loaders))
    outcomes = {
        label: [LoadOutcome(**{**one, "unread": tuple(one["unread"]), "notes": tuple(one["notes"])}) for one in found]
        for label, found in got["outcomes"].items()
    }
    return StackReport(got["versions"], outcomes)


def matrix(
    checkpoints: Mapping[str, str | Path],
    settings: Sequence[str] = tuple(SETTINGS),
    *,
    revisions: Mapping[str, str] | None = None,
) -> dict[str, StackReport]:
    """Run every loader on every checkpoint in each of the given `SETTINGS`; parameters and errors as for `probe_in`."""
    if unknown := [name for name in settings if name not in SETTINGS]:
        raise HarnessError(f"no setting is called {unknown[0]!r}", remedy=f"choose from: {', '.join(SETTINGS)}")
    return {
        name: probe_in(SETTINGS[name].stack, checkpoints, before=SETTINGS[name].before, revisions=revisions)
        for name in settings
    }


def stack_versions() -> dict[str, str | None]:
    """Return the installed versions of `PACKAGES` in this environment, None for missing ones."""
    return {name: next((found.version for found in metadata.distributions(name=name)), None) for name in PACKAGES}


def _checked(checkpoint: str | Path, loaders: Sequence[str], revision: str | None) -> Path:
    """Return the checkpoint's folder after checking that its config.json is readable."""
    if unknown := [name for name in loaders if name not in LOADERS]:
        raise HarnessError(f"no loader is called {unknown[0]!r}", remedy=f"choose from: {', '.join(LOADERS)}")
    if revision is not None and Path(checkpoint).exists():
        raise HarnessError(
            "a folder has no revision", path=checkpoint, remedy="leave the revision out, or give a hub name"
        )
    folder = resolve(checkpoint, revision).resolve()
    read_config(folder)
    return folder


def _report(checkpoints: Mapping[str, str], loaders: Sequence[str]) -> dict[str, Any]:
    """Run the loaders in the other process for `probe_in`."""
    configs = {label: read_config(Path(folder)) for label, folder in checkpoints.items()}
    outcomes: dict[str, list[dict[str, Any]]] = {label: [] for label in checkpoints}
    for name in loaders:
        for label, folder in checkpoints.items():
            outcomes[label].append(asdict(_try(name, Path(folder), configs[label])))
    return {"versions": stack_versions(), "outcomes": outcomes}


def _try(name: str, folder: Path, config: Mapping[str, Any]) -> LoadOutcome:
    loader: Any = None
    start = time.perf_counter()
    try:
        loader = find(LOADERS[name])
        start = time.perf_counter()
        with limited(folder):
            loaded, info = _load(loader, folder, weights=name != "AutoConfig")
        seconds = time.perf_counter() - start
    except Exception as error:
        seconds = time.perf_counter() - start
        return failed(name, error, seconds, notes=(*_type_note(loader, config), *what_was_built(error, loader, folder)))
    return returned(name, loaded, info, config, seconds, notes=_type_note(loader, config))


def _load(loader: Any, folder: Path, *, weights: bool) -> tuple[Any, Mapping[str, Any]]:
    options: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    if not weights:
        return loader.from_pretrained(str(folder), **options), {}
    # torch_dtype="auto": as stored, not widened to float32
    return loader.from_pretrained(str(folder), torch_dtype="auto", output_loading_info=True, **options)


def _type_note(loader: Any, config: Mapping[str, Any]) -> tuple[str, ...]:
    """Note what transformers only logs: the class was made for another model type."""
    own = getattr(getattr(loader, "config_class", None), "model_type", None)
    if own is None or own == config.get("model_type"):
        return ()
    return (f"the class is for model type {own!r}, config.json says {config.get('model_type')!r}",)


def failed(loader: str, error: Exception, seconds: float, notes: Sequence[str] = ()) -> LoadOutcome:
    """Return the outcome of a loader that raised `error`."""
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
    """Return the outcome of a loader that returned `loaded`, a model or a configuration.

    Parameters
    ----------
    info : mapping
        Loading info from ``output_loading_info=True``; empty for a configuration.
    config : mapping
        Content of config.json.
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
        said.append(f"not read from config.json: {', '.join(unread)}; the class uses its defaults instead")
    return LoadOutcome(loader, type(loaded).__name__, seconds=seconds, missing=len(missing), unexpected=len(unexpected),
                       unread=unread, notes=tuple(said))  # fmt: skip


def _unread(loaded: Any, config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return nested configurations of config.json that did not become configuration objects."""
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
