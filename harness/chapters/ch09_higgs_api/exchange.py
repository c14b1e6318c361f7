"""A request and its answer as text, to be shown on the page: without the key, and without the bytes of audio."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from harness.engines.openai_speech.answers import Exchange
from harness.engines.secrets import STARS

SHOWN = ("host", "authorization", "content-type", "accept", "content-length", "retry-after", "x-sample-rate",
         "x-harness-warnings", "transfer-encoding")  # fmt: skip
_SHOWN_BASE64 = 60  # characters
_BASE64 = re.compile(r"[A-Za-z0-9+/=]{200,}")


def as_text(exchange: Exchange) -> str:
    """Return request and answer as text, with the headers in `SHOWN`; audio is replaced by its length."""
    path = re.sub(r"^https?://[^/]*", "", exchange.url)
    kind = exchange.answer_headers.get("content-type", "")
    is_text = "json" in kind or "text" in kind
    answer = _text(exchange.answer) if is_text else f"({len(exchange.answer):,} bytes of {kind})"
    lines = [f"{exchange.method} {path} HTTP/1.1", *_headers(exchange.headers), "", _text(exchange.body), "", "",
             f"HTTP/1.1 {exchange.status}", *_headers(exchange.answer_headers), "", answer]  # fmt: skip
    return "\n".join(lines)


def as_curl(exchange: Exchange, key_env: str, out: str) -> str:
    """Return the same request as a command line that takes the key from an environment variable."""
    has_key = STARS in exchange.headers.get("authorization", "")
    key = f'  -H "Authorization: Bearer ${key_env}" \\\n' if has_key else ""
    body = json.dumps(json.loads(exchange.body), ensure_ascii=False).replace("'", "'\\''")
    return f"curl {exchange.url} \\\n{key}  -H 'Content-Type: application/json' \\\n  -d '{body}' -o {out}"


def _headers(headers: Mapping[str, str]) -> list[str]:
    return [f"{name.title()}: {headers[name]}" for name in SHOWN if name in headers]


def _text(body: bytes) -> str:
    """Return JSON with line breaks and without long base64, or other text unchanged."""
    try:
        text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = body.decode("utf-8", "replace")
    note = "… ({:,} characters of base64)"
    return _BASE64.sub(lambda found: found.group()[:_SHOWN_BASE64] + note.format(len(found.group())), text)
