"""Higgs Audio v2 in transformers 5: model, processor and codec, with batches."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.audio import Audio, read_audio
from harness.engines.base import Speech, SpeechRequest, check_request
from harness.engines.higgs.base import BUSY_SECONDS, GPU, STREAM_TIMEOUT, WEIGHTS, HiggsEngine, readable_error
from harness.engines.higgs.settings import SMALL, TINY
from harness.engines.higgs.stream import Columns, clean, pieces, turn
from harness.engines.higgs.tiny import tiny_folders
from harness.errors import HarnessError
from harness.higgs.batches import ANSWER_BEGIN
from harness.higgs.checkpoints import load_model, load_tokenizer
from harness.higgs.codec import RATE, at_rate, check_fits, load_codec
from harness.higgs.generate import Generated, finish
from harness.higgs.samples import prompt
from harness.higgs.speech.codec import is_speech_codec
from harness.processes.stacks import NATIVE
from harness.registry import Requirements

_LOCK = threading.Lock()  # the process has one random generator of torch, so all native engines take turns


class HiggsNativeEngine(HiggsEngine):
    """Higgs Audio v2 in transformers 5.

    It takes the options of `HiggsSettings`. Without a checkpoint it speaks with the project's small model, which knows a few dozen words.
    """

    name = "higgs_native"
    requirements: ClassVar[Requirements] = Requirements(
        packages=("torch", "transformers", "hibari"), weights=WEIGHTS, gpu=GPU
    )

    def __init__(self, **options: Any) -> None:
        super().__init__("transformers", options)

    def speak(self, request: SpeechRequest) -> Speech:
        """Render one request; see `speak_batch`.

        The project's small model speaks with torch alone on a CPU, because to import transformers takes longer than to speak. The codes
        are the same.
        """
        speaker = self._speaker
        if speaker is None:
            return self.speak_batch([request])[0]
        check_request(request, self)
        limit = self.settings.frames(request.text, self.codec)
        conversation = self._conversation(self.settings.rendered(request))
        with turn(_LOCK, BUSY_SECONDS), _seeded(request.seed, speaker.device):
            columns = speaker.generate(conversation, **self._how(limit)).numpy()
        return Speech(self._decoded(self._cut(columns.T, limit).codes))

    def speak_batch(self, requests: Sequence[SpeechRequest]) -> list[Speech]:
        """Render requests as one batch. If the engine samples, the seed of the first request counts for all.

        Raises
        ------
        HarnessError
            If a text has no words, a voice is another one, or the speech ends before it begins.
        """
        return [Speech(self._decoded(one.codes)) for one in self.generate(requests)]

    def generate(self, requests: Sequence[SpeechRequest]) -> list[Generated]:
        """Return the codes of requests, without decoding them."""
        import torch

        limits = [self.settings.frames(request.text, self.codec) for request in requests]
        inputs, skipped = self._inputs(requests), 0
        if "audio_input_ids" in inputs:
            skipped = inputs["audio_input_ids"].shape[1]
        with turn(_LOCK, BUSY_SECONDS), _seeded(requests[0].seed, self._model.device), torch.no_grad():
            try:
                rows = self._model.generate(**inputs, **self._how(max(limits))).cpu().numpy()
            except Exception as error:  # of many kinds, those of the GPU among them
                raise readable_error("transformers", error) from error
        return [self._cut(row[skipped:].T, limit) for row, limit in zip(rows, limits, strict=True)]

    def stream(
        self, request: SpeechRequest, *, piece_frames: int = 25, timeout: float = STREAM_TIMEOUT
    ) -> Iterator[Audio]:
        """Render one request piece by piece, while the model is still generating.

        Code that draws from torch's random generator between two pieces changes the speech.

        Parameters
        ----------
        request : SpeechRequest
        piece_frames : int
            Frames of 40 ms in a piece.
        timeout : float
            Seconds to wait for one frame.

        Raises
        ------
        HarnessError
            As for `speak`, or if the model fails or is too slow.
        """
        import torch

        inputs, limit = self._inputs([request]), self.settings.frames(request.text, self.codec)
        columns, config = Columns(timeout), self._config

        steps = count()

        def look(_: Any, __: Any, given: dict[str, Any]) -> None:
            """Take the column of the step before, which is the input of this one; streamers of transformers get no columns."""
            if next(steps):
                columns.put(given["audio_input_ids"][0, -1].cpu())

        def work() -> None:
            from transformers import StoppingCriteria, StoppingCriteriaList

            class Leave(StoppingCriteria):
                def __call__(self, ids: Any, scores: Any, **_: Any) -> Any:
                    return torch.full((len(ids),), columns.stopped.is_set(), device=ids.device, dtype=torch.bool)

            with turn(_LOCK, BUSY_SECONDS), _seeded(request.seed, self._model.device), torch.no_grad():
                handle = self._model.register_forward_pre_hook(look, with_kwargs=True)
                try:
                    leave = StoppingCriteriaList([Leave()])
                    made = self._model.generate(**inputs, **self._how(limit), stopping_criteria=leave)
                    columns.put(made[0, -1].cpu())  # the last one is not the input of any step
                finally:
                    handle.remove()

        yield from pieces(columns, work, self.codec, config.audio_stream_eos_id, limit, piece_frames)

    @cached_property
    def _folders(self) -> tuple[Path, Path]:
        if self.settings.checkpoint == TINY:
            return tiny_folders(NATIVE, self.settings.seed)
        return self.settings.folders()

    @cached_property
    def _model(self) -> Any:
        device, dtype = self.settings.on()
        return load_model(self._folders[0], NATIVE, dtype=dtype, text_head=False).to(device).eval()

    @cached_property
    def _speaker(self) -> Any:
        """The small model without transformers; None for another model, and if a GPU or another dtype is asked for."""
        settings = self.settings
        if settings.checkpoint != SMALL or settings.reference_audio is not None or settings.on() != ("cpu", "float32"):
            return None
        from harness.higgs.speech.speaker import Speaker

        return Speaker(self._folders[0])

    @property
    def _config(self) -> Any:
        return (self._speaker or self._model).config

    @cached_property
    def codec(self) -> Any:
        """The codec, checked against the model."""
        codec = load_codec(self._folders[1], device=self.settings.on()[0])
        check_fits(codec, self._config.num_codebooks, self._config.codebook_size - 2, self._folders[1])
        return codec

    @cached_property
    def _tokenizer(self) -> Any:
        return load_tokenizer(self._folders[0])

    @cached_property
    def _processor(self) -> Any:
        from transformers.models.higgs_audio_v2.processing_higgs_audio_v2 import HiggsAudioV2Processor

        return HiggsAudioV2Processor(self.codec.extractor, self._tokenizer, self.codec.model)

    @cached_property
    def _reference(self) -> NDArray[np.float32] | None:
        given = self.settings.reference_audio
        if given is not None and is_speech_codec(self._folders[1]):
            raise HarnessError("this codec cannot encode a recording to clone", remedy="omit reference_audio")
        return None if given is None else at_rate(read_audio(given))

    def _inputs(self, requests: Sequence[SpeechRequest]) -> Any:
        """Return the processor's batch: texts padded on the left, with the codes of the reference for each."""
        if not requests:
            raise HarnessError("there is nothing to say: no requests", remedy="give at least one")
        texts = []
        for request in requests:
            check_request(request, self)
            texts.append(self._conversation(self.settings.rendered(request)))
        device = self._model.device  # first of all, because a folder that holds no model is named then
        how = {"add_special_tokens": False, "padding": True, "padding_side": "left", "return_tensors": "pt"}
        if self._reference is None:
            return self._tokenizer(texts, **how).to(device)
        return self._processor(text=texts, audio=[self._reference] * len(texts), **how).to(device)

    def _conversation(self, text: str) -> str:
        """Return the prompt. The recording to clone appears in it as an earlier answer of the model."""
        if self._reference is None:
            return prompt(text, self.settings.system) + ANSWER_BEGIN
        assert self.settings.reference_text is not None
        before = prompt(self.settings.reference_text, self.settings.system)
        user = prompt(text, "").partition("<|eot_id|>")[2]  # without begin of text and system
        return f"{before}{ANSWER_BEGIN}<|AUDIO_OUT|><|audio_eos|><|eot_id|>{user}{ANSWER_BEGIN}"

    def _how(self, frames: int) -> dict[str, Any]:
        """Return arguments of ``generate``. A step makes a column: the frames, and begin, end and the delay."""
        config, settings = self._config, self.settings
        chance = {"do_sample": False} if settings.deterministic else {
            "do_sample": True, "temperature": settings.temperature, "top_p": settings.top_p, "top_k": settings.top_k or 0,
        }  # fmt: skip
        return {"max_new_tokens": frames + config.num_codebooks + 1, "use_cache": True, "pad_token_id": config.pad_token_id,
                "eos_token_id": config.eos_token_id, **chance}  # fmt: skip

    def _cut(self, columns: NDArray[np.int64], frames: int) -> Generated:
        """Return one row of a batch, cut at its end or its limit."""
        end, at_most = self._config.audio_stream_eos_id, frames + columns.shape[0] + 1
        ends = np.flatnonzero((columns == end).all(axis=0))
        last = int(ends[0]) + 1 if len(ends) else columns.shape[1]
        return finish(columns[:, : min(last, at_most)], end, at_most)

    def _decoded(self, codes: NDArray[np.int64]) -> Audio:
        if codes.shape[1] == 0:
            raise HarnessError("the model ended its speech before it began", remedy="try another seed or text")
        return Audio(self.codec.decode(clean(codes, self.codec.codebook_size)).astype(np.float32), RATE)


@contextmanager
def _seeded(seed: int, device: Any) -> Iterator[None]:
    """Seed torch, and restore its random state afterwards; the draws of other threads meanwhile are lost."""
    import torch

    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
