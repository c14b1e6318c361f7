"""hibari told what to do: lengths and pauses, F0 and energy are set inside its model, the level of emphasis on the signal.

If phones are longer, the model chooses another melody. So F0 and energy are those of the unchanged text, stretched to the new lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import fields, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.audio import Audio
from harness.engines.control.curves import Curves, Span, Track, draw, limits_hz
from harness.engines.control.graph import hibari_parts, parts_of
from harness.engines.control.plan import DOSES, Doses, Movement, Plan, Shape, make_plan
from harness.engines.control.signal import add_gain
from harness.engines.control.tokens import SHORTEST_PAUSE, Chunk, arrange, phones_of
from harness.engines.control.voice import ObeyingVoice, session, settled
from harness.errors import HarnessError
from harness.higgs.speech.codec import Frames, joined
from harness.tagged import TaggedText

Array = NDArray[np.float64]

UNIT = 0.025  # seconds that a length of 1 is
FRAME = 0.0125  # seconds; a length of 1 is two frames
LATE = 0.025  # seconds by which its boundaries are later than those of the aligner, median on training sentences
VOICED_HZ = 40.0  # a frame with less is unvoiced (`hibari.dsp.pulses`)
LIMITS_HZ = 70.0, 600.0
FIRM = 0.5  # energy of a glide above the median of the voiced frames: with less, the model lets its end creak, without harmonics
SOUNDING = 5.0  # a phone sounds while its energy is at most this far below the strongest of the glide
SILENT = -9.4  # energy of silence
DECAY, ATTACK = 6, 3  # frames at the start and the end of a pause that keep the energy of the voice
STOP = 0.05  # seconds that a last phone gets which is too weak to hear, such as the stop of "it."
WEAK = 3.0  # frames this far below the strongest of their word carry no F0 that counts, in the same unit


class HibariControls(ObeyingVoice):
    """The parts of a voice of hibari.

    Parameters
    ----------
    voice : hibari.Hibari
    speed : float
        Relative pace.
    """

    # The energy of a glide is kept up inside the model, so its level is lowered again afterwards.
    doses: ClassVar[Doses] = replace(DOSES, high=4.5, low=-4.4, rise_level=0.0, fall_level=-4.0)
    natural_gap: ClassVar[float] = 0.15

    def __init__(self, voice: Any, speed: float) -> None:
        super().__init__()
        self._voice, self._speed = voice, np.array([speed], np.float32)
        parts = parts_of(voice.model_path, hibari_parts, ("lengths", "melody", "sound"))
        self._lengths, self._melody, self._sound = (session(parts[name]) for name in ("lengths", "melody", "sound"))

    def tokens(self, text: str) -> list[list[str]]:
        """Return the phones of each chunk that the voice knows; others would be skipped."""
        return [[sign for sign in chunk if sign in self._voice.vocab] for chunk in self._voice.phonemize(text)]

    def sound(self, chunks: Sequence[Chunk], plan: Plan, seed: int) -> tuple[Audio, list[Span]]:
        """Render chunks; see `ObeyingVoice.sound`."""
        from hibari import dsp

        parts, spans, curves = self._rendered(chunks, plan)
        if not parts:
            return Audio(np.zeros(0, np.float32), self._voice.sample_rate), []
        random = np.random.default_rng(seed)
        samples = [dsp.synth(*(getattr(part, one.name) for one in fields(part)), random) for part in parts]
        return add_gain(Audio(np.concatenate(samples), self._voice.sample_rate), curves), spans

    def frames(self, text: TaggedText) -> Frames:
        """Return the frames of a tagged text, as `harness.higgs.speech.codec` encodes them.

        Raises
        ------
        HarnessError
            If a pause is asked for before the first or after the last word, or between sentences: there are no frames to lengthen.
        """
        chunks = deepcopy(self._chunks(text.words))
        plan = make_plan(text, phones_of(chunks), self.doses)
        if arrange(plan, chunks, self.natural_gap):
            raise HarnessError(f"no frames are made for a pause outside of a sentence: {text}", remedy="move the tag")
        parts, _, curves = self._rendered(chunks, plan)
        return joined(parts).louder(curves.decibels * np.log(10) / 20)

    def _rendered(self, chunks: Sequence[Chunk], plan: Plan) -> tuple[list[Frames], list[Span], Curves]:
        """Return the frames of each chunk, start and end of each phone, and the curves whose level is still to be added."""
        told, bounds, at = [], list[Span](), 0.0
        for chunk in chunks:
            ids, lengths = self.timed(chunk)
            f0, energy = self.melody(chunk, ids, lengths)
            edges = at + np.concatenate([[0.0], np.cumsum(lengths)]) * len(f0) / lengths.sum() * FRAME
            bounds += zip(
                edges[1:-2].tolist(), edges[2:-1].tolist(), strict=True
            )  # the first and the last id are silence
            told.append((ids, lengths, f0, energy))
            at += len(f0) * FRAME
        if not told:
            return [], [], Curves(*np.zeros((3, 0)))
        spans = settled(bounds, chunks, LATE)
        f0, energy = (np.concatenate([one[part] for one in told]) for part in (2, 3))
        spans = _without_silence(plan, spans, energy)
        curves, gliding = self._curves(plan, spans, f0, energy)
        voiced, plain = f0 > VOICED_HZ, f0
        f0 = np.where(voiced, _raised(f0, curves.semitones), f0)
        # The model has learned that low F0 goes with creak, which has no harmonics. So where a tag lowers F0, the model shapes the
        # spectrum from the plain F0, or along a glide from the middle of the voice; the sound itself has the F0 that the tag asks for.
        told_f0 = np.where(voiced & (curves.semitones < 0), plain, f0)
        if gliding.any():
            told_f0 = np.where(voiced & gliding, np.maximum(f0, np.median(plain[voiced])), told_f0)
        parts, first = list[Frames](), 0
        for ids, lengths, own, _ in told:
            here = slice(first, first := first + len(own))
            feed = {"ids": ids, "durations": lengths, "f0_told": told_f0[here][None], "energy_told": energy[here][None]}
            lh, theta, ln, lr, phi = (part[0] for part in self._sound.run(None, feed))
            parts.append(Frames(lh, theta, ln, lr, phi, f0[here]))
        return parts, spans, curves

    def timed(self, chunk: Chunk) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the ids of a chunk, with silence at both ends, and their lengths in units of 25 ms."""
        ids = np.array([[0, *(self._voice.vocab[token] for token in chunk.tokens), 0]], np.int64)
        exact, lengths = (part.reshape(-1) for part in self._lengths.run(None, {"ids": ids, "speed": self._speed}))
        lengths = lengths.copy()
        for place, (factor, extra) in enumerate(zip(chunk.factors, chunk.extra, strict=True), start=1):
            if factor != 1:
                lengths[place] = max(1, round(float(exact[place]) * factor))
            lengths[place] += round(extra / UNIT)
        return ids, lengths

    def melody(
        self, chunk: Chunk, ids: NDArray[np.int64], lengths: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return F0 in Hz and energy in the model's unit of each frame, as the voice chooses them for unchanged lengths."""
        if all(factor == 1 for factor in chunk.factors):
            f0, energy = (part[0] for part in self._melody.run(None, {"ids": ids, "durations": lengths}))
            energy = energy.copy()
        else:
            f0, energy = self._stretched(chunk, ids, lengths)
        edges = np.concatenate([[0.0], np.cumsum(lengths)]) * len(f0) / lengths.sum()
        for place, extra in enumerate(chunk.extra, start=1):  # a long comma may hold breath or a drawn-out vowel
            if extra >= SHORTEST_PAUSE:
                start, end = (round(float(edge)) for edge in edges[place : place + 2])
                energy[start + DECAY : end - ATTACK] = SILENT
        return f0, energy

    def _stretched(
        self, chunk: Chunk, ids: NDArray[np.int64], lengths: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return F0 and energy of unchanged phones, stretched to the new lengths."""
        _, plain = self.timed(Chunk(chunk.tokens, chunk.words, [1.0] * len(chunk.tokens), chunk.extra))
        f0, energy = (part[0] for part in self._melody.run(None, {"ids": ids, "durations": plain}))
        frames = len(f0) / plain.sum()
        edges = [np.concatenate([[0.0], np.cumsum(one)]) * frames for one in (lengths, plain)]
        count = round(float(lengths.sum() * frames))
        at = np.interp(np.arange(count) + 0.5, *edges) - 0.5
        nearest = np.clip(np.round(at).astype(int), 0, len(f0) - 1)
        voiced = f0 > VOICED_HZ
        between = np.interp(at, np.flatnonzero(voiced), f0[voiced]) if voiced.any() else f0[nearest]
        stretched = np.where(voiced[nearest], between, f0[nearest])
        return stretched.astype(np.float32), np.interp(at, np.arange(len(energy)), energy).astype(np.float32)

    def _curves(
        self, plan: Plan, spans: Sequence[Span], f0: NDArray[np.float32], energy: NDArray[np.float32]
    ) -> tuple[Curves, NDArray[np.bool_]]:
        """Draw the movements of a plan, give its glides F0 and energy up to their ends (in place), and return where they are."""
        times, gliding = _frame_times(len(f0)), np.zeros(len(f0), bool)
        for movement in plan.movements:
            if movement.shape in (Shape.RISE, Shape.FALL):
                gliding |= _voice_glide(plan, movement, spans, times, f0, energy)
        voiced, strong = f0 > VOICED_HZ, np.ones(len(f0), bool)
        words = [(phone.word, span) for phone, span in zip(plan.phones, spans, strict=True)]
        for word in {word for word, _ in words}:
            own = [span for other, span in words if other == word]
            inside = (times >= own[0][0]) & (times <= own[-1][1])
            strong[inside] = energy[inside] > energy[inside].max(initial=-np.inf) - WEAK
        return draw(plan, spans, Track(times, np.where(voiced & strong, f0, np.nan).astype(np.float64))), gliding


def _frame_times(count: int) -> Array:
    """Return the middles of the frames in seconds, shape (count,)."""
    return (np.arange(count, dtype=np.float64) + 0.5) * FRAME


def _without_silence(plan: Plan, spans: Sequence[Span], energy: NDArray[np.float32]) -> list[Span]:
    """Return the spans of the phones, words ended where their sound does: the last phone of a sentence lasts far into silence."""
    times, sounding = _frame_times(len(energy)), energy > energy.max(initial=0.0) - SOUNDING
    found = list(spans)
    for index, (start, end) in enumerate(spans):
        if index + 1 == len(spans) or plan.phones[index + 1].word != plan.phones[index].word:
            heard = times[sounding & (times >= start) & (times <= end)]
            last = float(heard[-1]) if len(heard) else start + STOP
            found[index] = (start, min(end, last + FRAME))
    return found


def _voice_glide(
    plan: Plan,
    movement: Movement,
    spans: Sequence[Span],
    times: Array,
    f0: NDArray[np.float32],
    energy: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """Give a glide F0 and energy up to its end (in place), and return where it is.

    The voice lets the ends of its sentences die away in creak, without F0.
    """
    inside = np.zeros(len(times), bool)
    for index in range(movement.first, movement.last + 1):
        if plan.phones[index].sonorant or plan.phones[index].mark:
            inside |= (times >= spans[index][0]) & (times <= spans[index][1])
    voiced = f0 > VOICED_HZ
    if not inside.any() or not voiced.any():
        return np.zeros(len(times), bool)
    loud = max(float(np.quantile(energy[inside], 0.9)), float(np.median(energy[voiced])) + FIRM)
    inside &= energy > energy[inside].max() - SOUNDING
    lowest = limits_hz(f0[voiced])[0]
    f0[inside] = np.maximum(np.interp(times[inside], times[voiced], f0[voiced]), lowest)
    energy[inside] = np.maximum(energy[inside], loud)
    return inside


def _raised(f0: NDArray[np.float32], semitones: Array) -> NDArray[np.float32]:
    changed = np.clip(f0 * 2 ** (semitones / 12), *LIMITS_HZ).astype(np.float32)
    return np.where(semitones != 0, changed, f0)
