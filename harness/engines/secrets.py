"""Keys stay out of messages."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from urllib.parse import quote


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
        text = hide(text, value)
    return text


def hide(text: str, secret: str) -> str:
    """`text` with ``***`` for a secret, also where it stands escaped for JSON or a URL, in base64 or in hexadecimal.

    >>> hide("c2stMTIzNA== and sk-1234", "sk-1234")
    '*** and ***'
    """
    raw = secret.encode("utf-8", "surrogateescape")
    coded = base64.b64encode(raw).decode()
    forms = {
        secret,
        json.dumps(secret)[1:-1],
        quote(raw, safe=""),
        coded,
        coded.rstrip("="),
        raw.hex(),
        raw.hex().upper(),
    }
    for form in sorted(forms - {""}, key=len, reverse=True):
        text = text.replace(form, "***")
    return text
