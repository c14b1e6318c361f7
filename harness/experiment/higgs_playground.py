"""Everything that training Higgs needs, at tiny sizes in one folder: checkpoints, codecs, recordings, configurations."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from harness.audio import write_wav
from harness.datasets import load_examples
from harness.engines import SpeechRequest, make_engine
from harness.errors import HarnessError
from harness.higgs.checkpoints import resolve
from harness.higgs.convert import convert
from harness.higgs.lora import HEADS
from harness.higgs.tiny import make_tiny_apart
from harness.processes import call
from harness.processes.stacks import BOSON, NATIVE
from harness.records import Example
from harness.store import write_atomic

MANIFEST = "manifest.jsonl"
TINY = "tiny"
# One batch, many times: what a test of a training loop needs, and nothing that a real training should copy.
OVERFIT: dict[str, Any] = {
    "lora": {"heads": list(HEADS)},
    "steps": 300,
    "batch_size": 4,
    "learning_rate": 1e-2,
    "save_every": 100,
}


def record(
    examples: Sequence[Example],
    folder: Path,
    *,
    engine: str = "espeak",
    seed: int = 0,
    progress: Callable[[int, int], Any] = lambda *_: None,
) -> Path:
    """Let an engine speak examples into wav files, with the manifest that training reads.

    Parameters
    ----------
    examples : sequence of Example
        Spoken with their tags; the manifest's text holds the tags too.
    folder : Path
        Made if it is missing.
    engine : str
        See `harness.engines`.
    seed : int
        For engines that draw random numbers.
    progress : callable
        Called with (done, total).

    Returns
    -------
    Path
        The manifest.
    """
    folder.mkdir(parents=True, exist_ok=True)
    speaker = make_engine(engine)
    lines = []
    for number, example in enumerate(examples, start=1):
        name = f"{number:04d}.wav"  # never the id: text from data does not become a path
        write_wav(folder / name, speaker.speak(SpeechRequest(example.tagged, seed=seed)).audio)
        lines.append(json.dumps({"id": example.id, "text": example.text, "audio": name}, ensure_ascii=False))
        progress(number, len(examples))
    write_atomic(folder / MANIFEST, "\n".join(lines) + "\n")
    return folder / MANIFEST


def make_playground(
    folder: Path,
    *,
    model: str = TINY,
    revision: str | None = None,
    codec: str = TINY,
    codec_revision: str | None = None,
    samples: int = 8,
    seed: int = 0,
    boson_codec: bool = False,
    progress: Callable[[int, int], Any] = lambda *_: None,
) -> Path:
    """Write checkpoints of both formats, a codec, recordings of the shortest examples, and two configurations, or nothing.

    The native checkpoint is the converted original one: both stacks start from the same numbers.

    Parameters
    ----------
    folder : Path
        A new or empty folder.
    model, revision : str
        An original checkpoint to use; by default a tiny random one is made.
    codec, codec_revision : str
        A codec of either format to use; by default a tiny random one of the native format is made. Codes are the same
        kind of thing whichever format the codec has, so both configurations name the same one.
    samples : int
        Sentences to record.
    seed : int
        Random seed for all weights.
    boson_codec : bool
        Also write a tiny codec in boson_multimodal's format, as ``codec-boson/``.

    Returns
    -------
    Path
        `folder`, with ``boson/``, ``native/``, ``codec/``, ``recordings/``, ``train-native.yaml`` and ``train-boson.yaml``.
    """
    if folder.exists() and any(folder.iterdir()):
        raise HarnessError("the folder is not empty", path=folder, remedy="choose a new one")
    folder.absolute().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.absolute().parent, prefix=f".{folder.name}.", suffix=".part") as part:
        made = Path(part, "made")
        made.mkdir()
        _fill(made, model, revision, codec, codec_revision, samples, seed, boson_codec, progress)
        made.replace(folder)
    return folder


def _fill(
    folder: Path,
    model: str,
    revision: str | None,
    codec: str,
    codec_revision: str | None,
    samples: int,
    seed: int,
    boson_codec: bool,
    progress: Callable[[int, int], Any],
) -> None:
    steps = 5
    original = make_tiny_apart(folder / BOSON, seed=seed) if model == TINY else resolve(model, revision)
    progress(1, steps)
    convert(original, folder / NATIVE)
    progress(2, steps)
    if codec == TINY:
        call(NATIVE, "harness.higgs.tiny:make_native_codec", folder=folder / "codec", seed=seed)
    chosen = folder / "codec" if codec == TINY else resolve(codec, codec_revision)
    progress(3, steps)
    if boson_codec:
        call(BOSON, "harness.higgs.tiny:make_boson_codec", folder=folder / "codec-boson", seed=seed)
    progress(4, steps)
    shortest = sorted(load_examples("train"), key=lambda example: (len(example.text), example.id))[:samples]
    record(shortest, folder / "recordings")
    for stack, checkpoint in ((NATIVE, folder / NATIVE), (BOSON, original)):
        settings = {"stack": stack, "model": _seen_from(folder, checkpoint), "codec": _seen_from(folder, chosen),
                    "manifest": f"recordings/{MANIFEST}", "output": f"run-{stack}", **OVERFIT,
                    "batch_size": min(4, samples), "seed": seed}  # fmt: skip
        write_atomic(folder / f"train-{stack}.yaml", yaml.safe_dump(settings, sort_keys=False))
    progress(steps, steps)


def _seen_from(folder: Path, path: Path) -> str:
    return path.name if path.parent == folder else str(path.absolute())
