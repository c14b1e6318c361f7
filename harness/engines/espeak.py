"""espeak-ng as a speech engine: offline, deterministic, obeys SSML. The positive control of the harness.

Nothing is played: samples and word events arrive through a callback. `harness.phonemes` loads the library.
"""

from __future__ import annotations

import ctypes
import signal
import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.audio import SILENCE_PEAK, Audio
from harness.engines.base import Speech, SpeechRequest, register_engine
from harness.engines.dialects import DIALECTS
from harness.engines.marks import spoken
from harness.engines.options import check_number, check_text
from harness.errors import HarnessError
from harness.phonemes import CHARS_UTF8, espeak_library, espeak_version, voice_bases, voice_file, voice_variants
from harness.records import WordTime
from harness.registry import Requirements

# From espeak-ng/speak_lib.h, version 1.52.0.
_SSML, _BY_CHARACTER, _RATE, _WORD_EVENT = 0x10, 1, 1, 1
SLOWEST, FASTEST = 80, 450  # words per minute: espeakRATE_MINIMUM, espeakRATE_MAXIMUM


class _Event(ctypes.Structure):
    """espeak_EVENT. `text_position` counts characters from 1, `sample` from the start of the speech."""

    _fields_ = [
        *((name, ctypes.c_int) for name in ("type", "message", "text_position", "length", "milliseconds", "sample")),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    ]


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@register_engine("espeak")
class EspeakEngine:
    """The speech engine espeak-ng.

    Parameters
    ----------
    voice : str
        Default voice: a language ("en-us", "en-gb"), or a language with a variant ("en-us+f3").
    rate : int
        Words per minute, 80 to 450.
    dialect : {"ssml", "ignore"}
        "ssml" turns the tags into markup, "ignore" leaves them out.
    """

    name = "espeak"
    deterministic = True
    requirements: ClassVar[Requirements] = Requirements(packages=("espeakng_loader",))

    def __init__(self, voice: str = "en-us", rate: int = 165, dialect: str = "ssml") -> None:
        check_text("voice", voice)
        check_number("rate", rate)
        if dialect not in ("ssml", "ignore"):
            raise HarnessError(f"espeak does not speak the dialect {dialect!r}", remedy="choose ssml or ignore")
        if not SLOWEST <= rate <= FASTEST:
            raise HarnessError(f"espeak cannot speak {rate} words per minute", remedy=f"choose {SLOWEST} to {FASTEST}")
        voice_file(voice)
        self.default_voice, self.rate, self.dialect = voice, int(rate), dialect
        self.revision = f"espeak-ng {espeak_version()} (espeakng-loader {version('espeakng-loader')})"

    def voices(self) -> list[str]:
        """Return all English voices, each alone and with each variant."""
        return [
            f"{base}{variant}" for base in voice_bases() for variant in ("", *(f"+{name}" for name in voice_variants()))
        ]

    def speak(self, request: SpeechRequest) -> Speech:
        """Render one request; equal requests give equal samples, in any order and process.

        Returns
        -------
        Speech
            Its `words`, one per input word, come from espeak's word events; they are left out if the request does not need
            them. A word starts with its sound and lasts until the next one starts; the last one ends with the sound. Words
            that espeak speaks as one ("of the", 2.4 % of the held-out words) share its duration in proportion to their
            letters.

        Raises
        ------
        HarnessError
            For a text without words or sound, or an unknown voice.
        """
        words = request.text.words
        if not words:
            raise HarnessError("there is nothing to say: the text has no words", remedy="give at least one word")
        text, kept = spoken(request.text)
        layout = DIALECTS[self.dialect].lay_out(text)
        voice = voice_file(request.voice or self.default_voice)
        # Word events, not a <mark> before each word: on the 102 held-out sentences, marks changed the audio of 26 (length
        # by up to 51 ms), were 122 ms early at words that espeak puts a pause before ("who", "or"), and did not separate
        # the words that it speaks as one either.
        samples, rate, events = _synthesise(layout.text, voice, self.rate, ssml=self.dialect == "ssml")
        loud = np.abs(samples) > SILENCE_PEAK
        if not loud.any():
            raise HarnessError(f"espeak makes no sound for {request.text.plain!r}", remedy="give letters or digits")
        audio = Audio(samples, rate)
        if not request.word_times:
            return Speech(audio)
        ends = [end for _, end in layout.spans]
        starts: dict[int, float] = {}
        for offset, sample in events:
            starts.setdefault(kept[min(bisect_right(ends, offset), len(kept) - 1)], sample / rate)
        return Speech(audio, _word_times(words, starts, np.flatnonzero(loud) / rate))


def _word_times(words: Sequence[str], starts: dict[int, float], heard: NDArray[np.float64]) -> tuple[WordTime, ...]:
    """Return the times of all words, from the known `starts` and the ascending times at which there is sound, in seconds.

    Words without a known start share the sound from the known word before them on, in proportion to their letters.
    """
    anchors = {0: 0.0} | starts
    order = sorted(anchors)
    times: list[float] = []
    for first, after in zip(order, [*order[1:], len(words)], strict=True):
        start = anchors[first]
        before = int(np.searchsorted(heard, anchors.get(after, np.inf)))  # the number of times before the next start
        stop = max(start, heard[before - 1]) if before else start
        letters = [sum(map(str.isalnum, word)) for word in words[first:after]]
        shares = np.cumsum([0, max(letters[0], 1), *letters[1:]])
        times.extend(start + (stop - start) * shares[:-1] / shares[-1])
    times = [float(time) for time in np.maximum.accumulate(times)]
    ends = [*times[1:], max(float(heard[-1]), times[-1])]
    return tuple(WordTime(word=word, start=s, end=e) for word, s, e in zip(words, times, ends, strict=True))


@contextmanager
def _interrupts_into(raised: list[BaseException]) -> Iterator[None]:
    """Collect Ctrl-C instead of raising it: inside a callback from C, Python prints a traceback and goes on."""
    usual = signal.getsignal(signal.SIGINT)
    if usual is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield  # nothing would be raised here
        return
    signal.signal(signal.SIGINT, lambda *_: raised.append(KeyboardInterrupt()))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


def _synthesise(text: str, voice: str, wpm: int, *, ssml: bool) -> tuple[NDArray, int, list[tuple[int, int]]]:
    """Return the samples, their rate in Hz, and (offset in `text`, sample) of each word event."""
    chunks = [np.zeros(0, np.int16)]
    events: list[tuple[int, int]] = []
    raised: list[BaseException] = []  # ctypes only prints what a callback raises

    @_CALLBACK
    def collect(samples, count, event):
        try:
            if samples and count:
                chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
            index = 0
            while event[index].type:
                if event[index].type == _WORD_EVENT:
                    events.append((event[index].text_position - 1, event[index].sample))
                index += 1
        except Exception as error:
            raised.append(error)
        return int(bool(raised))  # 1 ends the synthesis

    data, flags = text.encode(), CHARS_UTF8 | (_SSML if ssml else 0)
    with espeak_library(voice) as (library, rate), _interrupts_into(raised):
        library.espeak_SetSynthCallback(collect)
        library.espeak_SetParameter(_RATE, wpm, 0)
        status = library.espeak_Synth(data, ctypes.c_size_t(len(data) + 1), 0, _BY_CHARACTER, 0, flags, None, None)
    if raised:
        raise raised[0]
    if status:
        raise HarnessError(f"espeak failed with code {status}")
    return np.concatenate(chunks).astype(np.float32) / np.float32(32768), rate, events
