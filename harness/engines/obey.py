"""Any engine made to obey from outside: it speaks the plain text, and what it said is edited as the tags ask.

This is an edit of the sound, not a voice that obeys: overlap-add (Praat's PSOLA) makes words longer and moves their F0, and silence is
inserted between words that were spoken in one breath. It works for every engine whose words the aligner finds, and so shows
what a tag would sound like in that voice. Where nothing is asked for, the samples stay as they were.

>>> from harness.engines import make_engine
>>> make_engine("obey:espeak").dialect
'edit'
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from harness.audio import SILENCE_PEAK, Audio
from harness.engines.base import Speech, SpeechRequest, check_engine, make_engine, register_engine, speak
from harness.engines.control.curves import Span, draw
from harness.engines.control.plan import DOSES, Phone, lost_tags, make_plan
from harness.engines.control.signal import add_gain, shift_pitch, track_of, without_weak
from harness.engines.control.stretch import stretch
from harness.engines.control.targets import add_targets
from harness.engines.control.voice import add_pauses, word_times
from harness.errors import HarnessError
from harness.phonemes import phonemes
from harness.prosody.align import AlignmentError, alignment
from harness.prosody.pronounce import from_ipa, pronounce_all
from harness.records import digest
from harness.registry import Requirements
from harness.tagged import Tag, TaggedText

# The doses of a signal are larger than those inside a model, because the aligner's boundaries are 10 to 30 ms off. Chosen on training
# sentences, spoken by Piper.
EDIT_DOSES = replace(DOSES, accent_level=5.0, stressed=1.6, unstressed=1.2, high=4.5, low=-4.5)
# ARPAbet as characters of the International Phonetic Alphabet.
_IPA = {
    "AA": "ɑ", "AE": "æ", "AH": "ʌ", "AO": "ɔ", "AW": "aʊ", "AY": "aɪ", "EH": "ɛ", "ER": "ɚ", "EY": "eɪ", "IH": "ɪ", "IY": "i",
    "OW": "oʊ", "OY": "ɔɪ", "UH": "ʊ", "UW": "u", "B": "b", "CH": "tʃ", "D": "d", "DH": "ð", "F": "f", "G": "ɡ", "HH": "h",
    "JH": "dʒ", "K": "k", "L": "l", "M": "m", "N": "n", "NG": "ŋ", "P": "p", "R": "ɹ", "S": "s", "SH": "ʃ", "T": "t", "TH": "θ",
    "V": "v", "W": "w", "Y": "j", "Z": "z", "ZH": "ʒ",
}  # fmt: skip
_MARK = re.compile("([ˈˌ])")


@register_engine("obey")
class ObeyEngine:
    """Any engine made to obey by editing its sound; write obey:NAME, such as obey:piper. It is an edit, not a voice that obeys.

    Parameters
    ----------
    engine : str
        Registered name of the engine inside, or "package.module:Class". It gets the text without tags.
    **options
        Options of the engine inside.
    """

    dialect = "edit"
    requirements: ClassVar[Requirements] = Requirements(packages=("parselmouth", "pocketsphinx"))

    def __init__(self, engine: str = "", /, **options: Any) -> None:
        if not engine:
            raise HarnessError("obey edits the sound of another engine", remedy="name that engine, as in obey:piper")
        self._engine, self._inside = make_engine(engine, **options), engine
        check_engine(self._engine, engine)
        self.name, self.deterministic = f"obey:{engine}", self._engine.deterministic
        self.default_voice = self._engine.default_voice
        self.revision = f"{self._engine.revision}, edited {digest(repr(EDIT_DOSES))[:8]}"

    @property
    def notice(self) -> str:
        """What the engine inside has to say after it spoke."""
        return getattr(self._engine, "notice", "")

    def voices(self) -> list[str]:
        """Return the voices of the engine inside."""
        return self._engine.voices()

    def lost(self, text: TaggedText) -> dict[tuple[int, Tag], str]:
        """Return the tags that have no word to act on, and why."""
        if not text.tags:
            return {}
        return lost_tags(text, {index for index, ways in enumerate(pronounce_all(text.words)) if ways})

    def speak(self, request: SpeechRequest) -> Speech:
        """Render one request.

        Raises
        ------
        HarnessError
            If the engine inside fails, returns silence, or does not say the words of the text.
        """
        text, targets = request.text, request.targets
        plain = SpeechRequest(text.stripped(), request.voice, request.seed, word_times=request.word_times)
        speech = speak(self._engine, plain, self._inside)
        if targets is None and self.lost(text).keys() >= {*text.tags}:
            return speech
        phones, spans = self._phones(speech.audio, text.words)
        plan = make_plan(text, phones, EDIT_DOSES)
        if targets is not None:
            plan = add_targets(plan, targets)
        audio, spans = stretch(speech.audio, spans, plan.factors)
        times = word_times(text, plan, spans)
        if plan.movements:
            words = [(word.start, word.end) for word in times if word.end > word.start]
            track = track_of(audio)
            curves = draw(plan, spans, without_weak(track, audio, words))
            audio = add_gain(shift_pitch(audio, curves, track), curves)
        return add_pauses(audio, times, plan.silence)

    def _phones(self, audio: Audio, words: Sequence[str]) -> tuple[list[Phone], list[Span]]:
        """Return the phones of all words, with marks of stress, and their times in seconds."""
        what = f"the engine {self._inside!r}"
        if np.abs(audio.samples).max() < SILENCE_PEAK:
            raise HarnessError(
                f"{what} returned silence, so there is nothing to edit", remedy="listen to it without obey"
            )
        try:
            found = alignment(audio, words, check=True)
        except AlignmentError as error:
            raise HarnessError(f"the words of the text were not found in what {what} said: {error.message}",
                               remedy="listen to it without obey") from error  # fmt: skip
        if not found.said:
            raise HarnessError(
                f"{what} seems to have said something else than the text", remedy="listen to it without obey"
            )
        phones: list[Phone] = []
        spans: list[Span] = []
        for index, own in enumerate(found.phones):
            sounds = [Phone(index, _IPA.get(name, name.lower())) for name, _, _ in own]
            marks = iter(_marks(words[index], sum(sound.vowel for sound in sounds)))
            for sound, (_, start, end) in zip(sounds, own, strict=True):
                if sound.vowel and (mark := next(marks)):
                    phones.append(Phone(index, mark))
                    spans.append((start, start))
                phones.append(sound)
                spans.append((start, end))
        return phones, spans


@lru_cache(maxsize=4096)
def _marks(word: str, count: int) -> list[str]:
    """Return the mark of stress of each of the `count` vowels of a word, "" without one, as espeak stresses it.

    >>> _marks("guarantee", 3)
    ['ˌ', '', 'ˈ']
    """
    marks, mark = list[str](), ""
    try:
        pieces = _MARK.split(phonemes(word))
    except HarnessError:  # espeak is not installed, or another package holds it
        pieces = []
    for piece in pieces:
        if _MARK.fullmatch(piece):
            mark = piece
            continue
        vowels = [name for name in from_ipa(piece) if Phone(0, _IPA[name]).vowel]
        marks += [mark, *[""] * (len(vowels) - 1)] if vowels else []
        mark = "" if vowels else mark
    if len(marks) == count:
        return marks
    spread = [""] * count  # the voice says more or fewer syllables
    for place, mark in enumerate(marks):
        if mark and count:
            spread[round(place * (count - 1) / max(1, len(marks) - 1))] = mark
    return spread
