"""What was asked of a speech server: its totals, and single exchanges as they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass
class Spent:
    """What was asked of a server.

    Parameters
    ----------
    requests, retries : int
        Number of requests sent, and how many of them were retries.
    cache_hits : int
        Number of answers taken from the cache instead.
    seconds : float
        Length of the audio received.
    characters : int
        Length of the text that this audio speaks.
    """

    requests: int = 0
    retries: int = 0
    cache_hits: int = 0
    seconds: float = 0.0
    characters: int = 0


@dataclass(frozen=True)
class Exchange:
    """A request and its answer, recorded without the key.

    Parameters
    ----------
    method, url : str
        First line of the request.
    headers : mapping
        Headers of the request, by lower-case name.
    body : bytes
        Body of the request.
    status : int
        Status of the answer.
    answer_headers : mapping
        Headers of the answer, by lower-case name.
    answer : bytes
        Body of the answer.
    first, last : float
        Seconds from the request to the first and the last byte of the answer's body.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    status: int
    answer_headers: Mapping[str, str]
    answer: bytes
    first: float
    last: float
