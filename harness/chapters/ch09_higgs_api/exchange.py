"""A request as a command line."""

from __future__ import annotations

import json

from harness.chapters.ch09_higgs_api.service import Service
from harness.engines.openai_speech.client import NO_KEY


def as_curl(url: str, body: bytes, service: Service, out: str) -> str:
    """Return a request as a command line that takes the key, if there is one, from its environment variable."""
    key = "" if service.key == NO_KEY else f'  -H "Authorization: Bearer ${service.key_env}" \\\n'
    said = json.dumps(json.loads(body), ensure_ascii=False).replace("'", "'\\''")
    return f"curl {url} \\\n{key}  -H 'Content-Type: application/json' \\\n  -d '{said}' -o {out}"
