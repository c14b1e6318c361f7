"""Load the serve engine of boson_multimodal, with checks that it does not make itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest.mock import patch  # it restores what it replaces

from harness.higgs.checkpoints import load_model, load_tokenizer
from harness.higgs.codec import RATE, Codec, check_fits, load_codec, prepare_torchaudio
from harness.higgs.speech.codec import SpeechCodec
from harness.higgs.speech.tokenizer import vocabulary_of
from harness.processes.stacks import BOSON

_HEADER_END = "<|end_header_id|>\n\n"
CACHE_LENGTHS = (1024, 4096, 8192)  # positions; the engine's own default


class _AsBosons:
    """The project's codec with the interface of boson_multimodal's."""

    def __init__(self, codec: SpeechCodec) -> None:
        self.sampling_rate, self.tps = RATE, RATE / codec.frame_samples
        self._codec = codec

    def encode(self, samples: Any, *_: Any) -> Any:
        return self._codec.encode(samples)

    def decode(self, codes: Any) -> Any:
        return self._codec.decode(codes[0].cpu().numpy())[None, None]


@lru_cache(maxsize=1)
def load(model: Path, codec: Path, device: str, dtype: str) -> tuple[Any, Codec, threading.Lock]:
    """Return the serve engine, its codec and a lock for both; engines with different settings share them."""
    prepare_torchaudio()
    from boson_multimodal.serve import serve_engine

    _keep_quiet()
    with _checked(serve_engine, dtype) as codecs:
        engine = serve_engine.HiggsAudioServeEngine(str(model), str(codec), device=device, torch_dtype=dtype,
                                                    kv_cache_lengths=list(CACHE_LENGTHS))  # fmt: skip
    check_fits(codecs[0], engine.audio_num_codebooks, engine.audio_codebook_size, codec)
    return engine, codecs[0], threading.Lock()


def _keep_quiet() -> None:
    """Silence warnings about the inside of boson_multimodal: old names, and options that it always sets."""
    import warnings

    from loguru import logger
    from transformers.utils import logging

    logger.disable("boson_multimodal")
    logging.set_verbosity_error()
    for module in ("transformers.generation.configuration_utils", "torch.nn.utils.weight_norm"):
        warnings.filterwarnings("ignore", module=module)
    warnings.filterwarnings("ignore", message=".*weight_norm.* is deprecated")


def _without_line_ends(tokenizer: Any) -> Any:
    """Let a tokenizer of words leave out the line ends before a text, as it does when it encodes a whole prompt.

    The tokens of its words include the white space before them. The serve engine encodes the header of a turn and its text separately.
    """
    whole = tokenizer.encode

    def encode(text: str, **options: Any) -> Any:
        return whole(text.rstrip("\n") if text.endswith(_HEADER_END) else text, **options)

    tokenizer.encode = encode
    return tokenizer


@contextmanager
def _checked(serve_engine: Any, dtype: str) -> Iterator[list[Any]]:
    """Let the engine load its model and codec with checks; it loads with ``strict=False``, which hides a wrong file.

    Yields
    ------
    list
        The codecs that are loaded inside the context.
    """
    codecs: list[Any] = []

    class Model:
        @staticmethod
        def from_pretrained(folder: str, **_: Any) -> Any:
            return load_model(folder, BOSON, dtype=dtype)

    class Tokenizer:
        @staticmethod
        def from_pretrained(folder: str, **_: Any) -> Any:
            tokenizer = load_tokenizer(folder)
            return tokenizer if vocabulary_of(Path(folder)) is None else _without_line_ends(tokenizer)

    def codec(folder: str, device: str = "cpu") -> Any:
        codecs.append(load_codec(folder, device=device))
        return _AsBosons(codecs[0]) if isinstance(codecs[0], SpeechCodec) else codecs[0].model

    ours: dict[str, Any] = {"HiggsAudioModel": Model, "load_higgs_audio_tokenizer": codec, "AutoTokenizer": Tokenizer}
    with patch.multiple(serve_engine, **ours):
        yield codecs
