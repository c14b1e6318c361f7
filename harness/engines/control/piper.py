"""Piper told what to do: lengths and pauses are set inside its model, F0 and level on the signal.

The noise that makes two readings differ is an input too, so a reading is repeated by its seed without a new session.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.audio import Audio
from harness.engines.control.curves import Span, draw
from harness.engines.control.graph import NoTiming, parts_of, piper_parts
from harness.engines.control.plan import DOSES, Doses, Plan
from harness.engines.control.signal import add_gain, shift_pitch, track_of, without_weak
from harness.engines.control.tokens import Chunk
from harness.engines.control.voice import ObeyingVoice, session, settled


class PiperControls(ObeyingVoice):
    """The parts of a voice of Piper.

    Parameters
    ----------
    voice : piper.PiperVoice
        Its phonemes and its configuration are used, not its session.
    path : Path
        Its ``.onnx`` file.
    """

    # Chosen on training sentences by the voice joe. It is low, and ends at 64 Hz as it is, so its falls start higher.
    doses: ClassVar[Doses] = replace(
        DOSES, accent_level=5.0, stressed=1.6, unstressed=1.2, high=4.5, fall_from=5.0, register=2.2
    )
    natural_gap: ClassVar[float] = 0.25

    def __init__(self, voice: Any, path: Path) -> None:
        super().__init__()
        self._voice, self._config = voice, voice.config
        if self._config.phoneme_type.value == "pinyin":  # has its own rule from phonemes to ids
            raise NoTiming("the phones of a Chinese voice cannot be timed", path=path,
                           remedy="set the option dialect=ignore; the voice then ignores tags")  # fmt: skip
        parts = parts_of(path, piper_parts, ("lengths", "sound"))
        self._lengths, self._sound = session(parts["lengths"]), session(parts["sound"])
        self._noise = {one.name: int(one.shape[1]) for part in (self._lengths, self._sound) for one in part.get_inputs()
                       if one.name.endswith("_noise")}  # fmt: skip

    def tokens(self, text: str) -> list[list[str]]:
        """Return the phonemes of each sentence that the voice knows; others would be skipped."""
        sentences = self._voice.phonemize(text.replace("[[", "[ ["))  # "[[" would begin raw phonemes
        known = [[token for token in sentence if token in self._config.phoneme_id_map] for sentence in sentences]
        return [sentence for sentence in known if sentence]

    def sound(self, chunks: Sequence[Chunk], plan: Plan, seed: int) -> tuple[Audio, list[Span]]:
        """Render chunks; see `ObeyingVoice.sound`."""
        rate = self._config.sample_rate
        samples, bounds, at = [np.zeros(0, np.float32)], list[Span](), 0.0
        for number, chunk in enumerate(chunks):
            part, edges = self._rendered(chunk, [seed % 2**64, number])
            bounds += [(at + start / rate, at + end / rate) for start, end in edges]
            samples.append(part)
            at += len(part) / rate
        audio, spans = Audio(np.concatenate(samples), rate), settled(bounds, chunks, 0.0)
        if not plan.movements:
            return audio, spans
        track = track_of(audio)
        curves = draw(plan, spans, without_weak(track, audio, _words(plan, spans)))
        return add_gain(shift_pitch(audio, curves, track), curves), spans

    def _rendered(self, chunk: Chunk, seed: Sequence[int]) -> tuple[NDArray[np.float32], list[tuple[int, int]]]:
        """Return the samples of a chunk, and the first and last sample of each token."""
        ids, places = self._ids(chunk)
        feed = {
            "input": np.array([ids], np.int64),
            "input_lengths": np.array([len(ids)], np.int64),
            "scales": np.array(
                [self._config.noise_scale, self._config.length_scale, self._config.noise_w_scale], np.float32
            ),
        }
        if self._config.num_speakers > 1:
            feed["sid"] = np.array([self._config.default_speaker_id], np.int64)
        taken = {one.name for one in self._lengths.get_inputs()}
        noise = {"length_noise": self._random("length_noise", len(ids), seed)} if "length_noise" in taken else {}
        exact = self._lengths.run(None, {name: value for name, value in (feed | noise).items() if name in taken})[0][
            0, 0
        ]
        frames = np.ceil(exact)
        for (start, end), factor, extra in zip(places, chunk.factors, chunk.extra, strict=True):
            longest = start + int(np.argmax(frames[start:end]))
            frames[longest] += round(frames[start:end].sum() * (factor - 1))
            frames[start] += round(extra * self._config.sample_rate / self._config.hop_length)
        feed |= {
            "durations": frames[None, None].astype(np.float32),
            "sound_noise": self._random("sound_noise", int(frames.sum()), seed),
        }
        taken = {one.name for one in self._sound.get_inputs()}
        samples = self._sound.run(None, {name: value for name, value in feed.items() if name in taken})[0].reshape(-1)
        peak = float(np.abs(samples).max())  # Piper plays each sentence at full scale
        samples = samples / peak if peak > 1e-8 else np.zeros_like(samples)
        edges = np.concatenate([[0], np.cumsum(frames)]).astype(int) * self._config.hop_length
        return samples.astype(np.float32), [(int(edges[start]), int(edges[end])) for start, end in places]

    def _ids(self, chunk: Chunk) -> tuple[list[int], list[tuple[int, int]]]:
        """Return the ids of a chunk, as Piper orders them, and the place of each token among them."""
        known, ids, places = self._config.phoneme_id_map, list[int](), []
        ids += [*known["^"], *known["_"]]
        for token in chunk.tokens:
            start = len(ids)
            ids += [
                *known.get(token, []),
                *known["_"],
            ]  # a mark or a comma that a plan added may be unknown to the voice
            places.append((start, len(ids)))
        return [*ids, *known["$"]], places

    def _random(self, name: str, length: int, seed: Sequence[int]) -> NDArray[np.float32]:
        """Return noise, shape (1, channels, length). A longer text begins with the same noise."""
        random = np.random.default_rng([*seed, sorted(self._noise).index(name)])
        return random.standard_normal((length, self._noise[name]), np.float32).T[None]


def _words(plan: Plan, spans: Sequence[Span]) -> list[Span]:
    """Return start and end of each word that is spoken."""
    found: dict[int, Span] = {}
    for phone, (start, end) in zip(plan.phones, spans, strict=True):
        found[phone.word] = (found.get(phone.word, (start, end))[0], end)
    return list(found.values())
