"""Everything that Higgs training needs, tiny and in one folder: checkpoints, codecs, recordings and configurations."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from harness.audio import Audio, write_wav
from harness.datasets import load_examples
from harness.engines import SpeechRequest, make_engine
from harness.errors import HarnessError
from harness.experiment.small_higgs.teacher import CODEC, spoken_frames
from harness.higgs.checkpoints import resolve
from harness.higgs.codec import RATE
from harness.higgs.convert import convert
from harness.higgs.lora import HEADS
from harness.higgs.samples import CODES
from harness.higgs.speech.codec import ENTRIES, load_speech_codec
from harness.higgs.tiny import make_tiny_apart
from harness.higgs.tiny.layout import CODEBOOK_SIZE
from harness.outputs import check_output_folder, move_into
from harness.processes import call
from harness.processes.stacks import BOSON, NATIVE
from harness.records import Example
from harness.store import write_atomic

MANIFEST = "manifest.jsonl"
TINY = "tiny"
SPEECH = "speech"  # as a codec: the project's own, which decodes to speech
# Overfits one batch on purpose, to test the training loop. Real training needs other values.
OVERFIT: dict[str, Any] = {
    "lora": {"heads": list(HEADS)},
    "steps": 300,
    "batch_size": 4,
    "learning_rate": 1e-2,
    "save_every": 100,
}


def record(examples: Sequence[Example], folder: Path) -> Path:
    """Speak tagged examples into WAV files with espeak, and write the manifest that training reads.

    Parameters
    ----------
    examples : sequence of Example
        Examples to speak with their tags; the text in the manifest has the tags too.
    folder : Path
        Output folder, created if it is missing.

    Returns
    -------
    Path
        Path of the manifest.
    """
    folder.mkdir(parents=True, exist_ok=True)
    speaker = make_engine("espeak")
    lines = []
    for number, example in enumerate(examples, start=1):
        name = f"{number:04d}.wav"  # never the id: text from data does not become a path
        write_wav(folder / name, speaker.speak(SpeechRequest(example.tagged, word_times=False)).audio)
        lines.append(json.dumps({"id": example.id, "text": example.text, "audio": name}, ensure_ascii=False))
    write_atomic(folder / MANIFEST, "\n".join(lines) + "\n")
    return folder / MANIFEST


def record_codes(examples: Sequence[Example], folder: Path, codec: Path = CODEC) -> Path:
    """Speak tagged examples with the teacher of the small Higgs into codes, and write the manifest that training reads.

    A WAV file with the same name holds what the codes decode to. Parameters and result are those of `record`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    loaded = load_speech_codec(codec)
    lines = []
    for number, example in enumerate(examples, start=1):
        codes = loaded.encode_frames(spoken_frames(example.tagged))
        name = f"{number:04d}{CODES}"
        np.save(folder / name, codes.astype(np.int16))
        write_wav((folder / name).with_suffix(".wav"), Audio(loaded.decode(codes), RATE))
        lines.append(json.dumps({"id": example.id, "text": example.text, "audio": name}, ensure_ascii=False))
    write_atomic(folder / MANIFEST, "\n".join(lines) + "\n")
    return folder / MANIFEST


def make_tiny_training_set(
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
    force: bool = False,
) -> Path:
    """Write checkpoints in both formats, a codec, recordings of the shortest examples, and two configurations.

    The native checkpoint is converted from the original one, so both stacks start from the same weights. If anything fails, no
    folder is left behind.

    Parameters
    ----------
    folder : Path
        New or empty folder.
    model, revision : str
        Original checkpoint to use; by default, a tiny random one is created.
    codec, codec_revision : str
        Codec to use, in either format; by default, a tiny random one in the native format is created. The codes do not depend on
        the format, so both configurations name the same codec. "speech" is the project's own, for a tiny model: the clips are
        codes of the voice hibari, and what the model says can be heard.
    samples : int
        Number of sentences to record.
    seed : int
        Random seed for all weights.
    boson_codec : bool
        Whether to write also a tiny codec in boson_multimodal's format, as ``codec-boson/``.
    progress : callable
        Called with (done, total) after each step.
    force : bool
        Whether files in `folder` may be overwritten.

    Returns
    -------
    Path
        `folder`, with ``boson/``, ``native/``, ``codec/``, ``recordings/``, ``train-native.yaml`` and ``train-boson.yaml``.
    """
    check_output_folder(folder, inputs=[name for name in (model, codec) if Path(name).exists()], force=force)
    if speech := codec == SPEECH:
        if model != TINY:
            raise HarnessError(f"the codec {SPEECH!r} is for the tiny model", remedy="give the codec of your model")
        codec = str(CODEC)
    parent = folder.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    steps = 5
    with tempfile.TemporaryDirectory(dir=parent, prefix=f".{folder.name}.", suffix=".part") as part:
        made = Path(part, "made")
        made.mkdir()
        if model == TINY:
            entries = ENTRIES if speech else CODEBOOK_SIZE
            original = make_tiny_apart(made / BOSON, seed=seed, codebook_size=entries)
        else:
            original = resolve(model, revision)
        progress(1, steps)
        convert(original, made / NATIVE)
        progress(2, steps)
        if codec == TINY:
            call(NATIVE, "harness.higgs.tiny:make_native_codec", folder=made / "codec", seed=seed)
        chosen = made / "codec" if codec == TINY else resolve(codec, codec_revision)
        progress(3, steps)
        if boson_codec:
            call(BOSON, "harness.higgs.tiny:make_boson_codec", folder=made / "codec-boson", seed=seed)
        progress(4, steps)
        shortest = sorted(load_examples("train"), key=lambda example: (len(example.text), example.id))[:samples]
        (record_codes if speech else record)(shortest, made / "recordings")
        for stack, checkpoint in ((NATIVE, made / NATIVE), (BOSON, original)):
            settings = {"stack": stack, "model": _relative_to(made, checkpoint), "codec": _relative_to(made, chosen),
                        "manifest": f"recordings/{MANIFEST}", "output": f"run-{stack}", **OVERFIT,
                        "batch_size": min(4, samples), "seed": seed}  # fmt: skip
            write_atomic(made / f"train-{stack}.yaml", yaml.safe_dump(settings, sort_keys=False))
        move_into(made, folder)
    progress(steps, steps)
    return folder


def _relative_to(folder: Path, path: Path) -> str:
    return path.name if path.parent == folder else str(path.absolute())
