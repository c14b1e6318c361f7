"""Try to load a checkpoint with each loader, and record what happens: the class that came back, or the error.

Importing boson_multimodal.model.higgs_audio registers its classes with transformers' Auto classes for the rest of the
process, and so does the loader "boson". `matrix` therefore gives each stack a process of its own, and "boson" comes last
in it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.higgs.checkpoints import read_config, resolve
from harness.higgs.memory_limit import limited, what_was_built
from harness.higgs.outcome import LoadOutcome, failed, returned
from harness.higgs.stacks import BOSON, NATIVE
from harness.higgs.tiny import BOSON_MODULE
from harness.processes import call

if TYPE_CHECKING:
    import harness.higgs.register  # noqa: F401  named below; so that the build knows who depends on it

BOSON_LOADER = "boson"  # importing its class changes what the Auto classes do, so it comes last
LOADERS = {  # name -> the class whose from_pretrained is called
    "AutoConfig": "transformers:AutoConfig",
    "AutoModel": "transformers:AutoModel",
    "AutoModelForCausalLM": "transformers:AutoModelForCausalLM",
    "AutoModelForTextToWaveform": "transformers:AutoModelForTextToWaveform",
    "native": "transformers:HiggsAudioV2ForConditionalGeneration",
    BOSON_LOADER: f"{BOSON_MODULE}:HiggsAudioModel",
}
AUTO_MODELS = {  # Auto class -> the table of transformers that it looks in
    "AutoModel": "MODEL_MAPPING",
    "AutoModelForCausalLM": "MODEL_FOR_CAUSAL_LM_MAPPING",
    "AutoModelForTextToWaveform": "MODEL_FOR_TEXT_TO_WAVEFORM_MAPPING",
}
REGISTER_MODULE = "harness.higgs.register"
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
class StackReport:
    """What happened in one process: installed versions, and the outcomes of each checkpoint, by its label."""

    versions: dict[str, str | None]
    outcomes: dict[str, list[LoadOutcome]]


def probe(
    checkpoint: str | Path, loaders: Sequence[str] = tuple(LOADERS), *, revision: str | None = None
) -> list[LoadOutcome]:
    """Call each loader on `checkpoint`, in this process. A loader's failure is an outcome, not an error.

    Parameters
    ----------
    checkpoint : path-like
        A folder with a config.json; the network is not used. With `revision`, a name on the hub.
    loaders : sequence of str
        Keys of `LOADERS`, called in this order.
    revision : str, optional
        A full commit hash, because a branch moves.

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
    """As `probe`, in a fresh process of a stack (or interpreter) that first imports the modules `before`.

    Parameters
    ----------
    checkpoints : mapping
        Label -> folder or hub name. Each loader takes all of them before the next loader's turn, since only the import of a
        loader can change what others do.
    revisions : mapping, optional
        Label -> commit, for hub names.

    Raises
    ------
    HarnessError
        As `probe`; or if the process dies.
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
    """Every loader on every checkpoint, in each of the given `SETTINGS`; parameters and errors as `probe_in`."""
    if unknown := [name for name in settings if name not in SETTINGS]:
        raise HarnessError(f"no setting is called {unknown[0]!r}", remedy=f"choose from: {', '.join(SETTINGS)}")
    return {
        name: probe_in(SETTINGS[name].stack, checkpoints, before=SETTINGS[name].before, revisions=revisions)
        for name in settings
    }


def stack_versions() -> dict[str, str | None]:
    """Installed versions of `PACKAGES` in this environment; None where one is not installed."""
    return {name: next((found.version for found in metadata.distributions(name=name)), None) for name in PACKAGES}


def auto_classes(model_type: str) -> dict[str, str]:
    """What transformers' tables hold for a model type in this process: Auto class -> class name, empty if none."""
    import transformers

    names = dict.fromkeys(("AutoConfig", *AUTO_MODELS), "")
    if model_type in transformers.CONFIG_MAPPING:
        config_class = transformers.CONFIG_MAPPING[model_type]
        names["AutoConfig"] = config_class.__name__
        for auto, table in AUTO_MODELS.items():
            names[auto] = getattr(getattr(transformers, table).get(config_class, None), "__name__", "")
    return names


def _checked(checkpoint: str | Path, loaders: Sequence[str], revision: str | None) -> Path:
    """The checkpoint's folder, which has a readable config.json."""
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
    """What `probe_in` asks the other process for."""
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
        module, attribute = LOADERS[name].split(":")
        loader = getattr(import_module(module), attribute)
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
    """What transformers only logs: the class was made for another model type."""
    own = getattr(getattr(loader, "config_class", None), "model_type", None)
    if own is None or own == config.get("model_type"):
        return ()
    return (f"the class is for model type {own!r}, config.json says {config.get('model_type')!r}",)
