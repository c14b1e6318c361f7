"""espeak-ng as a speech engine: offline, deterministic, obeys SSML. The positive control of the harness.

It runs inside this process, through ctypes, from the library and data in the package ``espeakng-loader``
(espeak-ng: GPL-3). Nothing is ever played: samples and word events come back through a callback.

espeak keeps state from one call to the next that no function resets (flutter phase, noise generators, gain):
speaking A, B, A gives a different second A, even with `espeak_Terminate` and `espeak_Initialize` in between.
So every call here loads the library afresh and unloads it afterwards, which costs 1.5 ms.
"""

from __future__ import annotations

import _ctypes
import ctypes
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.audio import SILENCE_PEAK, Audio
from harness.engines.base import Speech, SpeechRequest, register_engine
from harness.engines.dialects import DIALECTS, printable
from harness.errors import HarnessError, NotAvailable
from harness.records import WordTime
from harness.registry import Requirements

# From espeak-ng/speak_lib.h, version 1.52.0.
_SYNCHRONOUS, _DONT_EXIT = 2, 0x8000
_CHARS_UTF8, _SSML, _BY_CHARACTER, _RATE, _WORD_EVENT, _IPA = 1, 0x10, 1, 1, 1, 0x02
SLOWEST, FASTEST = 80, 450  # words a minute: espeakRATE_MINIMUM, espeakRATE_MAXIMUM

_LOCK = threading.Lock()  # the library is one per process
_unload = getattr(_ctypes, "FreeLibrary" if os.name == "nt" else "dlclose")


class _Event(ctypes.Structure):
    """espeak_EVENT. `text_position` counts characters from 1; `sample` counts from the start of the speech."""

    _fields_ = [
        *((name, ctypes.c_int) for name in ("type", "message", "text_position", "length", "milliseconds", "sample")),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    ]


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@register_engine("espeak")
class EspeakEngine:
    """Speaks with espeak-ng.

    Parameters
    ----------
    voice : str
        Voice of requests that name none: a language ("en-us", "en-gb") or one with a variant ("en-us+f3").
    rate : int
        Words a minute, 80 to 450.
    dialect : {"ssml", "ignore"}
        Whether espeak is told the tags.
    """

    name = "espeak"
    deterministic = True
    requirements: ClassVar[Requirements] = Requirements(packages=("espeakng_loader",))

    def __init__(self, voice: str = "en-us", rate: int = 165, dialect: str = "ssml") -> None:
        if dialect not in ("ssml", "ignore"):
            raise HarnessError(f"espeak does not speak the dialect {dialect!r}", remedy="choose ssml or ignore")
        if not SLOWEST <= rate <= FASTEST:
            raise HarnessError(f"espeak cannot speak {rate} words a minute", remedy=f"choose {SLOWEST} to {FASTEST}")
        _voice_file(voice)
        self.default_voice, self.rate, self.dialect = voice, int(rate), dialect
        self.revision = f"espeak-ng {_library_version()} (espeakng-loader {version('espeakng-loader')})"

    def voices(self) -> list[str]:
        """All English voices, each alone and with each variant."""
        return [f"{base}{variant}" for base in _bases() for variant in ("", *(f"+{name}" for name in _variants()))]

    def speak(self, request: SpeechRequest) -> Speech:
        """Render one request; equal requests give equal samples, in any order and process.

        Returns
        -------
        Speech
            `words` come from espeak's word events, one per input word. A word starts where its sound does and
            lasts until the next starts; the last ends with the sound. Words that espeak runs together ("of
            the", 2.4 % of the held-out words) share their sound by letters.

        Raises
        ------
        HarnessError
            For a text without words or sound, or an unknown voice.
        """
        words = request.text.words
        if not words:
            raise HarnessError("there is nothing to say: the text has no words", remedy="give at least one word")
        layout = DIALECTS[self.dialect].lay_out(request.text)
        voice = _voice_file(request.voice or self.default_voice)
        # Times come from word events, not from a <mark> before each word: on the 102 held-out sentences marks changed
        # the audio of 26 (length by up to 51 ms), were 122 ms early at "who", "or" and others that espeak puts a pause
        # before, and did not separate the words it runs together either.
        samples, rate, events = _synthesise(layout.text, voice, self.rate, ssml=self.dialect == "ssml")
        heard = np.flatnonzero(np.abs(samples) > SILENCE_PEAK) / rate
        if not len(heard):
            raise HarnessError(f"espeak makes no sound for {request.text.plain!r}", remedy="give letters or digits")
        starts: dict[int, float] = {}
        for offset, sample in events:
            index = next((i for i, (_, end) in enumerate(layout.spans) if offset < end), len(words) - 1)
            starts.setdefault(index, sample / rate)
        return Speech(Audio(samples, rate), _word_times(words, starts, heard))


@lru_cache(maxsize=65536)
def phonemes(text: str, voice: str = "en-us") -> str:
    """Pronunciation in IPA as espeak would say it, words separated by a space: "θˈɜːɾi pɚsˈɛnt" for "30%"."""
    clauses = []
    with _espeak(_voice_file(voice)) as (library, _):
        buffer = ctypes.create_string_buffer(printable(text).encode())
        rest = ctypes.c_void_p(ctypes.addressof(buffer))
        while rest.value:
            clauses.append(library.espeak_TextToPhonemes(ctypes.byref(rest), _CHARS_UTF8, _IPA).decode())
    return " ".join(" ".join(clauses).split())


