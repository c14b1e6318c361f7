"""Checks of an engine's options, which come from a command line or a file and may be anything."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import HarnessError


def is_number(value: object, *, whole: bool = False) -> bool:
    """Whether a value is a finite number, and not a truth value; `whole` asks for an integer."""
    kinds = (int,) if whole else (int, float)
    return isinstance(value, kinds) and not isinstance(value, bool) and value == value and abs(value) != float("inf")


def check_number(option: str, value: object, *, whole: bool = False) -> None:
    """Refuse what is no finite number.

    Raises
    ------
    HarnessError
        Naming the option.
    """
    if not is_number(value, whole=whole):
        raise HarnessError(f"the option {option} cannot be {value!r}", remedy=f"give a {'whole ' * whole}number")


def check_text(option: str, value: object, *, optional: bool = True) -> None:
    """Refuse what is no text, or None where that will do; a text that is needed is not empty.

    Raises
    ------
    HarnessError
        Naming the option.
    """
    if not (isinstance(value, str) and (value or optional)) and not (optional and value is None):
        raise HarnessError(f"the option {option} cannot be {value!r}", remedy="give a text")


def check_choice(option: str, value: object, among: Sequence[str]) -> None:
    """Refuse what is not among the choices.

    Raises
    ------
    HarnessError
        Naming the option and the choices.
    """
    if value not in among:
        raise HarnessError(f"the option {option} cannot be {value!r}", remedy=f"choose one of: {', '.join(among)}")
