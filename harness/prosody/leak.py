"""Was a tag read aloud? An engine that does not know a tag may say its name: "we emph guarantee".

The clip is decoded with a grammar of the sentence in which the name of a tag is optional at each tagged slot.
If the best path contains the name, the tag was spoken.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from harness.audio import Audio
from harness.errors import DataError
from harness.prosody.align import (
    AlignmentError,
    add_pronunciations,
    check_length,
    decode,
    explained,
    new_decoder,
    prepare,
    second_pass,
)
from harness.prosody.pronounce import pronounce
from harness.prosody.stretches import LONG, stretches
from harness.records import WordTime
from harness.tagged import TAGS, Tag

# Probability of the path through a name, compared with 1 for the path past it. 0.001, 0.1 and 1 gave the same result on espeak and
# one neural voice (Piper): they found 265 of 265 names that were read aloud, with no false alarm for 690 names that were not.
NAME_PRIOR = 0.1
_GRAMMAR = "sentence"


def align_and_listen(
    audio: Audio, words: Sequence[str], candidates: Iterable[tuple[int, Tag]]
) -> tuple[list[WordTime], set[tuple[int, Tag]]]:
    """Find each word in a clip, and the tags that were read aloud at their slots.

    The leak check takes almost no extra time, because it is the first of the aligner's two passes.

    Parameters
    ----------
    audio : Audio
    words : sequence of str
        Words of the sentence, without tags.
    candidates : iterable of (slot, Tag)
        Tags that may have been read aloud, with their slots; slot ``len(words)`` is after the last word.

    Returns
    -------
    times : list of WordTime
        Times as `harness.prosody.align.align` returns them.
    leaked : set of (slot, Tag)
        The `candidates` that were found.

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
    times: list[WordTime] = []
    leaked: set[tuple[int, Tag]] = set()
    for part in stretches(audio, words):
        inside = [(slot - part.first, tag) for slot, tag in asked if 0 <= slot - part.first <= len(part.words)]
        with part.located():
            found, heard = _listen(part.sound, part.words, inside)
        times += part.in_recording(found)
        leaked |= {(slot + part.first, tag) for slot, tag in heard}
    return times, leaked


def _listen(
    audio: Audio, words: Sequence[str], asked: Sequence[tuple[int, Tag]]
) -> tuple[list[WordTime], set[tuple[int, Tag]]]:
    """Align and listen in one piece, with memory that grows with the square of the length."""
    grammar = _Grammar(words)
    owner = {name: item for item in asked for name in grammar.offer(item[0], spoken_forms(item[1]))}
    times, heard = grammar.decode(audio)
    return times, {owner[name] for name in heard if name in owner}


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
        self.pronunciations = [pronounce(word) for word in words]
        self.decoder: Any = new_decoder()
        self.arcs: list[tuple[Any, ...]] = []
        self.spoken: list[str] = []
        self.state_of = [0]  # of each slot
        self.states = 1
        for slot, pronunciations in enumerate(self.pronunciations):
            if pronunciations:
                add_pronunciations(self.decoder, f"w{slot}", pronunciations)
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
                add_pronunciations(self.decoder, name, pronounce(word))
                self.arcs.append((here, there, NAME_PRIOR if place == 0 else 1.0, name))
                here = there
            names.append(name)
        return names

    def decode(self, audio: Audio) -> tuple[list[WordTime], list[str]]:
        """Return the times of the words, and the names of everything on the best path."""
        samples, offset = prepare(audio)
        check_length(samples, self.pronunciations)
        grammar = self.decoder.create_fsg(_GRAMMAR, 0, self.last, self.arcs)
        self.decoder.add_fsg(_GRAMMAR, grammar)
        self.decoder.activate_search(_GRAMMAR)
        with explained(len(self.words), audio.seconds):
            decode(self.decoder, samples)
            heard = [entry.word.partition("(")[0] for entry in self.decoder.seg() or ()]
            if [name for name in heard if name.startswith("w")] != self.spoken:
                raise AlignmentError(f"the {len(self.spoken)} words were not found in {audio.seconds:.2f} s of audio",
                                     remedy="check that text and clip belong together")  # fmt: skip
            names = {name: int(name[1:]) for name in self.spoken}
            return second_pass(self.decoder, samples, offset, audio.seconds, self.words, names), heard
