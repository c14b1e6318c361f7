"""The espeak-ng library: pronunciations of English text in IPA, and the voices that the espeak engine speaks with.

The library runs in this process, through ctypes; the package ``espeakng-loader`` holds it and its data (espeak-ng: GPL-3).

espeak keeps state between calls that no function resets (flutter phase, noise generators, gain): after A and B, A sounds
different, even with `espeak_Terminate` and `espeak_Initialize` in between. So every call loads the library and unloads it
afterwards, which takes 1.5 ms.
"""

from __future__ import annotations

import _ctypes
import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from harness.errors import HarnessError, NotAvailable
from harness.tagged import printable

# From espeak-ng/speak_lib.h, version 1.52.0.
CHARS_UTF8 = 1
_SYNCHRONOUS, _DONT_EXIT, _IPA = 2, 0x8000, 0x02

_LOCK = threading.Lock()  # a process has only one copy of the library
_unload = getattr(_ctypes, "FreeLibrary" if os.name == "nt" else "dlclose")


@lru_cache(maxsize=65536)
def phonemes(text: str, voice: str = "en-us") -> str:
    """Return the pronunciation of a text in IPA, words separated by a space: "θˈɜːɾi pɚsˈɛnt" for "30%"."""
    clauses = []
    with espeak_library(voice_file(voice)) as (library, _):
        buffer = ctypes.create_string_buffer(printable(text).encode())
        rest = ctypes.c_void_p(ctypes.addressof(buffer))
        while rest.value:
            clauses.append(library.espeak_TextToPhonemes(ctypes.byref(rest), CHARS_UTF8, _IPA).decode())
    return " ".join(" ".join(clauses).split())


@contextmanager
def espeak_library(voice: str) -> Iterator[tuple[ctypes.CDLL, int]]:
    """Load the library with a voice (see `voice_file`), yield it and its sample rate in Hz, and unload it."""
    path, data = espeak_paths()
    with _LOCK:
        _refuse_shared(path)
        library = ctypes.CDLL(path)
        library.espeak_TextToPhonemes.restype = library.espeak_Info.restype = ctypes.c_char_p
        try:
            rate = library.espeak_Initialize(_SYNCHRONOUS, 0, data.encode(), _DONT_EXIT)
            library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # otherwise the time
            ctypes.CDLL("ucrtbase" if os.name == "nt" else None).srand(1)  # other parts of espeak use rand() of C
            if rate <= 0 or library.espeak_SetVoiceByName(voice.encode()):
                raise HarnessError(f"espeak cannot read its voice {voice!r} in {data}",
                                   remedy="install the environment again, in a folder with a shorter path")  # fmt: skip
            yield library, rate
        finally:
            library.espeak_Terminate()
            _unload(library._handle)


def _refuse_shared(path: str) -> None:
    """Raise an error if the library is already open: it would stay loaded, and output would not be repeatable."""
    try:
        held = ctypes.CDLL(path, mode=os.RTLD_NOLOAD | os.RTLD_NOW)
    except (OSError, AttributeError):  # not loaded; Windows cannot tell
        return
    _unload(held._handle)
    raise HarnessError("another package in this process has espeak's library open, so its output would not repeat",
                       remedy="use the espeak engine in a separate process")  # fmt: skip


def espeak_paths() -> tuple[str, str]:
    """Return the paths of the library and of its data folder."""
    try:
        import espeakng_loader
    except ImportError as error:
        raise NotAvailable("espeak needs the package espeakng-loader", remedy="pip install espeakng-loader") from error
    return espeakng_loader.get_library_path(), espeakng_loader.get_data_path()


@lru_cache
def espeak_version() -> str:
    """Return the version of the library."""
    with espeak_library(voice_file("en-us")) as (library, _):
        return library.espeak_Info(None).decode()


@lru_cache
def voice_bases() -> dict[str, str]:
    """Return the voice file of each English language code: {"en-gb": "en", "en-us": "en-US", ...}."""
    found = {}
    for path in sorted((Path(espeak_paths()[1]) / "lang" / "gmw").glob("en*")):
        code = next(line.split()[1] for line in path.read_text("utf-8").splitlines() if line.startswith("language"))
        found[code.lower()] = path.name
    found.pop("en-shaw", None)  # reads only the Shavian alphabet
    return found


@lru_cache
def voice_variants() -> tuple[str, ...]:
    """Return the names of the voice variants, which go with every language."""
    return tuple(sorted(path.name for path in (Path(espeak_paths()[1]) / "voices" / "!v").iterdir()))


def voice_file(voice: str) -> str:
    """Return the name of a voice in espeak, which would accept unknown variants without an error."""
    base, plus, variant = voice.partition("+")
    if base in voice_bases() and (not plus or variant in voice_variants()):
        return f"{voice_bases()[base]}{plus}{variant}"
    raise HarnessError(f"espeak has no voice {voice!r}",
                       remedy=f"choose one of {', '.join(voice_bases())}, alone or with a variant as in en-us+f3; "
                              f"the variants are {', '.join(voice_variants())}")  # fmt: skip
