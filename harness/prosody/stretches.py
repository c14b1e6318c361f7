"""Long recordings, cut into stretches that are short enough to align.

The memory of an alignment grows with the square of its length (6.2 GB for 8 minutes), so a long recording is read from left to
right, in windows. Each is decoded with a grammar of the words that may come next, in which the text may end after any word:
the best path itself says how many words the window holds. Words up to a pause before the end of the window are kept, and the
next window starts in that pause.

Only silence can stand for sound that is not in the text, so sound without words shows where the path has lost the text. A
pause is trusted if the words around it cover the sound. If a window has no such pause (music, a passage that is not in the
text), a larger one is tried, which sees what follows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.audio import SILENCE_PEAK, Audio
from harness.prosody.align import (
    FRAME_RATE,
    MIN_FRAMES_PER_PHONE,
    RATE,
    SPEECH_DROP_DB,
    AlignmentError,
    MisfitError,
    add_pronunciations,
    check_rate,
    decode,
    explained,
    new_decoder,
    prepare,
)
from harness.prosody.pronounce import Pronunciation, pronounce_all
from harness.records import WordTime

LONG = 60.0  # seconds; a shorter clip is aligned in one piece, which takes at most 300 MB
WINDOW = 40.0  # seconds
LARGEST_WINDOW = 320.0  # seconds; three quarters of it may be a passage that is not in the text
AHEAD = 5.0  # seconds at the end of a window whose words are not kept: its last word may be cut in two
LOUD_DROP_DB = (
    25.0  # sound counts if it is at most this far below the level of speech, as in `harness.prosody.features`
)
AROUND = 12.0  # seconds before a pause in which the words must cover the sound
MAX_UNCOVERED = 0.3  # share of the sound there, and in the `AHEAD` seconds after the pause, that may be without words
CHOICE = 10.0  # seconds before the last trusted pause in which the longest pause is chosen
SHORTEST, LONGEST = 6.0, 15.0  # seconds of a stretch, if there are pauses to cut at
FAINT = 3  # words that the path may leave out at the end of the recording, where they are often faint
QUIET = 0.5  # seconds of silence that are kept before and after the words of a stretch
# Rough times are enough here. On train sentences these settings find the same words in half the time (rtf .021 instead of .040).
_ROUGH = {"ds": 2, "beam": 1e-80, "wbeam": 1e-80, "pbeam": 1e-80}
_GRAMMAR = "next"
_BLOCK = 6000  # frames whose level is computed at once
_REMEDY = "check that text and clip belong together"

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Stretch:
    """Part of a recording.

    Parameters
    ----------
    first : int
        Index of its first word in the text.
    words : sequence of str
    start : float
        Start in seconds from the start of the recording.
    sound : Audio
    """

    first: int
    words: Sequence[str]
    start: float
    sound: Audio

    def in_recording(self, times: Sequence[WordTime]) -> list[WordTime]:
        """Return word times of the stretch as times of the recording."""
        return [
            WordTime(word=time.word, start=round(time.start + self.start, 6), end=round(time.end + self.start, 6))
            for time in times
        ]

    @contextmanager
    def located(self) -> Iterator[None]:
        """Add the place of the stretch to an `AlignmentError`."""
        try:
            yield
        except AlignmentError as error:
            end = self.start + self.sound.seconds
            raise type(error)(
                f"from {self.start:.1f} to {end:.1f} s: {error.message}", remedy=error.remedy or _REMEDY
            ) from error


@dataclass(frozen=True)
class _Heard:
    """A word on a path: its index in the text, and its times in seconds from the start of the recording."""

    index: int
    start: float
    end: float


def stretches(audio: Audio, words: Sequence[str]) -> list[Stretch]:
    """Cut a recording at pauses into stretches of 6 to 15 s, and find the words of each.

    Parameters
    ----------
    audio : Audio
        Recording of any length, preferably longer than `LONG`.
    words : sequence of str
        Words of its text, punctuation attached.

    Returns
    -------
    list of Stretch
        Stretches in order; together they hold every word once. Speech without pauses is cut between two words.

    Raises
    ------
    AlignmentError
        If nothing in the text is speakable, the audio is silent or too short for it, or the text does not fit the audio.
    """
    ways = {index: ways for index, ways in enumerate(pronounce_all(words)) if ways}
    if not ways:
        raise AlignmentError("none of the words is speakable", remedy="give a text with at least one word")
    loud = _loud(audio)
    phones = sum(_fewest(one) for one in ways.values())
    if loud.sum() < phones * MIN_FRAMES_PER_PHONE / 2:  # half, because not every frame of a phone is loud
        raise MisfitError(
            f"{loud.sum() / FRAME_RATE:.2f} s of sound is too short for {len(words)} words ({phones} phones)",
            remedy=_REMEDY,
        )
    heard = list(_read(audio, words, ways, loud))
    return list(_cut(audio, words, heard, loud))


# --- reading ---------------------------------------------------------------------------------------------------------


def _loud(audio: Audio) -> Flags:
    """Return for each 10 ms whether there is sound, shape (frames,). An offset (DC) does not count."""
    check_rate(audio)
    hop = audio.sample_rate / FRAME_RATE
    level, peak = np.full(int(len(audio.samples) / hop), -np.inf), 0.0
    for first in range(0, len(level), _BLOCK):
        edges = np.round(np.arange(first, min(first + _BLOCK, len(level)) + 1) * hop).astype(int)
        samples = audio.samples[edges[0] : edges[-1]].astype(np.float64)
        if not np.isfinite(samples).all():
            raise AlignmentError("the clip holds NaN or infinite samples")
        starts, count = edges[:-1] - edges[0], np.diff(edges)
        mean = np.add.reduceat(samples, starts) / count
        power = np.add.reduceat(samples**2, starts) / count - mean**2
        level[first : first + len(count)] = 10 * np.log10(np.maximum(power, 1e-12))
        peak = max(peak, float(np.abs(samples - np.median(samples)).max()))
    if peak < SILENCE_PEAK:
        raise AlignmentError("the clip is silent")
    # Of a recording that is mostly silent, the level of speech is that of the loud parts.
    sounding = level[level > np.percentile(level, 99.5) - SPEECH_DROP_DB]
    return level > np.percentile(sounding, 95) - LOUD_DROP_DB


def _read(
    audio: Audio, words: Sequence[str], ways: Mapping[int, Sequence[Pronunciation]], loud: Flags
) -> Iterator[_Heard]:
    """Yield the spoken words with rough times, window by window."""
    left, position = sorted(ways), 0.0
    while left:
        ahead = loud[int(position * FRAME_RATE) :]
        if not ahead.any():
            raise _lost(audio, words, left, position)
        position = max(position, position + int(ahead.argmax()) / FRAME_RATE - QUIET)
        size = WINDOW
        while True:
            last = position + size + AHEAD >= audio.seconds
            end = audio.seconds if last else position + size
            heard = _window(audio, ways, left, position, end)
            if last and 0 < len(left) - len(heard) <= FAINT:
                heard = _window(audio, ways, left, position, end, whole=True) or heard
            kept, after = _trusted(heard, loud, position, end, len(left))
            if kept or last or size >= LARGEST_WINDOW:
                break
            size *= 2
        if not kept:
            raise _lost(audio, words, left, position)
        yield from heard[:kept]
        position, left = after, left[kept:]


def _lost(audio: Audio, words: Sequence[str], left: Sequence[int], position: float) -> MisfitError:
    return MisfitError(
        f"the text does not fit the audio from {position:.1f} of {audio.seconds:.1f} s on, where word {left[0] + 1} "
        f"({words[left[0]]!r}) of {len(words)} was expected",
        remedy=f"{_REMEDY}, and that nothing is left out",
    )


def _window(
    audio: Audio,
    ways: Mapping[int, Sequence[Pronunciation]],
    left: Sequence[int],
    start: float,
    end: float,
    *,
    whole: bool = False,
) -> list[_Heard]:
    """Return the words that the best path finds between two times, in order; all that are `left`, or none, if `whole`."""
    try:
        samples, offset = prepare(_between(audio, start, end))
    except AlignmentError:  # too short, or nearly silent
        return []
    decoder, arcs = new_decoder(**_ROUGH), list[tuple[Any, ...]]()
    room = len(samples) / RATE * FRAME_RATE / MIN_FRAMES_PER_PHONE
    for state, index in enumerate(left):
        room -= _fewest(ways[index])
        if room < 0:
            break
        add_pronunciations(decoder, f"w{index}", ways[index])
        arcs.append((state, state + 1, 1.0, f"w{index}"))
    final = len(arcs)
    if not whole:
        final += 1
        arcs += [(state, final, 1.0) for state in range(final)]
    with explained(len(left), end - start):
        decoder.add_fsg(_GRAMMAR, decoder.create_fsg(_GRAMMAR, 0, final, arcs))
        decoder.activate_search(_GRAMMAR)
        decode(decoder, samples)
        path = list(decoder.seg() or ())
    at = start + offset
    return [
        _Heard(int(name[1:]), at + entry.start_frame / FRAME_RATE, at + (entry.end_frame + 1) / FRAME_RATE)
        for entry in path
        if (name := entry.word.partition("(")[0]).startswith("w")
    ]


def _trusted(heard: Sequence[_Heard], loud: Flags, start: float, end: float, left: int) -> tuple[int, float]:
    """Return how many words of a path to keep, and the time of the pause after them; 0 if no pause can be trusted.

    `heard` is a path from `start` to `end`, where `left` words are to come. Among the last trusted pauses, the longest is
    chosen.
    """
    bare = loud.copy()  # sound without words
    for word in heard:
        bare[_frames(word.start, word.end)] = False

    def covered(first: float, last: float) -> bool:
        frames = _frames(max(first, start), last)
        return bool(bare[frames].sum() <= MAX_UNCOVERED * loud[frames].sum())

    best, latest = (0.0, 0, start), 0.0
    for count in range(len(heard), 0, -1):
        here, after = heard[count - 1].end, heard[count].start if count < len(heard) else end
        if here < latest - CHOICE:
            break
        said = count == left
        if not covered(here - AROUND, here) or not (said or (here <= end - AHEAD and covered(here, here + AHEAD))):
            continue
        length, middle = _quietest(loud, here, after)
        if said:
            return count, middle
        latest = latest or here
        best = max(best, (length, count, middle))
    return best[1:]


# --- cutting ---------------------------------------------------------------------------------------------------------


def _cut(audio: Audio, words: Sequence[str], heard: Sequence[_Heard], loud: Flags) -> Iterator[Stretch]:
    """Yield the stretches, cut at the longest pauses that keep them between `SHORTEST` and `LONGEST`."""
    place, first, start = 0, 0, max(0.0, heard[0].start - QUIET)
    while True:
        begun, choices = heard[place].start, [place + 1]
        while choices[-1] < len(heard) and heard[choices[-1]].end - begun <= LONGEST:
            choices.append(choices[-1] + 1)
        if choices[-1] == len(heard):
            break
        pauses = {after: _quietest(loud, heard[after - 1].end, heard[after].start) for after in choices}
        good = [n for n in choices if heard[n - 1].end - begun >= SHORTEST or pauses[n][0] >= 2 * QUIET] or choices[-1:]
        after = max(good, key=lambda n: pauses[n][0])
        cut = pauses[after][1]
        stop = heard[after].index
        yield Stretch(first, words[first:stop], start, _between(audio, start, min(cut, heard[after - 1].end + QUIET)))
        place, first, start = after, stop, max(cut, heard[after].start - QUIET)
    yield Stretch(first, words[first:], start, _between(audio, start, heard[-1].end + QUIET))


def _fewest(ways: Sequence[Pronunciation]) -> int:
    """Return the number of phones of the shortest pronunciation."""
    return min(map(len, ways))


def _frames(start: float, end: float) -> slice:
    """Return the frames of `_loud` between two times."""
    return slice(max(0, round(start * FRAME_RATE)), max(0, round(end * FRAME_RATE)))


def _quietest(loud: Flags, start: float, end: float) -> tuple[float, float]:
    """Return the length and the middle of the longest silence between two times, in seconds."""
    frames = _frames(start, end)
    edges = np.flatnonzero(np.diff(np.concatenate([[True], loud[frames], [True]]).astype(np.int8)))
    if not len(edges):
        return 0.0, (start + end) / 2
    lengths = edges[1::2] - edges[::2]
    longest = int(lengths.argmax())
    middle = frames.start + (edges[::2][longest] + edges[1::2][longest]) / 2
    return float(lengths[longest]) / FRAME_RATE, float(middle) / FRAME_RATE


def _between(audio: Audio, start: float, end: float) -> Audio:
    """Return a part of the sound, without copying it."""
    first, last = (max(0, round(time * audio.sample_rate)) for time in (start, end))
    return Audio(audio.samples[first:last], audio.sample_rate)
