"""How a server may be used, where it is, and what was asked of it so far."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from harness.engines.options import is_number
from harness.errors import HarnessError

LONGEST_TIME = 10**7  # seconds, or requests: four months

SERVICE = "boson.ai"  # the domain of the hosted Higgs API


@dataclass(frozen=True)
class Limits:
    """How a server may be used; `OpenAISpeechEngine` describes the fields."""

    timeout: float = 60.0
    retries: int = 4
    max_requests: int | None = None
    max_concurrent: int = 2
    min_interval: float = 0.0

    def __post_init__(self) -> None:
        for name, least in (("retries", 0), ("min_interval", 0), ("max_concurrent", 1), ("max_requests", 0)):
            value = getattr(self, name)
            whole = name != "min_interval"
            if value is None and name == "max_requests":
                continue
            if not is_number(value, whole=whole) or not least <= value <= LONGEST_TIME:
                raise HarnessError(f"the option {name} cannot be {value!r}",
                                   remedy=f"give a {'whole ' * whole}number from {least}")  # fmt: skip
        if not is_number(self.timeout) or not 0 < self.timeout <= LONGEST_TIME:
            raise HarnessError(
                f"no server answers within {self.timeout!r} s", remedy="give a timeout above 0, in seconds"
            )


@dataclass
class Spent:
    """What was asked of a server.

    Parameters
    ----------
    requests, retries : int
        Requests sent, and how many of them were a further try.
    cache_hits : int
        Answers that were taken from the cache instead.
    seconds : float
        Of the audio received.
    characters : int
        Of the text that this audio speaks.
    """

    requests: int = 0
    retries: int = 0
    cache_hits: int = 0
    seconds: float = 0.0
    characters: int = 0


def checked_url(base_url: str) -> tuple[str, bool, bool]:
    """Host and port, whether they are of this machine, and whether the way there is encrypted."""
    remedy = "an address looks like https://api.boson.ai/v1"
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise HarnessError("base_url is not an address", remedy=remedy) from None
    if parts.scheme not in ("http", "https") or not host:
        raise HarnessError("base_url is not an http or https address", remedy=remedy)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise HarnessError("base_url holds a user name, password or query, which would end up in files",
                           remedy="put the key into the environment variable that key_env names")  # fmt: skip
    loopback = host == "localhost"
    with suppress(ValueError):
        loopback = loopback or ip_address(host).is_loopback
    return f"{host}:{port}" if port else host, loopback, parts.scheme == "https"


def of_service(address: str) -> bool:
    """Whether an address is one of the service that the claims are about."""
    host = urlsplit(address).hostname or ""
    return host == SERVICE or host.endswith(f".{SERVICE}")
