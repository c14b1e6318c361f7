"""Was a tag read aloud? An engine that does not know a tag may say its name: "we emph guarantee".

The clip is decoded with a grammar of the sentence in which the name of a tag is optional at each tagged slot. If the best path
contains the name, something was said there. It was the name only if the name fits the audio about as well as the words of the sentence
do; otherwise it was something else ("we honestly guarantee").
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.audio import Audio
from harness.errors import DataError
from harness.prosody.align import (
    RATE,
    AlignmentError,
    MisfitError,
    add_pronunciations,
    check_length,
    decode,
    explained,
    is_said,
    new_decoder,
    prepare,
    second_pass,
)
from harness.prosody.fit import FRAMES, word_fits
from harness.prosody.pronounce import Pronunciation, pronounce, pronounce_all
from harness.prosody.stretches import LONG, stretches
from harness.records import WordTime
from harness.tagged import TAGS, Tag

# Probability of the path through a name, compared with 1 for the path past it. 0.001, 0.1 and 1 gave the same result on espeak and
# one neural voice (Piper): they found 265 of 265 names that were read aloud, with no false alarm for 690 names that were not.
NAME_PRIOR = 0.1
# How much worse than the words of the sentence a name may fit, in nats per frame (see `harness.prosody.fit`): the name as a whole, and
# the worst of its phones. Chosen on sentences of `train`, spoken by espeak and Piper: of 151 times that "emph" was read aloud, they
# accept 150. Of other words, those that sound like "emph" are accepted too, such as "half" and "men".
NAME_MISFITS = 3.0, 8.5
# Few other words sound like a name of several words, such as "pause short". In 60 sentences of `train`, Piper reads none worse than by
# 3.8 and 10.8. Of 30 other words and phrases that were taken for such a name, no phone fits better than by 11.8.
PHRASE_MISFITS = 4.2, 11.5
# The decoder can hide the rest of a longer word ("absolutely") in a pause next to the name. So in a pause of at least this many
# seconds, most frames must be quieter than the words by this many dB. In sentences of `train`, pauses next to names that were read
# aloud are at least 13 dB quieter; the rests of "absolutely", "definitely" and "every" are 1 to 8 dB quieter.
PAUSE, PAUSE_DB = 0.14, 10.0
_GRAMMAR = "sentence"


class Heard(NamedTuple):
    """What was said in a clip.

    Parameters
    ----------
    words : list of WordTime
        Times as `harness.prosody.align.align` returns them.
    leaked : set of (slot, Tag)
        Tags that were read aloud.
    other : set of int
        Slots at which something was said that is neither in the sentence nor the name of a tag.
    said : bool
        Whether the clip says the words at all; see `harness.prosody.align.is_said`.
    """

    words: list[WordTime]
    leaked: set[tuple[int, Tag]]
    other: set[int]
    said: bool = True


def align_and_listen(audio: Audio, words: Sequence[str], candidates: Iterable[tuple[int, Tag]]) -> Heard:
    """Find each word in a clip, and the tags that were read aloud at their slots.

    The leak check takes almost no extra time where nothing was read aloud, because it is the first of the aligner's two passes.

    Parameters
    ----------
    audio : Audio
    words : sequence of str
        Words of the sentence, without tags.
    candidates : iterable of (slot, Tag)
        Tags that may have been read aloud, with their slots; slot ``len(words)`` is after the last word.

    Returns
    -------
    Heard

    Raises
    ------
    DataError
        If a slot is outside the sentence.
    AlignmentError
        If the sentence is not found in the audio, with or without names.
    """
    asked = sorted(set(candidates), key=lambda item: (item[0], TAGS.index(item[1])))
    for slot, tag in asked:
        if not 0 <= slot <= len(words):
            raise DataError(f"{tag} on slot {slot}, but {len(words)} words have slots 0 to {len(words)}")
    if audio.seconds <= LONG:
        return _listen(audio, words, asked)
    heard, said = Heard([], set(), set()), 0
    for part in stretches(audio, words):
        inside = [(slot - part.first, tag) for slot, tag in asked if 0 <= slot - part.first <= len(part.words)]
        with part.located():
            found = _listen(part.sound, part.words, inside)
        heard.words.extend(part.in_recording(found.words))
        heard.leaked.update((slot + part.first, tag) for slot, tag in found.leaked)
        heard.other.update(slot + part.first for slot in found.other)
        said += found.said * len(part.words)
    return heard._replace(said=2 * said > len(words))


def names_heard(audio: Audio, words: Sequence[str], candidates: Iterable[tuple[int, Tag]]) -> bool:
    """Return whether `align_and_listen` may find something at the slots of the candidates, or any number of them.

    This takes half of its time. A path without names is still the best one if fewer names are offered.
    """
    if audio.seconds > LONG:  # not cut into stretches for this
        return True
    grammar, _ = _grammar_of(words, sorted(set(candidates)))
    try:
        samples, _ = prepare(audio)
        _, path = grammar.search(samples, audio.seconds)
    except AlignmentError:  # which `align_and_listen` raises too
        return True
    return path != grammar.spoken


def _grammar_of(words: Sequence[str], asked: Sequence[tuple[int, Tag]]) -> tuple[_Grammar, dict[str, tuple[int, Tag]]]:
    """Return the grammar of a sentence with the names of tags, and the tag of each name."""
    grammar = _Grammar(words)
    return grammar, {name: item for item in asked for name in grammar.offer(item[0], spoken_forms(item[1]))}


def _listen(audio: Audio, words: Sequence[str], asked: Sequence[tuple[int, Tag]]) -> Heard:
    """Align and listen in one piece, with memory that grows with the square of the length."""
    grammar, owner = _grammar_of(words, asked)
    samples, offset = prepare(audio)
    times, path, said = grammar.decode(samples, offset, audio.seconds)
    accepted = grammar.accepted(samples, path, owner)
    return Heard(
        times,
        leaked={owner[name] for name, fits in accepted.items() if fits},
        other={owner[name][0] for name, fits in accepted.items() if not fits},
        said=said,
    )


def spoken_forms(tag: Tag) -> tuple[tuple[str, ...], ...]:
    """Return the ways in which a voice may read the name of a tag, each as words.

    >>> spoken_forms(Tag.PAUSE_SHORT)[:2]
    (('pause', 'short'), ('pause', 'underscore', 'short'))
    """
    parts = tag.bare.split("_")
    forms = [tuple(parts)]
    if len(parts) > 1:
        forms.append((parts[0], "underscore", *parts[1:]))
    if tag is Tag.EMPH:
        forms += [("emphasis",), ("e", "m", "p", "h")]
    return tuple(forms + [("less", "than", *form, "greater", "than") for form in forms])


class _Grammar:
    """A finite-state grammar of one sentence; a token that is not spoken ("-") does not change the state."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words
        self.pronunciations = pronounce_all(words)
        self.ways: dict[str, tuple[Pronunciation, ...]] = {}  # pronunciations of each name in the grammar
        self.arcs: list[tuple[Any, ...]] = []
        self.spoken: list[str] = []
        self.state_of = [0]  # of each slot
        self.states = 1
        for slot, pronunciations in enumerate(self.pronunciations):
            if pronunciations:
                self.ways[f"w{slot}"] = pronunciations
                self.arcs.append((self.state_of[-1], self.states, 1.0, f"w{slot}"))
                self.spoken.append(f"w{slot}")
                self.state_of.append(self.states)
                self.states += 1
            else:
                self.state_of.append(self.state_of[-1])
        self.last = self.state_of[-1]

    def offer(self, slot: int, forms: Iterable[Sequence[str]]) -> list[str]:
        """Allow phrases at a slot that lead back to it; return the names by which decoding reports them."""
        names, home = [], self.state_of[slot]
        for form in forms:
            here = home
            for place, word in enumerate(form):
                name = f"t{len(self.arcs)}"
                there = home if place == len(form) - 1 else self.states
                self.states += there != home
                self.ways[name] = pronounce(word)
                self.arcs.append((here, there, NAME_PRIOR if place == 0 else 1.0, name))
                here = there
            names.append(name)
        return names

    def search(self, samples: NDArray[np.int16], seconds: float) -> tuple[Any, list[str]]:
        """Return a decoder after its first pass, and the names of all words on the best path, in order."""
        check_length(samples, self.pronunciations)
        decoder = new_decoder()
        for name, ways in self.ways.items():
            add_pronunciations(decoder, name, ways)
        decoder.add_fsg(_GRAMMAR, decoder.create_fsg(_GRAMMAR, 0, self.last, self.arcs))
        decoder.activate_search(_GRAMMAR)
        with explained(len(self.words), seconds):
            decode(decoder, samples)
            names = [entry.word.partition("(")[0] for entry in decoder.seg() or ()]
        path = [name for name in names if name in self.ways]
        if [name for name in path if name.startswith("w")] != self.spoken:
            raise MisfitError(f"the {len(self.spoken)} words were not found in {seconds:.2f} s of audio",
                              remedy="check that text and clip belong together")  # fmt: skip
        return decoder, path

    def decode(
        self, samples: NDArray[np.int16], offset: float, seconds: float
    ) -> tuple[list[WordTime], list[str], bool]:
        """Return the times of the words, the names of all words on the best path, in order, and whether these were said."""
        decoder, path = self.search(samples, seconds)
        with explained(len(self.words), seconds):
            places = {name: int(name[1:]) for name in self.spoken}
            times = second_pass(decoder, samples, offset, seconds, self.words, places)
            return times, path, is_said(decoder, samples, [self.ways[name] for name in path])

    def accepted(self, samples: NDArray[np.int16], path: Sequence[str], offered: Collection[str]) -> dict[str, bool]:
        """Return for each of the `offered` phrases on a path whether it was said: whether it fits about as well as the sentence does."""
        if not any(name in offered for name in path):
            return {}
        fits, worst, starts, ends = word_fits(samples, [self.ways[name] for name in path]).T
        frames = ends - starts
        said = np.array([name.startswith("w") for name in path])
        sentence = np.average(fits[said], weights=frames[said])
        levels = _levels(samples)
        spoken = np.concatenate(
            [levels[int(start) : int(end)] for start, end in zip(starts[said], ends[said], strict=True)]
        )
        quiet = spoken.mean() / 10 ** (PAUSE_DB / 10)
        pauses = list(zip([0, *ends], [*starts, len(levels)], strict=True))
        found, begin = {}, 0
        for end, name in enumerate(path, start=1):
            if name in offered:
                misfit, phone_misfit = PHRASE_MISFITS if end - begin > 1 else NAME_MISFITS
                around = [pause for pause in pauses[begin : end + 1] if pause[1] - pause[0] >= PAUSE * FRAMES]
                found[name] = (
                    np.average(fits[begin:end], weights=frames[begin:end]) > sentence - misfit
                    and min(worst[begin:end]) > sentence - phone_misfit
                    and all(np.median(levels[int(start) : int(stop)]) < quiet for start, stop in around)
                )
            if name in offered or name in self.spoken:
                begin = end
        return found


def _levels(samples: NDArray[np.int16]) -> NDArray[np.float64]:
    """Return the power of each frame."""
    length = RATE // FRAMES
    frames = samples[: len(samples) // length * length].reshape(-1, length)
    return np.square(frames, dtype=np.float64).mean(axis=1)
