"""The codec of either format behind one interface: audio in, codes out, and back.

Codes do not depend on the stack: they are an integer array of shape (codebooks, frames). Audio is therefore encoded once,
cached under its checksum, and used by either stack for training.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol
from unittest.mock import patch  # it restores what it replaces

import numpy as np

from harness.audio import Audio, read_audio, resample
from harness.errors import DataError, HarnessError, NotAvailable
from harness.higgs.checkpoints import load_strictly, read_config, resolve
from harness.higgs.formats import codec_stack_of
from harness.higgs.speech.codec import is_speech_codec, load_speech_codec
from harness.paths import is_file
from harness.processes.stacks import BOSON, here
from harness.store import read_json, write_atomic

RATE = 24000  # Hz, of both formats
FRAME_SAMPLES = 960  # 40 ms, of both formats
# A sample depends on the frames around it, because the decoder of the codec is convolutional. So pieces are decoded with this
# many frames on either side. With 8 or more, the joined pieces equal the whole to 1e-6 (tiny codecs of both formats).
CONTEXT = 12
# In the main environment torchaudio is in a separate folder, because transformers 5 imports it wherever it finds it and
# would fail even for a text model.
ASIDE = Path(sys.prefix) / "aside"
SEEDED = "tiny.json"  # in the folder of a codec whose file holds only the quantizer; its seed gives the other weights


class Codec(Protocol):
    """Encode and decode audio.

    `frame_samples` is the number of samples in a frame. A codec is `local` if a piece can be decoded with `CONTEXT` frames around it;
    otherwise it is decoded from the beginning.
    """

    codebooks: int
    codebook_size: int
    frame_samples: int
    local: bool

    def encode(self, samples: np.ndarray) -> np.ndarray:
        """Return codes of shape (codebooks, frames) for mono samples at `RATE`; 25 frames a second."""

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Return samples at `RATE` for codes of shape (codebooks, frames)."""


def codec_format(folder: str | Path) -> str:
    """Return the stack that reads the codec in a folder.

    Raises
    ------
    DataError
        If the folder holds no Higgs Audio v2 codec.
    """
    folder = resolve(folder)
    stack = codec_stack_of(read_config(folder))
    if stack is None:
        raise DataError("this is not the configuration of a Higgs Audio v2 codec", path=folder / "config.json",
                        remedy="give the folder of the audio tokenizer, not of the model")  # fmt: skip
    return stack


def load_codec(folder: str | Path, *, device: str = "cpu") -> Codec:
    """Load the codec in a folder; its format must be that of this process's stack.

    Raises
    ------
    DataError
        If the format is another one, or weights are missing from the file. boson_multimodal itself loads with
        ``strict=False``, which hides a wrong file.
    """
    if is_speech_codec(Path(folder)):
        return load_speech_codec(folder)
    stack = codec_format(folder)
    if stack != here():
        raise HarnessError(f"this codec is of the {stack} format, but this process has the {here()} stack")
    prepare_torchaudio()
    folder = Path(folder)
    return _BosonCodec(folder, device) if stack == BOSON else _NativeCodec(folder, device)


def check_fits(codec: Codec, codebooks: int, codebook_size: int, path: str | Path) -> None:
    """Raise a DataError if the model cannot read the codec's codes."""
    if (codec.codebooks, codec.codebook_size) != (codebooks, codebook_size):
        raise DataError(
            f"the codec has {codec.codebooks} codebooks of {codec.codebook_size}, the model {codebooks} of {codebook_size}",
            path=path, remedy="give the codec that belongs to the model",
        )  # fmt: skip


def encode_files(codec: str, files: Sequence[str], cache: str, codebooks: int, codebook_size: int) -> list[str]:
    """Encode audio files and cache each result, so that a second call only reads.

    Returns
    -------
    list of str
        Path, for each file, of an ``.npy`` array of shape (codebooks, frames), int16.

    Raises
    ------
    DataError
        Naming the audio file that cannot be read, or is too short for one frame.
    """
    folder = resolve(codec)
    wanted = cached_paths(folder, files, Path(cache))
    loaded = load_codec(folder)
    check_fits(loaded, codebooks, codebook_size, folder)
    Path(cache).mkdir(parents=True, exist_ok=True)
    for file, path in zip(files, wanted, strict=True):
        if not path.is_file():
            codes = loaded.encode(at_rate(read_audio(file)))
            if codes.shape[1] == 0:
                raise DataError("too short for one frame of 40 ms", path=file, remedy="leave the sample out")
            content = io.BytesIO()
            np.save(content, codes.astype(np.int16))
            write_atomic(path, content.getvalue())
    return [str(path) for path in wanted]


def cached_paths(folder: Path, files: Sequence[str], cache: Path) -> list[Path]:
    """Return the cache paths of audio files' codes; the names depend on the codec and on the content of the files."""
    weights = sorted(path for path in folder.iterdir() if path.suffix in {".safetensors", ".pth"})
    stamps = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in weights]
    identity = (folder / "config.json").read_bytes() + repr(stamps).encode()
    found = []
    for file in files:
        try:
            content = Path(file).read_bytes()
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror}", path=file,
                            remedy="check the manifest's audio paths") from error  # fmt: skip
        found.append(cache / f"{hashlib.sha256(identity + content).hexdigest()[:24]}.npy")
    return found


def at_rate(audio: Audio) -> np.ndarray:
    """Return mono samples at `RATE`."""
    return resample(audio.samples, audio.sample_rate, RATE).astype(np.float32, copy=False)


