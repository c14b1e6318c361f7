"""Keys stay out of messages."""

from __future__ import annotations

import os
from collections.abc import Mapping


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
    values = {value.strip() for name, value in variables.items() if name.upper().endswith(("_KEY", "_TOKEN"))}
    for value in sorted(values - {""}, key=len, reverse=True):  # one key may begin with another
        text = text.replace(value, "***")
    return text
