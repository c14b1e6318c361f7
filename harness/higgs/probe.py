"""Try to load a checkpoint with each loader of this environment, and record what happens.

Importing boson_multimodal.model.higgs_audio registers its classes with transformers' Auto classes for the rest of the
process, and so does the loader "boson". To compare before and after, use two processes (`probe_in` starts one):

  .venv-boson/bin/python -m harness.higgs.probe FOLDER
  .venv-boson/bin/python -m harness.higgs.probe FOLDER --import boson_multimodal.model.higgs_audio
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import time
import traceback
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from harness.errors import DataError, HarnessError, NotAvailable
from harness.higgs.tiny import BOSON_MODULE, ORIGINAL_MODEL, ORIGINAL_REVISION
from harness.store import read_json

LOADERS = {  # name -> the class whose from_pretrained is called
    "AutoConfig": "transformers:AutoConfig",
    "AutoModel": "transformers:AutoModel",
    "AutoModelForCausalLM": "transformers:AutoModelForCausalLM",
    "AutoModelForTextToWaveform": "transformers:AutoModelForTextToWaveform",
    "boson": f"{BOSON_MODULE}:HiggsAudioModel",
}
DEFAULT_LOADERS = ("AutoConfig", "AutoModel", "AutoModelForCausalLM")
PACKAGES = ("transformers", "torch", "peft", "boson_multimodal")
_KEPT_LINES, _KEPT_COLUMNS = 2, 300  # of a message; the rest names every configuration class that exists


@dataclass(frozen=True)
class LoadOutcome:
    """What one loader did.

    `ok` means that an object came back: a `loaded`. It may hold random weights, then `message` says so. Otherwise
    `exception` names the error, `message` is its first two lines, and `where` (``file.py:line``) the innermost frame
    inside transformers or boson_multimodal. `seconds` is spent in ``from_pretrained``, without the imports before it.
    """

    loader: str
    ok: bool
    loaded: str
    exception: str
    message: str
    where: str
    seconds: float


def probe(
    checkpoint: str | Path, loaders: Sequence[str] = DEFAULT_LOADERS, *, revision: str | None = None
) -> list[LoadOutcome]:
    """Call each loader on `checkpoint`, in the given order. A loader's failure is an outcome, not an error.

    Parameters
    ----------
    checkpoint : path-like
        A folder with a config.json; the network is not used. With `revision`, a name on the hub.
    loaders : sequence of str
        Keys of `LOADERS`.
    revision : str, optional
        A full commit hash, because a branch moves.

    Raises
    ------
    HarnessError
        If the folder or its config.json cannot be used, or a loader or the revision is not valid.
    """
    source, options = _checked(checkpoint, loaders, revision)
    return [_try(name, source, options) for name in loaders]


def _checked(checkpoint: str | Path, loaders: Sequence[str], revision: str | None) -> tuple[str, dict[str, Any]]:
    """What to give to ``from_pretrained``: an absolute folder or a hub name, and the options."""
    if unknown := [name for name in loaders if name not in LOADERS]:
        raise HarnessError(f"no loader is called {unknown[0]!r}", remedy=f"choose from: {', '.join(LOADERS)}")
    folder = Path(checkpoint)
    if revision is not None:
        if folder.exists() or not re.fullmatch(r"[0-9a-f]{40}", revision):
            remedy = "a name on the hub needs the 40 digits of a commit, a folder none"
            raise HarnessError(f"revision {revision!r} cannot be used with {str(checkpoint)!r}", remedy=remedy)
        return str(checkpoint), {"trust_remote_code": False, "revision": revision}
    try:
        read_json(folder / "config.json")
    except DataError as error:
        remedy = "give a folder with a checkpoint's config.json, or a name on the hub and its revision"
        raise DataError(error.message, path=error.path, remedy=remedy) from error
    return str(folder.resolve()), {"trust_remote_code": False, "local_files_only": True}


def _try(name: str, source: str, options: dict[str, Any]) -> LoadOutcome:
    start = time.perf_counter()
    try:
        module, attribute = LOADERS[name].split(":")
        loader = getattr(import_module(module), attribute)
        start = time.perf_counter()
        if name == "AutoConfig":
            loaded, info = loader.from_pretrained(source, **options), {}
        else:  # torch_dtype="auto": as stored, not widened to float32
            loaded, info = loader.from_pretrained(source, torch_dtype="auto", output_loading_info=True, **options)
        seconds = time.perf_counter() - start
    except Exception as error:
        seconds = time.perf_counter() - start
        return LoadOutcome(name, False, "", type(error).__name__, _first_lines(str(error)), _where(error), seconds)
    missing = info.get("missing_keys")
    warning = f"{len(missing)} weights are not in the checkpoint and were set at random" if missing else ""
    return LoadOutcome(name, True, type(loaded).__name__, "", warning, "", seconds)


def _first_lines(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()][:_KEPT_LINES]
    return "\n".join(line if len(line) <= _KEPT_COLUMNS else line[: _KEPT_COLUMNS - 1] + "…" for line in lines)


def _where(error: Exception) -> str:
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if found := re.search(r"site-packages/((transformers|boson_multimodal)/.*)", Path(frame.filename).as_posix()):
            return f"{found[1]}:{frame.lineno}"
    return ""


def stack_versions() -> dict[str, str | None]:
    """Installed versions of `PACKAGES` in this environment; None where one is not installed."""
    return {name: next((found.version for found in metadata.distributions(name=name)), None) for name in PACKAGES}


def probe_in(
    python: Path,
    checkpoint: str | Path,
    loaders: Sequence[str] = DEFAULT_LOADERS,
    before: Sequence[str] = (),
    *,
    revision: str | None = None,
) -> list[LoadOutcome]:
    """As `probe`, in a fresh process of the interpreter `python`, which first imports the modules `before`.

    Raises
    ------
    NotAvailable
        If there is no such interpreter, or it cannot import one of them.
    HarnessError
        As `probe`, or if the process dies.
    """
    source, _ = _checked(checkpoint, loaders, revision)
    command = [str(python), "-m", "harness.higgs.probe", source, "--json", "--loaders", *loaders]
    command += [f"--import={module}" for module in before] + ([f"--revision={revision}"] if revision else [])
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise NotAvailable("cannot be run", path=python, remedy="call `python3 requirements/install.py`") from error
    said = (done.stderr.splitlines() or ["nothing was printed"])[-1]
    if done.returncode == NotAvailable.exit_code:
        raise NotAvailable(said.removeprefix("probe: "), path=python)
    if done.returncode:
        raise HarnessError(f"the probe ended with status {done.returncode}: {said}", path=python)
    return [LoadOutcome(**fields) for fields in json.loads(done.stdout)["outcomes"]]


def main() -> int:
    """Run ``python -m harness.higgs.probe``. The exit status is 0 when the probe ran: failed loaders are its result."""
    parser = ArgumentParser("harness.higgs.probe", description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="folder with a config.json; a name on the hub with --revision")
    parser.add_argument("--loaders", nargs="*", default=DEFAULT_LOADERS, metavar="NAME", help=", ".join(LOADERS))
    parser.add_argument("--import", dest="before", action="append", default=[], metavar="MODULE", help="import first")
    parser.add_argument("--revision", help=f"full commit hash, for example {ORIGINAL_REVISION} of {ORIGINAL_MODEL}")
    parser.add_argument("--json", action="store_true", help="print versions and outcomes as JSON")
    given = parser.parse_args()
    with contextlib.redirect_stdout(sys.stderr):  # what the packages print must not mix with the outcomes
        try:
            for module in given.before:
                import_module(module)
        except Exception as error:
            parser.exit(NotAvailable.exit_code, f"probe: cannot import {module}: {error}".splitlines()[0] + "\n")
        try:
            outcomes = probe(given.checkpoint, given.loaders, revision=given.revision)
        except HarnessError as error:
            parser.exit(error.exit_code, f"probe: {error}\n")
    if given.json:
        print(json.dumps({"versions": stack_versions(), "outcomes": [asdict(outcome) for outcome in outcomes]}))
        return 0
    print(", ".join(f"{name} {version or '-'}" for name, version in stack_versions().items()))
    for one in outcomes:
        result = f"loaded {one.loaded}" if one.ok else f"{one.exception} at {one.where or '?'}"
        print(f"{one.loader}: {result}, {one.seconds:.2f} s", *one.message.splitlines(), sep="\n  ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
