"""The movements of a plan, drawn over the time of an utterance: change of F0 in semitones, change of level in decibels.

All shapes are joined from half cosines, so that nothing jumps. A glide replaces the plain F0 by a target, because its end is what
counts; the other movements are added to the plain F0, which keeps the melody of the voice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.engines.control.plan import Doses, Movement, Plan, Shape
from harness.engines.dialects import ends_sentence

Array = NDArray[np.float64]
Span = tuple[float, float]  # start and end in seconds

RAMP = 0.08  # seconds in which a raised word goes up, half of it before the word; a consonant hides it
PEAK = 0.45  # share of the stressed vowel at which an accent peaks: English peaks are near its middle (Silverman & Pierrehumbert 1990)
WHOLE_WORD = 0.55  # share of an accent's level that the whole word gets; the stressed syllable gets all of it
SHORTEST_GLIDE = 0.07  # seconds; a faster glide is heard as a jump
HELD = 0.09  # seconds for which a glide stays where it has arrived: what comes last is heard (the detector takes a median of 80 ms)
LIFT = 0.25  # seconds in which the register before a fall goes up
# Limits of F0, inside those of the detectors' tracker (0.6 x the first and 1.8 x the third quartile, 60 Hz; see
# `harness.prosody.features`): beyond them it reads an octave wrong, and the voice hardly sounds like itself.
LOWEST_HZ = 64.0
LOWEST, HIGHEST = 0.72, 1.7  # of the first and the third quartile


@dataclass(frozen=True, eq=False)
class Track:
    """The plain F0 of an utterance.

    Parameters
    ----------
    times : array, shape (frames,)
        Seconds, ascending.
    hz : array, shape (frames,)
        F0; NaN where the voice carries none.
    """

    times: Array
    hz: Array

    @property
    def voiced(self) -> NDArray[np.bool_]:
        """Where there is F0."""
        return np.isfinite(self.hz)

    @property
    def median(self) -> float:
        """Median F0 in Hz; NaN if nothing is voiced."""
        return float(np.median(self.hz[self.voiced])) if self.voiced.any() else float("nan")


@dataclass(frozen=True, eq=False)
class Curves:
    """What must be changed over time.

    Parameters
    ----------
    times : array, shape (frames,)
    semitones, decibels : array, shape (frames,)
        Change of F0 and of level; 0 where nothing changes.
    """

    times: Array
    semitones: Array
    decibels: Array


def draw(plan: Plan, spans: Sequence[Span], track: Track) -> Curves:
    """Draw the movements of a plan.

    Parameters
    ----------
    plan : Plan
    spans : sequence of (float, float)
        Start and end of each phone of the plan in seconds, lengths already changed.
    track : Track
        Plain F0 of this utterance. Without any, F0 stays as it is.
    """
    semitones, decibels = np.zeros((2, len(track.times)))
    if not plan.movements:
        return Curves(track.times, semitones, decibels)
    voiced = track.voiced
    plain = np.zeros(len(track.times))  # semitones re the median; straight lines where it is unvoiced
    if voiced.any():
        known = 12 * np.log2(track.hz[voiced] / track.median)
        plain = np.interp(track.times, track.times[voiced], known)
    drawing = _Drawing(plan, spans, track.times, voiced, plain)
    for movement in plan.movements:
        change, gain = drawing.of(movement)
        semitones += change
        decibels += gain
    if not voiced.any():
        return Curves(track.times, np.zeros_like(semitones), decibels)
    lowest, highest = limits_hz(track.hz[voiced])
    bottom = min(0.0, 12 * np.log2(lowest / track.median))
    top = max(0.0, 12 * np.log2(highest / track.median))
    room = np.minimum(bottom - plain, 0), np.maximum(top - plain, 0)
    return Curves(track.times, np.clip(semitones, *room), decibels)


def limits_hz(hz: NDArray[np.floating]) -> tuple[float, float]:
    """Return the lowest and the highest F0 that a tag may ask for, from the F0 of the voiced frames."""
    first, third = np.percentile(hz, [25, 75])
    return max(LOWEST_HZ, LOWEST * float(first)), HIGHEST * float(third)


@dataclass(frozen=True, eq=False)
class _Drawing:
    plan: Plan
    spans: Sequence[Span]
    times: Array
    voiced: NDArray[np.bool_]
    plain: Array

    def of(self, movement: Movement) -> tuple[Array, Array]:
        """Return the changes of F0 and level that a movement makes."""
        shapes: dict[Shape, Callable[[Movement], tuple[Array, Array]]] = {
            Shape.LEVEL: self._level,
            Shape.ACCENT: self._accent,
            Shape.AFTER: self._after,
            Shape.RISE: self._glide,
            Shape.FALL: self._glide,
        }
        return shapes[movement.shape](movement)

    def _span(self, phones: tuple[int, int]) -> Span:
        return self.spans[phones[0]][0], self.spans[phones[1]][1]

    def _level(self, movement: Movement) -> tuple[Array, Array]:
        inside = plateau(self.times, *self._span((movement.first, movement.last)), RAMP)
        return movement.semitones * inside, movement.decibels * inside

    def _accent(self, movement: Movement) -> tuple[Array, Array]:
        start, end = self._span((movement.first, movement.last))
        vowel = self._span(movement.vowel)
        peak = vowel[0] + PEAK * (vowel[1] - vowel[0])
        climb = max(0.0, min(start, vowel[0] - 0.08) - 0.02)
        bump = np.where(
            self.times < peak,
            _smooth((self.times - climb) / max(peak - climb, 1e-3)),
            _smooth((max(end, vowel[1]) + 0.05 - self.times) / (max(end, vowel[1]) + 0.05 - peak)),
        )
        loud = WHOLE_WORD * plateau(self.times, start, end, 0.06)
        loud += (1 - WHOLE_WORD) * plateau(self.times, *self._span(movement.syllable), 0.06)
        return movement.semitones * bump, movement.decibels * loud

    def _after(self, movement: Movement) -> tuple[Array, Array]:
        start, end = self._span((movement.first, movement.last))
        inside = plateau(self.times, start + 0.06, end, 0.12)
        return movement.semitones * inside, movement.decibels * inside

    def _glide(self, movement: Movement) -> tuple[Array, Array]:
        times, doses = self.times, self.plan.doses
        rise = movement.shape is Shape.RISE
        start, end = self._glide_span(movement)
        arrival = start + (doses.rise_arrives if rise else doses.fall_arrives) * (end - start)
        arrival = min(arrival, end - HELD)
        start = min(start, arrival - SHORTEST_GLIDE)
        low, high = np.searchsorted(times, [start, end])
        here = float(np.interp(start, times, self.plain))
        late = self.plain[low + round(0.7 * (high - low)) : max(high, low + 1)]
        plain_end = float(np.median(late)) if len(late) else here
        first, last = _ends(here, plain_end, movement.semitones, doses, rise=rise)
        part = np.clip((times - start) / (end - start), 0, 1)
        arrived = np.clip((times - start) / (arrival - start), 0, 1)
        target = first + (last - first) * (arrived + _smooth(arrived)) / 2
        word_end = self._word_span(movement.word)[1]  # where the word ends in a voiced stop or hiss, F0 stays
        inside = _smooth((times - start + RAMP) / RAMP) * _smooth((max(end + 0.03, word_end) + RAMP - times) / RAMP)
        change = (target - self.plain) * inside
        if not rise:
            change += self._register(movement, start) * (1 - inside)
        loud = movement.decibels * part * _smooth((end + 0.06 - times) / 0.06) * (times >= start)
        return change, loud

    def _glide_span(self, movement: Movement) -> Span:
        """Return where a glide starts and ends: where its phones carry F0, since their nominal ends may lie in silence."""
        start, end = self._span((movement.first, movement.last))
        begin = self._word_span(movement.word)[0]
        heard = self.times[self.voiced & (self.times >= begin - 0.01) & (self.times <= end + 0.01)]
        if len(heard):
            start, end = max(start, float(heard[0])), float(heard[-1])
        return start, max(end, start + HELD)

    def _word_span(self, word: int) -> Span:
        own = [span for phone, span in zip(self.plan.phones, self.spans, strict=True) if phone.word == word]
        return own[0][0], own[-1][1]

    def _register(self, movement: Movement, end: float) -> Array:
        """Return the lift before a fall, inside its sentence."""
        doses = self.plan.doses
        begin = max(self._sentence_start(movement.word), end - doses.register)
        return doses.fall_from * _smooth((self.times - begin + LIFT / 2) / LIFT) * (self.times <= end)

    def _sentence_start(self, word: int) -> float:
        """Return the time at which the sentence of a word begins."""
        first = word
        while first and not ends_sentence(self.plan.text.words[first - 1]):
            first -= 1
        return next(self.spans[index][0] for index, phone in enumerate(self.plan.phones) if phone.word >= first)


def _ends(here: float, plain_end: float, aim: float, doses: Doses, *, rise: bool) -> tuple[float, float]:
    """Return where a glide starts and ends, in semitones re the median."""
    if rise:
        return min(here, 1.0), float(np.clip(max(aim, plain_end + doses.rise_least), 0, doses.rise_most))
    return (
        float(np.clip(here + doses.fall_from, -1, 4 + doses.fall_from)),
        float(np.clip(min(aim, plain_end - doses.fall_least), doses.fall_most, 0)),
    )


def _smooth(part: Array) -> Array:
    """Return a half cosine that goes from 0 to 1 while `part` does."""
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(part, 0, 1))


def plateau(times: Array, start: float, end: float, ramp: float) -> Array:
    """Return 1 between two times and 0 outside, with half-cosine ramps centred on them."""
    return _smooth((times - start) / ramp + 0.5) * _smooth((end - times) / ramp + 0.5)