def _word_times(words: Sequence[str], starts: dict[int, float], heard: NDArray[np.float64]) -> tuple[WordTime, ...]:
    """Times of all words, from those that `starts` knows and the times at which there is sound, all in seconds.

    Words that are not known share, by letters, the sound that begins with the known word before them.
    """
    anchors = {0: 0.0} | starts
    order = sorted(anchors)
    times: list[float] = []
    for first, after in zip(order, [*order[1:], len(words)], strict=True):
        start = anchors[first]
        before = heard[heard < anchors.get(after, np.inf)]
        stop = max(start, before[-1]) if len(before) else start
        letters = [sum(map(str.isalnum, word)) for word in words[first:after]]
        shares = np.cumsum([0, max(letters[0], 1), *letters[1:]])
        times.extend(start + (stop - start) * shares[:-1] / shares[-1])
    times = [float(time) for time in np.maximum.accumulate(times)]
    ends = [*times[1:], max(float(heard[-1]), times[-1])]
    return tuple(WordTime(word=word, start=s, end=e) for word, s, e in zip(words, times, ends, strict=True))


def _synthesise(text: str, voice: str, wpm: int, *, ssml: bool) -> tuple[NDArray, int, list[tuple[int, int]]]:
    """Samples, their rate in Hz, and (offset in `text`, sample) of each word event."""
    chunks = [np.zeros(0, np.int16)]
    events: list[tuple[int, int]] = []
    raised: list[BaseException] = []  # ctypes would print what a callback raises and go on; Ctrl-C lands in one often

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
        except BaseException as error:
            raised.append(error)
        return int(bool(raised))  # 1 ends the synthesis

    data, flags = text.encode(), _CHARS_UTF8 | (_SSML if ssml else 0)
    with _espeak(voice) as (library, rate):
        library.espeak_SetSynthCallback(collect)
        library.espeak_SetParameter(_RATE, wpm, 0)
        status = library.espeak_Synth(data, ctypes.c_size_t(len(data) + 1), 0, _BY_CHARACTER, 0, flags, None, None)
    if raised:
        raise raised[0]
    if status:
        raise HarnessError(f"espeak failed with code {status}")
    return np.concatenate(chunks).astype(np.float32) / np.float32(32768), rate, events


@contextmanager
def _espeak(voice: str) -> Iterator[tuple[ctypes.CDLL, int]]:
    """The library, freshly loaded, with `voice` chosen; and its sample rate in Hz. Unloaded at the end."""
    path, data = _paths()
    with _LOCK:
        _refuse_shared(path)
        library = ctypes.CDLL(path)
        library.espeak_TextToPhonemes.restype = library.espeak_Info.restype = ctypes.c_char_p
        try:
            rate = library.espeak_Initialize(_SYNCHRONOUS, 0, data.encode(), _DONT_EXIT)
            library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # seeded with the time; caleb and Reed use C's own:
            ctypes.CDLL("ucrtbase" if os.name == "nt" else None).srand(1)
            if rate <= 0 or library.espeak_SetVoiceByName(voice.encode()):
                raise HarnessError(f"espeak cannot read its voice {voice!r} in {data}",
                                   remedy="install the environment again, in a folder with a shorter path")  # fmt: skip
            yield library, rate
        finally:
            library.espeak_Terminate()
            _unload(library._handle)


def _refuse_shared(path: str) -> None:
    """Unloading does nothing while somebody else holds the library open; output would not repeat."""
    try:
        held = ctypes.CDLL(path, mode=os.RTLD_NOLOAD | os.RTLD_NOW)
    except (OSError, AttributeError):  # not loaded; Windows cannot tell
        return
    _unload(held._handle)
    raise HarnessError("another package in this process has espeak's library open, so its output would not repeat",
                       remedy="use the espeak engine in a process of its own")  # fmt: skip


def _paths() -> tuple[str, str]:
    """Paths of the library and of its data folder."""
    try:
        import espeakng_loader
    except ImportError as error:
        raise NotAvailable("espeak needs the package espeakng-loader", remedy="pip install espeakng-loader") from error
    return espeakng_loader.get_library_path(), espeakng_loader.get_data_path()


@lru_cache
def _library_version() -> str:
    with _espeak(_voice_file("en-us")) as (library, _):
        return library.espeak_Info(None).decode()


@lru_cache
def _bases() -> dict[str, str]:
    """Language code and voice file of the English voices: {"en-gb": "en", "en-us": "en-US", ...}."""
    found = {}
    for path in sorted((Path(_paths()[1]) / "lang" / "gmw").glob("en*")):
        code = next(line.split()[1] for line in path.read_text("utf-8").splitlines() if line.startswith("language"))
        found[code.lower()] = path.name
    found.pop("en-shaw", None)  # reads the Shavian alphabet only
    return found


@lru_cache
def _variants() -> tuple[str, ...]:
    return tuple(sorted(path.name for path in (Path(_paths()[1]) / "voices" / "!v").iterdir()))


def _voice_file(voice: str) -> str:
    """What espeak calls a voice. It takes an unknown variant without complaint, so both parts are checked here."""
    base, plus, variant = voice.partition("+")
    if base in _bases() and (not plus or variant in _variants()):
        return f"{_bases()[base]}{plus}{variant}"
    raise HarnessError(f"espeak has no voice {voice!r}",
                       remedy=f"choose one of {', '.join(_bases())}, alone or with a variant as in en-us+f3; "
                              f"the variants are {', '.join(_variants())}")  # fmt: skip
