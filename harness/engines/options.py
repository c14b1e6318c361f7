"""Checks of an engine's options, which come from a command line or a file and may be anything."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import urlsplit

from harness.errors import HarnessError


def check_number(
    option: str, value: object, *, whole: bool = False, least: float = float("-inf"), most: float = float("inf")
) -> None:
    """Refuse a value that is not a finite number between `least` and `most`.

    Raises
    ------
    HarnessError
        If so; the message names the option.
    """
    kinds = (int,) if whole else (int, float)
    number = isinstance(value, kinds) and not isinstance(value, bool)
    if not number or not least <= value <= most or abs(value) == float("inf"):  # type: ignore[operator, arg-type]
        limits = "".join(f" {name} {limit:g}" for name, limit in (("from", least), ("to", most)) if abs(limit) < 10**6)
        raise HarnessError(f"the option {option} cannot be {value!r}",
                           remedy=f"give a {'whole ' * whole}number{limits}")  # fmt: skip


def check_text(option: str, value: object, *, optional: bool = True) -> None:
    """Refuse a value that is not text, or None if the option is optional; a required text must not be empty.

    Raises
    ------
    HarnessError
        If so; the message names the option.
    """
    if not (isinstance(value, str) and (value or optional)) and not (optional and value is None):
        raise HarnessError(f"the option {option} cannot be {value!r}", remedy="give a text")


def check_choice(option: str, value: object, among: Sequence[str]) -> None:
    """Refuse a value that is not among the choices.

    Raises
    ------
    HarnessError
        If so; the message names the option and the choices.
    """
    if value not in among:
        raise HarnessError(f"the option {option} cannot be {value!r}", remedy=f"choose one of: {', '.join(among)}")


def check_url(base_url: str) -> tuple[str, bool, bool]:
    """Return host and port of a server, whether it is on this machine, and whether the connection is encrypted.

    Raises
    ------
    HarnessError
        If the address is invalid, or holds a password.
    """
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