class _NativeCodec:
    frame_samples, local = FRAME_SAMPLES, True

    def __init__(self, folder: Path, device: str) -> None:
        self.model = load_strictly(native_codec_class(), folder).to(device).eval()
        from transformers import DacFeatureExtractor

        self.extractor = DacFeatureExtractor.from_pretrained(folder, local_files_only=True)
        self.codebooks = int(self.model.config.num_quantizers)
        self.codebook_size = int(self.model.config.codebook_size)

    def encode(self, samples: np.ndarray) -> np.ndarray:
        import torch

        # the same call as in HiggsAudioV2Processor
        values = self.extractor(samples, sampling_rate=RATE, padding=False, return_tensors="pt")["input_values"]
        with torch.no_grad():
            codes = self.model.encode(values.to(self.model.device)).audio_codes
        return codes[0].cpu().numpy()

    def decode(self, codes: np.ndarray) -> np.ndarray:
        import torch

        with torch.no_grad():
            wanted = torch.from_numpy(codes.astype(np.int64))[None].to(self.model.device)
            return self.model.decode(wanted).audio_values[0, 0].float().cpu().numpy()


def native_codec_class() -> Any:
    """Return transformers' codec class, imported from its module.

    If transformers was imported before torchaudio, the class's name in the package is a placeholder. The processor looks
    that name up, so it is set to the class itself.
    """
    prepare_torchaudio()
    import transformers

    name = "higgs_audio_v2_tokenizer"
    found = import_module(f"transformers.models.{name}.modeling_{name}").HiggsAudioV2TokenizerModel
    setattr(transformers, found.__name__, found)
    return found


class _BosonCodec:
    frame_samples, local = FRAME_SAMPLES, True

    def __init__(self, folder: Path, device: str) -> None:
        import torch

        with torch.random.fork_rng(devices=[]):
            self.model = build_boson_codec(folder, device)
        try:
            state = torch.load(folder / "model.pth", map_location=device, weights_only=True)
        except Exception as error:  # a missing file, a damaged one, or one that would run code
            reason = str(error).split("\n")[0][:200]
            raise DataError(
                f"cannot be read: {reason}", path=folder / "model.pth", remedy="download it again"
            ) from error
        missing, unexpected = self.model.load_state_dict(state, strict=False)
        if is_file(folder / SEEDED):
            missing = [name for name in missing if name.startswith("quantizer.")]
        # HuBERT's weights come from a separate file.
        missing = [name for name in missing if not name.startswith("semantic_model.")]
        if missing or unexpected:
            raise DataError(
                f"{len(missing)} weights are missing and {len(unexpected)} unexpected: {[*missing, *unexpected][0]}",
                path=folder / "model.pth", remedy="the codec's weights and its config.json do not belong together",
            )  # fmt: skip
        self.model.to(device).eval()
        self.codebooks = int(self.model.n_q)
        self.codebook_size = int(read_json(folder / "config.json")["bins"])

    def encode(self, samples: np.ndarray) -> np.ndarray:
        return self.model.encode(samples, RATE).cpu().numpy()

    def decode(self, codes: np.ndarray) -> np.ndarray:
        import torch

        return self.model.decode(torch.from_numpy(codes.astype(np.int64))[None])[0, 0]


def build_boson_codec(folder: Path, device: str) -> Any:
    """Build boson_multimodal's codec from config.json without loading weights; use the seed in `SEEDED` if that exists."""
    prepare_torchaudio()
    import torch
    from boson_multimodal.audio_processing.higgs_audio_tokenizer import HiggsAudioTokenizer

    if is_file(folder / SEEDED):
        torch.manual_seed(int(read_json(folder / SEEDED)["seed"]))
    with semantic_model(folder):
        return HiggsAudioTokenizer(**read_json(folder / "config.json"), device=device)


@contextlib.contextmanager
def semantic_model(folder: Path) -> Iterator[None]:
    """Make boson_multimodal's codec load HuBERT from ``folder/hubert`` if that exists.

    The codec requests it from the hub by name, with ``trust_remote_code=True``. Remote code is never run here: both cases
    use the class of transformers.
    """
    from boson_multimodal.audio_processing import higgs_audio_tokenizer as module

    original = module.AutoModel

    class LocalFirst:
        @staticmethod
        def from_pretrained(name: str, **options: Any) -> Any:
            options["trust_remote_code"] = False
            local = folder / "hubert"
            return original.from_pretrained(local if local.is_dir() else name, **options)

    with patch.object(module, "AutoModel", LocalFirst):
        yield


def prepare_torchaudio() -> None:
    """Make ``import torchaudio`` work without CUDA, and make transformers notice it.

    The codecs need one function, ``torchaudio.functional.resample``, and the listeners another, ``melscale_fbanks``; both are plain
    Python. The wheel is a CUDA build whose
    native part cannot be loaded with a CPU build of torch; only then is that part replaced by an empty module.

    Raises
    ------
    NotAvailable
        If torchaudio is not installed.
    """
    if "torchaudio" in sys.modules:
        return
    if find_spec("torchaudio") is None and ASIDE.is_dir():
        sys.path.append(str(ASIDE))
    if find_spec("torchaudio") is None:
        raise NotAvailable(
            "torchaudio is not installed; the codecs and the listeners need it", remedy="call `make env`"
        )
    import torch

    if torch.version.cuda is None:
        sys.modules["torchaudio._extension"] = _empty_extension()
    import torchaudio  # noqa: F401

    known = sys.modules.get("transformers.utils.import_utils")
    if known and hasattr(known.is_torchaudio_available, "cache_clear"):  # it caches whether torchaudio was found
        known.is_torchaudio_available.cache_clear()


def _empty_extension() -> ModuleType:
    name = "torchaudio._extension"
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)
    module._IS_TORCHAUDIO_EXT_AVAILABLE = module._IS_ALIGN_AVAILABLE = False  # type: ignore[attr-defined]
    module.fail_if_no_align = lambda function: function  # type: ignore[attr-defined]
    return module
