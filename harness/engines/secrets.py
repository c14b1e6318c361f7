"""Keep keys out of messages that quote a library or a server."""

from __future__ import annotations

import os
from collections.abc import Mapping

STARS = "***"


def without_secrets(text: str, environ: Mapping[str, str] | None = None) -> str:
    """Return `text` with ``***`` for each value of an environment variable whose name ends in ``_KEY`` or ``_TOKEN``.

    >>> without_secrets("401 for sk-1234", {"HIGGS_API_KEY": "sk-1234"})
    '401 for ***'

    Parameters
    ----------
    text : str
        What a library printed or raised, or a server answered.
    environ : mapping, optional
        Variables by name; the environment of this process by default.
    """
    variables = os.environ if environ is None else environ
    keys = {value.strip() for name, value in variables.items() if name.upper().endswith(("_KEY", "_TOKEN"))}
    for key in sorted(keys - {""}, key=len, reverse=True):  # one key may begin with another
        text = text.replace(key, STARS)
    return text
