"""Why a request gave no audio, in words, and whether another may do better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from harness.engines.openai_speech.decode import server_words

LONGEST_WAIT = 60.0  # seconds before another try
RETRIED = frozenset({408, 409, 429, 500, 502, 503, 504})
_REMEDIES = {
    403: "ask the owner of the server for access to this model",
    404: "check the options model and base_url, which mostly ends in /v1",
    405: "check the option base_url, which mostly ends in /v1",
    413: "give a shorter text, a smaller reference_audio, or the option long_text: split",
    429: "wait, give the option min_interval, or lower max_concurrent",
}
CHECK = "check the options against the server's documentation"
ODD = "try another text or voice; if that changes nothing, the server is at fault"
LATER = "try again later, or raise the option retries; what was spoken so far is kept"


@dataclass(frozen=True)
class Failure:
    """Why a request gave no audio. `again`: "never", "once" (a server that draws another sample may do better) or "often"."""

    message: str
    remedy: str | None
    again: str
    wait: float | None = None


def refused(status: int, body: object, headers: Mapping[str, str], key_sent: str | None) -> Failure:
    """A status that is not 200, in words.

    Parameters
    ----------
    status : int
    body : object
        JSON as read, or bytes.
    headers : mapping
    key_sent : str, optional
        Environment variable of the key that was sent; None if none was.
    """
    said = server_words(body)
    message = f"answered {status}{f': {said}' if said else ''}"
    if status in RETRIED:
        return Failure(message, _REMEDIES.get(status, LATER), "often", retry_after(headers.get("retry-after")))
    if status == 401:
        remedy = (
            f"put a valid key into the environment variable {key_sent}"
            if key_sent
            else "no key was sent: put this server's key into an environment variable, and name it as the option key_env"
        )
        return Failure(message, remedy, "never")
    if status == 400 and "too_long" in f"{body} {said}":
        return Failure(message, "give the option long_text: split", "never")
    if 300 <= status < 400:
        return Failure(message, "the server has moved: give its new address as base_url", "never")
    return Failure(message, _REMEDIES.get(status, CHECK), "never")


def shorten(text: str, length: int) -> str:
    """At most `length` characters of the text."""
    return text if len(text) <= length else text[: length - 1] + "…"


def retry_after(value: str | None) -> float | None:
    """Seconds that a ``Retry-After`` header asks for (RFC 9110, 10.2.3: a number of seconds, or a date).

    >>> retry_after("7")
    7.0
    """
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
            seconds = ((when if when.tzinfo else when.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
        except (ValueError, OverflowError, TypeError):
            return None
    return None if seconds != seconds else min(max(seconds, 0.0), LONGEST_WAIT)
