"""Options of the two Higgs engines, and what follows from them: limits, prompts, the voice to clone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harness.engines.base import SpeechRequest
from harness.engines.dialects import DIALECTS, EXPLANATION
from harness.engines.options import check_choice, check_number, check_text
from harness.errors import DataError, HarnessError
from harness.higgs.checkpoints import resolve
from harness.higgs.codec import RATE, Codec
from harness.higgs.samples import SYSTEM
from harness.higgs.speech.tokenizer import check_words, vocabulary_of
from harness.paths import DATA, is_file
from harness.tagged import TaggedText

TINY = "tiny"
SMALL = "small"  # the model of the project that speaks a few words
SMALL_FOLDERS = DATA / "models" / "small-higgs", DATA / "models" / "hibari-codec"  # of the model and of its codec
NOISE = "the weights are random: this is noise, not speech"
FEW_WORDS = "a small model of this project, which was taught a few dozen words; it is not Boson's Higgs"
DIALECT_CHOICES = ("prompted", "ignore")
MAX_SEED = 2**63  # torch takes no larger one
_PIECE = 2**16  # bytes
_TEXTS = ("checkpoint", "codec", "revision", "codec_revision", "device", "reference_audio", "reference_text")  # options
SHORTEST = 0.04  # seconds: a frame of Boson's codec
# Generous limits, because they only end speech that would not end by itself: at 150 words per minute a word takes 0.4 s.
SECONDS_AT_LEAST, SECONDS_PER_WORD, SECONDS_PER_TAG = 2.0, 1.0, 2.0


@dataclass(frozen=True)
class HiggsSettings:
    """Options of `HiggsNativeEngine` and `HiggsBosonEngine`.

    Parameters
    ----------
    checkpoint : str
        Folder of the model, or a hub name with `revision`; "small" for the project's own small model, which speaks the few words
        that it was taught; "tiny" for random weights, which speak noise.
    codec : str, optional
        Folder of the codec ("audio tokenizer") in the same format, or a hub name with `codec_revision`.
    revision, codec_revision : str, optional
        Commits of hub names, all 40 digits: branches of these repositories have changed their format.
    dialect : {"prompted", "ignore"}
        "prompted" keeps the tags in the text and explains them in the system prompt; "ignore" leaves them out.
    device : str
        "cpu", "cuda", "cuda:1", or "auto": a GPU if there is one.
    dtype : {"auto", "float32", "bfloat16", "float16"}
        "auto" is float32 on a CPU, bfloat16 on a GPU.
    temperature, top_k, top_p : float, int or None, float
        Sampling parameters; temperature 0 always takes the most likely code. The defaults are those of the quick start in
        the README of boson-ai/higgs-audio.
    max_seconds : float, optional
        Length at which speech is cut off. The default is 2 s, plus 1 s per word and 2 s per tag.
    reference_audio, reference_text : str, optional
        Recording of the voice to clone, and its words. You need the right to clone it.
    seed : int
        Random seed of the weights of the checkpoint "tiny".

    Raises
    ------
    HarnessError
        If a value is out of range, or a codec or reference is missing.
    """

    checkpoint: str = SMALL
    codec: str | None = None
    revision: str | None = None
    codec_revision: str | None = None
    dialect: str = "prompted"
    device: str = "auto"
    dtype: str = "auto"
    temperature: float = 0.3
    top_k: int | None = 50
    top_p: float = 0.95
    max_seconds: float | None = None
    reference_audio: str | None = None
    reference_text: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in _TEXTS:
            check_text(name, getattr(self, name))
        for name in ("temperature", "top_p", "top_k", "max_seconds", "seed"):
            if getattr(self, name) is not None or name not in ("top_k", "max_seconds"):
                check_number(name, getattr(self, name), whole=name in ("top_k", "seed"))
        check_choice("dialect", self.dialect, DIALECT_CHOICES)
        check_choice("dtype", self.dtype, ("auto", "float32", "bfloat16", "float16"))
        if self.device not in ("auto", "cpu", "cuda") and not self.device.removeprefix("cuda:").isdigit():
            raise HarnessError(
                f"the option device cannot be {self.device!r}", remedy="choose auto, cpu, cuda or cuda:1"
            )
        if not 0 <= self.seed < MAX_SEED:
            raise HarnessError(
                f"the option seed cannot be {self.seed}", remedy=f"give a number from 0 to {MAX_SEED - 1}"
            )
        if self.temperature < 0 or not 0 < self.top_p <= 1 or (self.top_k is not None and self.top_k < 1):
            raise HarnessError(
                "temperature must be at least 0, top_p above 0 and at most 1, top_k at least 1 or null; got "
                f"temperature {self.temperature}, top_p {self.top_p} and top_k {self.top_k}"
            )
        if self.max_seconds is not None and self.max_seconds < SHORTEST:
            raise HarnessError(
                f"max_seconds must be at least {SHORTEST}, the length of a frame, got {self.max_seconds}"
            )
        if (self.checkpoint in (TINY, SMALL)) != (self.codec is None):
            missing = "codec" if self.codec is None else "checkpoint"
            raise HarnessError(f"a model and its codec are loaded together, but the option {missing} is missing",
                               remedy="give the options checkpoint and codec; tiny and small have their own")  # fmt: skip
        if bool(self.reference_audio) != bool(self.reference_text):
            raise HarnessError("reference_audio and reference_text must be given together")
        if self.reference_audio and not is_file(Path(self.reference_audio)):
            raise DataError("the reference recording is missing, or not a file", path=self.reference_audio)
        if self.reference_text and "<|" in self.reference_text:
            raise HarnessError("the reference text contains '<|', which starts control tokens", remedy="take it out")
        if self.checkpoint != TINY:
            self.folders()  # so that a missing folder is reported before anything is loaded

    @property
    def deterministic(self) -> bool:
        """Whether equal texts give equal speech, whatever the seed."""
        return self.temperature == 0

    @property
    def voice(self) -> str:
        """The name of the voice: the model's own choice, or that of the reference."""
        if self.reference_audio is None:
            return "default"
        return f"reference-{hashlib.sha256(Path(self.reference_audio).read_bytes()).hexdigest()[:12]}"

    @property
    def system(self) -> str:
        """The system prompt. A model that was taught the tags needs no explanation of them."""
        return f"{SYSTEM}\n\n{EXPLANATION}" if self.dialect == "prompted" and not self.vocabulary else SYSTEM

    @cached_property
    def vocabulary(self) -> frozenset[str] | None:
        """The only words that the model knows, if it has such a list."""
        return None if self.checkpoint == TINY else vocabulary_of(self.folders()[0])

    @property
    def notice(self) -> str:
        """What a listener should know about the weights."""
        return {TINY: NOISE, SMALL: FEW_WORDS}.get(self.checkpoint, "")

    @property
    def weights(self) -> str:
        """The checkpoint and the codec, for `revision`."""
        if self.checkpoint == TINY:
            return f"random tiny weights, seed {self.seed}"
        if self.checkpoint == SMALL:
            return ", codec ".join(_source(str(folder), None) for folder in SMALL_FOLDERS)
        assert self.codec is not None
        return f"{_source(self.checkpoint, self.revision)}, codec {_source(self.codec, self.codec_revision)}"

    def folders(self) -> tuple[Path, Path]:
        """Return the local folders of model and codec; a hub name is downloaded."""
        if self.checkpoint == SMALL:
            return SMALL_FOLDERS
        assert self.codec is not None
        return resolve(self.checkpoint, self.revision), resolve(self.codec, self.codec_revision)

    def seconds(self, text: TaggedText) -> float:
        """Return the length at which speech is cut off."""
        generous = SECONDS_AT_LEAST + SECONDS_PER_WORD * len(text.words) + SECONDS_PER_TAG * len(text.tags)
        return self.max_seconds or generous

    def frames(self, text: TaggedText, codec: Codec) -> int:
        """Return the number of the codec's frames after which speech is cut off."""
        return max(1, round(self.seconds(text) * RATE / codec.frame_samples))

    def rendered(self, request: SpeechRequest) -> str:
        """Return the text as the model reads it.

        Raises
        ------
        HarnessError
            If the model knows a few words only, and the text has others.
        """
        if self.vocabulary:
            check_words(request.text, self.vocabulary)
        return DIALECTS[self.dialect].render(request.text)

    def on(self) -> tuple[str, str]:
        """Return device and dtype.

        Raises
        ------
        HarnessError
            If a GPU is asked for and there is none.
        """
        import torch

        there = torch.cuda.is_available()
        device = ("cuda" if there else "cpu") if self.device == "auto" else self.device
        if device.startswith("cuda") and not there:
            raise HarnessError("torch finds no GPU", remedy="omit the option device, or set it to cpu")
        return device, ("bfloat16" if device != "cpu" else "float32") if self.dtype == "auto" else self.dtype


def _source(source: str, revision: str | None) -> str:
    """Return a hub name with its commit, or a folder with a digest of its configuration and of samples of its weights."""
    folder = Path(source)
    if not folder.is_dir():
        return f"{source}@{revision}"
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in (".safetensors", ".pth", ".npz") or path.name == "config.json":
            size = path.stat().st_size
            digest.update(f"{path.name} {size} ".encode())
            with path.open("rb") as file:  # all of a small file, and 256 places of a large one
                for place in range(0, size, max(_PIECE, size // 256)):
                    file.seek(place)
                    digest.update(file.read(_PIECE))
    return f"{folder.name} {digest.hexdigest()[:12]}"
