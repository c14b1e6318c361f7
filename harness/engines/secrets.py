"""Keys stay out of messages."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import quote

STARS = "***"
_LONG = 16  # characters from which a key can be told from a word
_HALF = 12  # characters of a long key that are a secret too: what was cut off elsewhere


def without_secrets(text: str, environ: Mapping[str, str] | None = None) -> str:
    """`text` with ``***`` for each value of an environment variable whose name ends in ``_KEY`` or ``_TOKEN``.

    >>> without_secrets("401 for sk-1234", {"HIGGS_API_KEY": "sk-1234"})
    '401 for ***'

    Parameters
    ----------
    text : str
        What a library printed or raised.
    environ : mapping, optional
        Variables by name; this process's otherwise.
    """
    variables = os.environ if environ is None else environ
    return redacted(
        text, {value.strip() for name, value in variables.items() if name.upper().endswith(("_KEY", "_TOKEN"))}
    )


def redacted(text: str, keys: Iterable[str]) -> str:
    """`text` with ``***`` for each key, also in base64, percent-encoded, as JSON writes it, or cut off at its end.

    >>> redacted("key=c2stMTIzNDU2Nzg5MA==", ["sk-1234567890"])
    'key=***A=='
    """
    for key in sorted(set(keys) - {""}, key=len, reverse=True):  # one key may begin with another
        text = _spelled(key).sub(STARS, text)
    return text


@lru_cache(maxsize=32)
def _spelled(key: str) -> re.Pattern[str]:
    """A pattern of the ways to write a key, longest first."""
    ways = {key}
    if len(key) >= _HALF:
        whole = key.encode()
        ways |= {quote(key, safe=""), quote(key), json.dumps(key)[1:-1], key.replace("/", r"\/")}
        ways |= {"".join(f"%{byte:02x}" for byte in whole), whole.hex()}
        ways |= {way for encoded in _base64(whole) for way in (encoded, encoded.replace("+", "-").replace("/", "_"))}
    if len(key) >= _LONG:
        ways |= {key[:end] for end in range(_HALF, len(key))}
    ordered = sorted(ways, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, ordered)), re.IGNORECASE if len(key) >= _HALF else 0)


def _base64(whole: bytes) -> list[str]:
    """What stands for the key in the base64 of a text that holds it, at each of the three places where it can begin."""
    found = []
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + whole).decode()
        found.append(encoded[-(-before * 8 // 6) : (before + len(whole)) * 8 // 6])
    return found
